"""What HubSpot's answers mean: one table from status and body to what to do next."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import msgspec

_SHORT = timedelta(seconds=2)
_SEARCH_WAIT = timedelta(seconds=1)
_TEN_SECONDS = timedelta(seconds=10)
_LONGEST = timedelta(hours=24)
_NAME = re.compile(r"[\w.:-]{1,120}")
_SHOWN = 400


class Meaning(StrEnum):
    """What to do about an answer.

    LIMITED: too fast, wait. LATER: surely not done, repeat. DOUBTFUL: may have been done. REFUSED: this request will
    not succeed. UNAUTHORISED: the credential. FORBIDDEN: its rights. ABSENT: no such object or path.
    """

    LIMITED = "limited"
    LATER = "later"
    DOUBTFUL = "doubtful"
    REFUSED = "refused"
    UNAUTHORISED = "unauthorised"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"


_MEANINGS: Mapping[int, Meaning] = {
    401: Meaning.UNAUTHORISED,
    403: Meaning.FORBIDDEN,
    404: Meaning.ABSENT,
    408: Meaning.DOUBTFUL,
    423: Meaning.LATER,
    429: Meaning.LIMITED,
    477: Meaning.LATER,
    530: Meaning.UNAUTHORISED,  # what a malformed key meets at HubSpot's border
}


class Policy(StrEnum):
    """Which of HubSpot's limits was met, in its own words."""

    SECONDLY = "SECONDLY"
    TEN_SECONDLY = "TEN_SECONDLY_ROLLING"
    DAILY = "DAILY"


class _Detail(msgspec.Struct, frozen=True):
    message: str | None = None
    context: object = None


class ItemError(msgspec.Struct, frozen=True, rename="camel"):
    """One entry of `errors` in a batch answer. Every field may be missing."""

    category: str | None = None
    sub_category: object = None
    message: str | None = None
    context: object = None
    errors: list[_Detail] | None = None

    def names(self, key: str) -> Sequence[str]:
        """What the context names under `key`."""
        return _listed(self.context, key)


class _Body(msgspec.Struct, frozen=True, rename="camel"):
    message: str | None = None
    category: str | None = None
    sub_category: object = None
    correlation_id: str | None = None
    policy_name: str | None = None
    context: object = None
    errors: list[_Detail] | None = None


_body = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer that is not a success. `message` is HubSpot's own, shortened, for the person who must act."""

    status: int
    meaning: Meaning
    message: str = ""
    category: str = ""
    correlation_id: str = ""
    policy: str = ""
    scopes: tuple[str, ...] = ()
    after: timedelta | None = None
    readable: bool = True

    def __str__(self) -> str:
        said = f": {self.message}" if self.message else ""
        trace = f" (correlationId {self.correlation_id})" if self.correlation_id else ""
        return f"HubSpot answers {self.status}{f' {self.category}' if self.category else ''}{said}{trace}"


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refusal:
    """Classify an answer whose status is not 2xx. A body that is not HubSpot's says nothing but its status."""
    told = _told(body)
    meaning = _MEANINGS.get(status, Meaning.DOUBTFUL if status >= 500 else Meaning.REFUSED)
    if told is None:
        return Refusal(status, meaning, after=_after(status, headers, ""), readable=False)
    policy = told.policy_name or ""
    return Refusal(
        status,
        meaning,
        _message(told),
        told.category or "",
        _named(told.correlation_id),
        policy,
        _scopes(told),
        _after(status, headers, policy),
    )


def _told(body: bytes) -> _Body | None:
    with contextlib.suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        return _body.decode(body)
    return None


def _message(told: _Body) -> str:
    details = [each.message for each in told.errors or () if each.message]
    return "; ".join(dict.fromkeys(part for part in (told.message, *details) if part))[:_SHOWN]


def _listed(context: object, key: str) -> Sequence[str]:
    """A context is a map of lists; where HubSpot sends something else, it names nothing."""
    values = context.get(key) if isinstance(context, dict) else None
    return [str(each) for each in values] if isinstance(values, list) else ()


def _named(text: str | None) -> str:
    return text if text and _NAME.fullmatch(text) else ""


def _scopes(told: _Body) -> tuple[str, ...]:
    contexts = [told.context, *(each.context for each in told.errors or ())]
    named = [scope for context in contexts for scope in _listed(context, "missingScopes")]
    return tuple(dict.fromkeys(scope for each in named if (scope := _named(each))))


def _after(status: int, headers: Mapping[str, str], policy: str) -> timedelta | None:
    given = headers.get("retry-after", "")
    if given.isascii() and given.isdigit():
        wait = min(timedelta(seconds=int(given)), _LONGEST)
        return max(wait, _SHORT) if status == 423 else wait
    if status == 429:
        return _SEARCH_WAIT if policy == Policy.SECONDLY else _TEN_SECONDS
    return _SHORT if status in (408, 423, 477) else None


def said(error: ItemError) -> str:
    """One item's error in one line."""
    details = [each.message for each in error.errors or () if each.message]
    parts = dict.fromkeys(part for part in (error.message, *details) if part)
    return f"{error.category or 'refused'}: {'; '.join(parts)}"[:_SHOWN]
