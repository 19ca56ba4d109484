"""Content word: how well the signal tells nouns, verbs, adjectives and adverbs from the rest; each part of speech."""

from __future__ import annotations

from typing import ClassVar

from app.classes.plots import Numbers, line
from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.figures import DIM, INK, Figure, View, as_text, axis, figure
from app.shared.numbers import fixed, percent, rate, span
from app.shared.statements import Sentences, filled
from app.shared.stored import items, numbers, one, part
from store.vocabulary import Statement

TAGS = {
    "NOUN": "noun",
    "PROPN": "proper noun",
    "VERB": "verb",
    "AUX": "auxiliary",
    "ADJ": "adjective",
    "ADV": "adverb",
    "PRON": "pronoun",
    "DET": "determiner",
    "ADP": "preposition",
    "CCONJ": "conjunction",
    "PART": "particle",
    "NUM": "number",
    "INTJ": "interjection",
    "SYM": "symbol",
    "PUNCT": "punctuation",
    "X": "other",
}
"""The universal tags in words."""


HIGHER = "Higher on {where} (AUC {auc:.2f}), but"


def _side(sentence: str, held: Statement) -> str:
    where = "content words" if held.get("side") == "content" else "function words and punctuation"
    return filled(sentence, {**held, "where": where})


class ContentWord(ClassView):
    """How it is shown."""

    name, title, letter, order = "content_word", "content word", "C", 50
    colour = Colour("#3d6b12", "#6fa32a")
    of_text = True
    sentences: ClassVar[Sentences] = {
        "told": lambda held: _side(
            "Higher on {where}: they are told from the rest with AUC {auc:.2f}, {types:.2f} over word types.", held
        ),
        "weak": lambda held: _side(
            "Hardly tells content words from the rest (AUC {auc:.2f}, a little higher on {where}).", held
        ),
        "chance": lambda held: _side(f"{HIGHER} a random direction reaches {{chance:.2f}}.", held),
        "frequent": lambda held: _side(f"{HIGHER} over word types only {{types:.2f}}: a list of frequent words.", held),
        "silent": lambda held: _side(
            f"{HIGHER} only its direction: firing itself tells them with {{firing:.2f}}.", held
        ),
        "spread": lambda held: _side(f"{HIGHER} not beyond what documents differ by (q {{q:.2f}}).", held),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The same of every such latent."""
        return "tells content words from the rest"

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The AUC."""
        return f"AUC {fixed(score.score)}", ""

    def plots(self, score: ScoreInfo) -> list[View]:
        """How well the signal tells content words, and each part of speech, from the rest."""
        return [view for view in (_roc(score), _tags(score)) if view is not None]


VIEW = ContentWord()


def _roc(score: ScoreInfo) -> View | None:
    held = part(score.data, "roc")
    wrong, right = numbers(held, "fpr"), numbers(held, "tpr")
    if not wrong or not right:
        return None
    area, between = one(score.data, "auc"), span(one(score.data, "low"), one(score.data, "high"), fixed)
    tagger = f" Parts of speech by {score.data['tagger']}." if score.data.get("tagger") else ""
    summary = (
        f"Content words against all others: AUC {fixed(area)}{f' ({between})' if between else ''}; by whether it fires"
        f" {fixed(one(score.data, 'firing'))}; the diagonal is chance.{tagger}"
    )
    rows = [(percent(a), percent(b)) for a, b in zip(wrong, right, strict=False)]
    head = ("other words above", "content words above")
    return View("roc", "ROC", roc_figure(wrong, right), summary, head, rows)


def _tags(score: ScoreInfo) -> View | None:
    known = [tag for tag in items(score.data, "tags") if one(tag, "auc") is not None]
    if not known:
        return None
    found = sorted(known, key=lambda tag: -(one(tag, "auc") or 0.0))
    names = [TAGS.get(str(tag.get("tag")), str(tag.get("tag"))) for tag in found]
    auc = [one(tag, "auc") or 0.0 for tag in found]
    low, high = [one(tag, "low") for tag in found], [one(tag, "high") for tag in found]
    rows = [
        (name, fixed(area), span(a, b, fixed), rate("", one(tag, "q")).strip(), percent(one(tag, "share")))
        for name, area, a, b, tag in zip(names, auc, low, high, found, strict=True)
    ]
    summary = (
        "Each part of speech against all other words; 0.5 is chance, lines are 95 % intervals over documents."
        " Nouns, verbs, adjectives and adverbs count as content words."
    )
    head = ("part of speech", "AUC", "95 % interval", "q", "share of tokens")
    return View("tags", "parts of speech", tags_figure(names, auc, low, high), summary, head, rows)


def roc_figure(wrong: Numbers, right: Numbers) -> Figure:
    """Share of content words above a bar against share of other words above it."""
    diagonal = line(
        [0, 1], [0, 1], "chance", "chance", line={"color": DIM, "width": 1.2, "dash": "dot"}, hoverinfo="skip"
    )
    own = line(
        [at if at is not None else 0.0 for at in wrong], right, "latent", "%{y:.0%} of content, %{x:.0%} of other words"
    )
    x = axis("other words above the bar", range=[0, 1], tickformat=".0%", nticks=4)
    y = axis("content words above it", range=[0, 1.02], tickformat=".0%", nticks=5)
    return figure([diagonal, own], 260, x, y)


def tags_figure(tags: list[str], auc: list[float], low: Numbers, high: Numbers) -> Figure:
    """AUC of each part of speech against the rest, with its interval; 0.5 is chance."""
    up = [max(0.0, (top if top is not None else at) - at) for at, top in zip(auc, high, strict=True)]
    down = [max(0.0, at - (bottom if bottom is not None else at)) for at, bottom in zip(auc, low, strict=True)]
    dots = {
        "type": "scatter", "mode": "markers", "x": auc, "y": [as_text(tag) for tag in tags],
        "marker": {"color": INK, "size": 7},
        "error_x": {"type": "data", "symmetric": False, "array": up, "arrayminus": down, "color": INK,
                    "thickness": 1.2, "width": 0},
        "hovertemplate": "%{y}: AUC %{x:.2f}<extra></extra>",
    }  # fmt: skip
    ends = [
        *auc,
        *(value for value in (*low, *high) if value is not None),
        0.3,
        0.7,
    ]
    x = axis("AUC against all other words", range=[min(ends) - 0.03, max(ends) + 0.03], nticks=5)
    middle = {"type": "line", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1,
              "line": {"color": DIM, "width": 1.2, "dash": "dot"}}  # fmt: skip
    y = axis(" ", type="category", autorange="reversed")
    return figure([dots], 46 + 22 * len(tags) + 34, x, y, shapes=[middle], margin={"l": 56, "r": 12, "t": 8, "b": 44})
