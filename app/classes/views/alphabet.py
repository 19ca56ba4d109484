"""Alphabet: first letters of the tokens that a latent promotes or suppresses most."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from app.classes.plots import HEIGHT
from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.figures import INK, NEITHER, Figure, View, as_text, axis, figure, level
from app.shared.numbers import THIN, count, number, percent, whole
from app.shared.statements import Sentences, filled
from app.shared.stored import one, part
from store.vocabulary import Statement

BEGIN = "{count} begin with “{letter}”"


def _verb(held: Mapping[str, Any]) -> str:
    return "suppresses" if held.get("side") == "suppressed" else "promotes"


def _most(held: Statement) -> str:
    return f"Of the {{of}} tokens it {_verb(held)} most"


class Alphabet(ClassView):
    """How it is shown."""

    name, title, letter, order = "alphabet", "alphabet", "A", 40
    colour = Colour("#b5226c", "#e0529a")
    sentences: ClassVar[Sentences] = {
        "letter": lambda held: filled(f"{_most(held)}, {BEGIN}.", held),
        "chance": lambda held: filled(f"{_most(held)}, {BEGIN}: short of the cut, or mere chance.", held),
        "leans": lambda held: filled(
            f"{_most(held)}, {BEGIN}: fewer than the class asks for, yet more than random directions reach"
            f"{' ({chance:.0%})' if one(held, 'chance') is not None else ''}. It leans to that letter.",
            held,
        ),
        "early": lambda held: filled(f"{_most(held)}, {BEGIN}, but the output is layers away.", held),
        "none": lambda held: filled(
            f"The tokens it {_verb(held)} most share no first letter: {{count}} of {{of}} begin with “{{letter}}”.",
            held,
        ),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The letter, and whether its tokens are promoted."""
        held = {**score.statement, **score.data}  # in lists there is no evidence
        return f"{_verb(held)} tokens that begin with “{held.get('letter') or '?'}”"

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The share of the tokens with the letter."""
        letter, side, lift = score.data.get("letter"), score.data.get("side"), one(score.data, "lift")
        share = percent(score.score).replace(".0", "")
        beside = f"{side} tokens" if side else ""
        lifted = f"{beside}, {number(lift, 2)}{THIN}× the vocabulary's" if beside and lift is not None else beside
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
        summary = f"First letters of the {whole(of)} most {side} tokens; “none” begins with no letter. Dotted: the cut."
        rows = [(name, count(n)) for name, n in letters]
        drawn = letters_figure(dict(letters), None if score.cut is None else score.cut * of, letter)
        return [View("letters", "first letters", drawn, summary, ("letter", "tokens"), rows)]


VIEW = Alphabet()


def letters_figure(letters: dict[str, int], cut: float | None, letter: str) -> Figure:
    """First letters of the tokens; the most frequent one in ink."""
    bars = {
        "type": "bar", "x": [as_text(name) for name in letters], "y": list(letters.values()),
        "marker": {"color": [INK if name == letter else NEITHER for name in letters], "line": {"width": 0}},
        "hovertemplate": "%{x}: %{y} tokens<extra></extra>",
    }  # fmt: skip
    shapes = [] if cut is None else [level(cut)]
    y = axis("tokens of 100", range=[0, 105], nticks=5)
    return figure([bars], HEIGHT, axis("first letter", type="category"), y, bargap=0.3, shapes=shapes)
