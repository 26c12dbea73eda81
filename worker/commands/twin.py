"""`twin`: a strict Salesforce or HubSpot on this machine, full of the made-up portfolio, to rehearse on."""

from __future__ import annotations

import signal
import threading
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import console, load

if TYPE_CHECKING:
    from rich.console import Console

    from connectors.twins.hubspot import HubSpotTwin
    from connectors.twins.salesforce import SalesforceTwin
    from worker.portfolio import Portfolio


class Vendor(StrEnum):
    """Whose rehearsal server to start."""

    SALESFORCE = "salesforce"
    HUBSPOT = "hubspot"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(twin)


def twin(
    vendor: Annotated[Vendor, typer.Argument(help="whose CRM to rehearse")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free one")] = 0,
    folder: Annotated[Path | None, typer.Option(help="where its configuration goes; twin-VENDOR by default")] = None,
    accounts: Annotated[int, typer.Option(min=20, help="how many accounts to make")] = 520,
    seed: Annotated[int, typer.Option(help="another seed, another portfolio")] = 20261124,
) -> None:
    """Start a strict rehearsal server of a vendor's CRM. It has a made-up portfolio; Ctrl-C or SIGTERM ends it."""
    from worker.portfolio import draw

    out, stop = console(), _stopping()
    place = (folder or Path(f"twin-{vendor}")).resolve()
    with out.status("Making a portfolio ..."):
        portfolio = draw(seed, accounts, cases=accounts * 8 + 40)
    if vendor is Vendor.SALESFORCE:
        _salesforce(place, port, portfolio, out, stop)
    else:
        _hubspot(place, port, portfolio, out, stop)
    out.print("Stopped; what was written to the rehearsal is gone.")


def _salesforce(folder: Path, port: int, portfolio: Portfolio, out: Console, stop: threading.Event) -> None:
    from worker.rehearsal import fill_salesforce, salesforce_org
    from worker.rehearsal.configuration import people_of, salesforce_connector, written

    with salesforce_org(port=port) as org:
        ids = fill_salesforce(org, portfolio)
        snippet = salesforce_connector(org.url, org.app.consumer_key)
        people = people_of(portfolio, ids)
        config = written(folder, "Salesforce", snippet, org.app.consumer_secret, people)
        _told(out, org, config, snippet, {"client secret": org.app.consumer_secret}, portfolio)
        stop.wait()


def _hubspot(folder: Path, port: int, portfolio: Portfolio, out: Console, stop: threading.Event) -> None:
    from worker.rehearsal import fill_hubspot, hubspot_portal
    from worker.rehearsal.configuration import hubspot_connector, people_of, written

    with hubspot_portal(port=port) as portal:
        snippet = hubspot_connector(portal.url, portal.portal.zone)
        _set_up(written(folder, "HubSpot", snippet, portal.app.key))
        ids = fill_hubspot(portal, portfolio)
        config = written(folder, "HubSpot", snippet, portal.app.key, people_of(portfolio, ids))
        _told(out, portal, config, snippet, {"service key": portal.app.key}, portfolio)
        stop.wait()


def _set_up(config: Path) -> None:
    """What ops do once with their setup key: the properties must be there before records have them."""
    from worker.wiring import open_crms

    for crm in open_crms(load(config)):
        crm.connector.setup(crm.mapping.needs(), dry_run=False)
        crm.connector.close()


def _told(
    out: Console,
    running: SalesforceTwin | HubSpotTwin,
    config: Path,
    snippet: str,
    secrets: dict[str, str],
    portfolio: Portfolio,
) -> None:
    counted = f"{len(portfolio.accounts)} accounts, {len(portfolio.cases)} cases, {len(portfolio.disputes)} disputes"
    out.print(f"Ready at {running.url} with {counted}.")
    for name, secret in secrets.items():
        out.print(f"{name}: {secret} (good here only)")
    out.print(
        f"\nPaste into a configuration, with the secret in the file it names:\n\n{snippet}\n",
        markup=False,
        soft_wrap=True,
    )
    out.print("Or use the one that stands ready, in another window:")
    for command in ("check", "dry-run", "once", "approve", "run"):
        out.print(f"  escalation-worker {command} --config {config}", soft_wrap=True)
    out.print("\nCtrl-C ends it.")


def _stopping() -> threading.Event:
    stop = threading.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    return stop
