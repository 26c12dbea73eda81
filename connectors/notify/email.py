"""E-mail: over SMTP with STARTTLS, or as .eml files in a folder.

Over SMTP the dialogue is led phase by phase, because only then is it known whether a failure came before the final dot
(surely not sent) or after it (perhaps sent). Message-ID and Date are fixed by the intent, so that a repeat can be told.
"""

from __future__ import annotations

import smtplib
import ssl
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path

from connectors.base import Capabilities, FatalError, Finding, Message, Result, Severity, WriteResult

_TIMEOUT = 10.0
_DEADLINE = 30.0
_ADDRESS = "correct the address in the CRM or the policy"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where mail goes out. Without STARTTLS only to this machine."""

    host: str
    port: int
    username: str
    password: str
    starttls: bool
    ca_file: str


def composed(message: Message, sender: str) -> EmailMessage:
    """The mail, the same bytes at every attempt. Raises ValueError for an address that cannot be one."""
    mail = EmailMessage()
    domain = sender.rpartition("@")[2] or "localhost"
    mail["From"] = sender
    mail["To"] = ", ".join(_address(each) for each in message.to)
    if message.cc:
        mail["Cc"] = ", ".join(_address(each) for each in message.cc)
    mail["Subject"] = _line(message.subject)
    mail["Date"] = format_datetime(message.at)
    mail["Message-ID"] = f"<{message.key}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    if message.thread_key:
        thread = f"<{_line(message.thread_key)}@{domain}>"
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


def _address(text: str) -> str:
    if not text or any(each in text for each in "\r\n,;<>\"' \u2028\u2029") or text.count("@") != 1:
        raise ValueError(f"{text!r} is not an e-mail address")
    return text


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
        return [Finding(Severity.OK, "e-mail", f"files into {self._directory}")]

    def send(self, message: Message) -> WriteResult:
        """Write the file."""
        path = self._path(message.key)
        if path.exists():
            return WriteResult(Result.ALREADY_APPLIED, path.name)
        if not message.to:
            return _nobody()
        try:
            body = composed(message, self._sender).as_bytes()
            self._directory.mkdir(parents=True, exist_ok=True)
            part = path.with_suffix(".part")
            part.write_bytes(body)
            part.replace(path)
        except ValueError as error:
            return WriteResult(
                Result.REJECTED, reason=str(error), remedy="correct the address in the CRM or the policy"
            )
        except OSError as error:
            return WriteResult(Result.RETRY, reason=f"{self._directory}: {error.strerror}")
        return WriteResult(Result.APPLIED, path.name)

    def _path(self, key: str) -> Path:
        return self._directory / f"{''.join(each for each in key if each.isalnum() or each == '-')}.eml"

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """The keys whose file is there."""
        return {key: self._path(key).name for key in keys if self._path(key).exists()}

    def close(self) -> None:
        """Nothing to close."""


def _nobody() -> WriteResult:
    return WriteResult(
        Result.REJECTED, reason="nobody to send it to", remedy="give the people in the CRM or the policy an address"
    )


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
        except (OSError, smtplib.SMTPException) as error:
            detail = f"{where} does not let us in: {_said(error)}"
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
        recipients = [*message.to, *message.cc]
        if not recipients:
            return _nobody()
        try:
            body = composed(message, self._sender).as_bytes()
        except ValueError as error:
            return WriteResult(
                Result.REJECTED, reason=str(error), remedy="correct the address in the CRM or the policy"
            )
        started = time.monotonic()
        try:
            server = self._connect()
        except smtplib.SMTPAuthenticationError as error:
            return WriteResult(Result.REJECTED, reason=_said(error), remedy="correct user and password, then `retry`")
        except (OSError, smtplib.SMTPException) as error:
            return WriteResult(Result.RETRY, reason=_said(error))
        try:
            return self._dialogue(server, recipients, body, started)
        finally:
            server.close()

    def _dialogue(self, server: smtplib.SMTP, recipients: Sequence[str], body: bytes, started: float) -> WriteResult:
        try:
            answers = [server.mail(self._sender)]
            answers += [server.rcpt(each) for each in recipients]
            refused = _verdict(answers, recipients)
            if refused is not None:
                return refused
            if time.monotonic() - started > _DEADLINE - _TIMEOUT:
                return WriteResult(Result.RETRY, reason="the server is too slow")
            code, said = server.docmd("DATA")
            if code != 354:
                return _answered(code, said)
        except (OSError, smtplib.SMTPException) as error:
            return WriteResult(Result.RETRY, reason=_said(error))
        return self._body(server, body, answers, recipients)

    def _body(
        self, server: smtplib.SMTP, body: bytes, answers: Sequence[tuple[int, bytes]], recipients: Sequence[str]
    ) -> WriteResult:
        try:
            quoted = b"\r\n".join(b"." + line if line.startswith(b".") else line for line in body.splitlines())
            server.send(quoted + b"\r\n.\r\n")
            code, said = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return WriteResult(Result.UNKNOWN, reason=f"after the final dot: {_said(error)}")
        if code != 250:
            return _answered(code, said)
        missed = [each for each, (answer, _) in zip(recipients, answers[1:], strict=True) if answer not in (250, 251)]
        reason = f"refused for {', '.join(missed)}" if missed else ""
        return WriteResult(Result.APPLIED, said.decode(errors="replace")[:200], reason)

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """Mail cannot be looked up."""
        return {}

    def close(self) -> None:
        """Nothing to close."""


def _verdict(answers: Sequence[tuple[int, bytes]], recipients: Sequence[str]) -> WriteResult | None:
    """What to do when the sender or every recipient is refused; None to go on."""
    code, said = answers[0]
    if code != 250:
        return _answered(code, said)
    refused = [answer for answer in answers[1:] if answer[0] not in (250, 251)]
    if len(refused) < len(recipients):
        return None
    lasting = [answer for answer in refused if answer[0] >= 500]
    return _answered(*(lasting[0] if len(lasting) == len(refused) else min(refused)))


def _answered(code: int, said: bytes) -> WriteResult:
    reason = f"{code} {said.decode(errors='replace')[:200]}"
    if 400 <= code < 500:
        return WriteResult(Result.RETRY, reason=reason, retry_after=timedelta(minutes=1))
    return WriteResult(Result.REJECTED, reason=reason, remedy="ask the mail server's operator, then `retry`")


def _said(error: Exception) -> str:
    """What went wrong, without anything that was sent."""
    if isinstance(error, smtplib.SMTPResponseException):
        return f"{error.smtp_code} {str(error.smtp_error)[:200]}"
    return f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__


def open_notifier(settings: Mapping[str, object]) -> FolderMailer | SmtpMailer:
    """Options: `directory` for files; or `host`, `port`, `starttls`, `ca_file`, with `username` and `password`."""
    sender = str(settings.get("sender") or "escalations@localhost")
    if settings.get("directory"):
        return FolderMailer(Path(str(settings["directory"])), sender)
    host = str(settings.get("host") or "")
    if not host:
        raise FatalError("e-mail has neither a host nor a directory", "give options: {host: ...} or {directory: ...}")
    starttls = settings.get("starttls") is not False
    if not starttls and host not in _LOOPBACK:
        raise FatalError("e-mail without STARTTLS goes to this machine only", "remove `starttls: false`")
    smtp = SmtpSettings(
        host,
        int(str(settings.get("port") or 587)),
        str(settings.get("username") or ""),
        str(settings.get("password") or ""),
        starttls,
        str(settings.get("ca_file") or ""),
    )
    return SmtpMailer(smtp, sender)
