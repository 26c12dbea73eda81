"""Which file the `crm` commands work on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from connectors.crm.embedded.database import EmbeddedCrm

CrmOption = Annotated[Path | None, typer.Option("--crm", help="the CRM file; the configuration's by default")]


def opened_crm(crm: Path | None, config: Path) -> EmbeddedCrm:
    """The CRM in the file given, else in the configuration's. Raises BadParameter where neither names one."""
    from connectors.crm.embedded import EmbeddedCrm

    return EmbeddedCrm(crm or configured(config))


def configured(config: Path) -> Path:
    """The file of the embedded CRM that a configuration names. Raises BadParameter where it names none."""
    import os

    from worker.settings import load_settings

    for each in load_settings(config, os.environ).connectors:
        if each.module == "connectors.crm.embedded":
            return Path(str(each.options["path"]))
    raise typer.BadParameter(f"{config} names no embedded CRM; give --crm FILE")
