"""Sums over tokens of every variant's changes, by group of documents; and what follows: means with intervals."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.interventions.readout import Changes, Outputs
from analysis.reading.corpus import GROUPS
from analysis.statistics.intervals import bootstrap_weights, percentiles, t95

MEASURES = ("loss", "entropy", "kl", "top1", "rank", "direct_loss", "direct_entropy")
_SIZES = ("entropy", "direct_entropy")  # whose absolute values are summed too: the mediated share
_COLUMNS = (*MEASURES, *(f"abs_{name}" for name in _SIZES))
FEWEST = 8  # groups of documents, for an interval


class Estimate(NamedTuple):
    """A mean over tokens and its 95 % interval over documents; None where there are too few of them."""

    value: float
    low: float | None
    high: float | None


class EffectSums:
    """Exactly mergeable: all sums are float64, those of changes over groups of documents.

    Args:
        variants: how many.
        d_model: width of the residual stream.
    """

    def __init__(self, variants: int, d_model: int) -> None:
        self.tensors = {
            "changes": torch.zeros(variants, len(_COLUMNS), GROUPS, dtype=torch.float64),
            "squares": torch.zeros(variants, dtype=torch.float64),  # of the change's length, ordinary tokens
            "clean": torch.zeros(2, GROUPS, dtype=torch.float64),  # loss, entropy
            "tokens": torch.zeros(GROUPS, dtype=torch.float64),
            "ordinary": torch.zeros(1, dtype=torch.float64),
            "spread": torch.zeros(1, dtype=torch.float64),  # summed squared distance from a pivot, ordinary tokens
            "off": torch.zeros(d_model, dtype=torch.float64),  # summed distance from it
        }

    def merge(self, other: EffectSums) -> None:
        """Add what another one has seen of later tokens; it is left as it was."""
        for name, tensor in self.tensors.items():
            tensor += other.tensors[name]

    def finite(self) -> bool:
        """Whether all sums are, those apart that only subjects have: of controls they are NaN."""
        always = self.tensors["changes"][:, ["direct" not in name for name in _COLUMNS]]
        return bool(torch.isfinite(always).all())

    def add_clean(self, outputs: Outputs, group: Tensor) -> None:
        """The clean model on n tokens of documents of some groups [n]."""
        rows = torch.stack([outputs.loss, outputs.entropy]).double().cpu()
        self.tensors["clean"].index_add_(1, group.cpu(), rows)
        self.tensors["tokens"] += torch.bincount(group.cpu(), minlength=GROUPS)

    def add(self, place: int, changes: Changes, group: Tensor) -> None:
        """Variants `place`, `place` + 1 ... on the same tokens."""
        rows = [*changes, *(getattr(changes, name).abs() for name in _SIZES)]
        stacked = torch.stack(rows, 1).double().cpu()  # [V, columns, n]
        self.tensors["changes"][place : place + len(stacked)].index_add_(2, group.cpu(), stacked)


class Effects:
    """Means and intervals of all variants, from `EffectSums`.

    The interval is a percentile bootstrap: the groups of documents are drawn anew with replacement, and numerator
    and denominator are summed over those drawn. All variants see the same draws. A bootstrap of G groups is too
    narrow by sqrt((G - 1) / G) and knows nothing of Student's t, so its ends are moved out by both.
    """

    def __init__(self, sums: EffectSums, seed: int = 0) -> None:
        tokens = sums.tensors["tokens"]
        used = tokens > 0
        self.tokens = int(tokens.sum())
        self._changes, self._tokens = sums.tensors["changes"][..., used], tokens[used]
        groups = int(used.sum())
        self._weights: Tensor | None = None
        self.groups = groups
        if groups >= FEWEST:
            self._weights = bootstrap_weights(groups, seed)
        self.clean = (sums.tensors["clean"].sum(1) / max(1, self.tokens)).tolist()  # loss, entropy
        ordinary = sums.tensors["ordinary"].clamp(min=1)
        self.norm = (sums.tensors["squares"] / ordinary).sqrt()  # [V] root mean square length
        spread = sums.tensors["spread"] - sums.tensors["off"].square().sum() / ordinary
        self.variance = sums.tensors["squares"] / spread.clamp(min=1e-30)

    def mean(self, measure: str) -> list[Estimate]:
        """Of every variant."""
        column = self._changes[:, _COLUMNS.index(measure)]
        values = (column.sum(1) / self._tokens.sum()).tolist()
        if self._weights is None:
            return [Estimate(value, None, None) for value in values]
        resampled = (self._weights @ column.T) / (self._weights @ self._tokens)[:, None]
        return self._with_interval(values, resampled)

    def mediated(self) -> list[Estimate | None]:
        """1 - mean |direct change of entropy| / mean |change of entropy|; None where nothing changes."""
        total, direct = (self._changes[:, _COLUMNS.index(f"abs_{name}")] for name in _SIZES)
        whole = total.sum(1)
        values = (1 - direct.sum(1) / whole).tolist()
        if self._weights is None:
            found = [Estimate(value, None, None) for value in values]
        else:
            found = self._with_interval(values, 1 - (self._weights @ direct.T) / (self._weights @ total.T))
        return [each if some else None for each, some in zip(found, (whole > 0).tolist(), strict=True)]

    def _with_interval(self, values: list[float], resampled: Tensor) -> list[Estimate]:
        middle = torch.tensor(values, dtype=torch.float64)
        wider = (self.groups / (self.groups - 1)) ** 0.5 * t95(self.groups - 1) / t95(1_000_000)
        low, high = (middle + wider * (edge - middle) for edge in percentiles(resampled))
        return [Estimate(*each) for each in zip(values, low.tolist(), high.tolist(), strict=True)]
