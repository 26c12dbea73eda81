"""Reads the configuration files behind `worker.settings.load_settings` and gathers all that is wrong with them."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from urllib.parse import urlsplit

from worker.almanac import calendars_from, rates_from
from worker.core.calendar import Calendar
from worker.core.model import Channel, ConnectorName
from worker.core.money import Rates
from worker.core.policy import Policy
from worker.documents import Document, Fault, FaultyDocumentError, nearest, read_document
from worker.effective import effective
from worker.parsed import DocumentError, KeyPath
from worker.policy_file import policy_from
from worker.schema import ConnectorSection, NotifierSection, Opened, PolicyFile
from worker.secrets import Secret, SecretError, SecretSource
from worker.settings import (
    SHIPPED,
    AlarmSettings,
    ConnectorSettings,
    LogSettings,
    MessageSettings,
    NotifierSettings,
    RetrySettings,
    Settings,
)
from worker.shape import shaped

_SECRET_NAME = re.compile(r"(?i)(^|_)(token|password|passwd|secret|api_?key|private_?key|credential)s?$")
_PATH_NAME = re.compile(r"(^|_)(path|file|directory)$")
_CHANNELS = {channel.value: channel for channel in Channel}


def build(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings of the file at `path`; FaultyDocumentError holds every fault."""
    return _Reading(path, environ).settings()


class _Reading:
    """One pass over a configuration; gathers faults on the way."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.path = path
        self.folder = path.absolute().parent
        self.document = read_document(path)
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self.secrets: list[Secret] = []
        self.calendars: dict[str, Calendar] = {}
        self.file: PolicyFile = shaped(self.document, self.faults)

    def settings(self) -> Settings:
        """Everything; raises at the end, when all faults are known."""
        file, state = self.file, self._state_dir()
        policy = self._policy()
        settings = Settings(
            path=self.path,
            policy=policy,
            connectors=tuple(self._connector(*entry) for entry in file.connectors.items()),
            notifiers=tuple(self._notifier(*entry) for entry in file.notifiers.items()),
            store_url=self._store(state),
            state_dir=state,
            phrases_dir=self._found(("phrases",), file.phrases, "phrases", folder=True),
            templates_dir=self._found(("templates",), file.templates, "templates", folder=True),
            interval_seconds=self._interval(),
            overlap=file.overlap,
            sweep_every=file.sweep_every,
            retention_days=file.retention_days,
            chat_max_age=file.chat_max_age,
            messages=self._messages(),
            alarms=self._alarms(),
            retry=self._retry(),
            log=LogSettings(file.log.level, file.log.format),
            heartbeat_file=None if file.heartbeat.file is None else self.folder / file.heartbeat.file,
            heartbeat_url=self._heartbeat(),
            secret_values=tuple(self.secrets),
            effective=effective(file, policy, state),
            warnings=tuple(self.warnings),
        )
        if self.faults:
            raise FaultyDocumentError(self.faults)
        return settings

    def fault(self, path: KeyPath, text: str, *, key: bool = False) -> None:
        """Note what is wrong at `path`."""
        self.faults.append(self.document.fault(path, text, key=key))

    def _policy(self) -> Policy:
        self.calendars, rates = self._calendars(), self._rates()
        return policy_from(self.file, self.document, self.calendars, rates, self.faults)

    def _calendars(self) -> dict[str, Calendar]:
        document = self._beside(("calendars",), self.file.calendars, "calendars.yaml")
        try:
            return {} if document is None else calendars_from(document.value)
        except DocumentError as error:
            self.faults += [] if document is None else document.located(error)
            return {}

    def _rates(self) -> Rates:
        document = self._beside(("rates",), self.file.rates, "rates.yaml")
        try:
            return Policy("").rates if document is None else rates_from(document.value)
        except DocumentError as error:
            self.faults += [] if document is None else document.located(error)
            return Policy("").rates

    def _beside(self, key: KeyPath, given: str | None, name: str) -> Document | None:
        path = self._found(key, given, name)
        try:
            return read_document(path) if path.is_file() else None
        except FaultyDocumentError as error:
            self.faults += error.faults
            return None

    def _found(self, key: KeyPath, given: str | None, name: str, *, folder: bool = False) -> Path:
        """What `given` names; without it `name` beside the configuration, else the one that comes with the worker."""
        beside = self.folder / (given or name)
        if "\x00" in str(beside):
            self.fault(key, "a path can't hold a NUL character")
            return SHIPPED / name
        if _exists(beside, folder=folder):
            return beside
        if given is None:
            return SHIPPED / name
        self.fault(key, f"there is no {'folder' if folder else 'file'} {beside}")
        return beside

    def _connector(self, name: str, section: ConnectorSection) -> ConnectorSettings:
        path: KeyPath = ("connectors", name)
        mapping = self._found((*path, "mapping"), section.mapping, f"mappings/{name}.yaml")
        if section.mapping is None and not mapping.is_file():
            self.fault(path, f"has no mapping: write mappings/{name}.yaml, or name a file with mapping:", key=True)
        return ConnectorSettings(
            name=ConnectorName(name),
            module=self._module(path, section, f"connectors.crm.{name}"),
            mapping=mapping,
            options=self._options(path, section),
            secrets=self._secrets(path, section),
            settle=section.settle,
            link=section.link,
        )

    def _notifier(self, name: str, section: NotifierSection) -> NotifierSettings:
        path: KeyPath = ("notifiers", name)
        module = self._module(path, section, f"connectors.notify.{name}")
        channel = section.channel or module.rpartition(".")[2]
        if channel not in _CHANNELS:
            self.fault(path, f"say which channel it is: channel: {', '.join(_CHANNELS)}", key=True)
        return NotifierSettings(
            name=name,
            module=module,
            channel=_CHANNELS.get(channel, Channel.CONSOLE),
            options=self._options(path, section),
            secrets=self._secrets(path, section),
            to=tuple(section.to),
            fallback=self._channel((*path, "fallback"), section.fallback, but=name),
            fallback_after=section.fallback_after,
        )

    def _channel(self, path: KeyPath, name: str | None, but: str = "") -> str:
        others = [each for each in self.file.notifiers if each != but]
        if name is not None and name not in others:
            self.fault(path, f"there is no other notifier {name!r}; {nearest(name, others)}")
        return name or ""

    def _module(self, path: KeyPath, section: Opened, default: str) -> str:
        module, ours = section.module or default, modules_of(default.rpartition(".")[0])
        if module not in ours and not _installed(module):
            hint = nearest(module, ours) if ours else "is it installed?"
            self.fault((*path, "module") if section.module else path, f"there is no module {module}; {hint}")
        return module

    def _options(self, path: KeyPath, section: Opened) -> Mapping[str, object]:
        options: dict[str, object] = {}
        for name, value in section.options.items():
            if _SECRET_NAME.search(name) and value is not None:
                self.fault(
                    (*path, "options", name), f"a secret must not stand here: secrets: {{{name}: {{env: NAME}}}}"
                )
            elif _PATH_NAME.search(name) and isinstance(value, str):
                options[name] = str(self.folder / value)
            else:
                options[name] = value
        return MappingProxyType(options)

    def _secrets(self, path: KeyPath, section: Opened) -> Mapping[str, Secret]:
        return MappingProxyType(
            {name: self._secret((*path, "secrets", name), source) for name, source in section.secrets.items()}
        )

    def _secret(self, path: KeyPath, source: SecretSource) -> Secret:
        try:
            secret, warning = source.open(self.environ, self.folder)
        except SecretError as error:
            self.fault(path, str(error))
            return Secret("")
        if warning:
            self.warnings.append(self.document.fault(path, warning))
        self.secrets.append(secret)
        return secret

    def _text_or_secret(self, path: KeyPath, value: str | SecretSource) -> Secret:
        return self._secret(path, value) if isinstance(value, SecretSource) else Secret(value)

    def _state_dir(self) -> Path:
        named = self.file.state_dir or self.environ.get("STATE_DIRECTORY", "").partition(":")[0] or "state"
        if "\x00" in named:
            self.fault(("state_dir",), "a path can't hold a NUL character")
            return self.folder
        return self.folder / named

    def _store(self, state: Path) -> Secret:
        value = self.file.store
        if value is None:
            return Secret(f"sqlite:///{state / 'state.sqlite'}")
        url = self._text_or_secret(("store",), value)
        scheme, password = _parts(url.reveal())
        if isinstance(value, str) and password:
            self.fault(("store",), "a password must not stand here: put the URL elsewhere and write {env: NAME}")
        elif url.reveal() and scheme not in {"sqlite", "postgresql"}:
            self.fault(("store",), "expected a URL that starts with sqlite:/// or postgresql://")
        return url

    def _heartbeat(self) -> Secret | None:
        value = self.file.heartbeat.url
        if value is None:
            return None
        url = self._text_or_secret(("heartbeat", "url"), value)
        if url.reveal() and _parts(url.reveal())[0] not in {"https", "http"}:
            self.fault(("heartbeat", "url"), "expected a URL that starts with https://")
        return url

    def _messages(self) -> MessageSettings:
        given = self.file.messages
        name, daily = given.digest_calendar, given.l1_mail == "daily"
        if name is not None and name not in self.calendars:
            known = nearest(name, tuple(self.calendars))
            self.fault(("messages", "digest_calendar"), f"{name!r} is no calendar; {known}")
        if daily and name is None:
            self.fault(("messages", "l1_mail"), "needs digest_calendar, whose opening is when the daily mail goes")
        calendar = self.calendars.get(name or "")
        return MessageSettings(given.restricted_names, given.storm, calendar, daily)

    def _alarms(self) -> AlarmSettings:
        given = self.file.alarms
        return AlarmSettings(self._channel(("alarms", "notifier"), given.notifier), tuple(given.to), given.after)

    def _interval(self) -> int:
        seconds = int(self.file.interval.total_seconds())
        if not 1 <= seconds <= 86_400:
            self.fault(("interval",), "must lie between 1s and 24h")
        return max(1, seconds)

    def _retry(self) -> RetrySettings:
        retry = self.file.retry
        if not timedelta(0) < retry.first_wait <= retry.max_wait:
            self.fault(("retry", "first_wait"), "must be longer than nothing and not longer than max_wait")
        if retry.deadline <= timedelta(0):
            self.fault(("retry", "deadline"), "must be longer than nothing")
        return RetrySettings(retry.attempts, retry.first_wait, retry.max_wait, retry.deadline)


def modules_of(package: str) -> tuple[str, ...]:
    """The modules and packages inside one package of ours, by their files; none is imported."""
    folder = SHIPPED.parent / Path(*package.split("."))
    found = {file.stem for file in folder.glob("*.py")} | {file.parent.name for file in folder.glob("*/__init__.py")}
    return tuple(sorted(f"{package}.{name}" for name in found - {"__init__"}))


def _installed(module: str) -> bool:
    """Whether a module of somebody else could be there; only its top package is looked for, and nothing is run."""
    top = module.partition(".")[0]
    try:
        return top != "connectors" and importlib.util.find_spec(top) is not None
    except (ImportError, ValueError):
        return False


def _exists(path: Path, *, folder: bool) -> bool:
    try:
        return path.is_dir() if folder else path.is_file()
    except OSError:
        return False


def _parts(url: str) -> tuple[str, bool]:
    try:
        parts = urlsplit(url)
        return parts.scheme.partition("+")[0], parts.password is not None
    except ValueError:
        return "", False
