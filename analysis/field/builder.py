"""Puts a column together while its table streams by.

Choice: a column is kept as codes of its different values while these are few; else as float64 if all of them are
numbers, or as NumPy strings. A column of numbers in which a word turns up late is read a second time: `again` says so.
Never a Python object for each row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import UserError
from analysis.field import cells
from analysis.field.cells import LONGEST_CELL, Cell, NotReadError
from analysis.field.columns import FORCED, STRINGS, Column, Kind, Role
from store.vocabulary import Statement

MOST_LEVELS = 1 << 16
"""Different values up to which a column that nobody called a category is kept as codes."""
FEW_CODES = 12
"""Different whole numbers up to which a column may well be a category in numbers; it is said, not guessed."""


class _Codes(dict[Cell, int]):
    """Cell -> its code, given as cells come; -1 for a missing one."""

    def __init__(self) -> None:
        super().__init__()
        self.levels: list[str] = []

    def __missing__(self, cell: Cell) -> int:
        if cell is not None and len(cell) > LONGEST_CELL:
            return self[cell[:LONGEST_CELL]]  # the long one itself is not kept as a key
        if cell is None or cells.is_missing(cell):
            code = -1
        else:
            code = len(self.levels)
            self.levels.append(cell)
        self[cell] = code
        return code


class Builder:
    """Puts a column together.

    Args:
        where: the file, for messages.
        name: of the column.
        role: what it is for.
        kind: what it has to be; None guesses.
        no_numbers: it was read as numbers and is none.

    Raises:
        UserError: at `add` or `finish`, a cell that is not what the column has to be.
    """

    def __init__(self, where: object, name: str, role: Role, kind: Kind | None, *, no_numbers: bool = False) -> None:
        self.where, self.name, self.role = where, name, role
        self.kind = kind or FORCED.get(role)
        self.no_numbers = no_numbers
        self.again = False
        """Whether it has to be read again, with `no_numbers`."""
        self.rows = 0
        self.cut = 0
        self._codes = _Codes()
        self._chunks: list[NDArray[Any]] = []
        self._masks: list[NDArray[np.bool_]] = []
        self._read: Callable[[str], float] = cells.number
        self._form = ""
        self._state = "texts" if role in ("id", "text", "image") else "codes"

    @property
    def wants_text(self) -> bool:
        """Whether numbers of a typed file have to come as cells."""
        return self.kind in ("category", "text") or self.no_numbers

    def add_missing(self, rows: int) -> None:
        """So many rows without a value."""
        step = 1 << 16
        for start in range(0, rows, step):
            self.add([None] * min(step, rows - start))

    def add_numbers(self, values: NDArray[np.float64]) -> None:
        """Rows of a typed file's numbers; all of the column comes so."""
        if self._state == "codes":
            self._state = "numbers"
        self._chunks.append(values)
        self.rows += len(values)

    def add(self, batch: list[Cell]) -> None:
        """The next rows."""
        if self.again:
            return
        self.cut += sum(cell is not None and len(cell) > LONGEST_CELL for cell in batch)
        if self._state == "codes":
            self._chunks.append(np.fromiter(map(self._codes.__getitem__, batch), np.int32, len(batch)))
            if len(self._codes.levels) > MOST_LEVELS and self.kind != "category":
                self._leave_codes()
        elif self._state == "numbers":
            try:
                self._check_form(batch)
                self._chunks.append(cells.parsed(batch, self._read))
            except NotReadError as error:
                self._not(error.cell, batch)
                self.again = True
        else:
            self._add_texts(batch)
        self.rows += len(batch)

    def _add_texts(self, batch: list[Cell]) -> None:
        blank = cells.is_blank if self.role in FORCED else cells.is_missing
        mask = np.fromiter(map(blank, batch), np.bool_, len(batch))
        kept = ["" if gone or cell is None else cell[:LONGEST_CELL] for cell, gone in zip(batch, mask, strict=True)]
        self._chunks.append(np.array(kept, STRINGS))
        self._masks.append(mask)

    def _leave_codes(self) -> None:
        """Too many different values for codes: numbers if all are, else texts."""
        if self.kind == "boolean":
            self._finished_boolean(np.empty(0, np.int32), self._codes.levels)  # says which is none
        self._to("texts" if self.kind == "text" or self.no_numbers or not self._numeric() else "numbers")

    def _numeric(self) -> bool:
        """Whether all different values so far are numbers, or times where these are meant; `_read` then reads them."""
        for read in (cells.number, cells.seconds) if self.role == "order" else (cells.number,):
            self._read = read
            try:
                cells.parsed(self._codes.levels, self._read)
                self._check_form(self._codes.levels)
            except NotReadError as error:
                bad = error.cell
            else:
                return True
        if self.kind == "number":
            self._not(bad, [])
        return False

    def _check_form(self, batch: Iterable[Cell]) -> None:
        if self._read is not cells.seconds:
            return
        for form in {cells.time_form(cell) for cell in batch if cell is not None and not cells.is_missing(cell)}:
            self._form = self._form or form
            if form != self._form:
                raise UserError(f"{self._place}: expected times of one kind; found some {self._form}, some {form}")

    @property
    def _place(self) -> str:
        as_ = "" if self.role in ("label", "none") else f" ({self.role})"
        return f"{self.where}, column '{self.name}'{as_}"

    def _not(self, cell: str, batch: list[Cell]) -> None:
        """Refuse a cell where the column has to be a number."""
        if self.kind != "number":
            return
        wanted = "numbers, or ISO dates or times" if self.role == "order" else "numbers"
        row = self.rows + batch.index(cell) if batch else self._first_row(cell)
        raise UserError(f"{self._place}: expected {wanted}; found '{cell[:80]}' in row {row}")

    def _first_row(self, cell: str) -> int:
        codes = np.concatenate(self._chunks)
        return int(np.argmax(codes == self._codes[cell]))

    def _to(self, state: str) -> None:
        """Turn codes into what they stand for."""
        if state == "numbers":
            table = np.append(cells.parsed(self._codes.levels, self._read), np.nan)
            self._chunks = [table[codes] for codes in self._chunks]
        else:
            strings = np.array([*self._codes.levels, ""], STRINGS)
            self._masks = [codes < 0 for codes in self._chunks]
            self._chunks = [strings[codes] for codes in self._chunks]
        self._codes = _Codes()
        self._state = state

    def finish(self) -> tuple[Column, list[Statement]]:
        """The column, and what is to be said of it."""
        column = self._finished()
        notes: list[Statement] = [{"code": "cut_cells", "column": self.name, "cells": self.cut}] if self.cut else []
        if column.kind != "number":
            return column, notes
        infinite = np.isinf(column.values)
        if infinite.any():
            column.values[infinite] = np.nan
            column = replace(column, missing=column.missing | infinite)
            notes.append({"code": "infinite", "column": self.name, "rows": int(infinite.sum())})
        few = 0 if self.kind else _few_whole(column.values[~column.missing])
        return column, [*notes, {"code": "few_whole_numbers", "column": self.name, "values": few}] if few else notes

    def _finished(self) -> Column:
        whole = np.concatenate(self._chunks)
        if self._state == "codes":
            self._chunks = [whole]  # where a refusal finds its row
            return self._finished_codes(whole)
        self._chunks = []
        if self._state == "texts":
            return self._column("text", whole, np.concatenate(self._masks))
        missing = np.isnan(whole)
        if self.kind == "number" or not np.isin(whole, (0, 1))[~missing].all():
            if self.kind == "boolean":
                self._finished_boolean(
                    np.empty(0, np.int32), [repr(float(each)) for each in np.unique(whole[~missing])]
                )
            return self._column("number", whole, missing)
        return self._column("boolean", np.where(missing, -1, whole).astype(np.int8), missing)

    def _finished_codes(self, codes: NDArray[np.int32]) -> Column:
        levels = self._codes.levels
        kind, missing = self.kind or self._guess(codes), codes < 0
        if kind == "number":
            self._numeric()
            return self._column("number", np.append(cells.parsed(levels, self._read), np.nan)[codes], missing)
        if kind == "boolean":
            return self._finished_boolean(codes, levels)
        if kind == "text":
            return self._column("text", np.array([*levels, ""], STRINGS)[codes], missing)
        order = _in_order(levels)
        places = np.full(len(levels) + 1, -1, np.int32)
        places[order] = np.arange(len(levels))
        return self._column("category", places[codes], missing, tuple(levels[place] for place in order))

    def _guess(self, codes: NDArray[np.int32]) -> Kind:
        levels = self._codes.levels
        if not levels:
            return "category"
        if cells.booleans(levels) is not None:
            return "boolean"
        if not self.no_numbers and self._numeric():
            return "number"
        return "text" if len(levels) > max(1, (codes >= 0).sum() / 2) else "category"

    def _finished_boolean(self, codes: NDArray[np.int32], levels: list[str]) -> Column:
        meaning = cells.booleans(levels)
        if meaning is None:
            some = ", ".join(f"'{level[:40]}'" for level in levels[:4]) + (" ..." if len(levels) > 4 else "")
            raise UserError(f"{self._place}: expected true and false, yes and no, or 1 and 0; found {some}")
        table = np.array([*(meaning[level] for level in levels), -1], np.int8)
        return self._column("boolean", table[codes], codes < 0)

    def _column(
        self, kind: Kind, values: NDArray[Any], missing: NDArray[np.bool_], levels: tuple[str, ...] = ()
    ) -> Column:
        return Column(self.name, kind, self.role, values, levels, missing)


def _in_order(levels: list[str]) -> NDArray[np.int64]:
    """Places of the levels as people count: by their numbers where all are, else by their letters."""
    try:
        keys: list[Any] = [(cells.number(level), level) for level in levels]
    except NotReadError:
        keys = levels
    return np.array(sorted(range(len(levels)), key=keys.__getitem__), np.int64)


def _few_whole(values: NDArray[np.float64]) -> int:
    """How many different values a column has, where they are whole and few enough to be a category's codes; else 0."""
    if len(np.unique(values[:1000])) > FEW_CODES:
        return 0
    different = np.unique(values)
    if len(different) > min(FEW_CODES, len(values) / 2):
        return 0
    return len(different) if (different == np.floor(different)).all() else 0
