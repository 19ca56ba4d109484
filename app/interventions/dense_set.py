"""The whole dense set taken out at once, against sets that are as long or hold as much variance."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from app.interventions.page import NAMES, basis, equivalence_words, norm_words
from app.interventions.plots import Line, dots_figure
from app.interventions.queries import Change, EffectInfo, InterventionInfo
from app.shared.commands import command
from app.shared.figures import View
from app.shared.language import N_, _
from app.shared.numbers import count, number, percent, span
from app.shared.numbers import interval as percents
from store.vocabulary import MEASURES, OWN, RANDOM, SPARSE, VARIANCE

KINDS = {
    OWN: N_("all dense latents"),
    RANDOM: N_("the same, turned at random"),
    VARIANCE: N_("sparse latents, up to as much variance"),
    SPARSE: N_("sparse latents"),
}
SHORT = {OWN: N_("all dense latents"), RANDOM: N_("turned at random"), VARIANCE: N_("sparse latents")}


@dataclass(frozen=True)
class SetRow:
    """The set, or the controls of one kind."""

    title: str
    own: bool
    sets: str
    """How many controls; empty for the set itself."""
    latents: str
    norm: str
    variance: str
    cells: list[tuple[str, str]]
    """Value and interval, or median and range; a measure each."""


@dataclass(frozen=True)
class DenseSet:
    """Effects of the whole set, as shown; no rows where it was not measured."""

    heads: list[tuple[str, str]]
    """Name of the statistic and words, a measure each."""
    rows: list[SetRow]
    words: str
    """Equivalence, in words."""
    norm_words: str
    """Total against frozen norm, in words."""
    basis: str
    view: View | None
    command: str


def dense_set(intervention: InterventionInfo | None, effects: list[EffectInfo], slug: str) -> DenseSet:
    """The section of an SAE's page."""
    own = next((one for one in effects if one.what == OWN), None)
    how = command("ablate", slug)
    if intervention is None or own is None:
        return DenseSet([], [], "", "", "", None, how)
    kinds = list(dict.fromkeys(one.what for one in effects))
    rows = [_row(kind, [one for one in effects if one.what == kind]) for kind in sorted(kinds, key=_place)]
    heads = [(f"effect_{name}", NAMES[name].title) for name in MEASURES]
    words = equivalence_words(own, intervention.epsilon, "them")
    return DenseSet(heads, rows, words, norm_words(own), basis(intervention, own), _view(effects), how)


def _place(kind: str) -> int:
    return list(KINDS).index(kind) if kind in KINDS else len(KINDS)


def _row(kind: str, found: list[EffectInfo]) -> SetRow:
    variance = [one.variance for one in found if one.variance is not None]
    return SetRow(
        title=KINDS.get(kind, kind),
        own=kind == OWN,
        sets="" if kind == OWN else f"{count(len(found))} set{'s' if len(found) != 1 else ''}",
        latents=_latents(found),
        norm=number(median(one.norm for one in found), 2),
        variance=percent(median(variance)) if variance else "",
        cells=[_cells(name, [one.measures[name] for one in found]) for name in MEASURES],
    )


def _latents(found: list[EffectInfo]) -> str:
    fewest, most = min(one.n_latents for one in found), max(one.n_latents for one in found)
    return count(most) if fewest == most else f"{count(fewest)} to {count(most)}"


def _cells(name: str, found: list[Change]) -> tuple[str, str]:
    """One set: value and interval. Several: median, and the range of their values."""
    form = NAMES[name].form
    values = [one.value for one in found if one.value is not None]
    if not values:
        return "", ""
    low, high = (found[0].low, found[0].high) if len(found) == 1 else (min(values), max(values))
    return form(median(values)), percents(low, high) if name == "top1" else span(low, high, form)


def _view(effects: list[EffectInfo]) -> View:
    lines = [
        Line(SHORT.get(one.what, one.what), one.loss.value or 0.0, one.loss.low, one.loss.high, one.what == OWN)
        for one in effects
    ]
    rows = [
        (line.name, NAMES["loss"].form(line.value), span(line.low, line.high, NAMES["loss"].form)) for line in lines
    ]
    figure = dots_figure(lines, _("Δ loss (nats per token)"), "+.4f")
    summary = _("Change of the loss without all dense latents, and with each control; 95 %% intervals over documents.")
    return View("set", _("dense set"), figure, summary, (_("taken out"), _("Δ loss"), _("95 %% interval")), rows)
