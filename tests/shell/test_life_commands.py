"""The trail's seal, silences and clocks from the command line, and the policy's keys behind them."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text

from tests.office import Office
from worker import store as store_package
from worker.__main__ import run
from worker.core.model import Level, Role, Segment
from worker.ports import SystemPorts
from worker.settings import SettingsError, load_settings
from worker.store import silences, trails
from worker.store.database import open_store


@pytest.fixture
def office(tmp_path: Path):
    here = Office(
        tmp_path, "  console: {options: {path: console.txt}}", f"store: sqlite:///{tmp_path / 'state.sqlite'}"
    )
    text_ = here.config.read_text(encoding="utf-8")
    here.config.write_text(
        text_.replace("    link:", f"    options: {{path: {tmp_path / 'crm.sqlite'}}}\n    link:"), "utf-8"
    )
    yield here
    here.close()


@pytest.fixture
def escalated(office: Office) -> Office:
    office.account("A1", "Red")
    office.account("B1", "Red")
    office.cycle()
    office.account("A1", "Red", override="acknowledged", override_by="Bima")
    office.cycle()
    return office


def verified(office: Office) -> list[str]:
    with office.store.read() as tx:
        return [each.what.partition(" of ")[0] for each in trails.verify(tx)[1]]


def test_a_sealed_trail_shows_edits_gaps_and_lost_ends(escalated: Office) -> None:
    whole = verified(escalated)
    found = {}
    for name, statement in {
        "edited": "UPDATE trail SET actor = 'nobody' WHERE event = 'acknowledged'",
        "moved": "UPDATE trail SET at = at + 1 WHERE event = 'opened' AND account_id = 'A1'",
        "cut off": "DELETE FROM trail WHERE event = 'acknowledged'",
    }.items():
        with escalated.store.read() as tx:
            tx.execute(text(statement))
            found[name] = [each.what for each in trails.verify(tx)[1]]
            tx.rollback()

    assert whole == verified(escalated) == []
    assert "event 2" in found["edited"][0]
    assert "was edited" in found["edited"][0]
    assert "was edited" in found["moved"][0]
    assert "had 2 events, the trail ends at event 1" in found["cut off"][0]


def test_the_trail_is_told_in_words_and_in_json(escalated: Office, capsys: pytest.CaptureFixture[str]) -> None:
    config = ("--config", str(escalated.config))
    assert run(["trail", "A1", *config]) == 0
    words = capsys.readouterr().out
    assert run(["trail", "A1", "--json", *config]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert run(["trail", "--verify", *config]) == 0

    assert "A1 L2 Bima: acknowledged: acknowledged by Bima [policy " in words
    assert [line["event"] for line in lines] == ["opened", "acknowledged"]
    assert len(lines[0]["seal"]) == 64
    assert "all sealed" in capsys.readouterr().out


def test_a_silence_is_set_shown_and_taken_away(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    config = ("--config", str(office.config))
    filters = ("--segment", "standard", "--trigger", "health_red", "--by", "Ops")
    assert run(["silence", "add", *filters, "--until", "6h", "--reason", "outage 12", *config]) == 0
    with office.store.read() as tx:
        name = silences.all_of(tx)[0].silence.id
    office.account("A1", "Red")
    office.cycle()
    held = office.crm.get("account", "A1").fields.get("escalated")
    assert run(["silence", "list", *config]) == 0
    shown = capsys.readouterr().out
    assert run(["silence", "remove", name, *config]) == 0
    office.cycle()

    assert not held
    assert "segment standard, trigger health_red, never L3" in shown
    assert "by Ops: outage 12; held back 1" in shown
    assert office.crm.get("account", "A1").fields["escalated"]
    assert run(["silence", "remove", name, *config]) != 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--until", "6h", "--reason", "r"], "at least one of"),
        (["--until", "6h", "--reason", "r", "--trigger", "helth_red"], "choose one of"),
        (["--until", "2020-01-01 10:00", "--reason", "r", "--segment", "standard"], "is over"),
        (["--until", "soon", "--reason", "r", "--segment", "standard"], "no time such as 18:00"),
    ],
)
def test_a_silence_that_cannot_be_meant_is_refused(
    office: Office, given: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["silence", "add", *given, "--config", str(office.config)]) != 0
    assert said in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_the_clock_of_an_account_tells_how_it_came_about(escalated: Office, capsys: pytest.CaptureFixture[str]) -> None:
    config = ("--config", str(escalated.config))
    assert run(["clock", "explain", "A1", *config]) == 0
    english = capsys.readouterr().out
    assert run(["clock", "explain", "A1", "--language", "id", *config]) == 0

    assert "Answer, L2, within 2 h:" in english
    assert "by Bima: this clock has stopped" in english
    assert "Resolution, L2, within 5 d:" in english
    assert "Jawaban, L2, dalam 2 jam:" in capsys.readouterr().out
    assert run(["clock", "explain", "nobody", *config]) != 0


def test_check_says_whom_a_rule_shall_tell_and_nobody_is_named_for(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["check", "--config", str(office.config)])
    unnamed = " ".join(capsys.readouterr().out.split())
    office.configure("  console: {}", "triggers: {legal_compliance: {tells: []}}")
    run(["check", "--config", str(office.config)])

    assert "counsel: legal_compliance shall be told to this role, and nobody is named" in unnamed
    assert "name one under people.counsel" in unnamed
    assert "counsel" not in capsys.readouterr().out


LIFE = """
levels:
  L1: {follow_up: {every: 36h, reminders: 3}, resolve: 0s, pause: 90m, calendars: {strategic: jakarta_office}}
triggers: {health_red: {steward: cs_manager}}
absences:
  - {who: Dewi, absent_from: 2026-12-21, absent_until: 2026-12-31, deputy: vp_cs}
"""


def test_the_policys_keys_arrive(office: Office) -> None:
    office.configure("  console: {}", LIFE)
    policy = load_settings(office.config, {}).policy
    rule, absence = policy.levels[Level.L1], policy.absences[0]

    assert (rule.follow_up.every, rule.follow_up.reminders) == (timedelta(hours=36), 3)
    assert (rule.resolve, rule.pause) == (None, timedelta(minutes=90))
    assert rule.calendar_for(Segment.STRATEGIC).name == "jakarta_office"
    assert policy.triggers["health_red"].steward is Role.CS_MANAGER
    assert absence.deputy.name == "Bima Santoso"
    assert (absence.end - absence.start, absence.start.hour) == (timedelta(days=11), 17)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("absences: [{who: A, absent_from: 2026-12-21, absent_until: 2026-12-01}]", "is before 2026-12-21"),
        ("absences: [{who: A, absent_from: 21.12.2026, absent_until: 2026-12-22}]", "write it as 2026-12-21"),
        ("absences: [{who: A, absent_from: 2026-12-21, absent_until: 2026-12-22, deputy: boss}]", "deputy"),
        ("absences: [{who: A, absent_from: 2026-12-21, absent_until: 2026-12-22, deputy: cfo}]", "names no cfo"),
        ("levels: {L1: {calendars: {strategic: moon}}}", "'moon' is no calendar"),
        ("levels: {L1: {follow_up: {every: 0s}}}", "longer than nothing"),
        ("flapping: {changes: 1}", "greater than or equal to 2"),
    ],
)
def test_what_cannot_be_meant_is_told_with_its_place(office: Office, more: str, said: str) -> None:
    office.configure("  console: {}", more)
    with pytest.raises(SettingsError) as caught:
        load_settings(office.config, {})

    assert said in str(caught.value)
    assert "escalation.yaml:" in str(caught.value)


def test_lines_of_an_earlier_release_are_sealed_at_the_upgrade(tmp_path: Path) -> None:
    """An older state has a trail without seals; after opening it, an edit shows there too."""
    engine = create_engine(f"sqlite:///{tmp_path / 'state.sqlite'}")
    config = Config()
    config.set_main_option("script_location", str(Path(store_package.__file__).parent / "migrations"))
    with engine.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "0003")
        for number in (1, 2):
            tx.execute(
                text(
                    "INSERT INTO trail (connector, account_id, escalation_id, event, event_no, at, actor, level, "
                    "because, policy_version) VALUES ('crm', 'A1', 'esc_1', 'opened', :n, :n, 'worker', 2, 'red', 'p1')"
                ),
                {"n": number},
            )
    engine.dispose()
    store = open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", SystemPorts())
    with store.begin() as tx:
        before = trails.verify(tx)
        tx.execute(text("UPDATE trail SET because = 'green' WHERE event_no = 1"))
        after = trails.verify(tx)
    store.close()

    assert before == (2, [])
    assert len(after[1]) == 1


def test_the_trail_of_who_was_never_escalated_says_so(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["trail", "A9", "--config", str(office.config)]) == 1
    assert capsys.readouterr().err == "account 'A9' was never escalated\n"


def test_explain_names_the_record_that_nobody_could_understand(
    office: Office, capsys: pytest.CaptureFixture[str]
) -> None:
    office.account("A1", "Red")
    office.cycle()
    office.account("A1", "Red", override="banana")
    office.cycle()

    assert run(["explain", "A1", "--config", str(office.config)]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "is escalated to L2" in told
    assert "nothing is cleared until it can" in told
    assert "field wish: 'banana' means none of the known words" in told


def test_a_case_is_shown_and_edited_like_an_account(office: Office, capsys: pytest.CaptureFixture[str]) -> None:
    office.account("A1")
    office.crm.put("case", "C1", {"account_id": "A1", "subject": "Error 500", "status": "Open"})
    given = ["--config", str(office.config)]

    assert run(["crm", "set", "C1", "bug_key=BUG-9", *given]) == 0
    assert run(["crm", "show", "C1", *given]) == 0
    told = capsys.readouterr().out
    assert "Error 500 (C1)" in told
    assert "bug_key: BUG-9" in told
    assert office.crm.get("case", "C1").fields["bug_key"] == "BUG-9"
