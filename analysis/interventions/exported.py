"""What takes hours to measure, as JSON files that another store takes in."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.exc import IntegrityError, StatementError
from sqlalchemy.orm import Session

from analysis.errors import BadFile, UserError
from store.identity import current
from store.session import session_factory
from store.tables import Sae

Take = Callable[[Engine, dict[str, Any]], bool]
"""Puts one into a store that has its SAE; whether it was new. Raises UserError."""
_BAD = (
    ValueError, KeyError, TypeError, AttributeError, EOFError, gzip.BadGzipFile, zlib.error, IntegrityError,
    StatementError,
)  # fmt: skip
"""What a file without what it should have ends in; a row that lacks a column is found by the database."""


def save(path: Path, exported: dict[str, Any]) -> None:
    """Write it, gzipped where the name ends in `.gz`; the same content gives the same bytes."""
    if path.suffix == ".gz":
        text = json.dumps(exported, sort_keys=True, separators=(",", ":"))
        path.write_bytes(gzip.compress(text.encode(), mtime=0))
    else:
        path.write_text(json.dumps(exported, indent=1) + "\n", encoding="utf-8")


def take_folder(engine: Engine, folder: Path, formats: Mapping[str, Take], *, known: bool = False) -> int:
    """Every `*.json` and `*.json.gz` of a folder; how many were new.

    Args:
        formats: what takes in a file, by what the file says of its format.
        known: pass over those whose SAE the store does not have.

    Raises:
        BadFile: no JSON, or none of the formats.
        UserError: the store has no SAE of that file.
    """
    new, wanted = 0, " or ".join(f"'{name}'" for name in formats)
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.json.gz")]):
        try:
            raw = path.read_bytes()
            found = json.loads(gzip.decompress(raw) if path.suffix == ".gz" else raw)
            if (take := formats.get(found["format"])) is None:
                raise UserError(f"expected a file of format {wanted}; found {str(found['format'])[:80]!r}")
            if not known or _has(engine, found["sae_sha256"]):
                new += take(engine, found)
        except _BAD as error:
            said = str(error.orig) if isinstance(error, StatementError) else f"{type(error).__name__}: {error}"
            raise BadFile(path, f"a file of format {wanted}", said) from error
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
    return new


def _has(engine: Engine, sha256: str) -> bool:
    with session_factory(engine)() as session:
        return session.scalar(select(Sae.id).where(Sae.sha256 == current(session, sha256))) is not None


def sae_of(session: Session, sha256: str, what: str) -> int:
    """The store's number of the SAE of those weights.

    Raises:
        UserError: it has none.
    """
    found = session.scalar(select(Sae.id).where(Sae.sha256 == current(session, sha256)))
    if found is None:
        raise UserError(
            f"{what}: expected a store with the SAE of SHA-256 {sha256[:16]}...; found none: analyse that SAE first"
        )
    return found


def values_of(row: Any, without: set[str]) -> dict[str, Any]:
    """A row's columns, but for numbers that are one store's own."""
    return {column.name: getattr(row, column.name) for column in row.__table__.columns if column.name not in without}
