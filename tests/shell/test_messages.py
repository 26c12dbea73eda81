"""What people are told: who, when, in which words, and each thing once."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.base import Capabilities, Result, WriteResult
from connectors.notifier import Posting
from tests.office import TUESDAY_10, Office, Opened, Recorder
from worker.__main__ import run
from worker.exits import ExitCode
from worker.render import Renderer
from worker.samples import samples, samples_apart

ROOT = Path(__file__).parent.parent.parent
SLACK = '  slack: {to: ["#escalations"]}'
MAIL = "  email: {options: {directory: mail, sender: escalations@example.com}}"

ENDED = {
    "override": "resolved",
    "override_by": "Bima Santoso",
    "override_customer_confirmed": True,
    "override_note": "the report is fast now",
}


def test_an_escalation_is_one_card_and_what_happens_later_edits_it(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    here.account("A1", "Merah", health_score=12)
    here.cycle()
    card = slack.sent[0]
    here.account("A1", "Merah", health_score=12, override="acknowledged", override_by="Bima Santoso")
    here.cycle()
    edit, reply = slack.sent[1:]

    assert (len(slack.sent), card.posting, card.to) == (3, Posting.POST, ("#escalations",))
    assert card.subject == "L2 - PT A1 - health red"
    assert card.text.splitlines() == [
        "Why: The health score is red, score 12.",
        "Owner: Bima Santoso (VP Customer Success)",
        "Status: waiting for an answer",
        "Answer due: Tue 24 Nov 2026, 12:00 WIB",
        "Hand-off call: Tue 24 Nov 2026, 10:45 WIB or Tue 24 Nov 2026, 11:15 WIB, with Dewi Anggraini",
        "Asked: acknowledge in the CRM (override: acknowledged), then call the customer",
    ]
    assert card.link == "https://crm.example.com/accounts/A1"
    assert (edit.posting, reply.posting, edit.thread_ref, reply.thread_ref) == (Posting.EDIT, Posting.REPLY, "r1", "r1")
    assert "Status: acknowledged by Bima Santoso" in edit.text
    assert reply.text.startswith("Acknowledged: ")


def test_an_ended_one_is_struck_out_with_its_outcome_and_thanks(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    here.account("A1", "Merah")
    here.cycle()
    here.account("A1", "Merah", **ENDED, override_root_cause="a slow report")
    here.cycle(timedelta(hours=1))
    edit = slack.posts(Posting.EDIT)[-1]

    assert (edit.struck, edit.subject) == (True, "Closed - PT A1 - resolved")
    assert "Root cause: a slow report" in edit.text
    assert "open for 1 h" in edit.text
    assert "Thank you: Bima Santoso, Dewi Anggraini" in edit.text


def test_the_mail_has_the_form_of_the_process_document(office: Opened) -> None:
    here = office(notifiers=MAIL)
    here.account("A1", "Merah", arr="500000000")
    here.cycle()
    by_reader = {mail["Delivered-To"]: mail for mail in here.mails()}
    mail = by_reader["bima@example.com"]
    text = mail.get_body(("plain",)).get_content()
    words = ("Customer: PT A1", "ARR: Rp 500.000.000", "Issue: ", "Impact: ", "Details: ", "Needed by: Tue 24 Nov 2026")

    assert mail["Subject"] == "ESCALATION - PT A1 - health red (L2)"
    assert (mail["To"], mail["Cc"]) == ("bima@example.com", "ratna@example.com, dewi@example.com")
    assert set(by_reader) == {"bima@example.com", "ratna@example.com", "dewi@example.com"}
    assert all(word in text for word in (*words, "I've tried: ", "I recommend: ", "Can you help?", "/accounts/A1"))
    assert len({each["Message-ID"] for each in here.mails()}) == 3
    assert len({each["References"] for each in here.mails()}) == 1


def test_a_mailbox_that_is_full_gets_its_mail_later_and_nobody_gets_two(office: Opened) -> None:
    here = office(notifiers="  email: {}")
    mail = here.record("email", able=Capabilities())
    here.account("A1", "Merah")
    refused = mail.send
    mail.send = lambda message: (  # type: ignore[method-assign]
        WriteResult(Result.RETRY, reason="452 full") if message.envelope == ("ratna@example.com",) else refused(message)
    )
    here.cycle()
    first = [each.envelope[0] for each in mail.sent]
    mail.send = refused  # type: ignore[method-assign]
    here.cycle(timedelta(minutes=30))

    assert sorted(first) == ["bima@example.com", "dewi@example.com"]
    assert sorted(each.envelope[0] for each in mail.sent) == [
        "bima@example.com",
        "dewi@example.com",
        "ratna@example.com",
    ]


def test_of_a_restricted_matter_only_its_owner_learns_more(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{MAIL}")
    slack = here.record("slack")
    here.account("A1")
    text = "Kami akan menempuh jalur hukum, kuasa hukum kami sudah menyiapkan somasi."
    here.crm.put("case", "C1", {"account_id": "A1", "subject": "Somasi", "text": text, "category": "legal_compliance"})
    here.cycle()
    by_reader = {mail["Delivered-To"]: mail.as_string() for mail in here.mails()}
    elsewhere = [by_reader["ratna@example.com"], by_reader["dewi@example.com"], *map(repr, slack.sent)]

    assert "kuasa hukum" in by_reader["maya@example.com"] or "Somasi" in by_reader["maya@example.com"]
    for told in elsewhere:
        assert "L3" in told
        assert "PT A1" in told
        assert not any(word in told.lower() for word in ("somasi", "kuasa", "legal", "hukum", "case"))


def test_the_counsel_learns_of_a_legal_matter_and_not_what_it_is_about(office: Opened) -> None:
    here = office(notifiers=MAIL)
    counsel = "  counsel: {id: u6, name: Dewi Lestari, email: counsel@example.com, title: General Counsel}\n"
    text = here.config.read_text(encoding="utf-8").replace("people:\n", f"people:\n{counsel}")
    here.config.write_text(text, encoding="utf-8")
    here.account("A1")
    here.crm.put("case", "C1", {"account_id": "A1", "subject": "Somasi", "category": "legal_compliance"})
    here.account("A2", "Merah")
    here.cycle()
    told = [mail for mail in here.mails() if mail["Delivered-To"] == "counsel@example.com"]

    assert [mail["Subject"] for mail in told] == ["ESCALATION - PT A1 - restricted (L3)"]
    assert not any(word in told[0].as_string().lower() for word in ("somasi", "legal", "c1"))


def test_even_the_name_can_be_kept_back(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{MAIL}", more="messages: {restricted_names: false}")
    slack = here.record("slack")
    here.account("A1", name="PT Rahasia")
    here.crm.put("case", "C1", {"account_id": "A1", "subject": "Breach", "category": "security_incident"})
    here.cycle()
    by_reader = {mail["Delivered-To"]: mail.as_string() for mail in here.mails()}

    assert "PT Rahasia" in by_reader["sari@example.com"]
    assert slack.sent[0].subject == "L3 - A1 - restricted"
    assert not any("PT Rahasia" in told for told in (by_reader["dewi@example.com"], repr(slack.sent)))


def test_the_most_urgent_goes_first(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    here.account("A1", "Kuning")
    here.account("A2", "Merah")
    here.account("A3", "Merah", tier="strategic")
    here.account("A4", "Kuning")
    here.cycle()

    assert [each.subject[:2] for each in slack.sent] == ["L3", "L2", "L1", "L1"]


def test_many_at_once_are_one_digest_and_each_l3_stands_alone(office: Opened) -> None:
    here = office(notifiers=SLACK, more="messages: {storm: 5}")
    slack = here.record("slack")
    for number in range(8):
        here.account(f"A{number}", "Merah" if number < 3 else "Kuning")
    here.account("B1", "Merah", tier="strategic")
    here.cycle()
    apart, digest = slack.sent

    assert apart.subject == "L3 - PT B1 - health red"
    assert digest.subject == "8 escalations, many at once: 3 L2, 5 L1"
    assert [line[2:4] for line in digest.text.splitlines() if line.startswith("- L")] == ["L2"] * 3 + ["L1"] * 5
    assert all(f"PT A{number} " in digest.text for number in range(8))


def storm_of_four(office: Opened) -> tuple[Office, Recorder]:
    """Four accounts in the red at once, told in one list."""
    here = office(notifiers=SLACK, more="messages: {storm: 2}")
    slack = here.record("slack")
    for number in range(4):
        here.account(f"A{number}", "Merah")
    here.cycle()
    return here, slack


def test_after_a_storm_what_happens_is_told_in_its_thread(office: Opened) -> None:
    here, slack = storm_of_four(office)
    here.account("A1", "Merah", override="acknowledged", override_by="Bima")
    here.cycle()
    edit, reply = slack.sent[1:]

    assert (edit.posting, reply.posting, edit.thread_ref, reply.thread_ref) == (Posting.EDIT, Posting.REPLY, "r1", "r1")
    assert "PT A1 - health red, acknowledged." in edit.text
    assert reply.text == "PT A1 - Acknowledged: acknowledged by Bima"


def test_the_clocks_of_a_storm_do_not_make_another_one(office: Opened) -> None:
    here, slack = storm_of_four(office)
    here.cycle(timedelta(hours=1))
    warned = slack.sent[1:]
    here.cycle(timedelta(hours=1))
    bumped = slack.sent[1 + len(warned) :]

    assert [each.posting for each in warned] == [Posting.EDIT, Posting.REPLY]
    assert len(warned[1].text.splitlines()) == 4
    assert sorted(each.subject for each in bumped if each.posting is Posting.POST) == [
        f"L3 - PT A{number} - health red" for number in range(4)
    ]


def test_what_leaves_a_storm_has_a_card_of_its_own_and_the_list_says_so(office: Opened) -> None:
    here, slack = storm_of_four(office)
    here.account("A1", "Merah", override="raise_l3", override_by="Bima")
    here.cycle()
    edit = slack.posts(Posting.EDIT)[-1]
    posts = [each.subject for each in slack.posts(Posting.POST)]

    assert posts[1:] == ["L3 - PT A1 - health red"]
    assert "L3 - PT A1 - has a message of its own" in edit.text
    assert edit.thread_ref == "r1"


def test_a_digest_whose_answer_was_lost_is_not_posted_again(office: Opened) -> None:
    here = office(notifiers=SLACK, more="messages: {storm: 2}")
    slack = here.record("slack", loses=1)
    for number in range(4):
        here.account(f"A{number}", "Merah")
    for _ in range(4):
        here.cycle(timedelta(minutes=2))

    assert len(slack.sent) == 1


def test_a_great_storm_is_told_in_several_lists_and_nobody_is_left_out(office: Opened) -> None:
    here = office(notifiers=SLACK)
    slack = here.record("slack")
    for number in range(60):
        here.account(f"A{number:02d}", "Kuning")
    here.cycle()
    told = "\n".join(each.text for each in slack.sent)

    assert len(slack.sent) == 3
    assert all(told.count(f"PT A{number:02d} ") == 1 for number in range(60))
    assert max(len(each.text) for each in slack.sent) < 12_000


NIGHT = TUESDAY_10 + timedelta(hours=13)
OFFICE_HOURS = "messages: {digest_calendar: jakarta_office}"


def test_what_l1_does_at_night_waits_and_what_is_higher_does_not(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{MAIL}", more=OFFICE_HOURS, at=NIGHT)
    slack = here.record("slack")
    for number in range(3):
        here.account(f"A{number}", "Kuning")
    here.account("B1", "Merah")
    here.cycle()
    at_night = [each.subject for each in slack.sent], {mail["Subject"] for mail in here.mails()}

    assert at_night == (["L2 - PT B1 - health red"], {"ESCALATION - PT B1 - health red (L2)"})


def test_the_morning_digest_comes_when_the_office_opens(office: Opened) -> None:
    here = office(notifiers=f"{SLACK}\n{MAIL}", more=OFFICE_HOURS, at=TUESDAY_10 + timedelta(hours=21, minutes=45))
    slack = here.record("slack")
    for number in range(3):
        here.account(f"A{number}", "Kuning")
    here.cycle()
    before = list(slack.sent), here.mails()
    here.cycle(timedelta(hours=1, minutes=20))
    after = list(slack.sent)
    here.cycle()
    mails = here.mails()

    assert before == ([], [])
    assert [each.subject for each in after] == ["3 escalations, gathered: 3 L1"]
    assert sorted(mail["Delivered-To"] for mail in mails) == ["dewi@example.com", "ratna@example.com"]
    assert all(mail.get_body(("plain",)).get_content().count("- L1 - PT A") == 3 for mail in mails)
    assert len(slack.sent) == 1


def test_what_rises_in_the_night_is_told_at_once_and_is_no_old_news_in_the_morning(office: Opened) -> None:
    here = office(notifiers=SLACK, more=OFFICE_HOURS, at=NIGHT)
    slack = here.record("slack")
    for number in range(2):
        here.account(f"A{number}", "Kuning")
    here.cycle()
    here.account("A0", "Merah")
    here.cycle()
    at_night = [each.subject for each in slack.sent]
    here.account("A1", "Kuning", override="false_alarm", override_by="Dewi")
    here.cycle()
    here.cycle(timedelta(hours=10))

    assert at_night[0] == "L2 - PT A0 - health yellow, health red"
    digests = [each for each in slack.sent if "gathered" in each.subject]
    assert len(digests) == 1
    assert "PT A0" not in digests[0].text
    assert "Closed - PT A1 - false alarm" in digests[0].text


def test_a_digest_over_the_weekend_is_not_dropped_as_stale(office: Opened) -> None:
    friday_evening = TUESDAY_10 + timedelta(days=3, hours=9)
    here = office(notifiers=SLACK, more=f"{OFFICE_HOURS}\nlevels: {{L1: {{response: 200h}}}}", at=friday_evening)
    slack = here.record("slack")
    here.account("A1", "Kuning")
    here.cycle()
    here.cycle(timedelta(hours=30))
    here.cycle(timedelta(hours=33))

    assert [each.subject for each in slack.sent] == ["1 escalation, gathered: 1 L1"]


def test_by_mail_l1_can_be_one_list_a_day(office: Opened) -> None:
    daily = "messages: {digest_calendar: jakarta_office, l1_mail: daily}\nlevels: {L1: {response: 200h}}"
    here = office(notifiers=f"{SLACK}\n{MAIL}", more=daily)
    slack = here.record("slack")
    for number in range(3):
        here.account(f"A{number}", "Kuning")
        here.cycle(timedelta(hours=1))
    same_day = here.mails()
    here.cycle(timedelta(days=1))

    assert (len(slack.sent), same_day) == (3, [])
    assert sorted(mail["Delivered-To"] for mail in here.mails()) == ["dewi@example.com", "ratna@example.com"]


@pytest.mark.parametrize("language", ["en", "id"])
def test_every_text_renders_for_every_event(language: str) -> None:
    assert Renderer(ROOT / "config/templates", language).check([*samples(), *samples_apart()]) == ()


@pytest.mark.parametrize("drafts", [False, True], ids=["all but drafts", "drafts"])
def test_check_tries_every_template(drafts: bool, tmp_path: Path) -> None:
    """Each fault is told with its file; a draft's hides that of the task that it stands in."""
    folder = Path(shutil.copytree(ROOT / "config/templates/en", tmp_path / "en"))
    only_words = {"words.txt", "labels.txt", "sentences.yaml"}
    files = [file for file in folder.rglob("*.*") if file.name not in only_words]
    broken = {file for file in files if file.name.startswith("draft_") is drafts}
    for file in broken:
        file.write_text("{{ no_such_value }}\n" + file.read_text(encoding="utf-8"), encoding="utf-8")
    told = Renderer(tmp_path, "en").check([*samples(), *samples_apart()])

    assert {Path(fault.partition(":1: ")[0]) for fault in told} == broken
    assert all("'no_such_value' is undefined" in fault for fault in told)


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("likeness_title.txt", "{{ proposal.custommers }}?", 1),
        ("likeness.txt", "{{ accounts }} accounts\n{% if words %}\n{{ keys|join }}\n{% endif %}", 3),
        ("alarm.txt", "{% if kind == 'over' %}\n{{ reson }}\n{% endif %}", 2),
    ],
)
def test_a_fault_in_an_own_template_is_found_before_anybody_is_asked(
    office: Opened, capsys: pytest.CaptureFixture[str], name: str, text: str, line: int
) -> None:
    here = office()
    folder = Path(shutil.copytree(ROOT / "config/templates", here.folder / "templates"))
    config = here.config.read_text(encoding="utf-8")
    here.config.write_text(config.replace(str(ROOT / "config/templates"), str(folder)), encoding="utf-8")
    (folder / "en" / name).write_text(text, encoding="utf-8")

    assert run(["check", "--config", str(here.config)]) == ExitCode.FINDINGS
    assert f"{folder / 'en' / name}:{line}: UndefinedError" in capsys.readouterr().out.replace("\n", "")


def test_every_text_is_there_in_both_languages() -> None:
    names = [{path.name for path in (ROOT / "config/templates" / each).iterdir()} for each in ("en", "id")]

    assert names[0] == names[1]
