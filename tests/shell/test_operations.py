"""What operations are told and when; what is forgotten and when; what a failing channel leaves to another."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from connectors.base import Capabilities, Result, RetryableError, WriteResult
from connectors.notifier import Message, Posting
from tests.office import TUESDAY_10, Opened, Recorder
from worker.decide import Decider
from worker.heartbeat import Heartbeat
from worker.secrets import Secret
from worker.store import fact_history, outbox, trails
from worker.store.deliveries import Kind, State

SLACK = '  slack: {to: ["#escalations"]}'
OPS = '  ops: {channel: slack, module: connectors.notify.slack, to: ["#escalations"]}'
ALARMS = 'alarms: {notifier: ops, to: ["#operations"]}'
SLOW = "levels: {L2: {response: 200h}}"


def alarms(ops: Recorder) -> list[Message]:
    return [each for each in ops.sent if each.to == ("#operations",)]


def test_held_escalations_are_told_once_though_the_worker_restarts(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{OPS}", more=ALARMS)
    here.config.write_text(here.config.read_text().replace("most_new: 1000", "most_new: 5"), encoding="utf-8")
    slack, ops = here.record("slack"), here.record("ops")
    for number in range(9):
        here.account(f"A{number}", "Merah")
    for _ in range(3):
        here.start()
        here.cycle()

    assert slack.sent == []
    assert [each.subject for each in ops.sent] == ["Escalation worker: 9 new escalations of embedded wait for a yes"]
    assert "say yes with approve" in ops.sent[0].text
    assert ops.sent[0].to == ("#operations",)


def test_a_changed_hold_is_told_anew(office: Opened) -> None:
    here = office(notifiers=OPS, more=ALARMS)
    here.config.write_text(here.config.read_text().replace("first_run_asks: false", "first_run_asks: true"))
    ops = here.record("ops")
    here.account("A1", "Merah")
    here.cycle()
    here.account("A2", "Merah")
    here.cycle()
    here.cycle()

    assert [each.subject[:40] for each in ops.sent] == [
        "Escalation worker: 1 new escalations of ",
        "Escalation worker: 2 new escalations of ",
    ]


def test_a_long_failure_is_told_when_it_lasts_and_when_it_ends(office: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office(notifiers=OPS, more="alarms: {notifier: ops, to: ['#operations'], after: 15m}")
    ops = here.record("ops")
    worker = here.start()
    here.cycle()
    connector = worker.crms[0].connector

    def broken(query: object) -> object:
        raise RetryableError("HTTP 503", "wait, or ask the CRM's operator")

    with monkeypatch.context() as patch:
        patch.setattr(connector, "pull", broken)
        for _ in range(10):
            here.cycle()
        early = len(ops.sent)
        for _ in range(30):
            here.cycle()
            here.start() if here.clock.at_time.minute % 7 == 0 else None
            patch.setattr(here.worker.crms[0].connector, "pull", broken)
    lasting = len(ops.sent)
    here.start()
    for _ in range(5):
        here.cycle()
    begun, over = ops.sent[0], ops.sent[-1]

    assert (early, lasting, len(ops.sent)) == (0, lasting, 2 * lasting)
    assert "fails since" in begun.subject
    assert "HTTP 503" in begun.text
    assert "ask the CRM's operator" in begun.text
    assert (over.posting, over.thread_ref != "") == (Posting.REPLY, True)
    assert "works again" in over.subject


def test_a_channel_that_takes_nothing_is_told_elsewhere(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{OPS}", more=f"{ALARMS}\n{SLOW}")
    slack, ops = here.record("slack"), here.record("ops")
    slack.answer = WriteResult(Result.RETRY, reason="Slack asks to wait (429)")
    here.account("A1", "Merah")
    for _ in range(30):
        here.cycle()
    begun = [each.subject for each in alarms(ops)]
    slack.answer = None
    for _ in range(15):
        here.cycle()

    assert [subject.split(" fails")[0] for subject in begun] == ["Escalation worker: channel slack"]
    assert alarms(ops)[-1].subject == "Escalation worker: channel slack works again"
    assert len(alarms(ops)) == 2
    assert len(slack.sent) == 1


def test_who_was_marked_after_the_brakes_had_counted_opens_in_the_next_cycle(office: Opened, monkeypatch) -> None:
    """Another worker's reading may mark hundreds in between."""
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    here.account("A1", "Merah")
    here.account("A2", "Merah")
    with monkeypatch.context() as early:
        early.setattr(Decider, "wake", lambda *_: frozenset({"A1"}))
        here.cycle()
    first = [each.subject for each in slack.sent]
    here.cycle()

    assert len(first) == 1
    assert "A1" in first[0]
    assert len(slack.sent) == 2


def test_a_channel_that_asks_to_wait_is_left_alone_altogether(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    asked: list[str] = []
    slack.answer = WriteResult(Result.RETRY, reason="429", retry_after=timedelta(minutes=10), for_all=True)
    answer = slack.send
    slack.send = lambda message: (asked.append(message.key), answer(message))[1]  # type: ignore[method-assign]
    for account in ("A1", "A2", "A3"):
        here.account(account, "Merah")
    here.cycle()
    here.cycle(timedelta(minutes=5))
    early = list(asked)
    slack.answer = None
    here.cycle(timedelta(minutes=6))

    assert len(early) == 1
    assert len(slack.sent) == 3


FALLBACK = (
    '  slack: {to: ["#escalations"], fallback: email, fallback_after: 30m}\n  email: {options: {directory: mail}}'
)


def test_what_a_channel_cannot_tell_for_long_goes_through_another_with_a_remark(office: Opened) -> None:
    here = office(notifiers=FALLBACK, more=SLOW)
    slack = here.record("slack")
    slack.answer = WriteResult(Result.RETRY, reason="Slack has a fault")
    here.account("A1", "Merah")
    here.cycle()
    here.cycle(timedelta(minutes=20))
    early = [mail for mail in here.mails() if "did not work" in mail.as_string()]
    here.cycle(timedelta(minutes=20))
    here.cycle()
    slack.answer = None
    here.cycle(timedelta(minutes=20))
    late = [mail for mail in here.mails() if "did not work" in mail.as_string()]

    assert early == []
    assert slack.sent == []
    assert sorted(mail["Delivered-To"] for mail in late) == [
        "bima@example.com",
        "dewi@example.com",
        "ratna@example.com",
    ]
    assert all("because slack did not work" in mail.get_content() for mail in late)
    assert not any("may have arrived" in mail.get_content() for mail in late)


def test_what_may_have_arrived_says_so(office: Opened) -> None:
    here = office(notifiers=FALLBACK, more=SLOW)
    slack = here.record("slack", loses=1)

    def blind(keys: object, since: object) -> object:
        raise RetryableError("cannot look into Slack")

    slack.find = blind  # type: ignore[method-assign]
    here.account("A1", "Merah")
    here.cycle()
    for _ in range(8):
        here.cycle(timedelta(minutes=10))
    told = [mail.get_content() for mail in here.mails() if "did not work" in mail.as_string()]

    assert len(slack.sent) == 1
    assert len(told) == 3
    assert all("may have arrived there as well" in text for text in told)


def test_a_refused_message_goes_elsewhere_at_once_and_the_dead_letter_stays(office: Opened) -> None:
    here = office(notifiers=FALLBACK, more=SLOW)
    slack = here.record("slack")
    slack.answer = WriteResult(Result.REJECTED, reason="Slack refuses: is_archived", remedy="unarchive it")
    here.account("A1", "Merah")
    for _ in range(4):
        here.cycle()
    told = [mail for mail in here.mails() if "did not work" in mail.as_string()]
    with here.store.read() as tx:
        dead = outbox.in_state(tx, State.REFUSED)

    assert len(told) == 3
    assert [each.reason for each in dead] == ["Slack refuses: is_archived"]


def test_the_copies_of_a_mail_fall_back_to_a_channel_as_one_post_and_each_event_as_its_own(office: Opened) -> None:
    here = office(notifiers="  email: {fallback: slack, fallback_after: 10m}\n" + SLACK)
    mail, slack = here.record("email", able=Capabilities()), here.record("slack")
    mail.answer = WriteResult(Result.RETRY, reason="connection refused")
    here.account("A1", "Merah")
    for _ in range(11):
        here.cycle(timedelta(minutes=8))
    moved = [each for each in slack.sent if "email did not work" in each.text]
    with here.store.read() as tx:
        waiting = outbox.in_state(tx, State.NEW)

    assert [each.posting for each in moved] == [Posting.POST] * 2
    assert len({each.key for each in moved}) == 2
    assert waiting == []


def test_the_lists_of_a_bug_fall_back_as_one_post_where_they_say_the_same(office: Opened) -> None:
    here = office(notifiers="  email: {fallback: slack, fallback_after: 10m}\n" + SLACK)
    mail, slack = here.record("email", able=Capabilities()), here.record("slack")
    mail.answer = WriteResult(Result.RETRY, reason="connection refused")
    for key in ("A1", "A2"):
        here.account(key)
        here.crm.put("case", f"C-{key}", {"account_id": key, "status": "Open", "bug_key": "BUG-7"})
    for _ in range(3):
        here.cycle(timedelta(minutes=8))
    moved = [each for each in slack.sent if "email did not work" in each.text]

    assert len(moved) == 1
    assert all(f"PT {key} " in moved[0].text for key in ("A1", "A2"))


def test_a_restricted_mail_falls_back_to_the_channel_without_its_matter(office: Opened) -> None:
    fallback = "  email: {fallback: slack, fallback_after: 10m}\n" + SLACK
    here = office(notifiers=fallback)
    mail, slack = here.record("email", able=Capabilities()), here.record("slack")
    mail.answer = WriteResult(Result.RETRY, reason="connection refused")
    here.account("A1")
    here.crm.put("case", "C1", {"account_id": "A1", "subject": "Somasi", "category": "legal_compliance"})
    here.cycle()
    for _ in range(3):
        here.cycle(timedelta(minutes=10))
    moved = [each for each in slack.sent if "did not work" in each.text]

    assert len(moved) == 1
    assert not any(word in repr(moved).lower() for word in ("somasi", "legal", "hukum"))


def test_old_facts_trail_and_effects_are_forgotten_once_a_day(office: Opened) -> None:
    here = office(more="retention_days: 30\npost_mortem: {levels: []}")
    here.account("A1", "Merah")
    here.account("B1", "Merah")
    here.cycle()
    ended = {
        "override": "resolved", "override_by": "Bima", "override_customer_confirmed": True, "override_note": "n",
        "override_root_cause": "c",
    }  # fmt: skip
    for minute in range(4):
        here.account("A1", "Green" if minute else "Merah", **ended, health_score=minute + 50)
        here.account("B1", "Merah", health_score=minute + 1)
        here.cycle()
    with here.store.read() as tx:
        before = len(fact_history.of_account(tx, "embedded", "A1")), len(fact_history.of_account(tx, "embedded", "B1"))
    here.clock.at_time += timedelta(days=40)
    for _ in range(4):
        here.cycle()
    with here.store.read() as tx:
        after = len(fact_history.of_account(tx, "embedded", "A1")), len(fact_history.of_account(tx, "embedded", "B1"))
        trail = trails.trail_of(tx, "embedded")
        notes = outbox.of_kind(tx, "embedded", Kind.NOTE)
        flags = outbox.of_kind(tx, "embedded", Kind.FLAG)

    assert before[0] > 1
    assert after[0] == 1
    assert after[1] >= before[1]
    old = here.clock.now() - timedelta(days=30)
    assert {each.account_id for each in trail if each.entry.at < old} == {"B1"}
    assert {each.intent.account_id for each in notes if each.updated_at < old} == {"B1"}
    assert {each.intent.account_id for each in flags} == {"A1", "B1"}


def test_an_account_whose_past_is_forgotten_escalates_again(office: Opened) -> None:
    here = office(more="retention_days: 30")
    here.account("A1", "Merah")
    here.cycle()
    ended = {"override": "false_alarm", "override_by": "Bima"}
    here.account("A1", "Green", **ended)
    for _ in range(3):
        here.cycle()
    here.clock.at_time += timedelta(days=40)
    for _ in range(3):
        here.cycle()
    here.account("A1", "Merah", health_as_of=here.clock.at_time, override="none")
    here.cycle()
    here.cycle()

    assert here.crm.get("account", "A1").fields["escalated"] is True


@contextmanager
def watcher(status: int = 200, location: str = "") -> Iterator[tuple[str, list[str]]]:
    """Somebody outside who waits for signs of life."""
    calls: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            calls.append(self.path)
            self.send_response(status)
            self.send_header("Location", location)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", calls
        server.shutdown()


def beat(url: str, *, good: bool = True, file: Path | None = None) -> Heartbeat:
    heart = Heartbeat(file, Secret(url))
    heart.beat(TUESDAY_10, good=good)
    heart.wait(5)
    return heart


def test_a_good_cycle_is_a_sign_of_life_and_a_bad_one_is_none(tmp_path: Path) -> None:
    with watcher() as (url, calls):
        good = beat(f"{url}/ping/canary-uuid", file=tmp_path / "alive")
        bad = beat(f"{url}/ping/canary-uuid", good=False)

    assert (calls, good.failure, bad.failure) == (["/ping/canary-uuid"], "", "")
    assert (tmp_path / "alive").read_text() == TUESDAY_10.isoformat()


def test_a_watcher_that_fails_disturbs_nothing_and_its_address_stays_secret(tmp_path: Path) -> None:
    with watcher(302, "http://127.0.0.1:1/elsewhere") as (url, _):
        moved = beat(f"{url}/canary-uuid")
    with watcher(500) as (url, _):
        broken = beat(f"{url}/canary-uuid")
    gone = beat("http://127.0.0.1:1/canary-uuid", file=tmp_path / "no" / "where")

    assert (moved.failure, broken.failure) == ("the watcher answers 302", "the watcher answers 500")
    assert gone.failure == "the watcher cannot be reached: ConnectionRefusedError"
    assert "canary" not in json.dumps([moved.failure, broken.failure, gone.failure])
