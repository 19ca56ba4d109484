"""Principal component: how nearly the direction is the one along which the activations vary most."""

from __future__ import annotations

from typing import ClassVar

from app.classes.plots import HEIGHT, Numbers
from app.classes.score import ClassView, Colour, ScoreInfo
from app.shared.figures import INK, NEITHER, Figure, View, axis, figure, level
from app.shared.language import N_, _
from app.shared.numbers import fixed, number, percent
from app.shared.statements import Sentences, filled
from app.shared.stored import known, numbers, one


class PrincipalComponent(ClassView):
    """How it is shown."""

    name, title, letter, order = "principal_component", N_("principal component"), "1", 60
    colour = Colour("#b8860b", "#facc15")
    sentences: ClassVar[Sentences] = {
        "along": N_("Along the line on which the activations vary most (|cos| {cos:.2f})."),
        "apart": lambda held: filled(
            N_(
                "Not along the first principal component (|cos| {cos:.2f}); nearest to number {component}"
                " ({nearest:.2f})."
            )
            if held.get("component")
            else N_("Not along the first principal component (|cos| {cos:.2f})."),
            held,
        ),
    }

    def phrase(self, score: ScoreInfo) -> str:
        """The same of every such latent."""
        return _("lies along the direction in which the activations vary most")

    def value(self, score: ScoreInfo) -> tuple[str, str]:
        """|cosine| with the first component, and which other one is nearer."""
        number_of, cosines = one(score.data, "component"), known(score.data, "cosines")
        if number_of is None or int(number_of) == 1:
            return f"|cos| {fixed(score.score)}", "PC1"
        place = int(number_of) - 1
        beside = "PC1"
        if place < len(cosines):
            beside = _("PC1; nearest PC%(n)s, %(cosine)s", n=place + 1, cosine=fixed(abs(cosines[place])))
        return f"|cos| {fixed(score.score)}", beside

    def plots(self, score: ScoreInfo) -> list[View]:
        """|cosine| with each of the first components."""
        cosines, variance = known(score.data, "cosines"), numbers(score.data, "variance")
        if not cosines:
            return []
        shares = variance or [None] * len(cosines)
        stability, ratio = one(score.data, "stability"), one(score.data, "ratio")
        summary = _(
            "|cosine| with the first principal components of the activations; dotted: the cut. The first holds"
            " %(ratio)s times the variance of the second; in two halves of the text it agrees to %(stability)s.",
            ratio=number(ratio),
            stability=fixed(stability),
        )
        rows = [
            (f"PC{place}", fixed(value), percent(share))
            for place, (value, share) in enumerate(zip(cosines, shares, strict=False), 1)
        ]
        head = (_("component"), _("cosine"), _("share of variance"))
        return [View("components", _("components"), components_figure(cosines, shares, score.cut), summary, head, rows)]


VIEW = PrincipalComponent()


def components_figure(cosines: list[float], variance: Numbers, cut: float | None) -> Figure:
    """|cosine| of the direction with each of the first components."""
    bars = {
        "type": "bar", "x": [f"PC{place + 1}" for place in range(len(cosines))], "y": [abs(value) for value in cosines],
        "customdata": [[value, share] for value, share in zip(cosines, variance, strict=False)],
        "marker": {"color": [INK] + [NEITHER] * (len(cosines) - 1), "line": {"width": 0}},
        "hovertemplate": _("%%{x}: cosine %%{customdata[0]:.2f}; %%{customdata[1]:.1%%} of the variance")
        + "<extra></extra>",
    }  # fmt: skip
    shapes = [] if cut is None else [level(cut)]
    y = axis("|cosine|", range=[0, 1.02], nticks=5)
    return figure([bars], HEIGHT, axis("principal component", type="category"), y, bargap=0.3, shapes=shapes)
