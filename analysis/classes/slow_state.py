"""Slow state: the latent's own values elsewhere in the text predict it beyond the present word."""

from __future__ import annotations

from analysis.classes.base import Evidence, Finding, declared
from analysis.classes.following import judged
from analysis.decomposition.decompose import OWN

ORDER = 80
THRESHOLDS = {"state_share": 0.25}  # of the variance of the activation
STATISTIC = declared(
    "slow_state", "Slow state",
    "Share of the variance of the activation that the latent's own past, the rest of the context and the document's"
    " other contexts predict, after the word, the words before, position, part of speech and the norm. Label: at least"
    " 25 %, more than random directions that are on as often as the median dense latent reach, and an interval over"
    " documents above their median.",
    "O", "our own",
)  # fmt: skip


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    cut = evidence.thresholds["state_share"]
    return judged(evidence, OWN, cut, lambda followed, place: {"half_life": float(followed.latents.half_life[place])})
