"""A few histories, that one seed is one history, and that guards matter: without them the simulation turns red."""

from __future__ import annotations

from contextlib import ExitStack
from unittest.mock import patch

import pytest

from tests.simulation.history import run_seed
from worker import effects
from worker.core import reconcile
from worker.deliver import Deliverer
from worker.mirror import Mirror
from worker.store import outbox


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_nothing_is_broken(seed: int) -> None:
    assert run_seed(seed).violations == []


def test_one_seed_is_one_history() -> None:
    assert run_seed(7, hours=1).trace == run_seed(7, hours=1).trace


def _no_look_up(self, lane, report):
    """Send again at once what has no answer."""
    now = self._ports.now()
    with self._store.begin() as tx:
        for each in outbox.unanswered(tx, lane.name, now, 100):
            outbox.again(tx, each, now, "blind", now)


SABOTAGE = {
    "look-up before resend": (patch.object(Deliverer, "_resolve", _no_look_up), range(1, 7)),
    "a person's hand on the flag is an override": (patch.object(reconcile, "heed_flag", lambda *_: None), range(1, 5)),
    "the mark in the page's transaction": (patch.object(Mirror, "_mark", lambda *_: None), range(1, 3)),
    "key names the event": (
        patch.object(
            effects, "key_of", lambda subject, event, number, channel, part="": f"{subject.account_id}{channel}"
        ),
        range(1, 4),
    ),
}


@pytest.mark.parametrize("guard", SABOTAGE)
def test_without_this_guard_it_breaks(guard: str) -> None:
    patched, seeds = SABOTAGE[guard]
    with ExitStack() as stack:
        stack.enter_context(patched)

        assert any(_fails(seed) for seed in seeds), f"the simulation does not notice that {guard} is gone"


def _fails(seed: int) -> bool:
    try:
        return bool(run_seed(seed).violations)
    except Exception:  # noqa: BLE001  a crash is noticed too
        return True
