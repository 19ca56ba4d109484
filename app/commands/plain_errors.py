"""What a database raises while a command works -> one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from store.errors import StoreError
from store.session import without_password


@contextmanager
def plain_errors(db: str) -> Iterator[None]:
    """Name the store and what its database says, without a password.

    Raises:
        StoreError: it is no database's address, it cannot be reached, read or written.
    """
    try:
        yield
    except (ArgumentError, NoSuchModuleError) as error:
        raise StoreError(f"--db: expected a SQLite path or a database URL; {error}") from error
    except SQLAlchemyError as error:
        said = " ".join(str(getattr(error, "orig", None) or error).split())
        raise StoreError(f"{without_password(db)} cannot be used: {said[:300]}") from error
    except OSError as error:
        raise StoreError(f"{error.filename or without_password(db)}: {error.strerror or error}") from error
