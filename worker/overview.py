"""A page of what is escalated now: one self-contained HTML file, no script, nothing from the network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import jinja2
from sqlalchemy import Connection

from worker.assembly import Worker
from worker.core.model import AccountView, ConnectorName, Escalation, Level
from worker.core.money import Money
from worker.store import escalations, facts
from worker.store.database import Store
from worker.tables import until

_PAGES = Path(__file__).parent.parent / "config" / "pages"


@dataclass(frozen=True, slots=True)
class Shown:
    """One escalation as the page shows it."""

    id: str
    level: str
    account: str
    due: str
    late: bool
    reasons: tuple[str, ...]
    owner: str
    arr: str
    health: str
    csm: str
    status: str


def write_overview(path: Path, worker: Worker, store: Store, now: datetime) -> None:
    """Write the page. Times are UTC."""
    with store.read() as tx:
        found = [(one, _view(tx, worker, name, one, now)) for name, one in escalations.open_ones(tx)]
        accounts = sum(facts.account_count(tx, crm.name) for crm in worker.crms)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PAGES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("overview.html.j2").render(
        made_at=f"{now:%A %d %B %Y, %H:%M} UTC",
        accounts=accounts,
        policy_version=worker.settings.policy.version,
        items=[_shown(one, view, now) for one, view in found],
        by_level=[(str(level), sum(one.level is level for one, _ in found)) for level in sorted(Level, reverse=True)],
        late=sum(one.clock.due_at < now for one, _ in found),
        at_stake=_at_stake(view.account.arr for _, view in found if view is not None),
        by_trigger=_shares([reason.trigger for one, _ in found for reason in one.reasons]),
        by_owner=_shares([one.owner.name if one.owner else "nobody" for one, _ in found]),
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")


def _view(tx: Connection, worker: Worker, name: ConnectorName, one: Escalation, now: datetime) -> AccountView | None:
    situation = worker.cycle.decider(name).situation(tx, one.account_id, now, complete=True)
    return None if situation is None else situation.view


def _shown(one: Escalation, view: AccountView | None, now: datetime) -> Shown:
    account = None if view is None else view.account
    return Shown(
        id=one.id,
        level=str(one.level),
        account=one.account_id if account is None else account.name,
        due=until(one, now),
        late=one.clock.due_at < now,
        reasons=tuple(reason.detail for reason in one.reasons),
        owner=f"{one.owner.name} ({one.owner_role.value})" if one.owner else "nobody to answer",
        arr="ARR unknown" if account is None or account.arr is None else f"ARR {account.arr}",
        health="unknown" if account is None else account.health.colour.value,
        csm="nobody" if account is None or account.owner is None else account.owner.name,
        status=one.status.value,
    )


def _shares(names: Sequence[str]) -> list[tuple[str, int, int]]:
    counted = Counter(names).most_common(12)
    most = counted[0][1] if counted else 1
    return [(name.replace("_", " "), count, round(100 * count / most)) for name, count in counted]


def _at_stake(amounts: Iterable[Money | None]) -> list[tuple[str, str]]:
    sums: dict[str, Money] = {}
    for amount in amounts:
        if amount is not None:
            sums[amount.currency] = sums[amount.currency] + amount if amount.currency in sums else amount
    return [(currency, str(total)) for currency, total in sorted(sums.items())]
