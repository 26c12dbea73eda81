"""What a customer writes never comes alive: not in Slack, not in a mail, not on a page, not in a note."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from connectors.notifier import Message, Posting
from connectors.notify.email.composing import composed
from connectors.notify.slack.wording import rich, whole
from tests.office import TUESDAY_10, Office
from tests.security.payloads import MARK, URL, payloads
from worker.core.model import AddNote, Event, Notify
from worker.overview import write_overview
from worker.render import Context, Renderer
from worker.samples import samples

ROOT = Path(__file__).parent.parent.parent
ALL = payloads()
RENDERER = Renderer(ROOT / "config/templates", "en")
TOLD = Notify(Event.OPENED, 1, ())
OURS = {"html", "body", "table", "tr", "th", "td", "p", "b", "a", "tbody"}
LINK = "https://crm.example.com/accounts/A1"


def test_there_are_more_than_five_hundred() -> None:
    assert len(set(ALL)) >= 500
    assert all(MARK in each for each in ALL)


def context(payload: str) -> Context:
    """An escalation in which everything that a customer may have written is the payload."""
    base = next(iter(samples()))
    escalation = base.escalation
    assert escalation is not None
    reasons = tuple(replace(each, detail=payload) for each in escalation.reasons)
    account = replace(base.view.account, name=payload)
    view = replace(base.view, account=account)
    spoilt = replace(escalation, reasons=reasons, root_cause=payload, outcome_note=payload, acknowledged_by=payload)
    return replace(base, view=view, escalation=spoilt, because=payload, link=LINK, event=Event.OPENED)


class Elements(HTMLParser):
    """Every tag and attribute that a browser would see."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def alive(page: str, known: set[str]) -> list[object]:
    """What should not be there: foreign tags, handlers, addresses that are not ours."""
    bad: list[object] = []
    for tag, attributes in Elements(page).found:
        foreign = tag not in known or any(name.startswith("on") for name in attributes)
        away = [attributes.get(name) for name in ("href", "src", "action", "data") if name in attributes]
        if foreign or any(address != LINK for address in away if not (address or "").startswith("#")):
            bad.append((tag, attributes))
    return bad


@pytest.mark.parametrize("part", range(8))
def test_texts_stay_texts(part: int) -> None:
    for payload in ALL[part::8]:
        told = context(payload)
        card, mail = RENDERER.card(TOLD, told), RENDERER.email(TOLD, told)
        slack = Message("k", Posting.POST, ("#x",), card.title, card.text, TUESDAY_10, link=LINK)
        plain = whole(slack)
        elements = [each for block in rich(slack) for section in block["elements"] for each in section["elements"]]
        note = RENDERER.note(AddNote(Event.OPENED, 1), told, "0" * 8)

        assert not re.search(r"[<>]", plain), payload
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", plain), payload
        assert {each["type"] for each in elements} <= {"text", "link"}, payload
        assert [each["url"] for each in elements if each["type"] == "link"] == [LINK], payload
        assert alive(mail.html, OURS) == [], payload
        assert MARK in Elements(mail.html).text, payload
        assert MARK in note.body, payload
        assert "49" not in note.body.replace("2026", ""), payload


@pytest.mark.parametrize("part", range(4))
def test_mail_headers_stay_one_line_each(part: int) -> None:
    for payload in ALL[part::4]:
        mail = RENDERER.email(TOLD, context(payload))
        message = Message("k", Posting.POST, ("a@example.com",), mail.subject, mail.text, TUESDAY_10, mail.html)
        body = composed(message, "worker@example.com").as_bytes()
        head = body.partition(b"\r\n\r\n")[0].decode("ascii")
        names = {line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))}

        assert names == {
            "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type",
        }, payload  # fmt: skip
        assert b"\x00" not in body, payload


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    here = Office(tmp_path, notifiers='  slack: {to: ["#escalations"]}', more="messages: {storm: 1000}")
    with closing(here):
        yield here


def test_from_the_crm_to_every_reader(office: Office) -> None:
    slack = office.record("slack")
    clean = [each.encode("utf-8", "replace").decode() for each in ALL]
    for number in range(20):
        name = " ".join(clean[number::20])
        office.account(f"A{number}", "Merah", name=name)
        fields = {"account_id": f"A{number}", "subject": name, "text": name, "category": "executive_complaint"}
        office.crm.put("case", f"C{number}", fields)
    report = office.cycle()
    page = office.folder / "report.html"
    worker = office.worker
    assert worker is not None
    write_overview(page, worker, office.store, office.clock.now())
    html = page.read_text(encoding="utf-8")
    known = {tag for tag, _ in Elements((ROOT / "config/pages/overview.html.j2").read_text(encoding="utf-8")).found}

    assert not report.crms["embedded"].decided.failed
    assert len(slack.sent) >= 20
    assert MARK in html
    assert [each for each in alive(html, known | OURS) if URL in repr(each) or MARK in repr(each)] == []
    assert not any(tag not in known | OURS for tag, _ in Elements(html).found)
