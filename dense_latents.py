"""The command line. The one place that knows both halves: the worker's commands and the server's."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import Annotated, NoReturn

import typer

from analysis.commands import cli as worker
from analysis.errors import UserError
from app.commands.annotations import annotations_cli
from app.commands.db import db_cli, upgrade
from app.commands.serve import Db, Port, serve
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

for name, command in worker.COMMANDS.items():
    cli.command(name)(command)
cli.command("migrate")(upgrade)  # as it was called before there was `db`
cli.command("serve")(serve)
cli.command("site")(site)
cli.add_typer(db_cli, name="db")
cli.add_typer(annotations_cli, name="annotations")


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
        serve(db, port=port)


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
