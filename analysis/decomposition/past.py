"""What a signal's own values at other tokens say of it: before, around, and in the rest of the document.

Means are drawn towards 0 where they rest on few tokens. The signals have mean 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

HALF_LIVES = (2, 8, 32, 128)  # tokens, of weights
LASTING = (2, 3, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128, 181, 256)  # tokens: a state may last so long; 256 or more
LAGS = (4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)  # tokens
SKIPPED = 3  # last tokens that are no past: neighbours share words and phrases
WINDOW = 8  # tokens on either side that are no context
FEW = 4.0  # tokens of the overall mean that are added to each mean


@dataclass(frozen=True)
class Runs:
    """n tokens in contexts of documents, one after the other."""

    starts: Tensor  # [C] int64: first token of each context
    sizes: Tensor  # [C] int64: its tokens
    context: Tensor  # [n] int64: 0 to C - 1
    document: Tensor  # [C] int64: 0 to documents - 1

    def past(self, values: Tensor, chosen: Tensor) -> Tensor:
        """[n, q]: exponentially weighted mean of earlier tokens of the context, the last `SKIPPED` left out.

        Args:
            values: [n, q]. chosen: [q] int64: which of the half-lives.
        """
        kernels = _kernels(int(self.sizes.max()))
        out = torch.empty_like(values)
        for number in torch.unique(chosen).tolist():
            mine = torch.nonzero(chosen == number).flatten()
            some = values[:, mine]
            parts = torch.split(some, self.sizes.tolist())
            out[:, mine] = torch.cat([kernels[number, : len(part), : len(part)] @ part for part in parts])
        return out

    def best_weights(self, values: Tensor) -> Tensor:
        """[q] int64: the half-life of the weights whose mean goes most with the signals [n, q]."""
        strengths = []
        for number in range(len(HALF_LIVES)):
            before = self.past(values, torch.full((values.shape[1],), number))
            along, own = (before * values).sum(0), before.square().sum(0)
            strengths.append(along.square() / own.clamp(min=1e-12))
        return torch.stack(strengths).argmax(0)

    def lasts(self, values: Tensor) -> Tensor:
        """[q] float32, tokens: the half-life that fits best how the covariance with earlier tokens falls off.

        The mean that predicts a state best looks less far back than the state lasts, the more so the clearer it is.
        """
        pairs, products = [], []
        for lag in LAGS:
            same = (self.context[lag:] == self.context[:-lag]).float()
            pairs.append(same.sum())
            products.append((values[lag:] * values[:-lag] * same[:, None]).sum(0))
        counts, covered = torch.stack(pairs), torch.stack(products)  # [lags], [lags, q] counts x covariances
        curves = 0.5 ** (torch.tensor(LAGS)[None] / torch.tensor(LASTING)[:, None])
        fits = (curves @ covered).clamp(min=0) / (curves.square() @ counts).clamp(min=1e-9).sqrt()[:, None]
        return torch.tensor(LASTING, dtype=torch.float32)[fits.argmax(0)]

    def around(self, values: Tensor) -> Tensor:
        """[n, q]: mean over the context's other tokens, a window of ± `WINDOW` left out."""
        running = torch.cat([torch.zeros(1, values.shape[1]), values.cumsum(0)])
        place = torch.arange(len(values))
        first, last = self.starts[self.context], (self.starts + self.sizes)[self.context]
        low, high = torch.maximum(first, place - WINDOW), torch.minimum(last, place + WINDOW + 1)
        outside = (last - first) - (high - low)
        whole = (running[self.starts + self.sizes] - running[self.starts])[self.context]
        return (whole - (running[high] - running[low])) / (outside + FEW)[:, None]

    def elsewhere(self, values: Tensor) -> Tensor:
        """[n, q]: mean over the document's other contexts; 0 where it has none."""
        own = torch.zeros(len(self.starts), values.shape[1]).index_add_(0, self.context, values)
        documents = int(self.document.max()) + 1
        total = torch.zeros(documents, values.shape[1]).index_add_(0, self.document, own)
        tokens = torch.zeros(documents, dtype=torch.int64).index_add_(0, self.document, self.sizes)
        rest = tokens[self.document] - self.sizes
        means = (total[self.document] - own) / (rest + FEW)[:, None]
        return means[self.context]


def _kernels(size: int) -> Tensor:
    """[half-lives, size, size] float32: weight of each earlier token (columns) in the mean of each token (rows)."""
    back = torch.arange(size)[:, None] - torch.arange(size)[None] - SKIPPED - 1
    weight = 0.5 ** (back.clamp(min=0) / torch.tensor(HALF_LIVES)[:, None, None]) * (back >= 0)
    return weight / (weight.sum(2, keepdim=True) + FEW)
