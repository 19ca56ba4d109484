"""What an experiment comes to, as codes. No torch, so that files of experiments are read without it."""

from __future__ import annotations

from typing import Any

NORMALISATION = "unit_mean_square"
KEYED = (
    "sae-lens scales the activations that each arm is trained on, after the removal, so that their mean length is the"
    " square root of d_model (unit mean square), and folds the scale into the weights"
)
"""What older workers stored of it: part of the key, so that the same experiment made again takes the older's place."""


def finding(summary: dict[str, Any]) -> str:
    """The code of what the counts come to; its numbers are the summary's own."""
    arms, more = summary["arms"], summary["more_than_dense"]
    if "dense" not in arms or "dimension" not in more:
        return "not_both"
    gap = more["dimension"]  # the equal-dimension arm's count less that of the arm without the dense span
    if gap["low"] is None:
        return "one_seed"
    if gap["low"] > 0:
        return "depends"
    return "does_without" if gap["high"] < 0 else "undecided"
