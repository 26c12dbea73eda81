"""The configuration: short ones work, wrong ones tell everything at once, and no secret shows."""

from __future__ import annotations

import json
import pickle
import random
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from worker.commands.config import published
from worker.core.model import Account, AccountId, AccountView, Channel, Level, Role, Segment, TriggerId
from worker.core.money import rupiah
from worker.core.policy import Verdict, default_levels, default_triggers
from worker.secrets import Secret
from worker.settings import SHIPPED, Settings, SettingsError, load_settings

Write = Callable[..., Path]
SHORT = "connectors:\n  crm:\n    module: json\nnotifiers:\n  out: {module: json, channel: console}\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "crm.yaml").write_text("{}")

    def writer(text: str, name: str = "escalation.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return path

    return writer


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    return load_settings(path, environ or {})


def told(path: Path, environ: Mapping[str, str] | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(path, environ)
    return [f"{Path(f.file).name}:{f.line}:{f.column}: {f.path}: {f.message}" for f in caught.value.faults]


def test_a_short_file_gets_every_default(write: Write) -> None:
    settings = load(write(SHORT))
    folder = settings.connectors[0].mapping.parent.parent
    assert settings.policy.triggers == default_triggers()
    assert {level: rule.response for level, rule in settings.policy.levels.items()} == {
        level: rule.response for level, rule in default_levels().items()
    }
    assert settings.policy.dispute_enter == rupiah(10_000_000)
    assert settings.policy.dispute_leave == rupiah(9_000_000)
    assert "direktur" in settings.policy.executive_titles
    assert settings.store_url == Secret(f"sqlite:///{folder / 'state' / 'state.sqlite'}")
    assert settings.phrases_dir == SHIPPED / "phrases"
    assert (settings.interval_seconds, settings.overlap) == (60, timedelta(minutes=15))
    assert settings.retry.deadline == timedelta(seconds=30)
    assert settings.writes


def test_the_shipped_file_says_what_the_defaults_say(write: Write, pytestconfig: pytest.Config) -> None:
    shipped = load(pytestconfig.rootpath / "config" / "escalation.yaml").policy
    short = load(write(SHORT)).policy
    own = shipped.custom[0].id
    assert {name: rule for name, rule in shipped.triggers.items() if name != own} == short.triggers
    assert not shipped.triggers[own].enabled
    said = ("levels", "bug_accounts", "executive_titles", "dispute_enter", "dispute_leave", "high_value_arr", "brakes")
    for name in (*said, "strategic_tiers", "high_value_tiers", "auto_resolve", "health_stale_after", "reopen_within"):
        assert getattr(shipped, name) == getattr(short, name), name
    assert all(person.email.endswith("@example.com") for person in shipped.people.values())


def test_the_published_schema_is_up_to_date(pytestconfig: pytest.Config) -> None:
    path = pytestconfig.rootpath / "config" / "escalation.schema.json"
    assert path.read_text() == published() + "\n", (
        "run: escalation-worker config schema > config/escalation.schema.json"
    )


def test_what_is_set_arrives(write: Write, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("file-secret\n")
    token.chmod(0o600)
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "smtp").write_text("credential-secret")
    settings = load(
        write(
            SHORT.replace("module: json\nnot", "module: json\n    settle: 5m\n    options: {path: a/b, limit: 3}\n"
                          "    secrets: {a: {env: A}, b: {file: token}, c: {credential: smtp}}\nnot")
            + "language: id\ntriggers: {health_red: {standard: L3, executive: cfo}}\n"
            "levels: {L2: {response: 1h30m, owner: ceo, calendar: jakarta_office, hold: {enter: 10m},"
            " auto_resolve: true}}\n"
            "people: {ceo: {name: Maya, email: maya@example.com, active: false}}\n"
            "disputes: {enter: {amount: 5000000, currency: IDR}}\nbrakes: {writes: false, most_share: 0.25}\n"
            "state_dir: s\nstore: {env: URL}\nheartbeat: {file: beat, url: https://h.example/ping}\n"
            "custom_triggers: {mine: {when: cases.open > 3, standard: L1, strategic: L2, restricted: true}}\n"
        ),
        {"A": "env-secret", "URL": "postgresql+psycopg://u:p@h/d", "CREDENTIALS_DIRECTORY": str(credentials)},
    )  # fmt: skip
    (crm,) = settings.connectors
    assert {name: secret.reveal() for name, secret in crm.secrets.items()} == {
        "a": "env-secret",
        "b": "file-secret",
        "c": "credential-secret",
    }
    assert crm.options == {"path": str(tmp_path / "a/b"), "limit": 3}
    assert crm.settle == timedelta(minutes=5)
    assert settings.notifiers[0].channel is Channel.CONSOLE
    policy = settings.policy
    red = policy.triggers[TriggerId("health_red")]
    assert (red.levels[Segment.STANDARD], red.levels[Segment.HIGH_VALUE], red.executive) == (
        Level.L3,
        Level.L2,
        Role.CFO,
    )
    level = policy.levels[Level.L2]
    assert (level.response, level.owner, level.calendar.name) == (timedelta(minutes=90), Role.CEO, "jakarta_office")
    assert (level.hold.enter, level.hold.leave) == (timedelta(minutes=10), timedelta(hours=24))
    assert policy.levels[Level.L1].calendar.always_open
    assert policy.auto_resolve == {Level.L1, Level.L2}
    assert not policy.people[Role.CEO].active
    assert (policy.dispute_enter, policy.dispute_leave) == (rupiah(5_000_000), rupiah(4_500_000))
    assert not settings.writes
    assert settings.heartbeat_file == tmp_path / "beat"
    mine = policy.triggers[TriggerId("mine")]
    assert (mine.levels[Segment.HIGH_VALUE], mine.levels[Segment.STRATEGIC], mine.restricted) == (
        Level.L1,
        Level.L2,
        True,
    )
    assert settings.store_url.reveal().startswith("postgresql+psycopg://")


@pytest.mark.parametrize("tier", ["strategic", "enterprise", "small"])
def test_a_custom_trigger_sees_the_segment_as_the_policy_does(write: Write, tier: str) -> None:
    policy = load(
        write(f"{SHORT}custom_triggers: {{a: {{when: account.segment == 'strategic', standard: L1}}}}\n")
    ).policy
    view = AccountView(Account(AccountId("a"), "x", tier=tier))
    assert policy.custom[0].holds(view) is (Verdict.YES if tier == "strategic" else Verdict.NO)


def test_every_fault_of_every_file_comes_at_once_with_its_place(write: Write) -> None:
    write("calendars: {office: {zone: Asia/Jakrta, hours: {mon-fri: ['09:00-18:00']}}}\n", "days.yaml")
    faults = told(
        write(
            "langauge: id\n"
            "triggers: {churn_threath: {standard: L2}, health_red: {standard: L9, hihg_value: L1}}\n"
            "levels:\n"
            "  L1: {response: 4, calendar: ofice, hold: {leav: 3h}}\n"
            "people: {vpcs: {name: x}, ceo: {email: nope}}\n"
            "disputes: {enter: 10.000.000, leave: USD 5}\n"
            "segments: {high_value_arr: 1000000000}\n"
            "custom_triggers:\n"
            "  mine:\n"
            "    standard: L1\n"
            "    when: |\n"
            '      account.nme == "x" &&\n'
            '        account.arr_home > "3"\n'
            '  health_red: {when: "true", standard: L1}\n'
            "connectors:\n"
            "  crm: {module: json, mapping: none.yaml, options: {password: abc}, secrets: {t: abc, x: {env: NOPE}}}\n"
            "notifiers: {pager: {module: nopager}}\n"
            "calendars: days.yaml\n"
            "store: postgresql://u:hunter2@h/db\n"
            "brakes: {most_share: 10}\n"
            "interval: 0s\n"
        )
    )
    starts = [fault.split(": ")[0] + " " + fault.split(": ")[1] for fault in faults]
    assert starts == [
        "days.yaml:1:21 calendars.office",
        "escalation.yaml:1:1 langauge",
        "escalation.yaml:2:12 triggers.churn_threath",
        "escalation.yaml:2:66 triggers.health_red.standard",
        "escalation.yaml:2:70 triggers.health_red.hihg_value",
        "escalation.yaml:4:18 levels.L1.response",
        "escalation.yaml:4:31 levels.L1.calendar",
        "escalation.yaml:4:45 levels.L1.hold.leav",
        "escalation.yaml:5:10 people.vpcs",
        "escalation.yaml:5:27 people.ceo.name",
        "escalation.yaml:5:40 people.ceo.email",
        "escalation.yaml:6:19 disputes.enter",
        "escalation.yaml:6:38 disputes.leave",
        "escalation.yaml:7:28 segments.high_value_arr",
        "escalation.yaml:12:14 custom_triggers.mine.when",
        "escalation.yaml:13:26 custom_triggers.mine.when",
        "escalation.yaml:14:3 custom_triggers.health_red",
        "escalation.yaml:16:32 connectors.crm.mapping",
        "escalation.yaml:16:63 connectors.crm.options.password",
        "escalation.yaml:16:82 connectors.crm.secrets.t",
        "escalation.yaml:16:90 connectors.crm.secrets.x",
        "escalation.yaml:17:13 notifiers.pager",
        "escalation.yaml:17:29 notifiers.pager.module",
        "escalation.yaml:19:8 store",
        "escalation.yaml:20:22 brakes.most_share",
        "escalation.yaml:21:11 interval",
    ]
    text = "\n".join(faults)
    for name in ("language", "churn_threat", "high_value", "account.name"):
        assert f"did you mean {name}?" in text
    for hint in ("{amount: 10000000, currency: IDR}", "has no unit", "{env: NAME}"):
        assert hint in text
    assert "hunter2" not in text
    assert "abc" not in text


@pytest.mark.parametrize(
    ("amount", "word"),
    [
        ("10.000.000", "digits alone"),
        ("10.000", "can be read in two ways"),
        ("IDR 10.000.000", "digits alone"),
        ("10M IDR", "not an amount"),
        ("Rp10000000", "not an amount"),
        ("{amount: 10.000.000, currency: IDR}", "digits alone"),
        ("{amount: 10000000}", "currency"),
        ("{amount: 10000000, curency: IDR}", "did you mean currency?"),
        ("{amount: true, currency: IDR}", "not an amount"),
        ("10000000", "has no currency"),
        ("IDR 0", "above zero"),
        ("IDR -5", "above zero"),
        ("USD 900", "home currency"),
        ("IDR 8000000", "must not be above"),
    ],
)
def test_an_amount_is_never_guessed(write: Write, amount: str, word: str) -> None:
    (fault,) = told(write(f"{SHORT}disputes:\n  enter: {amount}\n  leave: IDR 9000000\n"))
    assert word in fault


@pytest.mark.parametrize("value", ["5", "1.5h", "4 hours", "-3h", "h", "99999w", "true", "[1h]", "''"])
def test_a_time_needs_its_unit(write: Write, value: str) -> None:
    (fault,) = told(write(f"{SHORT}overlap: {value}\n"))
    assert fault.startswith("escalation.yaml:6:10: overlap: ")


def test_secrets_do_not_show_and_are_not_written_down() -> None:
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {secret:>20} {[secret]} {vars(Secret)}"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_config_show_masks_every_secret(write: Write) -> None:
    text = SHORT.replace("module: json\nnot", "module: json\n    secrets: {a: {env: A}}\nnot")
    settings = load(
        write(text + "store: {env: URL}\nheartbeat: {url: https://h.example/ping-canary}\n"),
        {"A": "canary-a", "URL": "sqlite:///canary-url"},
    )
    assert "canary" not in json.dumps(settings.effective) + repr(settings)
    assert {secret.reveal() for secret in settings.secret_values} >= {"canary-a", "sqlite:///canary-url"}


@pytest.mark.parametrize(
    ("mode", "outcome"), [(0o600, "ok"), (0o400, "ok"), (0o640, "warning"), (0o644, "fault"), (0o602, "fault")]
)
def test_a_secret_file_that_others_can_open(write: Write, tmp_path: Path, mode: int, outcome: str) -> None:
    (tmp_path / "token").write_text("canary")
    (tmp_path / "token").chmod(mode)
    path = write(SHORT.replace("module: json\nnot", "module: json\n    secrets: {a: {file: token}}\nnot"))
    if outcome == "fault":
        assert "open to everybody" in told(path)[0]
    else:
        assert bool(load(path).warnings) is (outcome == "warning")


@pytest.mark.parametrize(
    "source",
    [
        "{file: none}",
        "{file: .}",
        "{file: empty}",
        "{credential: x}",
        "{credential: ../x}",
        "{env: EMPTY}",
        "plain",
        "{env: A, file: b}",
        "{evn: A}",
        "{env: 3}",
        "{}",
        "[]",
        "5",
    ],
)
def test_a_secret_that_can_not_be_had_is_a_fault_at_its_place(write: Write, tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "empty").chmod(0o600)
    path = write(SHORT.replace("module: json\nnot", f"module: json\n    secrets: {{a: {source}}}\nnot"))
    (fault,) = told(path, {"EMPTY": " ", "A": "a"})
    assert fault.startswith("escalation.yaml:4:18: connectors.crm.secrets.a: ")


def test_the_version_follows_what_decides_and_nothing_else(write: Write, tmp_path: Path) -> None:
    version = load(write(SHORT)).policy.version
    for same in (
        "# a remark\n",
        "interval: 5m\n",
        "brakes: {writes: false}\n",
        "triggers: {health_red: {standard: L2}}\n",
    ):
        assert load(write(SHORT + same)).policy.version == version, same
    rates = (SHIPPED / "rates.yaml").read_text()
    (tmp_path / "other.yaml").write_text(rates.replace("max_age_days: 40", "max_age_days: 41"))
    different = {
        load(write(SHORT + text)).policy.version
        for text in ("triggers: {health_red: {standard: L1}}\n", "rates: other.yaml\n", "bug_accounts: 3\n",
                     "levels: {L1: {calendar: jakarta_office}}\n", "people: {ceo: {name: x}}\n",
                     "custom_triggers: {a: {when: 'true', standard: L1}}\n",
                     "custom_triggers: {a: {when: 'false', standard: L1}}\n")
    }  # fmt: skip
    assert len(different | {version}) == 8


@pytest.mark.parametrize(
    "text", ["", "[]", "5", "null", "connectors:", "connectors: {}", "connectors: []", "connectors: {crm: 5}"]
)
def test_files_that_say_nothing_useful(write: Write, text: str) -> None:
    assert any("connectors" in fault or "expected keys" in fault for fault in told(write(text)))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    assert "can't be read" in told(tmp_path / "none.yaml")[0]
    assert "can't be read" in told(tmp_path)[0]


def test_mutated_files_never_end_in_a_traceback(write: Write, pytestconfig: pytest.Config) -> None:
    whole = (pytestconfig.rootpath / "config" / "escalation.yaml").read_text()
    own = {"connectors.crm.embedded": "json", "mappings/embedded": "mappings/crm"}
    own |= {
        "console: {}": "console: {module: json, channel: console}",
        "  email:": "  email:\n    module: json\n    channel: email",
    }
    for theirs, ours in own.items():
        whole = whole.replace(theirs, ours)
    chance = random.Random(4711)
    refused: list[SettingsError] = []
    for _ in range(500):
        try:
            load(write(_mutated(whole, chance)))
        except SettingsError as error:
            refused.append(error)
    assert len(refused) > 250
    assert all(f.line >= 1 and f.column >= 1 and f.message for error in refused for f in error.faults)


def _mutated(text: str, chance: random.Random) -> str:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for _ in range(chance.randint(1, 3)):
        row = chance.randrange(len(lines))
        line, at = lines[row], chance.randrange(len(lines[row]) + 1)
        word = chance.choice(
            [
                "[",
                "}",
                ": ",
                "- ",
                "&a ",
                "*a",
                "!x ",
                '"',
                "null",
                "9" * 25,
                "-1",
                "\t",
                "é",
                "%",
                "|\n",
                "1e99",
                "0.000.1",
                "\x00",
                "{a: 1}",
                "[[1]]",
                "true",
                "''",
            ]
        )
        lines[row] = chance.choice(
            [
                line[:at] + word + line[at:], line[:at] + line[at + 3 :], line + "\n" + line, " " + line,
                line.split(":")[0] + ": " + word, chance.choice(lines), "",
            ]
        )  # fmt: skip
        lines = "\n".join(lines).split("\n")
    return "\n".join(lines)
