"""`site`: a run as a folder of files that opens without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sqlalchemy import Engine
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from app.commands.serve import check_database
from app.main import create_app
from app.settings import Settings
from app.shared.numbers import duration
from app.static_site import folder
from app.static_site.build import Builder
from app.static_site.errors import SiteError
from app.static_site.plan import Plan, plan_of


def site(
    db: str, out: Path, run: int | None = None, saes: list[str] | None = None, every: bool = False, force: bool = False
) -> None:
    """Write the site and say what it came to.

    Args:
        db: path of a SQLite file, or a database URL.
        run: without it the newest complete one.
        saes: slugs of those whose latents are shown; none: all.
        every: also latents without examples get a page.
        force: puts aside what is in the folder and is no site.

    Raises:
        SiteError: in one line, why not; nothing was changed then.
        ServeError: the database cannot be read.
    """
    check_database(db)
    out = out.absolute()
    folder.check(out, force)
    started, console = time.monotonic(), Console(stderr=True, highlight=False)
    app = create_app(Settings(db=db, read_only=True))
    with _snapshot(app.state.engine) as session:
        plan = _plan(session, run, saes or [], every)
        with folder.placed(out) as made:
            with _bar(console, len(plan.pages) + 3) as progress:
                pages = Builder(app, session, plan, made, lambda: progress.advance(progress.task_ids[0])).build()
            folder.mark(made, _content(plan, pages))
            size = sum(path.stat().st_size for path in made.rglob("*") if path.is_file())
    took = time.monotonic() - started
    typer.echo(f"{out / 'index.html'}")
    typer.echo(f"{pages:,} pages, {size / 1e6:,.1f} MB, {duration(took)} ({pages / took:,.1f} pages/s)")


def _plan(session: Session, run: int | None, slugs: list[str], every: bool) -> Plan:
    try:
        return plan_of(session, run, slugs, every)
    except HTTPException as error:
        raise SiteError(str(error.detail)) from error


@contextmanager
def _snapshot(engine: Engine) -> Iterator[Session]:
    """A session that sees one state of the store: SQLite's readers do anyway, PostgreSQL's when asked."""
    level = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    try:
        with engine.connect().execution_options(**level) as connection, Session(connection) as session:
            yield session
    finally:
        engine.dispose()


@contextmanager
def _bar(console: Console, total: int) -> Iterator[Progress]:
    columns = (TextColumn("Pages"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        progress.add_task("pages", total=total)
        yield progress


def _content(plan: Plan, pages: int) -> dict[str, object]:
    return {
        "run": plan.run.id,
        "run_key": plan.run.key,
        "model": plan.run.model_name,
        "saes": [sae.slug for sae in plan.saes],
        "pages": pages,
    }
