"""Three tiles that answer a visitor at a glance: what it does, what it follows, whether it is needed.

Each is a bar with its control marked on it. A tile says no more than its card below does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.classes.groups import mark_of
from app.classes.page import ClassRow
from app.classes.score import ScoreInfo
from app.shared.followed import PARTS, Follows, share_of
from app.shared.follows_card import LEAST
from app.shared.language import N_, Words, _
from app.shared.numbers import number, share, span
from store.vocabulary import REST

_BRIEF = Words(
    {
        "word": N_("the word itself"),
        "before": N_("the words before"),
        "place": N_("place and part of speech"),
        "norm": N_("the norm"),
        "state": N_("its own past and the context"),
    }
)


Loss = tuple[float | None, float | None, float | None, float | None]
"""Change of the loss without it, in nats per token, its interval, and what a push of its length does."""


@dataclass(frozen=True)
class Tile:
    """One answer."""

    title: str
    says: str
    """The answer in a few words."""
    words: str
    """What it is held against."""
    at: str
    """Id of the card that tells more; empty where there is none."""
    length: float | None = None
    """Of the bar, 0 to 100; None: there is none."""
    control: float | None = None
    """Where the control stands on it."""
    mark: str = ""
    """Of its class, for its colour."""


def tiles(
    rows: Sequence[ClassRow],
    scores: Mapping[str, ScoreInfo],
    follows: Follows | None,
    layer: Mapping[str, Any],
    loss: Loss | None,
) -> list[Tile]:
    """Does, follows, needed.

    Args:
        rows: classes as shown, those that hold first.
        scores: the same by name.
        follows: what it was divided into; None where it was not.
        layer: medians of its SAE by group, as stored.
        loss: without it.
    """
    return [does(rows, scores), following(follows, layer), needed(loss)]


def does(rows: Iterable[ClassRow], scores: Mapping[str, ScoreInfo]) -> Tile:
    """The class that holds, with its score, its cut and what random directions reach."""
    known = [row for row in rows if row.name not in REST]
    held = [row for row in known if row.holds]
    if not held:
        tested = sum(scores[row.name].score is not None for row in known if row.name in scores)
        if not tested:
            return Tile(_("Does"), _("not measured"), _("Its classes were not measured."), "functions")
        words = _("%(n)s were measured; none reaches its cut.", n=tested)
        return Tile(_("Does"), _("none of the classes"), words, "functions")
    first = held[0]
    score = scores.get(first.name)
    others = [title for title in dict.fromkeys(row.title for row in held) if title != first.title]
    more = _(" Also %(classes)s.", classes=_(", ").join(others)) if others else ""
    bar = None if score is None or score.score is None or not 0 <= score.score <= 1 else 100 * score.score
    chance = None if score is None or score.chance is None or not 0 <= score.chance <= 1 else 100 * score.chance
    return Tile(
        _("Does"),
        first.title,
        f"{first.value}; {_(', ').join(first.against[:2])}{_('.')}{more}",
        "functions",
        bar,
        chance,
        mark_of(first.name).split()[-1],
    )


def following(found: Follows | None, layer: Mapping[str, Any]) -> Tile:
    """Share of its variance that something measured predicts, beside random directions."""
    if found is None or found.total[0] is None:
        return Tile(_("Follows"), _("not measured"), _("Its variance was not divided."), "")
    total = max(0.0, found.total[0])
    parts = sorted(((share_of(found.added, part), part.key) for part in PARTS), reverse=True)
    named = [_BRIEF[key] for value, key in parts if value >= LEAST][:2]
    random = layer.get("random", {})
    chance = random.get("total") if random.get("latents") else None
    against = "" if chance is None else _("; random directions %(share)s", share=share(chance))
    if not named:
        what = _("Nothing by a twentieth")
    elif named[1:]:
        what = _("Mostly %(first)s, then %(second)s", first=named[0], second=named[1])
    else:
        what = _("Mostly %(first)s", first=named[0])
    words = f"{what}{against}{_('.')}"
    mark = None if chance is None else 100 * min(1.0, max(0.0, float(chance)))
    return Tile(
        _("Follows"), _("%(share)s explained", share=share(total)), words, "follows", 100 * min(1.0, total), mark
    )


def needed(loss: Loss | None) -> Tile:
    """Change of the loss without it, beside directions of its length."""
    value, low, high, push = loss or (None, None, None, None)
    if value is None:
        return Tile(_("Needed"), _("not measured"), _("It was not taken out of the model."), "effects")
    between = span(low, high, _brief)
    against = "" if push is None else _("; a push of its length %(loss)s", loss=_brief(push))
    longest = max(abs(value), abs(push or 0.0), abs(high or 0.0)) or 1.0
    mark = None if push is None else 100 * abs(push) / longest
    says, words = _("%(loss)s nats", loss=_brief(value)), f"{between}{against}{_('.')}"
    return Tile(_("Needed"), says, words, "effects", 100 * abs(value) / longest, mark)


def _brief(value: float | None) -> str:
    """Two digits, with a plus before what is above zero."""
    return f"{'+' if (value or 0) > 0 else ''}{number(value, 2)}"
