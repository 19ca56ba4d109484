"""How a direction's logits are spread over the vocabulary: on a few tokens, or a little on each."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.statistics.declaration import Statistic
from analysis.statistics.geometry import unit_rows

BINS = 48
RANDOM = 128  # directions whose skewness and kurtosis are the chance level
_ROWS = 64  # directions whose logits over the whole vocabulary are in memory at once

STATISTICS = (
    Statistic("logit_weights", "Logit weights", "tokens", "histogram", "latent",
              "Number of tokens of the vocabulary by the logit that a unit of the decoder direction adds to them,"
              " straight through the final norm's gain and the unembedding, less the mean over all of them; special and"
              f" empty tokens are left out. In {BINS} bins from the smallest to the largest.",
              "O", "common usage (SAEDashboard)"),
    Statistic("logit_skewness", "Skewness of the logit weights", "", "scalar", "latent",
              "Third standardised moment of the logit weights over the vocabulary: above 0, it promotes a few tokens"
              f" much. Chance: the middle 95 % of {RANDOM} random directions.", "O", "common usage; chance: our own"),
    Statistic("logit_kurtosis", "Kurtosis of the logit weights", "", "scalar", "latent",
              "Fourth standardised moment of the logit weights less 3, which a normal distribution has: large where a"
              f" few tokens have most of it. Chance: the middle 95 % of {RANDOM} random directions.",
              "O", "common usage; chance: our own"),
)  # fmt: skip


class LogitWeights(NamedTuple):
    """Of m directions; NaN moments where the direction is zero or every logit the same."""

    skewness: Tensor  # [m] float64
    kurtosis: Tensor  # [m] float64, less 3
    low: Tensor  # [m] float32: the smallest logit
    high: Tensor  # [m] float32
    counts: Tensor  # [m, BINS] int64: tokens in equal bins between the two
    tokens: int  # of the vocabulary


def logit_weights(directions: Tensor, unembedding: Tensor, allowed: Tensor) -> LogitWeights:
    """Moments and histograms over the allowed tokens, some directions at a time.

    Args:
        directions: [m, D]; their length does not matter.
        unembedding: [D, vocab] with the final norm's gain folded in.
        allowed: [vocab] bool.
    """
    kept = unembedding.T[allowed.to(unembedding.device)].T  # a token is a row in memory: thirty times as fast
    parts = [_of_some(unit_rows(some) @ kept) for some in directions.split(_ROWS)]  # type: ignore[no-untyped-call]
    if not parts:
        parts = [_of_some(torch.zeros(0, kept.shape[1], device=kept.device))]
    skewness, kurtosis, low, high, counts = (torch.cat(column) for column in zip(*parts, strict=True))
    return LogitWeights(skewness, kurtosis, low, high, counts, kept.shape[1])


def chance(unembedding: Tensor, allowed: Tensor, seed: int) -> dict[str, list[float]]:
    """What the middle 95 % of random directions have: statistic -> its ends."""
    generator = torch.Generator().manual_seed((seed << 8) + 0x17)
    drawn = torch.randn(RANDOM, len(unembedding), generator=generator).to(unembedding)
    found = logit_weights(drawn, unembedding, allowed)
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64, device=unembedding.device)
    named = {"skewness": found.skewness, "kurtosis": found.kurtosis}
    return {name: torch.nanquantile(values, ends).tolist() for name, values in named.items()}


def _of_some(logits: Tensor) -> tuple[Tensor, ...]:
    """Of logits [r, V], which are centred in place."""
    logits -= logits.mean(1, keepdim=True)
    square = logits.square()
    variance = square.mean(1, dtype=torch.float64)
    third = (square * logits).mean(1, dtype=torch.float64)
    fourth = square.square().mean(1, dtype=torch.float64)
    spread = torch.where(variance > 0, variance, torch.nan)
    low, high = logits.aminmax(dim=1) if logits.shape[1] else (variance.float(), variance.float())
    width = torch.where(high > low, high - low, 1.0)
    place = ((logits - low[:, None]) / width[:, None] * BINS).long().clamp_(0, BINS - 1)
    place += BINS * torch.arange(len(logits), device=logits.device)[:, None]
    counts = torch.bincount(place.flatten(), minlength=BINS * len(logits)).view(len(logits), BINS)
    return third / spread**1.5, fourth / spread.square() - 3, low, high, counts
