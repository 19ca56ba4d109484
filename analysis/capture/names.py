"""Which modules of a model are meant: names, and patterns of names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote

from torch import Tensor, nn

from analysis.errors import UserError

Pick = Callable[[Any], Tensor]
"""What a module gave -> the tensor to take."""

ITSELF = "model"
"""The folder of the model itself, whose name is empty."""


def choose(model: nn.Module, modules: str | Iterable[str] | Mapping[str, Pick | None]) -> dict[str, Pick | None]:
    """Module name -> the function that takes a tensor of what it gave, if there is one; in the model's order.

    Args:
        model: whose modules they are.
        modules: names of `model.named_modules()`; a `*` stands for anything within one part between dots.

    Raises:
        UserError: no model, nothing chosen, a name that no module has, a container that never runs.
    """
    if not isinstance(model, nn.Module):
        raise UserError(f"capture: expected a torch.nn.Module; found {type(model).__name__}")
    given = dict.fromkeys([modules]) if isinstance(modules, str) else modules
    picks = given if isinstance(given, Mapping) else dict.fromkeys(given)
    if not picks:
        raise UserError("capture: no module is named; give at least one of model.named_modules()")
    found = dict(model.named_modules(remove_duplicate=False))
    chosen = {name: pick for asked, pick in picks.items() for name in _matching(asked, found, model)}
    for name in chosen:
        _refuse_containers(name, found[name])
    _refuse_same_folders(chosen)
    return {name: chosen[name] for name in found if name in chosen}


def folder_of(name: str) -> str:
    """The folder of a module within the capture's: its name, with what no file may be called written as `%2F`."""
    safe = quote(name, safe=" ") or ITSELF
    return safe.replace(".", "%2E", 1) if safe.startswith(".") else safe


def _matching(asked: str, found: Mapping[str, nn.Module], model: nn.Module) -> list[str]:
    if asked in found:
        return [asked]
    parts = asked.split(".")
    matching = [name for name in found if name and _fits(name.split("."), parts)]
    if not matching:
        raise UserError(_unknown(asked, [name for name in found if name], type(model).__name__))
    return matching


def _fits(name: list[str], pattern: list[str]) -> bool:
    return len(name) == len(pattern) and all(map(fnmatchcase, name, pattern))


def _unknown(asked: str, names: list[str], model: str) -> str:
    near = get_close_matches(asked, names, n=5, cutoff=0.4) or names[:5]
    what = "no module fits the pattern" if "*" in asked else "there is no module"
    nearest = ", ".join(near) or "none"
    return f"{what} {asked!r} in {model}; nearest: {nearest} (of {len(names)} in model.named_modules())"


def _refuse_containers(name: str, module: nn.Module) -> None:
    if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
        inside = ", ".join(f"{name}.{child}" for child, _module in list(module.named_children())[:5])
        raise UserError(
            f"module {name!r} is a {type(module).__name__}, which never runs itself; name what is in it: "
            f"{inside or 'nothing'}, or all with {name}.*"
        )


def _refuse_same_folders(chosen: Iterable[str]) -> None:
    taken: dict[str, str] = {}
    for name in chosen:
        other = taken.setdefault(folder_of(name).lower(), name)
        if other != name:
            raise UserError(f"modules {other!r} and {name!r} would have the same folder; capture one at a time")
