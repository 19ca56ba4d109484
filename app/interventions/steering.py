"""Steering along a signal: how often it turns preferences, beside what else does, and what the model then writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.classes.score import ScoreInfo
from app.interventions.plots import Line, dots_figure
from app.interventions.queries import CHANCE, InterventionInfo, SteeringInfo
from app.interventions.sentences import steering_said
from app.shared.commands import command
from app.shared.figures import View
from app.shared.language import _
from app.shared.numbers import THIN, count, fixed
from app.shared.stored import items, one
from app.vocabulary import OUTCOMES
from store.vocabulary import LIKELY, STEERED

CUT = 0.75  # reported about the paper; a run may have its own in its settings
COST = 1.0  # nats per token; a dose that costs more is refused


@dataclass(frozen=True)
class DoseRow:
    """One size of push."""

    dose: str
    cost: str
    flips: str
    refused: str
    """Why it is refused; empty where it is not."""
    chosen: bool


@dataclass(frozen=True)
class Continuation:
    """How the model goes on, pushed one way, left alone, pushed the other way. Text, never markup."""

    prefix: str
    minus: str
    clean: str
    plus: str


@dataclass(frozen=True)
class PrefersRow:
    """Two texts and which of them the model prefers."""

    prefix: str
    positive: str
    negative: str
    numbers: list[str]
    """Preference for the positive one, nats per token: pushed to the negative side, left alone, to the positive."""


@dataclass(frozen=True)
class Steered:
    """One signal, as shown."""

    positive: int
    negative: int
    label: str
    verdict: str
    """The label in words."""
    words: str
    rate: str
    span: str
    basis: str
    view: View | None
    doses: list[DoseRow]
    continuations: list[Continuation]
    texts: list[PrefersRow]


@dataclass(frozen=True)
class SteeringCard:
    """Steering on a page; no signals where it was not measured."""

    signals: list[Steered]
    missing: str
    command: str


def steering_card(
    intervention: InterventionInfo | None, found: list[SteeringInfo], slug: str, what: str, more: str = ""
) -> SteeringCard:
    """The section of a page.

    Args:
        what: what was not steered along, in words.
        more: options of the command that would.
    """
    why = (
        ""
        if found
        else _("This SAE was not steered along %(what)s yet.", what="any signal" if intervention is None else what)
    )
    cut = _cut(intervention)
    return SteeringCard([_steered(one, cut) for one in found], why, f"{command('steer', slug)}{more}")


def wanted(scores: dict[str, ScoreInfo], is_steered: bool) -> bool:
    """Whether a latent's page speaks of steering: it was done, or context binding waits for it."""
    binding = scores.get(STEERED)
    return is_steered or (binding is not None and binding.label == LIKELY)


def _cut(intervention: InterventionInfo | None) -> float:
    held = None if intervention is None else one(intervention.settings, "cut")
    return CUT if held is None else held


def _steered(found: SteeringInfo, cut: float) -> Steered:
    dose = (
        ""
        if found.dose is None
        else _(", pushed by %(dose)s standard deviations of the signal", dose=f"{found.dose:g}")
    )
    return Steered(
        positive=found.positive,
        negative=found.negative,
        label=found.label,
        verdict=OUTCOMES.get(found.label, found.label),
        words=steering_said(found.statement),
        rate="" if found.flips is None else _share(found.flips),
        span=_ends(found),
        basis=_("of %(pairs)s pairs of texts%(dose)s", pairs=count(found.pairs), dose=dose) if found.pairs else "",
        view=_view(found, cut),
        doses=[_dose(item, found.dose) for item in items(found.data, "doses")],
        continuations=[_continuation(item) for item in items(found.data, "examples")],
        texts=[_prefers(item) for item in items(found.data, "texts")],
    )


def _view(found: SteeringInfo, cut: float) -> View | None:
    if found.flips is None:
        return None
    held = (
        (_("random directions"), found.random),
        (_("sparse latents"), found.sparse),
        (_("texts of other documents"), found.swapped),
    )
    controls = [(name, value) for name, value in held if value is not None]
    lines = [Line(_("this signal"), found.flips, found.flips_low, found.flips_high, strong=True)]
    lines += [Line(name, value, None, None, strong=False) for name, value in controls]
    figure = dots_figure(lines, _("flip rate"), ".0%", marks=(CHANCE, cut))
    figure["layout"]["xaxis"] |= {"range": [-0.02, 1.02], "tickformat": ".0%", "nticks": 5}
    rows = [(_("this signal"), _share(found.flips), _ends(found))]
    rows += [(name, _share(value), "") for name, value in controls]
    rows.append(("chance", _share(CHANCE), ""))
    summary = _(
        "Share of pairs of texts whose preference goes with the push, with its 95 %% interval over"
        " documents; of the controls the largest. Dotted: chance, %(chance)s, and the cut, %(cut)s.",
        chance=_share(CHANCE),
        cut=_share(cut),
    )
    return View(
        "flips", _("flip rate"), figure, summary, (_("pushed along"), _("flip rate"), _("95 %% interval")), rows
    )


def _share(value: float) -> str:
    """Whole per cent: a rate is of a dozen pairs or two."""
    return f"{100 * value:.0f}{THIN}%"


def _ends(found: SteeringInfo) -> str:
    low, high = found.flips_low, found.flips_high
    return "" if low is None or high is None else f"{100 * low:.0f}–{_share(high)}"


def _dose(item: dict[str, Any], chosen: float | None) -> DoseRow:
    dose, cost = one(item, "dose"), one(item, "cost")
    rate = one(item, "flips")
    refused = item.get("refused")
    why = (
        ""
        if not refused
        else refused
        if isinstance(refused, str)
        else _("costs more than %(cost)s nat per token", cost=f"{COST:g}")
    )
    return DoseRow(
        dose="" if dose is None else f"{dose:g}",
        cost="" if cost is None else fixed(cost),
        flips="" if rate is None else _share(rate),
        refused=why,
        chosen=dose is not None and dose == chosen and not refused,
    )


def _continuation(item: dict[str, Any]) -> Continuation:
    clean = item.get("zero", item.get("clean"))
    texts = (item.get("prefix"), item.get("minus"), clean, item.get("plus"))
    return Continuation(*(str(text or "").strip(" ") for text in texts))


def _prefers(item: dict[str, Any]) -> PrefersRow:
    prefix, positive, negative = (str(item.get(name) or "") for name in ("prefix", "positive", "negative"))
    held = [one(item, name) for name in ("minus", "zero", "plus")]
    return PrefersRow(prefix, positive, negative, ["" if value is None else _signed(value) for value in held])


def _signed(value: float) -> str:
    return f"{'+' if value > 0 else ''}{fixed(value)}"
