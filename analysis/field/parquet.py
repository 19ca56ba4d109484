"""Parquet -> arrays of rows and columns: one column of lists, or columns of numbers. Read by batches, never whole."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BadFile
from analysis.field.arrays import check_shape

_BATCH_VALUES = 1 << 22  # values that are held at once while it is read


class ParquetArray:
    """A Parquet file: reading on where the last read ended costs nothing twice; else its row group is read again."""

    def __init__(self, path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        self.path = path
        self._errors = (pyarrow.ArrowException, OSError)
        try:
            with pyarrow.parquet.ParquetFile(path) as table:
                schema, meta = table.schema_arrow, table.metadata
                groups = [meta.row_group(group).num_rows for group in range(meta.num_row_groups)]
                self._lists = len(schema) == 1 and _is_list(schema.field(0).type)
                check_types(path, schema)
                width = self._list_width(table) if self._lists else len(schema)
        except self._errors as error:
            raise BadFile(path, "a Parquet file", str(error).splitlines()[0]) from error
        self._begins = [0, *accumulate(groups)]
        self.rows, self.width = check_shape(path, (self._begins[-1], width))
        self._at, self._rest = -1, np.empty((0, self.width))
        self._blocks: Iterator[NDArray[Any]] = iter(())

    def _list_width(self, table: Any) -> int:
        """Of the first list; that all have it is seen as they are read."""
        batch = next(table.iter_batches(1), None)
        first = batch.column(0)[0].as_py() if batch is not None and len(batch) else []
        if first is None:
            raise BadFile(self.path, "a list of numbers in each row", "none in row 0")
        return len(first)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Rows `start` to `stop` [n, width]."""
        if start != self._at:
            group = max(place for place, begin in enumerate(self._begins[:-1]) if begin <= start)
            self._blocks, self._rest = self._stream(group), np.empty((0, self.width))
            self._skip(start - self._begins[group])
        found = self._take(stop - start)
        self._at = stop
        if stop == self.rows:
            self._at, self._blocks = -1, iter(())  # closes the file
        return found

    def _skip(self, rows: int) -> None:
        while rows:
            rows -= len(self._take(min(rows, 4096)))

    def _take(self, rows: int) -> NDArray[Any]:
        parts = []
        while rows:
            if not len(self._rest):
                self._rest = next(self._blocks)
            parts.append(self._rest[:rows])
            self._rest = self._rest[rows:]
            rows -= len(parts[-1])
        return np.concatenate(parts) if parts else np.empty((0, self.width), np.float32)

    def _stream(self, group: int) -> Iterator[NDArray[Any]]:
        import pyarrow.parquet

        row = self._begins[group]
        rows = max(1, _BATCH_VALUES // self.width)
        try:
            with pyarrow.parquet.ParquetFile(self.path) as table:
                for batch in table.iter_batches(rows, row_groups=list(range(group, len(self._begins) - 1))):
                    if len(batch):
                        yield self._lists_of(batch.column(0), row) if self._lists else _columns_of(batch)
                    row += len(batch)
        except self._errors as error:
            raise BadFile(self.path, "a Parquet file", str(error).splitlines()[0]) from error

    def _lists_of(self, column: Any, first: int) -> NDArray[Any]:
        import pyarrow.compute

        lengths = pyarrow.compute.list_value_length(column).fill_null(-1).to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(lengths != self.width)
        if len(wrong):
            found = int(lengths[wrong[0]])
            what = "none" if found < 0 else f"{found}"
            raise BadFile(self.path, f"{self.width} numbers in each row", f"{what} in row {first + int(wrong[0])}")
        return _numbers(column.flatten()).reshape(len(column), self.width)


def check_types(path: Path, schema: Any) -> None:
    """Raise BadFile, naming the first column that holds no numbers."""
    for field in schema:
        kind = field.type.value_type if _is_list(field.type) and len(schema) == 1 else field.type
        if not _is_number(kind):
            wanted = "columns of numbers alone, or one column of lists of them"
            raise BadFile(path, wanted, f"'{field.name}' of type {field.type}")


def _is_list(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return bool(types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind))


def _columns_of(batch: Any) -> NDArray[Any]:
    return np.stack([_numbers(column) for column in batch.columns], axis=1)


def _numbers(column: Any) -> NDArray[Any]:
    """A column's values; NaN where it has none."""
    import pyarrow
    from pyarrow import types

    if types.is_boolean(column.type):
        column = column.cast(pyarrow.uint8())
    elif types.is_decimal(column.type):
        column = column.cast(pyarrow.float64())
    found: NDArray[Any] = column.to_numpy(zero_copy_only=False)  # integers with gaps become float64
    return found
