"""The mail itself: the same bytes at every attempt, whatever a customer wrote into its texts.

Message-ID and Date are fixed by the intent, so that a repeat can be told; References hold an escalation together.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from email.headerregistry import HeaderRegistry, MessageIDHeader
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from connectors.base import Result, WriteResult
from connectors.notifier import Attachment, Message

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
"""Addresses that are written to. Narrower than the standard allows: no quotes, no comments, no other alphabets."""

_PLAIN_KEY = re.compile(r"[A-Za-z0-9-]{1,100}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_HEADERS = HeaderRegistry()
for _name in ("references", "in-reply-to"):
    # Else a long one would be written as if it were words, and no program would find the thread.
    _HEADERS.map_to_type(_name, MessageIDHeader)  # type: ignore[arg-type]  # as the library's own table has it
# Seven bits only: not every server on the way takes eight.
_POLICY = SMTP.clone(cte_type="7bit", header_factory=_HEADERS)


def composed(message: Message, sender: str) -> EmailMessage:
    """The mail, the same bytes at every attempt. Addresses must have been looked at with `addressed`."""
    mail = EmailMessage(_POLICY)
    domain = sender.rpartition("@")[2]
    mail["From"] = sender
    if message.to:
        mail["To"] = ", ".join(message.to)
    if message.cc:
        mail["Cc"] = ", ".join(message.cc)
    mail["Subject"] = one_line(message.subject)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{name_of(message.key)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.thread_key:
        thread = f"<{name_of(message.thread_key)}@{domain}>"
        mail["References"] = thread
        mail["In-Reply-To"] = thread
    mail.set_content(_clean(message.text))
    if message.html:
        mail.add_alternative(_clean(message.html), subtype="html")
    for each in message.attachments:
        _attach(mail, each)
    _bound(mail, message.key)
    return mail


def _attach(mail: EmailMessage, file: Attachment) -> None:
    """Text as text: a spam filter and an archive can read it."""
    main, _, kind = file.media_type.partition("/")
    if main == "text":
        mail.add_attachment(file.body.decode(), subtype=kind, filename=file.name)
    else:
        mail.add_attachment(file.body, maintype=main, subtype=kind, filename=file.name)


def _bound(mail: EmailMessage, key: str) -> None:
    """The library would draw lots for what parts are told apart by, and a repeat would be another mail."""
    composite = [part for part in mail.walk() if part.is_multipart()]
    for number, part in enumerate(composite):
        part.set_boundary(f"part{number or ''}-{_digest(key)}")


def _clean(text: str) -> str:
    """Text without lone surrogates, which no mail can carry, and without controls that would steer a terminal."""
    return _CONTROL.sub(" ", text.encode("utf-8", "replace").decode())


def one_line(text: str) -> str:
    """One header line: no break of any kind, nothing invisible."""
    return " ".join("".join(each if each.isprintable() else " " for each in _clean(text)).split())


def name_of(key: str) -> str:
    """The key itself where it can stand in a file name and a Message-ID, else a digest of it."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    return _digest(key)


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def addressed(message: Message) -> tuple[Message, str]:
    """The message to those with a possible address, and a word about the others: one typo stops no one else's mail.

    The envelope always names who gets this copy.
    """
    wrong = [each for each in (*message.to, *message.cc, *message.envelope) if not ADDRESS.fullmatch(each)]
    to = tuple(each for each in message.to if each not in wrong)
    cc = tuple(each for each in message.cc if each not in wrong)
    envelope = tuple(each for each in message.envelope if each not in wrong)
    copies = envelope if message.envelope else tuple(dict.fromkeys((*to, *cc)))
    said = f"not an address: {ascii(list(dict.fromkeys(wrong)))[1:-1]}" if wrong else ""
    return replace(message, to=to, cc=cc, envelope=copies), said


def nobody(wrong: str) -> WriteResult:
    """A mail that nobody can get waits for a person."""
    remedy = "give the people in the CRM or the policy an address, then `retry`"
    return WriteResult(Result.REJECTED, reason=wrong or "nobody to send it to", remedy=remedy)
