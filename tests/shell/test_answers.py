"""Acknowledging by a button in Slack: a click is kept, heeded once by the next decision, and in nobody else's name."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from connectors.hearing import Click
from connectors.notifier import Posting
from connectors.twins.slack import APP_TOKEN, TOKEN, Fault, SlackTwin
from tests.office import Office, Opened
from worker.core.model import AccountId, ConnectorName, Escalation, Event, Status
from worker.hearing import Ears, standing
from worker.runner import Runner
from worker.signals import Signals
from worker.store import clicks, escalations, retention, trails

SCOPES = "chat:write,channels:history,channels:read,users:read,users:read.email"
CRM, A1 = ConnectorName("embedded"), AccountId("A1")
NOTIFIERS = """\
  slack:
    to: ["#escalations"]
    options: {{base_url: "{url}"}}
    secrets: {{token: {{env: BOT}}, app_token: {{env: APP}}}}
"""


@dataclass
class Desk:
    """An office whose Slack is the twin. Clicks reach the store without a socket where a test does not need one."""

    office: Office
    twin: SlackTwin

    def start(self) -> None:
        self.office.start({"BOT": TOKEN, "APP": APP_TOKEN})

    def escalate(self, **more: object) -> None:
        """A red account is told in Slack, with a button."""
        self.office.account("A1", health="Red", **more)
        self.office.cycle()

    def hear(self, user: str, key: str = "k1", value: str = "") -> None:
        """A click arrives, as the socket would bring it."""
        offered = value or f"{self.escalation.id}|2"
        with self.office.store.begin() as tx:
            clicks.keep(tx, "slack", Click(key, user, "C0000001", offered), self.office.clock.now())

    @property
    def card(self) -> dict[str, object]:
        return self.twin.posted()[0]

    @property
    def has_button(self) -> bool:
        return any(block["type"] == "actions" for block in self.card["blocks"])

    @property
    def escalation(self) -> Escalation:
        with self.office.store.read() as tx:
            found = escalations.latest(tx, CRM, A1)
        assert found is not None
        return found

    def acknowledged(self) -> list[tuple[str, str]]:
        """Who acknowledged, and with which words, by the trail."""
        with self.office.store.read() as tx:
            lines = trails.trail_of(tx, CRM, A1)
        return [(each.entry.actor, each.entry.because) for each in lines if each.entry.event is Event.ACKNOWLEDGED]

    def fates(self) -> list[str]:
        with self.office.store.read() as tx:
            return [row[0] for row in tx.exec_driver_sql("SELECT fate FROM click ORDER BY heard_at, key")]

    @property
    def whispers(self) -> list[tuple[str, str]]:
        return [(each["user"], each["text"]) for each in self.twin.whispers]

    def flag(self) -> str:
        return str(self.office.crm.get("account", "A1").fields["escalation_status"])


@pytest.fixture
def desk(office: Opened) -> Iterator[Desk]:
    with SlackTwin() as twin:
        twin.scopes = SCOPES
        twin.person("U3", "Bima@Example.com")
        twin.person("U4", "maya@example.com")
        twin.person("U7", "wayan@example.com")
        made = Desk(office(notifiers=NOTIFIERS.format(url=twin.url)), twin)
        made.start()
        yield made
        if made.office.worker is not None:
            made.office.worker.close()


def test_a_click_acknowledges_like_the_field_in_the_crm(desk: Desk) -> None:
    desk.escalate()
    assert desk.card["blocks"][1]["elements"][0]["value"] == f"{desk.escalation.id}|2"
    desk.hear("U3")
    desk.office.cycle()

    assert (desk.escalation.status, desk.escalation.acknowledged_by) == (Status.ACKNOWLEDGED, "Bima Santoso")
    assert desk.acknowledged() == [("Bima Santoso", "acknowledged by Bima Santoso in Slack")]
    assert desk.flag() == "acknowledged"
    assert not desk.has_button
    assert "acknowledged by Bima Santoso" in desk.card["text"]
    assert (desk.fates(), desk.whispers) == (["heeded"], [])


def test_the_same_click_delivered_again_does_nothing_twice(desk: Desk) -> None:
    desk.escalate()
    desk.hear("U3")
    desk.hear("U3")
    desk.office.cycle()
    desk.hear("U3")
    desk.office.cycle()

    assert len(desk.acknowledged()) == 1
    assert (desk.fates(), desk.whispers) == (["heeded"], [])


def test_who_is_none_of_the_escalations_people_is_told_what_to_do_and_acknowledges_nothing(desk: Desk) -> None:
    desk.twin.person("U8", "")
    desk.twin.person("U9", "bima@example.com", team_id="T0000666")
    desk.escalate()
    for number, user in enumerate(("U7", "U8", "U9")):
        desk.hear(user, key=f"k{number}")
    desk.office.cycle()

    stranger = (
        "You are not among the people of this escalation (your address is wayan@example.com): "
        "ask Bima Santoso, or acknowledge it in the CRM."
    )
    nobody = "No address of yours is known here: ask Bima Santoso, or acknowledge it in the CRM."
    assert desk.escalation.status is Status.OPEN
    assert desk.acknowledged() == []
    assert desk.whispers == [("U7", stranger), ("U8", nobody), ("U9", nobody)]
    assert desk.fates() == ["told"] * 3
    assert desk.has_button


def test_a_click_on_what_is_closed_taken_or_moved_is_answered_in_a_whisper(desk: Desk) -> None:
    desk.escalate()
    seen = desk.card["blocks"][1]["elements"][0]["value"]
    desk.hear("U3", "k1", seen.replace("|2", "|1"))
    desk.office.cycle()
    desk.hear("U3", "k2", seen)
    desk.office.cycle()
    desk.hear("U4", "k3", seen)
    desk.office.cycle()
    desk.office.account("A1", override="false_alarm", override_note="not so", override_root_cause="none")
    desk.office.cycle()
    assert not desk.escalation.open
    desk.hear("U4", "k4", seen)
    desk.hear("U4", "k5", "esc_nobody|2")
    desk.hear("U4", "k6", "gibberish")
    desk.office.cycle()

    unknown = "The worker does not know this escalation: look at the account in the CRM."
    assert [said for _, said in desk.whispers] == [
        "It stands at L2 now, not at L1: look at the message again.",
        "Bima Santoso has it in hand already.",
        "This escalation is closed already.",
        unknown,
        unknown,
    ]
    assert len(desk.acknowledged()) == 1


def test_of_two_who_press_the_first_has_it_and_the_other_hears_so(desk: Desk) -> None:
    desk.escalate()
    desk.hear("U3", "k1")
    desk.office.clock.at_time += timedelta(seconds=1)
    desk.hear("U4", "k2")
    desk.office.cycle()
    desk.office.cycle()

    assert [by for by, _ in desk.acknowledged()] == ["Bima Santoso"]
    assert desk.whispers == [("U4", "Bima Santoso has it in hand already.")]
    assert desk.fates() == ["heeded", "told"]


def test_what_the_crm_says_in_the_same_cycle_comes_first(desk: Desk) -> None:
    desk.escalate()
    desk.hear("U3")
    desk.office.account("A1", health="Red", override="raise_l3")
    desk.office.cycle()
    desk.office.cycle()

    assert (desk.escalation.status, str(desk.escalation.level)) == (Status.OPEN, "L3")
    assert desk.acknowledged() == []
    assert [said for _, said in desk.whispers] == ["It stands at L3 now, not at L2: look at the message again."]
    assert desk.has_button


def test_as_long_as_slack_does_not_say_who_it_was_the_click_waits_and_the_cycle_goes_on(desk: Desk) -> None:
    desk.escalate()
    desk.hear("U3")
    desk.twin.order("users.info", Fault.BROKEN)
    report = desk.office.cycle()
    assert "cannot ask Slack who pressed" in report.unheard["slack"][0]
    assert (desk.escalation.status, desk.fates()) == (Status.OPEN, ["heard"])

    assert desk.office.cycle().unheard == {}
    assert (desk.escalation.status, desk.fates()) == (Status.ACKNOWLEDGED, ["heeded"])


def test_a_click_whose_person_is_not_found_for_an_hour_is_given_up(desk: Desk) -> None:
    desk.escalate()
    desk.hear("U3")
    desk.twin.order("users.info", Fault.BROKEN)
    desk.office.cycle()
    desk.office.cycle(timedelta(hours=1))

    assert (desk.escalation.status, desk.fates()) == (Status.OPEN, ["lost"])


def test_who_cannot_be_told_now_is_told_later_and_who_left_the_channel_never(desk: Desk) -> None:
    desk.twin.person("U6", "left@example.com")
    desk.escalate()
    desk.hear("U7", "k1")
    desk.twin.order("chat.postEphemeral", Fault.RATE_LIMIT)
    desk.office.cycle()
    assert desk.fates() == ["heard"]

    desk.office.cycle()
    assert desk.fates() == ["told"]
    desk.hear("U7", "k2")
    desk.twin.archived.add("C0000001")
    desk.office.cycle()
    assert desk.fates() == ["told", "lost"]


def test_the_kill_switch_holds_back_the_whisper_but_not_the_answer(desk: Desk) -> None:
    desk.escalate()
    desk.hear("U7", "k1")
    desk.hear("U3", "k2")
    desk.office.configure(NOTIFIERS.format(url=desk.twin.url))
    text = desk.office.config.read_text(encoding="utf-8").replace("brakes: {", "brakes: {writes: false, ")
    desk.office.config.write_text(text, encoding="utf-8")
    desk.start()
    desk.office.cycle()

    assert (desk.escalation.status, desk.whispers) == (Status.ACKNOWLEDGED, [])


def test_no_button_where_somebody_has_it_or_nobody_could_hear_it(desk: Desk) -> None:
    quiet = desk.office.record("slack")
    desk.start()
    desk.escalate()
    desk.office.cycle()

    assert [message.buttons for message in quiet.posts(Posting.POST)] == [()]


def test_old_clicks_are_forgotten_with_the_rest(desk: Desk) -> None:
    desk.escalate()
    desk.hear("U3")
    with desk.office.store.begin() as tx:
        retention.forget(tx, desk.office.clock.now() + timedelta(days=1), 100)

    assert desk.fates() == []


class Patient:
    """Ports on real time that stop after so many sleeps; a sleep ends when somebody wakes it."""

    def __init__(self, office: Office) -> None:
        self.office, self.woken, self.wakings = office, threading.Event(), 0

    def __getattr__(self, name: str) -> object:
        return getattr(self.office.clock, name)

    def wake(self) -> None:
        self.wakings += 1
        self.woken.set()

    def sleep(self, seconds: float) -> None:
        self.woken.wait(10)
        self.woken.clear()
        self.office.clock.at_time += timedelta(seconds=seconds)


@contextmanager
def running(desk: Desk, ports: Patient) -> Iterator[Signals]:
    """The whole loop in a thread, with its socket open."""
    signals, worker = Signals(), desk.office.worker
    assert worker is not None
    runner = Runner(worker, desk.office.store, ports)  # type: ignore[arg-type]
    loop = threading.Thread(target=runner.loop, args=(signals, desk.start))
    loop.start()
    assert desk.twin.sockets.wait(lines=1)
    try:
        yield signals
    finally:
        signals.stop = True
        ports.woken.set()
        loop.join(20)
    assert not loop.is_alive()


def test_run_hears_a_click_answers_it_and_calls_the_next_cycle(desk: Desk) -> None:
    desk.escalate()
    ports = Patient(desk.office)
    with running(desk, ports):
        desk.twin.click("U3")
        assert desk.twin.sockets.wait(answered=1)
        assert desk.fates() != []
        for _ in range(200):
            if desk.acknowledged():
                break
            threading.Event().wait(0.05)

    assert desk.acknowledged() == [("Bima Santoso", "acknowledged by Bima Santoso in Slack")]
    assert ports.wakings == 1
    assert desk.twin.sockets.wait(lines=0)
    with desk.office.store.read() as tx:
        line = standing(tx, "slack")
    assert line is not None
    assert not line.up


def test_a_click_that_was_kept_when_the_worker_was_killed_counts_after_its_restart(desk: Desk) -> None:
    """Killed between keeping and answering: Slack delivers again, the store knows it already."""
    desk.escalate()
    worker = desk.office.worker
    assert worker is not None
    ears = Ears(desk.office.store, Patient(desk.office))  # type: ignore[arg-type]
    desk.twin.sockets._take = lambda answer: None  # type: ignore[method-assign]  the answer never arrives
    ears.open(worker.outlets)
    assert desk.twin.sockets.wait(lines=1)
    desk.twin.click("U3")
    for _ in range(200):
        if desk.fates():
            break
        threading.Event().wait(0.05)
    worker.close()
    del desk.twin.sockets._take
    assert (desk.fates(), desk.twin.sockets.owed) == (["heard"], 1)

    desk.start()
    ears.open(desk.office.worker.outlets)
    assert desk.twin.sockets.wait(answered=1)
    desk.office.cycle()
    desk.office.cycle()
    assert len(desk.acknowledged()) == 1
    assert (desk.fates(), desk.whispers) == (["heeded"], [])


def test_a_full_disk_leaves_the_click_with_slack(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.escalate()
    worker = desk.office.worker
    assert worker is not None
    keep, full = clicks.keep, threading.Event()

    def no_room(*arguments: object) -> bool:
        full.set()
        raise OSError("no space left on device")

    monkeypatch.setattr(clicks, "keep", no_room)
    Ears(desk.office.store, Patient(desk.office)).open(worker.outlets)  # type: ignore[arg-type]
    assert desk.twin.sockets.wait(lines=1)
    desk.twin.click("U3")
    assert full.wait(10)
    assert desk.twin.sockets.owed == 1
    monkeypatch.setattr(clicks, "keep", keep)
    desk.twin.sockets.again()

    assert desk.twin.sockets.wait(answered=1)
    desk.office.cycle()
    assert len(desk.acknowledged()) == 1


def test_a_socket_that_does_not_open_is_told_and_stops_nothing(desk: Desk) -> None:
    desk.twin.app_scopes = ""
    desk.escalate()
    worker = desk.office.worker
    assert worker is not None
    Ears(desk.office.store, Patient(desk.office)).open(worker.outlets)  # type: ignore[arg-type]
    for _ in range(200):
        if worker.outlets[0].notifier.hearing().failure:
            break
        threading.Event().wait(0.05)
    report = desk.office.cycle()
    Runner(worker, desk.office.store, desk.office.clock).once()  # type: ignore[arg-type]
    with desk.office.store.read() as tx:
        line = standing(tx, "slack")

    assert report.unheard["slack"][0] == "Slack refuses: missing_scope"
    assert str(line) == "Slack refuses: missing_scope; give the app-level token the scope connections:write"
