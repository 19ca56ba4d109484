"""What a command can be asked for: a field of its configuration says once how it is called, explained and bounded.

A field is an option of the command line where its annotation holds a `typer.Option`; `analysis.commands.options` makes
the command of the fields. No torch: `--help` comes at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from typing import Annotated, Any, ClassVar, NamedTuple, get_args, get_type_hints

import typer
from typer.models import OptionInfo

from analysis.errors import UserError


class Least(NamedTuple):
    """The smallest number it may be."""

    number: float


class Above(NamedTuple):
    """A number that it must be larger than."""

    number: float


class Within(NamedTuple):
    """The numbers between which it must lie, both left out."""

    low: float
    high: float


class Parsed(NamedTuple):
    """It may be given again and again; what was given, all together, is read by this."""

    read: Callable[[list[str]], Any]


class Wanted(NamedTuple):
    """A field as the command line sees it."""

    name: str
    kind: Any
    """Its type, without what the annotation holds besides."""
    option: OptionInfo | None
    rules: tuple[Any, ...]

    @property
    def flag(self) -> str:
        """What a user calls it."""
        given = self.option.default if self.option is not None else ...
        return given.split("/")[0] if isinstance(given, str) else f"--{self.name.replace('_', '-')}"

    def check(self, value: Any) -> None:
        """Hold a value against the bounds.

        Raises:
            UserError: the value, and what was expected.
        """
        for rule in self.rules:
            if isinstance(rule, Least) and value is not None and not value >= rule.number:
                raise UserError(f"{self.flag} {value}: expected at least {rule.number:g}")
            if isinstance(rule, Above) and value is not None and not value > rule.number:
                raise UserError(f"{self.flag} {value}: expected a number above {rule.number:g}")
            if isinstance(rule, Within) and value is not None and not rule.low < value < rule.high:
                raise UserError(f"{self.flag} {value}: expected a number between {rule.low:g} and {rule.high:g}")


@dataclass(frozen=True)
class Checked:
    """A configuration whose values keep their fields' bounds; a UserError where one does not.

    `SHOWN` names the options there are, in order, where they are not all fields; `LAST` those that come last.
    """

    SHOWN: ClassVar[tuple[str, ...]] = ()
    LAST: ClassVar[tuple[str, ...]] = ()

    def __post_init__(self) -> None:
        for wanted in wanted_by(type(self)):
            wanted.check(getattr(self, wanted.name))


def chosen(names: list[str], known: Iterable[str], what: str, always: str = "") -> list[str]:
    """Those of the known that were named, each once and in their order, and one that always is; all where none was.

    Raises:
        UserError: a name that is not known.
    """
    order = list(known)
    for name in names:
        if name not in order:
            raise UserError(f"unknown {what} '{name}'; choose one of {', '.join(order)}")
    return [name for name in order if name in names or name == always or not names]


def wanted_by(config: type[Checked]) -> tuple[Wanted, ...]:
    """The fields of a configuration, in order."""
    hints = get_type_hints(config, include_extras=True)
    found = []
    for field in fields(config):
        kind, *rules = get_args(hints[field.name]) if _annotated(hints[field.name]) else (hints[field.name],)
        option = next((rule for rule in rules if isinstance(rule, OptionInfo)), None)
        found.append(Wanted(field.name, kind, option, tuple(rules)))
    return tuple(found)


def _annotated(hint: Any) -> bool:
    return hasattr(hint, "__metadata__")


# options that several commands have
Db = Annotated[str, typer.Option(envvar="DENSE_LATENTS_DB", help="SQLite file or database URL with the analysis.")]
ModelName = Annotated[str, typer.Option(help="Local folder, .gguf file, hub id, or 'demo' (SmolLM2-135M-Instruct).")]
Texts = Annotated[
    str,
    typer.Option(help="Table (.jsonl, .csv ...), text (.txt, .md), a folder, or a data set of the hub (owner/name)."),
]
TextField = Annotated[str, typer.Option(help="Column of a table that holds the text.")]
Encoding = Annotated[str, typer.Option(help="Of text files, e.g. cp1252; told from their bytes without it.")]
ContextSize = Annotated[int, typer.Option(help="Tokens per context, BOS included."), Least(8)]
ModelType = Annotated[str, typer.Option(help="Of the model: auto, bfloat16, float16 or float32.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Ray = Annotated[
    str,
    typer.Option(metavar="[ADDRESS]", help="Read with several actors: of a Ray cluster, or of one that is begun here."),
]
Actors = Annotated[
    int, typer.Option(help="How many with --ray; 0: one a GPU, or as many as there are cores."), Least(0)
]
