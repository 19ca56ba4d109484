"""`site`: a run as a folder of files that opens without a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from app.commands.serve import check_database
from app.shared.numbers import duration
from app.static_site import folder
from app.static_site.build import build
from app.static_site.plan import Plan, plan_of
from app.static_site.snapshot import snapshot

EVERY = 10
"""Seconds between lines of progress where no bar can be drawn."""


def site(
    db: str,
    out: Path,
    run: int | None = None,
    saes: list[str] | None = None,
    every: bool = False,
    unpacked: bool = False,
    force: bool = False,
    processes: int | None = None,
) -> None:
    """Write the site and say what it came to.

    Args:
        db: path of a SQLite file, or a database URL.
        run: without it the newest complete one.
        saes: slugs of those whose latents are shown; none: all.
        every: also latents without examples get a page.
        unpacked: pages can be read without JavaScript.
        force: puts aside what is in the folder and is no site.
        processes: that make pages; without it as many as are worth it.

    Raises:
        SiteError: in one line, why not; nothing was changed then.
        ServeError: the database cannot be read.
    """
    check_database(db)
    out = out.absolute()
    folder.check(out, force)
    started = time.monotonic()
    with snapshot(db) as session:
        plan = replace(plan_of(session, db, run, saes or [], every), packed=not unpacked)
        with folder.placed(out) as made:
            with _progress(len(plan.pages) + 3) as progress:
                pages = build(session, plan, made, progress, processes)
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
        "run": plan.run.id,
        "run_key": plan.run.key,
        "model": plan.run.model_name,
        "saes": [sae.slug for sae in plan.saes],
        "pages": pages,
    }
