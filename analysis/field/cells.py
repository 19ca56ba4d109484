"""What the cells of a table say: nothing, a number, true or false, a time."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, time

import numpy as np
from numpy.typing import NDArray

Cell = str | None
MISSING_WORDS = {"", "NA", "N/A", "n/a", "#N/A", "nan", "NaN", "NAN", "null", "NULL", "None"}
"""Cells that are no value; so is `None`."""
BOOLEANS = ({"true": 1, "false": 0}, {"yes": 1, "no": 0})
"""Pairs of words, of which a column has one; 1 and 0 are a third."""
LONGEST_CELL = 10_000
"""Characters that are kept of a cell: ten million long ones would fill the memory."""
_NUMBER = re.compile(r"[+-]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,3})?", re.ASCII)
_INFINITE = re.compile(r"([+-]?)inf(?:inity)?", re.IGNORECASE)
_DAY_SECONDS = 86_400
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NotReadError(ValueError):
    """A cell that is not what its column holds; `cell` is it."""

    def __init__(self, cell: str) -> None:
        super().__init__(cell)
        self.cell = cell


def is_missing(cell: Cell) -> bool:
    """Whether it is no value."""
    return cell is None or cell.strip() in MISSING_WORDS


def is_blank(cell: Cell) -> bool:
    """Whether it is no value where every word may be one: in ids and texts."""
    return cell is None or not cell.strip()


def number(cell: str) -> float:
    """A number as people write them; `007` is a name, not seven.

    Raises:
        NotReadError: it is none.
    """
    plain = cell.strip()
    if _NUMBER.fullmatch(plain):
        return float(plain)
    if sign := _INFINITE.fullmatch(plain):
        return -math.inf if sign[1] == "-" else math.inf
    raise NotReadError(cell)


def seconds(cell: str) -> float:
    """Seconds since 1970 of an ISO date or time, with `-` or `/`; since midnight of a time of day. Without a zone, UTC.

    Raises:
        NotReadError: it is none.
    """
    plain = cell.strip().replace("/", "-")
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        try:
            day = time.fromisoformat(plain)
        except ValueError:
            raise NotReadError(cell) from None
        return day.hour * 3600 + day.minute * 60 + day.second + day.microsecond / 1e6
    whole = (found if found.tzinfo else found.replace(tzinfo=UTC)) - _EPOCH
    return whole.days * _DAY_SECONDS + whole.seconds + whole.microseconds / 1e6


def time_form(cell: str) -> str:
    """What kind of time it is: a column has one, since times of two kinds have no order."""
    plain = cell.strip().replace("/", "-")
    try:
        return "with a time zone" if datetime.fromisoformat(plain).tzinfo else "without a time zone"
    except ValueError:
        return "of day"


def parsed(cells: Iterable[Cell], read: Callable[[str], float]) -> NDArray[np.float64]:
    """Cells as numbers; NaN where missing.

    Raises:
        NotReadError: the first that is neither.
    """
    return np.array([math.nan if is_missing(cell) else read(cell) for cell in cells], np.float64)  # type: ignore[arg-type]


def booleans(words: list[str]) -> dict[str, int] | None:
    """Word -> 1 or 0, where all of them are true and false, yes and no, or 1 and 0; else None."""
    plain = {word: word.strip().lower() for word in words}
    for pair in BOOLEANS:
        if set(plain.values()) <= set(pair):
            return {word: pair[plain[word]] for word in words}
    try:
        numbers = {word: number(word) for word in words}
    except NotReadError:
        return None
    return {word: int(value) for word, value in numbers.items()} if set(numbers.values()) <= {0.0, 1.0} else None


def text_of(value: object) -> Cell:
    """A value of a typed file as the cell of a table without types: the same table reads the same from either."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
