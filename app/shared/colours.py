"""How an experiment's arms are drawn.

Experiments have no poles. There the two poles' hues, which any eye tells apart, stand for the two arms
that are held against each other; the others are ink, told apart by shade and dashes.
"""

from __future__ import annotations

from typing import NamedTuple


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
    "fewer": Stroke("--p", "dash", 1.4),
    "pairs": Stroke("--p", "dot", 1.4),
    "abstopk": Stroke("--step2", "dash", 1.4),
    "abstopk_half": Stroke("--step2", "dot", 1.4),
}
"""What takes away dense latents has one hue, what takes away sparse ones another; the other arms are grey."""
OTHER_ARM = Stroke("--step0", "longdash", 1.4)


def arm_stroke(name: str) -> Stroke:
    """An arm's lines; one that is not known here is faint."""
    return ARMS.get(name, OTHER_ARM)
