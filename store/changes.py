"""Has anybody changed the database? Asked before each answer, so it must cost next to nothing."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine

from store.session import database_url, file_identity, sqlite_module, sqlite_path, sqlite_uri


class Changes:
    """Gives the database's present state a name: equal names, equal content.

    A name means something to this object alone, until the process ends. SQLite counts for each connection the commits
    of others (`data_version`, some microseconds, no lock waited for), so one connection is kept for this. PostgreSQL
    names the transactions that a snapshot sees; any commit on the server makes a new one.
    """

    def __init__(self, db: str, engine: Engine) -> None:
        self._engine, self._path = engine, sqlite_path(database_url(db))
        self._connection: Any = None
        self.file: tuple[int, int] | None = None
        """Identity of SQLite's file, the same in all processes: another file is another store, whatever it holds."""
        self._opened, self._lock = 0, Lock()
        self.at_once = self._path is not None
        """Whether `name` asks nobody over a network, and may be called in an event loop."""

    def name(self) -> Hashable | None:
        """The present state's; None where nobody can say: the file is gone, or is no database.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: PostgreSQL does not answer.
        """
        if self._path is not None:
            with self._lock:
                return self._of_file(self._path)
        if self._engine.dialect.name != "postgresql":
            return None
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            return self.seen_by(connection)

    def seen_by(self, connection: Connection) -> Hashable | None:
        """The name of the state that a transaction sees, which has just begun. It sees that one from now on."""
        if self._path is not None:
            connection.exec_driver_sql("PRAGMA schema_version")  # SQLite chooses the state at the first read
            return self.name()
        snapshot: str = connection.exec_driver_sql("SELECT pg_current_snapshot()::text").scalar_one()
        return snapshot

    def _of_file(self, path: Path) -> Hashable | None:
        found = file_identity(path)
        try:
            if found is None or found != self.file:
                self.close()
                self._open(path)
            return found, self._opened, self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite_module().Error:
            self.close()
            return None

    def _open(self, path: Path) -> None:
        options = {"uri": True, "timeout": 0, "isolation_level": None, "check_same_thread": False}
        self._connection = sqlite_module().connect(sqlite_uri(path, "ro"), **options)
        self.file, self._opened = file_identity(path), self._opened + 1

    def close(self) -> None:
        """Let the file go."""
        if self._connection is not None:
            self._connection.close()
        self._connection, self.file = None, None
