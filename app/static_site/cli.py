"""`site` on the command line: its options, and no more, so that `--help` need not wait for the pages' code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

EXAMPLES = ("site --db my.db --out site/", "site --db my.db --run 2 --all --out site/")
"""How it is called, for the end of its help."""


def site(
    out: Annotated[Path, typer.Option(help="Folder to write; an older site there is replaced.")],
    db: Annotated[
        str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL.")
    ] = "dense-latents.db",
    run: Annotated[int | None, typer.Option(help="Run to show; without it all SAEs of its suite.")] = None,
    suite: Annotated[str | None, typer.Option(help="Suite to show; without it the newest.")] = None,
    saes: Annotated[
        list[str] | None,
        typer.Option("--sae", help="Slug of an SAE whose latents are shown; may be repeated. Default: all."),
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Also latents without examples get a page; all are in the list anyway.")
    ] = False,
    unpacked: Annotated[
        bool, typer.Option("--unpacked", help="Pages can be read without JavaScript, and weigh four times as much.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Put aside what is in the folder, where it is no site of ours.")
    ] = False,
) -> None:
    """Write a suite or a run as a folder of files that opens in a browser without a server, with plots and search."""
    from app.shared.links import Pin
    from app.static_site.command import write
    from app.static_site.plan import plan_of

    pin = Pin(run, suite)
    write(db, out, lambda session: plan_of(session, db, pin, saes or [], every, packed=not unpacked), force)
