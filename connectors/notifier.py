"""What a notifier promises, and what a message is made of.

A notifier is one module in `connectors/notify/` with `open_notifier(settings) -> Notifier`. As a connector, it neither
retries nor sleeps nor keeps state, bounds every call, and raises the errors of `connectors/base.py`. A channel whose
messages carry buttons promises more: `connectors/hearing.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol, runtime_checkable

from connectors.base import Capabilities, Finding, WriteResult


class Posting(StrEnum):
    """How a message relates to the ones before it."""

    POST = "post"
    EDIT = "edit"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of news in a message about several escalations: whose it is, how high that stands, what is said."""

    about: str
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Instead:
    """How another channel tells the same to the same people, should this one fail for long."""

    to: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A small file that goes with a mail; other channels leave it out. `name` and `media_type` are plain ASCII."""

    name: str
    media_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Button:
    """What a reader may press. `value` comes back with the click (`connectors/hearing.py`)."""

    label: str
    value: str


@dataclass(frozen=True, slots=True)
class Message:
    """A message ready to go, rendered once: a retry sends the same bytes.

    `key` is the idempotency key. `thread_key` names the escalation; `thread_ref` is the remote id of the thread's
    first message, which EDIT replaces and REPLY answers. `subject` is the headline, `text` plain, `html` optional;
    `link` leads to the record. `to` and `cc` are addresses or channel names, by the channel's own words; `envelope` are
    those of them who get this copy, empty for all. `at` is fixed when the message is made and dates the e-mail.
    `struck`: what it tells is over, and a channel that can shows it struck out. `repeated`: an earlier attempt may have
    arrived, and the channel cannot look: a person should be able to tell. `attachments` are for mail, `buttons` for a
    channel whose capabilities say so. `parts` and `instead` are the worker's own business; a notifier sends what the
    other fields say.
    """

    key: str
    posting: Posting
    to: tuple[str, ...]
    subject: str
    text: str
    at: datetime
    html: str = ""
    cc: tuple[str, ...] = ()
    thread_key: str = ""
    thread_ref: str = ""
    envelope: tuple[str, ...] = ()
    link: str = ""
    struck: bool = False
    repeated: bool = False
    parts: tuple[Part, ...] = ()
    instead: Instead | None = None
    attachments: tuple[Attachment, ...] = ()
    buttons: tuple[Button, ...] = ()


@runtime_checkable
class Notifier(Protocol):
    """One channel."""

    def capabilities(self) -> Capabilities:
        """What it can do. No I/O."""
        ...

    def check(self) -> Sequence[Finding]:
        """Look whether messages could be sent, sending none."""
        ...

    def send(self, message: Message) -> WriteResult:
        """Send one message. `remote_id` is what EDIT and REPLY need later."""
        ...

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:
        """Keys of messages that arrived since, with their remote ids. Raises when it cannot look."""
        ...

    def close(self) -> None:
        """Let go of connections; may be called twice."""
        ...
