"""What a latent does, in words and numbers: a row a class, the mixture, the sentence at the head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from app.classes.groups import place_of, title_of, view_of
from app.classes.queries import Tally
from app.classes.score import ScoreInfo
from app.shared.figures import View
from app.shared.language import _, ngettext, translated
from app.shared.numbers import count, fixed, percent, rate, signed
from app.shared.stored import items, one
from app.vocabulary import MIXTURES, OUTCOMES
from store.vocabulary import AGGREGATE, LIKELY, MIXTURE, NO_CLASS, PARTLY, REST, SUM, TEXT, UNEXPLAINED, UNMEASURED


@dataclass(frozen=True)
class ClassRow:
    """One class of one latent, as shown."""

    name: str
    title: str
    label: str
    verdict: str
    """The label in words."""
    holds: bool
    value: str
    """The score with its name, e.g. "AUC 0.58"."""
    beside: str
    """What else belongs to it: which sentence, letter or component."""
    against: tuple[str, ...]
    """Cut, chance, control and q."""
    words: str
    controls: str
    """How many of the sparse controls have the class."""
    views: list[View] | None
    """Plots of its evidence; None: they come when asked for."""
    head: tuple[str, ...]
    """Heads of `rows`."""
    rows: list[tuple[str, ...]]
    """A further small table of evidence."""


@dataclass(frozen=True)
class PartRow:
    """A latent that a mixture is made of."""

    index: int
    share: float
    length: float
    """Of its bar, 0 to 100: the largest part has the full one."""
    weight: str
    shown: str


@dataclass(frozen=True)
class Mixture:
    """Whether the signal is a sum of sparse latents."""

    label: str
    verdict: str
    value: str
    beside: str
    words: str
    parts: list[PartRow]
    covered: str
    """How much of the sum the parts shown are."""


def class_rows(scores: Mapping[str, ScoreInfo], tallies: Mapping[str, Tally], evidence: bool = True) -> list[ClassRow]:
    """Classes that hold first, then in their own order; "unexplained" only where it says something.

    Args:
        evidence: with its plots and tables; without, they come when asked for.
    """
    shown = [one for one in scores.values() if one.name not in NO_CLASS or _says_something(one)]
    found = sorted(shown, key=lambda score: (not score.holds, place_of(score.name)))
    return [_row(score, tallies.get(score.name), evidence) for score in found]


def _says_something(score: ScoreInfo) -> bool:
    return (score.name in REST and score.holds) or (score.name == UNEXPLAINED and score.label == UNMEASURED)


def _row(score: ScoreInfo, tally: Tally | None, evidence: bool) -> ClassRow:
    view = view_of(score.name)
    value, beside = view.value(score)
    numbers = ((_("cut"), score.cut), (_("chance"), score.chance), (_("control"), score.control))
    against = [f"{name} {view.number(score, held)}" for name, held in numbers if held is not None]
    rows = list(view.rows(score)) if evidence else []
    return ClassRow(
        name=score.name,
        title=title_of(score.name),
        label=score.label,
        verdict=OUTCOMES.get(score.label, score.label),
        holds=score.holds,
        value=value if score.score is not None else "",
        beside=beside,
        against=tuple(text for text in (*against, rate("q", score.q)) if text),
        words=score.words,
        controls=_controls(score, tally),
        views=view.plots(score) if evidence else None,
        head=tuple(translated(head) for head in view.head) if rows else (),
        rows=rows,
    )


def _controls(score: ScoreInfo, tally: Tally | None) -> str:
    if tally is None or not tally.controls_total:
        return ""
    held, total = tally.controls_held, tally.controls_total
    some = ngettext(
        "%(held)s of %(n)s sparse control",
        "%(held)s of %(n)s sparse controls",
        total,
        held=count(held) if held else _("None"),
    )
    if score.name in REST:
        title = title_of(score.name)
        return ngettext("%(some)s is %(what)s too.", "%(some)s are %(what)s too.", max(held, 1), some=some, what=title)
    return ngettext("%(some)s passes", "%(some)s pass", max(held, 1), some=some)


def sentence(scores: Mapping[str, ScoreInfo]) -> str:
    """What it does, in plain words; empty where nothing was measured."""
    held = sorted(_held(scores), key=lambda score: (score.label == LIKELY, place_of(score.name)))
    if held:
        phrases = ((one.label == LIKELY, view_of(one.name).phrase(one)) for one in held)
        said = [_("probably %(does)s", does=phrase) if likely else phrase for likely, phrase in phrases]
        return _("It %(does)s.", does=_together(said))
    if UNEXPLAINED in scores and scores[UNEXPLAINED].holds:
        return _("No class that was looked for explains it.")
    if PARTLY in scores and scores[PARTLY].holds:
        return scores[PARTLY].words
    return ""


def _together(said: list[str]) -> str:
    """ "a", "a and b", "a, b and c": what it does, where another language may want sentences of their own."""
    if len(said) < 2:
        return "".join(said)
    return _("%(first)s and %(last_)s", first=_(", ").join(said[:-1]), last_=said[-1])


def short_phrase(score: ScoreInfo) -> str:
    """What a latent of this class does, as a sentence of a list."""
    if score.statement.get("code") == TEXT:  # an older worker's words: nothing tells how it holds
        return score.words
    phrase = view_of(score.name).phrase(score)
    if score.label == LIKELY:
        return _("Probably %(does)s.", does=phrase)
    return _("%(does)s.", does=phrase[:1].upper() + phrase[1:])


def _held(scores: Mapping[str, ScoreInfo]) -> list[ScoreInfo]:
    return [score for name, score in scores.items() if name not in NO_CLASS and score.holds]


def mixture_of(scores: Mapping[str, ScoreInfo]) -> Mixture | None:
    """The mixture, where it was looked at."""
    score = scores.get(MIXTURE)
    if score is None:
        return None
    readable = score.label in {SUM, AGGREGATE}  # of a signal of its own the parts would explain nothing
    held = [item for item in items(score.data, "latents") if isinstance(item.get("index"), int) and readable]
    most = max((one(item, "share") or 0.0 for item in held), default=0.0) or 1.0
    parts = [_part(item, most) for item in held]
    r2 = one(score.data, "r2") if score.score is None else score.score
    spread, pool = one(score.data, "participation"), one(score.data, "pool")
    beside = ""
    if spread and readable:
        beside = _(
            "spread over about %(n)s of %(pool)s sparse latents tried", n=f"{spread:.0f}", pool=f"{pool or 0:.0f}"
        )
    covered = percent(min(1.0, sum(item.share for item in parts))) if parts else ""
    return Mixture(
        score.label,
        MIXTURES.get(score.label, score.label),
        "" if r2 is None else f"R² {fixed(r2)}",
        beside,
        score.words,
        parts,
        covered,
    )


def _part(item: dict[str, Any], most: float) -> PartRow:
    share = max(0.0, min(1.0, one(item, "share") or 0.0))
    length = round(min(100.0, 100 * share / most), 1)
    return PartRow(int(item["index"]), share, length, signed(one(item, "weight")), percent(share))
