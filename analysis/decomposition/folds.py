"""Folds of documents: what is said of a document was fitted on others."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.reading.batches import Sample
from analysis.statistics.sampling import mix_bits

FOLDS = 5


def folds_of(sample: Sample, seed: int) -> Tensor:
    """[n] int64: the fold of each token, 0 to 4. Documents are whole, in the order of a hash, and a fold ends with the
    document in which a fifth of the tokens is reached.
    """
    document, place = torch.unique(sample.document[sample.context], return_inverse=True)
    tokens = torch.bincount(place, minlength=len(document))
    order = mix_bits(document, seed).argsort()
    middle = tokens[order].cumsum(0) - tokens[order] / 2
    fold = torch.empty_like(document)
    fold[order] = (middle * FOLDS / max(1, len(place))).long().clamp(max=FOLDS - 1)
    return fold[place]


def sums(values: Tensor, sizes: list[int]) -> Tensor:
    """[folds, q]: sums of `values` [n, q] over the tokens of each fold, which lie one after the other."""
    return torch.stack([part.sum(0) for part in torch.split(values, sizes)])
