"""Chains: where a latent's signal goes on in the next and the previous analysed layer, whichever run analysed it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.statistics.declaration import Statistic
from analysis.statistics.ranks import standard
from analysis.statistics.traces import Traces, together

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


class Layer(NamedTuple):
    """Where an SAE's directions are."""

    layer: int
    kind: str
    """Of hook point: `hook_resid_post` of `blocks.7.hook_resid_post`."""


class Step(NamedTuple):
    """From one SAE to its neighbour, by their places in a list."""

    place: int
    side: str
    other: int


class Link(NamedTuple):
    """One latent's continuation."""

    latent: int
    other: int
    correlation: float
    cosine: float | None


def kind_of(hook: str) -> str:
    """Of a hook point."""
    return hook.rsplit(".", 1)[-1]


def steps(saes: Sequence[Layer]) -> list[Step]:
    """To the nearest analysed layers on both sides; of several SAEs there, to the first at the same kind of hook."""
    found = []
    for side in SIDES:
        layers = sorted({sae.layer for sae in saes}, reverse=side == "previous")
        for layer, following in itertools.pairwise(layers):
            there = [place for place, sae in enumerate(saes) if sae.layer == following]
            for place in (place for place, sae in enumerate(saes) if sae.layer == layer):
                kind = saes[place].kind
                found.append(Step(place, side, next((n for n in there if saes[n].kind == kind), there[0])))
    return found


def links(one: Traces, other: Traces, alike: bool) -> list[Link]:
    """The continuation of each latent of `one` among those of `other`; none where the two share no text.

    Args:
        alike: both are at the same kind of hook point, so that directions can be compared.
    """
    ordinary = together(one, other)
    if not bool(ordinary.any()) or not len(one.latents) or not len(other.latents):
        return []
    correlation = (_rows(one, ordinary) @ _rows(other, ordinary).T).nan_to_num()
    return _best(one, other, correlation, _cosines(one, other) if alike else None)


def _rows(traces: Traces, ordinary: Tensor) -> Tensor:
    return standard(traces.values[:, : len(ordinary)][:, ordinary])


def _cosines(one: Traces, other: Traces) -> Tensor | None:
    if one.directions.shape[1] != other.directions.shape[1]:
        return None
    return one.directions.float() @ other.directions.float().T


def _best(one: Traces, other: Traces, correlation: Tensor, cosine: Tensor | None) -> list[Link]:
    strongest = correlation.abs().max(1)
    positive = correlation.max(1)
    same = positive.values >= PREFER * strongest.values
    best = torch.where(same, positive.indices, strongest.indices)
    rows = torch.arange(len(best))
    values = correlation[rows, best].tolist()
    cosines = [None] * len(best) if cosine is None else cosine[rows, best].tolist()
    return [
        Link(int(one.latents[n]), int(other.latents[best[n]]), values[n], cosines[n])
        for n in range(len(best))
        if values[n] != 0
    ]
