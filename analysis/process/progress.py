"""One progress bar for all long commands: what, how far, rate, time left; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import progress as bars
from rich.console import Console

Progress = Callable[[int], None]
"""So many more are done."""

_PLAIN_EVERY = 10.0
_WIDE = 150


def wide(console: Console) -> Console:
    """The same where it is a terminal; a wide one for a file or a pipe, which would squeeze a table into 80 columns."""
    if console.is_terminal:
        return console
    return Console(file=console.file, width=_WIDE, highlight=False, quiet=console.quiet)


@contextmanager
def progress_bar(console: Console, what: str, total: int, unit: str, before: int = 0) -> Iterator[Progress]:
    """Yields `progress(n)`: n more of `unit` are done. `before` were done by an earlier process: not in the rate."""
    if console.is_terminal:
        with _live(console, what, total, unit, before) as progress:
            yield progress
    else:
        yield _plain(console, what, total, unit, before)


@contextmanager
def _live(console: Console, what: str, total: int, unit: str, before: int) -> Iterator[Progress]:
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
    )
    started = time.monotonic()
    with bars.Progress(*columns, console=console) as bar:
        task = bar.add_task(what, total=total, rate="", completed=before)

        def progress(count: int) -> None:
            done = bar.tasks[0].completed + count
            rate = (done - before) / max(1e-9, time.monotonic() - started)
            bar.update(task, advance=count, rate=f"{rate:,.0f} {unit}/s")

        yield progress


def _plain(console: Console, what: str, total: int, unit: str, before: int) -> Progress:
    started = last = time.monotonic()
    done = before

    def progress(count: int) -> None:
        nonlocal done, last
        done += count
        now = time.monotonic()
        if now - last < _PLAIN_EVERY and done < total:
            return
        last = now
        rate = (done - before) / max(1e-9, now - started)
        left = max(0, total - done) / max(1e-9, rate)
        console.print(f"{what}: {done:,} of {total:,} {unit}, {rate:,.0f} {unit}/s, {left:,.0f} s left")

    return progress
