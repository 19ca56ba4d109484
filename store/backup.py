"""Copies of a SQLite store: made while others write, checked before they count, put back whole.

A copy is made by `VACUUM INTO` from one state of the store, so nobody waits for it. It gets its name only
after it was checked and is on the disk: a file with a backup's name is a whole one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from store.errors import StoreError
from store.session import BUSY_TIMEOUT_MS, sqlite_module

MAGIC = b"SQLite format 3\0"
_ATTEMPTS = 3
_ALONE_MS = 1_000
_BESIDE = ("-wal", "-shm", "-journal")
_TABLES = (  # a full-text index keeps tables of its own, whose rows come and go
    "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
)


@dataclass(frozen=True)
class Facts:
    """What a sound file holds."""

    revision: str | None
    """Of its schema; None where it is another program's."""
    rows: dict[str, int]
    """By table."""


@dataclass(frozen=True)
class Restored:
    """What a restore did."""

    facts: Facts
    kept: Path | None
    """Where the store that was there is now; None where none was."""
    whole: bool
    """Whether that one was sound."""


def check_file(path: Path) -> None:
    """It is there and begins like a SQLite file.

    Raises:
        StoreError: it does not.
    """
    try:
        if not path.exists():
            raise StoreError(f"{path} does not exist; expected a SQLite file")
        if not path.is_file():
            raise StoreError(f"{path} is no file; expected a SQLite file")
        with path.open("rb") as handle:
            if handle.read(len(MAGIC)) != MAGIC:
                raise StoreError(f"{path} is no SQLite database")
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror or error}") from error


def verify(path: Path) -> Facts:
    """Read all of a file.

    Raises:
        StoreError: it is no SQLite file, or a damaged one.
    """
    check_file(path)
    try:
        with closing(_connect(path, "ro")) as connection:
            found = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if found != "ok":
                raise StoreError(f"{path} is damaged: {' '.join(str(found).split())[:200]}")
            return _facts(connection)
    except sqlite_module().OperationalError as error:
        raise StoreError(f"{path} cannot be read: {error}") from error
    except sqlite_module().Error as error:
        raise StoreError(f"{path} is damaged: {error}") from error


def back_up(source: Path, target: Path, *, force: bool = False) -> Facts:
    """Copy a store as it is at one moment; others may read and write meanwhile.

    Args:
        force: an old file of that name may go.

    Raises:
        StoreError: there is such a file, the store is damaged or no store, the copy is not what it should be.
    """
    check_file(source)
    with _readable(source), closing(_connect(source, "ro")) as connection:
        return _copy(connection, source, target, force)


def free_name(path: Path, why: str) -> Path:
    """A name for a copy of `path` made now that no file has."""
    moment = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    named = path.with_name(f"{path.name}.{moment}.{why}.backup")
    number = 1
    while named.exists():
        number += 1
        named = path.with_name(f"{path.name}.{moment}-{number}.{why}.backup")
    return named


def restore(backup: Path, target: Path) -> Restored:
    """Put a backup in a store's place. What was there is kept under another name, and the change is one rename.

    Raises:
        StoreError: the backup is damaged, or another program uses the store; nothing was changed.
    """
    if target.exists() and backup.exists() and backup.samefile(target):
        raise StoreError(f"{backup} is the store itself; name a backup of it")
    _check_folder(target)
    part = _part(target)
    try:
        with _readable(backup), closing(_connect(backup, "ro")) as connection:
            facts = _into(connection, backup, part)
        with closing(_connect(part, "rw")) as connection:
            # who uses a store in this mode holds a lock on it, so the next restore can tell
            connection.execute("PRAGMA journal_mode = WAL")
        _sync(part)
        with _alone(target) as present:
            kept = _keep(present, target)
            os.replace(part, target)
            _sync(target.parent)
        return Restored(facts, kept, present is not None)
    finally:
        _remove(part)


def _keep(present: Any, target: Path) -> Path | None:
    """Copy the store that is there; a damaged one is moved, with all that belongs to it.

    A log whose store is gone is moved as well: the restored file would take it for its own.
    """
    if not any(target.with_name(target.name + end).exists() for end in _BESIDE) and (
        not target.exists() or target.stat().st_size == 0
    ):
        return None
    kept = free_name(target, "before-restore")
    if present is not None:
        _copy(present, target, kept, False)
        present.execute("PRAGMA journal_mode = DELETE")  # all is in one file now: no log is left to a stranger
        return kept
    for end in ("", *_BESIDE):
        beside = target.with_name(target.name + end)
        if beside.exists():
            os.replace(beside, kept.with_name(kept.name + end))
    return kept


@contextmanager
def _alone(path: Path) -> Iterator[Any]:
    """The only connection to a store; None where there is none, or a damaged one.

    Raises:
        StoreError: another program has it open.
    """
    if not path.exists() or path.stat().st_size == 0:
        yield None
        return
    connection = _connect(path, "rw", _ALONE_MS)
    try:
        yield connection if _locked(connection, path) else None
    finally:
        connection.close()


def _locked(connection: Any, path: Path) -> bool:
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # kept until the connection ends
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute("COMMIT")
        return bool(connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok")
    except sqlite_module().OperationalError as error:
        if "locked" not in str(error):
            raise StoreError(f"{path} cannot be changed: {error}") from error
        raise StoreError(f"{path} is in use by another program, a server or a worker; stop it first") from error
    except sqlite_module().DatabaseError:
        return False


def _copy(connection: Any, source: Path, target: Path, force: bool) -> Facts:
    if target.is_dir():
        raise StoreError(f"{target} is a folder; expected a file's name")
    if target.exists() and (not force or target.samefile(source)):
        why = "is the store itself" if target.samefile(source) else "exists, and a backup is never overwritten"
        raise StoreError(f"{target} {why}; choose another name" + ("" if force else ", or add --force"))
    _check_folder(target)
    part = _part(target)
    try:
        facts = _into(connection, source, part)
        _sync(part)
        _place(part, target, force)
        _sync(target.parent)
        return facts
    finally:
        _remove(part)


def _into(connection: Any, source: Path, part: Path) -> Facts:
    """One whole copy; the rows it must hold are counted before and after, since others may write.

    Raises:
        StoreError: no copy could be made that holds them.
    """
    wrong = ""
    for _attempt in range(_ATTEMPTS):
        _fresh(part, source)
        before, version = _facts(connection), _version(connection)
        if before.revision is None:
            raise StoreError(f"{source} holds no dense-latents store")
        with _room(source, part):
            connection.execute("VACUUM INTO ?", (str(part.resolve()),))
        made = verify(part)
        after, changed = _facts(connection), _version(connection) != version
        wrong = _difference(made, before, after)
        if not wrong:
            return made
        if not changed:
            break
    raise StoreError(f"a copy of {source} is not what it should be: {wrong}; nothing was kept of it")


def _difference(made: Facts, before: Facts, after: Facts) -> str:
    if made.revision not in {before.revision, after.revision}:
        return f"expected schema {before.revision}, found {made.revision}"
    for table in sorted({*made.rows, *(before.rows.keys() & after.rows.keys())}):
        counts = [facts.rows.get(table, 0) for facts in (before, after)]
        found = made.rows.get(table, 0)
        if not min(counts) <= found <= max(counts):
            return f"expected {min(counts):,} to {max(counts):,} rows of {table}, found {found:,}"
    return ""


def _facts(connection: Any) -> Facts:
    """Of one state of the store."""
    connection.execute("BEGIN")
    try:
        tables = [name for (name,) in connection.execute(_TABLES)]
        rows = {name: int(connection.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0]) for name in tables}
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone() if _ours(tables) else None
        return Facts(None if found is None else str(found[0]), rows)
    finally:
        connection.execute("ROLLBACK")


def _ours(tables: list[str]) -> bool:
    return "alembic_version" in tables and "latent" in tables


def _version(connection: Any) -> int:
    """Changes when another connection commits."""
    return int(connection.execute("PRAGMA data_version").fetchone()[0])


def _connect(path: Path, mode: str, wait_ms: int = BUSY_TIMEOUT_MS) -> Any:
    address = f"file:{quote(str(path.resolve()))}?mode={mode}"
    return sqlite_module().connect(address, uri=True, timeout=wait_ms / 1000, isolation_level=None)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    check_file(path)
    try:
        yield
    except sqlite_module().Error as error:
        raise StoreError(f"{path} cannot be read: {error}") from error


@contextmanager
def _room(source: Path, part: Path) -> Iterator[None]:
    try:
        yield
    except sqlite_module().OperationalError as error:
        why = f"no room for a copy of {source} ({source.stat().st_size / 1e6:,.0f} MB); make room first"
        if "full" not in str(error):
            why = f"a copy of {source} cannot be written: {error}"
        raise StoreError(f"{part.parent}: {why}") from error


def _check_folder(target: Path) -> None:
    if not target.parent.is_dir():
        raise StoreError(f"{target.parent} is no folder; {target.name} cannot be made there")
    if not os.access(target.parent, os.W_OK):
        raise StoreError(f"{target.parent} cannot be written; {target.name} cannot be made there")


def _part(target: Path) -> Path:
    return target.with_name(f".{target.name}.{os.getpid()}.part")


def _fresh(part: Path, source: Path) -> None:
    """An empty file that those may read who may read the store, and nobody else."""
    _remove(part)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    part.chmod(source.stat().st_mode & 0o777)


def _remove(part: Path) -> None:
    for end in ("", *_BESIDE):
        part.with_name(part.name + end).unlink(missing_ok=True)


def _place(part: Path, target: Path, force: bool) -> None:
    """Give the copy its name; without `force` never to a file that came in between."""
    if force:
        os.replace(part, target)
        return
    try:
        os.link(part, target)
    except FileExistsError:
        raise StoreError(f"{target} exists, and a backup is never overwritten; choose another name") from None
    except OSError:  # no hard links there
        if target.exists():
            raise StoreError(f"{target} exists, and a backup is never overwritten; choose another name") from None
        part.rename(target)


def _sync(path: Path) -> None:
    """`VACUUM INTO` leaves that to us."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
