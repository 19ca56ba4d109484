"""An experiment at a glance: one sentence, and the arms' counts of dense latents as slopes beside their controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from app.experiments.arms import in_order, title_of
from app.experiments.queries import ArmInfo, ExperimentInfo
from app.shared.colours import arm_stroke
from app.shared.language import N_, translated
from app.shared.numbers import minus
from app.shared.slopes import End, Slopes, rough, slopes
from app.shared.stored import one, part

_BEFORE, _DENSE, _EQUAL = "original", "dense", "dimension"
_ANSWERS = {
    "depends": (
        N_(
            "Without their span {dense} dense latents come back, {size} fewer than without a sparse span of"
            " equal dimension (95 % interval of the difference {low} to {high}, {seeds} seeds), from"
            " {original} before."
        )
    ),
    "does_without": (
        N_(
            "Without their span {dense} dense latents come back, {size} more than without a sparse span of"
            " equal dimension (95 % interval of the difference {low} to {high}, {seeds} seeds), from"
            " {original} before."
        )
    ),
    "undecided": (
        N_(
            "Whether dense latents need their span cannot be told: {dense} come back without it and"
            " {dimension} without a sparse span of equal dimension (95 % interval of the difference {low} to"
            " {high}, {seeds} seeds), from {original} before."
        )
    ),
    "one_seed": (
        N_(
            "In one seed {dense} dense latents come back without their span and {dimension} without a sparse"
            " span of equal dimension, from {original} before; one seed gives no interval."
        )
    ),
}
"""By the code of the worker's statement."""
_COUNTED = N_(
    "Dense latents: {original} before, {dense} without their span, {dimension} without a sparse span"
    " of equal dimension."
)


def ends_of(experiment: ExperimentInfo, arms: Sequence[ArmInfo]) -> dict[str, End]:
    """Dense latents of each arm, over its seeds where there are several, in order."""
    return {name: _end(experiment, name, found) for name, found in in_order(arms).items()}


def _end(experiment: ExperimentInfo, name: str, found: Sequence[ArmInfo]) -> End:
    held = part(part(part(experiment.summary, "arms"), name), "n_dense")
    mean, low, high = (one(held, field) for field in ("mean", "low", "high"))
    if mean is None:
        mean = fmean(arm.n_dense for arm in found)
        low, high = (found[0].n_dense_low, found[0].n_dense_high) if len(found) == 1 else (None, None)
    return End(title_of(name), mean, low, high, arm_stroke(name))


def picture(ends: Mapping[str, End], arms: Sequence[ArmInfo]) -> Slopes | None:
    """From the SAE of the activations as they are to those that something was removed for."""
    removing = {arm.name for arm in arms if arm.removed_dimensions}
    after = [end for name, end in ends.items() if name in removing and name != _BEFORE]
    return slopes(ends[_BEFORE], after) if _BEFORE in ends else None


def answer(experiment: ExperimentInfo, ends: Mapping[str, End]) -> str:
    """What it came to, in one sentence; empty where the arms that it takes were not trained."""
    if not {_BEFORE, _DENSE, _EQUAL} <= ends.keys():
        return ""
    gap = part(part(experiment.summary, "more_than_dense"), _EQUAL)  # the control's count less that of the dense arm
    mean, low, high = (one(gap, field) for field in ("mean", "low", "high"))
    numbers = {name: rough(ends[name].value) for name in (_BEFORE, _DENSE, _EQUAL)}
    sentence = _ANSWERS.get(str(part(experiment.summary, "statement").get("code")), "")
    if not sentence or mean is None:
        return translated(_COUNTED).format(**numbers)
    numbers["size"] = rough(abs(mean))
    if low is not None and high is not None:
        numbers |= {"low": minus(f"{-high:.2g}"), "high": minus(f"{-low:.2g}"), "seeds": f"{one(gap, 'seeds') or 0:g}"}
    elif "{low}" in sentence:
        return translated(_COUNTED).format(**numbers)
    return translated(sentence).format(**numbers)
