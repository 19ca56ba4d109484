"""`dense-latents` as processes: one, which can be killed and resumed, or several that come to the writing together.

What they import is imported once, in the process that they are forked from: that alone would take each 5 s and more.
"""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from multiprocessing.context import ForkServerContext
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

import analysis.run.analyze as worker
import dense_latents
from store import writing

_DEADLINE_S = 600.0
_NUMBER = itertools.count()


def _forking() -> ForkServerContext:
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(["tests.analysis.run.warm", __name__])
    return found


class Worker:
    """A command as a process of its own, with a cache folder of its own."""

    def __init__(self, cache: Path, arguments: list[str]) -> None:
        cache.mkdir(parents=True, exist_ok=True)
        self.cache, self._said = cache, cache / f"said-{next(_NUMBER)}"
        self.process = _forking().Process(target=_command, args=(arguments, cache, self._said))
        self.process.start()

    @property
    def pid(self) -> int:
        """Number of its process."""
        assert self.process.pid
        return self.process.pid

    def tokens(self) -> int:
        """How far its last checkpoint is."""
        for note in self.cache.glob("checkpoints/*/now/state.json"):
            try:
                return int(json.loads(note.read_text())["counts"]["tokens"])
            except (OSError, ValueError):
                continue
        return 0

    def wait_beyond(self, tokens: int) -> bool:
        """Until its checkpoint is beyond `tokens`; False if it ended first."""
        while self.process.is_alive():
            if self.tokens() > tokens:
                return True
            time.sleep(0.01)
        return False

    def ends(self) -> tuple[int, str]:
        """Its exit status, negative where a signal ended it, and all it said."""
        self.process.join(_DEADLINE_S)
        assert self.process.exitcode is not None
        return self.process.exitcode, self._said.read_text()


@dataclass(frozen=True)
class Job:
    """A command, where it keeps what it may need again, and what goes wrong when it writes (see `FAULTS`)."""

    arguments: list[str]
    cache: Path
    fault: str = ""


def ended_together(jobs: list[Job], meanwhile: AbstractContextManager[None] | None = None) -> list[tuple[int, str]]:
    """Exit status and all that was said, of each. None begins to write before all have something to write.

    Args:
        meanwhile: entered when all have; they begin then.
    """
    forking = _forking()
    together, processes = forking.Barrier(len(jobs) + 1), []
    for job in jobs:
        job.cache.mkdir(exist_ok=True)
        processes.append(forking.Process(target=_run, args=(job, together)))
        processes[-1].start()
    while together.n_waiting < len(jobs) and all(process.is_alive() for process in processes):
        time.sleep(0.02)
    with meanwhile or nullcontext():
        together.wait(_DEADLINE_S)
        for process in processes:
            process.join(_DEADLINE_S)
    return [(process.exitcode or 0, _said(job).read_text()) for process, job in zip(processes, jobs, strict=True)]


def _said(job: Job) -> Path:
    return job.cache / "said"


def _command(arguments: list[str], cache: Path, said: Path) -> None:
    with said.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    os.environ |= {"DENSE_LATENTS_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    sys.argv = ["dense-latents", *arguments]
    dense_latents.main()


def _run(job: Job, together: Barrier) -> None:
    write: Callable[..., int] = vars(worker)["write"]

    def write_together(engine: Engine, *rest: Any) -> int:
        together.wait(_DEADLINE_S)
        FAULTS[job.fault](engine)
        return write(engine, *rest)

    vars(worker)["write"] = write_together
    _command(job.arguments, job.cache, _said(job))


def _read_only(engine: Engine) -> None:
    """What the database says to somebody who may not write."""
    words = "PRAGMA query_only = 1" if engine.dialect.name == "sqlite" else "SET TRANSACTION READ ONLY"
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(words))


def _full(engine: Engine) -> None:
    """What SQLite says where the disk is full: its file may not grow."""
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("PRAGMA max_page_count = 1"))


def _impatient(engine: Engine) -> None:
    """Gives up at the first lock that it meets, as one that has waited for ten minutes does."""
    writing.PATIENCE_S = 0.0
    if engine.dialect.name == "sqlite":
        event.listen(engine, "checkout", lambda connection, *_rest: connection.execute("PRAGMA busy_timeout = 0"))


FAULTS: dict[str, Callable[[Engine], None]] = {
    "": lambda _engine: None,
    "read-only": _read_only,
    "full": _full,
    "impatient": _impatient,
}
