"""The status page: what it shows, who may look, that looking changes nothing, and that trouble shows."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from connectors.base import Capabilities
from connectors.crm.embedded import EmbeddedConnector
from connectors.hearing import Hearing
from connectors.quota import Quota
from tests.status.conftest import served
from worker import proposals
from worker.commands.serve import serve
from worker.core.model import AccountId, Channel, ConnectorName, Event, Level, RecordKind
from worker.core.proposals import Proposal
from worker.hearing import remember
from worker.ports import SystemPorts
from worker.quota import keep
from worker.settings import Settings
from worker.status.metrics import METRICS
from worker.store import escalations, outbox, progress
from worker.store.database import Store, open_store
from worker.store.deliveries import Intent, Kind, State
from worker.tables import state_lines
from worker.wiring import Crm, Outlet

CRM = ConnectorName("embedded")
UNTOLD = {
    *("escalation_held", "escalation_api_used", "escalation_api_limit"),
    *("escalation_api_reset_seconds", "escalation_api_told_age_seconds", "escalation_buttons_up"),
}
"""Metrics that the demo has no value for: nothing is held, its CRM counts no calls, and no channel has buttons."""


@dataclass
class Ear:
    """A channel with buttons whose line stands as the test likes."""

    line: Hearing

    def capabilities(self) -> Capabilities:
        return Capabilities(buttons=True)

    def hearing(self) -> Hearing:
        return self.line

    def listen(self, keep: object) -> None:
        raise NotImplementedError

    address_of = whisper = listen


@dataclass
class Meter:
    """A connector that tells how many calls are used, and does nothing else."""

    told: Quota

    def quota(self) -> Quota:
        return self.told


@pytest.fixture
def page(settings: Settings, store: Store):
    with served(settings, store) as found:
        yield found


def test_every_open_escalation_is_there_with_account_owner_reason_and_due_time(page, store: Store) -> None:
    text = page.get().text
    with store.read() as tx:
        found = escalations.open_ones(tx)

    assert len(found) > 3
    assert text.count('<li class="L') >= len(found)
    for _, one in found:
        assert one.owner is not None
        assert one.account_id in text
        assert one.owner.name in text
        assert one.clock.due_at.isoformat() in text
    assert "The worker is well" in text


def test_it_reads_only(page, demo: Path, settings: Settings) -> None:
    def prints() -> dict[str, str]:
        files = [*sorted(demo.rglob("*.sqlite")), demo / "messages.txt"]
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    before = prints()
    for path in ("/", "/metrics", "/readyz", "/livez"):
        page.get(path)

    assert prints() == before
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert page.get(method=method).code == 405


def test_the_page_needs_no_script_and_nothing_from_elsewhere(page) -> None:
    answer = page.get()

    assert "<script" not in answer.text
    assert "http-equiv" not in answer.text
    assert '<meta http-equiv="refresh" content="30">' in page.get("/?renew").text
    assert not re.search(r'(?:src|href)="https?:', answer.text)
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_a_foreign_name_is_refused_on_loopback(page) -> None:
    assert page.get(Host="evil.example").code == 421
    assert page.get("/metrics", Host="evil.example:8787").code == 421
    assert page.get(Host="localhost:8787").code == 200


def test_with_a_token_nobody_looks_without_it(settings: Settings, store: Store) -> None:
    basic = base64.b64encode(b"anybody:let-me-in").decode()
    with served(settings, store, token="let-me-in") as guarded:
        assert guarded.get().code == 401
        assert guarded.get("/metrics", Authorization="Bearer wrong").code == 401
        assert guarded.get(Authorization="Basic !!!").code == 401
        assert guarded.get("/metrics", Authorization="Bearer let-me-in").code == 200
        assert guarded.get(Authorization=f"Basic {basic}").code == 200
        assert guarded.get("/livez").text == "alive"
        assert "let-me-in" not in guarded.get(Authorization=f"Basic {basic}").text


def test_every_metric_has_a_value_and_no_customer_is_a_label(page, store: Store) -> None:
    text = page.get("/metrics").text
    with store.read() as tx:
        names = {str(one.account_id) for _, one in escalations.open_ones(tx)}

    for name in set(METRICS) - UNTOLD:
        assert re.search(rf"^{name}(?:{{.*}})? [0-9.e+-]+$", text, re.MULTILINE), name
    assert not any(name in text for name in names)
    assert 'escalations_open{level="L1"}' in text


def test_a_worker_that_stands_still_is_not_ready(settings: Settings, store: Store) -> None:
    with served(settings, store, now=lambda: datetime.now(UTC) + timedelta(hours=2)) as later:
        ready = later.get("/readyz")

        assert ready.code == 503
        assert "is the worker running?" in ready.text
        assert "is the worker running?" in later.get().text
        assert later.get("/livez").code == 200


def test_what_waits_for_a_person_is_shown_with_its_remedy(settings: Settings, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    state = open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", SystemPorts())
    intent = Intent("key-1", "email", Kind.MESSAGE, CRM, AccountId("A1"), "esc_1", Event.OPENED, 1, Level.L2, b"{}")
    with state.begin() as tx:
        outbox.enqueue(tx, [intent], now)
        claimed = outbox.claim(tx, "email", 1, "me", now, now)
        outbox.end(tx, claimed[0], State.REFUSED, "550 <no> such mailbox", "correct the address", now)
        progress.put_in_quarantine(tx, CRM, RecordKind.CASE, "C7", "A1", "amount: 'viel' is not a number", now)
        failing = progress.Position(failure="the CRM does not answer")
        progress.save_position(tx, CRM, RecordKind.CASE, failing)
    with served(settings, state) as page:
        text, metrics = page.get().text, page.get("/metrics").text
    state.close()

    assert "550 &lt;no&gt; such mailbox" in text
    assert "correct the address, then <code>retry key-1</code>" in text
    assert "is not a number" in text
    assert "embedded case: the CRM does not answer" in text
    assert "escalation_dead_letters 1.0" in metrics
    assert 'escalation_read_failing{connector="embedded",kind="case"} 1.0' in metrics


def test_api_calls_are_shown_as_the_crm_told_them_or_as_not_known(settings: Settings, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    state = open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", SystemPorts())
    told = Quota("one day", 600_000, 650_000, now + timedelta(hours=5, minutes=1), now - timedelta(minutes=2))

    def seen(connector: object) -> tuple[str, str]:
        with state.begin() as tx:
            keep(tx, [Crm(CRM, connector, None)], now)
        with served(settings, state) as page:
            return page.get().text, page.get("/metrics").text

    text, metrics = seen(Meter(told))
    (line,) = (each for each in state_lines(settings, state, now, None) if "API" in each)
    silent, _ = seen(Meter(Quota("one day", unknown="no answer told it yet")))
    next_day, without = seen(Meter(replace(told, resets_at=now - timedelta(hours=1))))
    unlimited, none = seen(EmbeddedConnector(None))
    state.close()

    assert '<td class="n high">600,000 (92 %)</td><td class="n">650,000 in one day</td><td>in 5 h' in text
    assert 'escalation_api_used{connector="embedded"} 600000.0' in metrics
    assert 'escalation_api_limit{connector="embedded"} 650000.0' in metrics
    assert 'escalation_api_quota_known{connector="embedded"} 1.0' in metrics
    assert line == "embedded: 600,000 of 650,000 API calls in one day used by everybody, counted anew in 5 h 1 min"
    assert "600,000 (92 %)" in silent
    assert "not known: counting began anew, and no answer told it since" in next_day
    assert "escalation_api_used{connector" not in without
    assert "not known: this CRM tells of no limit" in unlimited
    assert 'escalation_api_quota_known{connector="embedded"} 0.0' in none


def test_whether_clicks_are_heard_is_shown_with_what_to_do(settings: Settings, tmp_path: Path) -> None:
    state = open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", SystemPorts())
    name, now = settings.notifiers[0].name, datetime.now(UTC)

    def seen(notifier: object) -> tuple[str, str, list[str]]:
        with state.begin() as tx:
            remember(tx, [Outlet(name, Channel.SLACK, notifier)], now)
        with served(settings, state) as page:
            lines = [each for each in state_lines(settings, state, now, None) if "buttons" in each]
            return page.get().text, page.get("/metrics").text, lines

    deaf, no, line = seen(Ear(Hearing(False, "Slack refuses: missing_scope", "give it connections:write")))
    well, yes, _ = seen(Ear(Hearing(up=True)))
    plain, none, nothing = seen(EmbeddedConnector(None))
    state.close()

    assert "Slack refuses: missing_scope</td><td>give it connections:write" in deaf
    assert f'escalation_buttons_up{{lane="{name}"}} 0.0' in no
    assert line == [f"{name}, buttons: Slack refuses: missing_scope; give it connections:write"]
    assert "clicks are heard" in well
    assert f'escalation_buttons_up{{lane="{name}"}} 1.0' in yes
    assert "<h2>Buttons</h2>" not in plain
    assert "escalation_buttons_up{" not in none
    assert nothing == []


def test_a_state_that_cannot_be_read_is_told(settings: Settings, tmp_path: Path) -> None:
    empty = open_store(f"sqlite:///{tmp_path / 'none.sqlite'}", SystemPorts(), migrate=False)
    with served(settings, empty) as page:
        answers = [page.get("/"), page.get("/metrics"), page.get("/readyz")]
    empty.close()

    assert [answer.code for answer in answers] == [503, 503, 503]
    assert "cannot be read" in answers[0].text


@pytest.mark.parametrize("listen", ["0.0.0.0:8787", "192.0.2.1:80"])
def test_outside_of_loopback_it_does_not_start_without_a_token(listen: str) -> None:
    with pytest.raises(typer.BadParameter, match="ESCALATION_STATUS_TOKEN"):
        serve(listen=listen)


def test_cases_that_may_be_one_bug_are_shown_until_somebody_answers(page, store: Store) -> None:
    assert "One bug?" not in page.get().text
    now = datetime.now(UTC)
    waits = Proposal("C1", now, now, ("C1", "C2"), ("A1", "A2", "A3"), 3, "Export <b>fails</b>", ("excel",)).put("Sari")
    try:
        with store.begin() as tx:
            proposals.remember(tx, ConnectorName("embedded"), [waits])
        text = page.get().text
        with store.begin() as tx:
            proposals.decline(tx, ConnectorName("embedded"), "C1", "Sari", "", now)
        after = page.get().text
    finally:
        with store.begin() as tx:
            proposals.remember(tx, ConnectorName("embedded"), [])

    assert "“Export &lt;b&gt;fails&lt;/b&gt;”" in text
    assert "<td>Sari</td>" in text
    assert "likeness decline C1" in text
    assert "One bug?" not in after
