"""One column of a table: its kinds, what it may be for, and how its values are held."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

Kind = Literal["number", "boolean", "category", "text", "list"]
Role = Literal["label", "group", "order", "text", "image", "x", "y", "id", "none"]
KINDS: tuple[Kind, ...] = get_args(Kind)
ROLES: tuple[Role, ...] = get_args(Role)
FORCED: dict[str, Kind] = {
    "group": "category", "order": "number", "x": "number", "y": "number", "text": "text", "image": "text", "id": "text",
}  # fmt: skip
"""What a role makes of its column."""
STRINGS = np.dtypes.StringDType()
"""Of NumPy: 16 bytes a value, and what is longer."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column of a table over its rows.

    `values`: number: float64, NaN where missing; boolean: int8, 1, 0, or -1 where missing; category: int32, the place
    in `levels`, or -1 where missing; text: NumPy's variable strings, empty where missing; list: nothing, it is
    not read.
    `missing`: bool for each row.
    """

    name: str
    kind: Kind
    role: Role
    values: NDArray[Any]
    levels: tuple[str, ...]
    missing: NDArray[np.bool_]

    def take(self, rows: NDArray[np.int64]) -> Column:
        """The column of these rows, in their order."""
        if self.kind == "list":
            return replace(self, missing=self.missing[rows])
        return replace(self, values=self.values[rows], missing=self.missing[rows])


def nested(name: str, rows: int) -> Column:
    """A column of lists or objects: listed, not read."""
    return Column(name, "list", "none", np.empty(0, np.float64), (), np.zeros(rows, np.bool_))


def unknown(asked: str, role: str, names: Iterable[str]) -> str:
    """That there is no such column, which there are, and the one that was likely meant."""
    there = list(names)
    folded = {name.strip().casefold(): name for name in reversed(there)}
    near = get_close_matches(asked.strip().casefold(), folded, n=1)
    some = ", ".join(there[:12]) + (" ..." if len(there) > 12 else "")
    meant = f"; did you mean '{folded[near[0]]}'?" if near else ""
    return f"expected a column '{asked}' ({role}); found {some}{meant}"
