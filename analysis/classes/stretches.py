"""Do the words of a stretch of text tell on which side a signal is? Within a document, and across documents.

A stretch is 32 tokens. Its words are the mean of the model's own token embeddings, rare types weighing more
(Arora et al. 2017: a / (a + frequency)), so no layer's activation can leak into them. A signal's side in a
stretch is that of its mean against the median of the document; pairs of stretches on two sides of one
document are ordered by a prediction, and the AUC is the share of pairs in the right order.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import Embedding, Evidence
from analysis.reading.batches import Sample
from analysis.reading.corpus import GROUPS
from analysis.statistics.intervals import jackknife_ratio
from analysis.statistics.ranks import midranks
from analysis.statistics.signals import sum_by

LENGTH = 32
LEAST = 16  # tokens a stretch must have
FEWEST = 4  # stretches a document must have
NEAR = 300  # characters between the beginnings of stretches that touch: about two stretches of English
_RARE = 1e-3
_RIDGE = 0.1
_SHIFTS = (0.25, 0.5, 0.75)


class Stretches(NamedTuple):
    """s stretches, sorted by document and place."""

    words: Tensor  # [s, D] float32: unit vectors, the mean of all taken off
    signal: Tensor  # [s, q] float32: mean of each signal, less the document's mean
    document: Tensor  # [s] int64: 0 to documents - 1
    group: Tensor  # [s] int64
    begin: Tensor  # [s] int64: character of the document at which the stretch begins


class Separation(NamedTuple):
    """AUC of q signals, [q] float64 each, with 95 % intervals over documents."""

    within: Tensor
    within_low: Tensor
    within_high: Tensor
    across: Tensor
    across_low: Tensor
    across_high: Tensor
    shifted: Tensor  # within, the signal moved along its document: slow change alone
    chunks: int
    documents: int


def separation(evidence: Evidence, values: Tensor) -> Separation | None:
    """Of signals [n, q]; None where too few documents have several stretches, or all are in one half."""
    found = stretches(evidence.signals.sample, values, evidence.embedding)
    documents = int(found.document.max()) + 1 if len(found.document) else 0
    late = found.group >= GROUPS // 2
    if documents < evidence.thresholds["documents"] / 2 or not bool(late.any()) or bool(late.all()):
        return None
    kernel = found.words @ found.words.T
    same = found.document[:, None] == found.document
    near = same & ((found.begin[:, None] - found.begin).abs() <= NEAR)
    within = ordered_pairs(found, _from_others(kernel, same & ~near, found.signal))
    across = ordered_pairs(found, _from_other_documents(kernel, found))
    shifted = [_shifted(found, kernel, same & ~near, share) for share in _SHIFTS]
    return Separation(*within, *across, torch.stack(shifted).mean(0), len(found.document), documents)


def stretches(sample: Sample, values: Tensor, embedding: Embedding) -> Stretches:
    """Cut the contexts into stretches; documents with fewer than FEWEST are left out."""
    per_context = int(sample.column.max()) // LENGTH + 1
    name, inverse, counts = torch.unique(
        sample.context * per_context + sample.column // LENGTH, return_inverse=True, return_counts=True
    )
    context = name // per_context
    document = sample.document[context]
    long = counts >= LEAST
    enough = torch.bincount(document[long], minlength=int(document.max()) + 1) >= FEWEST
    keep = torch.nonzero(long & enough[document]).flatten()
    signal = sum_by(inverse, values, len(name))[keep] / counts[keep, None]
    words = _words(sample.token, inverse, len(name), embedding)[keep]
    begin = torch.full((len(name),), torch.iinfo(torch.int64).max)
    begin = begin.scatter_reduce_(0, inverse, sample.begin, "amin")[keep]
    mine, number = torch.unique(document[keep], return_inverse=True)
    place = begin.argsort(stable=True)
    place = place[number[place].argsort(stable=True)]
    signal = signal - (sum_by(number, signal, len(mine)) / torch.bincount(number)[:, None])[number]
    return Stretches(
        _unit(words[place]), signal[place].float(), number[place], sample.group[context[keep]][place], begin[place]
    )


def _words(token: Tensor, stretch: Tensor, count: int, embedding: Embedding) -> Tensor:
    types, inverse, counts = torch.unique(token, return_inverse=True, return_counts=True)
    weight = _RARE / (_RARE + counts.double() / len(token))
    vectors = embedding(types).double() * weight[:, None]
    return sum_by(stretch, vectors[inverse], count).float()


def _unit(words: Tensor) -> Tensor:
    off = words - words.mean(0)
    return torch.nn.functional.normalize(off, dim=1)


def _from_others(kernel: Tensor, allowed: Tensor, signal: Tensor) -> Tensor:
    """[s, q]: each stretch's signal from those it may learn from, weighted by likeness.

    Their own mean is taken off first: that of all without the one in question leans to the other side.
    """
    mask = allowed.float()
    count = mask.sum(1, keepdim=True).clamp(min=1)
    weight = kernel * mask
    return weight @ signal - weight.sum(1, keepdim=True) * (mask @ signal) / count


def _from_other_documents(kernel: Tensor, found: Stretches) -> Tensor:
    """[s, q]: ridge regression on the words of the documents in the other half; NaN where that is empty."""
    half = found.group >= GROUPS // 2
    made = torch.full_like(found.signal, torch.nan)
    for side in (True, False):
        test, train = torch.nonzero(half == side).flatten(), torch.nonzero(half != side).flatten()
        if len(test) and len(train):
            inner = kernel[train][:, train] + _RIDGE * len(train) ** 0.5 * torch.eye(len(train))
            made[test] = kernel[test][:, train] @ torch.linalg.solve(inner, found.signal[train])
    return made


def _shifted(found: Stretches, kernel: Tensor, allowed: Tensor, share: float) -> Tensor:
    """The AUC within documents with every signal moved along its document by a share of its length."""
    sizes = torch.bincount(found.document)
    start = (sizes.cumsum(0) - sizes)[found.document]
    size = sizes[found.document]
    step = (size * share).round().long().clamp(min=1)
    moved = start + (torch.arange(len(size)) - start + step) % size
    other = found._replace(signal=found.signal[moved])
    return ordered_pairs(other, _from_others(kernel, allowed, other.signal))[0]


def ordered_pairs(found: Stretches, predicted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """AUC with its interval over documents: pairs of one document, on two sides of its median, in the right order."""
    right, pairs = [], []
    for rows in _by_size(found.document):
        truth, guess = found.signal[rows].transpose(1, 2), predicted[rows].transpose(1, 2)  # [documents, q, size]
        high = truth > truth.median(2, keepdim=True).values
        many = high.sum(2).double()
        # the sum of ranks counts the pairs in the right order: no pair is looked at by itself
        right.append((midranks(guess.contiguous()) * high).sum(2, dtype=torch.float64) - many * (many + 1) / 2)
        pairs.append(many * (high.shape[2] - many))
    documents = torch.cat([rows[:, 0] for rows in _by_size(found.document)])
    group = found.group[documents]
    return jackknife_ratio(sum_by(group, torch.cat(right), GROUPS), sum_by(group, torch.cat(pairs), GROUPS))


def _by_size(document: Tensor) -> list[Tensor]:
    """Rows [documents, size] of the stretches of documents of each size."""
    sizes = torch.bincount(document)
    starts = sizes.cumsum(0) - sizes
    made = []
    for size in torch.unique(sizes).tolist():
        made.append(starts[torch.nonzero(sizes == size).flatten()][:, None] + torch.arange(size))
    return made
