"""Tables in files -> some rows at a time, column by column: cells, or numbers where the file has them as such."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BadFile
from analysis.field.cells import Cell, text_of
from analysis.reading import formats
from analysis.reading.formats import Reading

TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet"}
KINDS = f"{', '.join(sorted(TABLES))}, all but Parquet also packed as .gz, .bz2, .xz or .zst"
_SPREADSHEETS = {".xlsx", ".xlsm", ".xlsb", ".xls", ".ods", ".numbers"}
_NAMED = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_ROWS = 8192
_CHARACTERS = 16_000_000  # of the cells of a batch, about: long texts come in smaller ones


@dataclass
class Batch:
    """Some rows. `nested` names columns of lists or objects, which are not read."""

    rows: int
    columns: dict[str, list[Cell] | NDArray[np.float64]]
    nested: set[str] = field(default_factory=set)


WantsText = Callable[[str], bool]
"""Whether a column of numbers has to come as cells: ids and groups are names."""


def batches(path: Path, reading: Reading, wants_text: WantsText, times: set[str]) -> Iterator[Batch]:
    """The rows of a table, in order; the first batch has all columns of a file that says them, and may have no rows.

    Args:
        path: a table; its name says of what kind.
        reading: takes down the encoding.
        wants_text: see there.
        times: columns of dates that come as seconds since 1970.

    Raises:
        BadFile: of another kind, broken, without columns, or with two of one name.
    """
    if path.suffix.lower() in _SPREADSHEETS:
        raise BadFile(path, f"a table: {KINDS}", "a spreadsheet; save its sheet as CSV (UTF-8), and give that")
    if not formats.is_known(path) or (kind := formats.format_of(path).suffix) not in TABLES:
        raise BadFile(path, f"a table: {KINDS}", f"'{path.suffix}'")
    if not path.is_file():
        raise BadFile(path, "a table", "no such file" if not path.exists() else "a folder")
    if kind in formats.SEPARATORS:
        return _separated(path, reading, formats.SEPARATORS[kind])
    return _parquet(path, wants_text, times) if kind == ".parquet" else _json_lines(path, reading)


def check_names(path: Path, names: list[str]) -> None:
    """Raise BadFile where a table has no columns, or two of one name."""
    if not any(name.strip() for name in names):
        raise BadFile(path, "the names of columns in its first line", "none")
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise BadFile(path, "columns of different names", f"'{twice[0]}' {names.count(twice[0])} times")


def _separated(path: Path, reading: Reading, by: str) -> Iterator[Batch]:
    rows = formats.rows_of_fields(path, reading, by)
    names = [name.strip() or f"column {place}" for place, name in enumerate(next(rows)[1], start=1)]
    check_names(path, names)
    _check_separated(path, names, by)
    yield Batch(0, {name: [] for name in names})
    held: list[list[str]] = []
    size = 0
    for _line, row in rows:
        held.append(row)
        size += sum(map(len, row))
        if len(held) == _ROWS or size > _CHARACTERS:
            yield _turned(names, held)
            held, size = [], 0
    if held:
        yield _turned(names, held)


def _check_separated(path: Path, names: list[str], by: str) -> None:
    """Raise BadFile for a first line that is one name, with what separates columns elsewhere in it."""
    other = next((mark for mark in _NAMED if mark != by and mark in names[0]), None)
    if len(names) > 1 or other is None:
        return
    found = f"one column, '{names[0][:60]}', with {_NAMED[other]} in its name"
    mend = "call the file .tsv" if other == "\t" else "call the file .csv" if other == "," else "save it with commas"
    raise BadFile(path, f"columns separated by {_NAMED[by]}", f"{found}; {mend}")


def _turned(names: list[str], rows: list[list[str]]) -> Batch:
    return Batch(len(rows), {name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)})


def _json_lines(path: Path, reading: Reading) -> Iterator[Batch]:
    held: list[dict[str, Any]] = []
    size = 0
    for record in formats.format_of(path).read(path, reading):
        if not isinstance(record.value, dict):
            raise BadFile(f"{path}:{record.number}", "a JSON object on each line", "none")
        held.append(record.value)
        size += sum(len(value) for value in record.value.values() if isinstance(value, str))
        if len(held) == _ROWS or size > _CHARACTERS:
            yield _of_objects(held)
            held, size = [], 0
    if held:
        yield _of_objects(held)


def _of_objects(rows: list[dict[str, Any]]) -> Batch:
    names = dict.fromkeys(name for row in rows for name in row)
    nested = {name for name in names if any(isinstance(row.get(name), list | dict) for row in rows)}
    columns: dict[str, Any] = {name: [text_of(row.get(name)) for row in rows] for name in names if name not in nested}
    return Batch(len(rows), columns, nested)


def _parquet(path: Path, wants_text: WantsText, times: set[str]) -> Iterator[Batch]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(path) as table:
            schema = table.schema_arrow
            check_names(path, list(schema.names))
            nested = {one.name for one in schema if not _is_plain(one.type)}
            plain = [one.name for one in schema if one.name not in nested]
            yield Batch(0, {name: [] for name in plain}, nested)
            for batch in table.iter_batches(_ROWS):
                columns = {name: _values(batch.column(name), wants_text(name), name in times) for name in plain}
                yield Batch(batch.num_rows, columns)
    except (pyarrow.ArrowException, OSError) as error:
        raise BadFile(path, "a Parquet file", str(error).splitlines()[0]) from error


def _is_plain(kind: Any) -> bool:
    from pyarrow import types

    if types.is_dictionary(kind):
        return _is_plain(kind.value_type)
    return not (types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind)) and not (
        types.is_fixed_size_binary(kind) or isinstance(kind, _extension())
    )


def _extension() -> type:
    import pyarrow

    found: type = pyarrow.BaseExtensionType
    return found


def _values(column: Any, wants_text: bool, as_time: bool) -> list[Cell] | NDArray[np.float64]:
    import pyarrow
    from pyarrow import types

    kind = column.type
    if as_time and not wants_text and types.is_temporal(kind):
        return _seconds(column)
    if (types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)) and not wants_text:
        found: NDArray[np.float64] = column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False)
        return found
    return [text_of(value) for value in column.to_pylist()]


def _seconds(column: Any) -> NDArray[np.float64]:
    import pyarrow
    from pyarrow import types

    if types.is_date(column.type):
        column = column.cast(pyarrow.timestamp("ms"))
    unit = getattr(column.type, "unit", "s")
    steps = column.cast(pyarrow.int32() if types.is_time32(column.type) else pyarrow.int64()).cast(pyarrow.float64())
    found: NDArray[np.float64] = steps.to_numpy(zero_copy_only=False) / {"s": 1, "ms": 1e3, "us": 1e6, "ns": 1e9}[unit]
    return found
