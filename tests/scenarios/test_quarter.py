"""A quarter in the life of a small portfolio: people act in the CRM, the clock is the test's, nothing else is made up.

Told once for all tests; each looks at what stands in the CRM, in the mail folder and in the console's file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.base import Result, WriteResult
from connectors.notifier import Message
from tests.office import Office
from worker.core.model import Segment, Silence
from worker.report import send_if_due
from worker.store import escalations, silences, trails

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MORE = """\
levels:
  L1: {follow_up: {every: 48h, reminders: 1}}
  L2: {follow_up: {every: 24h, reminders: 1}, pause: 24h, resolve: 5d}
absences:
  - {who: bima@example.com, absent_from: 2026-12-21, absent_until: 2027-01-03,
     deputy: {name: Putri Lestari, email: putri@example.com, id: u9}}
playbook: {repeats: 2, within: 90d}
post_mortem: {levels: [L2, L3], due: 5d}
flapping: {changes: 4, within: 7d}
messages: {storm: 8, digest_calendar: jakarta_office}
"""
CHANNELS = """\
  console: {options: {path: console.txt}}
  slack: {to: ["#escalations"], fallback: email, fallback_after: 30m}
  email: {options: {directory: mail, sender: escalations@example.com}}"""
OUTAGE = tuple(f"shop{number}" for number in range(10))
"""Customers whose health turns red at the same moment."""
DONE = {"override": "resolved", "override_by": "Dewi Anggraini", "override_customer_confirmed": True}
DOCUMENT = {
    "issue_impact": "They cannot close their month.",
    "issue_attempted": "Two calls and a work-around.",
    "issue_ask": "A credit for November.",
    "issue_recommendation": "Give it.",
    "issue_timeline": "Before their audit on 15 December.",
}


class Quarter:
    """The office, and what was seen on the way."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.slack = office.record("slack")
        self.seen: dict[str, object] = {}

    def flag(self, key: str) -> tuple[object, ...]:
        """Level, status and owner as the CRM shows them; empty where nothing is flagged."""
        fields = self.office.crm.get("account", key).fields
        names = ("escalation_level", "escalation_status", "escalation_owner")
        return tuple(fields.get(name) for name in names) if fields.get("escalated") else ()

    def notes(self, key: str) -> list[str]:
        return [note.title for note in self.office.crm.notes(key)]

    def bodies(self, key: str, title: str) -> list[str]:
        return [note.body for note in self.office.crm.notes(key) if title in note.title]

    def tasks(self, key: str, words: str) -> list[tuple[str, str]]:
        found = [task for task in self.office.crm.tasks(key) if words in task.subject]
        return [(task.assignee_id, task.body) for task in found]

    def console(self) -> str:
        return (self.office.folder / "console.txt").read_text(encoding="utf-8")

    def cycle(self, after: timedelta = timedelta(minutes=1)) -> None:
        """One cycle with what the service does beside it."""
        self.office.cycle(after)
        if self.office.worker is not None:
            send_if_due(self.office.worker, self.office.store, self.office.clock.at_time)

    def walk(self, until: datetime, every: timedelta = 6 * HOUR) -> None:
        """Cycles until a moment, and one at it."""
        while self.office.clock.at_time + every < until:
            self.cycle(every)
        self.cycle(max(timedelta(minutes=1), until - self.office.clock.at_time))

    def cards(self, name: str) -> list[Message]:
        """What Slack got about one account, the digests too."""
        return [each for each in self.slack.sent if f"PT {name} " in f"{each.subject} {each.text} "]

    def mails(self, words: str) -> dict[str, str]:
        """The bodies of the mails with these words in their subject, by reader."""
        found = (mail for mail in self.office.mails() if words in str(mail["Subject"]))
        return {str(mail["Delivered-To"]): mail.get_body(("plain",)).get_content() for mail in found}

    def say(self, key: str, **fields: object) -> None:
        """A person writes into the CRM; the next cycle is a minute later."""
        self.office.crm.put("account", key, fields)
        self.office.cycle()


def local(month: int, day: int, hour: int, year: int = 2026) -> datetime:
    """A time in Jakarta."""
    return datetime(year, month, day, hour, tzinfo=UTC) - 7 * HOUR


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quarter]:
    office = Office(tmp_path_factory.mktemp("quarter"), CHANNELS, MORE)
    told = Quarter(office)
    named = ("silent", "waits", "snoozed", "solved", "again", "yellow", "flaps", "leave", "calm", "raised")
    for key in (*named, "early", "legal", "unheard", "writes", *OUTAGE):
        office.account(key, language="id" if key == "waits" else "en", arr="400000000")
    office.cycle()
    november(told)
    december(told)
    a_hard_week(told)
    january(told)
    yield told
    office.close()


def november(told: Quarter) -> None:
    office = told.office
    for key in ("silent", "waits", "snoozed", "solved"):
        office.account(key, "Red", health_score=20)
    office.account("yellow", "Yellow")
    office.account("flaps", "Red")
    office.cycle()
    told.seen["opened"] = told.flag("silent")
    told.say("silent", override="acknowledged", override_by="Bima Santoso")
    told.say("waits", override="waiting", override_by="Dewi Anggraini")
    told.say("flaps", override="acknowledged", override_by="Bima Santoso")
    told.say("yellow", override="acknowledged", override_by="Ratna Wijaya")
    snooze_until = (office.clock.at_time + 10 * HOUR).isoformat()
    told.say("snoozed", override="snooze", override_by="Dewi Anggraini", override_until=snooze_until)
    told.say("solved", override="acknowledged", override_by="Bima Santoso", **DOCUMENT)
    told.say("solved", handoff_call_at=office.clock.at_time)
    letter = {"account_id": "writes", "subject": "Kecewa", "category": "Complaint", "reporter": "Budi Hartono"}
    office.crm.put("case", "W1", letter)
    told.seen["waiting"], told.seen["snoozing"] = told.flag("waits"), told.flag("snoozed")
    told.walk(local(11, 24, 19), 3 * HOUR)
    told.seen["still snoozing"] = told.flag("snoozed")
    told.walk(local(11, 25, 12), 4 * HOUR)
    told.seen["after the pause"], told.seen["after the snooze"] = told.flag("waits"), told.flag("snoozed")
    told.say("waits", override="acknowledged", override_by="Bima Santoso")
    told.say("snoozed", override="false_alarm", override_by="Bima Santoso", override_note="a test account")
    office.account("yellow", "Green")
    told.say("solved", override_root_cause="Slow export")
    for health in ("Green", "Red", "Green", "Red", "Green"):
        office.account("flaps", health)
        office.cycle(2 * HOUR)
    told.seen["flapping"] = told.office.crm.get("account", "flaps").fields["escalation_reason"]
    told.walk(local(11, 27, 16))
    told.seen["days of silence"] = told.flag("silent")
    told.say("solved", **DONE, override_note="The export is fast again.")


def december(told: Quarter) -> None:
    office = told.office
    told.walk(local(12, 4, 9), DAY)
    told.seen["yellow went"] = told.flag("yellow")
    told.seen["untitled"] = told.flag("writes")
    office.crm.put("case", "W1", {"reporter_title": "Direktur Utama"})
    office.cycle()
    told.seen["titled"] = told.flag("writes")
    office.crm.put("case", "W1", {"status": "Closed"})
    told.say("writes", **DONE, override_root_cause="a late answer", override_note="We called.")
    office.account("yellow", "Yellow")
    office.account("again", "Red")
    office.cycle()
    told.say("again", **DONE, override_root_cause="slow  export", override_note="Same as at the other customer.")
    with office.store.begin() as tx:
        now = office.clock.at_time
        outage = Silence("s1", now + 8 * HOUR, "outage 12", "Ops", now, Segment.STANDARD, "health_red")
        silences.add(tx, outage)
    office.account("calm", "Red")
    office.cycle()
    told.seen["silenced"] = told.flag("calm")
    with office.store.read() as tx:
        told.seen["held back"] = [(each.silence.id, each.held) for each in silences.all_of(tx)]
    told.walk(local(12, 5, 9))
    told.seen["silence over"] = told.flag("calm")
    told.walk(local(12, 8, 8), DAY)


def a_hard_week(told: Quarter) -> None:
    """News before the office opens, a letter from a lawyer, ten customers at once, and a Slack that is down."""
    office = told.office
    office.account("early", "Yellow")
    told.cycle()
    told.seen["before nine"] = told.cards("early")
    told.walk(local(12, 8, 9))
    told.seen["in the morning"] = told.cards("early")
    office.crm.put("case", "L1", {"account_id": "legal", "subject": "Somasi", "category": "legal_compliance"})
    told.cycle()
    told.say("legal", override="acknowledged", override_by="Maya Kusuma")
    for key in OUTAGE:
        office.account(key, "Red")
    told.cycle()
    told.seen["storm"] = [each for each in told.slack.sent if "many at once" in each.subject]
    for key in OUTAGE:
        office.account(key)
        office.crm.put("account", key, {**DONE, "override_root_cause": "Release 7", "override_note": "Rolled back."})
    told.cycle()
    told.slack.answer = WriteResult(Result.RETRY, reason="Slack has a fault")
    office.account("unheard", "Red")
    for _ in range(4):
        told.cycle(timedelta(minutes=20))
    told.slack.answer = None
    told.cycle()
    for key in ("early", "legal", "unheard"):
        office.account(key)
        office.crm.put("account", key, {**DONE, "override_root_cause": "Release 7", "override_note": "Settled."})
    office.crm.put("case", "L1", {"status": "Closed"})
    told.walk(local(12, 20, 9), 2 * DAY)
    office.account("leave", "Red")
    office.cycle()
    told.say("leave", override="acknowledged", override_by="Bima Santoso")
    told.walk(local(12, 21, 9))
    told.seen["on leave"] = told.flag("leave")


def january(told: Quarter) -> None:
    office = told.office
    told.say("raised", override="manual_l3", override_by="Dewi Anggraini", override_note="They asked for the CEO.")
    told.seen["raised"] = told.flag("raised")
    told.say("raised", override="waiting", override_by="Dewi Anggraini")
    told.seen["raised waits"] = told.flag("raised")
    told.walk(local(1, 20, 9, 2027), 3 * DAY)
    office.account("calm", "Green")
    told.walk(local(2, 8, 9, 2027), 3 * DAY)


def test_an_escalation_opens_with_flag_note_tasks_and_drafts(quarter: Quarter) -> None:
    drafts = quarter.tasks("silent", "Tell PT silent who takes over")[0]

    assert quarter.seen["opened"] == ("L2", "open", "Bima Santoso")
    assert "Issue document (6 of 10 filled)" in quarter.bodies("silent", "Escalated")[0]
    assert drafts[0] == "u1"
    assert "I'm bringing in Bima Santoso, VP Customer Success" in drafts[1]
    assert "Subject: ESCALATION - PT silent - health red" in drafts[1]


def test_drafts_to_the_customer_speak_the_customers_language(quarter: Quarter) -> None:
    body = quarter.tasks("waits", "Tell PT waits who takes over")[0][1]

    assert "Saya melibatkan Bima Santoso" in body
    assert "Subject: ESCALATION" in body


def test_acknowledged_but_silent_is_reminded_then_moved_up_with_a_brief(quarter: Quarter) -> None:
    assert quarter.tasks("silent", "Follow up on PT silent")[0][0] == "u3"
    assert quarter.seen["days of silence"][0] == "L3"
    assert "Hand-off to Maya Kusuma" in quarter.bodies("silent", "Moved up")[0]
    assert (
        "Ratna Wijaya, at L3 these are still open: Root Cause (Dewi Anggraini)"
        in quarter.bodies("silent", "Moved up")[0]
    )


def test_a_hand_off_call_is_asked_after_until_its_time_is_in_the_crm(quarter: Quarter) -> None:
    asked = quarter.tasks("silent", "Call Bima Santoso about PT silent")

    assert "Hand-off call with Dewi Anggraini: " in quarter.bodies("silent", "Escalated")[0]
    assert [assignee for assignee, _ in asked] == ["u1"]
    assert quarter.tasks("solved", "Call ") == []
    assert "the hand-off call was held" in quarter.bodies("solved", "Closed")[0]


def test_the_title_of_who_complains_is_asked_for_once_and_decides(quarter: Quarter) -> None:
    assert [assignee for assignee, _ in quarter.tasks("writes", "has no title in the CRM")] == ["u1"]
    assert (quarter.seen["untitled"], quarter.seen["titled"][0]) == ((), "L2")
    assert "Direktur Utama" in quarter.bodies("writes", "Escalated")[0]


def test_the_top_repeats_and_loops_nowhere(quarter: Quarter) -> None:
    assert quarter.flag("silent")[0] == "L3"
    assert quarter.notes("silent").count("Escalation L3: Still unanswered") > 3


def test_waiting_for_the_customer_has_a_budget_and_says_when_it_is_over(quarter: Quarter) -> None:
    assert quarter.seen["waiting"][1] == "waiting"
    assert quarter.seen["after the pause"][1] == "open"
    assert quarter.notes("waits")[:3] == [
        "Escalation L2: Escalated",
        "Escalation L2: Waiting for the customer",
        "Escalation L2: The clock goes on",
    ]
    assert quarter.seen["raised waits"][1] == "open"


def test_a_snooze_warns_its_author_and_ends(quarter: Quarter) -> None:
    assert quarter.seen["snoozing"][1] == quarter.seen["still snoozing"][1] == "snoozed"
    assert [who for who, _ in quarter.tasks("snoozed", "Your snooze of PT snoozed ends soon")] == ["u1"]
    assert quarter.seen["after the snooze"][1] == "open"
    assert quarter.flag("snoozed") == ()


def test_the_document_grows_with_what_people_write(quarter: Quarter) -> None:
    filled = quarter.bodies("solved", "Issue document complete")[0]

    assert "10 of 10" in filled
    assert "Customer Ask: A credit for November." in filled
    assert quarter.office.crm.get("account", "solved").fields["issue_ask"] == "A credit for November."
    assert len(quarter.tasks("silent", "Complete the issue document of PT silent")) == 3


def test_the_end_is_noted_thanked_for_and_looked_back_at(quarter: Quarter) -> None:
    closed = quarter.bodies("solved", "Closed")[0]
    look_back = quarter.tasks("solved", "Post-mortem of PT solved")[0]

    assert quarter.flag("solved") == ()
    assert "Outcome: resolved" in closed
    assert "Root cause: Slow export" in closed
    assert "Confirmed by the customer: yes" in closed
    assert quarter.tasks("solved", "Thank everyone")[0][0] == "u1"
    assert look_back[0] == "u3"
    assert "health went from green to red" in look_back[1]
    assert "Actions: who, what, by when." in look_back[1]
    assert "the post-mortem of esc_" in quarter.console()


def test_the_same_root_cause_becomes_a_proposal(quarter: Quarter) -> None:
    assigned, body = quarter.tasks("again", "Playbook:")[0]

    assert assigned == "u3"
    assert "has ended 2 escalations of 2 accounts within 90 days" in body
    assert "of account solved" in body


def test_l1_ends_by_itself_and_comes_back_as_the_same_story(quarter: Quarter) -> None:
    assert quarter.seen["yellow went"] == ()
    assert [title.split(": ")[1] for title in quarter.notes("yellow")[:3]] == ["Escalated", "Closed", "Escalated again"]


def test_flapping_is_held_open_and_told_to_whoever_keeps_the_rule(quarter: Quarter) -> None:
    told = [
        mail for mail in quarter.office.mails() if "flaps" in str(mail["Subject"]) and mail["To"] == "bima@example.com"
    ]

    assert str(quarter.seen["flapping"]).startswith("Flapping: held open.")
    assert any("it is held open" in mail.get_body(("plain",)).get_content() for mail in told)


def test_a_silence_held_back_counted_and_ended(quarter: Quarter) -> None:
    assert quarter.seen["silenced"] == ()
    assert quarter.seen["held back"] == [("s1", 1)]
    assert quarter.seen["silence over"][0] >= "L2"


def test_what_happens_at_l1_before_the_office_opens_is_a_list_in_the_morning(quarter: Quarter) -> None:
    assert quarter.seen["before nine"] == []
    lists = [each for each in quarter.seen["in the morning"] if "gathered" in each.subject]

    assert len(lists) == 1
    assert "PT early" in lists[0].text


def test_of_a_legal_matter_slack_says_nothing_and_the_owner_everything(quarter: Quarter) -> None:
    shown = repr(quarter.cards("legal"))
    mails = quarter.mails("PT legal")

    assert "L3 - PT legal - restricted" in shown
    assert not any(word in shown.casefold() for word in ("somasi", "compliance", "hukum"))
    assert "Somasi" in mails["maya@example.com"]
    assert "Somasi" not in mails["ratna@example.com"]


def test_ten_customers_at_once_are_one_message_and_ten_escalations(quarter: Quarter) -> None:
    (storm,) = quarter.seen["storm"]

    assert storm.subject == "10 escalations, many at once: 10 L2"
    assert all(f"PT {key} " in storm.text for key in OUTAGE)
    assert all(quarter.notes(key)[0] == "Escalation L2: Escalated" for key in OUTAGE)
    assert [quarter.flag(key) for key in OUTAGE] == [()] * len(OUTAGE)


def test_what_slack_could_not_tell_came_by_mail_with_a_remark(quarter: Quarter) -> None:
    told = [mail for mail in quarter.office.mails() if "did not work" in mail.get_body(("plain",)).get_content()]

    assert {str(mail["Subject"]) for mail in told if "PT unheard" in mail.as_string()}
    assert "bima@example.com" in {str(mail["Delivered-To"]) for mail in told}


def test_each_month_is_reported_to_the_vp_once(quarter: Quarter) -> None:
    months = [str(mail["Subject"]) for mail in quarter.office.mails() if "Escalations in" in str(mail["Subject"])]
    december = quarter.mails("Escalations in 2026-12")["bima@example.com"]

    assert months == ["Escalations in 2026-11", "Escalations in 2026-12", "Escalations in 2027-01"]
    assert "| release 7 | 13 |" in december
    assert "| resolved or downgraded | 15 (Rp 6.000.000.000) |" in december
    assert "| the next renewal: the CRM does not say | 0 | 17 (Rp 6.800.000.000) |" in december


def test_who_goes_on_leave_is_answered_for(quarter: Quarter) -> None:
    assert quarter.seen["on leave"] == ("L2", "acknowledged", "Putri Lestari")
    assert "Bima Santoso is away until" in quarter.bodies("leave", "Handed over")[0]


def test_gone_evidence_keeps_the_flag_until_somebody_says_how_it_ended(quarter: Quarter) -> None:
    assert quarter.flag("calm")[1] == "to_confirm"
    assert len(quarter.tasks("calm", "Say how the escalation of PT calm ended")) > 2


def test_nothing_was_said_twice_and_the_trail_is_whole(quarter: Quarter) -> None:
    with quarter.office.store.read() as tx:
        count, broken = trails.verify(tx)
        states = Counter(one.account_id for _, one in escalations.open_ones(tx))

    assert (broken, max(states.values())) == ([], 1)
    assert count > 100
    for kept in (quarter.office.crm.notes(), quarter.office.crm.tasks()):
        assert max(Counter(each.key for each in kept).values()) == 1
