"""Mixture: is a dense signal a sum of a few sparse latents, of hundreds, or of none of them? No class of the paper."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import CONSTANT, Evidence, Finding, declared, rounded, unmeasured
from analysis.statistics.mixture import MixtureSummary
from store.vocabulary import AGGREGATE, OWN_SIGNAL, SUM, UNMEASURED

R2_CUT = 0.5
FEW = 50.0  # participation ratio up to which a sum can be read
RIDGE = 0.05  # on the scale of correlations
PER_LATENT = 4  # tokens of a half for each latent of the pool
SHOWN = 12

STATISTIC = declared(
    "mixture", "Mixture",
    "Share of the variance of the signal that a ridge regression on the activations of up to 512 sparse latents of the"
    " same SAE explains in documents it was not fitted on (both halves in turn, mean). The pool holds those that go"
    " with some dense signal most in the first tokens; dense latents, partners and the latent itself are not in it."
    " That choice sees some of the tokens it is tested on, so with little text the share flatters."
    f" From {R2_CUT} on, the participation ratio of the latents' contributions (β² times variance) tells a readable"
    f" sum (up to {FEW:.0f}) from a messy aggregate; below, it is a signal of its own.",
    "O", "our own",
)  # fmt: skip


class Fit(NamedTuple):
    """Regressions of all m signals on the pool."""

    r2: Tensor  # [m] float64, held out
    weight: Tensor  # [m, c] float64: of the standardised activations, mean of both halves
    share: Tensor  # [m, c] float64: of the sum of squared weights


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    pool, tokens = len(evidence.pool), evidence.mixture.tokens
    if not pool:
        return unmeasured({"code": "alone"}, evidence.count)
    if int(tokens.min()) < PER_LATENT * pool:
        few = {"code": "few_tokens", "tokens": int(tokens.min()), "latents": pool}
        return unmeasured(few, evidence.count)
    itself = evidence.signals.latents[:, None] == evidence.pool[None, :]
    found = fit(evidence.mixture, itself)
    return [_finding(evidence, found, number) for number in range(evidence.count)]


def fit(moments: MixtureSummary, itself: Tensor) -> Fit:
    """Ridge regression, fitted on one half of the documents and held against the other.

    Args:
        itself: [m, c] bool: the pool's latent is the signal's own, and is kept out of its regression.
    """
    parts = [_one_way(moments, train, itself) for train in (0, 1)]
    r2 = torch.stack([part[0] for part in parts]).mean(0)
    weight = torch.stack([part[1] for part in parts]).mean(0)
    squares = weight.square()
    return Fit(r2, weight, squares / squares.sum(1, keepdim=True).clamp(min=1e-300))


def _one_way(moments: MixtureSummary, train: int, itself: Tensor) -> tuple[Tensor, Tensor]:
    test = 1 - train
    # scales of the whole, so that both halves speak of the same units; a latent that never fired has none
    spread = torch.diagonal(moments.pool.mean(0)).clamp(min=0).sqrt()
    scale = torch.where(spread > 0, 1 / spread.clamp(min=1e-300), 0.0)
    gram, other = (moments.pool[half] * scale[:, None] * scale for half in (train, test))
    cross, goal = (moments.cross[half] * scale[:, None] for half in (train, test))
    inverse = torch.linalg.inv(gram + RIDGE * torch.eye(len(scale), dtype=torch.float64))
    weight = (inverse @ cross).T  # [m, c]
    weight = _without(weight, inverse, itself)
    explained = 2 * (weight * goal.T).sum(1) - (weight @ other * weight).sum(1)
    variance = moments.signal[test]
    return torch.where(variance > 0, explained / variance, torch.nan), weight


def _without(weight: Tensor, inverse: Tensor, itself: Tensor) -> Tensor:
    """The regressions with one variable left out, from those with it: no system is solved anew."""
    place = itself.double().argmax(1)
    own = torch.where(itself.any(1), weight.gather(1, place[:, None])[:, 0] / inverse[place, place], 0.0)
    return torch.where(itself, 0.0, weight - own[:, None] * inverse[place])


def _finding(evidence: Evidence, found: Fit, number: int) -> Finding:
    r2 = float(found.r2[number])
    if math.isnan(r2):
        return Finding(UNMEASURED, CONSTANT)
    share = found.share[number]
    participation = 1 / float(share.square().sum().clamp(min=1e-300))
    label = OWN_SIGNAL if r2 < R2_CUT else SUM if participation <= FEW else AGGREGATE
    best = share.argsort(descending=True)[:SHOWN]
    data: dict[str, Any] = {
        "r2": rounded(r2), "participation": rounded(participation), "pool": len(share),
        "tokens": int(evidence.mixture.tokens.sum()),
        "latents": [
            {"index": int(evidence.pool[place]), "share": rounded(float(share[place])),
             "weight": rounded(float(found.weight[number, place]))}
            for place in best.tolist()
        ],
    }  # fmt: skip
    statement = {"code": label, "r2": rounded(r2), "latents": rounded(participation)}
    return Finding(label, statement, score=r2, cut=R2_CUT, data=data)
