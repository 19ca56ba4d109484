"""The user's labels in words and numbers: effect, what is left of it, and what it is confounded with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.labels.queries import MEASURES, AssociationInfo, LabelInfo
from app.shared.language import _
from app.shared.numbers import fixed, rate
from app.shared.slide import Bar, Picture
from app.shared.stored import items, numbers, one
from app.vocabulary import OUTCOMES
from store.vocabulary import YES


@dataclass(frozen=True)
class MeanRow:
    """A group of documents and the signal's mean in it."""

    value: str
    mean: str
    span: str
    documents: str
    at: float
    """Where the mean stands, 0 to 100, on one scale for all groups of the label."""
    low: float
    high: float


@dataclass(frozen=True)
class AssociationRow:
    """One label against one latent, as shown."""

    label: LabelInfo
    slug: str
    layer: int
    index: int
    density: float
    outcome: str
    verdict: str
    """The outcome in words."""
    holds: bool
    effect: str
    span: str
    chance: str
    """What the measure gives where nothing goes with anything, if that is stored."""
    conditional: str
    conditional_span: str
    held_out: str
    q: str
    words: str
    confounds: list[str]
    means: list[MeanRow]
    zero: float
    """Where the mean over all text stands on the scale of `means`."""


@dataclass(frozen=True)
class LabelSection:
    """A label with the dense latents that go with it most."""

    label: LabelInfo
    confounds: list[str]
    cells: list[tuple[int, str]]
    """Count and address of the list of them, an SAE each."""
    total: int
    rows: list[AssociationRow]
    context: list[str]
    """What the counts must be seen beside: sparse controls, texts that name the value, how much was read."""
    answer: str
    """Whether dense latents follow it, beside what sparse ones do."""
    pictures: list[Picture]
    """Shares of those that follow it; groups of the one that does most."""
    warnings: list[str]
    """What it may be mistaken for."""
    coverage: Bar
    """Documents that have it, of those of the corpus."""


def association_row(found: AssociationInfo) -> AssociationRow:
    """As the latent page and the labels page show it."""
    sign = found.label.sign
    # held out, a mean over groups must predict documents it has not seen: η² becomes R², which may be below zero
    held = "R²" if found.label.measure == "eta2" else sign
    means, zero = _means(found)
    return AssociationRow(
        label=found.label,
        slug=found.slug,
        layer=found.layer,
        index=found.index,
        density=found.density,
        outcome=found.verdict,
        verdict=OUTCOMES.get(found.verdict, found.verdict),
        holds=found.verdict == YES,
        effect=_with(sign, found.effect),
        span=_span(found.low, found.high),
        chance="" if (chance := one(found.data, "chance")) is None else f"chance {fixed(chance)}",
        conditional=_with(sign, found.conditional),
        conditional_span=_ends(numbers(found.data, "conditional_interval")),
        held_out=_with(held, found.held_out),
        q=rate("q", found.q),
        words=found.words,
        confounds=found.confounds,
        means=means,
        zero=zero,
    )


def _with(sign: str, value: float | None) -> str:
    plus = "+" if sign == "ρ" and value is not None and value > 0 else ""
    return "" if value is None else f"{sign} {plus}{fixed(value)}"


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{fixed(low)} to {fixed(high)}"


def _ends(interval: list[float | None]) -> str:
    return _span(*interval) if len(interval) == 2 else ""


def _means(found: AssociationInfo) -> tuple[list[MeanRow], float]:
    held = [item for item in items(found.data, "means") if one(item, "mean") is not None]
    ends = [value for item in held for name in ("mean", "low", "high") if (value := one(item, name)) is not None]
    least, most = min([0.0, *ends]), max([0.0, *ends])
    width = (most - least) or 1.0

    def scaled(value: float) -> float:
        return round(100 * (value - least) / width, 1)

    return [_mean(item, scaled) for item in held], scaled(0.0)


def label_words(name: str, measure: str, effect: float | None) -> str:
    """That a latent goes with a label."""
    sign = "+" if measure == "spearman" and (effect or 0) > 0 else ""
    shown = f"{MEASURES.get(measure, measure)} {sign}{fixed(effect)}"
    return _("It goes with the label %(name)s (%(effect)s).", name=name, effect=shown)


def _mean(item: dict[str, Any], scaled: Callable[[float], float]) -> MeanRow:
    mean, low, high, documents = (one(item, name) for name in ("mean", "low", "high", "documents"))
    at = mean or 0.0
    return MeanRow(
        value=str(item.get("value")),
        mean=f"{'+' if at > 0 else ''}{fixed(at)}",
        span=_span(low, high),
        documents="" if documents is None else f"{documents:,.0f}",
        at=scaled(at),
        low=scaled(at if low is None else low),
        high=scaled(at if high is None else high),
    )
