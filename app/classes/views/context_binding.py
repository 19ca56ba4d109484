"""Context binding: how long the signal stays on one side."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

from app.classes.plots import HEIGHT, Numbers, line
from app.classes.score import ClassView, Colour, ScoreInfo
from app.interventions.sentences import steering_said
from app.shared.figures import DIM, INK, Figure, View, axis, figure
from app.shared.language import N_, _
from app.shared.numbers import fixed, number, whole
from app.shared.statements import Sentences, filled
from app.shared.stored import known, numbers, one, part
from store.vocabulary import STEERED

BOUND = N_(
    "Stays on one side for {run:.0f} tokens on average (shuffled {shuffled:.1f}); which side, the text decides: within"
    " a document its words tell (AUC {within:.2f}), across documents they do not ({across:.2f})."
)
BRIEF = N_(
    "Does not last: half of its memory is gone after {half_life:.0f} tokens; it stays on one side for {run:.0f} tokens"
    " on average (shuffled {shuffled:.1f})."
)
BEYOND = N_(
    "Does not last: half of its memory is gone beyond all that was measured; it stays on one side for {run:.0f} tokens"
    " on average (shuffled {shuffled:.1f})."
)


class ContextBinding(ClassView):
    """How it is shown."""

    name, title, letter, order = STEERED, N_("context binding"), "B", 20
    colour = Colour("#10a294", "#2dd4bf")
    of_text = True
    sentences: ClassVar[Sentences] = {
        "brief": lambda held: filled(BEYOND if one(held, "half_life") is None else BRIEF, held),
        "bound": lambda held: f"{filled(BOUND, held)} {steering_said(held.get('steering'))}",
        "concept": N_("Lasts, but is a fixed concept: words tell its side across documents too (AUC {across:.2f})."),
        "untold": N_(
            "Lasts (stays on one side for {run:.0f} tokens on average (shuffled {shuffled:.1f})), but within a document"
            " the words do not tell its side (AUC {within:.2f})."
        ),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The same of every such latent."""
        return _("stays with the subject of a passage")

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """The AUC within a document, and how long the signal lasts."""
        half, within, across = (one(score.data, name) for name in ("half_life", "within", "across"))
        if _in_tokens(score):
            text = ""
            if within is not None:
                text = _(
                    "AUC %(within)s within, %(across)s across documents", within=fixed(within), across=fixed(across)
                )
            return _("half-life %(n)s tokens", n=number(score.score)), text
        lasting = _("within a document")
        if score.data.get("beyond") is True and known(score.data, "lags"):
            longest = f"{known(score.data, 'lags')[-1]:.0f}"
            lasting = _("within a document; half-life beyond %(n)s tokens", n=longest)
        elif half is not None:
            lasting = _("within a document; half-life %(n)s tokens", n=number(half, 2))
        return f"AUC {fixed(score.score)}", lasting

    def number(self, score: ScoreInfo, value: float) -> str:
        """An AUC, or tokens."""
        return number(value) if _in_tokens(score) else fixed(value)

    def plots(self, score: ScoreInfo) -> list[View]:
        """How long the signal stays on one side."""
        held = part(score.data, "runs")
        edges, observed, shuffled = known(held, "edges"), numbers(held, "observed"), numbers(held, "shuffled")
        if not edges or not observed:
            return []
        is_open = len(edges) <= len(observed)  # the last bin holds all longer runs
        ends = [*edges, 2 * edges[-1]] if is_open else edges
        mean, chance = one(score.data, "mean_run"), one(score.data, "mean_run_shuffled")
        summary = _(
            "Stretches of text on one side: %(mean)s tokens on average, %(chance)s when the tokens of each document are"
            " shuffled (dotted).",
            mean=number(mean),
            chance=number(chance),
        )
        each = zip(pairwise(ends), observed, shuffled or [None] * len(observed), strict=False)
        rows = [
            (_lengths(a, b, is_open and b == ends[-1]), whole(real), whole(by_chance))
            for (a, b), real, by_chance in each
        ]
        drawn = runs_figure(ends, observed, shuffled)
        return [View("runs", _("run lengths"), drawn, summary, (_("tokens"), _("runs"), _("shuffled")), rows)]


VIEW = ContextBinding()


def _in_tokens(score: ScoreInfo) -> bool:
    """The score is the half-life, not an AUC."""
    return (score.score or 0) > 1 or (score.cut or 0) > 1


def _lengths(low: float, high: float, is_open: bool) -> str:
    """A bin of whole numbers from `low` to below `high`."""
    if is_open:
        return _("%(n)s or more", n=f"{low:.0f}")
    if high - low <= 1:
        return f"{low:.0f}"
    return _("%(first)s to %(second)s", first=f"{low:.0f}", second=f"{high - 1:.0f}")


def runs_figure(edges: list[float], observed: Numbers, shuffled: Numbers) -> Figure:
    """How long the signal stays on one side, against the same tokens shuffled."""
    steps = {"color": DIM, "width": 1.6, "shape": "hv", "dash": "dot"}
    lines = [
        line(edges, _closed(shuffled), _("shuffled"), _("from %%{x} tokens: %%{y:,.0f} runs when shuffled"),
             line=steps),
        line(edges, _closed(observed), _("observed"), _("from %%{x} tokens: %%{y:,.0f} runs"),
             line={**steps, "color": INK, "width": 2, "dash": "solid"}),
    ]  # fmt: skip
    x = axis(_("length of a run (tokens)"), type="log", tickvals=edges, ticktext=[f"{edge:,.0f}" for edge in edges])
    return figure(lines, HEIGHT, {**x, "dtick": 1}, axis(_("runs"), type="log", dtick=1, tickformat=","))


def _closed(counts: Numbers) -> Numbers:
    """Steps need the last count twice; a logarithm has no place for none."""
    shown = [count or None for count in counts]
    return [*shown, *shown[-1:]]
