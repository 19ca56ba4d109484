"""Constant: the latent is on nearly everywhere and hardly varies, a bias in a latent's clothes."""

from __future__ import annotations

from analysis.classes.base import Evidence, Finding, beats, declared, rounded, unmeasured
from store.vocabulary import NO, YES

ORDER = 100
THRESHOLDS = {
    "constant_density": 0.99,  # share of tokens on which it fires
    "constant_share": 0.9,  # of its mean square that is in its mean
}
STATISTIC = declared(
    "constant", "Constant",
    "Share of the mean square of the activation that is in its mean, squared: 1 of a latent that never varies. Label:"
    " it fires on more than 99 % of the ordinary tokens of the sample, and the share is at least 90 %, so its standard"
    " deviation is at most a third of its mean. There is no chance level: a random direction has the mean 0.",
    "O", "our own",
)  # fmt: skip


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    few = evidence.too_few_documents()
    if few is not None:
        return unmeasured(few, evidence.count)
    acts = evidence.signals.acts.float()
    square = acts.square().mean(0)
    share = (acts.mean(0).square() / square.clamp(min=1e-30)).tolist()
    density = evidence.signals.on.float().mean(0).tolist()
    cut, often = evidence.thresholds["constant_share"], evidence.thresholds["constant_density"]
    return [_finding(one, on, cut, often) for one, on in zip(share, density, strict=True)]


def _finding(share: float, density: float, cut: float, often: float) -> Finding:
    holds = density > often and beats(share, cut, float("nan"))
    code = "always" if holds else "varies" if density > often else "off"
    return Finding(
        YES if holds else NO,
        {"code": code, "share": rounded(share), "density": rounded(density)},
        score=share,
        cut=cut,
    )
