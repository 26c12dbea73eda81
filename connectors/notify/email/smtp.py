"""Mail over SMTP. The dialogue is led phase by phase, because only then is it known whether a failure came before the
final dot (surely not sent) or after it (perhaps sent).
"""

from __future__ import annotations

import contextlib
import smtplib
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email.message import EmailMessage

from connectors.base import Capabilities, Finding, Result, Severity, WriteResult
from connectors.notifier import Message
from connectors.notify.email.composing import addressed, composed, nobody, one_line

_TIMEOUT = 10.0
_DEADLINE = 30.0


@dataclass(frozen=True, slots=True)
class SmtpSettings:
    """Where mail goes out. Without STARTTLS only to this machine."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    starttls: bool
    ca_file: str


class TimedSmtp(smtplib.SMTP):
    """A dialogue that ends at its deadline, in whatever phase it is: a timeout bounds one read only, and a server that
    answers letter by letter never runs into it.
    """

    def __init__(self, host: str, port: int, timeout: float, deadline: float) -> None:
        self.late = False
        """Whether the deadline ended it: a half line read then is no answer."""
        self._line: socket.socket | None = None
        self._alarm = threading.Timer(deadline, self._cut)
        self._alarm.daemon = True
        super().__init__(host, port, timeout=timeout)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        opened: socket.socket = super()._get_socket(host, port, timeout)  # type: ignore[misc]  # not in typeshed
        # A duplicate, because STARTTLS takes the first one away while it shakes hands.
        self._line = opened.dup()
        self._alarm.start()
        return opened

    def _cut(self) -> None:
        self.late = True
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """End the dialogue and its alarm; may be called twice."""
        super().close()
        self._alarm.cancel()
        if self._line is not None:
            self._line.close()


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

    def _connect(self) -> TimedSmtp:
        settings = self._settings
        server = TimedSmtp(settings.host, settings.port, _TIMEOUT, _DEADLINE)
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
        if not message.envelope:
            return nobody(wrong)
        mail = composed(message, self._sender)
        try:
            server = self._connect()
        except (OSError, smtplib.SMTPException, ValueError) as error:
            return _not_let_in(error)
        try:
            result = self._dialogue(server, message.envelope, mail)
            if result.done:
                with contextlib.suppress(OSError, smtplib.SMTPException):
                    server.quit()
        finally:
            server.close()
        return replace(result, reason="; ".join(each for each in (result.reason, wrong) if each))

    def _dialogue(self, server: TimedSmtp, recipients: Sequence[str], mail: EmailMessage) -> WriteResult:
        answers: list[tuple[int, bytes]] = []
        try:
            answers.append(server.mail(self._sender))
            answers += [server.rcpt(each) for each in recipients]
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
        self, server: TimedSmtp, name: str, answers: Sequence[tuple[int, bytes]], recipients: Sequence[str]
    ) -> WriteResult:
        try:
            server.send(b".\r\n")
            code, said = server.getreply()
        except (OSError, smtplib.SMTPException) as error:
            return WriteResult(Result.UNKNOWN, reason=f"after the final dot: {_said(error)}")
        if server.late:
            return WriteResult(Result.UNKNOWN, reason="after the final dot: no answer in time")
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
        return one_line(str(error))
    return f"{type(error).__name__}: {error}" if isinstance(error, OSError) else type(error).__name__


def _readable(said: bytes | str) -> str:
    return one_line(said if isinstance(said, str) else said.decode(errors="replace"))[:200]
