"""One forward of the model: what its modules gave, held to one another, and the lines of the table for it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from analysis.capture.pooling import Pooled, positions
from analysis.errors import UserError

log = logging.getLogger("dense_latents")

_OWN = ("row", "position", "x", "y", "z")
_CELLS = (str, int, float, bool, type(None))


def check_names(columns: Iterable[str]) -> None:
    """Refuse the names of the capture's own columns."""
    for name in columns:
        if name in _OWN:
            raise UserError(f"rows: {name!r} is a column of the capture's own; call yours otherwise, such as my_{name}")


def column(name: str, values: Any) -> Any:
    """A list with a value an example, or one value for all."""
    plain = values.tolist() if hasattr(values, "tolist") else values
    if isinstance(plain, _CELLS):
        return plain
    try:
        cells = [cell.tolist() if hasattr(cell, "tolist") else cell for cell in plain]
    except TypeError:
        raise UserError(f"rows: {name} is a {type(values).__name__}; expected a list with a value a row") from None
    for number, cell in enumerate(cells):
        if not isinstance(cell, _CELLS):
            raise UserError(f"rows: {name}[{number}] is a {type(cell).__name__}; expected text or a number")
    return cells


def other_columns(before: Sequence[str], now: Sequence[str]) -> str:
    """That a forward has other columns than those before it."""
    return (
        f"rows: this forward has the columns {', '.join(now)}; those before it had {', '.join(before)}. Call rows() "
        "with the same names before each forward, and capture modules of the same positions"
    )


def check_range(name: str, given: Tensor, dtype: str, taken: Pooled, before: int, forward: Forward) -> None:
    """Refuse NaN, infinity, and what the files' type cannot hold.

    Raises:
        UserError: names the module and the row.
    """
    bad = (~torch.isfinite(taken.values)).any(1).nonzero()
    if not len(bad):
        return
    example = int(bad[0]) // max(1, len(taken.values) // max(1, taken.examples))
    where = f"module {name!r}, row {before + example}{forward.name_of(example)}"
    if bool(torch.isfinite(given).all()):
        largest = given.abs().max().item()
        raise UserError(f'{where}: {largest:,.6g} is more than {dtype} holds; take dtype="float32", or scale it')
    raise UserError(f"{where}: NaN or infinity; nothing of this forward is written")


class Forward:
    """Args: columns: of its rows, as `rows` was given them."""

    def __init__(self, columns: dict[str, Any]) -> None:
        self.columns = columns
        self.calls: dict[str, list[Pooled]] = {}

    def name_of(self, example: int) -> str:
        """An example's first column, in brackets."""
        for name, values in self.columns.items():
            if isinstance(values, list) and example < len(values):
                return f" ({name} {values[example]})"
        return ""

    def one_of_each(self, modules: Iterable[str], call: int | None) -> dict[str, Pooled]:
        """What each module gave, once.

        Raises:
            UserError: a module that did not run, or several times and nobody said which counts; unequal rows.
        """
        taken = {name: self._one(name, call) for name in modules}
        first, *rest = taken.items()
        for name, other in rest:
            if _rows(other) != _rows(first[1]):
                raise UserError(
                    f"modules {first[0]!r} and {name!r} gave {_words(first[1])} and {_words(other)} in one forward; a "
                    "capture has the same rows for all: capture them one at a time"
                    + (', or with pool="mean"' if first[1].examples == other.examples else "")
                )
        return taken

    def _one(self, name: str, call: int | None) -> Pooled:
        calls = self.calls.get(name, [])
        if not calls:
            raise UserError(
                f"module {name!r} did not run in this forward; leave it out, or call the model so that it does"
            )
        if len(calls) > 1 and call is None:
            raise UserError(
                f"module {name!r} ran {len(calls)} times in this forward; say which counts: call=0 is the first, "
                "call=-1 the last; or capture a module around it"
            )
        try:
            return calls[0] if len(calls) == 1 else calls[call or 0]
        except IndexError:
            raise UserError(
                f"module {name!r} ran {len(calls)} times in this forward; there is no call={call}"
            ) from None

    def check_widths(self, taken: Mapping[str, Pooled], before: Mapping[str, int]) -> None:
        """Refuse rows of another width than those before."""
        for name, one in taken.items():
            width = one.values.shape[1]
            if before.get(name, width) != width:
                raise UserError(
                    f"module {name!r} gave {width} features; {before[name]} before. Features must stay the same; if "
                    'these are positions, say where the features are: channels="first" or channels="last"'
                )

    def table(self, taken: Mapping[str, Pooled], pool: str, before: int) -> tuple[list[str], list[list[Any]]]:
        """The table's head, and a line for each row.

        Args:
            taken: of each module, with equal rows.
            pool: `each` adds the position.
            before: examples of earlier forwards.
        """
        one = next(iter(taken.values()))
        places = positions(one.sizes)
        # x before y, though rows of an image go line by line
        names = list(one.sizes)[::-1]
        given = {name: self._cells(name, one.examples) for name in self.columns}
        lines = [
            [before + example, *reversed(place), *(cells[example] for cells in given.values())]
            for example in range(one.examples)
            for place in places
        ]
        return ["row", *(names if pool == "each" else []), *given], lines

    def _cells(self, name: str, examples: int) -> list[Any]:
        values = self.columns[name]
        if not isinstance(values, list):
            return [values] * examples
        if len(values) != examples:
            raise UserError(f"rows: {name} has {len(values)} values; this forward had {examples} rows")
        return values


def _rows(taken: Pooled) -> tuple[int, dict[str, int]]:
    return taken.examples, dict(taken.sizes)


def _words(taken: Pooled) -> str:
    sizes = " x ".join(map(str, taken.sizes.values()))
    return f"{taken.examples} rows" + (f" of {sizes} positions" if sizes else "")
