"""Filters of the list as one reads and clicks them: those that are set as chips, and facets of choices with counts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from app.categories.queries import CategoryInfo, category_of
from app.classes.groups import place_of, title_of
from app.latents import facet_counts as counting
from app.latents.facet_counts import Band, Counts
from app.latents.filters import RunList
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo
from app.shared.language import N_, _
from app.shared.numbers import MINUS, THIN
from app.vocabulary import ANY, HUMAN_VERDICTS, KEPT_AS, NONE, RULE_VERDICTS
from store.vocabulary import PARTLY, REST, UNEXPLAINED, UNMEASURED

To = Callable[[RunList], str]
"""A list -> its address from the first row on."""


@dataclass(frozen=True)
class Chip:
    """A filter that is set; its address is the list without it."""

    words: str
    href: str
    mark: str = ""
    """A class's name, whose letter and colour it carries."""


@dataclass(frozen=True)
class Choice:
    """One value of a facet."""

    words: str
    number: int | None
    """Latents that it leaves; None where they were not counted."""
    href: str
    active: bool
    mark: str = ""
    """A class's name, whose letter and colour it carries."""


@dataclass(frozen=True)
class Facet:
    """Choices that exclude each other, or, of relations, that add up."""

    name: str
    title: str
    term: str
    """Name of the statistic that defines it, or empty."""
    choices: list[Choice]


def chips(asked: RunList, categories: list[CategoryInfo], to: To) -> list[Chip]:
    """What is filtered by, in the order of the filters."""
    said = _said(asked, categories)
    return [Chip(words, to(without(asked, names)), _mark(asked, names)) for names, words in said]


def without(asked: RunList, names: tuple[str, ...]) -> RunList:
    """The list without some filters."""
    return asked.model_copy(update=dict.fromkeys(names))


def _mark(asked: RunList, names: tuple[str, ...]) -> str:
    name = asked.of_class or ""
    return name if names == ("of_class",) and name not in {ANY, UNMEASURED} else ""


def _said(asked: RunList, categories: list[CategoryInfo]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Filters that stand and fall together, and what they say."""
    if asked.q:
        yield ("q",), _("token contains “%(asked)s”", asked=asked.q)
    for name, yes, no in _FLAGS:
        if (value := getattr(asked, name)) is not None:
            yield (name,), yes if value else no
    if asked.sae:
        yield ("sae",), asked.sae
    if asked.layer is not None:
        yield ("layer",), _("layer %(layer)s", layer=asked.layer)
    for name, title, form in _BOUNDS:
        ends = f"min_{name}", f"max_{name}"
        low, high = (getattr(asked, end, None) for end in ends)
        if low is not None or high is not None:
            yield tuple(end for end in ends if hasattr(asked, end)), bounded(title, low, high, form)
    for name, say in _NAMED.items():
        if (value := getattr(asked, name)) is not None:
            yield (name,), say(value)
    if asked.category is not None:
        known = None if asked.category in {ANY, NONE} else category_of(asked.category, categories)
        yield ("category",), _category(asked.category, known)


_FLAGS = (
    ("dense", N_("dense"), N_("sparse")),
    ("pair", N_("in a mirror pair"), N_("in no mirror pair")),
    ("duplicate", N_("near-duplicate"), N_("no near-duplicate")),
    ("borderline", N_("borderline density"), N_("no borderline density")),
    ("alone", N_("exactly one class"), N_("several classes")),
    ("annotated", N_("annotated"), N_("not annotated")),
)
"""Filter, and what it says where it is true and where it is false."""


def _cosine(value: float) -> str:
    return f"{value:g}".replace("-", MINUS)


def _share(value: float) -> str:
    return f"{100 * value:g}{THIN}%"


_BOUNDS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("density", "density", _share),
    ("antipodality", "antipodality", _cosine),
    ("word_share", N_("the word"), _share),
    ("past_share", N_("its own past"), _share),
    ("followed", N_("followed in all"), _share),
)


def bounded(title: str, low: float | None, high: float | None, form: Callable[[float], str]) -> str:
    """What is between two values, at least one or at most one."""
    if low is None:
        return "" if high is None else _("%(title)s at most %(high)s", title=title, high=form(high))
    return (
        _("%(title)s at least %(low)s", title=title, low=form(low))
        if high is None
        else f"{title} {form(low)} to {form(high)}"
    )


def _class(name: str) -> str:
    return {ANY: _("any class"), UNMEASURED: _("no measured class"), UNEXPLAINED: _("unexplained")}.get(
        name
    ) or title_of(name)


def _rule(verdict: str) -> str:
    return (
        _("no verdict by the rule")
        if verdict == NONE
        else _("rule: %(verdict)s", verdict=RULE_VERDICTS.get(verdict, verdict))
    )


def _human(verdict: str) -> str:
    some = {NONE: _("no verdict by people"), ANY: _("a verdict by people")}
    return some.get(verdict) or _("people: %(verdict)s", verdict=HUMAN_VERDICTS.get(verdict, verdict))


def _detail(kind: str) -> str:
    some = {NONE: _("no examples kept"), ANY: _("examples kept")}
    return some.get(kind) or _("examples kept %(kind)s", kind=KEPT_AS.get(kind, kind))


def _category(key: str, known: CategoryInfo | None) -> str:
    some = {NONE: _("no category by people"), ANY: _("a category by people")}
    return some.get(key) or f"category: {known.title if known else key}"


_NAMED: dict[str, Callable[[str], str]] = {
    "of_class": _class,
    "label": lambda name: _("goes with “%(name)s”", name=name),
    "verdict": _rule,
    "human": _human,
    "detail": _detail,
    "note": lambda part: _("note contains “%(part)s”", part=part),
}


def facets(
    run: RunInfo, saes: Sequence[SaeInfo], labels: list[str], asked: RunList, found: Counts, to: To
) -> list[Facet]:
    """Those that tell anything of this list: one without a choice is left out."""
    made = [
        Facet(counting.DENSE, _("show"), "is_dense", _dense(asked, found, to)),
        Facet(counting.CLASS, _("class"), "", _classes(asked, found, to)),
        Facet(counting.LABEL, _("goes with"), "", _labels(labels, asked, found, to)),
        _places(run, saes, asked, found, to),
        Facet(counting.DENSITY, _("density"), "density", _bands(run, asked, found, to)),
        Facet(counting.RULE, _("by rule"), "verdict", _rules(asked, found, to)),
        Facet(counting.RELATION, _("other"), "", _relations(asked, found, to)),
    ]
    return [facet for facet in made if facet.choices]


def _choice(
    words: str, number: int | None, asked: RunList, wanted: dict[str, Any], to: To, mark: str = "", off: Any = None
) -> Iterator[Choice]:
    """A choice, unless it would leave nothing. One that is chosen leads back to the list without it.

    Args:
        wanted: filters that it sets. off: what they are without it.
    """
    active = all(getattr(asked, name) == value for name, value in wanted.items())
    if active or number != 0:
        leads = dict.fromkeys(wanted, off) if active else wanted
        yield Choice(words, number, to(asked.model_copy(update=leads)), active, mark)


def _dense(asked: RunList, found: Counts, to: To) -> list[Choice]:
    held = found.get(counting.DENSE, {})
    dense = held.get("true", 0)
    known = counting.ALL in held or "false" in held
    every = held.get(counting.ALL, dense + held.get("false", 0)) if known else None
    numbers = (
        (_("dense"), True, dense),
        (_("sparse"), False, None if every is None else every - dense),
        (_("all"), None, every),
    )
    return [
        choice
        for words, value, number in numbers
        for choice in _choice(words, number, asked, {"dense": value}, to, off=None)
    ]


def _classes(asked: RunList, found: Counts, to: To) -> list[Choice]:
    held = found.get(counting.CLASS, {})
    names = sorted(
        {*held, *([asked.of_class] if asked.of_class and asked.of_class not in {ANY, UNMEASURED} else [])}, key=_order
    )
    return [
        choice
        for name in names
        for choice in _choice(
            title_of(name),
            held.get(name, 0),
            asked.model_copy(update={"alone": None}),
            {"of_class": name},
            to,
            mark=name,
        )
    ]


def _order(name: str) -> tuple[bool, tuple[int, str]]:
    return name in REST or name == PARTLY, place_of(name)


def _labels(labels: list[str], asked: RunList, found: Counts, to: To) -> list[Choice]:
    held = found.get(counting.LABEL, {})
    return [choice for name in labels for choice in _choice(name, held.get(name, 0), asked, {"label": name}, to)]


def _places(run: RunInfo, saes: Sequence[SaeInfo], asked: RunList, found: Counts, to: To) -> Facet:
    """Layers, where each has one SAE; else SAEs, which then are told by their names."""
    held = found.get(counting.SAE)
    numbers = {sae.slug: None if held is None else held.get(str(sae.analysis_id), 0) for sae in saes}
    layered = len({sae.layer for sae in saes}) == len(saes) and asked.sae is None
    choices = [
        choice
        for sae in saes
        for choice in _choice(
            f"L{sae.layer}" if layered else sae.slug.split("/")[-1],
            numbers[sae.slug],
            asked,
            {"layer": sae.layer} if layered else {"sae": sae.slug, "layer": None},
            to,
        )
    ]
    title = _("layer") if layered else _("matrix") if run.of_rows else "SAE"
    return Facet(counting.SAE, title, "layer" if layered else "", choices if len(saes) > 1 else [])


def _bands(run: RunInfo, asked: RunList, found: Counts, to: To) -> list[Choice]:
    held = found.get(counting.DENSITY)
    return [
        choice
        for band in counting.bands(run.dense_threshold)
        for choice in _choice(
            band_words(band),
            None if held is None else held.get(counting.name_of(band), 0),
            asked,
            {"min_density": band[0] or None, "max_density": band[1] if band[1] < 1 else None},
            to,
        )
    ]


def band_words(band: Band) -> str:
    """0.1, 0.25 -> "10–25 %"."""
    low, high = (_share(end).removesuffix(f"{THIN}%") for end in band)
    if band[0] == 0:
        return f"≤ {high}{THIN}%"
    return f"≥ {low}{THIN}%" if band[1] == 1 else f"{low}–{high}{THIN}%"


def _rules(asked: RunList, found: Counts, to: To) -> list[Choice]:
    held = found.get(counting.RULE, {})
    return [
        choice
        for name, words in RULE_VERDICTS.items()
        for choice in _choice(words, held.get(name, 0), asked, {"verdict": name}, to)
    ]


def _relations(asked: RunList, found: Counts, to: To) -> list[Choice]:
    held = found.get(counting.RELATION, {})
    words = {name: yes for name, yes, _no in _FLAGS}
    return [
        choice for name in counting.FLAGS for choice in _choice(words[name], held.get(name, 0), asked, {name: True}, to)
    ]
