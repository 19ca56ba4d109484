"""Matrices, table and SAEs: loaded, checked and brought together before a row is counted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
import torch
from rich.console import Console

from analysis import __version__
from analysis.errors import UserError
from analysis.field.checks import check, lines
from analysis.field.columns import Column, Role, unknown
from analysis.field.config import FieldConfig
from analysis.field.head import read_head
from analysis.field.matrix import Matrix, open_matrices, rows_file
from analysis.field.stream import Places
from analysis.field.table import Table, read_ids, read_table
from analysis.field.units import Units, units
from analysis.hashing import hash_of, sha256_file
from analysis.reading.sae import LoadedSae, load_sae
from store.vocabulary import Statement

GROUP, ORDER, NONE = "group", "order", "none"
_ORDER: Role = "order"
STRETCHES = 64
"""Of the order, that are the groups where none are given."""


@dataclass
class Field:
    """All that was loaded of one command."""

    config: FieldConfig
    matrices: list[Matrix]
    table: Table | None
    saes: list[LoadedSae]
    """One for each matrix: its SAE, or its columns as units."""
    found: list[Statement]
    """What the checks say."""

    @property
    def name(self) -> str:
        """Of the network."""
        return self.config.name or self.matrices[0].path.resolve().stem

    @property
    def rows(self) -> int:
        """Of each matrix."""
        return self.matrices[0].rows

    @cached_property
    def places(self) -> Places:
        """Group and order of every row.

        Without groups each row is its own; with an order alone, rows near each other are alike, so that stretches of it
        are the groups.
        """
        group, order = self.codes(GROUP), self.order
        if group is None:
            group = np.arange(self.rows) if order is None else _stretches(order)
        return Places(torch.from_numpy(np.ascontiguousarray(group, dtype=np.int64)), order is not None)

    @cached_property
    def order(self) -> np.ndarray | None:
        """[R] float64; None where none is given."""
        column = self.of(ORDER)
        return None if column is None else np.asarray(column.values, dtype=np.float64)

    def of(self, role: str) -> Column | None:
        """The column that has this part."""
        columns = self.table.columns if self.table is not None else []
        return next((column for column in columns if column.role == role), None)

    def codes(self, role: str) -> np.ndarray | None:
        """[R] int64: which value of that column each row has, numbered as they first occur."""
        column = self.of(role)
        if column is None:
            return None
        values = np.asarray(column.values)
        _levels, first, code = np.unique(values, return_index=True, return_inverse=True)
        place = np.empty(len(first), dtype=np.int64)
        place[np.argsort(first)] = np.arange(len(first))
        return place[code.reshape(-1)]

    @property
    def labels(self) -> list[Column]:
        """Columns that are held against the units."""
        columns = self.table.labels if self.table is not None else ()
        return [
            column
            for column in columns
            if column.kind in ("number", "boolean", "category") and not _counts(column, self.order)
        ]

    @cached_property
    def data_sha256(self) -> str:
        """Of the data: matrices and table."""
        return hash_of([[matrix.sha256 for matrix in self.matrices], "" if self.table is None else self.table.sha256])

    @cached_property
    def fingerprint(self) -> str:
        """Of the network, as far as data tell: its name and its layers, so that notes outlive a new day's rows."""
        return hash_of(["network", self.name, [[m.name, m.layer, m.width] for m in self.matrices]])

    @cached_property
    def key(self) -> str:
        """Names the run."""
        saes = [sae.sha256 for sae in self.saes]
        if self.config.head:
            saes.append(sha256_file(Path(self.config.head).expanduser()))
        return self.config.run_key(__version__, [self.fingerprint], self.data_sha256, saes)


def load(config: FieldConfig, console: Console) -> Field:
    """Open, read and check everything; the cheap checks first.

    Raises:
        UserError: whatever is wrong with the input, named.
    """
    matrices = open_matrices(config.activations)
    table = None if config.table is None else _table(config, matrices[0], console)
    name = config.name or matrices[0].path.resolve().stem
    found = check(matrices, table)
    said = lines(found)
    for line in said:
        console.print(line)
    found = [statement | {"words": words} for statement, words in zip(found, said, strict=True)]
    field = Field(config, matrices, table, [] if config.train else _saes(config, name, matrices), found)
    if config.head:
        _check_head(field)
    if config.train:
        from analysis.field.train import trained  # with sae-lens' trainers, which nobody else waits for

        field.saes = trained(
            field.matrices, field.places, config.train, console, bottleneck=config.bottleneck, seed=config.seed
        )
    kinds = ", ".join(f"{column.name} ({column.kind})" for column in field.labels) or "none"
    console.print(f"labels: {kinds}; --column NAME=KIND if one is something else")
    if field.places.scattered and config.group is not None:
        console.print("the rows of a group do not stand together: an example's neighbours are rows of the file")
    return field


def _check_head(field: Field) -> None:
    """Before the work: the label that the head predicts is there, and its weights are of the matrix.

    Raises:
        UserError: no such label, or weights that cannot be used.
    """
    config, names = field.config, [column.name for column in field.labels]
    if config.head_label not in names:
        where = config.table or "the table"
        raise UserError(f"{where}: {unknown(config.head_label, '--head-label', names)}")
    label = next(column for column in field.labels if column.name == config.head_label)
    read_head(config.head, field.matrices[0].width, label)


def _table(config: FieldConfig, matrix: Matrix, console: Console) -> Table:
    """In the order of the matrix: by its ids, where the matrix has some beside it."""
    assert config.table is not None
    beside = rows_file(config.activations[0]) if config.id is not None else None
    ids = (
        None if beside is None or beside.resolve() == Path(config.table).resolve() else read_ids(beside, str(config.id))
    )
    if ids is None and config.id is not None:
        console.print(
            f"{matrix.path} has no names of its rows: the table must be in its order, and --id only names them"
        )
    table = read_table(
        config.table, roles=config.roles, kinds={name: kind for name, kind in config.columns.items() if kind != NONE},
        encoding=config.encoding, rows=matrix.rows, row_ids=ids, beside=matrix.path,
        width=matrix.width,
    )  # fmt: skip
    table = _without(table, {name for name, kind in config.columns.items() if kind == NONE})
    _check_images(table)
    order = table.role(_ORDER)
    if order is not None and bool(order.missing.any()):
        raise UserError(
            f"--order {order.name}: expected a value in every row of {table.path}; found none in"
            f" {int(order.missing.sum()):,}"
        )
    return table


def _own_ids(matrix: Matrix, name: str | None) -> np.ndarray | None:
    """Names of the rows that lie in the matrix' own .npz, in an array called as the column; None without one."""
    if name is None or matrix.path.suffix != ".npz" or not matrix.path.is_file():
        return None
    with np.load(matrix.path, allow_pickle=False) as arrays:
        return arrays[name].astype(np.dtypes.StringDType()) if name in arrays.files else None


def _check_images(table: Table) -> None:
    """Refuse a picture that no folder of pictures can hold.

    Raises:
        UserError: the column, and the first such path.
    """
    column = table.role("image")
    for row, name in enumerate(column.values.tolist() if column is not None else ()):
        path = PurePosixPath(str(name).replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or PureWindowsPath(str(name)).drive:
            raise UserError(
                f"{table.path}, row {row}: expected a path inside the folder of pictures (--image"
                f" {column.name if column is not None else ''}); found '{name}'"
            )


def _without(table: Table, names: set[str]) -> Table:
    """The same with some columns that are no labels."""
    known = {column.name for column in table.columns}
    for name in sorted(names - known):
        raise UserError(f"{table.path}: {unknown(name, '--column', [column.name for column in table.columns])}")
    kept = (replace(column, role="none") if column.name in names else column for column in table.columns)
    return replace(table, columns=tuple(kept))


def _counts(column: Column, order: np.ndarray | None) -> bool:
    """It numbers the rows, or is the order once more: no label."""
    if column.kind != "number" or bool(column.missing.any()):
        return False
    values = np.asarray(column.values)
    return bool(np.all(np.diff(values) == 1)) or (order is not None and np.array_equal(values, order))


def _stretches(order: np.ndarray) -> np.ndarray:
    """[R] int64: up to 64 stretches of equally many rows, one after the other."""
    count = max(1, min(STRETCHES, len(order) // 16))
    place = np.empty(len(order), dtype=np.int64)
    place[np.argsort(order, kind="stable")] = np.arange(len(order)) * count // len(order)
    return place


def _saes(config: FieldConfig, name: str, matrices: list[Matrix]) -> list[LoadedSae]:
    """An SAE for each matrix, in their order, or its columns."""
    if not config.saes:
        return [_units(config, name, matrix) for matrix in matrices]
    if len(config.saes) != len(matrices):
        raise UserError(
            f"analyze: expected one --sae for each of the {len(matrices)} matrices, in their order; found"
            f" {len(config.saes)}"
        )
    pairs = zip(config.saes, matrices, strict=True)
    found = [replace(load_sae(source, place=matrix.name), layer=matrix.layer) for source, matrix in pairs]
    for sae, matrix in zip(found, matrices, strict=True):
        if sae.transcodes or sae.d_in != matrix.width:
            what = "a transcoder" if sae.transcodes else f"one of {sae.d_in}"
            raise UserError(
                f"--sae {sae.source}: expected an SAE of {matrix.width} columns, as {matrix.path} has; found {what}"
            )
    return found


def _units(config: FieldConfig, name: str, matrix: Matrix) -> Units:
    sha256 = hash_of(["units", name, matrix.name, matrix.layer, matrix.width])
    return units(str(matrix.path), sha256, matrix.name, matrix.layer, matrix.width, config.on_above)
