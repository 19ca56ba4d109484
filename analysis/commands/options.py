"""A command of the command line, made from the fields of its configuration."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import MISSING, fields
from inspect import Parameter, Signature
from typing import Annotated, Any, TypeVar, cast, get_origin

from typer.models import OptionInfo

from analysis.options import Checked, Parsed, Wanted, wanted_by

_C = TypeVar("_C", bound=Checked)
Given = dict[str, Any]


def command(
    config: type[_C], run: Callable[[_C], object], *, each: str = "", adapt: Callable[[Given], Given] = dict
) -> Callable[..., None]:
    """What typer makes a command of; `run`'s docstring is its help.

    Args:
        each: a field that may be given again and again: `run` is called once for each.
        adapt: changes what was given before it becomes the configuration.
    """
    shown = _shown(config)
    parameters = [_parameter(config, wanted, wanted.name == each) for wanted in shown]

    def called(**given: Any) -> None:
        for values in _apart(adapt(_read(shown, given)), each):
            run(config(**values))

    called.__doc__, called.__name__ = run.__doc__, run.__name__
    called.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    called.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    return called


def _shown(config: type[Checked]) -> list[Wanted]:
    """The fields that are options: those without a default first, `LAST` last."""
    found = {wanted.name: wanted for wanted in wanted_by(config) if wanted.option is not None}
    if config.SHOWN:
        return [found[name] for name in config.SHOWN]
    place = {name: 1 + config.LAST.index(name) if name in config.LAST else 0 for name in found}
    return sorted(found.values(), key=lambda wanted: (not _required(config, wanted.name), place[wanted.name]))


def _required(config: type[Checked], name: str) -> bool:
    field = next(field for field in fields(config) if field.name == name)
    return field.default is MISSING and field.default_factory is MISSING


def _parameter(config: type[Checked], wanted: Wanted, many: bool) -> Parameter:
    kind, option, default = wanted.kind, wanted.option, cast(Any, Parameter.empty)
    if many:
        kind, option = list[kind], _repeated(option)  # type: ignore[valid-type]
    elif any(isinstance(rule, Parsed) for rule in wanted.rules):
        kind = list[str]
    if not _required(config, wanted.name):
        field = next(field for field in fields(config) if field.name == wanted.name)
        default = None if field.default is MISSING else field.default
        kind = kind | None if field.default is MISSING else kind
    return Parameter(wanted.name, Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option])


def _repeated(option: OptionInfo | None) -> OptionInfo:
    made = copy(option)
    assert made is not None
    made.help = f"{(made.help or '').removesuffix('.')}; repeat for more."
    return made


def _read(shown: list[Wanted], given: Given) -> Given:
    """What was given, read; what was not and has no value of its own is left to the configuration."""
    values = {}
    for wanted in shown:
        value = given[wanted.name]
        rule = next((rule for rule in wanted.rules if isinstance(rule, Parsed)), None)
        if value is None and (rule is not None or get_origin(wanted.kind) is list):
            continue
        values[wanted.name] = value if rule is None else rule.read(value)
    return values


def _apart(values: Given, each: str) -> Iterator[Given]:
    if not each:
        yield values
        return
    for one in values[each]:
        yield values | {each: one}
