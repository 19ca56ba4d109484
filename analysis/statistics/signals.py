"""What the classes look at: a fair sample of whole contexts, and every signal on its tokens.

The sample is bounded (`AnalyzeConfig.class_tokens`), so memory does not grow with the text; a corpus no
larger than it is looked at whole. A signal is the projection of what the SAE reads on a unit direction:
of a latent's decoder, or of a random one, which is the chance level of all that is said of latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.batches import Sample


class Signals(NamedTuple):
    """The signals of one SAE on a sample: m latents with detail first, then r random directions; q = m + r."""

    sample: Sample
    latents: Tensor  # [m] int64
    values: Tensor  # [n, q] float32: u . (x - mean of x), u the unit direction
    side: Tensor  # [n, m] int8: sign of the activation; 0 off, -1 only of latents that fire on both sides (AbsTopK)
    ordinary: Tensor  # [n] bool: not a massive token of this layer
    directions: Tensor  # [q, D] float32: unit vectors
    acts: Tensor  # [n, m] float16: the activations, 0 where the latent is off
    norm: Tensor  # [n] float32: length of what the SAE reads
    beside: Tensor = torch.zeros(0, 0)  # [n, R] float32: a bottleneck's codes of x - mean of x

    @property
    def on(self) -> Tensor:
        """[n, m] bool: the latent fires, on whichever side."""
        return self.side != 0

    @property
    def random(self) -> int:
        """How many random directions."""
        return self.values.shape[1] - len(self.latents)

    def randoms(self) -> Signals:
        """The random directions alone."""
        m = len(self.latents)
        return self._replace(
            latents=self.latents[:0],
            values=self.values[:, m:],
            side=self.side[:, :0],
            directions=self.directions[m:],
            acts=self.acts[:, :0],
        )

    def kept(self) -> Signals:
        """The same without massive tokens, which would rule every rank of the tails and every mean."""
        if bool(self.ordinary.all()):
            return self
        keep = torch.nonzero(self.ordinary).flatten()
        s = self.sample
        flat = {name: getattr(s, name)[keep] for name in Sample._fields if name not in ("document", "group")}
        return self._replace(
            sample=s._replace(**flat),
            values=self.values[keep],
            side=self.side[keep],
            ordinary=self.ordinary[keep],
            acts=self.acts[keep],
            norm=self.norm[keep],
            beside=self.beside[keep] if len(self.beside) else self.beside,
        )


def sum_by(index: Tensor, values: Tensor, size: int) -> Tensor:
    """Sums [size, ...] of `values` [n, ...] by `index` [n], float64."""
    total = torch.zeros(size, *values.shape[1:], dtype=torch.float64, device=values.device)
    return total.index_add_(0, index, values.double())


def position_design(sample: Sample) -> Tensor:
    """[n, b] float32: one-hot columns of binned distance from the start of context, paragraph and sentence.

    Unknown distances have a bin of their own. What is linear in these is what position explains.
    """
    return binned((sample.column, sample.paragraph, sample.sentence))


def binned(distances: Sequence[Tensor]) -> Tensor:
    """[n, b] float32: one-hot columns of each distance [n] in tokens, -1 unknown; bins nobody is in are left out."""
    parts = [_one_hot(distance) for distance in distances]
    return torch.cat([part[:, part.any(0)] for part in parts], 1)


def residual(values: Tensor, design: Tensor) -> Tensor:
    """`values` [n, q] less what is linear in `design` [n, b] (an intercept is in it, as its one-hot parts sum to 1)."""
    inner = (design.T @ design).double()
    outer = (design.T @ values).double()
    # parts that each sum to 1 make the system singular by design: the least solution
    weight = torch.linalg.pinv(inner, hermitian=True) @ outer
    left: Tensor = values - design @ weight.float()
    return left


_SHORT = [0, 1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
_EDGES = torch.tensor(_SHORT + [2**power for power in range(9, 21)])


def _one_hot(distance: Tensor) -> Tensor:
    place = torch.bucketize(distance, _EDGES.to(distance.device), right=True)  # 0: unknown
    return torch.nn.functional.one_hot(place, len(_EDGES) + 1).float()
