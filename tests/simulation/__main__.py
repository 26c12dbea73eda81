"""`python -m tests.simulation --seeds 300 --jobs 2`: many histories; a failing one prints how to replay it."""

from __future__ import annotations

import argparse
import gc
import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.simulation import exhaustive
from tests.simulation.history import Told, run_seed


def main() -> int:
    parser = argparse.ArgumentParser(description="Two real workers under faults, kills and people, on a virtual clock.")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, help="replay one history")
    parser.add_argument(
        "--exhaustive", type=int, metavar="EVERY", help="let every EVERYth operation fail, one at a time"
    )
    parser.add_argument("--nth", type=int, help="replay one failing operation, together with --flavour")
    parser.add_argument("--flavour", default="before", choices=(*exhaustive.FLAVOURS, "point"))
    given = parser.parse_args()
    if given.nth is not None:
        return _all(exhaustive.run_task, [(given.nth, given.flavour)], 1, "--nth N --flavour F, as above")
    if given.exhaustive:
        return _all(
            exhaustive.run_task,
            list(exhaustive.tasks(given.exhaustive)),
            given.jobs,
            "--nth N --flavour F, as above",
        )
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    return _all(run_seed, seeds, given.jobs, "--seed {seed}")


def _all(run: Callable[[Any], Told], tasks: Sequence[object], jobs: int, replay: str) -> int:
    started = time.monotonic()
    told: list[Told] = []
    with multiprocessing.get_context("fork").Pool(jobs, _warm) as pool:
        for each in pool.imap_unordered(run, tasks, chunksize=2):
            told.append(each)
            _tell(each, replay, len(told))
    failing = sum(bool(each.violations) for each in told)
    print(
        f"simulation: {len(told)} histories, {sum(each.operations for each in told)} operations, "
        f"{sum(each.faults for each in told)} faults, {sum(each.kills for each in told)} kills, "
        f"{failing} with a violation, {time.monotonic() - started:.0f} s"
    )
    print(f"{len(told) - failing} passed, {failing} failed")
    return 1 if failing else 0


def _tell(each: Told, replay: str, number: int) -> None:
    """A broken guarantee as soon as it is found, and now and then how far it has come."""
    for line in each.violations:
        print(f"seed {each.seed}: {line}", flush=True)
    if each.violations:
        print(f"  replay: python -m tests.simulation {replay.format(seed=each.seed)}", flush=True)
    if number % 500 == 0:
        print(f"{number} histories", flush=True)


def _warm() -> None:
    """What is loaded once need not be looked through for garbage in each history."""
    run_seed(0)
    gc.collect()
    gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
