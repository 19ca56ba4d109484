"""What the disk and the database raise -> errors a user can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError

from analysis.errors import UserError
from analysis.process.cache import cache_folder
from store.session import without_password


@contextmanager
def plain_words(db: str, again: str) -> Iterator[None]:
    """Name the file or the database and what to do.

    Args:
        db: the store.
        again: how to go on once that is mended.

    Raises:
        UserError: a full disk, a store that cannot be opened or written.
    """
    try:
        yield
    except (ArgumentError, NoSuchModuleError) as error:
        raise UserError(f"--db: expected a SQLite path or a database URL; {error}") from error
    except DatabaseError as error:
        raise UserError(_database(db, error, again)) from error
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) != errno.ENOSPC and "No space left" not in str(error):
            raise
        raise UserError(_full(getattr(error, "filename", None) or cache_folder(), again)) from error


def _database(db: str, error: DatabaseError, again: str) -> str:
    where, said = f"--db {without_password(db)}", " ".join(str(error.orig).split())
    if type(error) is DatabaseError:  # what is wrong with a statement, a server or a lock has a class of its own
        return f"{where}: expected a SQLite database; found {said}"
    if "full" in said or "No space left" in said:
        return _full(without_password(db), again)
    if "locked" in said:
        return f"{where}: another program keeps it locked; {again}"
    return f"{where}: cannot be written: {said}; {again}"


def _full(where: object, again: str) -> str:
    return f"{where}: no space left on this disk; make room, then {again}"
