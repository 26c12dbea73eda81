"""Rendered texts: what a note, a message in a channel and a mail consist of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Note:
    """A note for the account's page."""

    title: str
    body: str


@dataclass(frozen=True, slots=True)
class Card:
    """How an escalation stands now. `over`: nobody has to do anything about it any more."""

    title: str
    text: str
    over: bool = False


@dataclass(frozen=True, slots=True)
class ProposedCall:
    """A time for a call, as a calendar shows it. UTC."""

    title: str
    text: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail's parts."""

    subject: str
    text: str
    html: str
    calls: tuple[ProposedCall, ...] = ()
