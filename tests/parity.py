"""One portfolio on three CRMs: the same accounts escalated for the same reasons, the same notes, the same messages.

What may differ is what a vendor calls its own: ids (put back into the portfolio's keys here), the markup of notes, and
in HubSpot who wrote a ticket, where the contact is named by e-mail.
"""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connectors.twins.web import VirtualClock
from worker.assembly import assemble, open_state
from worker.mapping import load_mapping
from worker.portfolio import Portfolio, build, draw
from worker.ports import SystemPorts
from worker.rehearsal import fill_hubspot, fill_salesforce, hubspot_portal, salesforce_org
from worker.rehearsal.configuration import hubspot_connector, people_of, salesforce_connector, written
from worker.settings import SHIPPED, load_settings
from worker.wiring import open_crms

ACCOUNTS, CASES = 60, 520
BRAKES = "brakes: {first_run_asks: false, most_new: 500, most_share: 1.0}\n"
EMBEDDED = "connectors:\n  embedded:\n    options: {path: crm.sqlite}"
REF = re.compile(r"Ref ESC-[\w-]+|esc_\w+")


class Ports(SystemPorts):
    """Time is the clock's; nobody waits."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def now(self) -> datetime:
        return self._clock()

    def monotonic(self) -> float:
        return self._clock().timestamp()

    def sleep(self, seconds: float) -> None:
        self._clock.advance(timedelta(seconds=seconds))


@dataclass(frozen=True)
class Outcome:
    """What the worker did to one CRM, in the portfolio's own keys."""

    escalations: Mapping[str, tuple[int, tuple[str, ...]]]
    notes: Mapping[str, list[str]]
    messages: list[str]


@dataclass(frozen=True)
class Names:
    """Puts a vendor's ids back into the portfolio's keys."""

    keys: Mapping[str, str]

    def key(self, vendor_id: str) -> str:
        return self.keys[vendor_id]

    def text(self, given: str) -> str:
        """Words only: no markup, no ids of the vendor, no reference of the worker's own."""
        plain = html.unescape(re.sub(r"<[^>]+>", " ", given))
        named = re.sub(r"[\w@.+-]*\w", lambda found: self.keys.get(found[0], found[0]), REF.sub("REF", plain))
        return " ".join(named.split())


def worked(config: Path, clock: VirtualClock) -> None:
    """Three cycles: decide and write, read back, come to rest."""
    settings, ports = load_settings(config, {}), Ports(clock)
    store = open_state(settings, ports)
    worker = assemble(settings, store, ports)
    for _ in range(3):
        clock.advance(timedelta(minutes=1))
        report = worker.cycle.run()
        assert not [each.failure for crm in report.crms.values() for each in crm.reads.values() if each.failure]
        assert not [each.failure for each in report.lanes.values() if each.failure]
    worker.close()
    store.close()


def outcome(folder: Path, names: Names, notes: Callable[[], Iterator[tuple[str, str]]]) -> Outcome:
    with sqlite3.connect(folder / "state" / "state.sqlite") as state:
        rows = [json.loads(row[0]) for row in state.execute("SELECT body FROM escalation")]
    told: dict[str, list[str]] = {}
    for account, text in notes():
        told.setdefault(names.key(account), []).append(names.text(text))
    raised = {
        names.key(row["account_id"]): (row["level"], tuple(sorted({each["trigger"] for each in row["reasons"]})))
        for row in rows
    }
    written_down = (folder / "messages.txt").read_text(encoding="utf-8")
    messages = sorted(names.text(each) for each in re.split(r"^(?=message )", written_down, flags=re.MULTILINE) if each)
    return Outcome(raised, told, messages)


def drawn(now: datetime) -> Portfolio:
    return draw(until=now, accounts=ACCOUNTS, cases=CASES)


def on_embedded(portfolio: Portfolio, folder: Path, now: datetime) -> Outcome:
    clock = VirtualClock(now)
    mapping = load_mapping(SHIPPED / "mappings" / "embedded.yaml")
    build(folder / "crm.sqlite", accounts=ACCOUNTS, until=now, cases=CASES, mapping=mapping)
    keys = {record[1]: record[1] for record in (*portfolio.users, *portfolio.accounts)}
    people = people_of(portfolio, {**keys, "u-ceo": "u-ceo", "u-cfo": "u-cfo", "u-cto": "u-cto"})
    config = written(folder, "embedded", EMBEDDED, "none", people)
    config.write_text(config.read_text(encoding="utf-8") + BRAKES, encoding="utf-8")
    worked(config, clock)

    def notes() -> Iterator[tuple[str, str]]:
        with sqlite3.connect(folder / "crm.sqlite") as crm:
            yield from crm.execute("SELECT account_id, title || ' ' || body FROM note ORDER BY at, id")

    return outcome(folder, Names(keys), notes)


def on_salesforce(portfolio: Portfolio, folder: Path, now: datetime) -> Outcome:
    clock = VirtualClock(now)
    with salesforce_org(clock) as org:
        ids = fill_salesforce(org, portfolio)
        snippet = salesforce_connector(org.url, org.app.consumer_key)
        config = written(folder, "Salesforce", snippet, org.app.consumer_secret, people_of(portfolio, ids))
        config.write_text(config.read_text(encoding="utf-8") + BRAKES, encoding="utf-8")
        worked(config, clock)

        def notes() -> Iterator[tuple[str, str]]:
            for each in org.records("Escalation_Note__c"):
                yield each["Account__c"], f"{each['Name']} {each['Body__c']}"

        return outcome(folder, Names({vendor: key for key, vendor in ids.items()}), notes)


def on_hubspot(portfolio: Portfolio, folder: Path, now: datetime) -> Outcome:
    clock = VirtualClock(now)
    with hubspot_portal(clock) as portal:
        portal.limits.enforced = False  # the connector waits in real time, the portal counts in the clock's
        snippet = hubspot_connector(portal.url, portal.portal.zone)
        for crm in open_crms(load_settings(written(folder, "HubSpot", snippet, portal.app.key), {})):
            crm.connector.setup(crm.mapping.needs(), dry_run=False)
            crm.connector.close()
        ids = fill_hubspot(portal, portfolio)
        config = written(folder, "HubSpot", snippet, portal.app.key, people_of(portfolio, ids))
        config.write_text(config.read_text(encoding="utf-8") + BRAKES, encoding="utf-8")
        worked(config, clock)
        writers = {each["email"]: f"{each['firstname']} {each['lastname']}" for each in portal.records("contacts")}

        def notes() -> Iterator[tuple[str, str]]:
            for each in portal.records("notes"):
                (company,) = portal.linked("notes", each["hs_object_id"], "companies")
                yield company, each["hs_note_body"]

        return outcome(folder, Names({vendor: key for key, vendor in ids.items()} | writers), notes)
