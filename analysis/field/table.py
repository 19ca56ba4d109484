"""The table beside the activations: a row for each of theirs, in their order or by an id."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BadFile, UserError
from analysis.field.batches import Batch, batches
from analysis.field.builder import Builder
from analysis.field.cells import text_of
from analysis.field.columns import FORCED, KINDS, ROLES, STRINGS, Column, Kind, Role, nested, unknown
from analysis.hashing import sha256_file
from analysis.reading.formats import Reading, known_encoding
from store.vocabulary import Statement

_EXAMPLES = 3
_JOINED = 1_000_000  # ids that are handed over at once: an Arrow string array holds 2 GB
GIVEN_ROLES = [role for role in ROLES if role not in ("label", "none")]


@dataclass(frozen=True, eq=False)
class Table:
    """Columns over the same rows, in the order of the activations.

    A column that has two roles (an image's path that is its id, too) is there twice, once for each.
    """

    path: Path
    rows: int
    columns: tuple[Column, ...]
    notes: tuple[Statement, ...]
    """What was noticed while it was read; `analysis.field.checks.lines` says it in words."""
    encoding: str

    def column(self, name: str) -> Column:
        """The column of that name; KeyError without one."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def role(self, role: Role) -> Column | None:
        """The column that has this role, if one has."""
        return next((column for column in self.columns if column.role == role), None)

    @property
    def labels(self) -> tuple[Column, ...]:
        """Columns without another role."""
        return tuple(column for column in self.columns if column.role == "label")

    @cached_property
    def sha256(self) -> str:
        """Of the file's bytes."""
        return sha256_file(self.path)


class _Target(NamedTuple):
    """A column and one of its roles."""

    name: str
    role: Role


def read_table(
    path: str | Path,
    *,
    roles: Mapping[str, str] | None = None,
    kinds: Mapping[str, str] | None = None,
    encoding: str = "",
    rows: int | None = None,
    row_ids: NDArray[Any] | None = None,
    beside: object = "the activations",
    width: int = 0,
) -> Table:
    """Read a table. Memory: 4 or 8 bytes a cell, and the texts; never an object for each row.

    Args:
        path: CSV, TSV, JSON lines (either packed, too), or Parquet.
        roles: role -> column; all others are labels.
        kinds: column -> number, boolean, category or text, where the guess would be wrong.
        encoding: of a text file; told from its bytes without one.
        rows: how many the activations have.
        row_ids: the id of each of their rows: with the role `id`, the table's rows are put in this order.
        beside: the file of the activations, for messages.
        width: how many columns the activations have: as many as the table has rows where they were turned.

    Raises:
        UserError: a role, kind or column that does not exist, a cell that is not what its column has to be, ids that
            are missing or there twice, another number of rows.
        BadFile: a file that cannot be used.
    """
    path = Path(path)
    asked = _Asked(path, dict(roles or {}), dict(kinds or {}))
    reading = Reading(asked=known_encoding(encoding))
    columns, notes, count = _read(path, reading, asked)
    if reading.invalid:
        notes.append({"code": "invalid_characters", "encoding": reading.encoding, "count": reading.invalid})
    table = Table(path, count, tuple(columns), tuple(notes), reading.encoding)
    ids = table.role("id")
    if ids is not None and row_ids is not None:
        if rows is not None and len(row_ids) != rows:
            raise UserError(f"{beside}: expected an id for each of {rows:,} rows; found {len(row_ids):,}")
        table = _joined(table, ids, row_ids, beside)
    elif rows is not None and count != rows:
        turned = f", as many as {beside} has columns; save it transposed (x.T)" if count == width else ""
        raise BadFile(path, f"{rows:,} rows, as {beside} has", f"{count:,}{turned}")
    return table


def read_ids(path: str | Path, column: str = "id", encoding: str = "") -> NDArray[Any]:
    """The ids in a table, such as the one beside a capture's layers: NumPy strings, for `row_ids`."""
    found = read_table(path, roles={"id": column}, encoding=encoding).role("id")
    assert found is not None
    return found.values


class _Asked:
    """What the caller said of columns, checked once the columns are known."""

    def __init__(self, path: Path, roles: dict[str, str], kinds: dict[str, str]) -> None:
        self.path, self.roles, self.kinds = path, roles, kinds
        for role in roles:
            if role not in GIVEN_ROLES:
                raise UserError(f"unknown role '{role}'; choose one of {', '.join(GIVEN_ROLES)}")
        for name, kind in kinds.items():
            if kind not in KINDS or kind == "list":
                kinds_given = ", ".join(each for each in KINDS if each != "list")
                raise UserError(f"column '{name}': unknown kind '{kind}'; choose one of {kinds_given}")
            for role in self.of(name):
                if role in FORCED and FORCED[role] != kind:
                    raise UserError(
                        f"column '{name}': expected {FORCED[role]}, as its role {role} needs; found '{kind}'"
                    )

    def of(self, name: str) -> list[Role]:
        """The roles of a column."""
        return [role for role in GIVEN_ROLES if self.roles.get(role) == name] or ["label"]

    def kind(self, name: str) -> Kind | None:
        """What it was said to be."""
        return next((kind for kind in KINDS if kind == self.kinds.get(name)), None)

    def check(self, names: list[str], nested_names: set[str]) -> None:
        """Raise UserError for a column that was named and is not there, or cannot be read."""
        for said, name in [*self.roles.items(), *(("kind", name) for name in self.kinds)]:
            if name in nested_names:
                raise UserError(f"{self.path}, column '{name}' ({said}): expected plain values; found lists or objects")
            if name not in names:
                raise UserError(f"{self.path}: {unknown(name, said, names)}")


def _read(path: Path, reading: Reading, asked: _Asked) -> tuple[list[Column], list[Statement], int]:
    first = _Pass(path, asked, only=None)
    count = first.run(reading)
    again = {target for target, builder in first.builders.items() if builder.again}
    second = _Pass(path, asked, only=again)
    if again:
        second.run(Reading(asked=reading.asked))
    columns: list[Column] = []
    notes: list[Statement] = []
    for name in first.names:
        if name in first.nested:
            columns.append(nested(name, count))
            notes.append({"code": "nested", "column": name})
            continue
        for role in asked.of(name):
            target = _Target(name, role)
            builder = (second if target in again else first).builders.pop(target)
            column, said = builder.finish()
            columns.append(column)
            notes += said
    return columns, notes, count


class _Pass:
    """One reading of the file; the second is of the columns alone that were no numbers after all."""

    def __init__(self, path: Path, asked: _Asked, only: set[_Target] | None) -> None:
        self.path, self.asked, self.only = path, asked, only
        self.builders: dict[_Target, Builder] = {}
        self.names: list[str] = []
        self.nested: set[str] = set()
        self.count = 0

    def run(self, reading: Reading) -> int:
        """Read it; the number of rows."""
        for batch in batches(self.path, reading, self._wants_text, self._times()):
            self._take(batch)
        if not self.count:
            raise BadFile(self.path, "at least one row", "none")
        self.asked.check(self.names, self.nested)
        return self.count

    def _wants_text(self, name: str) -> bool:
        return any(builder.wants_text for target, builder in self.builders.items() if target.name == name)

    def _times(self) -> set[str]:
        return {self.asked.roles[role] for role in ("order", "x", "y") if role in self.asked.roles}

    def _take(self, batch: Batch) -> None:
        for name in batch.nested - self.nested:
            self.nested.add(name)
            self._know(name)
            for target in [each for each in self.builders if each.name == name]:
                del self.builders[target]
        for name in batch.columns:
            if name not in self.nested:
                self._know(name)
        for target, builder in self.builders.items():
            values = batch.columns.get(target.name)
            if values is None:
                builder.add_missing(batch.rows)
            elif isinstance(values, np.ndarray):
                builder.add_numbers(values)
            else:
                builder.add(values)
        self.count += batch.rows

    def _know(self, name: str) -> None:
        """A column that turns up, in the first rows or later."""
        if name in self.names:
            return
        self.names.append(name)
        for role in self.asked.of(name):
            target = _Target(name, role)
            if self.only is None or target in self.only:
                kind, late = self.asked.kind(name), self.only is not None
                builder = Builder(self.path, name, role, kind, no_numbers=late)
                builder.add_missing(self.count)
                self.builders[target] = builder


def _joined(table: Table, ids: Column, row_ids: NDArray[Any], beside: object) -> Table:
    """The table in the order of `row_ids`; what it has besides is left out and counted."""
    import pyarrow.compute

    _check_ids(table.path, ids.values, ids.missing)
    wanted = np.array([text_of(each) or "" for each in row_ids.tolist()], STRINGS)
    _check_ids(beside, wanted, wanted == "")
    known, asked = _arrow(ids.values), _arrow(wanted)
    places = pyarrow.compute.index_in(asked, value_set=known.combine_chunks())
    gone = places.is_null().to_numpy(zero_copy_only=False) if places.null_count else np.zeros(len(wanted), np.bool_)
    if gone.any():
        found = f"{int(gone.sum()):,} missing: {_some(wanted[gone])}"
        raise BadFile(table.path, f"a row for each of {len(wanted):,} ids of {beside}", found)
    order = places.to_numpy().astype(np.int64)
    extra = table.rows - len(order)
    notes = (*table.notes, {"code": "rows_left_out", "rows": extra}) if extra else table.notes
    columns = tuple(column.take(order) for column in table.columns)
    return Table(table.path, len(order), columns, notes, table.encoding)


def _check_ids(where: object, ids: NDArray[Any], missing: NDArray[np.bool_]) -> None:
    import pyarrow.compute

    if missing.any():
        row = int(np.argmax(missing))
        raise BadFile(where, "an id in each row", f"{int(missing.sum()):,} rows without one, the first row {row}")
    counts = pyarrow.compute.value_counts(_arrow(ids))
    twice = counts.filter(pyarrow.compute.greater(counts.field(1), 1)).field(0)
    if len(twice):
        found = f"{len(twice):,} ids there more than once: {_some(twice[:_EXAMPLES].to_pylist(), len(twice))}"
        raise BadFile(where, "ids that are there once", found)


def _arrow(strings: NDArray[Any]) -> Any:
    import pyarrow

    parts = [strings[start : start + _JOINED] for start in range(0, len(strings), _JOINED)]
    return pyarrow.chunked_array(
        [pyarrow.array(part, pyarrow.large_string()) for part in parts], pyarrow.large_string()
    )


def _some(values: Any, count: int | None = None) -> str:
    count = len(values) if count is None else count
    return ", ".join(map(str, values[:_EXAMPLES])) + (" ..." if count > _EXAMPLES else "")
