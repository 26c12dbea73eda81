"""A whole worker on an embedded CRM of the test's own, on a clock that the test turns, with channels it can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from connectors.base import Capabilities, Finding, Result, WriteResult
from connectors.crm.embedded import EmbeddedConnector, EmbeddedCrm
from connectors.notifier import Message, Posting
from worker.assembly import Worker, assemble
from worker.core.model import Channel, ConnectorName
from worker.cycle import CycleReport
from worker.mapping import load_mapping
from worker.settings import load_settings
from worker.store.database import Store, open_store
from worker.wiring import Crm, Outlet, open_outlets

ROOT = Path(__file__).parent.parent
TUESDAY_10 = datetime(2026, 11, 24, 3, tzinfo=UTC)
"""Ten o'clock in Jakarta, an ordinary working day."""

CONFIG = """\
connectors:
  embedded:
    mapping: {root}/config/mappings/embedded.yaml
    link: https://crm.example.com/accounts/{{id}}
notifiers:
{notifiers}
people:
  cs_manager: {{id: u2, name: Ratna Wijaya, email: ratna@example.com, title: CS Manager}}
  vp_cs: {{id: u3, name: Bima Santoso, email: bima@example.com, title: VP Customer Success}}
  ceo: {{id: u4, name: Maya Kusuma, email: maya@example.com, title: CEO}}
  cto: {{id: u5, name: Sari Hartono, email: sari@example.com, title: CTO}}
calendars: {root}/config/calendars.yaml
rates: {root}/config/rates.yaml
phrases: {root}/config/phrases
templates: {root}/config/templates
brakes: {{first_run_asks: false, most_new: 1000, most_share: 1}}
state_dir: state
{more}
"""


class Clock:
    """Time that passes when the test says so, or when somebody sleeps."""

    def __init__(self, at: datetime = TUESDAY_10) -> None:
        self.at_time = self.start = at

    def now(self) -> datetime:
        return self.at_time

    def monotonic(self) -> float:
        return (self.at_time - self.start).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.at_time += timedelta(seconds=max(0.001, seconds))

    def draw(self) -> float:
        return 0.5

    def worker_id(self) -> str:
        return "office:1:one"

    def at(self, point: str) -> None:
        pass


CHAT = Capabilities(finds=True, threads=True, lookup_lag=timedelta(seconds=10))


@dataclass
class Recorder:
    """A channel that keeps what it was given, and answers as the test likes."""

    able: Capabilities = CHAT
    sent: list[Message] = field(default_factory=list)
    answer: WriteResult | None = None
    loses: int = 0
    blind: bool = False

    def capabilities(self) -> Capabilities:
        return self.able

    def check(self) -> Sequence[Finding]:
        return []

    def send(self, message: Message) -> WriteResult:
        if self.answer is not None:
            return self.answer
        self.sent.append(message)
        if self.loses:
            self.loses -= 1
            return WriteResult(Result.UNKNOWN, reason="the answer was lost")
        return WriteResult(Result.APPLIED, f"r{len(self.sent)}")

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:
        return {} if self.blind else {each.key: "found" for each in self.sent if each.key in keys}

    def close(self) -> None:
        pass

    def posts(self, *postings: Posting) -> list[Message]:
        return [each for each in self.sent if not postings or each.posting in postings]


class Office:
    """`channels` replaces notifiers of the configuration by their names."""

    def __init__(
        self, folder: Path, notifiers: str = "  console: {}", more: str = "", at: datetime = TUESDAY_10
    ) -> None:
        self.folder, self.clock = folder, Clock(at)
        self.config = folder / "escalation.yaml"
        self.configure(notifiers, more)
        self.crm = EmbeddedCrm.create(folder / "crm.sqlite", self.clock.now)
        self.mapping = load_mapping(ROOT / "config/mappings/embedded.yaml")
        EmbeddedConnector(self.crm).setup(self.mapping.needs(), dry_run=False)
        self.crm.put("user", "u1", {"name": "Dewi Anggraini", "email": "dewi@example.com", "active": True})
        self.store: Store = open_store(f"sqlite:///{folder / 'state.sqlite'}", self.clock)
        self.channels: dict[str, Recorder] = {}
        self.worker: Worker | None = None

    def configure(self, notifiers: str, more: str = "") -> None:
        text = CONFIG.format(root=ROOT, notifiers=notifiers, more=more)
        self.config.write_text(text, encoding="utf-8")

    def record(self, name: str, channel: Channel = Channel.SLACK, **more: object) -> Recorder:
        """Put a recorder in the place of a notifier."""
        recorder = Recorder(**more)
        self.channels[name] = recorder
        return recorder

    def start(self, environ: Mapping[str, str] | None = None) -> Worker:
        """Open the worker anew, as after a restart."""
        settings = load_settings(self.config, environ or {})
        opened = []
        for given in settings.notifiers:
            if given.name in self.channels:
                recorder = self.channels[given.name]
                opened.append(
                    Outlet(given.name, given.channel, recorder, given.to, given.fallback, given.fallback_after)
                )
        rest = tuple(each for each in settings.notifiers if each.name not in self.channels)
        outlets = (*opened, *open_outlets(replace(settings, notifiers=rest)))
        link = settings.connectors[0].link
        crm = Crm(ConnectorName("embedded"), EmbeddedConnector(self.crm), self.mapping, None, link)
        self.worker = assemble(settings, self.store, self.clock, (crm,), outlets)
        return self.worker

    def account(self, key: str, health: str = "Green", **more: object) -> None:
        fields = {
            "name": f"PT {key}",
            "owner_id": "u1",
            "health": health,
            "tier": "standard",
        }
        self.crm.put("account", key, {**fields, **more})

    def cycle(self, after: timedelta = timedelta(minutes=1)) -> CycleReport:
        """Time passes, then one cycle."""
        self.clock.at_time += after
        return (self.worker or self.start()).cycle.run()

    def mails(self) -> list[EmailMessage]:
        files = sorted((self.folder / "mail").glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        return [message_from_bytes(path.read_bytes(), policy=default) for path in files]

    def close(self) -> None:
        self.store.close()
        self.crm.close()


Opened = Callable[..., Office]
"""What the fixture `office` gives: a maker of offices that are closed when the test is over."""
