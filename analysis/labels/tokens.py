"""Labels of tokens: AUC over tokens, all that is said of chance over documents.

The interval and the folds leave out whole documents. The permutation moves each document's spans round within
it (a circular shift in reading order): a document keeps how much is labelled and how long its spans are, and
only their place is dealt out. What differs between documents is therefore not evidence. Cost: it takes a
document's text as even from end to end, for which the distance from its start is out of the conditional signal.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from analysis.labels import measures
from analysis.labels.columns import FEWEST_DOCUMENTS, LabelColumn
from analysis.labels.found import Found, mean_rows, unmeasured
from analysis.labels.permutation import Null, permutation_p
from analysis.labels.spans import FEWEST_WITH, inside
from analysis.reading.batches import Sample
from analysis.statistics.ranks import midranks

SHIFTS = 64  # a document: drawn anew for every label


class Tokens(NamedTuple):
    """The n tokens of the D documents that have a label's lists, document by document in reading order."""

    which: Tensor  # [D] int64
    document: Tensor  # [n] int64, 0 to D - 1
    begin: Tensor  # [n] int64, character of the document
    raw: Tensor  # [n, m] float32: share of tokens below, ties half, of the signal
    rest: Tensor  # [n, m] float32: the same after words and position
    values: Tensor  # [n, m] float32, in standard deviations about the mean


class Sums(NamedTuple):
    """Of each of D documents, inside and outside the spans: sums [m, D] of a value, and tokens [D]."""

    within: Tensor
    outside: Tensor
    tokens_within: Tensor
    tokens_outside: Tensor

    def gap(self, part: Tensor) -> Tensor:
        """Mean inside less mean outside [m] over the documents of a mask [D]; 0 where one side is empty."""
        sums = self.within[:, part].sum(1), self.outside[:, part].sum(1)
        counts = self.tokens_within[part].sum(), self.tokens_outside[part].sum()
        return sums[0] / counts[0] - sums[1] / counts[1] if min(counts) > 0 else torch.zeros_like(sums[0])

    def gap_without(self) -> Tensor:
        """The same without each document [m, D]."""
        return self.mean_without(True) - self.mean_without(False)

    def mean_without(self, within: bool) -> Tensor:
        """Mean on one side without each document [m, D]."""
        sums, counts = (self.within, self.tokens_within) if within else (self.outside, self.tokens_outside)
        return (sums.sum(1, keepdim=True) - sums) / (counts.sum() - counts).clamp(min=1)


def of_tokens(column: LabelColumn, read: Tokens, random: np.random.Generator, draws: int) -> Found:
    """One column of spans against all signals."""
    marked = inside(read.which[read.document], read.begin, column.spans)
    mixed = int(_mixed(read, marked).sum())
    if mixed < FEWEST_WITH:  # with fewer, the shifts of one document would be the whole of chance
        return unmeasured(read.raw.shape[1], {"code": "few_mixed", "documents": mixed, "needed": FEWEST_WITH})
    test = shift_null(read, marked, random)
    if test is None or len(read.which) < FEWEST_DOCUMENTS:
        return unmeasured(read.raw.shape[1], {"code": "none_mixed"})
    raw, rest = sums_of(read, read.raw, marked), sums_of(read, read.rest, marked)
    low, high = auc_interval(raw)
    rest_low, rest_high = auc_interval(rest)
    p = permutation_p(*test, random=random, draws=draws)
    return Found(
        auc_of(raw), low, high, auc_of(rest), rest_low, rest_high, held_out(rest, measures.folds(read.which)),
        torch.where(read.values.abs().amax(0) == 0, torch.nan, p), 0.5,
        _side_means(sums_of(read, read.values, marked)), None,
    )  # fmt: skip


def _mixed(read: Tokens, marked: Tensor) -> Tensor:
    """[D] bool: documents whose tokens read lie on both sides."""
    size = len(read.which)
    inside_of = torch.bincount(read.document[marked], minlength=size)
    return (inside_of > 0) & (inside_of < torch.bincount(read.document, minlength=size))


def _side_means(sums: Sums) -> list[list[dict[str, Any]]]:
    """Of each signal its mean outside and inside the spans, in standard deviations over tokens."""
    sizes = [int((count > 0).sum()) for count in (sums.tokens_outside, sums.tokens_within)]
    outside, within = (torch.stack(side_interval(sums, side), 1).tolist() for side in (False, True))
    return [
        mean_rows(["outside", "inside"], sizes, *map(list, zip(out, into, strict=True)))
        for out, into in zip(outside, within, strict=True)
    ]


def tokens_of(sample: Sample, index: Tensor, values: Tensor, rest: Tensor) -> Tokens:
    """The tokens of the documents `index` [D'] that were read."""
    document = sample.document[sample.context]
    at = torch.nonzero(torch.isin(document, index)).flatten()
    at = at[sample.begin[at].argsort(stable=True)]
    at = at[document[at].argsort(stable=True)]
    which, document = torch.unique(document[at], return_inverse=True)
    values = values[at]
    scaled = (values - values.mean(0)) / values.std(0).clamp(min=1e-12)
    return Tokens(which, document, sample.begin[at], _shares(values), _shares(rest[at]), scaled)


def _shares(values: Tensor) -> Tensor:
    return (midranks(values.T.contiguous()) / len(values)).T.contiguous()


def sums_of(tokens: Tokens, values: Tensor, marked: Tensor) -> Sums:
    """By document, inside and outside of what is `marked` [n] bool; `values` [n, m]."""
    size, tokens_per = len(tokens.which), torch.bincount(tokens.document).double()
    every, within = (
        torch.zeros(size, values.shape[1], dtype=torch.float64).index_add_(0, d, v.double())
        for d, v in ((tokens.document, values), (tokens.document[marked], values[marked]))
    )
    counts = torch.bincount(tokens.document[marked], minlength=size).double()
    return Sums(within.T, (every - within).T, counts, tokens_per - counts)


def auc_of(sums: Sums) -> Tensor:
    """AUC [m] over tokens: ranks differ between the sides by AUC - 0.5 times their number."""
    return 0.5 + sums.gap(torch.ones_like(sums.tokens_within, dtype=torch.bool))


def auc_interval(sums: Sums) -> tuple[Tensor, Tensor]:
    """95 % over documents, their tokens' ranks kept: low and high [m]."""
    return measures.auc_bounds(auc_of(sums), measures.half_width(sums.gap_without()))


def held_out(sums: Sums, fold: Tensor) -> Tensor:
    """AUC within each fold of documents, its side by that of the others, mean over folds by pairs of tokens [m]."""

    def pairs(part: Tensor) -> float:
        return float(sums.tokens_within[part].sum() * sums.tokens_outside[part].sum())

    return 0.5 + measures.signed_held_out(fold, sums.gap, pairs)


def side_interval(sums: Sums, within: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Mean of one side's tokens, with its 95 % interval over documents: [m] each."""
    of, counts = (sums.within, sums.tokens_within) if within else (sums.outside, sums.tokens_outside)
    value = of.sum(1) / counts.sum()
    wide = measures.half_width(sums.mean_without(within))
    return value, value - wide, value + wide


def shift_null(tokens: Tokens, marked: Tensor, random: np.random.Generator) -> tuple[Tensor, Null] | None:
    """Observed [m] and its null: |sum over documents of rank inside less the document's mean rank|, spans moved round.

    None where no document has text both inside and outside.
    """
    sizes = torch.bincount(tokens.document).tolist()
    tables: list[Tensor] = []
    seen = torch.zeros(tokens.rest.shape[1])
    for ranks, here in zip(torch.split(tokens.rest, sizes), torch.split(marked, sizes), strict=True):
        if not here.any() or here.all():
            continue
        ranks, label = ranks - ranks.mean(0), here.float()
        by = torch.from_numpy(random.integers(0, len(here), SHIFTS))
        moved = label[(torch.arange(len(here)) - by[:, None]) % len(here)]
        seen, tables = seen + label @ ranks, [*tables, moved @ ranks]
    if not tables:
        return None
    table, first = torch.cat(tables), SHIFTS * torch.arange(len(tables))

    def null(generator: np.random.Generator, draws: int, which: Tensor) -> Tensor:
        rows = torch.from_numpy(generator.integers(0, SHIFTS, (draws, len(first)))) + first
        return torch.nn.functional.embedding_bag(rows, table[:, which].contiguous(), mode="sum").abs()

    return seen.abs(), null
