"""`report` on the command line: its options, and no more, so that `--help` need not wait for the pages' code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = ("report --db my.db --out report.html", "report --db my.db --lang ja --out report.pptx")
"""How it is called, for the end of its help."""


def report(
    out: Annotated[Path, typer.Option(help="File to write: .html, .pdf or .pptx.")],
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL.")
    ] = "dense-latents.db",
    run: Annotated[int | None, typer.Option(help="Run to report; without it all SAEs of its suite.")] = None,
    suite: Annotated[str | None, typer.Option(help="Suite to report; without it the newest.")] = None,
    lang: Annotated[str, typer.Option(help="Language, as en or ja.")] = "en",
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it is there already.")] = False,
) -> None:
    """Write a slide for a meeting, and a page on how it was measured: HTML, PDF or PowerPoint.

    A PDF is printed by Chromium or Chrome; a PowerPoint file needs python-pptx.
    """
    from app.commands.report_file import write
    from app.shared.links import Pin

    typer.echo(write(db, out, Pin(run, suite), force, lang))
