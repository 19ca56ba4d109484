"""Labels that a column of the activations gives away: copies of it, or told apart by it without a mistake.

Nothing that is learnt of such a label is news: it was put into the activations.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.field.columns import Column
from analysis.statistics.ranks import Order, auc, correlation, midranks
from store.vocabulary import Statement

STRONG = 0.999
"""|Spearman|, or the AUC of either side, from which a label is taken for a copy."""
FEWEST_ROWS, FEWEST_A_SIDE = 50, 10
"""With fewer, one of thousands of columns tells two handfuls of rows apart by chance."""
MOST_VALUES = 50
"""Values of a category that are held against the columns, the most frequent first."""
_VALUES = 1 << 22  # of a block of columns: their order and ranks take 300 MB


class _Question(NamedTuple):
    """What is asked of each column: its correlation with ranks, or whether it tells the positive rows apart."""

    label: Column
    level: str
    ranks: Tensor | None  # [1, k] of the rows that have a value
    positive: Tensor | None  # [1, k] bool
    values: NDArray[np.float64]  # [k]


class _Best(NamedTuple):
    strength: float
    unit: int
    units: int
    equal: bool


def leaks(sample: NDArray[np.float32], rows: NDArray[np.int64], labels: list[Column]) -> Iterator[Statement]:
    """One statement a label that a column gives away, by its strongest column.

    Args:
        sample: [s, width], finite. rows: [s] which rows these are. labels: of all rows.
    """
    asked = _by_mask(rows, labels)
    best: dict[tuple[str, str], _Best] = {}
    step = max(1, _VALUES // max(1, len(sample)))
    for start in range(0, sample.shape[1] if asked else 0, step):
        block = torch.from_numpy(np.ascontiguousarray(sample[:, start : start + step].T))
        order = Order(block)
        for keep, questions in asked:
            ranks = order.ranks(keep)[:, keep]
            for question in questions:
                key = question.label.name, question.level
                found = _asked(ranks, block[:, keep], question, start)
                best[key] = _better(best.get(key), found)
    for label in labels:
        told = [(level, each) for (name, level), each in best.items() if name == label.name and each.units]
        if told:
            level, strongest = max(told, key=lambda pair: (pair[1].strength, pair[1].units))
            yield {
                "code": "leak", "label": label.name, "level": level, "unit": strongest.unit, "units": strongest.units,
                "measure": "spearman" if label.kind == "number" else "auc", "strength": strongest.strength,
                "equal": strongest.equal,
            }  # fmt: skip


def _by_mask(rows: NDArray[np.int64], labels: list[Column]) -> list[tuple[Tensor, list[_Question]]]:
    """Questions with the rows that have an answer; labels with the same gaps share the ranks."""
    masks: dict[bytes, tuple[Tensor, list[_Question]]] = {}
    for label in labels:
        here = ~label.missing[rows]
        if here.sum() >= FEWEST_ROWS:
            keep = torch.from_numpy(here)
            masks.setdefault(here.tobytes(), (keep, []))[1].extend(_questions(label, label.values[rows][here]))
    return [(keep, questions) for keep, questions in masks.values() if questions]


def _questions(label: Column, values: NDArray[np.float64]) -> Iterator[_Question]:
    numbers = values.astype(np.float64)
    if label.kind == "number":
        if (numbers != numbers[0]).any():
            yield _Question(label, "", midranks(torch.from_numpy(numbers))[None], None, numbers)
        return
    codes, counts = np.unique(values, return_counts=True)
    if label.kind == "boolean":
        codes, counts = codes[codes == 1], counts[codes == 1]
    for place in np.argsort(-counts, kind="stable")[:MOST_VALUES]:
        if min(counts[place], len(values) - counts[place]) >= FEWEST_A_SIDE:
            level = label.levels[int(codes[place])] if label.levels else ""
            yield _Question(label, level, None, torch.from_numpy(values == codes[place])[None], numbers)


def _asked(ranks: Tensor, block: Tensor, question: _Question, start: int) -> _Best:
    if question.ranks is not None:
        strengths = correlation(ranks, question.ranks)[:, 0].abs()
    else:
        assert question.positive is not None
        above = auc(ranks, question.positive)[:, 0]
        strengths = torch.maximum(above, 1 - above)
    strengths = strengths.nan_to_num(0.0)
    place = int(strengths.argmax())
    equal = bool(np.array_equal(block[place].numpy(), question.values.astype(np.float32)))
    return _Best(float(strengths[place]), start + place, int((strengths > STRONG).sum()), equal and not question.level)


def _better(known: _Best | None, found: _Best) -> _Best:
    if known is None:
        return found
    strongest = found if found.strength > known.strength else known
    return strongest._replace(units=known.units + found.units)
