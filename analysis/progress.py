"""One progress bar for all long commands: what, how far, rate, time left; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_PLAIN_EVERY = 10.0


@contextmanager
def progress_bar(console: Console, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yields `tell(n)`: n more of `unit` are done."""
    if console.is_terminal:
        with _live(console, what, total, unit) as tell:
            yield tell
    else:
        yield _plain(console, what, total, unit)


@contextmanager
def _live(console: Console, what: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    started = time.monotonic()
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(what, total=total, rate="")

        def tell(count: int) -> None:
            done = progress.tasks[0].completed + count
            rate = done / max(1e-9, time.monotonic() - started)
            progress.update(task, advance=count, rate=f"{rate:,.0f} {unit}/s")

        yield tell


def _plain(console: Console, what: str, total: int, unit: str) -> Callable[[int], None]:
    started = last = time.monotonic()
    done = 0

    def tell(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last < _PLAIN_EVERY and done < total:
            return
        last = now
        rate = done / max(1e-9, now - started)
        left = max(0, total - done) / max(1e-9, rate)
        console.print(f"{what}: {done:,} of {total:,} {unit}, {rate:,.0f} {unit}/s, {left:,.0f} s left")

    return tell
