"""Who is writing a run, and whether it still lives."""

from __future__ import annotations

import os
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

SILENT = timedelta(minutes=15)
"""After which a writer on another machine is taken for dead."""
_HERE: set[str] = set()
"""Writers of this very process."""


class Process(NamedTuple):
    """A writer."""

    host: str
    pid: int
    begun: str
    """Tells a process from a later one of the same number."""
    token: str

    def stamp(self) -> dict[str, Any]:
        """What its run's row says of it, now."""
        return {**self._asdict(), "seen": _now().isoformat()}


@contextmanager
def this_process() -> Iterator[Process]:
    """A writer of this process, which lives until it is let go."""
    made = Process(socket.gethostname(), os.getpid(), _begun(os.getpid()) or "", uuid.uuid4().hex)
    _HERE.add(made.token)
    try:
        yield made
    finally:
        _HERE.discard(made.token)


def lives(stamp: Mapping[str, Any] | None) -> bool:
    """Whether who left this stamp may still write. Of another machine the stamp's age decides."""
    if not stamp:
        return False
    if stamp.get("host") != socket.gethostname():
        return _now() - datetime.fromisoformat(str(stamp.get("seen"))) < SILENT
    if stamp.get("pid") == os.getpid():
        return stamp.get("token") in _HERE
    begun = _begun(int(stamp.get("pid", 0)))
    return begun is not None and begun == stamp.get("begun")


def _begun(pid: int) -> str | None:
    """When a process of this machine began, in the kernel's own count; None where there is none."""
    try:
        found = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return None if found[0] == "Z" else found[19]  # one that ended and was not collected yet is dead
    except (OSError, IndexError):
        pass
    if Path("/proc/self").exists():
        return None
    try:  # a system without /proc: the number alone has to do
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return ""
    return ""


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
