"""How far all are, and each actor: a bar and a line an actor; plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich import progress as bars
from rich.console import Console

_EVERY = 10.0  # seconds between plain lines


@dataclass
class _Actor:
    done: int = 0
    at: str = "loading"


@dataclass
class CrewProgress:
    """Counts what the members do; `show` says it.

    Args:
        total: of `unit`, wanted. before: done by an earlier process: not in the rate.
    """

    console: Console
    what: str
    total: int
    unit: str
    before: int
    members: list[_Actor]
    bar: bars.Progress | None = None
    started: float = field(default_factory=time.monotonic)
    last: float = field(default_factory=time.monotonic)

    def at(self, member: int, label: str) -> None:
        """A member is at another piece, or waits."""
        self.members[member].at = label
        self._show()

    def done(self, member: int, count: int) -> None:
        """A member did so many more, or has to do so many again."""
        self.members[member].done += count
        self._show()

    @property
    def sum(self) -> int:
        """Done by all."""
        return self.before + sum(each.done for each in self.members)

    def line(self, member: int) -> str:
        """What is said of one."""
        each = self.members[member]
        rate = each.done / max(1e-9, time.monotonic() - self.started)
        return f"  actor {member + 1}: {each.at}, {each.done:,} {self.unit}, {rate:,.0f} {self.unit}/s"

    def _show(self) -> None:
        if self.bar is not None:
            self.bar.update(self.bar.task_ids[0], completed=self.sum, rate=f"{self._rate():,.0f} {self.unit}/s")
            for number, task in enumerate(self.bar.task_ids[1:]):
                self.bar.update(task, description=self.line(number))
        elif time.monotonic() - self.last > _EVERY:
            self.last = time.monotonic()
            self.console.print(f"{self.what}: {self.sum:,} of {self.total:,} {self.unit}, {self._rate():,.0f} a second")
            for number in range(len(self.members)):
                self.console.print(self.line(number))

    def _rate(self) -> float:
        return (self.sum - self.before) / max(1e-9, time.monotonic() - self.started)


class _Columns(bars.Progress):
    """A bar for all, and for each actor its line alone."""

    def get_renderables(self) -> Iterator[Any]:
        yield self.make_tasks_table(self.tasks[:1])
        for task in self.tasks[1:]:
            yield task.description


@contextmanager
def crew_progress(
    console: Console, what: str, total: int, unit: str, members: Sequence[object], before: int = 0
) -> Iterator[CrewProgress]:
    """Yields what counts and shows."""
    made = CrewProgress(console, what, total, unit, before, [_Actor() for _ in members])
    if not console.is_terminal:
        yield made
        return
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
    )
    with _Columns(*columns, console=console) as bar:
        bar.add_task(what, total=total, completed=before, rate="")
        for number in range(len(members)):
            bar.add_task(made.line(number), total=None, rate="")
        made.bar = bar
        yield made
