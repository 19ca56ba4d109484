"""The map of decoder directions: a dot a dense latent, area by density, colour by class; a line joins a pair.

Drawn here as SVG: it needs no script, its dots are links, and it is a tenth of a plot's bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from app.classes.groups import mark_of, title_of
from app.home.counts import Tallies
from app.home.queries import Ends, Mapped
from app.saes.queries import SaeInfo
from app.shared.language import _
from app.shared.links import latent_at, latent_name
from app.shared.numbers import isolate, percent
from app.shared.record import Key
from app.shared.stored import one, rows_of_numbers
from store.vocabulary import UNMEASURED

WIDTH, HEIGHT, EDGE = 600, 420, 18
LARGEST, SMALLEST = 15.0, 2.6
"""Radius of a latent that always fires, and the least one that can be pointed at."""
MOST = 400
"""Dots that are drawn: the densest; more would be one grey."""
SMALL_WIDTH, SMALL_HEIGHT = 84, 56
TOKENS = 4
"""Named when pointed at."""


@dataclass(frozen=True)
class Dot:
    """A latent of the map."""

    href: str
    name: str
    """What is read out: name, density, class."""
    tip: str
    mark: str
    """CSS class of its colour."""
    place: int
    """Thresholds that it is above."""
    x: float
    y: float
    radius: float


class Line(NamedTuple):
    """Between the ends of a pair."""

    x1: float
    y1: float
    x2: float
    y2: float
    place: int
    """Thresholds that its denser end is above."""


@dataclass(frozen=True)
class LayerMap:
    """The map of one SAE."""

    sae: SaeInfo
    share: str
    """Of the length of the directions."""
    dots: list[Dot]
    """The large ones first, so that none is hidden."""
    lines: list[Line]
    left_out: int
    """Dense latents that are not drawn."""


@dataclass(frozen=True)
class Small:
    """An SAE's map in small, to choose it by."""

    sae: SaeInfo
    paths: list[tuple[str, str, str]]
    """CSS class, a path of dots from the densest down, and the places of these."""


Places = Mapping[int, tuple[float, float]]


def places_of(sae: SaeInfo) -> Places:
    """By latent; empty where its worker made no map."""
    rows = rows_of_numbers(sae.map, "latents", 3)
    return {int(index): (x, y) for index, x, y in rows}


def layer_map(
    sae: SaeInfo, held: Sequence[Mapped], groups: Mapping[Key, str], pairs: Iterable[Ends], tallies: Tallies
) -> LayerMap:
    """The map of one SAE.

    Args:
        held: its latents on the map, the densest first.
    """
    places, shown = places_of(sae), held[:MOST]
    scale = _scale(places.values(), WIDTH, HEIGHT, EDGE)
    at = {own.index: _at(places[own.index], scale, WIDTH, HEIGHT) for own in shown}
    return LayerMap(
        sae,
        percent(one(sae.map, "share")),
        [_dot(sae, own, at[own.index], groups, tallies) for own in shown],
        [
            Line(*at[ends.positive], *at[ends.negative], tallies.place(ends.density))
            for ends in pairs
            if ends.analysis_id == sae.analysis_id and {ends.positive, ends.negative} <= at.keys()
        ],
        sum(own.is_dense for own in held[MOST:]),
    )


def _dot(sae: SaeInfo, own: Mapped, at: tuple[float, float], groups: Mapping[Key, str], tallies: Tallies) -> Dot:
    group = groups.get((sae.analysis_id, own.index), UNMEASURED)
    does = _("mirror image, not dense") if not own.is_dense else title_of(group) if groups else ""
    name = ", ".join(filter(None, (latent_name(sae.layer, own.index), percent(own.density), does)))
    tokens = ", ".join(isolate(token.strip()) for token in own.tokens[:TOKENS])
    radius = max(SMALLEST, LARGEST * math.sqrt(own.density))
    href, tip = latent_at(sae.slug, own.index), f"{name}\n{tokens}".rstrip()
    return Dot(href, name, tip, _colour(group, bool(groups)), tallies.place(own.density), *at, round(radius, 1))


def _colour(group: str, known: bool) -> str:
    """What no class was looked for in is neither explained nor not."""
    return mark_of(group).split()[-1] if known else "plain"


def small_map(sae: SaeInfo, densities: Mapping[Key, float], groups: Mapping[Key, str], tallies: Tallies) -> Small:
    """Dots of one size: a picture to choose by."""
    places = places_of(sae)
    scale = _scale(places.values(), SMALL_WIDTH, SMALL_HEIGHT, 4)
    keys = [key for key in densities if key[0] == sae.analysis_id and key[1] in places][:MOST]
    colour = {key: _colour(groups.get(key, UNMEASURED), bool(groups)) for key in keys}
    paths = []
    for mark, some in groupby(sorted(keys, key=colour.__getitem__), key=colour.__getitem__):
        own = list(some)
        ends = (_at(places[index], scale, SMALL_WIDTH, SMALL_HEIGHT) for _analysis, index in own)
        drawn = "".join(f"M{x:.0f} {y:.0f}h0" for x, y in ends)
        paths.append((mark, drawn, " ".join(str(tallies.place(densities[key])) for key in own)))
    return Small(sae, sorted(paths, key=lambda path: len(path[1]), reverse=True))


def _scale(places: Iterable[tuple[float, float]], width: int, height: int, edge: int) -> float:
    """The same for both axes, so that angles are what they are; the origin is in the middle."""
    spread = (_rooted(place) for place in places)
    reach = max((max(abs(x) / (width / 2 - edge), abs(y) / (height / 2 - edge)) for x, y in spread), default=0)
    return 1 / reach if reach else 0.0


def _at(place: tuple[float, float], scale: float, width: int, height: int) -> tuple[float, float]:
    x, y = _rooted(place)
    return round(width / 2 + scale * x, 1), round(height / 2 - scale * y, 1)


def _rooted(place: tuple[float, float]) -> tuple[float, float]:
    """With the root of its distance from the middle: most directions lie flat to any plane, and would be one heap.
    What is opposite stays so."""
    far = math.hypot(*place)
    return (place[0] / math.sqrt(far), place[1] / math.sqrt(far)) if far else (0.0, 0.0)
