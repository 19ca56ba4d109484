"""Content word: how well the signal tells nouns, verbs, adjectives and adverbs from the rest; each part of speech."""

from __future__ import annotations

from typing import ClassVar

from app.classes.plots import Numbers, line
from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.figures import DIM, INK, Figure, View, as_text, axis, figure
from app.shared.language import N_, Words, _
from app.shared.numbers import fixed, percent, rate, span
from app.shared.statements import Sentence, Sentences, filled
from app.shared.stored import items, numbers, one, part
from store.vocabulary import Statement

TAGS = Words(
    {
        "NOUN": N_("noun"),
        "PROPN": N_("proper noun"),
        "VERB": N_("verb"),
        "AUX": N_("auxiliary"),
        "ADJ": N_("adjective"),
        "ADV": N_("adverb"),
        "PRON": N_("pronoun"),
        "DET": N_("determiner"),
        "ADP": N_("preposition"),
        "CCONJ": N_("conjunction"),
        "PART": N_("particle"),
        "NUM": N_("number"),
        "INTJ": N_("interjection"),
        "SYM": N_("symbol"),
        "PUNCT": N_("punctuation"),
        "X": N_("other"),
    }
)
"""The universal tags in words."""


def _side(sentence: str) -> Sentence:
    def made(held: Statement) -> str:
        where = _("content words") if held.get("side") == "content" else _("function words and punctuation")
        return filled(sentence, {**held, "where": where})

    return made


class ContentWord(ClassView):
    """How it is shown."""

    name, title, letter, order = "content_word", N_("content word"), "C", 50
    colour = Colour("#3d6b12", "#6fa32a")
    of_text = True
    sentences: ClassVar[Sentences] = {
        "told": _side(
            N_("Higher on {where}: they are told from the rest with AUC {auc:.2f}, {types:.2f} over word types.")
        ),
        "weak": _side(N_("Hardly tells content words from the rest (AUC {auc:.2f}, a little higher on {where}).")),
        "chance": _side(N_("Higher on {where} (AUC {auc:.2f}), but a random direction reaches {chance:.2f}.")),
        "frequent": _side(
            N_("Higher on {where} (AUC {auc:.2f}), but over word types only {types:.2f}: a list of frequent words.")
        ),
        "silent": _side(
            N_("Higher on {where} (AUC {auc:.2f}), but only its direction: firing itself tells them with {firing:.2f}.")
        ),
        "spread": _side(N_("Higher on {where} (AUC {auc:.2f}), but not beyond what documents differ by (q {q:.2f}).")),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The same of every such latent."""
        return _("tells content words from the rest")

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
    summary = _(
        "Content words against all others: AUC %(auc)s%(span)s; by whether it fires %(firing)s; the diagonal is"
        " chance.",
        auc=fixed(area),
        span=f" ({between})" if between else "",
        firing=fixed(one(score.data, "firing")),
    )
    if score.data.get("tagger"):
        summary += " " + _("Parts of speech by %(tagger)s.", tagger=score.data["tagger"])
    rows = [(percent(a), percent(b)) for a, b in zip(wrong, right, strict=False)]
    head = (_("other words above"), _("content words above"))
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
    summary = _(
        "Each part of speech against all other words; 0.5 is chance, lines are 95 %% intervals over documents."
        " Nouns, verbs, adjectives and adverbs count as content words."
    )
    head = (_("part of speech"), "AUC", _("95 %% interval"), "q", _("share of tokens"))
    return View("tags", _("parts of speech"), tags_figure(names, auc, low, high), summary, head, rows)


def roc_figure(wrong: Numbers, right: Numbers) -> Figure:
    """Share of content words above a bar against share of other words above it."""
    diagonal = line(
        [0, 1], [0, 1], _("chance"), _("chance"), line={"color": DIM, "width": 1.2, "dash": "dot"}, hoverinfo="skip"
    )
    own = line(
        [at if at is not None else 0.0 for at in wrong],
        right,
        _("latent"),
        _("%%{y:.0%%} of content, %%{x:.0%%} of other words"),
    )
    x = axis(_("other words above the bar"), range=[0, 1], tickformat=".0%", nticks=4)
    y = axis(_("content words above it"), range=[0, 1.02], tickformat=".0%", nticks=5)
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
    x = axis(_("AUC against all other words"), range=[min(ends) - 0.03, max(ends) + 0.03], nticks=5)
    middle = {"type": "line", "x0": 0.5, "x1": 0.5, "yref": "paper", "y0": 0, "y1": 1,
              "line": {"color": DIM, "width": 1.2, "dash": "dot"}}  # fmt: skip
    y = axis(" ", type="category", autorange="reversed")
    return figure([dots], 46 + 22 * len(tags) + 34, x, y, shapes=[middle], margin={"l": 56, "r": 12, "t": 8, "b": 44})
