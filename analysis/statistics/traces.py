"""What is kept of an SAE's signals, so that SAEs that are read later, elsewhere, can be chained to it.

A part of the sample of the classes: whole contexts drawn by hash, hence the same ones for every SAE that is read on the
same text with the same settings. A signal is kept in steps of 1/127 of its largest value on ordinary tokens, which
lowers a correlation by less than a thousandth; what is chained is always this, so that SAEs read in one run have the
same chains as those read in several.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import zstandard
from safetensors.torch import load, save
from torch import Tensor

from analysis.statistics.sampling import mix_bits
from analysis.statistics.signals import Signals

TOKENS = 16_384
"""At most so many tokens: a correlation is then good to about a hundredth."""
VALUES = 4 * 2**20
"""At most so many values, a byte each, however many latents have detail; and two bytes for each of the m x D numbers
of their directions."""
_STEPS = 127


class Traces(NamedTuple):
    """m latents with detail on n tokens of k contexts, in the order in which contexts are drawn."""

    latents: Tensor  # [m] int64
    values: Tensor  # [m, n] int8: in steps of each latent's own; more on a massive token is cut off
    ordinary: Tensor  # [n] bool: not a massive token of this layer
    directions: Tensor  # [m, D] float16: unit decoder directions
    places: Tensor  # [k] int64: each context's document and first character
    lengths: Tensor  # [k] int64: its tokens


def traces_of(signals: Signals, seed: int) -> Traces:
    """The part of a sample that is kept.

    Args:
        signals: on the whole sample, massive tokens still in.
        seed: of the run's draws.
    """
    count = len(signals.latents)
    rows, lengths, places = _drawn(signals, min(TOKENS, max(1, VALUES // max(1, count))), seed)
    ordinary = signals.ordinary[rows]
    values = signals.values[rows][:, :count].T
    largest = (values.abs() * ordinary).amax(1, keepdim=True) if values.numel() else values[:, :1]
    steps = (values / torch.where(largest > 0, largest, torch.ones_like(largest)) * _STEPS).round()
    kept = steps.clamp(-_STEPS, _STEPS).to(torch.int8)
    return Traces(signals.latents, kept, ordinary, signals.directions[:count].half(), places, lengths)


def _drawn(signals: Signals, room: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Rows of the sample's tokens, contexts with the smallest hash first; tokens and place of each context."""
    sample = signals.sample
    _, sizes = torch.unique_consecutive(sample.context, return_counts=True)
    starts = sizes.cumsum(0) - sizes
    places = sample.document * 2**32 + sample.begin[starts]
    order = mix_bits(places, seed).bitwise_and(torch.iinfo(torch.int64).max).argsort(stable=True)
    fitting = int((sizes[order].cumsum(0) <= room).sum())
    chosen = order[: max(1, fitting)]
    rows = [torch.arange(int(starts[n]), int(starts[n] + sizes[n])) for n in chosen.tolist()]
    return torch.cat(rows), sizes[chosen], places[chosen]


def packed(traces: Traces) -> bytes:
    """For the store."""
    return zstandard.compress(save({name: part.contiguous() for name, part in traces._asdict().items()}), 3)


def unpacked(data: bytes) -> Traces:
    """From the store."""
    return Traces(**load(zstandard.decompress(data)))


def together(one: Traces, other: Traces) -> Tensor:
    """[n] bool: of the tokens that both have, first in each, those that are ordinary in both layers. Empty where the
    two were not read on the same contexts."""
    count = min(len(one.places), len(other.places))
    if not torch.equal(one.places[:count], other.places[:count]):
        return torch.zeros(0, dtype=torch.bool)
    tokens = int(one.lengths[:count].sum())
    return one.ordinary[:tokens] & other.ordinary[:tokens]
