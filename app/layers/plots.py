"""Figures of what dense latents do, layer by layer: the stack, and density against antipodality.

A class has its colour, and its letter stands in the bar where there is room. Several classes at once are grey, what is
followed in part and what is unexplained are pale with an outline, what was not measured is dotted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from app.classes.groups import fill_of, filters_of, ordered, title_of
from app.classes.score import Fill
from app.saes.queries import Point, SaeInfo
from app.shared.densities import Bar
from app.shared.figures import CARD, DIM, INK, NEITHER, Figure, axis, figure
from app.shared.language import N_, _, ngettext, translated
from app.shared.links import at, latent_at
from app.shared.numbers import count, percent
from store.vocabulary import PARTLY, UNEXPLAINED, UNMEASURED

LETTER = 0.055  # of the highest bar: 16 pixels of the figure
MOST_WITH_LETTERS = 20
"""SAEs: on a phone the bars of more are narrower than a letter. plotly's own hiding (`uniformtext`) fails where a
figure has two subplots; without it letters shrink until nobody can read them."""


def stack_figure(saes: list[SaeInfo], groups: Mapping[int, Mapping[str, int]], pin: str) -> Figure:
    """Dense latents by layer, each counted once; below them the L0 of the same SAEs."""
    highest = max((sum(held.values()) for held in groups.values()), default=0)
    room = highest * LETTER if len(saes) <= MOST_WITH_LETTERS else math.inf
    bars = [_stacked(group, saes, groups, pin, room) for group, _name in legend(groups)]
    x = axis(_("layer"), type="category", showgrid=False)
    more: dict[str, Any] = {"barmode": "stack", "bargap": 0.28}
    below = axis("L0", domain=[0, 0.17], nticks=3, rangemode="tozero", anchor="x")
    bars.append(_l0(saes, pin))
    above = axis(_("dense latents"), domain=[0.25, 1], nticks=6)
    return figure(bars, 450, {**x, "anchor": "y2"}, above, yaxis2=below, **more)


def legend(groups: Mapping[int, Mapping[str, int]]) -> list[tuple[str, str]]:
    """(group, name) of those that occur, from the bottom of the stack up; the page draws it, so that it wraps."""
    held = {name for counts in groups.values() for name, count in counts.items() if count}
    return [(group, title_of(group)) for group in ordered(held) if group in held]


def _stacked(
    group: str, saes: list[SaeInfo], groups: Mapping[int, Mapping[str, int]], pin: str, room: float
) -> dict[str, Any]:
    """One group in all bars; its letter stands where at least `room` latents are."""
    more = f"&{pin}" if pin else ""
    query = "&".join(f"{name}={value}" for name, value in filters_of(group).items())
    fill = fill_of(group)
    counts = [groups.get(sae.analysis_id, {}).get(group, 0) for sae in saes]
    return {
        "type": "bar", "name": title_of(group), "x": [place_of(sae, saes) for sae in saes], "y": counts,
        "customdata": [[f"/latents?sae={sae.slug}&{query}{more}", sae.n_dense] for sae in saes],
        "marker": _marker(fill), "text": [fill.letter if count and count >= room else "" for count in counts],
        "textposition": "inside", "insidetextanchor": "middle", "textangle": 0, "constraintext": "none",
        "textfont": {"color": fill.ink, "size": 12, "weight": 600},
        "hovertemplate": _("layer %%{x}, %(group)s: %%{y} of %%{customdata[1]} dense latents", group=title_of(group))
        + "<extra></extra>",
    }  # fmt: skip


def _marker(fill: Fill) -> dict[str, Any]:
    made: dict[str, Any] = {"color": fill.colour, "line": {"width": 1, "color": fill.edge}}
    if fill.hatch:
        made["pattern"] = {"shape": fill.hatch, "fgcolor": fill.colour, "bgcolor": CARD, "size": 6, "solidity": 0.35,
                           "fillmode": "replace"}  # fmt: skip
    return made


def _l0(saes: list[SaeInfo], pin: str) -> dict[str, Any]:
    more = f"&{pin}" if pin else ""
    return {
        "type": "bar", "name": "L0", "showlegend": False, "yaxis": "y2", "y": [sae.l0 for sae in saes],
        "x": [place_of(sae, saes) for sae in saes], "marker": {"color": NEITHER},
        "customdata": [[f"/latents?sae={sae.slug}{more}"] for sae in saes],
        "hovertemplate": _("layer %%{x}: %%{y:.1f} latents on per token") + "<extra></extra>",
    }  # fmt: skip


def place_of(sae: SaeInfo, saes: list[SaeInfo]) -> str:
    """An SAE on an axis: its layer, with its name where a layer has several."""
    alone = sum(other.layer == sae.layer for other in saes) == 1
    return f"{sae.layer}" if alone else f"{sae.layer} {sae.slug.rsplit('/', 1)[-1]}"


def panel_figure(sae: SaeInfo, points: list[Point], densities: list[Bar], pin: str) -> Figure:
    """One layer: latents by density above, density against antipodality below, on one axis.

    Args:
        points: its latents of 1 % and more.
        densities: (from, to, latents) of each bar.
    """
    more = f"&{pin}" if pin else ""
    # bars hold what is above their lower end; the filter holds both ends
    known = [bar for bar in densities if bar[1] > 0.01]
    bars = {
        "type": "bar", "yaxis": "y2", "x": [math.sqrt(low * high) for low, high, _n in known],
        "width": [(high - low) * 0.92 for low, high, _n in known], "y": [count or None for _low, _high, count in known],
        "customdata": [
            [f"/latents?sae={sae.slug}&dense=any&min_density={low * 1.000001:.7g}&max_density={high:.7g}{more}",
             _("%(low)s to %(high)s %%", low=f"{100 * low:.2g}", high=f"{100 * high:.2g}")]
            for low, high, _n in known
        ],
        "marker": {"color": NEITHER, "line": {"width": 0}},
        "hovertemplate": _("%%{y} latents of density %%{customdata[1]}") + "<extra></extra>",
    }  # fmt: skip
    groups = ((True, "circle"), (False, "circle-open"))
    places = [dots([point for point in points if point.mirror is mirror], "", sign, pin, 5) for mirror, sign in groups]
    x = axis(_("density"), type="log", range=[-2.05, 0.02], tickvals=[0.01, 0.1, 1], ticktext=["1 %", "10 %", "100 %"],
             dtick=1, anchor="y")  # fmt: skip
    y = axis(_("antipodality"), range=[-0.06, 1.06], domain=[0, 0.68], tickvals=[0, 0.5, 1])
    y2 = axis(_("latents"), domain=[0.76, 1], nticks=3, rangemode="tozero", anchor="x", showgrid=False)
    return figure(
        [bars, *(part for part in places if part["x"])], 290, x, y, yaxis2=y2, hovermode="closest", bargap=0
    )  # fmt: skip


def dots(points: list[Point], name: str, symbol: str, pin: str, size: int) -> dict[str, Any]:
    """Latents by density and antipodality, each leading to its page."""
    return {
        "type": "scatter", "mode": "markers", "name": name,
        "x": [round(point.density, 5) for point in points], "y": [round(point.antipodality, 3) for point in points],
        "customdata": [[at(latent_at(dot.slug, dot.index), pin), dot.layer, dot.index] for dot in points],
        "marker": {"color": INK, "size": size, "opacity": 0.55, "symbol": symbol, "line": {"width": 1, "color": INK}},
        "hovertemplate": _(
            "layer %%{customdata[1]}, latent %%{customdata[2]}<br>density %%{x:.1%%}, antipodality %%{y:.2f}"
        )
        + "<extra></extra>",
    }  # fmt: skip


LAYER_PANELS = (
    ("n_dense", N_("dense latents"), ""),
    ("n_pairs", N_("antipodal pairs"), ""),
    ("dense_mass_share", N_("dense share of mass"), ".0%"),
    ("l0", "L0", ""),
    ("fvu", "FVU", ".2f"),
)


def layers_figure(saes: list[SaeInfo], pin: str) -> list[tuple[str, Figure]]:
    """One small bar chart a measure, layers along x; each bar leads to its SAE's latents."""
    more = f"&{pin}" if pin else ""
    layers = [f"{sae.layer}" for sae in saes]
    links = [[f"/latents?sae={sae.slug}{more}"] for sae in saes]
    charts = []
    for field, title, form in LAYER_PANELS:
        bar = {
            "type": "bar", "x": layers, "y": [getattr(sae, field) for sae in saes], "customdata": links,
            "marker": {"color": DIM},
            "hovertemplate": _("layer %%{x}: %%{y:%(form)s}", form=form or ".3~g") + "<extra></extra>",
        }  # fmt: skip
        y = axis("", rangemode="tozero", nticks=4, tickformat=form)
        charts.append((translated(title), figure([bar], 170, axis(_("layer"), type="category"), y, bargap=0.35)))
    return charts


def density_heights(bars: list[Bar]) -> list[int]:
    """Heights 0 to 24 of bars' log counts."""
    most = math.log1p(max((count for _low, _high, count in bars), default=0)) or 1
    return [math.ceil(24 * math.log1p(count) / most) for _low, _high, count in bars]


def stack_words(found: list[SaeInfo], groups: Mapping[int, Mapping[str, int]]) -> str:
    """The stack in a sentence: how many of the dense latents have a class, or follow something all the same."""
    total = sum(sum(held.values()) for held in groups.values())
    left, partly, unknown = (
        sum(held.get(name, 0) for held in groups.values()) for name in (UNEXPLAINED, PARTLY, UNMEASURED)
    )
    if not total:
        return ""
    explained = total - left - partly - unknown
    said = {
        "total": count(total),
        "saes": ngettext("%(n)s SAE", "%(n)s SAEs", len(found)),
        "classed": count(explained),
        "share": percent(explained / total),
        "left": count(left),
        "partly": count(partly),
        "rest": ngettext("; %(n)s was not measured", "; %(n)s were not measured", unknown) if unknown else "",
    }
    if not partly:
        return _(
            "Of %(total)s dense latents in %(saes)s, %(classed)s (%(share)s) have at least one class, %(left)s have"
            " none%(rest)s.",
            **said,
        )
    return _(
        "Of %(total)s dense latents in %(saes)s, %(classed)s (%(share)s) have at least one class, of %(partly)s more"
        " at least a fifth of the variance is followed, %(left)s remain unexplained%(rest)s.",
        **said,
    )
