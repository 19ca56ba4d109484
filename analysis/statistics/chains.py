"""Chains: where a latent's signal goes on in the next and the previous analysed layer."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.sae import LoadedSae
from analysis.statistics.declaration import Statistic
from analysis.statistics.ranks import standard
from analysis.statistics.signals import Signals

SIDES = ("previous", "next")
PREFER = 0.95  # a continuation of the same sign is taken if it is nearly as strong as the strongest

STATISTICS = (
    Statistic("chain", "Chain", "", "scalar", "latent",
              "The latent of the next (previous) analysed layer whose signal correlates most with this one's on the"
              " same tokens, massive ones of either layer left out; of two equally strong ones that of the same sign."
              " Only latents with detail are looked at. The cosine of the two decoder directions stands beside it where"
              " both are read from the same kind of hook point.",
              "O", "our own"),
)  # fmt: skip


class Link(NamedTuple):
    """One latent's continuation."""

    latent: int
    side: str
    sae: int  # place of the other SAE in the run
    other: int
    correlation: float
    cosine: float | None


def chains(samples: Sequence[Signals], saes: Sequence[LoadedSae]) -> list[list[Link]]:
    """Of every SAE, in the order given; neighbours are the nearest analysed layers with the same tokens.

    Args:
        samples: the SAEs' signals on the same contexts, massive tokens still in; may be made when asked for, as
            no more than two are held at once.
        saes: sorted by layer.
    """
    found: list[list[Link]] = [[] for _ in saes]
    for side in SIDES:
        for place, other in _neighbours(saes, side):
            one, two = samples[place], samples[other]
            ordinary = one.ordinary & two.ordinary
            correlation = (standard(_latent_rows(one, ordinary)) @ standard(_latent_rows(two, ordinary)).T).nan_to_num()
            found[place] += _links(one, two, correlation, _cosines(one, two, saes[place], saes[other]), side, other)
    return found


def _neighbours(saes: Sequence[LoadedSae], side: str) -> list[tuple[int, int]]:
    """(place, place of an SAE of the neighbouring layer): of several there, the first at the same kind of hook."""
    layers = sorted({sae.layer for sae in saes}, reverse=side == "previous")
    pairs = []
    for layer, following in itertools.pairwise(layers):
        there = [place for place, sae in enumerate(saes) if sae.layer == following]
        for place in (place for place, sae in enumerate(saes) if sae.layer == layer):
            kind = _kind(saes[place])
            pairs.append((place, next((n for n in there if _kind(saes[n]) == kind), there[0])))
    return pairs


def _kind(sae: LoadedSae) -> str:
    """`hook_resid_post` of `blocks.7.hook_resid_post`, where the SAE's directions are."""
    return sae.hook_out.rsplit(".", 1)[-1]


def _latent_rows(signals: Signals, keep: Tensor) -> Tensor:
    return signals.values[keep][:, : len(signals.latents)].T


def _cosines(one: Signals, other: Signals, first: LoadedSae, second: LoadedSae) -> Tensor | None:
    if _kind(first) != _kind(second) or first.d_out != second.d_out:
        return None
    return one.directions[: len(one.latents)] @ other.directions[: len(other.latents)].T


def _links(
    one: Signals, other: Signals, correlation: Tensor, cosine: Tensor | None, side: str, place: int
) -> list[Link]:
    if not correlation.numel():
        return []
    strongest = correlation.abs().max(1)
    positive = correlation.max(1)
    same = positive.values >= PREFER * strongest.values
    best = torch.where(same, positive.indices, strongest.indices)
    rows = torch.arange(len(best))
    values = correlation[rows, best].tolist()
    cosines = [None] * len(best) if cosine is None else cosine[rows, best].tolist()
    return [
        Link(int(one.latents[n]), side, place, int(other.latents[best[n]]), values[n], cosines[n])
        for n in range(len(best))
        if values[n] != 0
    ]
