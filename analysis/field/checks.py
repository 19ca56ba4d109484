"""What is said of activations and their table before the work: sizes, gaps, copies, leaks. Its words are `said`'s.

Choice: one pass over each matrix, which also takes a sample of its rows; leaks are looked for in the sample. Cost: 8
bytes a row for the hashes by which repeated rows are found, and the sample, of at most `SAMPLE_BYTES`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import BadFile
from analysis.field.columns import Column
from analysis.field.leaks import leaks
from analysis.field.matrix import Matrix
from analysis.field.said import lines
from analysis.field.table import Table
from store.vocabulary import Statement

__all__ = ["check", "lines"]

SAMPLE_BYTES = 128_000_000
_VALUES = 1 << 22  # of a block of rows
_LISTED = 5
_MEASURED = ("number", "boolean", "category")


def check(matrices: list[Matrix], table: Table | None, sample_rows: int = 200_000) -> list[Statement]:
    """What should be known before the work, in the order in which it is said.

    Args:
        matrices: of the same rows.
        table: of these rows, if there is one.
        sample_rows: in which leaks are looked for, at most; fewer where they are wide.

    Raises:
        BadFile: a table of other rows; a value of a matrix that is not finite.
    """
    for matrix in matrices:
        if table is not None and matrix.rows != table.rows:
            raise BadFile(table.path, f"{matrix.rows:,} rows, as {matrix.path} has", f"{table.rows:,}")
    labels = [column for column in table.labels if column.kind in _MEASURED] if table is not None else []
    found: list[Statement] = [
        {"code": "size", "matrix": m.name, "layer": m.layer, "rows": m.rows, "width": m.width} for m in matrices
    ]
    if table is not None:
        found += [*_table(table), *table.notes, *_confounded(table)]
    for matrix in matrices:
        facts = _read(matrix, sample_rows)
        found += [*_constant_units(matrix, facts), *_repeated(matrix, facts, labels)]
        if len(facts.sampled) < matrix.rows:
            found.append({"code": "sampled", "matrix": matrix.name, "rows": len(facts.sampled), "of": matrix.rows})
        found += [{"matrix": matrix.name, **leak} for leak in leaks(facts.sample, facts.sampled, labels)]
    return found


def _table(table: Table) -> Iterator[Statement]:
    yield {"code": "table", "rows": table.rows, "columns": len(table.columns), "labels": len(table.labels)}
    group = table.role("group")
    if group is not None:
        sizes = np.bincount(group.values[~group.missing], minlength=len(group.levels))
        if len(sizes):
            yield {
                "code": "groups", "column": group.name, "groups": len(sizes), "smallest": int(sizes.min()),
                "median": float(np.median(sizes)), "largest": int(sizes.max()),
            }  # fmt: skip
    for column in table.columns:
        count = int(column.missing.sum())
        if count == table.rows:
            yield {"code": "empty_column", "column": column.name}
            continue
        if count:
            yield {"code": "missing", "column": column.name, "role": column.role, "rows": count, "of": table.rows}
        if column.role == "label" and column.kind == "text":
            yield {"code": "text_label", "column": column.name}
        elif column.kind in _MEASURED and _is_constant(column):
            yield {"code": "constant_column", "column": column.name, "role": column.role, "value": _value(column)}


def _is_constant(column: Column) -> bool:
    values = column.values[~column.missing]
    return bool((values == values[0]).all())


def _value(column: Column) -> Any:
    value = column.values[~column.missing][0]
    return (
        column.levels[int(value)]
        if column.kind == "category"
        else bool(value)
        if column.kind == "boolean"
        else float(value)
    )


def _confounded(table: Table) -> Iterator[Statement]:
    """Labels that each group has one value of, and labels each value of which one group has."""
    group = table.role("group")
    if group is None or group.missing.all():
        return
    for column in table.labels:
        if column.kind not in _MEASURED:
            continue
        both = ~column.missing & ~group.missing
        of = np.unique(group.values[both], return_inverse=True)[1].astype(np.int64)
        values = np.unique(column.values[both], return_inverse=True)[1]
        rows, groups, different = len(of), int(of.max(initial=-1)) + 1, int(values.max(initial=-1)) + 1
        if groups < 2 or different < 2:
            continue
        pairs = len(np.unique(of * different + values))
        by_group = pairs == groups and groups <= rows / 2  # groups of one row each determine everything
        by_label = pairs == different and different <= rows / 2
        if by_group or by_label:
            way = "both" if by_group and by_label else "group" if by_group else "label"
            yield {
                "code": "confounded", "label": column.name, "group": group.name, "way": way, "groups": groups,
                "values": different,
            }  # fmt: skip


@dataclass
class _Facts:
    """Of a matrix: smallest and largest value of each column [width], hash of each row [rows], the sample."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    hashes: NDArray[np.uint64]
    sampled: NDArray[np.int64]
    sample: NDArray[np.float32]


def _read(matrix: Matrix, sample_rows: int) -> _Facts:
    most = max(1, min(sample_rows, SAMPLE_BYTES // (4 * matrix.width)))
    sampled = _sampled(matrix.rows, most)
    facts = _Facts(
        np.full(matrix.width, np.inf, np.float32),
        np.full(matrix.width, -np.inf, np.float32),
        np.empty(matrix.rows, np.uint64),
        sampled,
        np.empty((len(sampled), matrix.width), np.float32),
    )
    wrong, first = 0, ""
    step = max(1, _VALUES // matrix.width)
    for start in range(0, matrix.rows, step):
        stop = min(start + step, matrix.rows)
        block = matrix.read(start, stop)
        finite = np.isfinite(block)
        if not finite.all():
            first = first or _first_wrong(block, finite, start)
            wrong += int((~finite).sum())
        if wrong:
            continue  # only counted from here on
        np.minimum(facts.low, block.min(0), out=facts.low)
        np.maximum(facts.high, block.max(0), out=facts.high)
        facts.hashes[start:stop] = _hashes(block)
        begin, end = np.searchsorted(sampled, (start, stop))
        facts.sample[begin:end] = block[sampled[begin:end] - start]
    if wrong:
        raise BadFile(
            matrix.path, "finite numbers", f"{wrong:,} that {'is' if wrong == 1 else 'are'} not, first {first}"
        )
    return facts


def _sampled(rows: int, most: int) -> NDArray[np.int64]:
    """Rows of the sample, ascending; the same ones for each matrix of as many."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, most, replace=False, shuffle=False))


def _first_wrong(block: NDArray[np.float32], finite: NDArray[np.bool_], start: int) -> str:
    row, column = (int(each) for each in np.argwhere(~finite)[0])
    name = "NaN" if np.isnan(block[row, column]) else "infinity"
    return f"{name} in row {start + row}, column {column}"


def _hashes(block: NDArray[np.float32]) -> NDArray[np.uint64]:
    plain = block + np.float32(0)  # -0.0 is 0.0
    return np.frombuffer(b"".join(blake2b(row, digest_size=8).digest() for row in plain), np.uint64)


def _constant_units(matrix: Matrix, facts: _Facts) -> Iterator[Statement]:
    constant = np.flatnonzero(facts.low == facts.high)
    if len(constant):
        yield {
            "code": "constant_units", "matrix": matrix.name, "count": len(constant), "of": matrix.width,
            "first": constant[:_LISTED].tolist(),
        }  # fmt: skip


def _repeated(matrix: Matrix, facts: _Facts, labels: list[Column]) -> Iterator[Statement]:
    """Rows that are there more than once, and labels that say different things of the same row."""
    order = np.argsort(facts.hashes, kind="stable")
    ordered = facts.hashes[order]
    fresh = np.append(True, ordered[1:] != ordered[:-1])
    size = np.diff(np.append(np.flatnonzero(fresh), len(order)))
    if (size == 1).all():
        return
    repeated = np.repeat(size > 1, size)
    rows = order[repeated]
    begins = np.flatnonzero(fresh[repeated])
    yield {
        "code": "repeated_rows", "matrix": matrix.name, "rows": len(rows) - len(begins), "of": matrix.rows,
        "sets": len(begins), "first": rows[: min(2, _LISTED)].tolist(),
    }  # fmt: skip
    for column in labels:
        values = np.where(column.missing, np.nan, column.values)[rows]
        low, high = np.fmin.reduceat(values, begins), np.fmax.reduceat(values, begins)
        differ = np.flatnonzero(low < high)
        if len(differ):
            yield {
                "code": "repeated_differ", "matrix": matrix.name, "label": column.name, "sets": len(differ),
                "of": len(begins), "first": rows[begins[differ[0]] :][:2].tolist(),
            }  # fmt: skip
