"""The command line. The one place that knows both halves: the worker's commands and the server's."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from analysis import __version__
from analysis.commands import cli as worker
from analysis.errors import UserError
from app.commands.annotations import annotations_cli
from app.commands.db import HERE, db_cli, upgrade
from app.commands.examples import examples
from app.commands.report import EXAMPLES as REPORT
from app.commands.report import report
from app.commands.serve import EXAMPLES as SERVE
from app.commands.serve import Db, Port, check_port, serve
from app.http.errors import ServeError
from app.static_site.cli import EXAMPLES as SITE
from app.static_site.cli import site
from store.errors import StoreError

_WORKER = {"torch", "sae_lens", "transformers", "syntok", "textblob", "gguf", "numpy", "safetensors", "scipy"}

cli = typer.Typer(
    name="dense-latents",
    help="Look at the latents of sparse autoencoders that fire all the time.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

for name, command in worker.COMMANDS.items():
    cli.command(name, epilog=examples(*worker.EXAMPLES[name]))(command)
cli.command("migrate", epilog=examples("migrate --db my.db"))(upgrade)  # as it was called before there was `db`
cli.command("serve", epilog=examples(*SERVE))(serve)
cli.command("site", epilog=examples(*SITE))(site)
cli.command("report", epilog=examples(*REPORT))(report)
cli.add_typer(db_cli, name="db")
cli.add_typer(annotations_cli, name="annotations")


def _say_version(asked: bool) -> None:
    if asked:
        typer.echo(f"dense-latents {__version__}")
        raise typer.Exit


@db_cli.command("merge", epilog=examples("db merge OTHER.db --into my.db"))
def merge(
    other: Annotated[str, typer.Argument(help="The other store: SQLite file or database URL. It is only read.")],
    into: Annotated[
        str, typer.Option("--into", envvar="DENSE_LATENTS_DB", help="SQLite file or database URL; made if missing.")
    ] = HERE,
) -> None:
    """Take another machine's store into this one: runs, annotations and all else, none lost and none twice. Repeated,
    or after it was stopped, it takes what is missing."""
    from analysis.run.chaining import chain_suite
    from analysis.verdict import judge_analysis
    from app.commands.merge import merge_stores

    merge_stores(other, into, chain_suite, judge_analysis)


@cli.callback(epilog=examples("demo", "analyze --help", "serve --db my.db"))
def common(
    _version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Look at the latents of sparse autoencoders that fire all the time."""


@cli.command("demo", epilog=examples("demo", "demo --tokens 20000 --db small.db --port 0"))
def demo(
    tokens: Annotated[int, typer.Option(help="Tokens to analyse.")] = 60_000,
    db: Db = "demo.db",
    port: Port = 8000,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Analyse only.")] = False,
) -> None:
    """Analyse the shipped SAEs of a real model on real text, then serve the pages."""
    if not no_serve:
        check_port("127.0.0.1", port)  # before minutes of work
    worker.analyze_demo(tokens, db)
    if not no_serve:
        serve(db, port=port)


@cli.command("demo-field", epilog=examples("demo-field", "demo-field --db watch.db --port 0"))
def demo_field(
    db: Db = "demo-field.db",
    port: Port = 8001,
    no_serve: Annotated[bool, typer.Option("--no-serve", help="Analyse only.")] = False,
) -> None:
    """Train a small network on a watch's motion sensors here, analyse its units and SAEs on them, then serve the
    pages."""
    if not no_serve:
        check_port("127.0.0.1", port)  # before minutes of work
    worker.analyze_field_demo(db)
    if not no_serve:
        serve(db, port=port)


def main() -> None:
    """Run a command. An error a user can mend is one plain line and exit status 2; typer makes Ctrl-C 130."""
    try:
        cli(worker.with_addresses(sys.argv[1:]), prog_name="dense-latents")
    except (UserError, ServeError, StoreError) as error:
        _fail(str(error))
    except ModuleNotFoundError as error:
        if error.name == "psycopg":
            _fail(f"a PostgreSQL database needs psycopg: {_install('postgres')}")
        if error.name == "ray":
            _fail(f"--ray needs ray: {_install('ray')}")
        if error.name not in _WORKER or find_spec(error.name) is not None:
            raise
        _fail(f"this command needs {error.name}: {_install('analysis')}")


def _install(extra: str) -> str:
    """How to get what is missing: in a checkout of the repository, or where this came as a package."""
    here = Path(__file__).resolve().parent
    if (here / "pyproject.toml").exists() and (here / "constraints.txt").exists():
        return f"`make setup`, or in {here}: pip install -c constraints.txt '.[{extra}]'"
    return f"pip install 'dense-latents[{extra}]'"


def _fail(message: str) -> NoReturn:
    print(f"dense-latents: {message}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
