"""The store's promises, on SQLite and on a real PostgreSQL alike."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import worker.store as store_package
from connectors.hearing import Click
from worker import brakes
from worker.core.model import (
    AccountId,
    Answer,
    Clock,
    ConnectorName,
    Escalation,
    EscalationId,
    Event,
    Flag,
    Level,
    Outcome,
    RecordKind,
    Role,
    Status,
    TrailEntry,
)
from worker.core.policy import Brakes
from worker.ports import SystemPorts
from worker.store import clicks, escalations, fact_history, facts, guard, outbox, progress, retention, trails
from worker.store.codec import decode, encode, micros
from worker.store.database import Store, StoreBusyError, StoreError, open_store
from worker.store.deliveries import Delivery, Intent, Kind, State
from worker.store.schema import metadata

CRM = ConnectorName("crm")
NOW = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
ACME = AccountId("acme")


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'state.sqlite'}"


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    opened = open_store(store_url, SystemPorts())
    yield opened
    opened.close()


def escalation(number: int = 1, account: AccountId = ACME) -> Escalation:
    opened = NOW + timedelta(minutes=number)
    clock = Clock(Level.L2, opened, opened, opened, opened, opened + timedelta(hours=2), "2 h")
    return Escalation(
        EscalationId(f"esc_{number}"), account, Level.L2, Status.OPEN, (), None, Role.VP_CS, opened, clock, "p1"
    )


def intent(key: str, *, lane: str = "crm", kind: Kind = Kind.NOTE, account: str = "acme", level: Level = Level.L1):
    return Intent(key, lane, kind, CRM, AccountId(account), "esc_1", Event.OPENED, 1, level, b"{}")


def version(record: str, seq: int = 1, account: str | None = None, bug: str | None = None) -> facts.Version:
    return facts.Version(record, seq, account, bug, b'{"v":%d}' % seq)


def claim(store: Store, *, owner: str = "w1", now: datetime = NOW, limit: int = 10) -> list[Delivery]:
    with store.begin() as tx:
        return outbox.claim(tx, "crm", limit, owner, now, now + timedelta(seconds=30))


def enqueue(store: Store, *intents: Intent) -> int:
    with store.begin() as tx:
        return outbox.enqueue(tx, intents, NOW)


def test_only_one_escalation_of_an_account_can_be_open(store: Store) -> None:
    """The unique index holds it, whatever the code above does."""
    with store.begin() as tx:
        escalations.save(tx, CRM, escalation(1))

    with pytest.raises(StoreBusyError), store.begin() as tx:
        escalations.save(tx, CRM, escalation(2))


def test_a_closed_one_leaves_room_and_the_open_one_is_the_latest(store: Store) -> None:
    closed = replace(escalation(1), status=Status.RESOLVED, outcome=Outcome.RESOLVED, resolved_at=NOW)
    with store.begin() as tx:
        escalations.save(tx, CRM, closed)
        escalations.save(tx, CRM, escalation(2))

        assert escalations.latest(tx, CRM, ACME).id == "esc_2"


def test_the_newest_is_the_last_to_be_opened_though_the_clock_was_put_back(store: Store) -> None:
    """Opened and closed by a clock that was an hour ahead; what comes after the clock was put right is newer."""
    ended = {"status": Status.RESOLVED, "outcome": Outcome.FALSE_ALARM, "resolved_at": NOW}
    with store.begin() as tx:
        escalations.save(tx, CRM, replace(escalation(60), **ended))
        second = escalations.save(tx, CRM, escalation(2))

        assert escalations.latest(tx, CRM, ACME) == second

        second = escalations.save(tx, CRM, replace(second, **ended))

        assert escalations.latest(tx, CRM, ACME) == second
        assert [each.id for each in escalations.all_of(tx, CRM, ACME)] == ["esc_60", "esc_2"]


@contextmanager
def of_release(store_url: str, revision: str) -> Iterator[Connection]:
    """A state as an earlier release left it."""
    old = open_store(store_url, SystemPorts(), migrate=False)
    config = Config()
    config.set_main_option("script_location", str(Path(store_package.__file__).parent / "migrations"))
    with old.engine.begin() as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, revision)
        yield tx
    old.close()


def test_an_earlier_release_s_facts_are_kept_at_the_upgrade(store_url: str) -> None:
    with of_release(store_url, "0006") as tx:
        for seq in (1, 2):
            values = {"seq": seq, "digest": b"d", "body": b'{"v":%d}' % seq}
            tx.execute(
                text(
                    "INSERT INTO fact (connector, kind, record_id, seq, account_id, bug_key, modified, seen_at, gone, "
                    "digest, body) VALUES ('crm', 'case', 'c1', :seq, 'acme', 'BUG', 'm', :seq, 0, :digest, :body)"
                ),
                values,
            )
    store = open_store(store_url, SystemPorts())
    with store.read() as tx:
        told = [(each.record_id, each.body) for each in fact_history.of_account(tx, CRM, ACME)]
        bugs = facts.bug_accounts(tx, CRM, ["BUG"])
    store.close()

    assert told == [("c1", b'{"v":1}'), ("c1", b'{"v":2}')]
    assert bugs == {"BUG": frozenset({"acme"})}


def test_facts_that_carried_names_are_told_apart_after_the_upgrade(store_url: str) -> None:
    with of_release(store_url, "0008") as tx:
        for connector, kind, record in (("crm", "case", "c1"), ("crm", "account", "acme"), ("b", "account", "acme")):
            tx.execute(
                text(
                    "INSERT INTO fact (connector, kind, record_id, seq, account_id, bug_key, modified, seen_at, gone, "
                    "body) VALUES (:connector, :kind, :record, 1, :account, NULL, 'm', 5, :gone, :body)"
                ),
                {
                    "connector": connector,
                    "kind": kind,
                    "record": record,
                    "account": "acme" if kind == "case" else None,
                    "gone": int(connector == "b"),
                    "body": f"{connector} {record}".encode(),
                },
            )
    store = open_store(store_url, SystemPorts())
    with store.read() as tx:
        told = [(each.kind, each.body, each.gone) for each in fact_history.of_account(tx, CRM, ACME)]
        others = [(each.kind, each.body, each.gone) for each in fact_history.of_account(tx, ConnectorName("b"), ACME)]
    store.close()

    assert told == [(RecordKind.ACCOUNT, b"crm acme", False), (RecordKind.CASE, b"crm c1", False)]
    assert others == [(RecordKind.ACCOUNT, b"b acme", True)]


def test_an_earlier_release_s_escalations_are_counted_at_the_upgrade(store_url: str) -> None:
    """By their times, and the open one as the newest: which one that is was read from the clock alone before."""
    ended = {"status": Status.RESOLVED, "outcome": Outcome.FALSE_ALARM, "resolved_at": NOW}
    with of_release(store_url, "0004") as tx:
        for one in (replace(escalation(60), **ended), escalation(9), replace(escalation(5), **ended)):
            tx.execute(
                text(
                    "INSERT INTO escalation (id, connector, account_id, level, status, opened_at, due_at, version, "
                    "body) VALUES (:id, 'crm', 'acme', 2, :status, :opened_at, 0, 1, :body)"
                ),
                {"id": one.id, "status": one.status, "opened_at": micros(one.opened_at), "body": encode(one)},
            )
    store = open_store(store_url, SystemPorts())
    with store.read() as tx:
        told = [each.id for each in escalations.all_of(tx, CRM, ACME)]
    store.close()

    assert told == ["esc_5", "esc_60", "esc_9"]


def test_a_decision_made_on_an_old_reading_is_refused(store: Store) -> None:
    with store.begin() as tx:
        first = escalations.save(tx, CRM, escalation())
        escalations.save(tx, CRM, replace(first, level=Level.L3))

    with pytest.raises(StoreBusyError), store.begin() as tx:
        escalations.save(tx, CRM, replace(first, level=Level.L1))


def test_an_escalation_comes_back_as_it_was_saved(store: Store) -> None:
    value = replace(escalation(), dismissed=frozenset({"b", "a"}), written=Flag(True, Level.L2, due_at=NOW))
    with store.begin() as tx:
        saved = escalations.save(tx, CRM, value)

        assert escalations.latest(tx, CRM, ACME) == saved


def test_the_trail_keeps_the_order_of_events(store: Store) -> None:
    entries = tuple(TrailEntry(Event.OPENED, n, NOW, "worker", f"because {n}", Level.L1) for n in (1, 2, 3))
    with store.begin() as tx:
        trails.record(tx, CRM, ACME, "esc_1", entries, "p1")

        assert tuple(line.entry for line in trails.trail_of(tx, CRM, ACME)) == entries


def test_the_newest_version_counts_and_the_old_ones_stay(store: Store) -> None:
    with store.begin() as tx:
        facts.append(tx, CRM, RecordKind.CASE, [version("c1", 1, "acme")], NOW)
        facts.append(tx, CRM, RecordKind.CASE, [version("c1", 2, "acme")], NOW + timedelta(hours=1))

        assert [fact.body for fact in facts.attached_facts(tx, CRM, ACME)] == [b'{"v":2}']
        assert len(fact_history.of_account(tx, CRM, ACME)) == 2
        assert facts.known(tx, CRM, RecordKind.CASE, ["c1", "nobody"])["c1"].seq == 2


def test_a_record_is_unchanged_where_its_newest_version_has_the_same_body(store: Store) -> None:
    with store.begin() as tx:
        facts.append(tx, CRM, RecordKind.CASE, [version("same"), version("back"), version("gone")], NOW)
        facts.append(tx, CRM, RecordKind.CASE, [version("back", 2)], NOW)
        facts.mark_gone(tx, CRM, RecordKind.CASE, ["gone"], NOW)

        first = b'{"v":1}'
        asked = {"same": first, "back": first, "gone": first, "never read": first}
        assert facts.unchanged(tx, CRM, RecordKind.CASE, asked) == {"same"}
        assert facts.unchanged(tx, CRM, RecordKind.ACCOUNT, asked) == set()


def test_a_case_that_moved_to_another_account_belongs_to_that_one_only(store: Store) -> None:
    with store.begin() as tx:
        facts.append(tx, CRM, RecordKind.CASE, [version("c1", 1, "acme")], NOW)
        facts.append(tx, CRM, RecordKind.CASE, [version("c1", 2, "globex")], NOW)

        assert facts.attached_facts(tx, CRM, ACME) == []
        assert len(facts.attached_facts(tx, CRM, AccountId("globex"))) == 1


def test_a_bug_counts_distinct_accounts_with_an_open_case(store: Store) -> None:
    cases = [version("c1", 1, "acme", "BUG"), version("c2", 1, "acme", "BUG"), version("c3", 1, "globex", "BUG")]
    with store.begin() as tx:
        facts.append(tx, CRM, RecordKind.CASE, cases, NOW)
        facts.append(tx, CRM, RecordKind.CASE, [version("c3", 2, "globex", None)], NOW)

        assert facts.bug_accounts(tx, CRM, ["BUG"]) == {"BUG": frozenset({"acme"})}


def test_what_is_gone_stays_in_history_and_names_its_account(store: Store) -> None:
    with store.begin() as tx:
        facts.append(tx, CRM, RecordKind.CASE, [version("c1", 1, "acme", "BUG")], NOW)

        assert facts.mark_gone(tx, CRM, RecordKind.CASE, ["c1"], NOW) == ["acme"]
        assert facts.attached_facts(tx, CRM, ACME)[0].gone
        assert facts.bug_accounts(tx, CRM, ["BUG"]) == {"BUG": frozenset()}


def test_retention_drops_old_versions_but_never_the_present_state(store: Store) -> None:
    with store.begin() as tx:
        facts.append(tx, CRM, RecordKind.ACCOUNT, [version("acme", 1), version("globex", 1)], NOW - timedelta(days=900))
        facts.append(tx, CRM, RecordKind.ACCOUNT, [version("acme", 2)], NOW)

        assert retention.forget(tx, NOW - timedelta(days=730), 100) == 1
        assert facts.account_ids(tx, CRM) == ["acme", "globex"]


def test_retention_keeps_what_an_open_escalation_of_the_same_crm_rests_on(store: Store) -> None:
    other = ConnectorName("another")
    with store.begin() as tx:
        for crm in (other, CRM):
            facts.append(tx, crm, RecordKind.ACCOUNT, [version("acme", 1)], NOW - timedelta(days=900))
            facts.append(tx, crm, RecordKind.ACCOUNT, [version("acme", 2)], NOW)
        escalations.save(tx, CRM, escalation())

        assert retention.forget(tx, NOW - timedelta(days=730), 100) == 1
        assert [len(facts.account_facts(tx, crm, ACME)) for crm in (other, CRM)] == [1, 2]


def test_a_first_load_s_records_are_versions_like_any_other(store: Store) -> None:
    with store.begin() as tx:
        facts.begin_with(tx, CRM, RecordKind.ACCOUNT, [("acme", b"{}"), ("globex", b"{}")], NOW)
        facts.append(tx, CRM, RecordKind.ACCOUNT, [version("acme", 2)], NOW + timedelta(hours=1))

        told = [(each.body, each.seen_at, each.gone) for each in facts.account_facts(tx, CRM, ACME)]
        known = facts.known(tx, CRM, RecordKind.ACCOUNT, ["acme", "globex"])

    assert told == [(b'{"v":2}', NOW + timedelta(hours=1), False), (b"{}", NOW, False)]
    assert {record_id: (last.seq, last.account_id) for record_id, last in known.items()} == {
        "acme": (2, None),
        "globex": (1, None),
    }


def test_a_mark_set_while_deciding_is_not_cleared(store: Store) -> None:
    with store.begin() as tx:
        progress.mark_dirty(tx, CRM, [ACME], NOW)
    with store.read() as tx:
        seen = progress.dirty_accounts(tx, CRM, 10)[0]
    with store.begin() as tx:
        progress.mark_dirty(tx, CRM, [ACME], NOW)
        progress.clear_dirty(tx, CRM, seen)

        assert [mark.account_id for mark in progress.dirty_accounts(tx, CRM, 10)] == [ACME]


def test_a_key_is_enqueued_once(store: Store) -> None:
    assert enqueue(store, intent("k1"), intent("k1")) == 1
    assert enqueue(store, intent("k1")) == 0


def test_an_effect_is_claimed_by_one_worker_only(store: Store) -> None:
    enqueue(store, intent("k1"))

    assert [each.intent.key for each in claim(store, owner="w1")] == ["k1"]
    assert claim(store, owner="w2") == []


def test_the_order_of_an_account_is_kept_and_the_highest_level_goes_first(store: Store) -> None:
    enqueue(store, intent("a1"), intent("a2"), intent("b1", account="globex", level=Level.L3))

    assert [each.intent.key for each in claim(store)] == ["b1", "a1"]
    assert claim(store) == []


def test_a_worker_that_was_overtaken_cannot_settle(store: Store) -> None:
    """Compare-and-set on the attempt: the late answer of attempt 1 does not touch attempt 2."""
    enqueue(store, intent("k1"))
    first = claim(store)[0]
    with store.begin() as tx:
        outbox.again(tx, first, NOW, "looked up and not found", NOW)
    second = claim(store, owner="w2")[0]
    with store.begin() as tx:
        late = outbox.done(tx, first, "remote", NOW)
        own = outbox.done(tx, second, "remote", NOW)

    assert (late, own) == (False, True)


def test_an_effect_waits_until_its_time(store: Store) -> None:
    enqueue(store, intent("k1"))
    with store.begin() as tx:
        outbox.again(tx, outbox.claim(tx, "crm", 1, "w", NOW, NOW)[0], NOW + timedelta(minutes=5), "busy", NOW)

    assert claim(store) == []
    assert len(claim(store, now=NOW + timedelta(minutes=5))) == 1


def test_a_newer_flag_takes_the_place_of_one_that_was_not_sent(store: Store) -> None:
    with store.begin() as tx:
        outbox.replace_flag(tx, intent("f1", kind=Kind.FLAG), NOW)
        outbox.replace_flag(tx, intent("f2", kind=Kind.FLAG), NOW)

    assert [each.intent.key for each in claim(store)] == ["f2"]


def test_a_flag_on_trial_may_have_reached_the_crm(store: Store) -> None:
    with store.begin() as tx:
        outbox.replace_flag(tx, intent("f1", kind=Kind.FLAG), NOW)
    claim(store)
    with store.begin() as tx:
        assert outbox.unconfirmed_flags(tx, CRM, ACME) == [b"{}"]


def test_dead_letters_go_back_under_their_key(store: Store) -> None:
    enqueue(store, intent("k1"))
    with store.begin() as tx:
        outbox.end(tx, outbox.claim(tx, "crm", 1, "w", NOW, NOW)[0], State.REFUSED, "rule", "mend it", NOW)
    with store.begin() as tx:
        assert outbox.retry_refused(tx, NOW, "k1") == 1

    assert claim(store)[0].intent.key == "k1"


def test_a_click_is_kept_once_and_goes_to_its_end(store: Store) -> None:
    click, answer = Click("k1", "U1", "C1", "esc_1|2"), Answer("k1", EscalationId("esc_1"), Level.L2, "Bima", "Slack")
    with store.begin() as tx:
        kept = [clicks.keep(tx, "slack", click, NOW), clicks.keep(tx, "slack", click, NOW)]
        elsewhere = clicks.keep(tx, "chat", click, NOW)
        waiting = clicks.heard(tx, "slack", 10)
        clicks.say(tx, "slack", CRM, AccountId("A1"), answer)
        said = clicks.said(tx, CRM, AccountId("A1"))
        clicks.decided(tx, CRM, AccountId("A1"), "k1", heeded=False)
        again = clicks.heard(tx, "slack", 10)
        clicks.settle(tx, "slack", "k1", clicks.Fate.TOLD)
        over = clicks.heard(tx, "slack", 10)

    assert (kept, elsewhere) == ([True, False], True)
    assert waiting == again == [clicks.Heard("slack", click, NOW)]
    assert (said, over) == ((answer,), [])


def test_a_lease_has_one_holder_until_it_ends(store: Store) -> None:
    later = NOW + timedelta(minutes=3)
    with store.begin() as tx:
        assert guard.take_lease(tx, "runner", "w1", NOW, later)
        assert not guard.take_lease(tx, "runner", "w2", NOW, later)
        assert guard.take_lease(tx, "runner", "w2", later, later + timedelta(minutes=3))
        assert guard.holder(tx, "runner").epoch == 2


def test_the_first_run_waits_for_a_yes_level_by_level(store: Store) -> None:
    openings = [(AccountId(str(n)), Level.L3 if n < 2 else Level.L1) for n in range(10)]
    with store.begin() as tx:
        before = brakes.brake_for(openings, brakes.first_run_levels(tx, CRM, Brakes()), 0, lambda: 500, Brakes(), NOW)
        brakes.approve(tx, CRM, [Level.L3])
        after = brakes.brake_for(openings, brakes.first_run_levels(tx, CRM, Brakes()), 0, lambda: 500, Brakes(), NOW)

    assert (before.hold.count, before.lets_pass(Level.L3)) == (10, False)
    assert (after.hold.by_level, after.lets_pass(Level.L3), after.lets_pass(Level.L1)) == ({"L1": 8}, True, False)


def test_too_many_new_escalations_are_held_as_a_whole_and_told_once(store: Store) -> None:
    openings = [(AccountId(str(n)), Level.L3) for n in range(51)]
    brake = brakes.brake_for(openings, frozenset(Level), 0, lambda: 10_000, Brakes(), NOW)
    with store.begin() as tx:
        told = [brakes.set_hold(tx, CRM, brake.hold), brakes.set_hold(tx, CRM, brake.hold)]
        brakes.approve(tx, CRM, list(Level))
        allowed = brakes.allowance(tx, CRM)
    released = brakes.brake_for(openings, frozenset(Level), allowed, lambda: 10_000, Brakes(), NOW)

    assert (brake.lets_pass(Level.L3), told, released.lets_pass(Level.L3)) == (False, [True, False], True)


def test_equal_values_have_equal_bytes() -> None:
    one = replace(escalation(), dismissed=frozenset({"a", "b", "c"}))
    two = replace(escalation(), dismissed=frozenset({"c", "b", "a"}))

    assert encode(one) == encode(two)
    assert decode(encode(one), Escalation) == one


def test_a_damaged_state_is_refused_with_a_remedy(tmp_path: Path) -> None:
    path = tmp_path / "state.sqlite"
    path.write_bytes(b"this is not a database, whatever its name says" * 100)

    with pytest.raises(StoreError, match="damaged or not a database") as refused:
        open_store(f"sqlite:///{path}", SystemPorts())
    assert "backup" in refused.value.remedy


def test_a_state_of_a_newer_release_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'state.sqlite'}"
    open_store(url, SystemPorts()).close()
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()

    with pytest.raises(StoreError, match="newer release"):
        open_store(url, SystemPorts())


def test_a_full_disk_stops_before_anything_is_taken_on(tmp_path: Path) -> None:
    store = open_store(f"sqlite:///{tmp_path / 'state.sqlite'}", SystemPorts())
    with store.begin() as tx:
        pages = tx.exec_driver_sql("PRAGMA page_count").scalar_one()
        tx.exec_driver_sql(f"PRAGMA max_page_count={pages}")

    big = replace(intent("k1"), payload=b"x" * 1_000_000)
    with pytest.raises(StoreError, match="cannot grow"), store.begin() as tx:
        outbox.enqueue(tx, [big], NOW)
    assert claim(store) == []
    store.close()


def test_the_migrations_make_what_the_tables_say(store: Store) -> None:
    with store.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []
