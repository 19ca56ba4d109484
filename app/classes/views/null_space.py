"""Null space: the share of the direction in the directions of the residual stream that move the output least."""

from __future__ import annotations

from typing import ClassVar

from app.classes.plots import HEIGHT, Numbers, line
from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.figures import DIM, INK, Figure, View, axis, band, figure
from app.shared.language import N_, _
from app.shared.numbers import fixed, span, whole
from app.shared.statements import Sentences, filled
from app.shared.stored import known, numbers, one

SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


class NullSpace(ClassView):
    """How it is shown."""

    name, title, letter, order = "null_space", N_("null space"), "N", 30
    colour = Colour("#2f3b4c", "#e2e8f0")
    sentences: ClassVar[Sentences] = {
        "quiet": lambda held: filled(
            "Writes to directions the output layer barely reads: {alpha:.0%} of its length, {times:.1f} times chance.",
            {**held, "times": (one(held, "alpha") or 0) / (one(held, "typical") or 1)},
        ),
        "common": lambda held: filled(
            "Lies where the output layer barely reads with {alpha:.0%} of its length, but one in {one_in} of this SAE's"
            " sparse latents has {sparse:.0%} or more: it is not told apart from them.",
            {**held, "one_in": whole(1 / (one(held, "share") or 1))},
        ),
        "read": (
            N_(
                "Does not hide from the output layer: {alpha:.0%} of its length is in the directions that it barely"
                " reads, chance gives about {typical:.0%}."
            )
        ),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The same of every such latent."""
        return _("writes to directions the output layer barely reads")

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """α with the number of directions."""
        at = one(score.data, "at")
        return f"α{str(int(at)).translate(SUBSCRIPTS) if at else ''} {fixed(score.score)}", ""

    def plots(self, score: ScoreInfo) -> list[View]:
        """Share of the direction in the quietest directions of the unembedding."""
        k, alpha = known(score.data, "k"), numbers(score.data, "alpha")
        low, high = numbers(score.data, "chance_low"), numbers(score.data, "chance_high")
        if not k or not alpha:
            return []
        sparse, share = numbers(score.data, "sparse"), one(score.data, "sparse_share")
        at = one(score.data, "at")
        cut = None if at is None or score.cut is None else (at, score.cut)
        gap: list[float | None] = [None] * len(k)
        rows = [
            (whole(place), fixed(value), span(a, b, fixed))
            for place, value, a, b in zip(k, alpha, low or gap, high or gap, strict=False)
        ]
        summary = _(
            "Share of the decoder direction's length in the k directions that move the output least; the grey band"
            " holds 90 %% of random directions, the short line is the cut."
        )
        if share and any(value is not None for value in sparse):
            more = _("One in %(n)s of this SAE's sparse latents lies above the dotted line.", n=whole(1 / share))
            summary = f"{summary} {more}"
        drawn = null_figure(k, alpha, low, high, cut, sparse)
        return [View("sweep", _("sweep over k"), drawn, summary, ("k", "α", _("random, 5 to 95 %%")), rows)]


VIEW = NullSpace()


def null_figure(
    k: list[float], alpha: Numbers, low: Numbers, high: Numbers, cut: tuple[float, float] | None, sparse: Numbers
) -> Figure:
    """Share of the direction in the k quietest directions of the unembedding; `cut` is (k, height)."""
    lines = [
        band(k, low, high, _("90 %% of random directions")),
        line(k, alpha, _("latent"), "k = %{x}: α %{y:.2f}", mode="lines+markers", marker={"color": INK, "size": 5}),
    ]
    if any(value is not None for value in sparse):
        dotted = {"color": DIM, "width": 1.4, "dash": "dot"}
        lines.append(line(k, sparse, _("sparse latents"), _("k = %%{x}: sparse latents %%{y:.2f}")) | {"line": dotted})
    if cut is not None:
        lines.append({
            "type": "scatter", "mode": "markers", "x": [cut[0]], "y": [cut[1]], "name": _("cut"),
            "marker": {"symbol": "line-ew", "size": 22, "line": {"width": 2, "color": DIM}},
            "hovertemplate": _("cut at k = %%{x}: %%{y:.2f}") + "<extra></extra>",
        })  # fmt: skip
    x = axis(_("k quietest directions"), type="log", tickvals=k, ticktext=[f"{at:,.0f}" for at in k], dtick=1)
    return figure(lines, HEIGHT, x, axis(_("α (share of length)"), rangemode="tozero", nticks=5))
