"""Log lines on stderr, one event a line, that can't carry a secret, an address or a control character.

JSON for machines, colours for people on a terminal. Redaction knows the names under which secrets travel and the
values of all secrets that were loaded; it runs last, over messages and tracebacks alike. Tracebacks show no locals.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from worker.secrets import Secret
from worker.settings import LogSettings

MASK: Final = "***"
_LONGEST = 8_000
_DEEPEST = 6
_SHORTEST_SECRET = 6
_LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_SECRET_NAME = re.compile(
    r"(?i)token|password|passwd|secret|authorization|cookie|credential|api_?key|private_?key|session_?id"
)
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{6,}")
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)([^\s/?#@\"'<>]*@)?([^\s?#\"'<>]*)([?#][^\s\"'<>]*)?")
_MAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def configure(log: LogSettings, secrets: Iterable[Secret] = (), stream: TextIO | None = None) -> None:
    """Set up logging for the process, on `stream` or else standard error; `auto` means console on a terminal.

    May be called again, for example after a reload. Other libraries' warnings come the same way.
    """
    # A service may be started without any standard error.
    out: TextIO | None = stream or sys.stderr
    terminal = _is_terminal(out)
    console = log.format == "console" or (log.format == "auto" and terminal)
    structlog.configure(
        processors=[*_gathering(), Redaction(secrets), *_rendering(colours=terminal, console=console)],
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS.get(log.level, logging.INFO)),
        logger_factory=lambda *_: _Lines(out),
        cache_logger_on_first_use=False,
    )
    _bridge()


def _is_terminal(stream: TextIO | None) -> bool:
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def _gathering() -> list[Processor]:
    plain = structlog.tracebacks.ExceptionDictTransformer(show_locals=False, max_frames=20)
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.ExceptionRenderer(plain),
    ]


def _rendering(*, colours: bool, console: bool) -> list[Processor]:
    if console:
        return [_short_exception, structlog.dev.ConsoleRenderer(colors=colours, timestamp_key="at", sort_keys=False)]
    return [structlog.processors.JSONRenderer(ensure_ascii=True, sort_keys=False, default=str)]


def _short_exception(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """For people: the kind of error, what it said and where, in one line."""
    chain = event.pop("exception", None)
    if isinstance(chain, list) and chain and isinstance(chain[0], Mapping):
        first = chain[0]
        frames = first.get("frames")
        last = frames[-1] if isinstance(frames, list) and frames else {}
        where = f" ({last.get('filename')}:{last.get('lineno')})" if last else ""
        event["error"] = f"{first.get('exc_type')}: {first.get('exc_value')}{where}"
    return event


class Redaction:
    """The last look at every value: masks what is secret, hashes mail addresses, escapes control characters."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        values = {secret.reveal() for secret in secrets}
        known = sorted((value for value in values if len(value) >= _SHORTEST_SECRET), key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        """A processor of structlog."""
        return {_text_key(key): self._under(str(key), value, 0) for key, value in event.items()}

    def clean(self, text: str) -> str:
        """One text without secrets, addresses, query strings and control characters, cut to a bearable length."""
        # Secrets first: escaping or cutting could break one into pieces that are no longer found.
        known = text if self._known is None else self._known.sub(MASK, text)
        cut = known if len(known) <= _LONGEST else f"{known[:_LONGEST]}…"
        urls = _URL.sub(_bare_url, _BEARER.sub(rf"\1 {MASK}", cut))
        return _CONTROL.sub(_escaped, _MAIL.sub(_hashed, urls))

    def _under(self, name: str, value: object, depth: int) -> object:
        if _SECRET_NAME.search(name) and not isinstance(value, (bool, int, type(None))):
            return MASK
        return self._value(value, depth)

    def _value(self, value: object, depth: int) -> object:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if depth < _DEEPEST and isinstance(value, Mapping):
            return {_text_key(key): self._under(str(key), inner, depth + 1) for key, inner in value.items()}
        if depth < _DEEPEST and isinstance(value, (list, tuple, set, frozenset)):
            return [self._value(inner, depth + 1) for inner in value]
        return self.clean(value if isinstance(value, str) else str(value))


def _text_key(key: object) -> str:
    return _CONTROL.sub(_escaped, str(key))


def _bare_url(found: re.Match[str]) -> str:
    return found[1] + (f"{MASK}@" if found[2] else "") + found[3] + (f"?{MASK}" if found[4] else "")


def _hashed(found: re.Match[str]) -> str:
    return f"mail:{hashlib.sha256(found[0].lower().encode()).hexdigest()[:10]}"


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


class _Lines:
    """Writes lines; a closed or broken stream must never stop the worker."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        if self._stream is None:
            return
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = log = msg


class _Bridge(logging.Handler):
    """Other libraries' records, as events."""

    def emit(self, record: logging.LogRecord) -> None:
        name = "warning" if record.levelno < logging.ERROR else "error"
        with contextlib.suppress(Exception):
            getattr(structlog.get_logger(), name)(record.getMessage(), library=record.name, exc_info=record.exc_info)


def _bridge() -> None:
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _Bridge)]:
        root.removeHandler(old)
    root.addHandler(_Bridge(logging.WARNING))
    logging.raiseExceptions = False


class Repeats:
    """Errors that come back each cycle: logged when they change, and once more, with the count, when they end."""

    def __init__(self, most: int = 1_000) -> None:
        self._seen: MutableMapping[str, tuple[object, int]] = {}
        self._most = most

    def repeated(self, logger: structlog.typing.FilteringBoundLogger, key: str, event: str, **fields: object) -> bool:
        """Log an error of `key` unless the same one was the last; whether it was logged."""
        now: object = (event, tuple(sorted((name, str(value)) for name, value in fields.items())))
        last, count = self._seen.pop(key, (None, 0))
        self._seen[key] = (now, count + 1)
        if last == now:
            return False
        if len(self._seen) > self._most:
            self._seen.pop(next(iter(self._seen)))
        logger.error(event, **fields)
        return True

    def ended(self, logger: structlog.typing.FilteringBoundLogger, key: str) -> bool:
        """Say that the errors of `key` are over, and how many there were; nothing when there were none."""
        last, count = self._seen.pop(key, (None, 0))
        if last is None:
            return False
        logger.info("error_ended", key=key, times=count)
        return True


_repeats = Repeats()


def repeated(logger: structlog.typing.FilteringBoundLogger, key: str, event: str, **fields: object) -> bool:
    """`Repeats.repeated` for the whole process: log when it changes; whether it was logged."""
    return _repeats.repeated(logger, key, event, **fields)


def ended(logger: structlog.typing.FilteringBoundLogger, key: str) -> bool:
    """`Repeats.ended` for the whole process."""
    return _repeats.ended(logger, key)


def report_crash(error: BaseException) -> None:
    """A fault of the program: its traceback as one line, also when nothing was configured yet."""
    if not structlog.is_configured():
        configure(LogSettings())
    structlog.get_logger(__name__).error("crash", exc_info=error, remedy="a fault of the program: please report it")
