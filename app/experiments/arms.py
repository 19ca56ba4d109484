"""Arms of an experiment in words and numbers: over seeds where there are several, else over documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from app.experiments.queries import ArmInfo, ExperimentInfo
from app.shared.colours import Stroke, arm_stroke
from app.shared.language import N_, _
from app.shared.numbers import count, fixed, minus, number, percent
from app.shared.slopes import Slopes
from app.shared.stored import one, part

ARMS = {
    "original": ("original", "nothing"),
    "dense": (N_("dense removed"), N_("span of the dense latents")),
    "dimension": (N_("equal dimension"), N_("sparse latents that span as many dimensions")),
    "count": (N_("equal count"), N_("as many sparse latents")),
    "variance": (N_("equal variance"), N_("sparse latents that hold as much variance")),
    "components": (N_("top components"), N_("as many top principal components")),
    "fewer": (N_("dense removed, fewer on"), N_("span of the dense latents; k is less by the places they took")),
    "pairs": (N_("pairs removed"), N_("span of the dense latents in pairs")),
    "abstopk": ("AbsTopK", N_("nothing; activations of both signs")),
    "abstopk_half": (N_("AbsTopK, half width"), N_("nothing; activations of both signs")),
}
"""Name in the store -> name, and what is removed."""
HEADLINE = ("original", "dense", "dimension")


@dataclass(frozen=True)
class Dense:
    """A count of dense latents."""

    value: str
    span: str
    of: str
    """What the span is over."""


@dataclass(frozen=True)
class ArmRow:
    """One arm, over its seeds."""

    name: str
    title: str
    stroke: Stroke
    removed: str
    latents: str
    dimensions: str
    variance: str
    short: bool
    """The share of variance that was wanted could not be reached."""
    seeds: str
    dense: Dense
    more: str
    """Dense latents more than in the arm without the dense span, seed by seed."""
    more_span: str
    pairs: str
    mass: str
    fvu: str
    alive: str
    signed: str
    """Share of alive latents that use both signs; empty where none can."""
    l0: str
    training: str
    """Architecture, width and k, where they differ from the first arm's."""


@dataclass(frozen=True)
class ExperimentLine:
    """An experiment in the list."""

    experiment: ExperimentInfo
    arms: int
    saes: int
    dense: list[Dense | None]
    """Of the headline arms."""
    answer: str
    """What it came to, in one sentence; empty where the arms that it takes were not trained."""
    slopes: Slopes | None
    """The same as a picture."""


def title_of(name: str) -> str:
    """An arm as people read it."""
    return ARMS.get(name, (name.replace("_", " "), ""))[0]


def in_order(arms: Sequence[ArmInfo]) -> dict[str, list[ArmInfo]]:
    """By name, the headline first, then the other arms, then those that are not known here."""
    names = list(dict.fromkeys(arm.name for arm in arms))
    known = [name for name in ARMS if name in names]
    return {name: [arm for arm in arms if arm.name == name] for name in [*known, *(n for n in names if n not in ARMS)]}


def arm_rows(experiment: ExperimentInfo, arms: Sequence[ArmInfo]) -> list[ArmRow]:
    """A row an arm."""
    ordered = in_order(arms)
    return [_row(experiment, name, found, next(iter(ordered.values()))[0]) for name, found in ordered.items()]


def dense_of(experiment: ExperimentInfo, name: str, found: Sequence[ArmInfo]) -> Dense:
    """The count with what the worker says of it; without that, what the seeds say themselves."""
    held = part(part(part(experiment.summary, "arms"), name), "n_dense")
    mean, low, high = (one(held, field) for field in ("mean", "low", "high"))
    if mean is not None:
        value = _mean(mean) if len(found) > 1 else _count(mean)
        return Dense(value, _span(low, high), f"over {_over(held.get('of'), len(found))}")
    counts = [arm.n_dense for arm in found]
    if len(found) == 1:
        return Dense(count(counts[0]), _span(found[0].n_dense_low, found[0].n_dense_high), _("over documents"))
    return Dense(
        _mean(fmean(counts)),
        _span(min(counts), max(counts)),
        _("range of %(value)s seeds, no interval", value=len(found)),
    )


def more_of(experiment: ExperimentInfo, name: str) -> tuple[str, str]:
    """Difference to the arm without the dense span, and its interval over seeds."""
    held = part(part(experiment.summary, "more_than_dense"), name)
    mean = one(held, "mean")
    if mean is None:
        return "", ""
    return f"{'+' if mean > 0 else ''}{_mean(mean)}", _span(one(held, "low"), one(held, "high"))


def mean_of(found: Sequence[ArmInfo], name: str) -> float | None:
    """Mean over the seeds that have it."""
    known = [value for arm in found if (value := getattr(arm, name)) is not None]
    return fmean(known) if known else None


def _over(of: Any, seeds: int) -> str:
    return f"{seeds} seeds" if of == "seeds" else "documents"


def _row(experiment: ExperimentInfo, name: str, found: list[ArmInfo], first: ArmInfo) -> ArmRow:
    def form(field: str, write: Any, none: str = "") -> str:
        value = mean_of(found, field)
        return none if value is None else str(write(value))

    more, more_span = more_of(experiment, name)
    removes = any(arm.removed_dimensions for arm in found)
    return ArmRow(
        name=name,
        title=title_of(name),
        stroke=arm_stroke(name),
        removed=ARMS.get(name, ("", ""))[1],
        latents=form("removed_latents", _count) if any(arm.removed_latents for arm in found) else "",
        dimensions=form("removed_dimensions", _count) if removes else "",
        variance=form("removed_variance", percent) if removes else "",
        short=part(part(experiment.summary, "arms"), name).get("short") is True,
        seeds=f"{count(len(found))} seed{'s' if len(found) != 1 else ''}",
        dense=dense_of(experiment, name, found),
        more=more,
        more_span=more_span,
        pairs=form("n_pairs", _mean if len(found) > 1 else _count),
        mass=form("dense_mass_share", percent),
        fvu=form("fvu", lambda value: fixed(value, 3)),
        alive=form("alive_share", percent),
        signed=form("signed_share", percent),
        l0=form("l0", lambda value: fixed(value, 1)),
        training=_training(found[0]) if _training(found[0]) != _training(first) else "",
    )


def _training(arm: ArmInfo) -> str:
    return _(
        "%(architecture)s, %(width)s latents, k = %(arm)s",
        architecture=arm.architecture,
        width=count(arm.width),
        arm=number(arm.k),
    )


def _count(value: float) -> str:
    return count(int(value)) if float(value).is_integer() else minus(f"{value:,.1f}")


def _mean(value: float) -> str:
    return minus(f"{value:,.1f}")


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{_mean(low)} to {_mean(high)}"
