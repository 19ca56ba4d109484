"""Columns of the user's corpus and what signals say of them -> rows; the caller adds the ids."""

from __future__ import annotations

from typing import Any, Protocol

from analysis.labels.columns import LabelColumn
from analysis.run.rows.plain import Row, number, plain
from store.vocabulary import Statement

MOST_GROUPS = 50  # of a category that are stored


def label_row(column: LabelColumn) -> Row:
    """A row of `Label`, without `id` and `run_id`."""
    return {
        "name": column.name,
        "kind": column.kind,
        "of": column.of,
        "measure": column.measure,
        "documents": column.documents,
        "literal": column.literal,
        "groups": plain(column.groups[:MOST_GROUPS]),
        "reason": column.reason,
        "confounds": [{**one._asdict(), "strength": number(one.strength)} for one in column.confounds],
    }


class Told(Protocol):
    """An association of text, or of rows: its numbers, NaN where there is none."""

    @property
    def verdict(self) -> str:
        """yes, no, unmeasured."""

    @property
    def statement(self) -> Statement:
        """A code with the numbers of its sentence."""

    @property
    def data(self) -> dict[str, Any]:
        """What it rests on."""


def association_row(found: Told) -> Row:
    """A row of `Association`, without `analysis_id`, `index` and `label_id`."""
    numbers = ("effect", "low", "high", "conditional", "held_out", "p", "q")
    return {
        "verdict": found.verdict,
        "statement": _rounded(found.statement),
        "data": _rounded(found.data),
        **{name: number(getattr(found, name)) for name in numbers},
    }


def _rounded(data: object) -> object:
    """Numbers of the evidence as `number` has them."""
    if isinstance(data, float):
        return number(data)
    if isinstance(data, dict):
        return {str(key): _rounded(part) for key, part in data.items()}
    return [_rounded(part) for part in data] if isinstance(data, list) else data
