"""Every column of the user's corpus against every signal of one SAE."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.hashing import unit_hash
from analysis.labels.columns import LabelColumn
from analysis.labels.conditional import conditional_values, document_means
from analysis.labels.found import Found
from analysis.labels.permutation import draws_for
from analysis.labels.statements import Numbers, held_fixed, statement_of, unmeasured, verdict_of
from analysis.labels.tokens import Tokens, of_tokens, tokens_of
from analysis.labels.whole import Means, of_documents
from analysis.reading.batches import Sample
from analysis.statistics.ranks import benjamini_hochberg
from store.vocabulary import UNMEASURED, YES, Statement

_NOTHING_LEFT = 1e-5  # of a signal's spread over documents: float32 leaves as much of what words explain wholly
_NAN = float("nan")


class Association(NamedTuple):
    """One label against one signal: a row of the store without its ids. NaN where there is no number."""

    verdict: str  # yes, no, unmeasured
    effect: float
    low: float
    high: float
    conditional: float
    held_out: float
    p: float
    q: float
    statement: Statement
    data: dict[str, Any]


def associate(columns: list[LabelColumn], sample: Sample, values: Tensor, seed: int) -> list[list[Association]]:
    """One list per column, in their order, of one association per signal; empty for a refused column.

    Args:
        columns: of this run, all of them: adjustment looks up the others by name.
        sample: n tokens, massive ones left out.
        values: [n, m] float32 signals.
        seed: of the permutations.
    """
    measured = [column for column in columns if column.reason is None]
    if not measured or values.numel() == 0:
        return [[] for _column in columns]
    found = _found(measured, sample, values, seed)
    q = benjamini_hochberg(torch.stack([one.p for one in found]))
    told = {c.name: _told(c, one, of) for c, one, of in zip(measured, found, q, strict=True)}
    return [told.get(column.name, []) for column in columns]


def _found(measured: list[LabelColumn], sample: Sample, values: Tensor, seed: int) -> list[Found]:
    rest = conditional_values(sample, values)
    means = _means(sample, values, rest)
    draws = draws_for(len(measured) * values.shape[1])
    read: dict[tuple[int, ...], Tokens] = {}
    found: list[Found] = []
    for column in measured:
        random = np.random.default_rng([seed % 2**32, int(unit_hash("label", column.name) * 2**32)])
        if column.of == "document":
            found.append(of_documents(column, measured, means, random, draws))
        else:
            key = tuple(column.which.tolist())  # the labels of one column of spans share their documents
            if key not in read:
                read[key] = tokens_of(sample, column.which, values, rest)
            found.append(of_tokens(column, read[key], random, draws))
    return found


def _means(sample: Sample, values: Tensor, rest: Tensor) -> Means:
    """Of a signal that words and position explain wholly, exactly nothing is left: no rank of rounding errors."""
    which, raw = document_means(sample, values)
    left = document_means(sample, rest)[1]
    nothing = left.std(1, correction=0) <= _NOTHING_LEFT * raw.std(1, correction=0)
    return Means(which, raw, torch.where(nothing[:, None], 0.0, left))


def _told(column: LabelColumn, found: Found, q: Tensor) -> list[Association]:
    """What each signal's numbers say."""
    chance = torch.full_like(q, found.chance)
    rows = torch.stack([*found[:8], q, chance], 1).tolist()
    adjusted = found.adjusted if found.adjusted is not None else [{}] * len(rows)
    return [
        _one(column, found.reason, Numbers(*row), means, held)
        for row, means, held in zip(rows, found.means, adjusted, strict=True)
    ]


def _one(
    column: LabelColumn, reason: Statement, n: Numbers, means: list[dict[str, Any]], adjusted: dict[str, Any]
) -> Association:
    if n.p != n.p:
        none = (_NAN,) * 7
        return Association(UNMEASURED, *none, statement=unmeasured(reason), data={"means": []})
    verdict, code = verdict_of(column, n)
    statement = statement_of(column, n, code, means) | (held_fixed(adjusted) if adjusted and verdict == YES else {})
    data = _evidence(column, n, means) | ({"adjusted": adjusted} if adjusted else {})
    return Association(verdict, n.effect, n.low, n.high, n.conditional, n.held_out, n.p, n.q, statement, data)


def _evidence(column: LabelColumn, n: Numbers, means: list[dict[str, Any]]) -> dict[str, Any]:
    of = "of document means" if column.of == "document" else "over tokens"
    return {
        "means": means,
        "unit": f"standard deviations {of}",
        "chance": n.chance,
        "conditional_interval": [n.conditional_low, n.conditional_high],
    }
