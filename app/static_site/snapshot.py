"""One state of the store, read by several processes; a part of it where only some SAEs are shown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session

from app.shared.memory import Memory
from store.session import make_engine
from store.tables import Annotation, Category, DesignComparison, Experiment, Intervention, Run


@contextmanager
def snapshot(db: str) -> Iterator[Session]:
    """A session that sees one state of the store to its end, and keeps what pages share."""
    engine = make_engine(db, read_only=True)
    try:
        with engine.connect() as connection, Session(connection) as session:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("SET TRANSACTION READ WRITE")  # for views of its own; the store stays as is
            session.info |= {"memory": Memory(), "state": state_of(session)}
            yield session
    finally:
        engine.dispose()


def state_of(session: Session) -> str:
    """Two sessions that see the same state have the same; what a worker or somebody writes changes it."""
    tables = (Run, Intervention, Experiment, DesignComparison, Annotation, Category)
    values = [select(value).scalar_subquery() for one in tables for value in (func.count(one.id), func.max(one.id))]
    changed = select(func.max(Category.changed)).scalar_subquery()
    return " ".join(map(str, session.execute(select(*values, changed)).one()))


def restrict(session: Session, analyses: Sequence[int]) -> None:
    """From here on the session sees no SAEs but those of these analyses, whatever it is asked.

    Views of the session's own hide the tables: so a page of counts over all SAEs counts those that are shown.
    """
    connection = session.connection()
    chosen = ", ".join(map(str, map(int, analyses)))
    _hide(connection, "sae", f"id IN (SELECT sae_id FROM {_table(connection, 'analysis')} WHERE id IN ({chosen}))")
    _hide(connection, "analysis", f"id IN ({chosen})")
    session.info["memory"] = Memory()


def _hide(connection: Connection, table: str, where: str) -> None:
    rows = f"SELECT * FROM {_table(connection, table)} WHERE {where}"
    connection.exec_driver_sql(f"CREATE TEMPORARY VIEW {table} AS {rows}")


def _table(connection: Connection, name: str) -> str:
    # SQLite looks a view's tables up when it is used, and would find the view itself
    return f"main.{name}" if connection.dialect.name == "sqlite" else name
