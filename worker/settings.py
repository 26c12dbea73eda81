"""Everything that is set: `load_settings` turns config/escalation.yaml and the environment into frozen values.

Nothing but this module and those it calls reads the configuration. All faults of all files come at once, each as
`file:line:column: key: what to do`. A relative path is relative to the configuration's folder; what is missing there
falls back to the files that come with the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from worker.core.calendar import Calendar
from worker.core.model import Channel, ConnectorName
from worker.core.policy import Policy
from worker.documents import Fault, FaultyDocumentError
from worker.secrets import Secret

SHIPPED = Path(__file__).resolve().parent.parent / "config"
"""The folder of the files that come with the worker."""


class SettingsError(FaultyDocumentError):
    """A configuration that can't be worked with; `faults` are all of them, in the order of files and lines."""


@dataclass(frozen=True, slots=True)
class ConnectorSettings:
    """One CRM. Paths in `options` (keys path, file, directory and those ending so) are already absolute."""

    name: ConnectorName
    module: str
    mapping: Path
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    secrets: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    settle: timedelta | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class NotifierSettings:
    """One channel. `to` are its shared addresses; where it is empty, people get theirs."""

    name: str
    module: str
    channel: Channel
    options: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    secrets: Mapping[str, Secret] = field(default_factory=lambda: MappingProxyType({}))
    to: tuple[str, ...] = ()
    fallback: str = ""
    fallback_after: timedelta = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class RetrySettings:
    """How often within a cycle one delivery is tried, and how long; `deadline` bounds one call in total."""

    attempts: int = 3
    first_wait: timedelta = timedelta(seconds=1)
    max_wait: timedelta = timedelta(minutes=10)
    deadline: timedelta = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class MessageSettings:
    """How much is told at once: more than `storm` new escalations of one cycle come as a digest; news of L1 wait for
    the opening of `digest_calendar`, where there is one; `daily` gathers their mails in any case.
    """

    restricted_names: bool = True
    storm: int = 10
    digest_calendar: Calendar | None = None
    daily: bool = False


@dataclass(frozen=True, slots=True)
class AlarmSettings:
    """Where operations hear of brakes and lasting failures; `notifier` empty: nowhere but in the log."""

    notifier: str = ""
    to: tuple[str, ...] = ()
    after: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class LogSettings:
    """`level` debug to error; `format` json, console, or auto: console on a terminal."""

    level: str = "info"
    format: str = "auto"


@dataclass(frozen=True, slots=True)
class Settings:
    """The whole configuration, checked.

    `store_url` may hold a password and is therefore a Secret. `effective` is every key with its value and masked
    secrets, for `config show`. `warnings` are worth a line of the log, and don't stop the worker.
    """

    path: Path
    policy: Policy
    connectors: tuple[ConnectorSettings, ...]
    notifiers: tuple[NotifierSettings, ...]
    store_url: Secret
    state_dir: Path
    phrases_dir: Path
    templates_dir: Path
    interval_seconds: int = 60
    overlap: timedelta = timedelta(minutes=15)
    sweep_every: timedelta = timedelta(hours=24)
    retention_days: int = 730
    chat_max_age: timedelta = timedelta(hours=24)
    messages: MessageSettings = MessageSettings()
    alarms: AlarmSettings = AlarmSettings()
    retry: RetrySettings = RetrySettings()
    log: LogSettings = LogSettings()
    heartbeat_file: Path | None = None
    heartbeat_url: Secret | None = None
    secret_values: tuple[Secret, ...] = field(default=(), repr=False)
    effective: Mapping[str, object] = field(default_factory=dict, repr=False, hash=False)
    warnings: tuple[Fault, ...] = ()

    @property
    def writes(self) -> bool:
        """False while the kill switch is on: keep watching, write nothing."""
        return self.policy.brakes.writes

    @property
    def timezone(self) -> str:
        """The IANA zone on whose times people are told everything."""
        return self.policy.timezone

    @property
    def language(self) -> str:
        """Of notes and messages: `en` or `id`."""
        return self.policy.language


def load_settings(path: Path, environ: Mapping[str, str]) -> Settings:
    """The settings in the file at `path`, with secrets out of `environ` and where the file says.

    SettingsError holds every fault of the file, of the calendars and rates it names, and every secret that is missing.
    """
    # The models behind it cost half of a short command's time: only a command that loads a configuration pays.
    from worker.configuration import build  # noqa: PLC0415

    try:
        return build(path, environ)
    except FaultyDocumentError as error:
        raise SettingsError(error.faults) from error
