"""Content word: the signal tells nouns, verbs, adjectives and adverbs from all other words."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import Evidence, Finding, declared, rounded, unmeasured
from analysis.reading.tags import CONTENT, UNIVERSAL
from analysis.statistics.ranks import auc, benjamini_hochberg, grouped_auc, midranks, normal_tail
from analysis.statistics.signals import sum_by
from store.vocabulary import NO, UNMEASURED, YES, Statement

SUPPORT = 3  # occurrences of a token type that has a vote
COVERED = 0.5  # share of tokens that must lie in a word
POINTS = 32

ORDER = 50
THRESHOLDS = {
    "content_auc": 0.75,  # of content words against the rest (reported about the paper)
    "content_types_auc": 0.625,  # the same with one vote for each token type: half the way from chance
    "content_firing_auc": 0.55,  # of firing itself, (TPR + TNR) / 2: a direction may lean on content, its firing not
}
STATISTIC = declared(
    "content_word", "Content word",
    "Area under the ROC curve (AUC) for telling content words (nouns, verbs, adjectives, adverbs) from all other words"
    " by the latent's signal; 0.5 is chance. A signal that is low on content words and high on the rest counts the"
    " same, its side is said. Label: at least 0.75, above the chance level, q below 5 %; with one vote for each"
    " token type instead of each token, at least 0.625 on the same side (a list of frequent words passes the first and"
    " not the second); and firing itself goes along, (TPR + TNR) / 2 of at least 0.55"
    " (of a latent with two sides: the AUC of its side, off between them). Control: the AUC over types."
    " Intervals over documents (jackknife of 64 groups). Sub-tokens get the tag of their word. English only.",
    "R", "AUC > 0.75: reported about Sun et al. 2025; types, chance and tests: our own",
)  # fmt: skip


class Areas(NamedTuple):
    """AUC of each signal for each tag and for content words (last column), m latents."""

    auc: Tensor  # [m, k + 1] float64
    low: Tensor
    high: Tensor
    p: Tensor
    curve: Tensor  # [m, 2, POINTS + 1]: false and true positive rate for content words


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    tag = evidence.tags.values
    known = tag >= 0
    why = evidence.too_few_documents() or _why(evidence, known)
    if why:
        return unmeasured(why, evidence.count)
    content = _is_content(tag)
    ranks = evidence.ranks_of(known)
    areas = _areas(ranks[: evidence.count], tag[known], evidence.group[known])
    types = _over_types(evidence, known, content)
    firing = firing_auc(evidence.signals.side[known], content[known])
    q = benjamini_hochberg(areas.p[:, -1]), benjamini_hochberg(areas.p[:, :-1])
    chance = min(1.0, evidence.level(_random(evidence) - 0.5) + 0.5)
    share = torch.bincount(tag[known], minlength=len(UNIVERSAL)) / int(known.sum())
    return [_finding(evidence, areas, q, types, firing, share, chance, number) for number in range(evidence.count)]


def firing_auc(side: Tensor, content: Tensor) -> Tensor:
    """[m] float64: AUC of the side on which a latent fires, off between the two: (TPR + TNR) / 2 where it has but one.

    Args:
        side: [n, m]; -1, 0 (off) or 1. content: [n] bool.
    """
    ones, zeros = (
        torch.stack([(part == sign).double().mean(0) for sign in (-1, 0, 1)])
        for part in (side[content], side[~content])
    )
    below = zeros.cumsum(0) - zeros
    return (ones * (below + zeros / 2)).sum(0)


def _random(evidence: Evidence) -> Tensor:
    """[r] float64: the AUC of each random direction."""
    crowd = evidence.chance
    tag = crowd.tags.values
    known = tag >= 0
    return auc(crowd.ranks_of(known), _is_content(tag[known])[None])[:, 0]


def _is_content(tag: Tensor) -> Tensor:
    return torch.isin(tag, torch.tensor([UNIVERSAL.index(name) for name in CONTENT]))


def _why(evidence: Evidence, known: Tensor) -> Statement | None:
    if evidence.tags.reason:
        return {"code": "untagged", "reason": evidence.tags.reason}
    if not len(known) or float(known.double().mean()) < COVERED:
        return {"code": "few_words"}
    return None


def _areas(ranks: Tensor, tag: Tensor, group: Tensor) -> Areas:
    each = torch.eye(len(UNIVERSAL), dtype=torch.bool)
    content = torch.tensor([name in CONTENT for name in UNIVERSAL])[None]
    sets = torch.cat([each, content])
    found, error, curve = grouped_auc(ranks, tag, sets, group, POINTS)
    z = torch.where(error > 0, (found - 0.5) / error, torch.nan)
    low, high = (found - 1.96 * error).clamp(0, 1), (found + 1.96 * error).clamp(0, 1)
    return Areas(found, low, high, normal_tail(z), curve)


def _over_types(evidence: Evidence, known: Tensor, content: Tensor) -> Tensor:
    """[m] float64: AUC with one vote for each token type, its mean signal against its usual tag."""
    types, inverse, counts = torch.unique(evidence.signals.sample.token[known], return_inverse=True, return_counts=True)
    usual = sum_by(inverse, content[known].double(), len(types)) / counts > 0.5
    voting = counts >= SUPPORT
    means = sum_by(inverse, evidence.signals.values[known][:, : evidence.count], len(types)) / counts[:, None]
    return auc(midranks(means[voting].T.float()), usual[voting][None])[:, 0]


def _finding(
    evidence: Evidence,
    areas: Areas,
    q: tuple[Tensor, Tensor],
    types: Tensor,
    firing: Tensor,
    share: Tensor,
    chance: float,
    number: int,
) -> Finding:
    value, by_type = float(areas.auc[number, -1]), float(types[number])
    if math.isnan(value):
        return Finding(UNMEASURED, {"code": "one_sided"})
    side = 1 if value >= 0.5 else -1
    score, control, fires = (0.5 + side * (part - 0.5) for part in (value, by_type, float(firing[number])))
    thresholds = evidence.thresholds
    why = _why_not(evidence, score, control, fires, chance, float(q[0][number]))
    return Finding(
        NO if why else YES,
        {"auc": rounded(score), "side": "content" if side > 0 else "function"}
        | (why or {"code": "told", "types": rounded(control)}),
        score=score,
        cut=thresholds["content_auc"],
        chance=chance,
        control=control,
        p=float(areas.p[number, -1]),
        q=float(q[0][number]),
        data=_data(evidence, areas, q[1], by_type, float(firing[number]), share, number),
    )


def _why_not(
    evidence: Evidence, score: float, control: float, fires: float, chance: float, q: float
) -> Statement | None:
    """The first rule that fails; None where all hold."""
    thresholds = evidence.thresholds
    if score < thresholds["content_auc"]:
        return {"code": "weak"}
    if score <= chance:
        return {"code": "chance", "chance": rounded(chance)}
    if not control >= thresholds["content_types_auc"]:
        return {"code": "frequent", "types": rounded(control)}
    if not fires >= thresholds["content_firing_auc"]:
        return {"code": "silent", "firing": rounded(fires)}
    return None if q < thresholds["q"] else {"code": "spread", "q": rounded(q)}


def _data(
    evidence: Evidence, areas: Areas, q: Tensor, by_type: float, firing: float, share: Tensor, number: int
) -> dict[str, Any]:
    columns = {"auc": areas.auc, "low": areas.low, "high": areas.high, "q": q}
    tags = [
        {"tag": name, "share": rounded(float(share[place]))}
        | {key: rounded(float(part[number, place])) for key, part in columns.items()}
        for place, name in enumerate(UNIVERSAL)
        if float(share[place]) > 0
    ]
    return {
        "auc": rounded(float(areas.auc[number, -1])),
        "low": rounded(float(areas.low[number, -1])),
        "high": rounded(float(areas.high[number, -1])),
        "auc_types": rounded(by_type),
        "firing": rounded(firing),
        "tags": tags,
        "roc": {"fpr": rounded(areas.curve[number, 0]), "tpr": rounded(areas.curve[number, 1])},
        "tagger": evidence.tags.tagger,
    }
