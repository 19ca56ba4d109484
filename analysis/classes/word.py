"""Word: most of what the latent does is decided by the present word, more than for other directions at its layer."""

from __future__ import annotations

from analysis.classes.base import Evidence, Finding, declared
from analysis.classes.following import judged, share_of
from analysis.decomposition.follow import Followed

ORDER = 70
THRESHOLDS = {"word_share": 0.6}  # of the variance of the activation
STATISTIC = declared(
    "word", "Word",
    "Share of the variance of the activation that the present word predicts in documents that were not fitted: its"
    " embedding, then its type's mean. Label: at least 60 %, more than random directions that are on as often as the"
    " median dense latent reach, and an interval over documents above their median; up to the middle of a model most"
    " directions follow the word, and a latent that does no more than they has no such label. A direction of the"
    " vocabulary: the embedding says at least half of it; else a word list.",
    "O", "our own",
)  # fmt: skip


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    return judged(evidence, ("word",), evidence.thresholds["word_share"], _more)


def _more(followed: Followed, place: int) -> dict[str, float | str]:
    embedding = float(followed.latents.embedding[place])
    share = float(share_of(followed.latents, ("word",)).share[place])
    return {"embedding": embedding, "code": "vocabulary" if embedding >= share / 2 else "list"}
