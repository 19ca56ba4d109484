"""Long work in processes of its own: one progress bar for all, Ctrl-C is the parent's, a killed one is named."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from typing import Any, Protocol, TypeVar

from rich.console import Console

from analysis.errors import UserError
from analysis.process.progress import Progress, progress_bar

_POLL = 1.0  # seconds between looks at how far they are
# glibc gives every large tensor of a step back to the system, which zeroes its pages anew: a fifth of the time
_KEEP_MEMORY = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in (
        ("hugetlb", 1),
        ("mmap_threshold", 4 << 30),
        ("trim_threshold", 16 << 30),
        ("top_pad", 256 << 20),
    )
)


class Job(Protocol):
    """A piece of work; it is sent to its process."""

    @property
    def label(self) -> str:
        """How it is named on the screen."""

    def left(self) -> int:
        """Token-steps still to do."""


J = TypeVar("J", bound=Job)
R = TypeVar("R")


def trained(
    work: Callable[[J, Progress], R], jobs: Sequence[J], at_once: int, console: Console, kept: str
) -> Iterator[tuple[J, R]]:
    """Each job with what `work` makes of it, as they end.

    Args:
        work: a function of a module, called in a process with the job and its progress.
        kept: what the same command does after an interruption.

    Raises:
        UserError: a process was ended from outside.
    """
    context = get_context("spawn")
    seen = context.Value("q", 0)
    total = max(1, sum(job.left() for job in jobs))
    with (
        progress_bar(console, "training", total, "token-steps") as progress,
        _pool(at_once, context, seen, console, kept) as pool,
    ):
        waiting = {pool.submit(_call, work, job): job for job in jobs}
        told = 0
        while waiting:
            done, _rest = wait(waiting, _POLL, FIRST_COMPLETED)
            for future in done:
                try:
                    found = future.result()
                except BrokenProcessPool:
                    names = [job.label for job in waiting.values()][:at_once]  # they are begun in order
                    raise UserError(_ended(names, kept)) from None
                yield waiting.pop(future), found
            now = seen.value
            if now > told:
                progress(now - told)
            told = now


def _ended(names: list[str], kept: str) -> str:
    which = "the process that trains" if len(names) == 1 else "one of the processes that train"
    return f"{which} {' and '.join(names)} was ended from outside, perhaps for memory; {kept}"


@contextmanager
def _pool(at_once: int, context: Any, seen: Any, console: Console, kept: str) -> Iterator[ProcessPoolExecutor]:
    os.environ.setdefault("GLIBC_TUNABLES", _KEEP_MEMORY)  # read when a process of the pool begins
    pool = ProcessPoolExecutor(at_once, context, _begin, (seen,))
    try:
        yield pool
    except BaseException as error:
        for process in active_children():
            process.terminate()
        pool.shutdown(wait=isinstance(error, UserError), cancel_futures=True)  # a broken pool is at its end already
        if isinstance(error, KeyboardInterrupt):
            console.print(f"stopped; {kept}")
        raise
    pool.shutdown()


_progress: Progress = lambda _count: None  # noqa: E731 -- set once in each worker process


def _begin(seen: Any) -> None:
    """In each worker process: Ctrl-C is the parent's, so is the progress bar, and nothing outlives the parent: the
    next command would train the same in the same folder.
    """
    global _progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TQDM_DISABLE"] = "1"  # read when tqdm is loaded
    from tqdm import tqdm  # type: ignore[import-untyped]

    # its own lock is a semaphore, which nobody takes back from a killed process
    tqdm.set_lock(threading.RLock())

    def progress(count: int) -> None:
        with seen.get_lock():
            seen.value += count

    _progress = progress


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(work: Callable[[J, Progress], R], job: J) -> R:
    return work(job, _progress)
