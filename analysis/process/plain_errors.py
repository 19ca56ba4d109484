"""What the disk and the database raise -> errors a user can act on."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from safetensors import SafetensorError
from sqlalchemy.exc import ArgumentError, DatabaseError, NoSuchModuleError, OperationalError

from analysis.errors import UserError
from analysis.process.cache import cache_folder
from store.session import without_password


@contextmanager
def plain_words(db: str, again: str) -> Iterator[None]:
    """Name the file or the database and what to do.

    Args:
        db: the store.
        again: how to go on once there is room on the disk.

    Raises:
        UserError: a full disk, a store that cannot be opened or written.
    """
    try:
        yield
    except (ArgumentError, NoSuchModuleError) as error:
        raise UserError(f"--db: expected a SQLite path or a database URL; {error}") from error
    except OperationalError as error:
        raise UserError(_database(db, error, again)) from error
    except DatabaseError as error:
        raise UserError(f"--db {without_password(db)}: expected a SQLite database; found {error.orig}") from error
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) != errno.ENOSPC and "No space left" not in str(error):
            raise
        raise UserError(_full(getattr(error, "filename", None) or cache_folder(), again)) from error


def _database(db: str, error: OperationalError, again: str) -> str:
    if "full" in str(error.orig):
        return _full(without_password(db), again)
    return f"--db {without_password(db)}: cannot be written: {error.orig}"


def _full(where: object, again: str) -> str:
    return f"{where}: no space left on this disk; make room, then {again}"
