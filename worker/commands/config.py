"""`config`: look at the configuration without touching anything."""

from __future__ import annotations

import json
import os

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Check the configuration, show it, print its schema.", no_args_is_help=True)
    group.command()(check)
    group.command()(show)
    group.command()(schema)
    app.add_typer(group, name="config")


def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Find every fault, each with file, line and column. Exit code 0 sound, 2 faults."""
    from worker.settings import load_settings

    settings = load_settings(config, os.environ)
    for warning in settings.warnings:
        typer.echo(f"warning: {warning}")
    typer.echo(f"{config}: sound, policy version {settings.policy.version}")


def show(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Print the configuration as it works. Every default is filled in, every secret masked."""
    from ruamel.yaml import YAML

    from worker.settings import load_settings

    settings = load_settings(config, os.environ)
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = None
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # declared without a type there
    writer.width = 120
    writer.allow_unicode = True
    writer.dump(dict(settings.effective), typer.get_text_stream("stdout"))


def schema() -> None:
    """Print the JSON Schema of the file. It is published as config/escalation.schema.json."""
    typer.echo(published())


def published() -> str:
    """The schema's text."""
    from worker.schema import PolicyFile

    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **PolicyFile.model_json_schema()}
    return json.dumps(document, indent=2, ensure_ascii=False)
