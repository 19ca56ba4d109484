"""How workers write: in short transactions, one worker at a time, so that a person's save waits for none of them long.

SQLite has one writer's lock, for which waiters ask in turns of up to a tenth of a second: who takes it again at once
starves them. So a worker holds it for a fraction of a second, by the clock, then leaves it alone for longer than such a
turn, or twice as long as it had it; and workers queue up among themselves, by a lock on a file beside the store.
PostgreSQL needs neither. What is written goes from SQLite's log into its file after the lock is let go, by the worker
or by the server between answers (`store.write_ahead`): never in a person's save.

What is written this way is not seen before it is whole: its run is `WRITING` until the last transaction. A writer that
was killed leaves such a run behind; whoever writes next removes it (`store.leftovers`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Engine, Table, func, select, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from store.alive import Process
from store.session import session_factory, sqlite_path
from store.tables import Base, Run

T = TypeVar("T")
Row = dict[str, Any]
COMPLETE, WRITING = "complete", "writing"
HELD_S = 0.3
"""How long a transaction is meant to hold the lock."""
PAUSE_S = 0.13
"""How long it is then free, at most: longer than a waiter of SQLite's sleeps."""
PATIENCE_S = 600.0
"""How long a locked database is asked again: a dozen jobs of one suite may end together."""
_FIRST, _LEAST, _MOST = 200, 20, 2_000  # rows of a transaction
_PIECE = 50  # rows between two looks at the clock


class Writer:
    """Writes to a store in short transactions. One that finds the database locked is made again, and so is one whose
    new rows another worker brought at the same moment (the same model, the same token)."""

    def __init__(self, engine: Engine, process: Process) -> None:
        self._sessions, self.process = session_factory(engine), process
        path = sqlite_path(engine.url.render_as_string())
        self._sqlite = engine.dialect.name == "sqlite"
        self._queue = None if path is None else path.with_name(f"{path.name}.write-lock")
        self._sizes: dict[str, int] = {}
        self._held = self._pause = 0.0
        self.run: int | None = None
        """The run that is being written: each transaction says in its row that this process lives."""

    def transaction(self, work: Callable[[Session], T]) -> T:
        """Do it and commit.

        Args:
            work: may be called several times, in a new session each.

        Raises:
            sqlalchemy.exc.OperationalError: locked for `PATIENCE_S`, or what waiting does not mend.
        """
        end = time.monotonic() + PATIENCE_S
        while True:
            try:
                with self._turn():
                    return self._once(work)
            except (OperationalError, IntegrityError) as error:
                if time.monotonic() > end or not _passes(error):
                    raise
                time.sleep(PAUSE_S)

    def _once(self, work: Callable[[Session], T]) -> T:
        self._held = 0.0
        with self._sessions() as session, session.begin():
            session.connection()  # SQLite's lock is taken here: what was waited for it is not held
            begun = time.monotonic()
            found = work(session)
            if self.run is not None:
                session.execute(update(Run).where(Run.id == self.run).values(writer=self.process.stamp()))
        self._held = time.monotonic() - begun
        return found

    def insert(self, table: type[Base], rows: Iterable[Row]) -> None:
        """Insert rows, so many at a time as take `HELD_S`. They are made between the transactions."""
        statement = cast(Table, table.__table__).insert()  # the ORM's own insert costs twice as much a row
        left, name, made = iter(rows), table.__tablename__, list[Row]()
        while made := [*made, *islice(left, max(0, self.size(name) - len(made)))]:
            done = self.transaction(lambda session, made=made: _insert_some(session, statement, made))  # type: ignore[misc]
            self._fit(name, done)
            made = made[done:]

    def timed(self, name: str, rows: int, work: Callable[[Session], Any]) -> None:
        """A piece of something long; `size` then says how large the next one may be."""
        self.transaction(work)
        self._fit(name, rows // 2)  # half of `HELD_S`: nobody looks at the clock within a piece

    def size(self, name: str) -> int:
        """Rows that a piece may have."""
        return self._sizes.get(name, _FIRST)

    def _fit(self, name: str, rows: int) -> None:
        fitting = rows * min(HELD_S / max(self._held, 1e-3), 2)
        self._sizes[name] = int(min(max(fitting, _LEAST), _MOST))

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Alone among workers, and not before people had theirs."""
        with _locked(self._queue) as queue:
            if self._sqlite:
                time.sleep(_left_of_pause(queue, self._pause))
            try:
                yield
            finally:
                self._pause = min(PAUSE_S, 2 * self._held)
                if queue is not None:
                    free = time.time() + self._pause
                    os.utime(queue, (free, free))  # its time says until when the lock is left to people


def _insert_some(session: Session, statement: Any, rows: list[Row]) -> int:
    """Insert the first of these rows, as many as go into `HELD_S` however busy the machine is; how many."""
    end, done = time.monotonic() + HELD_S, 0
    while done < len(rows) and (done == 0 or time.monotonic() < end):
        piece = rows[done : done + _PIECE]
        session.execute(statement, piece)
        done += len(piece)
    return done


@contextmanager
def _locked(path: Path | None) -> Iterator[Path | None]:
    """The file, locked; None where there is none, or none can be made: SQLite's own lock has to do then."""
    try:
        import fcntl

        handle = None if path is None else path.open("a")
    except (ImportError, OSError):
        handle = None
    if handle is None:
        yield None
        return
    with handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield path  # it stays: removing it would let another lock a second file of the same name


def one_at_a_time(session: Session, name: str) -> None:
    """Until this transaction ends no other one passes here by the same name, and what it then reads is what the one
    before wrote. SQLite's transactions are so by themselves."""
    if session.get_bind().dialect.name == "postgresql":
        key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        session.execute(select(func.pg_advisory_xact_lock(key)))


def _left_of_pause(queue: Path | None, own: float) -> float:
    """Seconds for which the lock is still people's; `own` where no file tells."""
    left = own if queue is None else queue.stat().st_mtime - time.time()
    return left if 0 <= left <= PAUSE_S else 0.0


def _passes(error: OperationalError | IntegrityError) -> bool:
    """Whether the same may work in a moment."""
    words = str(error.orig).lower()
    if isinstance(error, IntegrityError):
        return "unique" in words  # PostgreSQL: another worker committed after we had looked
    return any(word in words for word in ("locked", "busy", "deadlock", "serialize"))
