"""The classes of the paper, one a file: evidence -> score, control, label. `CLASSES` is the registry."""

from analysis.classes import (
    alphabet,
    content_word,
    context_binding,
    mixture,
    null_space,
    position,
    principal_component,
)
from analysis.classes.base import Class, declared

CLASSES = tuple(
    Class(module.STATISTIC, module.judge)
    for module in (position, context_binding, null_space, alphabet, content_word, principal_component)
)
UNEXPLAINED = declared(
    "unexplained", "Unexplained",
    "None of the six classes holds. Those that could not be measured are named; where half of them could not, nothing"
    " is said.",
    "R", "reported about Sun et al. 2025, who explain less than half of the dense latents",
)  # fmt: skip
MIXTURE = Class(mixture.STATISTIC, mixture.judge)
STATISTICS = (*(each.statistic for each in CLASSES), UNEXPLAINED, MIXTURE.statistic)

__all__ = ["CLASSES", "MIXTURE", "STATISTICS", "UNEXPLAINED"]
