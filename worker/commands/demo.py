"""`demo`: the main job on the embedded CRM, for somebody who has never seen it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import console, load, state, worker

if TYPE_CHECKING:
    from rich.console import Console

    from worker.assembly import Worker
    from worker.cycle import CycleReport
    from worker.ports import SystemPorts
    from worker.store.database import Store

_CONFIG = """\
# The demo's configuration: the shipped policy on a made-up portfolio. `make demo-reset` forgets all of it.
language: en
connectors:
  embedded:
    mapping: {config}/mappings/embedded.yaml
    options: {{path: crm.sqlite}}
notifiers:
  console:
    to: ["#escalations"]
    options: {{path: messages.txt}}
  email:
    options: {{directory: mail, sender: escalations@example.com}}
people:
  vp_cs: {{id: u-vp-01, name: Bima Santoso, email: bima.santoso@example.com, title: VP Customer Success}}
  cs_manager: {{id: u-cs-manager-01, name: Ratna Wijaya, email: ratna.wijaya@example.com, title: CS Manager}}
  ceo: {{id: u-ceo, name: Maya Kusuma, email: maya.kusuma@example.com, title: CEO}}
  cfo: {{id: u-cfo, name: Andi Prakoso, email: andi.prakoso@example.com, title: CFO}}
  cto: {{id: u-cto, name: Sari Hartono, email: sari.hartono@example.com, title: CTO}}
calendars: {config}/calendars.yaml
rates: {config}/rates.yaml
phrases: {config}/phrases
templates: {config}/templates
state_dir: state
interval: 10s
"""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(demo)


def demo(
    folder: Annotated[Path, typer.Option(help="where the demo's CRM, state and messages go")] = Path("demo"),
    accounts: Annotated[int, typer.Option(min=20, help="how many accounts to make")] = 520,
    seed: Annotated[int, typer.Option(help="another seed, another portfolio")] = 20261124,
) -> None:
    """Make a portfolio CRM and run the worker on it. Shows what was escalated and where to look."""
    out = console()
    fresh = not (folder / "crm.sqlite").exists()
    config = _prepared(folder)
    if fresh:
        _portfolio(folder, accounts, seed, out)
    settings = load(config)
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        reports = _cycles(running, store, out)
        _results(running, store, ports, folder, reports, out)


def _prepared(folder: Path) -> Path:
    from worker.settings import SHIPPED

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "escalation.yaml"
    if not path.exists():
        shipped = Path(SHIPPED).resolve()
        path.write_text(_CONFIG.format(config=shipped if shipped.is_dir() else shipped.parent), encoding="utf-8")
    return path


def _portfolio(folder: Path, accounts: int, seed: int, out: Console) -> None:
    from worker.mapping import load_mapping
    from worker.portfolio import build
    from worker.settings import SHIPPED

    shipped = Path(SHIPPED).resolve()
    mapping = load_mapping((shipped if shipped.is_dir() else shipped.parent) / "mappings" / "embedded.yaml")
    with out.status("Making a portfolio of a B2B SaaS company in Indonesia ..."):
        made = build(folder / "crm.sqlite", seed, accounts, cases=accounts * 8 + 40, mapping=mapping)
    out.print(
        f"Made a CRM of {made.accounts} accounts, {made.cases} cases, {made.disputes} payment disputes "
        f"and {made.versions} older versions over 18 months."
    )


def _cycles(running: Worker, store: Store, out: Console) -> list[CycleReport]:
    from worker import brakes
    from worker.core.model import Level

    with out.status("First cycle: reading the whole CRM, deciding ..."):
        reports = [running.cycle.run()]
    name = running.crms[0].name
    hold = reports[0].crms[name].hold
    if hold is not None:
        by_level = ", ".join(f"{count} {level}" for level, count in hold.by_level.items())
        out.print(f"The first run asks before it writes: {hold.count} accounts would be escalated ({by_level}).")
        out.print("The demo says yes for you (`escalation-worker approve`).")
        with store.begin() as tx:
            brakes.approve(tx, name, list(Level))
    with out.status("Second cycle: flags, notes, tasks, messages ..."):
        reports.append(running.cycle.run())
    with out.status("Third cycle: reading back what was written ..."):
        reports.append(running.cycle.run())
    return reports


def _results(
    running: Worker, store: Store, ports: SystemPorts, folder: Path, reports: list[CycleReport], out: Console
) -> None:
    from worker.audit import audit
    from worker.overview import write_overview
    from worker.runner import summary
    from worker.status.look import Watcher
    from worker.tables import escalation_table

    now = ports.now()
    out.print(escalation_table(store, now, Watcher(running.settings, store).names(), most=25))
    told = [summary(report) for report in reports]
    opened, delivered = (sum(int(str(each[name])) for each in told) for name in ("opened", "delivered"))
    changed = sum(int(str(each["changed"])) for each in told)
    checked = audit(running.crms[0], store)
    if opened or delivered or changed:
        out.print(f"{opened} accounts escalated, {delivered} flags, notes, tasks and messages delivered.")
    else:
        out.print("Nothing changed since the last run: nothing was written and nobody was told again.")
    verdict = "each exactly once" if checked.clean else f"{len(checked.lines)} differences"
    out.print(f"Audit: {checked.notes} notes and tasks and {checked.flags} flags compared with the CRM: {verdict}.")
    write_overview(folder / "report.html", running, store, now)
    _where_to_look(folder, _first(store), out)


def _first(store: Store) -> str:
    """The account whose escalation is the most urgent one."""
    from worker.store import escalations

    with store.read() as tx:
        found = escalations.open_ones(tx)
    return found[0][1].account_id if found else "ACC-00001"


def _where_to_look(folder: Path, account: str, out: Console) -> None:
    config = folder / "escalation.yaml"
    out.print("\nWhere to look:")
    for what, where in (
        ("flags in the CRM", f"escalation-worker crm list accounts --escalated --config {config}"),
        ("one account", f"escalation-worker crm show {account} --config {config}"),
        ("why", f"escalation-worker explain {account} --config {config}"),
        ("messages", f"{folder / 'messages.txt'} and {folder / 'mail'}/*.eml"),
        ("report", f"{folder / 'report.html'}"),
        ("as a service", f"escalation-worker run --config {config}"),
    ):
        out.print(f"  {what:<18}{where}", soft_wrap=True)
