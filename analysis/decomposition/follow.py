"""What the latents of one SAE follow, beside random directions: what the run stores."""

from __future__ import annotations

from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.decomposition.decompose import CUT, SOURCES, Decomposition, decompose
from analysis.decomposition.design import TOKENS, Design
from analysis.decomposition.past import SKIPPED, WINDOW
from analysis.statistics.declaration import Statistic
from analysis.statistics.signals import Signals

OFTEN = 0.1  # firing rate of a dense latent, and of random directions where the SAE has none
NORM = 0.1  # share from which on it is asked whether the norm says as much of the activation over the norm
DOCUMENTS = 20  # with fewer, folds of documents are a matter of chance
FIRING = 30  # tokens: a latent that fires on fewer is not divided
MISSING = "not_divided"
_NORM = SOURCES.index("norm")

_HOW = (
    f"Ridge regressions of the activation over ordinary tokens, five folds by document, on up to {TOKENS:,} tokens of"
    f" the sample of the classes; the largest {CUT:.1%} of activations are cut. Below 0: worse than the mean."
)
STATISTICS = (
    Statistic("follows", "What it follows", "share of variance", "series", "latent",
              "How much of the variance of the activation each source predicts in documents that were not fitted, added"
              " in this order: the word (its embedding, then its type's mean), the two words before, position in"
              " context, paragraph and sentence, part of speech and spelling, the norm of the residual vector, the"
              f" latent's own past (a weighted mean of earlier tokens, the last {SKIPPED} left out), the rest of the"
              f" context (all but ± {WINDOW} tokens), the document's other contexts. A source counts only for what"
              f" those before it leave. {_HOW} Intervals are over 64 groups of documents.",
              "O", "our own", MISSING),
    Statistic("word_share", "Share that is the word", "share of variance", "scalar", "latent",
              f"Share of the variance that the present word predicts. {_HOW}", "O", "our own", MISSING),
    Statistic("past_share", "Share that is its own past", "share of variance", "scalar", "latent",
              "Share of the variance that the latent's own past, the rest of the context and the document predict after"
              f" word, words before, position, part of speech and norm. {_HOW}", "O", "our own", MISSING),
    Statistic("followed", "Followed in all", "share of variance", "scalar", "latent",
              f"Share of the variance that all sources together predict. {_HOW}", "O", "our own", MISSING),
)  # fmt: skip


class PairsFollowed(NamedTuple):
    """q candidate pairs of latents with detail, each as one signal."""

    latents: Tensor  # [q, 2] int64
    z: Decomposition  # of the one's activation less the other's
    axis: Decomposition  # of the projection on the first one's direction


class Followed(NamedTuple):
    """m latents with detail, r random directions."""

    latents: Decomposition  # of the activations; NaN of those that fire too rarely
    random: Decomposition  # of random directions made latents: see `as_dense`
    over_norm: Tensor  # [m] float64: what the norm adds of the activation divided by it; NaN where not asked
    pairs: PairsFollowed
    tokens: int
    documents: int


def follow(design: Design, signals: Signals, pairs: Tensor) -> Followed | None:
    """Of one SAE; None where the sample has too few documents.

    Args:
        signals: on the sample that the design is of, massive tokens still in.
        pairs: [q, 2] int64: latents; those without detail are left out.
    """
    rows, count = design.rows, len(signals.latents)
    documents = len(torch.unique(signals.sample.document[signals.sample.context[rows]]))
    if documents < DOCUMENTS:
        return None
    acts, norm, ordinary = signals.acts[rows].float(), signals.norm[rows], signals.ordinary[rows]
    # directions that are tried as latents have numbers below 0, and are no measure of how often latents are on
    random = as_dense(signals.values[rows][:, count:], acts[:, signals.latents >= 0])
    pairs = pairs[torch.isin(pairs, signals.latents).all(1)]
    first, second = (_places(signals.latents, one) for one in pairs.T)
    z, axis = acts[:, first] - acts[:, second], signals.values[rows][:, first]
    found = decompose(design, norm, ordinary, torch.cat([acts, random, z, axis], 1))
    seldom = (acts != 0).sum(0) < FIRING
    latents = _only(found, slice(0, count), seldom)
    ends = accumulate((random.shape[1], len(pairs), len(pairs)), initial=count)
    of_random, of_z, of_axis = (_only(found, slice(*some)) for some in pairwise(ends))
    over_norm = torch.full((count,), torch.nan, dtype=torch.float64)
    asked = torch.nonzero(latents.added.share[_NORM] >= NORM).flatten()
    if len(asked):
        divided = acts[:, asked] / norm.clamp(min=1e-12)[:, None]
        over_norm[asked] = decompose(design, norm, ordinary, divided).added.share[_NORM]
    of_pairs = PairsFollowed(pairs, of_z, of_axis)
    return Followed(latents, of_random, over_norm, of_pairs, len(rows), documents)


def _places(latents: Tensor, wanted: Tensor) -> Tensor:
    order = latents.argsort()
    return order[torch.searchsorted(latents[order], wanted.contiguous())]


def as_dense(values: Tensor, acts: Tensor) -> Tensor:
    """[n, r]: projections on random directions, 0 but where they are largest: on as often as the median dense latent.

    Args:
        values: [n, r]. acts: [n, m] of latents.
    """
    on = float(dense_rates(acts).median())
    level = values.kthvalue(max(1, round((1 - on) * len(values))), dim=0).values
    return values * (values > level)


def dense_rates(acts: Tensor) -> Tensor:
    """Shares of tokens on which the dense ones of latents [n, m] are on; one of `OFTEN` where none is dense."""
    often = (acts != 0).float().mean(0)
    dense = often[often > OFTEN]
    return dense if len(dense) else torch.tensor([OFTEN])


def _only(found: Decomposition, some: slice, without: Tensor | None = None) -> Decomposition:
    def shares(held: NamedTuple) -> list[Tensor]:
        parts = [part[..., some].clone() for part in held]
        for part in parts if without is not None else []:
            part[..., without] = torch.nan
        return parts

    added, alone, total, own = (type(held)(*shares(held)) for held in found[:4])
    together = found.together._replace(average=found.together.average[..., some], alike=found.together.alike[..., some])
    embedding = found.embedding[some].clone()
    if without is not None:
        embedding[without] = torch.nan
    return Decomposition(added, alone, total, own, together, found.half_life[some], embedding)
