"""That the oracle is right, that one seed is one history, and that no guard can be taken away unnoticed."""

from __future__ import annotations

import pytest

from tests.simulation import stories
from tests.simulation.history import History, history_of, run_seed
from tests.simulation.sabotage import GUARDS, SEEDS, Guard, removed
from tests.simulation.world import NOTHING_WRONG, World


def test_every_story_ends_as_it_should_where_nothing_goes_wrong() -> None:
    names = [name for name in stories.STORIES if name not in ("imported", "heir")]
    told = stories.with_partners({f"A{number}": name for number, name in enumerate(names)})
    history = History(World(1, NOTHING_WRONG), told)
    stories.tell(history, told, 2, 50)

    assert history.run().violations == []


def test_one_seed_is_one_history() -> None:
    assert history_of(7, hours=1.5).run().trace == history_of(7, hours=1.5).run().trace


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_without_this_guard_it_breaks(guard: Guard) -> None:
    with removed(guard):
        noticed = any(_fails(seed) for seed in SEEDS)

    assert noticed, f"the simulation does not notice that {guard.name} is gone"


@pytest.mark.parametrize("seed", [166, 307, 379, 1227, 1886, 2838, 5022, 7434])
def test_a_history_that_was_red_once_stays_green(seed: int) -> None:
    """Each showed a fault of the product, but for 307 and 7434, where the oracle asked too much."""
    assert run_seed(seed).violations == []


def _fails(seed: int) -> bool:
    try:
        return bool(run_seed(seed).violations)
    except Exception:  # noqa: BLE001  a crash is noticed too
        return True
