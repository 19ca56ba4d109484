"""Evidence of each class as plots with their text alternatives. A part that is missing is left out, never guessed."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from app.classes import plots
from app.classes.queries import ScoreInfo
from app.shared.figures import View
from app.shared.numbers import count, fixed, number, percent, rate, signed, whole

Data = dict[str, Any]
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


def views_of(score: ScoreInfo) -> list[View]:
    """The plots that the stored evidence suffices for."""
    return [view for build in BUILDERS.get(score.name, ()) if (view := build(score)) is not None]


def numbers(data: Data, name: str) -> list[float | None]:
    """A list of numbers of the evidence; empty where there is none."""
    held = data.get(name)
    return [value if _is_number(value) else None for value in held] if isinstance(held, list) else []


def known(data: Data, name: str) -> list[float]:
    """Such a list, if it has no gap; else empty."""
    held = numbers(data, name)
    return [value for value in held if value is not None] if all(value is not None for value in held) else []


def part(data: Data, name: str) -> Data:
    """A nested object; empty where there is none."""
    held = data.get(name)
    return held if isinstance(held, dict) else {}


def items(data: Data, name: str) -> list[Data]:
    """A list of objects; empty where there is none."""
    held = data.get(name)
    return [item for item in held if isinstance(item, dict)] if isinstance(held, list) else []


def one(data: Data, name: str) -> float | None:
    """A number; None where there is none."""
    held: Any = data.get(name)
    return float(held) if _is_number(held) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _span(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"{fixed(low)} to {fixed(high)}"


def position(score: ScoreInfo) -> View | None:
    """Mean of the signal over the distance from a boundary."""
    held = part(score.data, "profile")
    kind, edges, mean = str(held.get("kind") or "context"), known(held, "edges"), numbers(held, "mean")
    if len(edges) < 2 or not mean:
        return None
    low, high, tokens = (numbers(held, name) or [None] * len(mean) for name in ("low", "high", "tokens"))
    middle = [(a + b - 1) / 2 for a, b in pairwise(edges)]
    rows = [
        (whole(at), signed(value), f"{signed(a)} to {signed(b)}" if a is not None else "", whole(n))
        for at, value, a, b, n in zip(middle, mean, low, high, tokens, strict=False)
    ]
    summary = f"Mean of the signal by tokens from the start of the {kind}, in its standard deviations; 95 % interval."
    return View(
        "profile",
        f"over the {kind}",
        plots.profile_figure(kind, middle, mean, low, high),
        summary,
        ("tokens from start", "mean (sd)", "95 % interval", "tokens"),
        rows,
    )


def distances(score: ScoreInfo) -> list[tuple[str, ...]]:
    """Position: a row for each kind of distance, with its interval and what is left beside the other two."""
    rows: list[tuple[str, ...]] = []
    for kind, held in part(score.data, "kinds").items():
        values = held if isinstance(held, dict) else {}
        if values.get("reason") or one(values, "rho") is None:
            rows.append((f"{kind}: {values.get('reason') or 'not measured'}", "", "", "", "", ""))
            continue
        span = _span(one(values, "low"), one(values, "high"))
        rest = [fixed(one(values, name)) for name in ("partial", "without_first", "chance")]
        rows.append((kind, fixed(one(values, "rho")), span, *rest))
    return rows


def runs(score: ScoreInfo) -> View | None:
    """How long the signal stays on one side."""
    held = part(score.data, "runs")
    edges, observed, shuffled = known(held, "edges"), numbers(held, "observed"), numbers(held, "shuffled")
    if not edges or not observed:
        return None
    is_open = len(edges) <= len(observed)  # the last bin holds all longer runs
    ends = [*edges, 2 * edges[-1]] if is_open else edges
    mean, chance = one(score.data, "mean_run"), one(score.data, "mean_run_shuffled")
    summary = (
        f"Stretches of text on one side: {number(mean)} tokens on average, {number(chance)} when the tokens of each"
        " document are shuffled (dotted)."
    )
    rows = [
        (_lengths(a, b, is_open and b == ends[-1]), whole(real), whole(by_chance))
        for (a, b), real, by_chance in zip(pairwise(ends), observed, shuffled or [None] * len(observed), strict=False)
    ]
    figure = plots.runs_figure(ends, observed, shuffled)
    return View("runs", "run lengths", figure, summary, ("tokens", "runs", "shuffled"), rows)


def _lengths(low: float, high: float, is_open: bool) -> str:
    """A bin of whole numbers from `low` to below `high`."""
    if is_open:
        return f"{low:.0f} or more"
    return f"{low:.0f}" if high - low <= 1 else f"{low:.0f} to {high - 1:.0f}"


def quiet(score: ScoreInfo) -> View | None:
    """Share of the direction in the quietest directions of the unembedding."""
    k, alpha = known(score.data, "k"), numbers(score.data, "alpha")
    low, high = numbers(score.data, "chance_low"), numbers(score.data, "chance_high")
    if not k or not alpha:
        return None
    at = one(score.data, "at")
    cut = None if at is None or score.cut is None else (at, score.cut)
    gap: list[float | None] = [None] * len(k)
    rows = [
        (whole(place), fixed(value), _span(a, b))
        for place, value, a, b in zip(k, alpha, low or gap, high or gap, strict=False)
    ]
    summary = (
        "Share of the decoder direction's length in the k directions that move the output least; the grey band holds"
        " 90 % of random directions, the short line is the cut."
    )
    figure = plots.null_figure(k, alpha, low, high, cut)
    return View("sweep", "sweep over k", figure, summary, ("k", "α", "random, 5 to 95 %"), rows)


def letters(score: ScoreInfo) -> View | None:
    """First letters of the most promoted or suppressed tokens."""
    held = part(score.data, "letters")
    counted = sorted(((str(name), int(n)) for name, n in held.items() if _is_number(n)), key=lambda item: -item[1])[:12]
    if not counted:
        return None
    of = one(score.data, "of") or 100
    letter = str(score.data.get("letter") or "")
    side = str(score.data.get("side") or "promoted")
    cut = None if score.cut is None else score.cut * of
    summary = f"First letters of the {whole(of)} most {side} tokens; “none” begins with no letter. Dotted: the cut."
    rows = [(name, count(n)) for name, n in counted]
    figure = plots.letters_figure([name for name, _n in counted], [n for _name, n in counted], cut, letter)
    return View("letters", "first letters", figure, summary, ("letter", "tokens"), rows)


def roc(score: ScoreInfo) -> View | None:
    """How well the signal tells content words from the rest."""
    held = part(score.data, "roc")
    wrong, right = numbers(held, "fpr"), numbers(held, "tpr")
    if not wrong or not right:
        return None
    area, span = one(score.data, "auc"), _span(one(score.data, "low"), one(score.data, "high"))
    tagger = f" Parts of speech by {score.data['tagger']}." if score.data.get("tagger") else ""
    summary = (
        f"Content words against all others: AUC {fixed(area)}{f' ({span})' if span else ''}; by whether it fires"
        f" {fixed(one(score.data, 'firing'))}; the diagonal is chance.{tagger}"
    )
    rows = [(percent(a), percent(b)) for a, b in zip(wrong, right, strict=False)]
    head = ("other words above", "content words above")
    return View("roc", "ROC", plots.roc_figure(wrong, right), summary, head, rows)


def tags(score: ScoreInfo) -> View | None:
    """AUC of each part of speech."""
    held = score.data.get("tags")
    found = (
        [tag for tag in held if isinstance(tag, dict) and one(tag, "auc") is not None] if isinstance(held, list) else []
    )
    if not found:
        return None
    found = sorted(found, key=lambda tag: -(one(tag, "auc") or 0.0))
    names = [TAGS.get(str(tag.get("tag")), str(tag.get("tag"))) for tag in found]
    auc = [one(tag, "auc") or 0.0 for tag in found]
    low, high = [one(tag, "low") for tag in found], [one(tag, "high") for tag in found]
    rows = [
        (name, fixed(area), _span(a, b), rate("", one(tag, "q")).strip(), percent(one(tag, "share")))
        for name, area, a, b, tag in zip(names, auc, low, high, found, strict=True)
    ]
    summary = (
        "Each part of speech against all other words; 0.5 is chance, lines are 95 % intervals over documents."
        " Nouns, verbs, adjectives and adverbs count as content words."
    )
    head = ("part of speech", "AUC", "95 % interval", "q", "share of tokens")
    return View("tags", "parts of speech", plots.tags_figure(names, auc, low, high), summary, head, rows)


def components(score: ScoreInfo) -> View | None:
    """|cosine| with each of the first components."""
    cosines, variance = known(score.data, "cosines"), numbers(score.data, "variance")
    if not cosines:
        return None
    shares = variance or [None] * len(cosines)
    stability, ratio = one(score.data, "stability"), one(score.data, "ratio")
    summary = (
        f"|cosine| with the first principal components of the activations; dotted: the cut. The first holds"
        f" {number(ratio)} times the variance of the second; in two halves of the text it agrees to {fixed(stability)}."
    )
    rows = [
        (f"PC{place + 1}", fixed(value), percent(share))
        for place, (value, share) in enumerate(zip(cosines, shares, strict=False))
    ]
    figure = plots.components_figure(cosines, shares, score.cut)
    return View("components", "components", figure, summary, ("component", "cosine", "share of variance"), rows)


BUILDERS: dict[str, tuple[Callable[[ScoreInfo], View | None], ...]] = {
    "position": (position,),
    "context_binding": (runs,),
    "null_space": (quiet,),
    "alphabet": (letters,),
    "content_word": (roc, tags),
    "principal_component": (components,),
}
