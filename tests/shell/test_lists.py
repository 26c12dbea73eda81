"""One bug at several customers: one message names them all, each keeps its flag, note, tasks and clock."""

from __future__ import annotations

from datetime import timedelta

from connectors.base import Capabilities, Result, WriteResult
from connectors.notifier import Posting
from tests.office import CHAT, Office, Opened, Recorder
from worker.core.model import AccountId, ConnectorName
from worker.store import escalations

SLACK = '  slack: {to: ["#escalations"]}'
MAIL = "  email: {options: {directory: mail, sender: escalations@example.com}}"
BUG = "BUG-7"
ENDED = {
    "override": "resolved",
    "override_by": "Bima Santoso",
    "override_customer_confirmed": True,
    "override_note": "release 4.2",
    "override_root_cause": "export",
}


def hit(here: Office, *keys: str, bug: str = BUG, **fields: object) -> None:
    """The bug at these accounts."""
    for key in keys:
        here.account(key, **{"arr": "100000000", "arr_currency": "IDR", **fields})
        case = {"account_id": key, "subject": "Crash", "status": "Open", "category": "Bug", "bug_key": bug}
        here.crm.put("case", f"C-{key}", case)


def told(slack: Recorder) -> list[tuple[Posting, str]]:
    return [(each.posting, each.subject) for each in slack.sent]


def lines(text: str) -> list[str]:
    return [line[2:] for line in text.splitlines() if line.startswith("- ")]


def test_one_bug_at_three_customers_is_one_card_that_names_them_with_their_arr(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2", "A3")
    here.cycle()

    assert told(slack) == [(Posting.POST, "Bug BUG-7, 3 customers, ARR Rp 300.000.000: 3 L2")]
    assert [line.partition(" https")[0] for line in lines(slack.sent[0].text)] == [
        f"L2 - PT A{number} - ARR Rp 100.000.000, waiting for an answer. Owner: Bima Santoso (VP Customer Success), "
        "answer due Tue 24 Nov 2026, 12:01 WIB"
        for number in (1, 2, 3)
    ]


def test_each_account_is_still_flagged_noted_and_asked_on_its_own_clock(office: Opened) -> None:
    here = office(notifiers=SLACK)
    here.record("slack")
    hit(here, "A1", "A2")
    here.cycle()
    hit(here, "A3")
    here.cycle(timedelta(minutes=30))
    with here.store.read() as tx:
        clocks = [escalations.latest(tx, ConnectorName("embedded"), AccountId(key)) for key in ("A1", "A3")]

    assert all(here.crm.get("account", key).fields["escalated"] for key in ("A1", "A2", "A3"))
    for found in (here.crm.notes(), here.crm.tasks()):
        assert {each.account_id for each in found} == {"A1", "A2", "A3"}
    assert [each.clock.due_at - here.clock.start for each in clocks if each is not None] == [
        timedelta(hours=2, minutes=1),
        timedelta(hours=2, minutes=31),
    ]


def test_one_more_customer_joins_the_card_and_its_thread(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2")
    here.cycle()
    hit(here, "A3", "A4")
    here.cycle()
    edit, reply = slack.sent[1:]

    assert (edit.posting, reply.posting, edit.thread_ref, reply.thread_ref) == (Posting.EDIT, Posting.REPLY, "r1", "r1")
    assert edit.subject == "Bug BUG-7, 4 customers, ARR Rp 400.000.000: 4 L2"
    assert [line.split(" - ")[0] for line in reply.text.splitlines()] == ["PT A3", "PT A4"]
    assert "Escalated: Bug BUG-7" in reply.text


def test_an_answer_stands_in_the_card_and_in_its_thread(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2")
    here.cycle()
    hit(here, "A1", override="acknowledged", override_by="Bima Santoso")
    here.cycle()
    edit, reply = slack.sent[1:]

    assert "PT A1 - ARR Rp 100.000.000, acknowledged by Bima Santoso" in edit.text
    assert "PT A2 - ARR Rp 100.000.000, waiting for an answer" in edit.text
    assert reply.text == "PT A1 - Acknowledged: acknowledged by Bima Santoso"


def test_the_owner_gets_one_mail_and_so_does_each_who_is_copied(office: Opened) -> None:
    here = office(notifiers=MAIL)
    hit(here, "A1", "A2", "A3")
    here.cycle()
    mails = here.mails()
    hit(here, "A4")
    here.cycle()
    later = here.mails()[len(mails) :]
    text = later[0].get_body(("plain",)).get_content()

    assert sorted(each["Delivered-To"] for each in mails) == [
        "bima@example.com",
        "dewi@example.com",
        "ratna@example.com",
    ]
    assert {each["Subject"] for each in mails} == {"Bug BUG-7, 3 customers, ARR Rp 300.000.000: 3 L2"}
    assert sorted(each["Delivered-To"] for each in later) == sorted(each["Delivered-To"] for each in mails)
    assert {each["References"] for each in later} == {each["References"] for each in mails}
    assert lines(text)[0].startswith("PT A4 - Escalated: ")
    assert len(lines(text)) == 5


def test_the_warnings_of_all_are_one_mail(office: Opened) -> None:
    here = office(notifiers=MAIL)
    hit(here, "A1", "A2", "A3")
    here.cycle()
    before = len(here.mails())
    hit(here, "A1", override="acknowledged", override_by="Bima Santoso")
    here.cycle()
    silent = len(here.mails())
    here.cycle(timedelta(hours=1))
    mail = next(each for each in here.mails()[silent:] if each["Delivered-To"] == "bima@example.com")
    text = mail.get_body(("plain",)).get_content()

    assert silent == before
    assert len(here.mails()) == silent + 3
    assert len([line for line in lines(text) if "Still unanswered" in line]) == 2
    assert "PT A1 - ARR Rp 100.000.000, acknowledged by Bima Santoso" in text


def test_who_has_another_reason_or_is_l3_has_a_message_of_its_own_and_is_counted(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2")
    hit(here, "A3", tier="strategic")
    hit(here, "A4", health="Merah")
    here.cycle()
    card = next(each for each in slack.sent if each.subject.startswith("Bug"))

    assert sorted(each.subject for each in slack.sent) == [
        "Bug BUG-7, 4 customers, ARR Rp 400.000.000: 1 L3, 3 L2",
        "L2 - PT A4 - bug at several customers, health red",
        "L3 - PT A3 - bug at several customers",
    ]
    assert [line.partition(" https")[0] for line in lines(card.text)][0::3] == [
        "L3 - PT A3 - ARR Rp 100.000.000, has a message of its own",
        "L2 - PT A4 - ARR Rp 100.000.000, has a message of its own",
    ]


def test_a_child_that_gets_another_reason_leaves_and_the_card_says_so(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2", "A3")
    here.cycle()
    hit(here, "A2", health="Merah")
    here.cycle()
    hit(here, "A2", health="Merah", override="acknowledged", override_by="Bima")
    here.cycle()
    own = [each for each in slack.sent if each.subject.startswith("L2 - PT A2")]

    assert [each.posting for each in own] == [Posting.POST, Posting.REPLY, Posting.EDIT, Posting.REPLY]
    assert "PT A2 - ARR Rp 100.000.000, has a message of its own" in slack.posts(Posting.EDIT)[0].text
    assert len([each for each in slack.sent if each.thread_ref == "r1"]) == 1


def test_a_restricted_matter_is_never_told_together(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{MAIL}")
    slack = here.record("slack")
    hit(here, "A1", "A2")
    hit(here, "A3")
    here.crm.put("case", "C9", {"account_id": "A3", "subject": "Somasi", "category": "legal_compliance"})
    here.cycle()
    own = next(each for each in slack.sent if "PT A3" in each.subject)
    together = next(each for each in slack.sent if each.subject.startswith("Bug"))

    assert own.subject == "L3 - PT A3 - restricted"
    assert "PT A3" not in together.text
    assert not any("PT A3" in each.as_string() for each in here.mails() if each["Subject"].startswith("Bug"))


def test_a_child_that_becomes_restricted_leaves_without_a_word_of_why(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2")
    here.cycle()
    here.crm.put("case", "C9", {"account_id": "A2", "subject": "Somasi", "category": "legal_compliance"})
    here.cycle()
    later = slack.sent[1:]

    assert any(each.subject == "L3 - PT A2 - restricted" for each in later)
    assert not any(word in repr(later).lower() for word in ("somasi", "legal", "c9"))
    assert "L3 - PT A2 - restricted, details in the CRM only" in slack.posts(Posting.EDIT)[-1].text


def test_when_all_are_closed_the_card_is_struck_and_the_next_time_is_a_new_one(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2")
    here.cycle()
    hit(here, "A1", "A2", **ENDED)
    here.cycle()
    over = slack.sent[-2]
    for key in ("A1", "A2"):
        here.crm.put("case", f"C-{key}", {"status": "Closed"})
    here.cycle()
    hit(here, "B1", "B2")
    here.cycle(timedelta(days=20))

    assert (over.posting, over.struck, over.subject) == (
        Posting.EDIT, True, "Over: bug BUG-7, 2 customers, ARR Rp 200.000.000: 2 closed",
    )  # fmt: skip
    assert [each.subject for each in slack.posts(Posting.POST)] == [
        "Bug BUG-7, 2 customers, ARR Rp 200.000.000: 2 L2"
    ] * 2


def test_currencies_are_summed_at_the_dated_rate_or_apart(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", arr="100000000")
    hit(here, "A2", arr="5000", arr_currency="CHF")
    hit(here, "A3", arr=None)
    here.cycle()

    assert slack.sent[0].subject == "Bug BUG-7, 3 customers, ARR Rp 100.000.000 + CHF 5,000.00 (1 unknown): 3 L2"
    assert "L2 - PT A3 - ARR unknown" in slack.sent[0].text


def test_a_bug_at_many_is_no_storm_and_two_bugs_are_two_cards(office: Opened) -> None:
    here = office(notifiers=SLACK, more="messages: {storm: 3}")
    slack = here.record("slack")
    hit(here, *(f"A{number:02d}" for number in range(40)))
    hit(here, "B1", "B2", bug="BUG-8")
    here.account("R1", "Merah")
    here.cycle()

    assert sorted(each.subject for each in slack.sent) == [
        "Bug BUG-7, 40 customers, ARR Rp 4.000.000.000: 40 L2",
        "Bug BUG-8, 2 customers, ARR Rp 200.000.000: 2 L2",
        "L2 - PT R1 - health red",
    ]
    assert len(lines(slack.sent[0].text)) == 40


def test_who_is_on_two_shared_bugs_has_a_message_of_its_own(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    hit(here, "A1", "A2")
    hit(here, "B1", bug="BUG-8")
    here.crm.put("case", "C2", {"account_id": "A1", "subject": "Other", "status": "Open", "bug_key": "BUG-8"})
    here.cycle()

    assert sorted(each.subject for each in slack.sent) == [
        "Bug BUG-7, 2 customers, ARR Rp 200.000.000: 2 L2",
        "Bug BUG-8, 2 customers, ARR Rp 200.000.000: 2 L2",
        "L2 - PT A1 - bug at several customers",
    ]


def test_a_list_whose_answer_was_lost_is_neither_posted_again_nor_lost(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack", loses=1)
    hit(here, "A1", "A2")
    here.cycle()
    hit(here, "A3")
    for _ in range(4):
        here.cycle(timedelta(minutes=2))

    assert [each.posting for each in slack.sent] == [Posting.POST, Posting.EDIT, Posting.REPLY]
    assert "PT A3" in slack.sent[1].text


def test_what_joins_while_the_channel_fails_is_in_the_list_once_it_works(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack", answer=WriteResult(Result.RETRY, reason="rate limited"))
    hit(here, "A1", "A2")
    here.cycle()
    for key in ("A3", "A4"):
        hit(here, key)
        here.cycle(timedelta(minutes=6))
    slack.answer = None
    here.cycle(timedelta(minutes=10))

    assert [each.posting for each in slack.sent] == [Posting.POST, Posting.EDIT, Posting.REPLY]
    assert slack.sent[1].subject.startswith("Bug BUG-7, 4 customers")
    assert [line.split(" - ")[0] for line in slack.sent[2].text.splitlines()] == ["PT A3", "PT A4"]


def test_a_list_that_the_channel_cannot_tell_goes_to_those_whom_it_concerns(office: Opened) -> None:
    way = '  slack: {to: ["#escalations"], fallback: email, fallback_after: 10m}\n  email: {}'
    here = office(notifiers=way)
    here.record("slack", answer=WriteResult(Result.RETRY, reason="down"))
    mail = here.record("email", able=Capabilities())
    hit(here, "A1", "A2")
    here.cycle()
    here.cycle(timedelta(minutes=15))
    instead = [each for each in mail.sent if "slack" in each.text.split("\n")[0]]

    assert sorted(each.envelope[0] for each in instead) == ["bima@example.com", "dewi@example.com", "ratna@example.com"]
    assert all("PT A1" in each.text and "PT A2" in each.text for each in instead)


def test_where_nothing_can_be_edited_the_news_of_a_cycle_are_one_post(office: Opened) -> None:
    here = office(notifiers=SLACK)
    hook = here.record("slack", able=Capabilities(lookup_lag=CHAT.lookup_lag))
    hit(here, "A1", "A2")
    here.cycle()
    hit(here, "A3", "A4")
    here.cycle()

    assert told(hook) == [
        (Posting.POST, "Bug BUG-7, 2 customers, ARR Rp 200.000.000: 2 L2"),
        (Posting.POST, "Bug BUG-7, 4 customers, ARR Rp 400.000.000: 4 L2"),
    ]
    assert len(lines(hook.sent[1].text)) == 2 + 4


def test_at_night_an_l1_bug_waits_for_the_office_and_is_told_once(office: Opened) -> None:
    more = (
        "messages: {digest_calendar: jakarta_office}\n"
        "triggers: {multi_customer_bug: {standard: L1, high_value: L2, strategic: L3}}\nlevels: {L1: {response: 48h}}"
    )
    here = office(notifiers=SLACK, more=more)
    slack = here.record("slack")
    hit(here, "A1", "A2")
    here.cycle(timedelta(hours=12))
    at_night = list(slack.sent)
    here.cycle(timedelta(hours=11, minutes=5))
    hit(here, "A1", override="acknowledged", override_by="Ratna")
    here.cycle()

    assert at_night == []
    assert [each.posting for each in slack.sent] == [Posting.POST, Posting.EDIT, Posting.REPLY]
    assert slack.sent[0].subject == "2 escalations, gathered: 2 L1"
