"""Every kind of configuration and export, each small, each with the one door through which the worker reads it."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import jinja2

from connectors.crm.embedded import EmbeddedCrm
from tests.security.accidents import bent, scratched
from worker.core.model import Event, Notify
from worker.documents import FaultyDocumentError, parse_document
from worker.import_mapping import load_import_mapping
from worker.importing import import_files
from worker.mapping import load_mapping
from worker.phrasebook import PhraseBookError
from worker.phrasebook import load as load_phrases
from worker.render import Renderer
from worker.samples import samples
from worker.settings import SettingsError, load_settings
from worker.translation import load_translation

_PLACED = re.compile(r".+:\d+:\d+: .+|.+:\d+: .+", re.DOTALL)

POLICY = b"""\
connectors:
  embedded: {mapping: embedded.yaml, settle: 5s, options: {path: crm.sqlite}}
notifiers:
  slack: {to: ["#escalations"], secrets: {token: {env: TOKEN}}, fallback: console, fallback_after: 30m}
  console: {}
language: en
interval: 1m
triggers:
  churn_threat: {standard: L1, high_value: L2, strategic: L3, executive: ceo}
custom_triggers:
  noisy: {standard: L1, when: "account.health == 'red' && cases.urgent >= 2", detail: Many cases.}
levels:
  L1: {response: 4h, calendar: jakarta}
people:
  cs_manager: {id: u2, name: Ratna Wijaya, email: ratna@example.com, title: CS Manager}
segments: {strategic_tiers: [strategic], high_value_arr: IDR 1000000000}
disputes: {enter: IDR 10000000}
brakes: {first_run_asks: false, most_new: 25, most_share: 0.05}
alarms: {notifier: console, after: 15m}
retry: {attempts: 3, first_wait: 1s, max_wait: 5m, deadline: 30s}
heartbeat: {file: alive}
"""
SMALL_POLICY = b"connectors: {embedded: {mapping: embedded.yaml}}\n"
SMALL_CALENDARS = b"calendars: {jakarta: {zone: Asia/Jakarta, always_open: true}}\n"
SMALL_RATES = b"{home: IDR, max_age_days: 40}\n"
MAPPING = b"""\
account:
  object: account
  id: id
  modified: modified_at
  fields:
    name: name
    health: {field: health, values: {green: [Green, Hijau], yellow: Kuning, red: Merah}}
    arr: {field: arr, currency: IDR, currency_field: arr_currency}
    score: {field: score, red_below: 40, yellow_below: 70}
    flag_escalated: escalated
    flag_level: {field: level, values: {L1: L1, L2: L2, L3: L3}}
    flag_reason: reason
    flag_opened_at: opened_at
    flag_due_at: due_at
    flag_status: status
    flag_owner: owner
  extra: {seats: seats__c}
case:
  object: case
  fields: {account_id: account_id, status: {field: status, values: {open: [New], closed: [Closed]}}}
"""
CALENDARS = b"""\
calendars:
  jakarta:
    zone: Asia/Jakarta
    hours: {mon-thu: [09:00-12:00, "13:00-18:00"], fri: ["09:00-16:00"]}
    holidays: {remove: [], add: [{date: 2026-12-24, name: Office closed}]}
  always: {zone: UTC, always_open: true}
"""
RATES = b"""\
home: IDR
max_age_days: 45
rates:
  - {date: 2026-11-01, values: {USD: "15650.50", SGD: 12100}}
  - {date: 2026-10-01, values: {USD: "15700.25"}}
"""
PHRASES = b"""\
words:
  leave: [leave, cancel]
guards:
  - {id: quiet, kind: negation, scope: text, effect: drop, patterns: ["not {leave}"]}
phrases:
  - id: going
    label: churn_threat
    certainty: certain
    patterns: ['we (?:will )?{leave}', 'going to \\w+']
    yes: [We will leave next month.]
    no: [We like it here.]
"""
IMPORT = b"""\
numbers: detect
dates: ["%d/%m/%Y", "%Y-%m-%d"]
zone: Asia/Jakarta
account:
  id: {column: [Account ID, ID], required: true}
  name: Account Name
  arr: {column: ARR, type: number}
  renewal_on: {column: Renewal, type: date}
  seen_at: {column: Seen, type: time}
  pr_risk: {column: PR, type: truth}
"""
EXPORT = b"""\
Account ID;Account Name;ARR;Renewal;Seen;PR
A1;PT Satu;12.500.000,50;31/12/2026;2026-11-24T10:00:00+07:00;ya
A2;"PT ""Dua""
Tbk";Rp 9.000.000;01/02/2027;2026-11-24 10:00;no
A3;PT Tiga;1.000;2026-12-01;9999-12-31;x
"""
SENTENCES = b"""\
sentences:
  The health score is {colour}.: Skor kesehatan {colour}.
  "{count} cases; {more}": "{count} kasus; {more}"
words: {red: merah}
"""
TEMPLATE = b"""\
{% import "words.txt" as say %}{% set who = account.owner %}
{% for reason in escalation.reasons if reason.gone_at is none %}{{ loop.index }}. {{ reason.detail|replace("x", "y") }}
{% else %}{{ because|capitalize }}{% endfor %}
{{ say.status(escalation) }} {{ (now|when) ~ "!" }} {{ account.name if shown_name else "" }}{# a remark #}
"""


@dataclass(frozen=True)
class KindOfFile:
    """A kind of file: `accident` makes a damaged one, `outcome` reads it and tells what came of it in one word.

    A damaged file is read, or refused with its place; whatever else happens is raised.
    """

    accident: Callable[[random.Random], bytes]
    outcome: Callable[[bytes], str]


def _yaml(seed: bytes, read: Callable[[bytes], object]) -> KindOfFile:
    value = parse_document(seed, "seed.yaml").value

    def accident(dice: random.Random) -> bytes:
        if dice.random() < 0.5:
            return scratched(seed, dice)
        return json.dumps(bent(value, dice), indent=1, ensure_ascii=dice.random() < 0.2).encode()

    return KindOfFile(accident, lambda body: _told(lambda: read(body)))


def _told(read: Callable[[], object]) -> str:
    try:
        read()
    except (FaultyDocumentError, SettingsError) as refused:
        for each in refused.faults:
            assert each.file, each
            assert each.line >= 1, each
            assert each.column >= 1, each
            assert each.message, each
        return _placed(map(str, refused.faults))
    except PhraseBookError as refused:
        return _placed(refused.faults)
    return "read"


def _placed(faults: Iterable[str]) -> str:
    listed = list(faults)
    assert listed, "refused without a word"
    for each in listed:
        assert _PLACED.fullmatch(each), each
    return "refused"


def _beside(folder: Path, **files: bytes) -> None:
    for name, body in files.items():
        (folder / f"{name}.yaml").write_bytes(body)


def _settings(folder: Path, name: str) -> Callable[[bytes], object]:
    """The whole configuration, one file of it damaged."""
    _beside(folder, embedded=MAPPING, escalation=SMALL_POLICY, calendars=SMALL_CALENDARS, rates=SMALL_RATES)

    def read(body: bytes) -> object:
        (folder / f"{name}.yaml").write_bytes(body)
        return load_settings(folder / "escalation.yaml", {"TOKEN": "xoxb-1"})

    return read


def _alone(path: Path, load: Callable[[Path], object], shown: Path | None = None) -> Callable[[bytes], object]:
    def read(body: bytes) -> object:
        path.write_bytes(body)
        return load(shown or path)

    return read


def _phrases(folder: Path) -> Callable[[bytes], object]:
    (folder / "phrases").mkdir()
    return _alone(folder / "phrases/pack.yaml", load_phrases, folder / "phrases")


def _templates(folder: Path) -> KindOfFile:
    (folder / "en").mkdir()
    (folder / "en/slack_title.txt").write_text("title")
    (folder / "en/words.txt").write_text("{% macro status(one) %}{{ one.status.value }}{% endmacro %}")
    sample = next(each for each in samples() if each.escalation is not None)

    def outcome(body: bytes) -> str:
        (folder / "en/slack.txt").write_bytes(body)
        renderer = Renderer(folder, "en")
        try:
            renderer.card(Notify(Event.OPENED, 1, ()), sample)
        except jinja2.TemplateError:
            return _placed(each for each in renderer.check([sample]) if "slack.txt" in each)
        return "read"

    return KindOfFile(lambda dice: scratched(TEMPLATE, dice), outcome)


def _exports(folder: Path) -> KindOfFile:
    mapping, path = folder / "import.yaml", folder / "accounts.csv"
    mapping.write_bytes(IMPORT)
    crm = EmbeddedCrm.create(folder / "crm.sqlite")

    def outcome(body: bytes) -> str:
        path.write_bytes(body)
        report = import_files(crm, {"account": path}, mapping, folder / "rejects.csv")
        return _placed(map(str, report.faults)) if report.faults else "read"

    return KindOfFile(lambda dice: scratched(EXPORT, dice), outcome)


KINDS: dict[str, Callable[[Path], KindOfFile]] = {
    "policy": lambda folder: _yaml(POLICY, _settings(folder, "escalation")),
    "calendars": lambda folder: _yaml(CALENDARS, _settings(folder, "calendars")),
    "rates": lambda folder: _yaml(RATES, _settings(folder, "rates")),
    "mapping": lambda folder: _yaml(MAPPING, _alone(folder / "crm.yaml", load_mapping)),
    "import mapping": lambda folder: _yaml(IMPORT, _alone(folder / "import.yaml", load_import_mapping)),
    "phrases": lambda folder: _yaml(PHRASES, _phrases(folder)),
    "sentences": lambda folder: _yaml(SENTENCES, _alone(folder / "sentences.yaml", load_translation)),
    "templates": _templates,
    "exports": _exports,
}
SEEDS = {
    "policy": POLICY,
    "calendars": CALENDARS,
    "rates": RATES,
    "mapping": MAPPING,
    "import mapping": IMPORT,
    "phrases": PHRASES,
    "sentences": SENTENCES,
    "templates": TEMPLATE,
    "exports": EXPORT,
}
