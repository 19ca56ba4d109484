"""A field of a configuration is an option of the command line: said once, asked for, read and held to its bounds."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from analysis.commands.cli import COMMANDS
from analysis.commands.options import command
from analysis.errors import UserError
from analysis.options import Above, Checked, Least, Parsed, Within
from tests.root import ROOT


def _numbers(items: list[str]) -> list[int]:
    return [int(part) for item in items for part in item.split(",")]


@dataclass(frozen=True, kw_only=True)
class Trial(Checked):
    """Every kind of field."""

    LAST = ("device",)

    device: Annotated[str, typer.Option(help="Where.")] = "auto"
    sae: Annotated[str, typer.Option(help="Which.")]
    held_out: Annotated[float, typer.Option(help="Share."), Within(0, 1)] = 0.5
    rate: Annotated[float | None, typer.Option(help="Rate."), Above(0)] = None
    tokens: Annotated[int, typer.Option(help="Tokens."), Least(1)] = 10
    some: Annotated[list[int], typer.Option("--one", help="Numbers."), Parsed(_numbers)] = field(default_factory=list)
    names: Annotated[list[str], typer.Option("--name", help="Names.")] = field(default_factory=lambda: ["a"])
    flag: Annotated[bool, typer.Option("--flag", help="Whether.")] = False
    hidden: Annotated[int, Least(3)] = 5
    """Nothing anybody asks for."""


def called(*arguments: str, each: str = "") -> list[Trial]:
    """What a command line comes to."""
    found: list[Trial] = []

    def run(config: Trial) -> None:
        """A command."""
        found.append(config)

    app = typer.Typer()
    app.command("trial")(command(Trial, run, each=each))
    app.command("other")(lambda: None)
    done = CliRunner().invoke(app, ["trial", *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return found


def test_what_is_not_given_is_as_the_configuration_has_it() -> None:
    assert called("--sae", "x") == [Trial(sae="x")]


def test_what_is_given_is_read() -> None:
    (found,) = called("--sae", "x", "--one", "1,2", "--one", "3", "--name", "b", "--flag", "--held-out", "0.2")
    assert found == Trial(sae="x", some=[1, 2, 3], names=["b"], flag=True, held_out=0.2)


def test_a_field_may_be_given_again_and_again_for_a_call_each() -> None:
    assert [each.sae for each in called("--sae", "x", "--sae", "y", each="sae")] == ["x", "y"]


def test_help_has_required_ones_first_last_ones_last_and_what_nobody_asks_for_not_at_all() -> None:
    app = typer.Typer()
    app.command("trial")(command(Trial, called, each="sae"))  # type: ignore[arg-type]
    app.command("other")(lambda: None)
    text = CliRunner().invoke(app, ["trial", "--help"]).output
    places = [text.index(option) for option in ("--sae", "--held-out", "--one", "--flag", "--device")]
    assert places == sorted(places)
    assert "repeat for more" in text
    assert "hidden" not in text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"tokens": 0}, "--tokens 0: expected at least 1"),
        ({"held_out": 1.0}, "--held-out 1.0: expected a number between 0 and 1"),
        ({"rate": 0.0}, "--rate 0.0: expected a number above 0"),
        ({"hidden": 2}, "--hidden 2: expected at least 3"),
        ({"tokens": float("nan")}, "--tokens nan: expected at least 1"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_its_name(values: dict[str, float], message: str) -> None:
    with pytest.raises(UserError) as error:
        Trial(sae="x", **values)  # type: ignore[arg-type]
    assert str(error.value) == message


def test_every_command_of_the_worker_has_its_help_without_torch() -> None:
    code = (
        "import sys, typer\nfrom typer.testing import CliRunner\nfrom dense_latents import cli\n"
        f"for name in {list(COMMANDS)}:\n"
        "    found = CliRunner().invoke(cli, [name, '--help'])\n"
        "    assert found.exit_code == 0, name\n"
        "print([name for name in ('torch', 'numpy', 'scipy', 'sae_lens') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr
