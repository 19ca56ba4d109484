"""What writers that were killed left behind: runs that nobody will complete. Nobody sees them; they take room."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from store.alive import lives
from store.tables import Analysis, Label, Latent, LatentToken, Run, SearchText
from store.writing import WRITING, Writer


def remove_leftovers(writer: Writer) -> list[int]:
    """Delete runs that are not complete and whose writer is dead; their ids. In short transactions, as all that
    workers write."""
    dead = [number for number, stamp in writer.transaction(_unfinished) if not lives(stamp)]
    for number in dead:
        remove_run(writer, number)
    return dead


def _unfinished(session: Session) -> list[tuple[int, Any]]:
    return [
        (number, stamp) for number, stamp in session.execute(select(Run.id, Run.writer).where(Run.status == WRITING))
    ]


def remove_run(writer: Writer, number: int) -> None:
    """Delete a run with all that belongs to it."""
    for analysis_id in writer.transaction(lambda session: _analyses(session, number)):
        _remove_by(writer, SearchText, SearchText.id, SearchText.analysis_id == analysis_id)
        _remove_by(writer, LatentToken, LatentToken.token_id, LatentToken.analysis_id == analysis_id)
        _remove_by(writer, Latent, Latent.index, Latent.analysis_id == analysis_id)
        writer.transaction(lambda session, own=analysis_id: session.execute(delete(Analysis).where(Analysis.id == own)))  # type: ignore[misc]
    writer.transaction(lambda session: session.execute(delete(Label).where(Label.run_id == number)))
    writer.transaction(lambda session: session.execute(delete(Run).where(Run.id == number)))


def _analyses(session: Session, number: int) -> list[int]:
    return list(session.scalars(select(Analysis.id).where(Analysis.run_id == number)))


def _remove_by(writer: Writer, table: Any, column: Any, where: Any) -> None:
    """The rows, from the smallest value of a column on, so many at a time as are quick. What hangs on them goes too."""
    name = f"delete {table.__tablename__}"
    while True:
        size = writer.size(name)
        some = select(column).where(where).order_by(column).limit(size).subquery()
        last = writer.transaction(lambda session, some=some: session.scalar(select(func.max(some.c[0]))))  # type: ignore[misc]
        if last is None:
            return
        gone = delete(table).where(where, column <= last)
        writer.timed(name, size, lambda session, gone=gone: session.execute(gone))  # type: ignore[misc]
