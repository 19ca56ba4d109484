"""The flow of chains: dense latents in columns by layer and bands by class, joined to their continuations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from statistics import median
from typing import Any, NamedTuple

from app.classes.groups import fill_of, ordered, title_of
from app.latents.queries import Step
from app.layers.plots import place_of
from app.saes.queries import SaeInfo
from app.shared.figures import CARD, EDGE, GROUND, INK, LINE, Figure, axis, figure
from app.shared.language import _
from app.shared.record import Key


class Place(NamedTuple):
    """Where a dense latent stands in the flow."""

    x: int
    y: float


class FlowInfo(NamedTuple):
    """Dense latents in columns by layer and bands by class, and their steps to the next column."""

    places: dict[Key, Place]
    """Of those that are drawn: the densest of each column."""
    groups: dict[Key, str]
    bands: list[tuple[str, float, float]]
    """Group with the lower and upper end of its band: the same height in every column, so a level line stays."""
    steps: list[Step]
    """Those that correlate by LEAST or more."""
    drawn: list[Step]
    """Those of them whose both ends are drawn."""


LEVELS = ((0.9, 1.01, 1.3, 0.75), (0.7, 0.9, 1.1, 0.4), (0.4, 0.7, 0.9, 0.18))
"""|correlation| from, to, then width and opacity of a line."""
LEAST = LEVELS[-1][0]
GAP = 0.025  # of the whole height, between bands
SMALLEST = 0.06  # of the whole height: a band must hold its name
MOST = 1_400
"""Latents that are drawn: more would be one grey, and a page of many megabytes."""


def flow_info(saes: list[SaeInfo], groups: Mapping[Key, str], steps: list[Step]) -> FlowInfo:
    """Lay out: bands as high as their fullest column, latents stacked in the middle of it, densest on top.

    Args:
        groups: of each column the densest first.
    """
    members: dict[tuple[str, int], list[Key]] = {}
    columns = Counter[int]()
    for key, group in groups.items():
        columns[key[0]] += 1
        if columns[key[0]] <= MOST // len(saes):
            members.setdefault((group, key[0]), []).append(key)
    bands = _bands({group: _most(members, group) for group in ordered(group for group, _column in members)})
    places: dict[Key, Place] = {}
    for group, low, high in bands:
        for column, sae in enumerate(saes):
            own = members.get((group, sae.analysis_id), [])
            top = (low + high + len(own) - 1) / 2
            places |= {key: Place(column, top - n) for n, key in enumerate(own)}
    strong = [step for step in steps if _ends(step) <= groups.keys() and abs(step.correlation) >= LEAST]
    return FlowInfo(places, dict(groups), bands, strong, [step for step in strong if _ends(step) <= places.keys()])


def _most(members: Mapping[tuple[str, int], list[Key]], group: str) -> int:
    """Latents of a group in its fullest column."""
    return max((len(own) for (name, _column), own in members.items() if name == group), default=0)


def _bands(most: Mapping[str, int]) -> list[tuple[str, float, float]]:
    """From the top down; empty ones are left out."""
    whole, top = max(1, sum(most.values())), 0.0
    made = []
    for group, count in most.items():
        if count:
            high = max(count, SMALLEST * whole)
            made.append((group, top - high, top))
            top -= high + GAP * whole
    return made


def _ends(step: Step) -> set[Key]:
    return {(step.analysis_id, step.index), _end(step)}


def flow_figure(info: FlowInfo, saes: list[SaeInfo], pin: str) -> Figure:
    """Lines from each dense latent to its continuation; stronger lines are better correlated."""
    lines = [_lines(info, *level) for level in LEVELS[::-1]]
    dots = _stations(info, saes, pin)
    handles = _handles(info, saes, pin)
    x = axis("layer", tickvals=list(range(len(saes))), ticktext=[place_of(sae, saes) for sae in saes], showgrid=False,
             zeroline=False, range=[-0.25, len(saes) - 0.75])  # fmt: skip
    middles = [(low + high) / 2 for _group, low, high in info.bands]
    names = [_band_name(group) for group, _low, _high in info.bands]
    y = axis(" ", tickvals=middles, ticktext=names, showgrid=False, zeroline=False, showline=False)
    plain = [
        {"type": "rect", "xref": "paper", "x0": 0, "x1": 1, "y0": low - 0.5, "y1": high + 0.5, "fillcolor": GROUND,
         "line": {"width": 1, "color": LINE}, "layer": "below"}
        for _group, low, high in info.bands
    ]  # fmt: skip
    drawn = [part for part in (*lines, handles) if part["x"]]
    return figure([*drawn, dots], 560, x, y, shapes=plain, hovermode="closest")


def _band_name(group: str) -> str:
    letter, name = fill_of(group).letter, title_of(group).replace(" ", "<br>")
    return f"{letter} · {name}" if letter else name


def flow_counts(info: FlowInfo, saes: list[SaeInfo]) -> list[tuple[str, str, int, int, float | None]]:
    """Each two neighbouring columns: from, to, steps drawn, those that stay in their band, median |correlation|."""
    rows = []
    for first, second in pairwise(saes):
        own = [step for step in info.steps if (step.analysis_id, step.other_analysis_id) == _ids(first, second)]
        stay = sum(info.groups[step.analysis_id, step.index] == info.groups[_end(step)] for step in own)
        middle = median(abs(step.correlation) for step in own) if own else None
        rows.append((place_of(first, saes), place_of(second, saes), len(own), stay, middle))
    return rows


def _ids(first: SaeInfo, second: SaeInfo) -> Key:
    return first.analysis_id, second.analysis_id


def _end(step: Step) -> Key:
    return step.other_analysis_id, step.other


def _lines(info: FlowInfo, low: float, high: float, width: float, opacity: float) -> dict[str, Any]:
    x: list[float | None] = []
    y: list[float | None] = []
    for step in info.drawn:
        if low <= abs(step.correlation) < high:
            start = info.places[step.analysis_id, step.index]
            end = info.places[step.other_analysis_id, step.other]
            x += [start.x, end.x, None]
            y += [start.y, end.y, None]
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "hoverinfo": "skip", "opacity": opacity,
        "line": {"color": INK, "width": width}, "name": f"|correlation| {low} to {min(high, 1)}",
    }  # fmt: skip


HANDLES = (0.35, 0.65)  # of the way: plotly has no clicks on lines, so unseen marks lie along them


def _handles(info: FlowInfo, saes: list[SaeInfo], pin: str) -> dict[str, Any]:
    """What makes a line lead to the page of the latent it comes from, which tells the whole chain."""
    by_id = {sae.analysis_id: sae for sae in saes}
    x: list[float] = []
    y: list[float] = []
    custom: list[list[Any]] = []
    for step in info.drawn:
        start, end = info.places[step.analysis_id, step.index], info.places[_end(step)]
        sae, other = by_id[step.analysis_id], by_id[step.other_analysis_id]
        address = f"/saes/{sae.slug}/latents/{step.index}{f'?{pin}' if pin else ''}#chain"
        words = _(
            "layer %(layer)s, latent %(index)s → layer %(next)s, latent %(other)s",
            layer=sae.layer,
            index=step.index,
            next=other.layer,
            other=step.other,
        )
        x += [round(start.x + part * (end.x - start.x), 2) for part in HANDLES]
        y += [round(start.y + part * (end.y - start.y), 2) for part in HANDLES]
        custom += [[address, words, step.correlation]] * len(HANDLES)
    return {
        "type": "scatter", "mode": "markers", "x": x, "y": y, "customdata": custom, "name": "chains",
        "marker": {"color": INK, "size": 9, "opacity": 0},
        "hovertemplate": _("%%{customdata[1]}: correlation %%{customdata[2]:+.2f}") + "<extra></extra>",
    }  # fmt: skip


def _stations(info: FlowInfo, saes: list[SaeInfo], pin: str) -> dict[str, Any]:
    query = f"?{pin}" if pin else ""
    by_id = {sae.analysis_id: sae for sae in saes}
    keys = list(info.places)
    fills = {group: fill_of(group) for group in set(info.groups.values())}
    own = [fills[info.groups[key]] for key in keys]
    titles = {key: title_of(info.groups[key]) for key in keys}
    return {
        "type": "scatter", "mode": "markers", "x": [info.places[key].x for key in keys],
        "y": [info.places[key].y for key in keys],
        "customdata": [
            [f"/saes/{by_id[key[0]].slug}/latents/{key[1]}{query}", by_id[key[0]].layer, key[1], titles[key]]
            for key in keys
        ],
        "marker": {"color": [fill.colour for fill in own], "symbol": "square", "size": 6,
                   "line": {"width": [0.0 if fill.edge == CARD else 0.8 for fill in own], "color": EDGE}},
        "hovertemplate": _("layer %%{customdata[1]}, latent %%{customdata[2]}: %%{customdata[3]}") + "<extra></extra>",
    }  # fmt: skip
