"""`python -m tests.simulation --seeds 300 --jobs 2`: many histories; a failing one prints how to replay it."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time

from tests.simulation.history import HOURS, Told, run_seed


def main() -> int:
    parser = argparse.ArgumentParser(description="Two real workers under faults, kills and people, on a virtual clock.")
    parser.add_argument("--seeds", type=int, default=300)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, help="replay one history")
    parser.add_argument("--hours", type=float, default=HOURS, help="simulated hours of each history")
    given = parser.parse_args()
    seeds = [given.seed] if given.seed is not None else range(given.first, given.first + given.seeds)
    started = time.monotonic()
    with multiprocessing.get_context("fork").Pool(given.jobs) as pool:
        told = list(pool.imap_unordered(_run, [(seed, given.hours) for seed in seeds], chunksize=5))
    return _report(told, time.monotonic() - started)


def _run(task: tuple[int, float]) -> Told:
    return run_seed(*task)


def _report(told: list[Told], seconds: float) -> int:
    failing = [each for each in told if each.violations]
    for each in sorted(failing, key=lambda each: each.seed)[:20]:
        for line in each.violations:
            print(f"seed {each.seed}: {line}")
        print(f"  replay: python -m tests.simulation --seed {each.seed}")
    print(
        f"simulation: {len(told)} histories, {sum(each.operations for each in told)} operations, "
        f"{sum(each.faults for each in told)} faults, {sum(each.kills for each in told)} kills, "
        f"{len(failing)} with a violation, {seconds:.0f} s"
    )
    print(f"{len(told) - len(failing)} passed, {len(failing)} failed")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
