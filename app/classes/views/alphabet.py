"""Alphabet: first letters of the tokens that a latent promotes or suppresses most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from app.classes.plots import HEIGHT
from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.figures import INK, NEITHER, Figure, View, as_text, axis, figure, level
from app.shared.language import N_, _
from app.shared.numbers import count, number, percent, whole
from app.shared.statements import Sentence, Sentences, filled
from app.shared.stored import one, part
from store.vocabulary import Statement


def _suppresses(held: Mapping[str, Any]) -> bool:
    return held.get("side") == "suppressed"


def _either(promotes: str, suppresses: str) -> Sentence:
    return lambda held: filled(suppresses if _suppresses(held) else promotes, held)


def _leans(held: Statement) -> str:
    beyond = filled(" ({chance:.0%})", held) if one(held, "chance") is not None else ""
    sentence = (
        N_(
            "Of the {of} tokens it suppresses most, {count} begin with “{letter}”: fewer than the class asks for, yet"
            " more than random directions reach{beyond}. It leans to that letter."
        )
        if _suppresses(held)
        else N_(
            "Of the {of} tokens it promotes most, {count} begin with “{letter}”: fewer than the class asks for, yet"
            " more than random directions reach{beyond}. It leans to that letter."
        )
    )
    return filled(sentence, {**held, "beyond": beyond})


class Alphabet(ClassView):
    """How it is shown."""

    name, title, letter, order = "alphabet", N_("alphabet"), "A", 40
    colour = Colour("#b5226c", "#e0529a")
    sentences: ClassVar[Sentences] = {
        "letter": _either(
            N_("Of the {of} tokens it promotes most, {count} begin with “{letter}”."),
            N_("Of the {of} tokens it suppresses most, {count} begin with “{letter}”."),
        ),
        "chance": _either(
            N_("Of the {of} tokens it promotes most, {count} begin with “{letter}”: short of the cut, or mere chance."),
            N_(
                "Of the {of} tokens it suppresses most, {count} begin with “{letter}”: short of the cut, or mere"
                " chance."
            ),
        ),
        "leans": _leans,
        "early": _either(
            N_("Of the {of} tokens it promotes most, {count} begin with “{letter}”, but the output is layers away."),
            N_("Of the {of} tokens it suppresses most, {count} begin with “{letter}”, but the output is layers away."),
        ),
        "none": _either(
            N_("The tokens it promotes most share no first letter: {count} of {of} begin with “{letter}”."),
            N_("The tokens it suppresses most share no first letter: {count} of {of} begin with “{letter}”."),
        ),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The letter, and whether its tokens are promoted."""
        held = {**score.statement, **score.data}  # in lists there is no evidence
        letter = held.get("letter") or "?"
        if _suppresses(held):
            return _("suppresses tokens that begin with “%(letter)s”", letter=letter)
        return _("promotes tokens that begin with “%(letter)s”", letter=letter)

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The share of the tokens with the letter."""
        letter, side, lift = score.data.get("letter"), score.data.get("side"), one(score.data, "lift")
        share = percent(score.score).replace(".0", "")
        beside = {"promoted": _("promoted tokens"), "suppressed": _("suppressed tokens")}.get(str(side), "")
        times = "" if lift is None else number(lift, 2)
        lifted = (
            _("%(tokens)s, %(times)s\u202f× the vocabulary's", tokens=beside, times=times)
            if beside and times
            else beside
        )
        return f"{share} “{letter}”" if letter else share, lifted

    def number(self, score: ScoreInfo, value: float) -> str:
        """A share of the tokens."""
        return percent(value)

    def plots(self, score: ScoreInfo) -> list[View]:
        """First letters of the most promoted or suppressed tokens."""
        held = part(score.data, "letters")
        counted = {str(name): one(held, name) for name in held}
        letters = sorted(((name, int(n)) for name, n in counted.items() if n is not None), key=lambda item: -item[1])
        letters = letters[:12]
        if not letters:
            return []
        of = one(score.data, "of") or 100
        letter, side = str(score.data.get("letter") or ""), str(score.data.get("side") or "promoted")
        summary = (
            _(
                "First letters of the %(n)s most suppressed tokens; “none” begins with no letter. Dotted: the cut.",
                n=whole(of),
            )
            if side == "suppressed"
            else _(
                "First letters of the %(n)s most promoted tokens; “none” begins with no letter. Dotted: the cut.",
                n=whole(of),
            )
        )
        rows = [(name, count(n)) for name, n in letters]
        drawn = letters_figure(dict(letters), None if score.cut is None else score.cut * of, letter)
        return [View("letters", _("first letters"), drawn, summary, (_("letter"), _("tokens")), rows)]


VIEW = Alphabet()


def letters_figure(letters: dict[str, int], cut: float | None, letter: str) -> Figure:
    """First letters of the tokens; the most frequent one in ink."""
    bars = {
        "type": "bar", "x": [as_text(name) for name in letters], "y": list(letters.values()),
        "marker": {"color": [INK if name == letter else NEITHER for name in letters], "line": {"width": 0}},
        "hovertemplate": _("%%{x}: %%{y} tokens") + "<extra></extra>",
    }  # fmt: skip
    shapes = [] if cut is None else [level(cut)]
    y = axis(_("tokens of 100"), range=[0, 105], nticks=5)
    return figure([bars], HEIGHT, axis(_("first letter"), type="category"), y, bargap=0.3, shapes=shapes)
