"""What gets which colour. Colour means one thing: which pole, and how strongly.

One-sided latents use b0..b8; where a mirror partner exists n4..n1 and p1..p4 stand for the
negative and the positive pole. Class names, not colours: the policy forbids inline styles.

Experiments have no poles. There the same two hues, which any eye tells apart, stand for the two arms
that are held against each other; the others are ink, told apart by shade and dashes.
"""

from __future__ import annotations

from typing import NamedTuple

ONE_SIDED, TWO_SIDED = 8, 4


class Stroke(NamedTuple):
    """How an arm's lines look."""

    colour: str
    """Name of a CSS variable."""
    dash: str
    """As plotly names it."""
    width: float


ARMS = {
    "original": Stroke("--ink", "solid", 1.8),
    "dense": Stroke("--p", "solid", 1.8),
    "dimension": Stroke("--n", "solid", 1.8),
    "count": Stroke("--n", "dot", 1.4),
    "variance": Stroke("--n", "dash", 1.4),
    "components": Stroke("--step1", "dashdot", 1.6),
    "abstopk": Stroke("--step2", "dash", 1.4),
    "abstopk_half": Stroke("--step2", "dot", 1.4),
}
"""The controls that take away sparse latents share a hue, the other arms are grey."""
OTHER_ARM = Stroke("--step0", "longdash", 1.4)


def arm_stroke(name: str) -> Stroke:
    """An arm's lines; one that is not known here is faint."""
    return ARMS.get(name, OTHER_ARM)


def one_sided(value: float, scale: float) -> str:
    """b0 (off) to b8 (at `scale` or above).

    Args:
        scale: activation that gets the full colour, > 0.
    """
    if value == 0 or scale <= 0:
        return "b0"
    return f"b{1 + min(ONE_SIDED - 1, int(ONE_SIDED * abs(value) / scale))}"


def two_sided(value: float, scale: float) -> str:
    """n4..n1, p1..p4; empty where the signal is zero."""
    if value == 0 or scale <= 0:
        return ""
    side = "p" if value > 0 else "n"
    return f"{side}{1 + min(TWO_SIDED - 1, int(TWO_SIDED * abs(value) / scale))}"
