"""A signal less what the words and their position say of it, so that a label is not a word list in disguise.

Everything is estimated *without the document it is taken out of*: a word that occurs in one document only,
or a gap in one document's sentences, cannot explain that document away. Cost: what a label shares with the
words of its documents goes to the words, so that a conditional effect is the lower end of what the label does.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.batches import Sample
from analysis.statistics.signals import binned, sum_by

MOST_SHRINKAGE = 1.0  # tokens: see `_shrinkage`
_BLOCK = 32  # signals at once: larger float64 tensors cost the allocator more than the arithmetic does
LETTERS = 5  # of a token, about: distance from the start of the document is known in characters
_RIDGE = 1.0  # tokens: a dummy that other documents do not have stays at 0


def conditional_values(sample: Sample, values: Tensor) -> Tensor:
    """The signals after token identity and position are taken out.

    First each token loses the mean of its type over all *other* documents, times count / (count + k); then the
    least-squares part, over all other documents, of its distance from the start of context, paragraph, sentence
    and document (binned; an unknown distance is a bin of its own).

    Args:
        sample: n tokens.
        values: [n, m] float32.

    Returns:
        [n, m] float32, about mean 0.
    """
    document = torch.unique(sample.document[sample.context], return_inverse=True)[1]
    types, position = _types(sample.token, document), _dummies(sample)
    found = torch.empty_like(values)
    for start in range(0, values.shape[1], _BLOCK):
        block = values[:, start : start + _BLOCK]
        rest = block - block.mean(0)
        found[:, start : start + _BLOCK] = _without_position(position, document, _without_type(types, rest))
    return found


def document_means(sample: Sample, values: Tensor) -> tuple[Tensor, Tensor]:
    """Which documents were read [D] int64, ascending, and each signal's mean over the tokens of each [m, D] float64."""
    index, document = torch.unique(sample.document[sample.context], return_inverse=True)
    tokens = torch.bincount(document, minlength=len(index))
    sums = torch.zeros(len(index), values.shape[1]).index_add_(0, document, values)
    return index, (sums.double() / tokens[:, None]).T.contiguous()


class Types(NamedTuple):
    """n tokens, P pairs of a type and a document in which it occurs."""

    pair: Tensor  # [n] int64: each token's pair
    kind: Tensor  # [P] int64: each pair's type, 0 to T - 1
    here: Tensor  # [P] float64: tokens of the pair
    tokens: Tensor  # [T] float64: tokens of the type


def _types(token: Tensor, document: Tensor) -> Types:
    documents = int(document.max()) + 1
    found, pair = torch.unique(token * documents + document, return_inverse=True)
    kind = torch.unique(found // documents, return_inverse=True)[1]
    here = torch.bincount(pair, minlength=len(found)).double()
    return Types(pair, kind, here, sum_by(kind, here, int(kind.max()) + 1))


def _without_type(types: Types, values: Tensor) -> Tensor:
    """Each token less its type's shrunk mean over the other documents; `values` [n, m] about mean 0."""
    # sums of one type in one document are short enough for float32; the sums of those are not
    here = torch.zeros(len(types.kind), values.shape[1]).index_add_(0, types.pair, values).double()
    total = sum_by(types.kind, here, len(types.tokens))
    k = _shrinkage(total, types.tokens, values.square().sum(0).double())
    others = (types.tokens[types.kind] - types.here)[:, None]
    elsewhere = total[types.kind].sub_(here).div_((others + k).clamp_(min=1e-9)).mul_(others > 0)
    return values - elsewhere.float()[types.pair]


def _shrinkage(total: Tensor, tokens: Tensor, squares: Tensor) -> Tensor:
    """k [m]: variance within a type over variance between types, at most `MOST_SHRINKAGE`.

    A signal that the token alone decides has k = 0: its type means are exact however few. The bound is for the
    others: the usual k would leave most of a rare word's effect in the signal, and with it the word list.
    """
    n, types = tokens.sum(), len(tokens)
    by_type = (total.square() / tokens[:, None]).sum(0)
    within = ((squares - by_type) / (n - types).clamp(min=1)).clamp(min=0)
    spread = (n - tokens.square().sum() / n) / max(types - 1, 1)
    between = ((by_type - total.sum(0).square() / n) / max(types - 1, 1) - within) / spread.clamp(min=1e-9)
    # float32 sums: a variance within types of a hundred-thousandth of the whole is none
    within = torch.where(within < 1e-5 * squares / n, 0.0, within)
    return torch.where(between > 0, within / between.clamp(min=1e-30), torch.inf).clamp(max=MOST_SHRINKAGE)


def _without_position(position: Tensor, document: Tensor, values: Tensor) -> Tensor:
    """Each token less what the other documents' regression on its `position` [n, B] says of it."""
    order = document.argsort(stable=True)
    x, y = position[order], values[order]
    sizes = torch.bincount(document).tolist()
    parts = list(zip(torch.split(x, sizes), torch.split(y, sizes), strict=True))
    xx = torch.stack([part.T @ part for part, _rest in parts]).double()
    xy = torch.stack([part.T @ rest for part, rest in parts]).double()
    ridge = _RIDGE * torch.eye(x.shape[1], dtype=torch.float64)
    weights = torch.linalg.solve(xx.sum(0) - xx + ridge, xy.sum(0) - xy).float()
    fitted = torch.cat([part @ weight for (part, _rest), weight in zip(parts, weights, strict=True)])
    return torch.empty_like(y).index_copy_(0, order, y - fitted)


def _dummies(sample: Sample) -> Tensor:
    """[n, B] float32: an intercept, and one column per filled bin of each of the four distances."""
    distances = (sample.column, sample.paragraph, sample.sentence, sample.begin // LETTERS)
    return torch.cat([torch.ones(len(sample.token), 1), binned(distances)], 1)
