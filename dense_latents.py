"""The command line. The one place that knows both halves: the worker's commands and the server's."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import typer

from analysis import cli as worker
from analysis.errors import UserError

cli = typer.Typer(
    name="dense-latents",
    help="Look at the latents of sparse autoencoders that fire all the time.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
cli.command("train-sae")(worker.train_sae)


@cli.callback()
def _root() -> None:
    """So that a single command is still named."""


def main() -> None:
    """Run a command; an error a user can mend is one plain line and exit status 2."""
    try:
        cli()
    except UserError as error:
        print(f"dense-latents: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if error.name in {"torch", "sae_lens", "transformers", "syntok", "gguf", "numpy"} and find_spec(error.name) is None:
            print(f"dense-latents: this command needs {error.name}: pip install 'dense-latents[analysis]'", file=sys.stderr)
            sys.exit(2)
        raise


if __name__ == "__main__":
    main()
