"""Opening the store: SQLite by default, PostgreSQL by URL, migrated to the newest schema, refused when it is newer.

Durability before speed: WAL with synchronous=FULL, and every write transaction begins IMMEDIATE, because a deferred one
that reads first fails at once when another process writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError
from sqlalchemy.pool import StaticPool

from worker.ports import Ports

_BUSY_SECONDS = 30
_PAGE_BYTES = 8192
"""Of a new file; one that is there keeps its own. A fact takes half a kilobyte, and fewer, larger pages cost less."""
_AFTER_DAMAGE = (
    "restore the newest backup, or move the file away: "
    "the worker then finds its flags, notes and messages again by their keys"
)
_MIGRATIONS = Path(__file__).parent / "migrations"


class StoreError(Exception):
    """The state cannot be opened, read or written. `remedy` says what to do; nothing was changed."""

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class StoreBusyError(StoreError):
    """Another process changed the same row: try again in the next cycle."""


class StoreLockedError(StoreBusyError):
    """Another process holds the whole state: nothing else can be done either."""


class Store:
    """The worker's memory. One object a process; transactions come from `begin` and `read`."""

    def __init__(self, engine: Engine, ports: Ports) -> None:
        self.engine = engine
        self._ports = ports

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that may write; on leaving it is durable, on an exception it never was."""
        self._ports.at("tx:before")
        with _named(self.engine), _begun(self.engine) as tx:
            yield tx
            self._ports.at("tx:inside")
        self._ports.at("tx:after")

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads."""
        with _named(self.engine), self.engine.connect() as tx:
            if tx.dialect.name == "sqlite":
                tx.exec_driver_sql("BEGIN")
            yield tx

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()


@contextmanager
def _begun(engine: Engine) -> Iterator[Connection]:
    """SQLAlchemy's transaction, and SQLite's said by us: a listener on the engine would slow every call."""
    with engine.begin() as tx:
        if tx.dialect.name == "sqlite":
            tx.exec_driver_sql("BEGIN IMMEDIATE")
        yield tx


@contextmanager
def _named(engine: Engine) -> Iterator[None]:
    """Turn the driver's errors into ones that say what to do."""
    try:
        yield
    except IntegrityError as error:
        raise StoreBusyError(f"another process changed the same row: {error.orig}") from error
    except OperationalError as error:
        raise _operational(error, engine) from error
    except DatabaseError as error:
        raise StoreError(
            f"the state {_place(engine)} is damaged or not a database: {error.orig}",
            _AFTER_DAMAGE,
        ) from error


def _operational(error: OperationalError, engine: Engine) -> StoreError:
    said = str(error.orig).lower()
    where = _place(engine)
    if "locked" in said or "busy" in said:
        return StoreLockedError(f"the state {where} is locked by another process for more than {_BUSY_SECONDS} s")
    if "full" in said or "disk" in said:
        return StoreError(
            f"the state {where} cannot grow: {error.orig}", "free some space; the worker goes on by itself"
        )
    if "readonly" in said or "read-only" in said:
        return StoreError(
            f"the state {where} is read-only", "give the worker's user write permission on file and folder"
        )
    if "unable to open" in said:
        return StoreError(f"the state {where} cannot be opened", "make the folder, writable for the worker's user")
    return StoreError(f"the state {where} did not answer: {error.orig}", "check that the database server runs")


def _place(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=True)


def open_store(url: str, ports: Ports, *, migrate: bool = True) -> Store:
    """Open the state at a SQLAlchemy URL and bring its schema up to date.

    `sqlite://` alone lives in memory. Raises StoreError when it is damaged, unreachable or of a newer release.
    """
    engine = _engine(url)
    store = Store(engine, ports)
    with _named(engine):
        _quick_check(engine)
        if migrate:
            _migrate(engine)
    return store


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    memory = parsed.database in (None, "", ":memory:")
    if not memory:
        _private_folder(Path(str(parsed.database)))
    arguments: dict[str, Any] = {"check_same_thread": False, "timeout": _BUSY_SECONDS}
    engine = (
        create_engine(parsed, connect_args=arguments, poolclass=StaticPool)
        if memory
        else create_engine(parsed, connect_args=arguments)
    )
    event.listen(engine, "connect", _pragmas)
    return engine


def _private_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise StoreError(f"the state {path} cannot be made: {error.strerror}", "choose a writable state_dir") from error


def _pragmas(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    for pragma in (
        f"page_size={_PAGE_BYTES}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={_BUSY_SECONDS * 1000}",
    ):
        connection.execute(f"PRAGMA {pragma}").close()


def _quick_check(engine: Engine) -> None:
    if engine.dialect.name != "sqlite":
        return
    with engine.connect() as tx:
        verdict = tx.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
    if verdict != "ok":
        raise StoreError(
            f"the state {_place(engine)} is damaged: {verdict}",
            _AFTER_DAMAGE,
        )


def _migrate(engine: Engine) -> None:
    from alembic import command  # noqa: PLC0415  half a second that only opening pays for
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    present = _schema_version(engine)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    if present == script.get_current_head():
        return
    if present is not None and present not in known:
        raise StoreError(
            f"the state {_place(engine)} was written by a newer release (schema {present})",
            "install that release again, or restore the backup from before the upgrade",
        )
    with _begun(engine) as tx:
        config.attributes["connection"] = tx
        command.upgrade(config, "head")


def _schema_version(engine: Engine) -> str | None:
    with engine.connect() as tx:
        if not inspect(tx).has_table("alembic_version"):
            return None
        found = tx.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
    return None if found is None else str(found)


__all__ = ["Store", "StoreBusyError", "StoreError", "StoreLockedError", "open_store"]
