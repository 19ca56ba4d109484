"""What a latent does, in words and numbers: a row a class, the mixture, the sentence at the head."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from app.classes.counts import Tally
from app.classes.evidence import distances, items, known, one, part, views_of
from app.classes.queries import CLASSES, ScoreInfo
from app.shared.figures import View
from app.shared.numbers import THIN, count, fixed, number, percent, rate, signed
from app.vocabulary import MIXTURES, OUTCOMES
from store.vocabulary import AGGREGATE, LIKELY, MIXTURE, NO, SUM, UNEXPLAINED, YES

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


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
    names = [*CLASSES, UNEXPLAINED]
    shown = [scores[name] for name in names if name in scores and (name in CLASSES or scores[name].label != NO)]
    shown.sort(key=lambda score: not score.holds)
    return [_row(score, tallies.get(score.name), evidence) for score in shown]


def _row(score: ScoreInfo, tally: Tally | None, evidence: bool) -> ClassRow:
    value, beside = VALUES.get(score.name, _plain)(score)
    form = _form(score)
    numbers = (("cut", score.cut), ("chance", score.chance), ("control", score.control))
    against = [f"{name} {form(held)}" for name, held in numbers if held is not None]
    rows = distances(score) if score.name == "position" and evidence else []
    head = ("start of", "ρ", "95 % interval", "partial", "from token 5", "chance")
    return ClassRow(
        name=score.name,
        title=score.title,
        label=score.label,
        verdict=OUTCOMES.get(score.label, score.label),
        holds=score.holds,
        value=value if score.score is not None else "",
        beside=beside,
        against=tuple(text for text in (*against, rate("q", score.q)) if text),
        words=score.words,
        controls=_controls(tally),
        views=views_of(score) if evidence else None,
        head=head if rows else (),
        rows=rows,
    )


def _form(score: ScoreInfo) -> Callable[[float | None], str]:
    if score.name == "alphabet":
        return percent
    return number if score.name == "context_binding" and _in_tokens(score) else fixed


def _controls(tally: Tally | None) -> str:
    if tally is None or not tally.controls_total:
        return ""
    total = tally.controls_total
    return f"{count(tally.controls_held)} of {count(total)} sparse control{'s' if total != 1 else ''}: yes"


def _plain(score: ScoreInfo) -> tuple[str, str]:
    return fixed(score.score), ""


def kind_of(score: ScoreInfo) -> tuple[str, float | None]:
    """Position: the distance that is shown, and its signed correlation."""
    kinds = {name: held for name, held in part(score.data, "kinds").items() if isinstance(held, dict)}
    shown = score.data.get("kind") or part(score.data, "profile").get("kind")
    if shown not in kinds:
        shown = max(kinds, key=lambda name: abs(one(kinds[name], "rho") or 0.0), default="")
    return str(shown), one(kinds.get(str(shown), {}), "rho")


def _position(score: ScoreInfo) -> tuple[str, str]:
    kind, rho = kind_of(score)
    value = score.score if rho is None else rho
    return f"ρ {'+' if (value or 0) > 0 else ''}{fixed(value)}", f"from start of {kind}" if kind else ""


def _in_tokens(score: ScoreInfo) -> bool:
    """The score is the half-life, not an AUC."""
    return (score.score or 0) > 1 or (score.cut or 0) > 1


def _binding(score: ScoreInfo) -> tuple[str, str]:
    half, within, across = (one(score.data, name) for name in ("half_life", "within", "across"))
    if _in_tokens(score):
        text = f"AUC {fixed(within)} within, {fixed(across)} across documents" if within is not None else ""
        return f"half-life {number(score.score)} tokens", text
    lasting = f"; half-life {number(half, 2)} tokens" if half is not None else ""
    if score.data.get("beyond") is True and known(score.data, "lags"):
        lasting = f"; half-life beyond {known(score.data, 'lags')[-1]:.0f} tokens"
    return f"AUC {fixed(score.score)}", f"within a document{lasting}"


def _null(score: ScoreInfo) -> tuple[str, str]:
    at = one(score.data, "at")
    return f"α{str(int(at)).translate(SUBSCRIPTS) if at else ''} {fixed(score.score)}", ""


def _alphabet(score: ScoreInfo) -> tuple[str, str]:
    letter, side = score.data.get("letter"), score.data.get("side")
    share = percent(score.score).replace(".0", "")
    lift = one(score.data, "lift")
    beside = f"{side} tokens" if side else ""
    lifted = f"{beside}, {number(lift, 2)}{THIN}× the vocabulary's" if beside and lift is not None else beside
    return f"{share} “{letter}”" if letter else share, lifted


def _content(score: ScoreInfo) -> tuple[str, str]:
    return f"AUC {fixed(score.score)}", ""


def _component(score: ScoreInfo) -> tuple[str, str]:
    number_of, cosines = one(score.data, "component"), known(score.data, "cosines")
    if number_of is None or int(number_of) == 1:
        return f"|cos| {fixed(score.score)}", "PC1"
    place = int(number_of) - 1
    near = f"; nearest PC{place + 1}, {fixed(abs(cosines[place]))}" if place < len(cosines) else ""
    return f"|cos| {fixed(score.score)}", f"PC1{near}"


VALUES: dict[str, Callable[[ScoreInfo], tuple[str, str]]] = {
    "position": _position,
    "context_binding": _binding,
    "null_space": _null,
    "alphabet": _alphabet,
    "content_word": _content,
    "principal_component": _component,
}


def sentence(scores: Mapping[str, ScoreInfo]) -> str:
    """What it does, in plain words; empty where nothing was measured."""
    held = [score for name, score in scores.items() if name in CLASSES and score.holds]
    if held:
        sure = [_says(score) for score in held if score.label == YES]
        likely = [f"probably {_says(score)}" for score in held if score.label == LIKELY]
        return f"It {_listed([*sure, *likely])}."
    if UNEXPLAINED in scores and scores[UNEXPLAINED].label == YES:
        return "None of the six functions looked for explains it."
    return ""


def _says(score: ScoreInfo) -> str:
    if score.name == "position":
        kind, rho = kind_of(score)
        return f"{'falls' if (rho or 0) < 0 else 'rises'} with the distance from the start of the {kind or 'text'}"
    if score.name == "alphabet":
        verb = "suppresses" if score.data.get("side") == "suppressed" else "promotes"
        return f"{verb} tokens that begin with “{score.data.get('letter') or '?'}”"
    return {
        "context_binding": "stays with the subject of a passage",
        "null_space": "writes where the output hardly looks",
        "content_word": "tells content words from the rest",
        "principal_component": "lies along the direction in which the activations vary most",
    }[score.name]


def _listed(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


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
    beside = f"spread over about {spread:.0f} of {pool or 0:.0f} sparse latents tried" if spread and readable else ""
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
