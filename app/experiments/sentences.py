"""What an experiment's counts come to, in sentences: whichever way they fall."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.shared.language import N_, _
from app.shared.numbers import minus
from app.shared.statements import filled, said
from app.shared.stored import Data, one, part
from store.vocabulary import TEXT

SETTINGS = {
    "normalisation": {
        "unit_mean_square": (
            N_(
                "sae-lens scales the activations that each arm is trained on, after the removal, so that their"
                " mean length is the square root of d_model (unit mean square), and folds the scale into the"
                " weights"
            )
        )
    }
}
"""Of the settings that are codes: their words."""
_OPENING = (
    ("original", N_("in SAEs of the activations as they are")),
    ("dense", N_("without the dense span")),
    ("dimension", N_("without a sparse span of as many dimensions")),
)
_CONTROLS = (("variance", N_("sparse latents of equal variance")), ("components", N_("as many top components")))
_BOUNDS = N_("(95 % interval of the difference over {seeds} seeds {low:.1f} to {high:.1f})")
_BACK = N_("Without the dense span {size} come back than at equal dimension ") + _BOUNDS
_HEADLINES = {
    "one_seed": N_("The difference of {mean:.1f} is of one seed, so no interval over seeds can be given."),
    "depends": f"{_BACK}: they depend on that span.",
    "does_without": f"{_BACK}: they can do without it.",
    "undecided": (
        f"At equal dimension the difference cannot be told from none {_BOUNDS}: no need of that span is shown."
    ),
}
_NOT_BOTH = N_("The arms without the dense span and without a sparse span of equal dimension were not both trained.")


def summary_said(summary: Data) -> str:
    """What the counts mean; empty where the worker came to nothing."""
    statement = part(summary, "statement")
    code = statement.get("code")
    if code == "not_both":
        return _NOT_BOTH
    if code in _HEADLINES:
        headline = filled(_HEADLINES[code], _gap(summary))
        return " ".join([_opening(part(summary, "arms")), headline, *_controls(summary)])
    return said(statement, {}) if code == TEXT else ""


def settings_said(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with words for those that are codes."""
    return {name: SETTINGS.get(name, {}).get(str(value), value) for name, value in settings.items()}


def _gap(summary: Data) -> Data:
    """The equal-dimension arm's count less that of the arm without the dense span."""
    gap = part(part(summary, "more_than_dense"), "dimension")
    mean = one(gap, "mean") or 0.0
    return gap | {"size": f"{abs(mean):.1f} {'fewer' if mean > 0 else 'more'}"}


def _opening(arms: Data) -> str:
    parts = [f"{_count(arms, name)} {words}" for name, words in _OPENING if name in arms]
    return _("Dense latents: %(parts)s.", parts=", ".join(parts))


def _count(arms: Data, name: str) -> str:
    return filled("{mean:.1f}", part(part(arms, name), "n_dense"))


def _controls(summary: Data) -> list[str]:
    """The two controls that remove as much: what the dense span's place does beyond its size."""
    arms, more = part(summary, "arms"), part(summary, "more_than_dense")
    return [
        _(
            "Without %(what)s: %(name)s, %(name2)s without the dense span (%(name3)s%(name4)s).",
            what=what,
            name=_count(arms, name),
            name2=_against(part(more, name)),
            name3=_bounds(part(more, name)),
            name4=_short(part(arms, name)),
        )
        for name, what in _CONTROLS
        if name in more
    ]


def _against(gap: Data) -> str:
    mean = one(gap, "mean") or 0.0
    side = _("more than") if mean > 0 else _("fewer than") if mean < 0 else _("as many as")
    return f"{abs(mean):.1f} {side}" if mean else side


def _bounds(gap: Data) -> str:
    low, high = one(gap, "low"), one(gap, "high")
    return (
        _("one seed")
        if low is None or high is None
        else minus(_("interval %(low)s to %(high)s", low=f"{low:.1f}", high=f"{high:.1f}"))
    )


def _short(arm: Data) -> str:
    return filled("; only {removed_variance:.1%} of the variance could be reached", arm) if arm.get("short") else ""
