"""One portfolio on three CRMs: the same accounts escalated for the same reasons, the same notes, the same messages.

On a real Tryton as well, and all four together: `tests/tryton/test_parity.py`.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.parity import Outcome, drawn, on_embedded, on_hubspot, on_salesforce
from worker.portfolio import Portfolio

NOW = datetime(2026, 11, 24, 2, tzinfo=UTC)


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return drawn(NOW)


@pytest.fixture(scope="module")
def embedded(portfolio: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return on_embedded(portfolio, tmp_path_factory.mktemp("embedded"), NOW)


@pytest.fixture(scope="module")
def salesforce(portfolio: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return on_salesforce(portfolio, tmp_path_factory.mktemp("salesforce"), NOW)


@pytest.fixture(scope="module")
def hubspot(portfolio: Portfolio, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return on_hubspot(portfolio, tmp_path_factory.mktemp("hubspot"), NOW)


def test_the_portfolio_has_several_triggers_and_every_level(embedded: Outcome) -> None:
    levels = {level for level, _ in embedded.escalations.values()}
    triggers = {each for _, reasons in embedded.escalations.values() for each in reasons}

    assert levels == {1, 2, 3}
    assert len(triggers) >= 4


def test_salesforce_gives_the_same(embedded: Outcome, salesforce: Outcome) -> None:
    assert salesforce.escalations == embedded.escalations
    assert salesforce.notes == embedded.notes
    assert salesforce.messages == embedded.messages


def test_hubspot_gives_the_same(embedded: Outcome, hubspot: Outcome) -> None:
    assert hubspot.escalations == embedded.escalations
    assert hubspot.messages == embedded.messages
    assert hubspot.notes == embedded.notes
