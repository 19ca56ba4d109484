"""Position: the signal follows the distance from the start of the context, the paragraph or the sentence."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import CONSTANT, Evidence, Finding, beats, declared, rounded
from analysis.reading.batches import Sample
from analysis.reading.corpus import GROUPS
from analysis.statistics.intervals import jackknife_ratio, t95
from analysis.statistics.positions import KINDS, edges_for
from analysis.statistics.ranks import benjamini_hochberg, correlation, midranks, normal_tail, standard, sums_over
from analysis.statistics.signals import sum_by
from store.vocabulary import NO, UNMEASURED, YES, Statement

WEIRD = 4  # first positions of a context, where everything is unusual
SAME = 0.999  # correlation of two distances from which they are one: sentences that are whole contexts
LEAST = 0.1  # share of tokens whose distance must be known for a kind to be held fixed in the others

ORDER = 10
THRESHOLDS = {
    "position_rho": 0.4,  # |Spearman| of the signal with the distance from a boundary (reported about the paper)
    "position_partial": 0.2,  # the same with the other two distances held fixed
}
STATISTIC = declared(
    "position", "Position",
    "Spearman correlation of the signal (the projection of what the SAE reads on the latent's decoder direction) with"
    " the token's distance, in tokens, from the start of its context, paragraph or sentence. Label: |ρ| of at least"
    " 0.4 for the distance with the largest partial |ρ| (the other two held fixed), which must be at least 0.2; above"
    " the chance level; and q below 5 % (Benjamini-Hochberg over latents and distances). p is the larger of two:"
    " against circular shifts of the signal within contexts, whose mean and variance are computed exactly, and from the"
    " interval over documents (jackknife of 64 groups), since a shift breaks the slowest drifts at its seam. Control:"
    " the |ρ| that 95 % of the shifts stay below. Ties have average ranks.",
    "R", "|ρ| > 0.4: reported about Sun et al. 2025; partial, shifts and chance: our own",
)  # fmt: skip


class Kind(NamedTuple):
    """One distance against all q signals; [q] float64 each. NaN everywhere where `reason` is given."""

    reason: Statement | None  # why it was not measured
    rho: Tensor
    low: Tensor
    high: Tensor
    partial: Tensor
    later: Tensor  # without the first positions of each context
    shift: Tensor  # |rho| that 95 % of circular shifts stay below
    p: Tensor


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    why = evidence.too_few_documents()
    if why:
        return [Finding(UNMEASURED, why) for _ in range(evidence.count)]
    kinds = measure(evidence)
    q = benjamini_hochberg(torch.stack([kind.p[: evidence.count] for kind in kinds.values()]))
    chance = {name: math.nan if kind.reason else _chance(evidence, name) for name, kind in kinds.items()}
    profiles = {name: _profile(evidence, name) for name, kind in kinds.items() if not kind.reason}
    return [_finding(evidence, kinds, q[:, number], chance, profiles, number) for number in range(evidence.count)]


def measure(evidence: Evidence) -> dict[str, Kind]:
    """Every distance against every signal."""
    sample = evidence.signals.sample
    known = {name: distances(sample, name) >= 0 for name in KINDS}
    reasons = {name: _reason(evidence, keep) for name, keep in known.items()}
    partial = _partials(evidence, [name for name in KINDS if not reasons[name]], known)
    return {
        name: _nothing(reason, len(evidence.rows))
        if (reason := reasons[name])
        else _kind(evidence, name, known[name], partial[name])
        for name in KINDS
    }


def _chance(evidence: Evidence, name: str) -> float:
    """The |Spearman| with a distance that random directions reach."""
    crowd = evidence.chance
    distance = distances(crowd.signals.sample, name)
    known = distance >= 0
    return evidence.level(correlation(crowd.ranks_of(known), midranks(distance[known].float())[None])[:, 0])


def distances(sample: Sample, name: str) -> Tensor:
    """[n] int64: tokens from the start of the context, paragraph or sentence; -1 unknown."""
    return {"context": sample.column, "paragraph": sample.paragraph, "sentence": sample.sentence}[name]


def _reason(evidence: Evidence, known: Tensor) -> Statement | None:
    sample = evidence.signals.sample
    documents = len(torch.unique(sample.document[torch.unique(sample.context[known])]))
    needed = evidence.thresholds["documents"]
    if not documents:
        return {"code": "none"}
    return {"code": "few", "found": documents, "needed": needed} if documents < needed else None


def _nothing(reason: Statement, count: int) -> Kind:
    nan = torch.full((count,), math.nan, dtype=torch.float64)
    return Kind(reason, *[nan] * 7)


def _kind(evidence: Evidence, name: str, known: Tensor, partial: Tensor) -> Kind:
    sample = evidence.signals.sample
    distance = distances(sample, name)[known].float()
    ranks = evidence.ranks_of(known)
    goal = midranks(distance)
    rho, low, high, sure = _with_interval(ranks, goal, evidence.group[known])
    mean, deviation = shift_moments(ranks, goal, sample.context[known])
    z = torch.where(deviation > 0, (rho - mean) / deviation, torch.nan)
    late = sample.column[known] > WEIRD
    later = correlation(ranks[:, late], goal[None, late])[:, 0]  # ranks of the whole: a few tokens move none of them
    p = torch.maximum(normal_tail(z), normal_tail(sure))
    return Kind(None, rho, low, high, partial, later, mean.abs() + 1.96 * deviation, p)


def _with_interval(ranks: Tensor, goal: Tensor, group: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Spearman, its jackknife interval over groups of documents, and its z, on Fisher's scale.

    Ranks stay those of the whole.
    """
    a, b = standard(ranks), standard(goal[None])
    above, left, right = (sums_over(group, part, GROUPS) for part in (a * b, a.square(), b.square()))
    rho = above.sum(0) / (left.sum(0) * right.sum(0)).sqrt()
    without = (above.sum(0) - above) / ((left.sum(0) - left) * (right.sum(0) - right)).sqrt()
    used = torch.bincount(group, minlength=GROUPS) > 0
    count = int(used.sum())
    centre, out = torch.atanh(rho.clamp(-0.999999, 0.999999)), torch.atanh(without[used].clamp(-0.999999, 0.999999))
    error = ((count - 1) / count * (out - centre).square().sum(0)).sqrt()
    half = error * t95(max(1, count - 1))
    z = torch.where(error > 0, centre / error, torch.nan)
    return rho, torch.tanh(centre - half), torch.tanh(centre + half), z


def shift_moments(ranks: Tensor, goal: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of Spearman's rho over all circular shifts of the signals within contexts.

    Exact, no sampling: shifts of different contexts are independent, and the circular correlations of one
    context are all its shifts at once (by Fourier transform).

    Args:
        ranks: [q, n]. goal: [n], ranks of the distances. context: [n] int64, sorted.

    Returns:
        [q] float64 each.
    """
    a, b = standard(ranks), standard(goal[None])[0]
    mean, variance = torch.zeros(len(a), dtype=torch.float64), torch.zeros(len(a), dtype=torch.float64)
    _, sizes = torch.unique_consecutive(context, return_counts=True)
    starts = sizes.cumsum(0) - sizes
    for size in torch.unique(sizes).tolist():
        places = starts[sizes == size][:, None] + torch.arange(size)
        mine, target = a[:, places], b[places]  # [q, contexts, size], [contexts, size]
        spectrum = torch.fft.rfft(mine) * torch.fft.rfft(target).conj()
        power = spectrum.real.square() + spectrum.imag.square()
        # Parseval on half a spectrum: every line but the first and an even length's last stands for two
        weight = torch.full((power.shape[-1],), 2.0)
        weight[0] = 0.0
        if size % 2 == 0:
            weight[-1] = 1.0
        mean += (spectrum[..., 0].real.double() / size).sum(1)
        variance += (power @ weight).double().sum(1) / size**2
    return mean, variance.sqrt()


def _partials(evidence: Evidence, names: list[str], known: dict[str, Tensor]) -> dict[str, Tensor]:
    """Partial Spearman of each kind, those of the others held fixed that are known for enough tokens."""
    return {name: _partial(evidence, name, names, known) for name in names}


def _partial(evidence: Evidence, name: str, names: list[str], known: dict[str, Tensor]) -> Tensor:
    """From the correlations of ranks on the tokens whose distances are all known."""
    sample = evidence.signals.sample
    mine = known[name]
    others = [
        other for other in names if other != name and float((known[other] & mine).sum()) >= LEAST * float(mine.sum())
    ]
    keep = mine.clone()
    for other in others:
        keep &= known[other]
    goal = torch.stack([midranks(distances(sample, part)[keep].float()) for part in (name, *others)])
    goal = goal[_apart(goal)]
    return partial_correlation(correlation(evidence.ranks_of(keep), goal), _among(goal))


def _apart(goal: Tensor) -> list[int]:
    """The first distance and those others that are not one of those taken already under another name."""
    among = _among(goal)
    kept = [0]
    for other in range(1, len(goal)):
        if float(among[other, kept].abs().max()) < SAME:
            kept.append(other)
    return kept


def _among(goal: Tensor) -> Tensor:
    """Correlations [k, k] of the distances' ranks in float64: what is nearly singular must not be so by rounding."""
    return torch.corrcoef(goal.double()).view(len(goal), len(goal))


def partial_correlation(outer: Tensor, inner: Tensor) -> Tensor:
    """Of each signal with the first of k variables, the others held fixed.

    Args:
        outer: [q, k] correlations of the signals with the variables. inner: [k, k] of the variables.

    Returns:
        [q] float64; NaN where a correlation is.
    """
    signals, size = outer.shape
    whole = torch.eye(size + 1, dtype=torch.float64).repeat(signals, 1, 1)
    whole[:, 0, 1:] = whole[:, 1:, 0] = outer
    whole[:, 1:, 1:] = inner
    unknown = whole.isnan().flatten(1).any(1)
    inverse = torch.linalg.pinv(whole.nan_to_num(), rtol=1e-6, hermitian=True)
    scale = inverse[:, 0, 0] * inverse[:, 1, 1]
    return torch.where(~unknown & (scale > 0), -inverse[:, 0, 1] / scale.clamp(min=1e-300).sqrt(), torch.nan)


def _profile(evidence: Evidence, name: str) -> dict[str, Any]:
    """Mean of each latent's signal, in its standard deviations, by distance, with its interval: [m, bins] each."""
    values = evidence.signals.values[:, : evidence.count].double()
    spread = values.std(0, correction=0)
    scaled = torch.where(spread > 0, (values - values.mean(0)) / spread, 0.0)
    distance = distances(evidence.signals.sample, name)
    edges = edges_for(name, int(evidence.signals.sample.column.max()) + 1)
    keep = (distance >= edges[0]) & (distance < edges[-1])
    bins = len(edges) - 1
    index = evidence.group[keep] * bins + torch.bucketize(distance[keep], edges, right=True) - 1
    total = sum_by(index, scaled[keep], GROUPS * bins).view(GROUPS, bins, -1)
    tokens = torch.bincount(index, minlength=GROUPS * bins).view(GROUPS, bins).double()
    mean, low, high = (part.T for part in jackknife_ratio(total, tokens[..., None].expand_as(total)))
    return {"edges": edges.tolist(), "mean": mean, "low": low, "high": high, "tokens": tokens.sum(0)}


def _finding(
    evidence: Evidence,
    kinds: dict[str, Kind],
    q: Tensor,
    chance: dict[str, float],
    profiles: dict[str, Any],
    number: int,
) -> Finding:
    known = [name for name in KINDS if not kinds[name].reason]
    rho = {name: float(kinds[name].rho[number]) for name in known}
    partial = {name: float(kinds[name].partial[number]) for name in known}
    if not known or all(math.isnan(value) for value in rho.values()):
        reasons = {name: kind.reason for name, kind in kinds.items() if kind.reason}
        return Finding(UNMEASURED, {"code": "no_distance", "reasons": reasons} if reasons else CONSTANT)
    best = max(known, key=lambda name: -1.0 if math.isnan(partial[name]) else abs(partial[name]))
    thresholds, place = evidence.thresholds, KINDS.index(best)
    holds = (
        beats(abs(rho[best]), thresholds["position_rho"], chance[best])
        and abs(partial[best]) >= thresholds["position_partial"]
        and float(q[place]) < thresholds["q"]
    )
    shown = best if holds else max(known, key=lambda name: 0.0 if math.isnan(rho[name]) else abs(rho[name]))
    place, kind = KINDS.index(shown), kinds[shown]
    return Finding(
        YES if holds else NO,
        {
            "code": "follows" if holds else "explained" if abs(rho[shown]) >= thresholds["position_rho"] else "weak",
            "kind": shown,
            "rho": rounded(rho[shown]),
        },
        score=abs(rho[shown]),
        cut=thresholds["position_rho"],
        chance=chance[shown],
        control=float(kind.shift[number]),
        p=float(kind.p[number]),
        q=float(q[place]),
        data=_data(kinds, q, chance, profiles, number, shown, best if holds else None),
    )


def _data(
    kinds: dict[str, Kind],
    q: Tensor,
    chance: dict[str, float],
    profiles: dict[str, Any],
    number: int,
    shown: str,
    best: str | None,
) -> dict[str, Any]:
    named = {}
    for place, (name, kind) in enumerate(kinds.items()):
        values = {
            "rho": kind.rho, "low": kind.low, "high": kind.high, "partial": kind.partial,
            "without_first": kind.later, "shift": kind.shift, "p": kind.p,
        }  # fmt: skip
        named[name] = {key: rounded(float(column[number])) for key, column in values.items()}
        named[name] |= {"q": rounded(float(q[place])), "chance": rounded(chance[name]), "reason": kind.reason}
    profile = profiles[shown]
    lines = {key: rounded(profile[key][number]) for key in ("mean", "low", "high")}
    lines |= {"kind": shown, "edges": profile["edges"], "tokens": rounded(profile["tokens"].long())}
    return {"kind": best, "kinds": named, "profile": lines}
