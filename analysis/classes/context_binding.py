"""Context binding: on over long stretches, and which of the text's subjects it is on for, the text decides.

Parts A (persistence) and B (dependence on the context). Part C, steering, belongs to the interventions: until
it is measured, a latent with A and B is *likely* context binding.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import CONSTANT, Evidence, Finding, declared, rounded, unmeasured
from analysis.classes.stretches import Separation, separation
from analysis.reading.tags import UNIVERSAL
from analysis.statistics.ranks import benjamini_hochberg, normal_tail
from analysis.statistics.signals import position_design, residual, sum_by
from store.vocabulary import LIKELY, NO, UNMEASURED, Statement

HYSTERESIS = 0.25  # standard deviations around zero in which the last state goes on
LAGS = (1, 2, 4, 8, 16, 32, 64, 128)
RUN_EDGES = (1, 2, 3, 5, 9, 17, 33, 65, 129)
_ROWS = 32  # signals at once

ORDER = 20
THRESHOLDS = {
    "binding_half_life": 16.0,  # tokens after which the autocorrelation, token noise apart, has fallen to half
    "binding_within": 0.65,  # AUC, within a document, of telling a stretch's pole from its words
    "binding_across": 0.6,  # the same over documents must stay below: above, it is a fixed concept
}
STATISTIC = declared(
    "context_binding", "Context binding",
    "The signal, after position and part of speech are taken out of it, (A) stays on one side over long stretches:"
    " fewer changes of sign (with hysteresis of a quarter of a standard deviation) than any order of the same tokens"
    " would give (exact mean and variance, q below 5 %), and an autocorrelation that takes at least 16 tokens to fall"
    " to half of its value at one token; and (B) its side depends on the text: within a document, stretches of 32"
    " tokens at its two poles are told apart by their words (AUC of at least 0.65, from other, not neighbouring"
    " stretches of that document, and above the chance level and above the same with the signal shifted along"
    " the document), but what was learnt from other documents does not tell them apart (AUC below 0.6, its interval"
    " below that of the first). Both high means a fixed concept. Part of speech is taken out where it can be tagged."
    " Control: the AUC across documents. The label is likely, not yes, until steering moves the"
    " text (`dense-latents steer`).",
    "R", "long blocks, middle layers, steering: reported about Sun et al. 2025; A, B and their cuts: our own",
)  # fmt: skip


class Persistence(NamedTuple):
    """Part A for q signals."""

    z: Tensor  # [q] float64: how many deviations fewer changes of sign than in a shuffled order
    run: Tensor  # [q] float64: mean tokens on one side
    shuffled: Tensor  # [q] float64: the same expected of any order
    acf: Tensor  # [q, lags] float64
    half_life: Tensor  # [q] float64: tokens; inf beyond the largest lag
    observed: Tensor  # [q, bins] int64: runs by length
    expected: Tensor  # [q, bins] int64: in one shuffled order


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    why = evidence.too_few_documents()
    if why:
        return unmeasured(why, evidence.count)
    values = residual(evidence.signals.values, _design(evidence))
    part_a = persistence(values[:, : evidence.count], evidence.signals.sample.context)
    part_b = separation(evidence, values)
    if part_b is None:
        return unmeasured({"code": "few_stretches"}, evidence.count)
    p = normal_tail(part_a.z)
    q = benjamini_hochberg(p)
    chance = evidence.level(part_b.within[evidence.count :] - 0.5) + 0.5
    return [_finding(evidence, part_a, part_b, p, q, chance, number) for number in range(evidence.count)]


def _design(evidence: Evidence) -> Tensor:
    position = position_design(evidence.signals.sample)
    if evidence.tags.reason:
        return position
    return torch.cat([position, torch.nn.functional.one_hot(evidence.tags.values + 1, len(UNIVERSAL) + 1).float()], 1)


def persistence(values: Tensor, context: Tensor) -> Persistence:
    """How long the signals [n, q] stay on one side; `context` [n] int64 is sorted."""
    parts = [_persistence(rows, context) for rows in values.T.contiguous().split(_ROWS)]  # type: ignore[no-untyped-call]
    return Persistence(*(torch.cat(column) for column in zip(*parts, strict=True)))


def _persistence(rows: Tensor, context: Tensor) -> tuple[Tensor, ...]:
    spread = rows.std(1, keepdim=True, correction=0)
    side = torch.where(rows > HYSTERESIS * spread, 1, torch.where(rows < -HYSTERESIS * spread, -1, 0)).to(torch.int8)
    starts = run_starts(side, context)
    runs, mean, variance = _expected_runs(side, context, starts)
    z = torch.where(variance > 0, (mean - runs) / variance.sqrt(), torch.nan)
    tokens = float(rows.shape[1])
    generator = torch.Generator().manual_seed(0)
    order = _shuffled_within(context, generator)
    shuffled = run_starts(side[:, order], context)
    acf = autocorrelation(rows, context)
    return (
        z, tokens / runs.clamp(min=1), tokens / mean.clamp(min=1), acf, half_life(acf),
        _lengths(starts, context), _lengths(shuffled, context),
    )  # fmt: skip


def run_starts(side: Tensor, context: Tensor) -> Tensor:
    """[q, n] bool: a token at which the side (-1, 0, 1) is another than the last one of its context that was not 0.

    The first token of a context that is not 0 begins a run too.
    """
    n = side.shape[1]
    place = torch.arange(n)
    last = torch.where(side != 0, place, -1).cummax(1).values  # last token with a side, up to each
    before = torch.cat([torch.full_like(last[:, :1], -1), last[:, :-1]], 1)
    first = _first_of(context)
    held = torch.where(before >= first, side.gather(1, before.clamp(min=0)), 0)
    return (side != 0) & (side != held)


def _first_of(context: Tensor) -> Tensor:
    """[n]: where each token's context begins."""
    _, inverse, sizes = torch.unique_consecutive(context, return_inverse=True, return_counts=True)
    first: Tensor = (sizes.cumsum(0) - sizes)[inverse]
    return first


def _expected_runs(side: Tensor, context: Tensor, starts: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Runs there are, and their mean and variance over all orders within contexts (Wald and Wolfowitz); [q] each."""
    contexts = int(context[-1]) + 1
    plus, minus = (sum_by(context, (side == sign).T, contexts) for sign in (1, -1))
    both = plus + minus
    product = 2 * plus * minus
    some = both.clamp(min=1)
    mean = torch.where(both > 0, 1 + product / some, 0.0)
    variance = product * (product - both) / (some.square() * (some - 1).clamp(min=1))
    return starts.sum(1).double(), mean.sum(0), variance.clamp(min=0).sum(0)


def _shuffled_within(context: Tensor, generator: torch.Generator) -> Tensor:
    """[n]: an order that shuffles the tokens of each context."""
    key = context.double() + torch.rand(len(context), generator=generator, dtype=torch.float64) * 0.999
    return key.argsort()


def _lengths(starts: Tensor, context: Tensor) -> Tensor:
    """[q, bins] int64: runs by length in tokens; a run goes on through the dead zone and ends with its context."""
    n = starts.shape[1]
    _, inverse, sizes = torch.unique_consecutive(context, return_inverse=True, return_counts=True)
    end = sizes.cumsum(0)[inverse]
    place = torch.arange(n)
    ahead = torch.where(starts, place, n).flip(1).cummin(1).values.flip(1)  # next start from each token on
    after = torch.cat([ahead[:, 1:], torch.full_like(ahead[:, :1], n)], 1)
    length = torch.minimum(after, end) - place
    bins = torch.bucketize(length, torch.tensor(RUN_EDGES), right=True) - 1
    counts = torch.zeros(len(starts), len(RUN_EDGES), dtype=torch.int64)
    return counts.scatter_add_(1, bins, starts.long())


def autocorrelation(rows: Tensor, context: Tensor) -> Tensor:
    """[q, lags] float64 of the signals [q, n] at LAGS tokens, pairs within one context; NaN where there are none."""
    off = rows - rows.mean(1, keepdim=True)
    variance = off.square().mean(1, dtype=torch.float64)
    found = []
    for lag in LAGS:
        same = context[lag:] == context[:-lag]
        count = int(same.sum())
        product = (off[:, lag:] * off[:, :-lag] * same).sum(1, dtype=torch.float64)
        found.append(product / count / variance if count else torch.full_like(variance, math.nan))
    return torch.stack(found, 1).nan_to_num(posinf=math.nan, neginf=math.nan, nan=math.nan)


def half_life(acf: Tensor) -> Tensor:
    """[q]: tokens after which the autocorrelation is half of that at one token; 1 where that is none at all.

    Taken from one token on, since noise of single tokens would hide a slow part under it.
    """
    lags = torch.tensor(LAGS, dtype=torch.float64).log2()
    goal = acf[:, :1] / 2
    below = acf <= goal  # lags longer than the contexts are unknown, and not below
    below[:, 0] = False
    first = torch.where(below.any(1), below.double().argmax(1), len(LAGS))
    right = first.clamp(max=len(LAGS) - 1)
    high, low = acf.gather(1, (right - 1)[:, None])[:, 0], acf.gather(1, right[:, None])[:, 0]
    part = torch.where(high > low, (high - goal[:, 0]) / (high - low), 1.0).clamp(0, 1)
    found = torch.exp2(lags[right - 1] + part * (lags[right] - lags[right - 1]))
    found = torch.where(first < len(LAGS), found, torch.inf)
    return torch.where(acf[:, 0] > 0.02, found, 1.0)


def _finding(
    evidence: Evidence, a: Persistence, b: Separation, p: Tensor, q: Tensor, chance: float, number: int
) -> Finding:
    thresholds = evidence.thresholds
    within, across, shifted = (float(part[number]) for part in (b.within, b.across, b.shifted))
    if math.isnan(within) or math.isnan(float(a.z[number])):
        return Finding(UNMEASURED, CONSTANT)
    lasts = (
        float(q[number]) < thresholds["q"]
        and float(a.z[number]) > 0
        and float(a.half_life[number]) >= thresholds["binding_half_life"]
    )
    apart = within >= thresholds["binding_within"] and not within <= chance and float(b.within_low[number]) > shifted
    # not for want of data: what other documents tell must be less than what its own does, surely
    free = across < thresholds["binding_across"] and float(b.across_high[number]) < float(b.within_low[number])
    return Finding(
        LIKELY if lasts and apart and free else NO,
        _statement(a, b, number, lasts, apart, free),
        score=within,
        cut=thresholds["binding_within"],
        chance=chance,
        control=across,
        p=float(p[number]),
        q=float(q[number]),
        data=_data(a, b, number),
    )


def _statement(a: Persistence, b: Separation, number: int, lasts: bool, apart: bool, free: bool) -> Statement:
    runs = {"run": rounded(float(a.run[number])), "shuffled": rounded(float(a.shuffled[number]))}
    within, across = rounded(float(b.within[number])), rounded(float(b.across[number]))
    if not lasts:
        return {"code": "brief", "half_life": rounded(float(a.half_life[number])), **runs}
    if apart and free:
        return {"code": "bound", "within": within, "across": across, **runs}
    return {"code": "concept", "across": across} if apart else {"code": "untold", "within": within, **runs}


def _data(a: Persistence, b: Separation, number: int) -> dict[str, Any]:
    numbers = {
        "half_life": a.half_life, "mean_run": a.run, "mean_run_shuffled": a.shuffled, "runs_z": a.z,
        "within": b.within, "within_low": b.within_low, "within_high": b.within_high, "within_control": b.shifted,
        "across": b.across, "across_low": b.across_low, "across_high": b.across_high,
    }  # fmt: skip
    named = {name: rounded(float(part[number])) for name, part in numbers.items()}
    runs = {"observed": a.observed[number].tolist(), "shuffled": a.expected[number].tolist()}
    return named | {
        "beyond": not math.isfinite(float(a.half_life[number])),
        "lags": list(LAGS),
        "acf": rounded(a.acf[number]),
        "runs": {"edges": list(RUN_EDGES), **runs},
        "chunks": b.chunks,
        "documents": b.documents,
    }
