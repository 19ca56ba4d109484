"""Classes, one a file: evidence -> score, control, label. `CLASSES` is the registry: a file that judges is in it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from analysis.classes import mixture
from analysis.classes.base import SHARED, Class, Thresholds, declared
from store.vocabulary import LITTLE, NO_CLASS


def _judges() -> Iterator[ModuleType]:
    modules = (import_module(f"{__name__}.{each.name}") for each in iter_modules(__path__))
    return (module for module in modules if hasattr(module, "judge") and module.STATISTIC.name not in NO_CLASS)


CLASSES = tuple(
    Class(module.STATISTIC, module.judge, module.THRESHOLDS)
    for module in sorted(_judges(), key=lambda module: module.ORDER)
)
UNEXPLAINED = declared(
    "unexplained", "Unexplained",
    f"No class holds, and all that was looked for predicts less than {LITTLE:.0%} of the variance of the activation."
    " Classes that could not be measured are named; where half of them could not, nothing is said.",
    "R", "classes alone: reported about Sun et al. 2025, who explain less than half of the dense latents; with what is"
    " followed: our own",
)  # fmt: skip
PARTLY = declared(
    "partly_followed", "Partly followed",
    f"No class holds, but all that was looked for (word, words before, position, spelling, norm, own past and context)"
    f" predicts at least {LITTLE:.0%} of the variance of the activation: the latent is graded, not mysterious.",
    "O", "our own",
)  # fmt: skip
MIXTURE = Class(mixture.STATISTIC, mixture.judge, {})
STATISTICS = (*(each.statistic for each in CLASSES), UNEXPLAINED, PARTLY, MIXTURE.statistic)


def default_thresholds() -> dict[str, float]:
    """Of all classes, by name."""
    own: list[Thresholds] = [each.thresholds for each in CLASSES]
    return {name: value for part in (SHARED, *own) for name, value in part.items()}


__all__ = ["CLASSES", "MIXTURE", "PARTLY", "STATISTICS", "UNEXPLAINED", "default_thresholds"]
