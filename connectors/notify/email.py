"""E-mail: over SMTP with STARTTLS, or as .eml files in a folder.

Over SMTP the dialogue is led phase by phase, because only then is it known whether a failure came before the final dot
(surely not sent) or after it (perhaps sent). Message-ID and Date are fixed by the intent, so that a repeat can be told.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import smtplib
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path

from connectors.base import Capabilities, FatalError, Finding, Message, Result, Severity, WriteResult

_TIMEOUT = 10.0
_DEADLINE = 30.0
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?")
_PLAIN_KEY = re.compile(r"[A-Za-z0-9-]{1,100}")
# Seven bits only: not every server on the way takes eight.
_POLICY = SMTP.clone(cte_type="7bit")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where mail goes out. Without STARTTLS only to this machine."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    starttls: bool
    ca_file: str


def composed(message: Message, sender: str) -> EmailMessage:
    """The mail, the same bytes at every attempt. Addresses must have been looked at with `addressed`."""
    mail = EmailMessage(_POLICY)
    domain = sender.rpartition("@")[2]
    mail["From"] = sender
    if message.to:
        mail["To"] = ", ".join(message.to)
    if message.cc:
        mail["Cc"] = ", ".join(message.cc)
    mail["Subject"] = _line(message.subject)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{_name(message.key)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.thread_key:
        thread = f"<{_name(message.thread_key)}@{domain}>"
        mail["References"] = thread
        mail["In-Reply-To"] = thread
    mail.set_content(_clean(message.text))
    if message.html:
        mail.add_alternative(_clean(message.html), subtype="html")
    return mail


def _clean(text: str) -> str:
    """Text without lone surrogates, which no mail can carry."""
    return text.encode("utf-8", "replace").decode()


def _line(text: str) -> str:
    """One header line: no break of any kind, nothing invisible."""
    return " ".join("".join(each if each.isprintable() else " " for each in _clean(text)).split())


def _name(key: str) -> str:
    """The key itself where it can stand in a file name and a Message-ID, else a digest of it."""
    if _PLAIN_KEY.fullmatch(key):
        return key
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def addressed(message: Message) -> tuple[Message, str]:
    """The message to those with a possible address, and a word about the others: one typo stops no one else's mail."""
    wrong = [each for each in (*message.to, *message.cc) if not _ADDRESS.fullmatch(each)]
    to = tuple(each for each in message.to if each not in wrong)
    cc = tuple(each for each in message.cc if each not in wrong)
    return replace(message, to=to, cc=cc), f"not an address: {ascii(wrong)[1:-1]}" if wrong else ""


class FolderMailer:
    """Writes .eml files, one a message, named by its key: what is there is not written again."""

    def __init__(self, directory: Path, sender: str) -> None:
        self._directory = directory
        self._sender = sender

    def capabilities(self) -> Capabilities:
        """A file's name is its key."""
        return Capabilities(exactly_once=True, finds=True)

    def check(self) -> Sequence[Finding]:
        """Whether the folder can be made and written."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            return [Finding(Severity.ERROR, "e-mail", f"{self._directory}: {error.strerror}", "choose another folder")]
        if not os.access(self._directory, os.W_OK):
            return [
                Finding(Severity.ERROR, "e-mail", f"{self._directory} cannot be written", "give the worker the right")
            ]
        return [Finding(Severity.OK, "e-mail", f"files into {self._directory}")]

    def send(self, message: Message) -> WriteResult:
        """Write the file."""
        path = self._path(message.key)
        if path.exists():
            return WriteResult(Result.ALREADY_APPLIED, path.name)
        message, wrong = addressed(message)
        if not (message.to or message.cc):
            return _nobody(wrong)
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            _replace(path, composed(message, self._sender).as_bytes())
        except OSError as error:
            return WriteResult(Result.RETRY, reason=f"{self._directory}: {error.strerror}")
        return WriteResult(Result.APPLIED, path.name, wrong)

    def _path(self, key: str) -> Path:
        return self._directory / f"{_name(key)}.eml"

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """The keys whose file is there."""
        return {key: self._path(key).name for key in keys if self._path(key).exists()}

    def close(self) -> None:
        """Nothing to close."""


def _replace(path: Path, body: bytes) -> None:
    """Write the whole file or none of it: what bears the name is complete, also after a power cut."""
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _nobody(wrong: str) -> WriteResult:
    remedy = "give the people in the CRM or the policy an address, then `retry`"
    return WriteResult(Result.REJECTED, reason=wrong or "nobody to send it to", remedy=remedy)


class SmtpMailer:
    """Sends over SMTP, one connection a message."""

    def __init__(self, settings: SmtpSettings, sender: str) -> None:
        self._settings = settings
        self._sender = sender

    def __repr__(self) -> str:
        return f"SmtpMailer({self._settings.host}:{self._settings.port})"

    def capabilities(self) -> Capabilities:
        """At least once: nothing can be looked up, a repeat carries the same Message-ID."""
        return Capabilities()

    def check(self) -> Sequence[Finding]:
        """Whether the server answers and lets us in; sends nothing."""
        where = f"{self._settings.host}:{self._settings.port}"
        try:
            server = self._connect()
            server.quit()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            detail = f"{where} does not let us in: {_not_let_in(error).reason}"
            return [Finding(Severity.ERROR, "e-mail", detail, "check host, port, STARTTLS, user and password")]
        return [Finding(Severity.OK, "e-mail", f"{where} answers")]

    def _connect(self) -> smtplib.SMTP:
        settings = self._settings
        server = smtplib.SMTP(settings.host, settings.port, timeout=_TIMEOUT)
        try:
            server.ehlo_or_helo_if_needed()
            if settings.starttls:
                server.starttls(context=ssl.create_default_context(cafile=settings.ca_file or None))
                server.ehlo()
            if settings.username:
                server.login(settings.username, settings.password)
        except BaseException:
            server.close()
            raise
        return server

    def send(self, message: Message) -> WriteResult:
        """Send it. Before the final dot a failure is sure, after it the fate is unknown."""
        message, wrong = addressed(message)
        recipients = list(dict.fromkeys((*message.to, *message.cc)))
        if not recipients:
            return _nobody(wrong)
        mail = composed(message, self._sender)
        until = time.monotonic() + _DEADLINE
        try:
            server = self._connect()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return _not_let_in(error)
        try:
            result = self._dialogue(server, recipients, mail, until)
            if result.done:
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    server.quit()
        finally:
            server.close()
        return replace(result, reason="; ".join(each for each in (result.reason, wrong) if each))

    def _dialogue(
        self, server: smtplib.SMTP, recipients: Sequence[str], mail: EmailMessage, until: float
    ) -> WriteResult:
        answers: list[tuple[int, bytes]] = []
        try:
            answers.append(server.mail(self._sender))
            for each in recipients:
                if time.monotonic() > until - _TIMEOUT:
                    return WriteResult(Result.RETRY, reason="the server is too slow")
                answers.append(server.rcpt(each))
            refused = _verdict(answers)
            if refused is not None:
                return refused
            code, said = server.docmd("DATA")
            if code != 354:
                return _answered(code, said)
            server.send(_dotted(mail.as_bytes()))
        except (OSError, smtplib.SMTPException) as error:
            return WriteResult(Result.RETRY, reason=_said(error))
        return self._dot(server, str(mail["Message-ID"]), answers, recipients)

    def _dot(
        self, server: smtplib.SMTP, name: str, answers: Sequence[tuple[int, bytes]], recipients: Sequence[str]
    ) -> WriteResult:
        try:
            server.send(b".\r\n")
            code, said = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return WriteResult(Result.UNKNOWN, reason=f"after the final dot: {_said(error)}")
        if code == -1:
            return WriteResult(Result.UNKNOWN, reason="after the final dot: an answer that is not SMTP")
        if code // 100 != 2:
            return _answered(code, said)
        missed = [
            f"{each} ({answer[0]})" for each, answer in zip(recipients, answers[1:], strict=True) if not _taken(answer)
        ]
        return WriteResult(Result.APPLIED, name, f"refused for {', '.join(missed)}" if missed else "")

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """Mail cannot be looked up."""
        return {}

    def close(self) -> None:
        """Nothing to close."""


def _dotted(body: bytes) -> bytes:
    """The lines as SMTP wants them, up to the final dot."""
    lines = (b"." + line if line.startswith(b".") else line for line in body.splitlines())
    return b"".join(line + b"\r\n" for line in lines)


def _taken(answer: tuple[int, bytes]) -> bool:
    return answer[0] in (250, 251, 252)


def _verdict(answers: Sequence[tuple[int, bytes]]) -> WriteResult | None:
    """What to do when the sender or every recipient is refused; None to go on. Hope, where one of them is temporary."""
    sender, *recipients = answers
    if not _taken(sender):
        return _answered(*sender)
    return None if any(_taken(each) for each in recipients) else _answered(*min(recipients))


def _answered(code: int, said: bytes) -> WriteResult:
    reason = f"{code} {_readable(said)}"
    if code < 500:
        return WriteResult(Result.RETRY, reason=reason, retry_after=timedelta(minutes=1))
    remedy = "correct the address in the CRM or the policy, or ask the mail server's operator, then `retry`"
    return WriteResult(Result.REJECTED, reason=reason, remedy=remedy)


def _not_let_in(error: Exception) -> WriteResult:
    """Nothing was sent. Only a lasting refusal of the password needs somebody before the next attempt."""
    if isinstance(error, smtplib.SMTPAuthenticationError) and error.smtp_code >= 500:
        return WriteResult(Result.REJECTED, reason=_said(error), remedy="correct user and password, then `retry`")
    if isinstance(error, ValueError) and not isinstance(error, OSError):
        reason = "user or password has characters that SMTP does not take"
        return WriteResult(Result.REJECTED, reason=reason, remedy="correct user and password, then `retry`")
    return WriteResult(Result.RETRY, reason=_said(error), remedy="check host, port and STARTTLS of the mail server")


def _said(error: Exception) -> str:
    """What went wrong, without anything that was sent."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        # A server may repeat what it was given.
        return f"the server refuses the login ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {_readable(error.smtp_error)}"
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return _line(str(error))
    return f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__


def _readable(said: bytes | str) -> str:
    return _line(said if isinstance(said, str) else said.decode(errors="replace"))[:200]


def open_notifier(settings: Mapping[str, object]) -> FolderMailer | SmtpMailer:
    """Options: `directory` for files; or `host`, `port`, `starttls`, `ca_file`, with `username` and `password`."""
    sender = str(settings.get("sender") or "escalations@localhost")
    if not _ADDRESS.fullmatch(sender):
        raise FatalError(f"`sender` of e-mail is no address: {sender!r}", "correct `sender`")
    if settings.get("directory"):
        return FolderMailer(Path(str(settings["directory"])), sender)
    host = str(settings.get("host") or "")
    if not host:
        raise FatalError("e-mail has neither a host nor a directory", "give options: {host: ...} or {directory: ...}")
    starttls = settings.get("starttls") is not False
    if not starttls and host not in _LOOPBACK:
        raise FatalError("e-mail without STARTTLS goes to this machine only", "remove `starttls: false`")
    port = str(settings.get("port") or 587)
    if not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise FatalError(f"`port` of e-mail is no port: {port!r}", "correct `port`")
    smtp = SmtpSettings(
        host,
        int(port),
        str(settings.get("username") or ""),
        str(settings.get("password") or ""),
        starttls,
        str(settings.get("ca_file") or ""),
    )
    return SmtpMailer(smtp, sender)
