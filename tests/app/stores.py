"""Looking into stores from outside, and writing into them."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, inspect, text

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from store.search import declared
from store.session import make_engine, session_factory


def said(path: Path, note: str) -> None:
    engine = make_engine(path)
    with session_factory(engine)() as session:
        save(session, Subject("2" * 64, 7), Draft(None, None, note), 0, "Ada")
    engine.dispose()


def count(path: Path, table: str = "annotation") -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])


def rows(engine: Engine) -> dict[str, list[str]]:
    """All rows of our tables, in the order of their text."""
    with engine.connect() as connection:
        tables = [name for name in inspect(connection).get_table_names() if declared(name, "table")]
        return {
            name: sorted(repr(tuple(row)) for row in connection.execute(text(f'SELECT * FROM "{name}"')))
            for name in tables
            if name != "alembic_version"
        }
