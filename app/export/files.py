"""Rows -> the bytes of a file, a batch at a time: CSV, JSON lines, Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

from app.export.latent_table import FLAG, NUMBER, REASONS, TEXT, TIME, TOKENS, WHOLE, Row, TableColumn, as_json

if TYPE_CHECKING:
    import pyarrow

Batches = Iterable[list[Row]]
_GROUP = 16
"""Batches of a row group of Parquet."""
FORMULA = tuple("=+-@\t\r\n＝＋－＠")
"""What a spreadsheet may take for the beginning of a formula."""


def csv_file(columns: list[TableColumn], batches: Batches) -> Iterator[bytes]:
    """RFC 4180 with a head, in UTF-8 without a byte order mark. Nothing is an empty cell, yes and no are true and
    false, lists are JSON. Text that a spreadsheet would take for a formula has an apostrophe before it."""
    kinds = [(place, column.kind) for place, column in enumerate(columns) if column.kind in _WRITTEN]
    for number, rows in enumerate(batches):
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        if number == 0:
            writer.writerow([column.name for column in columns])
        writer.writerows([_cells(kinds, row) for row in rows])
        yield text.getvalue().encode()


def _cells(kinds: list[tuple[int, str]], row: Row) -> Row:
    """The row with what the writer itself does not write rightly; it does numbers and nothing."""
    made = [*row]
    for place, kind in kinds:
        value = row[place]
        if value is not None:
            made[place] = _WRITTEN[kind](value)
    return made


def _safe(value: str) -> str:
    return f"'{value}" if value.startswith(FORMULA) else value


def _time(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ")


_WRITTEN: dict[str, Callable[[Any], str]] = {
    TEXT: _safe,
    FLAG: lambda value: "true" if value else "false",
    TOKENS: as_json,
    REASONS: as_json,
    TIME: _time,
}


def json_lines(columns: list[TableColumn], batches: Batches) -> Iterator[bytes]:
    """One object a line, with all names each time; nothing is null."""
    names = [column.name for column in columns]
    for rows in batches:
        yield "".join(_line(names, row) for row in rows).encode()


def _line(names: list[str], row: Row) -> str:
    held = dict(zip(names, row, strict=True))
    return json.dumps(held, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_time) + "\n"


class _Drain(io.RawIOBase):
    """A file that gives away what was written to it."""

    def __init__(self) -> None:
        self.held, self.place = bytearray(), 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.held += bytes(data)
        self.place += len(data)
        return len(data)

    def tell(self) -> int:
        return self.place

    def taken(self) -> bytes:
        """What was written since."""
        held, self.held = bytes(self.held), bytearray()
        return held


def parquet_file(columns: list[TableColumn], batches: Batches, about: Mapping[str, str]) -> Iterator[bytes]:
    """Compressed with Zstandard. A row group has several batches: what the file's end says of each stays in memory.

    Args:
        about: becomes the file's metadata.
    """
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(column.name, _type(pa, column.kind)) for column in columns], metadata=dict(about))
    drain = _Drain()

    def table(rows: list[Row]) -> pyarrow.Table:
        arrays = map(_packed, columns, zip(*rows, strict=True))
        made = [pa.array(values, one.type) for values, one in zip(arrays, schema, strict=True)]
        return pa.Table.from_arrays(made, schema=schema)

    with parquet.ParquetWriter(drain, schema, compression="zstd") as writer:
        tables = (table(rows) for rows in batches if rows)
        while group := list(islice(tables, _GROUP)):
            writer.write_table(pa.concat_tables(group))
            yield drain.taken()
    yield drain.taken()


def _packed(column: TableColumn, values: Iterable[Any]) -> list[Any]:
    return [as_json(value) for value in values] if column.kind == REASONS else list(values)


def _type(pa: Any, kind: str) -> pyarrow.DataType:
    return {
        TEXT: pa.string(),
        REASONS: pa.string(),
        WHOLE: pa.int64(),
        NUMBER: pa.float64(),
        FLAG: pa.bool_(),
        TOKENS: pa.list_(pa.string()),
        TIME: pa.timestamp("us", tz="UTC"),
    }[kind]
