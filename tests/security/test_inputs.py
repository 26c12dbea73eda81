"""Hostile input of every kind ends in a clear word or in quarantine, never in a crash, and soon."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import jinja2
import pytest
import structlog

from connectors.twins.slack import SlackTwin
from tests.office import Office
from worker.__main__ import run
from worker.apart import digest_of
from worker.core.model import EscalationId, Event, Level, Notify
from worker.core.telling import Line
from worker.documents import FaultyDocumentError
from worker.render import Renderer
from worker.samples import samples, samples_apart
from worker.settings import LogSettings, SettingsError, load_settings
from worker.telemetry import configure

ROOT = Path(__file__).parent.parent.parent

BOMBS = {
    "billion laughs": b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
    "deep list": b"a: " + b"[" * 5000,
    "deep map": b"{a: " * 5000,
    "tag": b"a: !!python/object/apply:os.system [id]",
    "merge": b"a: &x {b: 1}\nc: {<<: *x}",
    "large": b"a: '" + b"x" * 1_100_000 + b"'",
    "twice": b"language: en\nlanguage: id\n",
    "two documents": b"language: en\n---\nlanguage: id\n",
    "not utf-8": b"language: \xff\xfe",
    "nul": b"language: \x00",
    "directive": b"%YAML 9.9\n---\na: 1\n",
    "empty": b"",
    "a text": b"hello",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    path = tmp_path / "escalation.yaml"
    path.write_bytes(BOMBS[name])

    with pytest.raises((SettingsError, FaultyDocumentError)) as refused:
        load_settings(path, {})
    assert all(each.line >= 1 and each.message for each in refused.value.faults)


BODIES = {
    "infinite": '{"name": "PT", "health": "Merah", "health_score": 1e999}',
    "huge": '{"name": "PT", "health": "Merah", "arr": ' + "9" * 5000 + "}",
    "a list": "[1, 2]",
    "a number for a name": '{"name": 12, "health": ["Merah"]}',
    "surrogate": '{"name": "PT \\ud800", "health": "Merah"}',
    "nul": '{"name": "PT \\u0000", "health": "Merah"}',
    "a clock of its own": '{"name": "PT", "health": "Merah", "health_as_of": "tomorrow"}',
    "the year 9999": '{"name": "PT", "health": "Merah", "health_as_of": "9999-12-31T23:59:59Z"}',
    "a date that is none": '{"name": "PT", "renewal_on": "2026-13-45"}',
}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    with closing(Office(tmp_path)) as here:
        yield here


def test_a_record_of_any_shape_stops_no_other(office: Office) -> None:
    names = {f"B{number:02d}": body for number, body in enumerate(BODIES.values())}
    for key in (*names, "A1", "Z1"):
        office.account(key, "Green")
    office.cycle()
    for key, body in names.items():
        with office.crm.writing() as tx:
            tx.execute("UPDATE record SET body = ? WHERE id = ?", (body, key))
    for key in ("A1", "Z1"):
        office.account(key, "Merah")
    with office.crm.writing() as tx:
        tx.execute("UPDATE record SET stamp = (SELECT max(stamp) FROM record) WHERE id LIKE 'B%'")
    report = office.cycle()
    office.cycle()

    for key in ("A1", "Z1"):
        assert office.crm.get("account", key).fields.get("escalated") is True, key
    assert not any(read.failure for read in report.crms["embedded"].reads.values())
    assert not report.crms["embedded"].decided.failed


TEMPLATES = [
    "{{ ''.__class__.__mro__ }}",
    "{{ account.__init__.__globals__ }}",
    "{{ account.name.__class__.__base__.__subclasses__() }}",
    "{{ ('x' * 100000000) * 100 }}",
    "{{ 'x' * 200000000 }}",
    "{{ [1] * 100000000 }}",
    "{{ 9 ** 9 ** 9 }}",
    "{% for a in range(999999999) %}x{% endfor %}",
    "{{ cycler.__init__ }}",
    "{{ lipsum() }}",
    "{{ namespace() }}",
    "{% include '/etc/passwd' %}",
    "{% include '../../../etc/passwd' %}",
    "{% import 'os' as os %}",
    "{{ '{0.__class__}'.format(account) }}",
    "{{ '%999999999d'|format(1) }}",
    "{{ 'x'|center(999999999) }}",
    "{{ nothing.here }}",
    "{% set account.name = 'x' %}",
    "{{ 'x'.ljust(999999999) }}",
    "{{ '{:>999999999}'.format(1) }}",
    "{{ '%999999999d' % 1 }}",
    "{{ [1]|batch(999999999, 'x')|list }}",
    "{{ 1.5|round(999999999, 'ceil') }}",
    "{% set t = 'x' %}" + "{% set t = t ~ t %}" * 60 + "{{ t|length }}",
    "{% set t = 'x' %}" + "{% set t = t + t %}" * 60 + "{{ t|length }}",
    "{% set t = [1] %}" + "{% set t = t + t %}" * 60 + "{{ t|length }}",
    "{% set t = 'x' %}" + "{% set t = t|replace('', t) %}" * 60 + "{{ t|length }}",
    "{% set t = 'xx' %}" + "{% set t = t|list|join(t) %}" * 60 + "{{ t|length }}",
    "{% set t = 'xx' %}" + "{% set t = t.join(t) %}" * 60 + "{{ t|length }}",
    "{% set n = 9 %}" + "{% set n = n * n %}" * 60 + "{{ n > 1 }}",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_template_gets_out_of_nothing_and_blows_up_nothing(template: str, tmp_path: Path) -> None:
    folder = tmp_path / "en"
    folder.mkdir()
    (folder / "slack_title.txt").write_text("title")
    (folder / "slack.txt").write_text(template)
    renderer = Renderer(tmp_path, "en")

    with pytest.raises((jinja2.TemplateError, TypeError, OverflowError)):
        renderer.card(Notify(Event.OPENED, 1, ()), next(iter(samples())))


MANY = "{% set many = 'x' ~ 'y' %}" + "{% set many = many ~ many %}" * 12
ENDLESS = {
    "loops in loops": MANY
    + "\n{% for a in many %}{% for b in many %}\n{% for c in many %}{% endfor %}{% endfor %}{% endfor %}",
    "a loop that picks nothing": MANY + "\n{% for a in many %}\n{% for b in many if false %}{% endfor %}{% endfor %}",
    "a macro that calls itself twice": "{% macro m(n) %}\n{% if n %}\n"
    "{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(25) }}",
    "an include of itself": "{# -#}\n{# -#}\n{% set n = (n if n is defined else 0) + 1 %}{% if n < 25 %}"
    "{% include 'slack.txt' %}{% include 'slack.txt' %}{% endif %}",
    "filters on much": MANY + "\n\n{% for a in many %}{% set b = many|upper|lower|reverse %}{% endfor %}",
    "a range": "\n\n{% for i in range(10**9) %}{% endfor %}",
    "a recursive loop": "\n\n{% for a in [[1, 2]] recursive %}{{ loop([[1, 2]]) }}{{ loop([[1, 2]]) }}{% endfor %}",
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_template_that_works_without_end_is_refused_with_its_line(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "en"
    folder.mkdir()
    (folder / "slack_title.txt").write_text("title")
    (folder / "slack.txt").write_text(ENDLESS[name])
    renderer = Renderer(tmp_path, "en")
    said = []
    for _ in range(2):
        with pytest.raises(jinja2.TemplateError) as refused:
            renderer.card(Notify(Event.OPENED, 1, ()), next(iter(samples())))
        said.append(refused.value)
    told = [each for each in renderer.check(list(samples())[:1]) if "slack.txt" in each]

    assert str(said[0]) == str(said[1])
    assert told
    assert told[0].startswith(f"{folder / 'slack.txt'}:3: ")


def test_no_template_of_ours_comes_near_the_limit_of_steps() -> None:
    told = "PT Contoh: health red, due Tue 24 Nov, Ratna" * 2
    lines = [Line(EscalationId(f"esc_{number}"), Level.L2, told) for number in range(5_000)]
    renderer = Renderer(ROOT / "config/templates", "id")

    assert renderer.told_apart(digest_of(lines, storm=True)).text
    assert renderer.check([*samples(), *samples_apart()]) == ()


def test_a_template_without_end_is_cut(tmp_path: Path) -> None:
    folder = tmp_path / "en"
    folder.mkdir()
    (folder / "slack_title.txt").write_text("title")
    (folder / "slack.txt").write_text("{% for a in 'x'|list %}{{ because }}{% endfor %}" * 3000)

    assert len(Renderer(tmp_path, "en").card(Notify(Event.OPENED, 1, ()), next(iter(samples()))).text) < 3000


CANARIES = {
    "SLACK_BOT_TOKEN": "xoxb-canary-slack-7781",
    "SMTP_USERNAME": "canary-user-7782",
    "SMTP_PASSWORD": "canary-password-7783",
    "HEARTBEAT": "http://127.0.0.1:1/canary-heartbeat-7784",
}
SECRETIVE = """\
connectors: {{embedded: {{mapping: {root}/config/mappings/embedded.yaml, options: {{path: crm.sqlite}}}}}}
notifiers:
  slack: {{to: ["#escalations"], options: {{base_url: "{slack}"}}, secrets: {{token: {{env: SLACK_BOT_TOKEN}}}}}}
  email:
    options: {{host: 127.0.0.1, port: 1, starttls: false}}
    secrets: {{username: {{env: SMTP_USERNAME}}, password: {{env: SMTP_PASSWORD}}}}
people: {{vp_cs: {{id: u3, name: Bima Santoso, email: bima@example.com}}}}
calendars: {root}/config/calendars.yaml
rates: {root}/config/rates.yaml
phrases: {root}/config/phrases
templates: {root}/config/templates
brakes: {{first_run_asks: false, most_new: 50}}
heartbeat: {{url: {{env: HEARTBEAT}}}}
retry: {{attempts: 1, deadline: 2s}}
log: {{level: debug, format: json}}
state_dir: state
"""


def test_no_secret_is_in_any_output_log_state_or_error(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    office.account("A1", "Merah")
    out = StringIO()
    with SlackTwin() as twin, redirect_stdout(out), redirect_stderr(out):
        office.config.write_text(SECRETIVE.format(root=ROOT, slack=twin.url), encoding="utf-8")
        monkeypatch.setattr("worker.patience.Patience.settle", office.clock.now() - office.clock.now(), raising=False)
        for arguments in (["once"], ["check"], ["config", "show"], ["dead-letters"], ["status"], ["dry-run"]):
            run([*arguments, "--config", str(office.config)])
    written = b"".join(path.read_bytes() for path in office.folder.rglob("*") if path.is_file())
    said = out.getvalue()

    assert "invalid_auth" in said
    assert "canary" not in said
    assert b"canary" not in written


def test_files_of_the_worker_are_its_own(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with closing(
            Office(tmp_path, notifiers="  email: {options: {directory: mail}}\n  console: {options: {path: m.txt}}")
        ) as here:
            here.account("A1", "Merah")
            here.cycle()
            state = [
                tmp_path / "state.sqlite",
                tmp_path / "state.sqlite-wal",
                tmp_path / "m.txt",
                *(tmp_path / "mail").iterdir(),
            ]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state}
    finally:
        os.umask(before)

    assert len(modes) >= 5
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) == 0o700


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2Jx", 'a\r\n{"event": "forged"}', "\u2028x", "\u202ex"])
def test_a_log_line_is_one_line(text: str) -> None:

    stream = StringIO()
    configure(LogSettings(format="json"), stream=stream)
    structlog.get_logger().error("failure", where=text, reason=text)
    lines = stream.getvalue().splitlines()

    assert len(lines) == 1
    assert json.loads(lines[0])["event"] == "failure"
    assert "\x1b" not in lines[0]
