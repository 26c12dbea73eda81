"""Cases that look like one bug, in a whole worker: one question, once; a person's key on the cases does the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from tests.office import Office, Opened
from worker import brakes, proposals
from worker.__main__ import run
from worker.core.model import ConnectorName, Role
from worker.likeness import propose_if_due
from worker.runner import Chore, Runner
from worker.settings import SettingsError, load_settings
from worker.status.look import Watcher
from worker.store import escalations

EMBEDDED = ConnectorName("embedded")
HOUR = timedelta(hours=1, minutes=1)
EXPORT = (
    (
        "Export to Excel fails with error 500",
        "Hi team,\n\nsince the update the monthly report fails to export to Excel.",
    ),
    ("Excel export error 500", "Dear support,\n\nexporting the monthly report to Excel gives error 500."),
    ("Gagal ekspor laporan ke Excel", "Halo kak,\n\nlaporan bulanan tidak bisa diekspor ke Excel, errornya 500."),
    ("Error 500 saat ekspor Excel", "Selamat pagi,\n\nekspor laporan bulanan ke Excel muncul error 500."),
)


def customer(here: Office, number: int, **more: object) -> None:
    """An account of its own with a case about the export; `more` are fields of the case."""
    subject, text = EXPORT[number % len(EXPORT)]
    here.account(f"A{number}", arr=f"{number}00000000", arr_currency="IDR")
    opened = here.clock.at_time - timedelta(hours=number)
    told = {"subject": subject, "text": text, "status": "Open", "author": "Customer", "channel": "email"}
    case = {"account_id": f"A{number}", **told, "opened_at": opened.isoformat()}
    here.crm.put("case", f"C{number}", {**case, **more})


def look(here: Office, later: timedelta = HOUR) -> None:
    """A cycle an hour later, what is due before the next one, and that one, which delivers."""
    here.cycle(later)
    propose_if_due(here.worker, here.store, here.clock)
    here.cycle()


def asked(here: Office) -> list[str]:
    return [task.subject for task in here.crm.tasks() if "pelanggan?" in task.subject or "customers?" in task.subject]


def escalated(here: Office) -> set[str]:
    with here.store.read() as tx:
        return {one.account_id for _, one in escalations.open_ones(tx)}


def standing(here: Office) -> list[tuple[str, int]]:
    with here.store.read() as tx:
        return [(each.key, each.customers) for each in proposals.open_ones(tx, EMBEDDED)]


@pytest.fixture
def three(office: Opened) -> Office:
    here = office()
    for number in (1, 2, 3):
        customer(here, number)
    look(here)
    return here


def test_the_bugs_executive_is_asked_once_with_everything_that_a_yes_needs(three: Office) -> None:
    look(three)
    (task,) = three.crm.tasks()

    assert (task.account_id, task.assignee_id) == ("A3", "u5")
    assert task.subject == "One bug at 3 customers? Error 500 saat ekspor Excel"
    for said in (
        "3 accounts wrote nearly the same within 7 d, in 3 open cases without a bug key.",
        "- PT A3 (Rp 300.000.000, CSM Dewi Anggraini): case C3 “Error 500 saat ekspor Excel”, opened Tue 24 Nov",
        "ARR at stake: Rp 600.000.000\n",
        "Why they look alike: most of them say 500, excel, ekspor, laporan. In the 28 d before nobody wrote so.\n",
        "write the same bug key, such as the number of your bug tracker, into the field bug_key of these cases",
        "From 2 accounts on the worker then escalates them as one bug at its next cycle.",
        "you are not asked again unless 3 more customers join",
    ):
        assert said in task.body, task.body
    assert escalated(three) == set()


def test_a_yes_is_one_bug_key_on_the_cases(three: Office) -> None:
    for number in (1, 2, 3):
        three.crm.put("case", f"C{number}", {"bug_key": "BUG-9"})
    look(three)

    assert escalated(three) == {"A1", "A2", "A3"}
    assert (len(asked(three)), standing(three)) == (1, [])


def test_who_joins_is_told_only_when_they_are_many(three: Office) -> None:
    for number in (4, 5):
        customer(three, number)
    look(three)

    assert (len(asked(three)), standing(three)) == (1, [("C3", 5)])

    customer(three, 6)
    look(three)
    assert asked(three)[-1].startswith("One bug at 6 customers?")
    assert "More customers joined what you were asked about before: now they are 6." in three.crm.tasks()[-1].body


def test_nothing_of_it_touches_what_the_key_rule_decides(office: Opened) -> None:
    """Two cases bear a key already: they are escalated, and the others are asked about with that key named."""
    here = office()
    for number in (1, 2, 3):
        customer(here, number)
    for number in (4, 5):
        customer(here, number, bug_key="BUG-7")
    look(here)

    assert escalated(here) == {"A4", "A5"}
    (body,) = (task.body for task in here.crm.tasks() if "customers?" in task.subject)
    assert "Other cases like these bear the bug key BUG-7." in body
    with here.store.read() as tx:
        reasons = {reason.fingerprint for _, one in escalations.open_ones(tx) for reason in one.reasons}
    assert reasons == {"multi_customer_bug:BUG-7"}


@pytest.mark.parametrize(
    "more",
    [
        {"status": "Closed"},
        {"author": "Agent"},
        {"category": "Legal"},
        {"opened_at": "2026-11-10T03:00:00+00:00"},
        {"subject": "Login", "text": "cannot log in"},
    ],
    ids=["closed", "written by us", "filed as another matter", "of two weeks ago", "any case says so"],
)
def test_what_is_no_open_case_of_now_in_a_customers_words_does_not_count(
    office: Opened, more: dict[str, object]
) -> None:
    here = office()
    customer(here, 1)
    customer(here, 2)
    customer(here, 3, **more)
    look(here)

    assert (asked(here), standing(here)) == ([], [])


def test_accounts_of_one_parent_are_one_customer(office: Opened) -> None:
    here = office()
    for number in (1, 2, 3, 4):
        customer(here, number)
    for number in (2, 3):
        here.crm.put("account", f"A{number}", {"parent_id": "A1"})
    look(here)
    assert asked(here) == []

    customer(here, 5)
    look(here)
    assert asked(here) == ["One bug at 3 customers? Export to Excel fails with error 500"]
    assert "5 accounts wrote" in here.crm.tasks()[-1].body
    assert "Accounts of one parent count as one customer: 3." in here.crm.tasks()[-1].body


def test_who_has_left_is_no_customer(office: Opened) -> None:
    here = office()
    for number in (1, 2, 3):
        customer(here, number)
    here.crm.put("account", "A2", {"churned_on": "2026-11-01"})
    look(here)

    assert asked(here) == []


def test_nothing_is_asked_before_a_first_run_has_its_yes(office: Opened) -> None:
    here = office()
    for number in (1, 2, 3):
        customer(here, number)
    here.start()
    held = brakes.Hold(brakes.Why.FIRST_RUN, here.clock.now(), {"L2": 9}, [])
    with here.store.begin() as tx:
        brakes.set_hold(tx, EMBEDDED, held)
    here.worker.cycle._pullers[EMBEDDED].run()
    propose_if_due(here.worker, here.store, here.clock)
    assert standing(here) == []

    with here.store.begin() as tx:
        brakes.set_hold(tx, EMBEDDED, None)
    propose_if_due(here.worker, here.store, here.clock)
    assert standing(here) == [("C3", 3)]


def test_another_role_is_asked_where_the_policy_says_so_and_in_its_language(office: Opened) -> None:
    here = office(more="likeness: {asks: cs_manager}\nlanguage: id")
    for number in (1, 2, 3):
        customer(here, number)
    look(here)
    (task,) = here.crm.tasks()

    assert task.assignee_id == "u2"
    assert task.subject == "Satu bug pada 3 pelanggan? Error 500 saat ekspor Excel"
    assert "3 akun menulis hal yang hampir sama dalam 7 h" in task.body
    assert "tulis kunci bug yang sama" in task.body


def test_it_can_be_switched_off(office: Opened) -> None:
    here = office(more="likeness: {enabled: false}")
    for number in (1, 2, 3):
        customer(here, number)
    look(here)

    assert asked(here) == []


def test_the_policy_takes_over_what_is_set_and_refuses_a_yes_that_would_do_nothing(office: Opened) -> None:
    here = office(more="likeness: {accounts: 4, within: 14d, again: 2}")
    rule = load_settings(here.config, {}).policy.likeness
    assert (rule.accounts, rule.within, rule.asks, rule.again) == (4, timedelta(days=14), Role.CTO, 2)

    here.configure("  console: {}", "bug_accounts: 5\nlikeness: {accounts: 4}")
    with pytest.raises(SettingsError, match="must not be below bug_accounts, 5: a yes would escalate nobody"):
        load_settings(here.config, {})


def test_it_decides_nothing_so_the_policys_version_stays(office: Opened) -> None:
    plain = load_settings(office().config, {}).policy.version
    with_likeness = load_settings(office(more="likeness: {accounts: 9}").config, {}).policy.version

    assert with_likeness == plain


def test_a_look_that_fails_is_told_and_stops_nothing(office: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    here = office()
    customer(here, 1)
    done: list[str] = []

    def fails(_now: object) -> None:
        raise RuntimeError("no words")

    chores = (Chore("likeness", fails, "report it"), Chore("other", lambda _now: done.append("other"), ""))
    runner = Runner(here.start(), here.store, here.clock, chores)
    runner.once()

    assert done == ["other"]
    assert runner._failures == {"likeness": "RuntimeError: no words"}


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str]]:
    def ask(*arguments: str) -> tuple[int, str]:
        code = run([*arguments, "--config", str(tmp_path / "escalation.yaml")])
        told = capsys.readouterr()
        return code, told.out + told.err

    return ask


@pytest.fixture
def proposed(office: Opened, tmp_path: Path) -> Office:
    here = office(more=f"store: sqlite:///{tmp_path / 'state.sqlite'}")
    for number in (1, 2, 3):
        customer(here, number)
    look(here)
    return here


def test_proposals_are_listed_and_declined(proposed: Office, command: Callable[..., tuple[int, str]]) -> None:
    code, told = command("likeness", "list")
    assert code == 0
    assert told.startswith("C3: 3 customers since ")
    assert "accounts: A1, A2, A3" in told
    assert "Sari Hartono was asked by a task in the CRM" in told
    assert "one bug? 3 customers say nearly the same" in " ".join(command("status")[1].split())

    assert command("likeness", "decline", "C3", "--by", "Sari", "--reason", "two causes") == (0, "C3 is declined\n")
    assert command("likeness", "list") == (0, "no cases of several customers say nearly the same\n")
    assert "declined by Sari on" in command("likeness", "list", "--all")[1]
    look(proposed)
    assert len(asked(proposed)) == 1


def test_declining_what_is_not_proposed_is_refused(proposed: Office, command: Callable[..., tuple[int, str]]) -> None:
    assert command("likeness", "decline", "C9") == (1, "there is no open proposal 'C9'; see `likeness list`\n")


def test_the_page_shows_what_waits_for_an_answer(proposed: Office) -> None:
    (shown,) = Watcher(load_settings(proposed.config, {}), proposed.store).look(proposed.clock.now()).alike

    assert (shown.customers, shown.to, shown.subject) == (3, "Sari Hartono", "Error 500 saat ekspor Excel")
