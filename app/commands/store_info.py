"""What a store is, from the outside: where it lies, how large it is, what it holds. Any schema can be asked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, DateTime, Engine, inspect, text

from migrations.runner import current_revision

COUNTED = {
    "run": "runs",
    "sae": "SAEs",
    "latent": "latents",
    "annotation": "annotations",
    "category": "categories",
    "saved_view": "saved views",
}
"""Table -> what people call its rows."""


@dataclass(frozen=True)
class Newest:
    """The newest complete run."""

    id: int
    model: str
    corpus: str
    tokens: int
    finished: datetime


@dataclass(frozen=True)
class Pages:
    """How a SQLite file is laid out."""

    journal_mode: str
    size: int
    """Of a page, bytes."""
    number: int
    free: int
    """Pages that hold nothing; new rows take them first."""


@dataclass(frozen=True)
class StoreInfo:
    """One store."""

    software: str
    """The database's name and version."""
    revision: str | None
    """Of the schema; None where there is none."""
    bytes: int
    """On the disk, with SQLite's log."""
    rows: dict[str, int]
    """By table of COUNTED; those that the schema has."""
    newest: Newest | None
    pages: Pages | None
    """None but for SQLite."""


def store_info(engine: Engine, path: Path | None) -> StoreInfo:
    """Read it. Nothing is changed.

    Args:
        path: of a SQLite file.
    """
    revision = current_revision(engine)
    with engine.connect() as connection:
        tables = set(inspect(connection).get_table_names())
        return StoreInfo(
            software=_software(connection, path is not None),
            revision=revision,
            bytes=_bytes(connection, path),
            rows={name: _count(connection, name) for name in COUNTED if name in tables},
            newest=_newest(connection) if {"run", "model", "corpus"} <= tables else None,
            pages=_pages(connection) if path is not None else None,
        )


def _software(connection: Connection, sqlite: bool) -> str:
    if sqlite:
        return f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar()}"
    found = str(connection.execute(text("SHOW server_version")).scalar())
    return f"PostgreSQL {found.split()[0]}"


def _bytes(connection: Connection, path: Path | None) -> int:
    if path is None:
        return int(connection.execute(text("SELECT pg_database_size(current_database())")).scalar() or 0)
    files = (path, path.with_name(path.name + "-wal"))
    return sum(file.stat().st_size for file in files if file.exists())


def _count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar() or 0)


def _newest(connection: Connection) -> Newest | None:
    statement = text(
        "SELECT run.id, model.name AS model, corpus.name AS corpus, run.tokens, run.finished FROM run"
        " JOIN model ON model.id = run.model_id JOIN corpus ON corpus.id = run.corpus_id"
        " WHERE run.status = 'complete' ORDER BY run.finished DESC, run.id DESC LIMIT 1"
    ).columns(finished=DateTime())
    row = connection.execute(statement).mappings().first()
    return None if row is None else Newest(**row)


def _pages(connection: Connection) -> Pages:
    names = ("journal_mode", "page_size", "page_count", "freelist_count")
    mode, size, number, free = (connection.execute(text(f"PRAGMA {name}")).scalar() for name in names)
    return Pages(str(mode), int(size or 0), int(number or 0), int(free or 0))
