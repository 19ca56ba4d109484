"""The command line. The one place that knows both halves: the worker's commands and the server's."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from analysis.commands import cli as worker
from analysis.errors import UserError
from app.commands.annotations import annotations_cli
from app.commands.db import db_cli, upgrade
from app.http.errors import ServeError
from app.static_site.cli import site
from store.errors import StoreError

_WORKER = {"torch", "sae_lens", "transformers", "syntok", "textblob", "gguf", "numpy", "safetensors", "scipy"}

cli = typer.Typer(
    name="dense-latents",
    help="Look at the latents of sparse autoencoders that fire all the time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Db = Annotated[str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL.")]
Port = Annotated[int, typer.Option(help="0 takes any free one.")]

for name, command in worker.COMMANDS.items():
    cli.command(name)(command)
cli.command("migrate")(upgrade)  # as it was called before there was `db`
cli.command("site")(site)
cli.add_typer(db_cli, name="db")
cli.add_typer(annotations_cli, name="annotations")


@cli.command("serve")
def serve(
    db: Db = "dense-latents.db",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Port = 8000,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Allow an address others can reach, with nobody asked.")
    ] = False,
    allowed_host: Annotated[list[str] | None, typer.Option(help="Further Host names to answer to.")] = None,
    embed_origin: Annotated[
        list[str] | None, typer.Option(help="Origin whose pages may frame a latent's panel; may be repeated.")
    ] = None,
    public_url: Annotated[
        str, typer.Option(help="Origin people reach this server by, for link previews; by default as asked.")
    ] = "",
    token: Annotated[
        str | None,
        typer.Option(envvar="DENSE_LATENTS_TOKEN", help="What everybody must know to come in; 16 characters or more."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File that holds the token: a command line can be seen by others.")
    ] = None,
    trusted_proxy: Annotated[
        list[str] | None, typer.Option(help="Address or range of a proxy whose word is believed; may be repeated.")
    ] = None,
    user_header: Annotated[str, typer.Option(help="Header in which it names who asks.")] = "X-Forwarded-User",
    read_only: Annotated[bool, typer.Option("--read-only", help="Nobody may write.")] = False,
    processes: Annotated[int, typer.Option(min=1, max=64, help="How many answer; one uses one core.")] = 1,
) -> None:
    """Show what is in the store, in a browser. Needs neither torch nor the model."""
    from app.commands.serve import Admission
    from app.commands.serve import serve as start

    admission = Admission(token, token_file, tuple(trusted_proxy or ()), user_header, read_only)
    start(db, host, port, insecure, allowed_host or [], embed_origin or [], public_url, admission, processes)


@cli.command("demo")
def demo(
    tokens: Annotated[int, typer.Option(help="Tokens to analyse.")] = 60_000,
    db: Db = "demo.db",
    port: Port = 8000,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Analyse only.")] = False,
) -> None:
    """Analyse the shipped SAEs of a real model on real text, then serve the pages."""
    worker.analyze_demo(tokens, db)
    if not no_serve:
        from app.commands.serve import serve as start

        start(db, port=port)


def main() -> None:
    """Run a command. An error a user can mend is one plain line and exit status 2; typer makes Ctrl-C 130."""
    try:
        cli()
    except (UserError, ServeError, StoreError) as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name == "psycopg":
            _fail("a PostgreSQL database needs psycopg: pip install -c constraints.txt '.[postgres]'")
        if error.name not in _WORKER or find_spec(error.name) is not None:
            raise
        _fail(f"this command needs {error.name}: `make setup`, or pip install -c constraints.txt '.[analysis]'")


def _fail(message: str) -> NoReturn:
    print(f"dense-latents: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
