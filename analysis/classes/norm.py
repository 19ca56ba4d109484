"""Norm: how long the residual vector is predicts the latent beyond the word, and not because all of it grows."""

from __future__ import annotations

from analysis.classes.base import Evidence, Finding, declared
from analysis.classes.following import judged
from analysis.decomposition.follow import Followed

ORDER = 90
THRESHOLDS = {"norm_share": 0.2}  # of the variance of the activation, and of the activation over the norm
STATISTIC = declared(
    "norm", "Norm",
    "Share of the variance of the activation that the length of the residual vector predicts, after the word, the words"
    " before, position and part of speech. Label: at least 20 %, more than random directions that are on as often as"
    " the median dense latent reach (which also grow with the norm), an interval over documents above their median,"
    " and at least 20 % of the activation divided by the norm, too.",
    "O", "our own",
)  # fmt: skip


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    cut = evidence.thresholds["norm_share"]

    def over_norm(followed: Followed, place: int) -> float:
        return float(followed.over_norm[place])

    return judged(
        evidence,
        ("norm",),
        cut,
        lambda followed, place: {"over_norm": over_norm(followed, place)},
        besides=lambda followed, place: over_norm(followed, place) >= cut,
    )
