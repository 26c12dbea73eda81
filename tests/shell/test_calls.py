"""The hand-off call as people meet it: in note, task and mail, as a file for a calendar, and as a reminder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar, Event

from connectors.notifier import Attachment, Message, Posting
from connectors.notify.email.composing import composed
from tests.office import TUESDAY_10, Office, Opened

SLACK = '  slack: {to: ["#escalations"]}'
MAIL = "  email: {options: {directory: mail, sender: escalations@example.com}}"


def files(mail) -> list[Calendar]:
    attached = list(mail.iter_attachments())
    assert all(part.get_content_type() == "text/calendar" for part in attached)
    return [Calendar.from_ical(part.get_content()) for part in attached]


def entries(mail) -> list[Event]:
    return [event for each in files(mail) for event in each.walk("VEVENT")]


def mails_to(here: Office, address: str) -> list:
    return [mail for mail in here.mails() if mail["Delivered-To"] == address]


def tasks(here: Office, word: str) -> list:
    return [task for task in here.crm.tasks() if task.subject.startswith(word)]


def test_note_task_and_mail_name_the_same_two_times(office: Opened) -> None:
    here = office(notifiers=MAIL)
    here.account("A1", "Merah")
    here.cycle()
    times = "Tue 24 Nov 2026, 10:45 WIB or Tue 24 Nov 2026, 11:15 WIB"
    (mail,) = mails_to(here, "bima@example.com")

    assert f"Hand-off call with Dewi Anggraini: {times}" in here.crm.notes("A1")[0].body
    assert f"Hand-off call: {times}, with Dewi Anggraini" in tasks(here, "Answer")[0].body
    assert f"Hand-off call: {times}, with Dewi Anggraini" in mail.get_body(("plain",)).get_content()
    assert f"{times}, with Dewi Anggraini" in mail.get_body(("html",)).get_content()


def call_on(card: Message) -> list[str]:
    """What a card says of the call."""
    return [line for line in card.text.splitlines() if line.startswith(("Hand-off call: ", "Telepon serah terima: "))]


def test_the_card_names_the_times_that_are_ahead(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    here.account("A1", "Merah")
    here.cycle()
    here.cycle(timedelta(minutes=61))
    here.cycle(timedelta(minutes=37))
    here.cycle(timedelta(minutes=23))
    posted, half, late, reminded, moved_up = slack.posts(Posting.POST, Posting.EDIT)

    assert call_on(posted) == [
        "Hand-off call: Tue 24 Nov 2026, 10:45 WIB or Tue 24 Nov 2026, 11:15 WIB, with Dewi Anggraini"
    ]
    assert call_on(half) == ["Hand-off call: Tue 24 Nov 2026, 11:15 WIB, with Dewi Anggraini"]
    assert call_on(late) == call_on(reminded) == []
    assert call_on(moved_up) == [
        "Hand-off call: Tue 24 Nov 2026, 12:30 WIB or Tue 24 Nov 2026, 12:45 WIB, with Dewi Anggraini"
    ]


@pytest.mark.parametrize(
    ("changes", "times"),
    [({}, 2), ({"handoff_call_at": TUESDAY_10 + timedelta(minutes=30)}, 0), ({"override": "snooze"}, 0)],
    ids=["acknowledged", "agreed", "snoozed"],
)
def test_the_card_names_them_as_long_as_the_call_is_waited_for(
    office: Opened, changes: dict[str, object], times: int
) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    here.account("A1", "Merah")
    here.cycle()
    until = {"override_until": TUESDAY_10 + timedelta(hours=5)}
    here.account("A1", "Merah", **{"override": "acknowledged", **until, **changes})
    here.cycle()
    card = slack.posts(Posting.EDIT)[-1]

    assert sum(line.count("WIB") for line in call_on(card)) == times


def test_the_card_of_a_restricted_matter_names_no_call(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    here.account("A1")
    here.crm.put("case", "C1", {"account_id": "A1", "subject": "Somasi", "category": "legal_compliance"})
    here.cycle()

    assert [each.text for each in slack.sent] == ["Restricted: the details stand in the CRM only."]


def test_a_mail_at_a_change_of_hands_brings_a_file_for_each_time(office: Opened) -> None:
    here = office(notifiers=MAIL)
    here.account("A1", "Merah")
    here.cycle()
    owner, csm = (entries(mails_to(here, f"{name}@example.com")[0]) for name in ("bima", "dewi"))
    first = owner[0]

    assert [each.start for each in owner] == [
        datetime(2026, 11, 24, 3, 45, tzinfo=UTC),
        datetime(2026, 11, 24, 4, 15, tzinfo=UTC),
    ]
    assert (first["SUMMARY"], first["STATUS"]) == ("Hand-off call - PT A1 (L2)", "TENTATIVE")
    assert first.duration == timedelta(minutes=15)
    assert "Dewi Anggraini → Bima Santoso" in first["DESCRIPTION"]
    assert "ATTENDEE" not in first
    assert [each["UID"] for each in owner] == [each["UID"] for each in csm]
    assert len({each["UID"] for each in owner}) == 2


def test_only_a_change_of_hands_brings_files(office: Opened) -> None:
    here = office(notifiers=MAIL)
    here.account("A1", "Merah")
    here.cycle()
    here.cycle(timedelta(minutes=61))
    warned = mails_to(here, "bima@example.com")[-1]
    here.cycle(timedelta(minutes=60))
    moved_up = mails_to(here, "maya@example.com")[0]

    assert "Still unanswered" in warned.get_body(("plain",)).get_content()
    assert files(warned) == []
    assert [each["SUMMARY"] for each in entries(moved_up)] == ["Hand-off call - PT A1 (L3)"] * 2


def test_of_a_restricted_matter_a_calendar_says_no_more_than_the_mail(office: Opened) -> None:
    here = office(notifiers=MAIL)
    here.account("A1")
    here.crm.put("case", "C1", {"account_id": "A1", "subject": "Somasi", "category": "legal_compliance"})
    here.cycle()
    owner, csm = (entries(mails_to(here, f"{name}@example.com")[0])[0] for name in ("maya", "dewi"))

    assert "Somasi" in owner["DESCRIPTION"]
    assert "Somasi" not in csm.to_ical().decode()
    assert csm["SUMMARY"] == "Hand-off call - PT A1 (L3)"


def test_indonesian_people_read_it_in_indonesian(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{MAIL}", more="language: id")
    slack = here.record("slack")
    here.account("A1", "Merah")
    here.cycle()
    here.cycle(timedelta(minutes=90))
    (event, *_) = entries(mails_to(here, "bima@example.com")[0])
    reminded = mails_to(here, "dewi@example.com")[-1].get_body(("plain",)).get_content()

    assert event["SUMMARY"] == "Telepon serah terima - PT A1 (L2)"
    assert call_on(slack.sent[0]) == [
        "Telepon serah terima: Sel 24 Nov 2026, 10.45 WIB atau Sel 24 Nov 2026, 11.15 WIB, dengan Dewi Anggraini"
    ]
    assert "Telepon serah terima dengan Dewi Anggraini: Sel 24 Nov 2026, 10.45 WIB atau" in here.crm.notes("A1")[0].body
    assert "belum ada yang menyatakan bahwa Dewi Anggraini dan Bima Santoso sudah melakukan telepon" in reminded
    assert tasks(here, "Telepon Bima Santoso tentang PT A1")


def test_the_reminder_comes_once_an_interval_and_ends_with_the_time_in_the_crm(office: Opened) -> None:
    here = office(notifiers=MAIL)
    here.account("A1", "Merah", override="acknowledged")
    here.cycle()
    for _ in range(5):
        here.cycle(timedelta(minutes=20))
    reminded = [mail for mail in mails_to(here, "dewi@example.com") if "hand-off call" in told(mail)]
    here.account("A1", "Merah", override="acknowledged", handoff_call_at=here.clock.now())
    for _ in range(12):
        here.cycle(timedelta(minutes=20))
    after = [mail for mail in mails_to(here, "dewi@example.com") if "hand-off call" in told(mail)]

    assert len(reminded) == len(after) == 1
    assert told(reminded[0]).startswith(
        "The hand-off call: nobody has said yet that Dewi Anggraini and Bima Santoso held their hand-off call"
    )
    assert [(task.assignee_id, task.subject) for task in tasks(here, "Call ")] == [
        ("u1", "Call Bima Santoso about PT A1, and enter when you did")
    ]
    assert "enter when you spoke in the field for the hand-off call" in tasks(here, "Call ")[0].body


def told(mail) -> str:
    return mail.get_body(("plain",)).get_content()


def test_a_mail_with_files_is_the_same_bytes_at_every_attempt() -> None:
    message = Message(
        key="k1",
        posting=Posting.POST,
        to=("bima@example.com",),
        subject="ESCALATION",
        text="a",
        html="<p>a</p>",
        at=TUESDAY_10,
        attachments=(
            Attachment("call-1.ics", "text/calendar", "BEGIN:VCALENDAR\r\nSUMMARY:Panggilan → A\r\n".encode()),
            Attachment("logo.bin", "application/octet-stream", bytes(range(256))),
        ),
    )
    first, second = (composed(message, "escalations@example.com") for _ in range(2))
    text, binary = first.iter_attachments()

    assert first.as_bytes() == second.as_bytes()
    assert first.as_bytes().isascii()
    assert (text.get_filename(), text.get_content()) == ("call-1.ics", "BEGIN:VCALENDAR\nSUMMARY:Panggilan → A\n")
    assert binary.get_content() == bytes(range(256))
    assert first.get_body(("html",)).get_content().strip() == "<p>a</p>"
