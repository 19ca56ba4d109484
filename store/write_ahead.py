"""SQLite's write-ahead log into its file. A commit that finds the log long does it by itself, whoever commits: after a
long read by others that may be hundreds of megabytes, in one person's save. So a server's saves leave it alone, and the
server does it between them; a worker does it with its own commits, when it has let the lock go.

Readers and writers go on meanwhile: it is `PASSIVE`, which takes only what nobody reads any more.
"""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

from store.session import sqlite_module, sqlite_uri

LONG = 4_000_000
"""Bytes of a log that is worth the work: SQLite's own measure is a thousand pages."""


def log_state(path: Path) -> tuple[int, int]:
    """Size and time of change of the log beside a store; (0, 0) where there is none."""
    try:
        found = os.stat(f"{path}-wal")
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def settle(path: Path) -> bool:
    """Bring the log into the file; whether all of it is there now. Makes no file."""
    try:
        with closing(sqlite_module().connect(sqlite_uri(path, "rw"), uri=True, timeout=0)) as connection:
            busy, pages, settled = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    except sqlite_module().Error:
        return False
    return not busy and pages == settled
