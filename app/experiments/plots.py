"""Figures of an experiment: densities of the arms over each other, and dense counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.experiments.queries import ArmInfo, ArmKey
from app.shared.colours import arm_stroke
from app.shared.figures import NEITHER, Figure, axis, figure, mark, whiskers
from app.shared.language import _

Counts = Mapping[ArmKey, list[int]]
DOTTED = 60  # angles: more dots would hide each other
SPREAD = 0.2  # of a row, between seeds
FROM = 0.003  # density: what fires less often than this tells the arms apart no more


def curves_figure(counts: Counts, cuts: Sequence[float], names: Mapping[str, str], threshold: float) -> Figure:
    """Latents denser than x, one thin line an SAE, arms by colour and dashes.

    Args:
        counts: by arm and seed: how many latents are denser than each cut.
        names: arms as people read them, in their order.
    """
    ordered = sorted(counts, key=lambda key: (list(names).index(key[0]), key[1]))
    lines = [
        _line(arm, names[arm], seed, cuts, counts[arm, seed])
        for arm, seed in ordered[::-1]  # the first arms lie on top
    ]
    x = axis(_("density (share of tokens)"), type="log", range=[-2.55, 0], dtick=1, tickvals=[0.01, 0.1, 1],
             ticktext=["1 %", "10 %", "100 %"])  # fmt: skip
    y = axis(_("latents denser than that"), type="log", dtick=1)
    return figure(lines, 380, x, y, shapes=[mark(threshold)], hovermode="closest")


def _line(arm: str, name: str, seed: int, thresholds: Sequence[float], counts: list[int]) -> dict[str, Any]:
    stroke = arm_stroke(arm)
    kept = [(cut, count or None) for cut, count in zip(thresholds, counts, strict=True) if cut >= FROM]
    return {
        "type": "scatter", "mode": "lines", "name": _("%(name)s, seed %(seed)s", name=name, seed=seed),
        "x": [cut for cut, _count in kept],
        "y": [count for _cut, count in kept], "opacity": 0.85,
        "line": {"color": stroke.colour, "width": stroke.width, "dash": stroke.dash},
        "hovertemplate": _("%%{y:,} latents above %%{x:.1%%}") + "<extra>%{fullData.name}</extra>",
    }  # fmt: skip


def counts_figure(arms: list[ArmInfo], names: Mapping[str, str]) -> Figure:
    """Dense latents of each arm: a dot a seed, one below the other, each with its interval over documents."""
    data = [_counts([arm for arm in arms if arm.name == name], name, row) for row, name in enumerate(names)]
    y = axis(" ", tickvals=list(range(len(names))), ticktext=list(names.values()), range=[len(names) - 0.4, -0.6],
             showgrid=False, zeroline=False)  # fmt: skip
    return figure(data, 70 + 36 * len(names), axis(_("dense latents"), rangemode="tozero", nticks=6), y,
                  hovermode="closest")  # fmt: skip


def _counts(arms: list[ArmInfo], name: str, row: int) -> dict[str, Any]:
    colour = arm_stroke(name).colour
    counts = [arm.n_dense for arm in arms]
    spans = whiskers(counts, [arm.n_dense_low for arm in arms], [arm.n_dense_high for arm in arms], colour, 1.2)
    step = min(SPREAD, 0.7 / max(1, len(arms)))
    return {
        "type": "scatter", "mode": "markers", "x": counts,
        "y": [round(row + step * (place - (len(arms) - 1) / 2), 3) for place in range(len(arms))],
        "customdata": [arm.seed for arm in arms], "marker": {"color": colour, "size": 7},
        "error_x": spans,
        "hovertemplate": "seed %{customdata}: %{x} dense latents<extra></extra>",
    }  # fmt: skip


class AngleLine(NamedTuple):
    """Two spans held against each other."""

    arm: str
    name: str
    cosines: list[float]
    chance: list[float]
    """Of random spans of the same sizes."""


def angles_figure(lines: list[AngleLine]) -> Figure:
    """Cosines of principal angles, largest first; dotted, what chance gives, once for each size of spans."""
    by_size = {(len(line.cosines), line.chance[0]): line for line in lines if line.chance}
    chance = [_angles(line.chance, _("random spans"), NEITHER, "dot", 1.6) for line in by_size.values()]
    own = [
        _angles(line.cosines, line.name, stroke.colour, stroke.dash, 1.4)
        for line in lines
        for stroke in [arm_stroke(line.arm)]
    ]
    x = axis(_("principal angle, from the smallest"), nticks=8, rangemode="tozero")
    y = axis("cosine", range=[0, 1.03], nticks=6)
    return figure([*chance, *own], 300, x, y, hovermode="closest")


def _angles(cosines: list[float], name: str, colour: str, dash: str, width: float) -> dict[str, Any]:
    mode = "lines+markers" if len(cosines) <= DOTTED else "lines"
    return {
        "type": "scatter", "mode": mode, "name": name, "x": list(range(1, 1 + len(cosines))), "y": cosines,
        "line": {"color": colour, "dash": dash, "width": width}, "marker": {"color": colour, "size": 4},
        "hovertemplate": "%{y:.2f}<extra>%{fullData.name}</extra>",
    }  # fmt: skip
