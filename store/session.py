"""Engines and sessions for SQLite and PostgreSQL, one place for the pragmas."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic_core import from_json
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.orm import Session, sessionmaker

from store.errors import StoreGone

BUSY_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 5
POOL = 10
"""Connections that are kept. Opening one to SQLite reads the whole schema, so a server must not do it for each page."""
MOVED = "moved"
"""What a connection of a server knows: a function that says whether its file was deleted or replaced."""


def database_url(db: str | Path) -> str:
    """A path or a URL -> a URL. A bare path is a SQLite file."""
    text = str(db)
    return text if "://" in text else f"sqlite:///{text}"


def without_password(db: str | Path) -> str:
    """How `db` may be shown: a path as it is, a URL with its password hidden."""
    text = str(db)
    return make_url(text).render_as_string(hide_password=True) if "://" in text else text


def sqlite_path(url: str) -> Path | None:
    """The file behind a SQLite URL; None for another database or memory."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        return None
    return Path(parsed.database)


def sqlite_uri(path: Path, mode: str) -> str:
    """As SQLite's `open` takes it. `mode` is ro or rw: neither makes a file."""
    return f"file:{quote(str(path.absolute()))}?mode={mode}"


def file_identity(path: Path) -> tuple[int, int] | None:
    """Tells a file from one that took its place; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def sqlite_module() -> Any:
    """pysqlite3 where it is installed (its SQLite has no WAL-reset bug), else the standard one."""
    try:
        import pysqlite3
    except ImportError:
        return sqlite3
    return pysqlite3


def read_json(text: str) -> Any:
    """JSON of the store, in less than half the standard library's time. SQLite keeps a NaN in it, for which no page
    and no answer has a word; and halves of letters, which only the standard library reads."""
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        return json.loads(text, parse_constant=lambda _name: None)


def make_engine(
    db: str | Path,
    *,
    read_only: bool = False,
    must_exist: bool = False,
    wait_ms: int = BUSY_TIMEOUT_MS,
    lock_ms: int | None = None,
    settles: bool = True,
) -> Engine:
    """An engine for `db`. Readers cannot write, and see one state of the database in a transaction. What is read or
    written stands in no error: people's notes must not come into a log.

    Args:
        must_exist: make no SQLite file. Readers never do.
        wait_ms: how long a SQLite writer waits for another's lock.
        lock_ms: the same for each statement of PostgreSQL; None waits without end, as workers may.
        settles: a commit that finds SQLite's log long brings it into the file (see `store.write_ahead`).

    Raises:
        sqlalchemy.exc.ArgumentError: `db` is no URL that SQLAlchemy knows.
    """
    url = database_url(db)
    kind = make_url(url).get_backend_name()
    if kind == "postgresql":
        return _postgresql_engine(url, read_only, lock_ms)
    if kind != "sqlite":
        return create_engine(url, pool_pre_ping=True, hide_parameters=True)
    return _sqlite_engine(url, read_only, must_exist, wait_ms, settles)


def _postgresql_engine(url: str, read_only: bool, lock_ms: int | None) -> Engine:
    settings = {"default_transaction_read_only": "on"} if read_only else {}
    settings |= {} if lock_ms is None else {"lock_timeout": str(lock_ms)}

    def set_settings(connection: Any, _record: Any) -> None:
        with connection.cursor() as cursor:
            for name, value in settings.items():
                cursor.execute(f"SET {name} = {value}")
        connection.commit()

    arguments = {"connect_timeout": CONNECT_TIMEOUT_S}
    isolation: Any = {"isolation_level": "REPEATABLE READ"} if read_only else {}
    shared: Any = {"pool_pre_ping": True, "pool_size": POOL, "hide_parameters": True}
    engine = create_engine(url, connect_args=arguments, json_deserializer=read_json, **shared, **isolation)
    event.listen(engine, "connect", set_settings)
    return engine


@contextmanager
def reading_engine(engine: Engine) -> Iterator[Engine]:
    """Another one for the same database, which only reads, and so takes no writers' lock.

    Args:
        engine: a worker's, made without `must_exist`.
    """
    made = make_engine(engine.url.render_as_string(hide_password=False), read_only=True)
    try:
        yield made
    finally:
        made.dispose()


def _sqlite_engine(url: str, read_only: bool, must_exist: bool, wait_ms: int, settles: bool) -> Engine:
    path = sqlite_path(url)
    arguments: dict[str, Any] = {"timeout": wait_ms / 1000, "check_same_thread": False}
    if path is not None and (read_only or must_exist):
        url = f"sqlite:///{sqlite_uri(path, 'ro' if read_only else 'rw')}&uri=true"
    more: dict[str, Any] = {} if path is None else {"pool_size": POOL}
    if read_only:
        more["json_deserializer"] = read_json
    engine = create_engine(url, module=sqlite_module(), connect_args=arguments, hide_parameters=True, **more)
    if path is not None and (read_only or must_exist):
        _follow(engine, path)
    event.listen(engine, "connect", _pragmas(read_only, wait_ms, settles))
    # a transaction that will write takes the lock at its start, so it waits instead of failing midway;
    # a reader's sees one state of the database from its first statement to its last
    begin = "BEGIN" if read_only else "BEGIN IMMEDIATE"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _pragmas(read_only: bool, wait_ms: int, settles: bool) -> Callable[[Any, Any], None]:
    def set_pragmas(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # SQLAlchemy's begin event opens transactions, not the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.execute(f"PRAGMA busy_timeout = {wait_ms}")
        if not read_only:
            cursor.execute("PRAGMA journal_mode = WAL")
            cursor.execute("PRAGMA synchronous = FULL")
            if not settles:
                cursor.execute("PRAGMA wal_autocheckpoint = 0")
        cursor.close()

    return set_pragmas


def _follow(engine: Engine, path: Path) -> None:
    """Where the file is another by now, connections to the old one are replaced before they are used."""

    def opened(_connection: Any, record: Any) -> None:
        identity = file_identity(path)
        record.info[MOVED] = lambda: file_identity(path) != identity

    def unmoved(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info[MOVED]():
            raise DisconnectionError(f"{path} was deleted or replaced")

    event.listen(engine, "connect", opened)
    event.listen(engine, "checkout", unmoved)


class FileSession(Session):
    """A session that says so where it wrote to a file which is no longer the store's: SQLite writes on to a deleted
    one without a word."""

    def commit(self) -> None:
        """Write.

        Raises:
            StoreGone: the file was deleted or replaced meanwhile; what was written is lost.
        """
        moved = self.connection().info.get(MOVED) if self.in_transaction() else None
        super().commit()
        if moved is not None and moved():
            raise StoreGone("The database file was deleted or replaced while this was written; it is not saved.")


def session_factory(engine: Engine) -> sessionmaker[Session]:
    """Sessions whose objects stay readable after the session ends."""
    return sessionmaker(engine, class_=FileSession, expire_on_commit=False)
