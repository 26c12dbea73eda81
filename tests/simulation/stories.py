"""What people and customers do to an account, and what must be true of it in the end. The oracle is independent."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from tests.simulation.targets import BROKEN, GONE
from tests.simulation.world import World

UNBEARABLE = "no rule can stand this text"


class Stage(Protocol):
    """Where stories happen."""

    world: World

    def later(self, after: timedelta, what: Callable[[], None]) -> None: ...


Act = Callable[[Stage, str], None]


@dataclass(frozen=True)
class Story:
    """Acts with minutes after the one before, and the end.

    `level` is the least that the flag must show, "" for no flag; `status` what it must show, if only one is right.
    `evidence` False: nothing at all may ever be written for this account. `aside`, `refused`, `fails`: what ops must
    be shown at the end: a record set aside, a dead letter, a decision that fails. `ends` False: the end is another's.
    `seen` False: it may be over before anybody looks. `times`: how often it may be opened.
    `judged`: the record that a person judges together with the rest. Where no worker had read it before the person
    spoke, it is news: it may escalate once more, and then the flag must name it.
    """

    acts: tuple[tuple[int, Act], ...]
    level: str = ""
    status: str = ""
    exact: bool = False
    evidence: bool = True
    aside: bool = False
    refused: bool = False
    fails: bool = False
    ends: bool = True
    seen: bool = True
    times: int = 1
    judged: str = ""


def account(**fields: object) -> Act:
    """An edit of the account's own record."""

    def act(stage: Stage, key: str) -> None:
        stage.world.put("account", key, **fields)

    return act


RED = account(health="Red", health_score=20)
YELLOW = account(health="Yellow", health_score=55)
GREEN = account(health="Green", health_score=80)


def dispute(amount: str, number: int = 1, late: int | None = None) -> Act:
    """A payment dispute in rupiah; `late` seconds pass before the CRM shows it under its old stamp."""

    def act(stage: Stage, key: str) -> None:
        fields = {"account_id": key, "amount": amount, "currency": "IDR", "status": "Open"}
        lag = None if late is None else timedelta(seconds=late)
        stage.world.put("dispute", f"D{number}-{key}", lag=lag, **fields, opened_at=stage.world.now.isoformat())

    return act


def case(late: int | None = None, **fields: object) -> Act:
    """A case of the account."""

    def act(stage: Stage, key: str) -> None:
        said = {"account_id": key, "subject": "Somasi", "status": "Open", **fields}
        lag = None if late is None else timedelta(seconds=late)
        stage.world.put("case", f"C-{key}", lag=lag, **said, opened_at=stage.world.now.isoformat())

    return act


def change_case(**fields: object) -> Act:
    """An edit of the account's case."""
    return lambda stage, key: stage.world.put("case", f"C-{key}", **fields)


def bug(*partners: str) -> Act:
    """The same bug at one customer after the other."""

    def act(stage: Stage, key: str) -> None:
        for each in partners:
            case(subject="Crash", category="Bug", bug_key=f"BUG-1{key}")(stage, f"{key}{each}")

    return act


def merge(stage: Stage, key: str) -> None:
    """Two accounts become one: the records move to the heir, the other account is gone without a trace."""
    stage.world.put("case", f"C-{key}", account_id=f"{key}x")
    stage.world.put("account", key, **{GONE: True})


def lock(stage: Stage, key: str) -> None:
    """A rule in the CRM that refuses the flag."""
    stage.world.locked.add(key)


def by_hand(then: tuple[int, Act] | None = None, **fields: object) -> Act:
    """A person's edit once the account is flagged: in the very moment of a write if one comes, else a little later.

    `then` follows so many minutes after it.
    """

    def act(stage: Stage, key: str) -> None:
        def edit() -> None:
            stage.world.armed.pop(key, None)
            stage.world.put("account", key, **fields)
            stage.world.said[key] = stage.world.now
            if then is not None:
                stage.later(timedelta(minutes=then[0]), lambda: then[1](stage, key))

        def once_flagged() -> None:
            if key in stage.world.said:
                return
            if not stage.world.truth(key).get("escalated"):
                stage.later(timedelta(minutes=3), once_flagged)
                return
            edit()

        def meddle() -> None:
            if stage.world.truth(key).get("escalated"):
                edit()
            else:
                stage.world.armed[key] = meddle

        stage.world.armed[key] = meddle
        stage.later(timedelta(minutes=stage.world.dice.randint(1, 30)), once_flagged)

    return act


STORIES: dict[str, Story] = {
    "quiet": Story(((0, account(city="Bandung")), (5, account(arr="20000000"))), evidence=False),
    "small": Story(((0, dispute("10000000")),), evidence=False),
    "red": Story(((0, RED),), "L2"),
    "dispute": Story(((0, dispute("10000001")),), "L2"),
    "halves": Story(((0, dispute("6000000")), (20, dispute("6000000", 2))), "L2"),
    "legal": Story(((0, case(category="Legal")),), "L3"),
    "late": Story(((0, dispute("25000000", late=200)), (1, dispute("1000", 2))), "L2"),
    "late_case": Story(((0, case(category="Legal", late=240)),), "L3"),
    "pr_risk": Story(((0, account(pr_risk=True)),), "L3"),
    "bug": Story(((0, bug("", "x")), (20, bug("xx"))), "L2"),
    "worse": Story(((0, YELLOW), (30, case(category="Legal"))), "L3"),
    "recovers": Story(((0, YELLOW), (40, GREEN)), seen=False),
    "closed": Story(((0, case(category="Legal")), (55, change_case(status="Closed"))), "L3", "to_confirm", seen=False),
    "bad_case": Story(
        ((0, case(category="Legal")), (55, change_case(status="???"))), "L3", "open", aside=True, seen=False
    ),
    "untick": Story(((0, RED), (0, by_hand(escalated=False)))),
    "untick_in_write": Story(((0, RED), (25, dispute("25000000")), (0, by_hand(escalated=False))), judged="D1"),
    "untick_worse": Story(((0, RED), (0, by_hand((25, case(category="Legal")), escalated=False))), "L3", times=2),
    "false_alarm": Story(((0, RED), (0, by_hand(override="false_alarm")))),
    "acknowledge": Story(((0, RED), (0, by_hand(override="acknowledged"))), "L2", "acknowledged"),
    "snooze": Story(
        ((0, RED), (0, by_hand(override="snooze", override_until="2026-11-25T00:00:00+00:00"))), "L2", "snoozed"
    ),
    "lowered": Story(((0, RED), (0, by_hand(escalation_level="L1", override="acknowledged"))), "L1", exact=True),
    "ticked": Story(((0, account(escalated=True)),), "L1"),
    "poison": Story(((0, account(health="Red", arr="not a number")),), evidence=False, aside=True),
    "broken": Story(((0, account(**{"health": "Red", BROKEN: True})),), evidence=False, aside=True),
    "healed": Story(((0, account(health="Red", arr="not a number")), (25, account(arr="5000000"))), "L2"),
    "mended": Story(((0, account(**{"health": "Red", BROKEN: True})), (25, account(**{BROKEN: False}))), "L2"),
    "locked": Story(((0, lock), (0, RED)), refused=True),
    "raises": Story(((0, case(subject=UNBEARABLE, category="Legal")),), evidence=False, fails=True),
    "removed": Story(((0, RED), (45, account(**{GONE: True}))), ends=False),
    "merged": Story(((0, case(category="Legal")), (40, merge)), ends=False),
    "heir": Story((), "L3"),
    "imported": Story((), evidence=False),
}
"""`imported` belongs to the bad bulk import, which only some worlds see; `heir` gets the cases of a merged account."""

COMMON = (
    *("red", "dispute", "legal", "late", "late_case", "untick", "untick_in_write", "false_alarm", "acknowledge"),
    *("worse", "bad_case"),
)
PARTNERS = {"bug": ("bug", "bug"), "merged": ("heir",)}
"""The stories of the accounts that are named after the first one: by one x more each."""


def cast(world: World, accounts: int = 9) -> dict[str, str]:
    """Which account lives which story."""
    rest = [name for name in STORIES if name not in (*COMMON, "imported", "heir")]
    names = [*world.dice.sample(COMMON, accounts // 2), *world.dice.sample(rest, accounts - accounts // 2)]
    world.dice.shuffle(names)
    told = {f"A{number}": name for number, name in enumerate(names)}
    return with_partners(told)


def with_partners(told: dict[str, str]) -> dict[str, str]:
    """The cast with the accounts that a story brings along."""
    others = {
        f"{key}{'x' * number}": partner
        for key, name in told.items()
        for number, partner in enumerate(PARTNERS.get(name, ()), 1)
    }
    return {**told, **others}


def tell(stage: Stage, told: dict[str, str], first: int, last: int) -> None:
    """Let the stories begin, each at a minute between `first` and `last`."""
    for key, name in told.items():
        if key.endswith("x"):
            continue
        after = timedelta(minutes=stage.world.dice.randint(first, last), seconds=stage.world.dice.randint(0, 59))
        for minutes, act in STORIES[name].acts:
            after += timedelta(minutes=minutes)
            stage.later(after, lambda act=act, key=key: act(stage, key))


def import_nonsense(stage: Stage, keys: Sequence[str]) -> None:
    """A bulk import turns accounts red at once; a person takes it back soon after."""
    for key in keys:
        stage.world.put("account", key, lag=timedelta(0), health="Red", health_score=1)
    stage.later(timedelta(minutes=12), lambda: _take_back(stage, keys))


def _take_back(stage: Stage, keys: Sequence[str]) -> None:
    for key in keys:
        stage.world.put("account", key, lag=timedelta(0), health="Green", health_score=90)
