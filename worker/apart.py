"""What is told about no single escalation: an alarm, a list, a remark, whether cases are one bug.

Each is the values of its own templates, under the names that these know; so `check` can try them as they will be used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import ClassVar

from worker.core.proposals import Proposal
from worker.core.telling import Line, sums

LISTED = 100
"""Lines of one list that are shown; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An alarm: something fails for long (`kind` is failing), or works again (over)."""

    templates: ClassVar = ("alarm_title.txt", "alarm.txt")

    kind: str
    where: str
    since: datetime
    reason: str
    remedy: str
    now: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """An alarm: new escalations wait for a yes. `kind` is hold_ and why, `limit` what was exceeded."""

    templates: ClassVar = ("alarm_title.txt", "alarm.txt")

    kind: str
    where: str
    count: int
    by_level: str
    limit: int
    accounts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Digest:
    """A list of escalations. `over`: all of them are closed. See `digest_of` for what the others mean."""

    templates: ClassVar = ("digest_title.txt", "digest.txt")

    count: int
    by_level: str
    closed: int
    lines: Sequence[str]
    more: int
    storm: bool
    bug: str
    worth: str
    unknown: int
    news: Sequence[str]
    personal: bool
    over: bool


@dataclass(frozen=True, slots=True)
class AlikeCase:
    """One of the cases that look alike."""

    id: str
    subject: str
    opened_at: datetime | None


@dataclass(frozen=True, slots=True)
class AlikeAccount:
    """An account with such cases; `worth` is its ARR and `csm` a name, each empty where it is not known."""

    name: str
    worth: str
    csm: str
    cases: Sequence[AlikeCase]


@dataclass(frozen=True, slots=True)
class AlikeCases:
    """The question whether cases of several customers are one bug. `grown`: it was asked before, of fewer.

    `worth` is the ARR of all, `unknown` how many have none that is known; `lines` are the accounts and `more` how many
    are not shown; `field` is what the CRM calls the bug key. The spans and limits are the policy's.
    """

    templates: ClassVar = ("likeness_title.txt", "likeness.txt")

    proposal: Proposal
    grown: bool
    accounts: int
    cases: int
    worth: str
    unknown: int
    lines: Sequence[AlikeAccount]
    more: int
    words: Sequence[str]
    field: str
    bug_accounts: int
    within: timedelta
    before: timedelta
    again: int


@dataclass(frozen=True, slots=True)
class Remark:
    """Why a message comes by another channel than `channel`; `doubt`: it may have arrived there as well."""

    templates: ClassVar = ("remark.txt",)

    channel: str
    doubt: bool


Titled = Failure | Held | Digest | AlikeCases
Apart = Titled | Remark


def values_of(told: Apart) -> dict[str, object]:
    """What its templates may speak of."""
    return {each.name: getattr(told, each.name) for each in fields(told)}


def digest_of(
    lines: Sequence[Line], *, storm: bool, bug: str = "", news: Sequence[str] = (), personal: bool = False
) -> Digest:
    """A list of escalations, in this order. `storm`: they are many of one cycle; `bug`: what hits them all.

    `news` are what happened since; `personal`: the list is for one person and what concerns them.
    """
    levels = Counter(line.level for line in lines if not line.over)
    return Digest(
        count=len(lines),
        by_level=", ".join(f"{levels[level]} {level}" for level in sorted(levels, reverse=True)),
        closed=sum(line.over for line in lines),
        lines=[line.text for line in lines[:LISTED]],
        more=len(lines[LISTED:]),
        storm=storm,
        bug=bug,
        worth=" + ".join(map(str, sums(line.worth for line in lines))),
        unknown=sum(line.worth is None for line in lines),
        news=news,
        personal=personal,
        over=bool(lines) and all(line.over for line in lines),
    )
