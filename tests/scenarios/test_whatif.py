"""What-if as ops type it: the past of a CRM, a backtest, two policies side by side, a candidate in the shadow."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.scenarios.test_demo import config, run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whatif")
    assert run("demo", "--folder", str(folder), "--accounts", "120").returncode == 0
    text = (folder / "escalation.yaml").read_text(encoding="utf-8")
    (folder / "candidate.yaml").write_text(
        f"{text}\ndisputes: {{enter: IDR 2000000, leave: IDR 1000000}}\n", encoding="utf-8"
    )
    return folder


def test_the_past_is_read_once_and_backtested(demo: Path) -> None:
    first, again = run("backfill", *config(demo)), run("backfill", *config(demo))
    told = json.loads(run("backtest", *config(demo), "--json").stdout)
    shown = run("backtest", *config(demo)).stdout

    assert "old versions added" in first.stdout
    assert "0 old versions added" in again.stdout
    assert told["accounts"] == 120
    assert len({each["opened_at"][:7] for each in told["episodes"]}) > 6
    assert f"{len(told['episodes'])} escalations of 120 accounts" in shown


def test_of_the_customers_who_left_it_says_who_was_seen_and_who_was_not(demo: Path) -> None:
    run("backfill", *config(demo))
    shown = " ".join(run("backtest", *config(demo)).stdout.split())

    assert "Of 4 customers who left, 3 were escalated when they left or in the 90 days before; missed: 1." in shown
    assert shown.count("missed: ") == 2


def test_the_state_is_not_changed_by_asking(demo: Path) -> None:
    before = (demo / "state" / "state.sqlite").read_bytes()
    run("backtest", *config(demo))
    run("policy", "diff", str(demo / "escalation.yaml"), str(demo / "candidate.yaml"))

    assert (demo / "state" / "state.sqlite").read_bytes() == before


def test_two_policies_differ_where_their_limits_differ_and_nowhere_else(demo: Path) -> None:
    same = run("policy", "diff", str(demo / "escalation.yaml"), str(demo / "escalation.yaml"))
    other = json.loads(
        run("policy", "diff", str(demo / "escalation.yaml"), str(demo / "candidate.yaml"), "--json").stdout
    )

    assert "both policies want the same of every account" in " ".join(same.stdout.split())
    assert other["today"]
    assert all(each["because"].startswith("payment dispute") for each in other["today"])
    assert all("payment_dispute" in each["triggers"] for each in other["past"]["only_after"])
    assert other["past"]["only_before"] == []


def test_a_candidate_is_watched_reported_and_let_go(demo: Path) -> None:
    assert run("shadow", "report", *config(demo)).returncode == 2
    run("shadow", "start", str(demo / "candidate.yaml"), *config(demo))
    told = run("shadow", "report", *config(demo)).stdout
    candidate = demo / "candidate.yaml"
    kept = shutil.copy(candidate, demo / "kept.yaml")
    candidate.write_text(candidate.read_text(encoding="utf-8").replace("2000000", "3000000"), encoding="utf-8")
    changed = run("shadow", "report", *config(demo)).stdout
    shutil.move(kept, candidate)

    assert "are opened by the candidate alone" in " ".join(told.split())
    assert "The file has changed since" in changed
    assert "No candidate is watched" in run("shadow", "stop", *config(demo)).stdout
