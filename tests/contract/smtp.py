"""A real SMTP server on this machine that can refuse, hang up and drag its feet in each phase of a dialogue."""

# ruff: noqa: N802  the library's names

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

USER, PASSWORD = "worker", "canary-smtp-password"


@dataclass
class Mail:
    """What the server has taken."""

    sender: str
    recipients: list[str]
    body: bytes

    @property
    def parsed(self) -> EmailMessage:
        return message_from_bytes(self.body, policy=default)


@dataclass
class Script:
    """What goes wrong. `dies` and `drags` name a phase: MAIL, RCPT, DATA, BODY, DOT or QUIT."""

    dies: str = ""
    drags: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    mails: list[Mail] = field(default_factory=list)
    dialogues: int = 0

    def phase(self, server: SMTP, name: str) -> None:
        if self.dies == name:
            server.transport.abort()

    async def drag(self, server: SMTP, name: str) -> None:
        """Answer letter by letter, so that no read ever takes long."""
        while self.drags == name:
            server.transport.write(b"2")
            await asyncio.sleep(0.05)


class Server(SMTP):
    """Counts dialogues, and can die between the word DATA and the mail."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.event_handler.script.dialogues += not self._over_ssl
        super().connection_made(transport)

    async def smtp_DATA(self, arg: str) -> None:
        script: Script = self.event_handler.script
        if script.dies == "BODY":
            await self.push("354 go on")
            self.transport.abort()
            return
        script.phase(self, "DATA")
        if "DATA" in script.answers:
            await self.push(script.answers["DATA"])
            return
        await super().smtp_DATA(arg)


class Handler:
    def __init__(self, script: Script) -> None:
        self.script = script

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.script.phase(server, "MAIL")
        if "MAIL" in self.script.answers:
            return self.script.answers["MAIL"]
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.script.phase(server, "RCPT")
        await self.script.drag(server, "RCPT")
        answer = self.script.answers.get(address, "250 ok")
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        answer = self.script.answers.get("DOT", "250 taken")
        if answer.startswith("2"):
            self.script.mails.append(Mail(str(envelope.mail_from), list(envelope.rcpt_tos), envelope.original_content))
        self.script.phase(server, "DOT")
        await self.script.drag(server, "DOT")
        return answer

    async def handle_QUIT(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.script.phase(server, "QUIT")
        return "221 bye"


class Listener(Controller):
    def __init__(self, script: Script, context: ssl.SSLContext | None, *, login: bool) -> None:
        self._more = {"tls_context": context, "require_starttls": context is not None, "auth_required": login}
        super().__init__(Handler(script), hostname="127.0.0.1", port=0)

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()

    def factory(self) -> SMTP:
        return Server(self.handler, authenticator=_known, auth_require_tls=True, **self._more)


def _known(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
    good = isinstance(given, LoginPassword) and (given.login, given.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False)


@contextmanager
def listening(script: Script, context: ssl.SSLContext | None = None, *, login: bool = False) -> Iterator[int]:
    """The port of a running server."""
    controller = Listener(script, context, login=login)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def certificate(folder: Path, name: str = "localhost", days: int = 2) -> tuple[ssl.SSLContext, Path]:
    """A server's context and the file of the authority that vouches for it; negative `days`: it ran out."""
    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    public, private = folder / f"{name}.pem", folder / f"{name}.key"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context, public
