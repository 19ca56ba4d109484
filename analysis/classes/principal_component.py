"""Principal component: the decoder direction is the line along which the activations vary most."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import Evidence, Finding, beats, declared, rounded, unmeasured
from analysis.statistics.covariance import Covariance
from store.vocabulary import NO, UNMEASURED, YES, Statement

COMPONENTS = 10
_BLOCK, _ROUNDS, _EVERY = 32, 80, 8
_LEFT = 1e-11  # of the largest eigenvalue: what M v - λ v may be where the search ends early

ORDER = 60
THRESHOLDS = {
    "component_cos": 0.75,  # |cosine| with the first principal component (reported about the paper)
    "component_ratio": 1.2,  # variance of the first over that of the second; below, it is no direction of its own
    "component_stability": 0.9,  # |cosine| of the first component of one half of the documents with the other's
}
STATISTIC = declared(
    "principal_component", "Principal component",
    "|cosine| of the latent's decoder direction with the first principal component of what the SAE reads (centred,"
    " over ordinary tokens: massive and special ones would be the component). Label: above 0.75 and above the chance"
    " level. Not measured where the first component is none of its own (its variance less than 1.2 times the"
    " second's) or is another one in the other half of the documents (|cosine| below 0.9). Control: the uncentred"
    " component, which may be the mean.",
    "R", "|cos| > 0.75: reported about Sun et al. 2025; gap and stability: our own",
)  # fmt: skip


class Components(NamedTuple):
    """Leading eigenvectors and what they are worth."""

    vectors: Tensor  # [k, D] float64, unit rows
    variance: Tensor  # [k] float64
    share: Tensor  # [k] float64: of the whole variance
    ratio: float  # first over second
    stability: float  # |cosine| of the first of both halves; NaN where a half is empty
    uncentred: Tensor  # [D] float64: first component about zero


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    found = components(evidence.covariance)
    if found is None:
        return unmeasured({"code": "no_tokens"}, evidence.count)
    why = _unfit(found, evidence)
    directions = evidence.signals.directions.double()
    cosines = directions @ found.vectors.T
    chance = evidence.level(cosines[evidence.count :, 0])
    uncentred = (directions @ found.uncentred).abs()
    return [_finding(evidence, found, cosines[n], float(uncentred[n]), chance, why) for n in range(evidence.count)]


def components(covariance: Covariance) -> Components | None:
    """Of both halves together; None where nothing was read."""
    tokens, mean, whole = covariance.both()
    if tokens < 2:
        return None
    values, vectors = leading(whole, COMPONENTS)
    halves = covariance.summarise()
    stability = math.nan
    if int(halves.tokens.min()) > 1:
        one, other = (leading(half, 1)[1][0] for half in halves.covariance)
        stability = abs(float(one @ other))
    trace = float(torch.trace(whole))
    ratio = float(values[0] / values[1]) if len(values) > 1 and values[1] > 0 else math.inf
    about_zero = leading(whole + mean[:, None] * mean[None, :], 1)[1][0]
    return Components(vectors, values, values / max(trace, 1e-300), ratio, stability, about_zero)


def leading(matrix: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k largest eigenvalues [k] and eigenvectors [k, D] of a symmetric matrix, by block power iteration.

    A whole eigendecomposition takes a minute at D = 4096, this a second; what it cannot part (a gap of a few
    per cent) the class does not use. An eigenvector has no sign of its own: its largest number is positive.
    """
    size = len(matrix)
    block = min(size, max(_BLOCK, 2 * k))
    basis = torch.randn(size, block, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    basis = torch.linalg.qr(basis.to(matrix.device)).Q
    for number in range(_ROUNDS + 1):
        image = matrix @ basis
        if number % _EVERY == 0:
            values, inside = torch.linalg.eigh(basis.T @ image)
            values, inside = values.flip(0)[:k], inside.flip(1)[:, :k]
            vectors = basis @ inside
            if float((image @ inside - vectors * values).abs().max()) <= _LEFT * float(values[0].abs()):
                break
        basis = torch.linalg.qr(image).Q
    largest = vectors.gather(0, vectors.abs().argmax(0, keepdim=True))
    return values, (vectors * largest.sign()).T


def _unfit(found: Components, evidence: Evidence) -> Statement | None:
    """Why the first component means nothing here; None where it does."""
    thresholds = evidence.thresholds
    if not found.ratio >= thresholds["component_ratio"]:
        return {"code": "shared", "ratio": rounded(found.ratio), "needed": thresholds["component_ratio"]}
    if math.isnan(found.stability):
        return {"code": "one_half"}
    if found.stability < thresholds["component_stability"]:
        return {"code": "unstable", "cos": rounded(found.stability), "needed": thresholds["component_stability"]}
    return None


def _finding(
    evidence: Evidence, found: Components, cosines: Tensor, uncentred: float, chance: float, why: Statement | None
) -> Finding:
    score, cut = abs(float(cosines[0])), evidence.thresholds["component_cos"]
    best = int(cosines.abs().argmax())
    data = {
        "component": best + 1, "cosines": rounded(cosines), "variance": rounded(found.share),
        "ratio": rounded(found.ratio), "stability": rounded(found.stability), "uncentred": rounded(uncentred),
    }  # fmt: skip
    numbers = {"score": score, "cut": cut, "chance": chance, "control": uncentred, "data": data}
    if why:
        return Finding(UNMEASURED, why, **numbers)  # type: ignore[arg-type]
    if beats(score, cut, chance):
        return Finding(YES, {"code": "along", "cos": rounded(score)}, **numbers)  # type: ignore[arg-type]
    most = abs(float(cosines[best]))
    nearest = {"component": best + 1, "nearest": rounded(most)} if best and most > score else {}
    return Finding(NO, {"code": "apart", "cos": rounded(score), **nearest}, **numbers)  # type: ignore[arg-type]
