"""E-mail: over SMTP with STARTTLS, or as .eml files in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from connectors.base import FatalError
from connectors.notify.email.composing import ADDRESS
from connectors.notify.email.folder import FolderMailer
from connectors.notify.email.smtp import SmtpMailer, SmtpSettings

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


def open_notifier(settings: Mapping[str, object]) -> FolderMailer | SmtpMailer:
    """Options: `directory` for files; or `host`, `port`, `starttls`, `ca_file`, with `username` and `password`."""
    sender = str(settings.get("sender") or "escalations@localhost")
    if not ADDRESS.fullmatch(sender):
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
