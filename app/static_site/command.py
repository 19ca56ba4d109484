"""A planned site into its folder: what is in the way is checked first, and a person told how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy.orm import Session

from app.commands.serve import check_database
from app.shared.numbers import duration
from app.static_site import folder
from app.static_site.build import build
from app.static_site.plan import Plan
from app.static_site.snapshot import snapshot

EVERY = 10
"""Seconds between lines of progress where no bar can be drawn."""


def write(db: str, out: Path, planned: Callable[[Session], Plan], force: bool) -> None:
    """Write the site and say what it came to.

    Args:
        db: path of a SQLite file, or a database URL.
        planned: what it holds, of a session of the store as it is now.
        force: puts aside what is in the folder and is no site.

    Raises:
        SiteError: in one line, why not; nothing was changed then.
        ServeError: the database cannot be read.
    """
    check_database(db)
    out = out.absolute()
    folder.check(out, force)
    started = time.monotonic()
    with snapshot(db) as session:
        plan = planned(session)
        with folder.placed(out) as made:
            with _progress(len(plan.pages) + 3) as progress:
                pages = build(session, plan, made, progress)
            folder.mark(made, _content(plan, pages))
            size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    took = time.monotonic() - started
    typer.echo(f"{out / 'index.html'}")
    typer.echo(f"{pages:,} pages, {size / 1e6:,.1f} MB, {duration(took)} ({pages / took:,.1f} pages/s)")


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """Says how many pages are made and how long the others take: a bar on a terminal, else a line now and then."""
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("Pages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("left"))
    bar = Progress(*columns, console=console, disable=not console.is_terminal)
    task, said = bar.add_task("pages", total=total), time.monotonic()

    def progress(pages: int) -> None:
        nonlocal said
        bar.advance(task, pages)
        if not console.is_terminal and time.monotonic() - said > EVERY:
            said, made = time.monotonic(), bar.tasks[0]
            left = "" if made.time_remaining is None else f", {duration(made.time_remaining)} left"
            console.print(f"{made.completed:,.0f} of {total:,} pages{left}")

    with bar:
        yield progress


def _content(plan: Plan, pages: int) -> dict[str, object]:
    return {
        "runs": plan.run.runs,
        "suite": plan.run.suite,
        "model": plan.run.model_name,
        "saes": [sae.slug for sae in plan.saes],
        "pages": pages,
    }
