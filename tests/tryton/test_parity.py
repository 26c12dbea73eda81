"""One portfolio on all four CRMs: the same escalations, notes and messages, to the word."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from pathlib import Path

from connectors.crm.embedded import EmbeddedCrm
from tests.parity import ACCOUNTS, CASES, drawn, on_embedded, on_hubspot, on_salesforce
from tests.tryton import portfolio
from tests.tryton.server import Rpc, Server, set_up
from tests.tryton.worker import ROOT, Worker
from worker.assembly import assemble, open_state
from worker.core.model import Escalation
from worker.mapping import load_mapping
from worker.portfolio import build
from worker.ports import SystemPorts
from worker.settings import load_settings
from worker.store import escalations

NOW = datetime.now(UTC).replace(microsecond=0)
_OWN = re.compile(r"\b(?:esc_|ESC-)[\w-]+|\b[0-9a-f]{8}-[0-9a-f-]{27}\b")
"""What names an escalation: made from the connector's name, and so another on each CRM."""


class StandingClock(SystemPorts):
    """Both runs take place at the same moment."""

    def now(self) -> datetime:
        return NOW + timedelta(minutes=1)


def told(folder: Path, name: str, environ: Mapping[str, str]) -> tuple[dict[str, object], list[str]]:
    """Run the worker; what it decided for each account, and the mails that it wrote."""
    ports = StandingClock()
    settings = load_settings(folder / "escalation.yaml", environ)
    store = open_state(settings, ports)
    running = assemble(settings, store, ports)
    for _ in range(3):
        running.cycle.run()
    with store.read() as tx:
        found = [each for _, each in escalations.open_ones(tx, name)]
    running.close()
    store.close()
    decided = {
        each.account_id: (
            each.level,
            each.status,
            each.clock.due_at,
            sorted((r.trigger, r.detail) for r in each.reasons),
        )
        for each in found
    }
    return decided, sorted(mail(path) for path in (folder / "mail").glob("*.eml"))


def summary(each: Escalation) -> tuple[object, ...]:
    reasons = sorted((reason.trigger, reason.detail) for reason in each.reasons)
    return each.level, each.status, each.clock.due_at, reasons


def as_old(server: Server, crm: EmbeddedCrm, ids: Mapping[str, Mapping[str, int]]) -> None:
    """Give the accounts the stamps that they have in the embedded CRM; a copy would be as young as the test."""
    with sqlite3.connect(server.folder / "parity.sqlite") as database:
        for each in crm.all("account"):
            at = each.modified_at.replace(tzinfo=None).isoformat(" ")
            values = (at, at, ids["account"][each.id])
            database.execute("UPDATE party_party SET create_date = ?, write_date = ? WHERE id = ?", values)
    database.close()


def mail(path: Path) -> str:
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = message.get_body(("plain",))
    assert body is not None
    return f"{message['To']} | {message['Cc']} | {message['Subject']}\n{body.get_content()}"


def test_four_crms_tell_the_same_story(server: Server, tmp_path: Path) -> None:
    crm_file = tmp_path / "embedded/crm.sqlite"
    crm_file.parent.mkdir()
    embedded_mapping = load_mapping(ROOT / "config/mappings/embedded.yaml")
    build(crm_file, accounts=ACCOUNTS, cases=CASES, until=NOW, mapping=embedded_mapping)
    crm = EmbeddedCrm(crm_file)
    rpc = Rpc(server, "parity")
    made = set_up(rpc)
    ids = portfolio.copy(crm, rpc, made)
    as_old(server, crm, ids)
    tryton = Worker(tmp_path / "tryton", server.url, "parity", made["key"])
    text = tryton.config.read_text(encoding="utf-8")
    start, end = text.index("connectors:"), text.index("notifiers:")
    embedded = f"{text[:start]}connectors: {{embedded: {{options: {{path: crm.sqlite}}}}}}\n{text[end:]}"
    (tmp_path / "embedded/escalation.yaml").write_text(embedded, encoding="utf-8")

    decided, mails = told(tmp_path / "embedded", "embedded", {})
    there, mails_there = told(tmp_path / "tryton", "tryton", {"TRYTON_KEY": made["key"]})
    notes = sorted(f"{each.title}\n{each.body}" for each in crm.notes())
    found = rpc.search("escalation.note", [], ["title", "body"])
    notes_there = sorted(f"{each['title']}\n{each['body']}" for each in found)
    crm.close()
    rpc.close()

    drawing = drawn(NOW)
    first, *others = (leg(drawing, folder_of(tmp_path, leg), NOW) for leg in (on_embedded, on_salesforce, on_hubspot))

    assert {key: level for key, (level, _) in first.escalations.items()} == {
        key: int(told_there[0]) for key, told_there in decided.items()
    }
    assert others == [first, first]
    assert len(decided) > 5
    assert translated(repr(sorted(decided.items())), ids) == own(repr(sorted_like(decided, there, ids)))
    assert sorted(translated(each, ids) for each in notes) == sorted(own(each) for each in notes_there)
    assert sorted(translated(each, ids) for each in mails) == sorted(own(each) for each in mails_there)


def folder_of(parent: Path, leg: object) -> Path:
    made = parent / getattr(leg, "__name__", "leg")
    made.mkdir()
    return made


def sorted_like(decided: dict[str, object], there: dict[str, object], ids: dict[str, dict[str, int]]) -> list[object]:
    """Tryton's decisions in the order of the embedded CRM's accounts; one too many or too few shows."""
    order = [str(ids["account"][key]) for key in sorted(decided)]
    return [(key, there.get(key)) for key in order] + [each for each in there.items() if each[0] not in order]


def translated(text: str, ids: dict[str, dict[str, int]]) -> str:
    """The embedded CRM's ids as Tryton's."""
    numbers = {key: str(number) for kind in ids.values() for key, number in kind.items()}
    return own(re.sub(r"\b(?:ACC|CASE|DSP)-\d+\b|\bu-[a-z-]+\d+\b", lambda hit: numbers.get(hit[0], hit[0]), text))


def own(text: str) -> str:
    return _OWN.sub("REF", text)
