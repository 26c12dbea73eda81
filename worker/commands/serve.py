"""`serve`: the status page and the metrics, beside a running worker. It reads the same state and changes nothing."""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, load

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    listen: Annotated[str, typer.Option(help="address and port; another than loopback needs a token")] = (
        "127.0.0.1:8787"
    ),
    token: Annotated[
        str, typer.Option(envvar="ESCALATION_STATUS_TOKEN", help="best given by the environment", show_default=False)
    ] = "",
) -> None:
    """Serve the status page. / is for people, /metrics for Prometheus, /livez and /readyz for whoever watches."""
    import uvicorn

    from worker.core.local_time import LocalTime
    from worker.ports import SystemPorts
    from worker.secrets import Secret
    from worker.status.app import application
    from worker.status.look import Watcher
    from worker.store.database import open_store

    host, port = _address(listen, token=bool(token))
    settings = load(config)
    bound = _bound(host, port)
    ports = SystemPorts()
    store = open_store(settings.store_url.reveal(), ports, migrate=False)
    app = application(
        Watcher(settings, store),
        ports.now,
        LocalTime(settings.language, settings.timezone),
        Secret(token) if token else None,
    )
    typer.echo(f"The status page is at http://{host}:{port}/ ; Ctrl-C ends it.")
    served = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(served).run([bound])


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise typer.BadParameter(
            f"nothing can listen on {host}:{port} ({reason}): name another with --listen"
        ) from None


def _address(listen: str, *, token: bool) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    host = host.strip("[]")
    if not colon or not port.isdecimal() or not host:
        raise typer.BadParameter(f"{listen!r} is no address such as 127.0.0.1:8787")
    if host not in _LOOPBACK and not token:
        raise typer.BadParameter(
            f"{host} can be reached from outside: set ESCALATION_STATUS_TOKEN, or listen on 127.0.0.1"
        )
    return host, int(port)
