"""The start page: what was found in a sentence and a picture, four latents to begin with, the layers last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.groups import title_of
from app.home import queries
from app.home.counts import PAIRS, Tallies, tallies
from app.home.curve import Curve, curve, step
from app.home.featured import Featured, featured
from app.home.map import LayerMap, Small, layer_map, places_of, small_map
from app.home.plots import scatter_figure
from app.home.tour import Step, tour
from app.http.errors import NotFound
from app.layers import plots as functions
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.figures import Figure
from app.shared.language import _
from app.shared.memory import remembered
from app.shared.page import RunPage
from app.shared.record import Key

FEW = 12
"""SAEs whose small maps fit above the large one."""


@dataclass(frozen=True)
class Part:
    """A part of the bar of what an SAE's dense latents do."""

    group: str
    title: str
    count: int


@dataclass(frozen=True)
class Layer:
    """A line of the table."""

    sae: SaeInfo
    pairs: int
    parts: list[Part]
    """One group a part, those without latents too, since another threshold may give them some."""


@dataclass(frozen=True)
class HomePage(RunPage):
    """What was found, and where to begin."""

    template = "home/home.html"
    runs: list[RunInfo]
    """All complete runs, newest first."""
    layers: list[Layer]
    """The run's SAEs by layer."""
    saes: list[SaeInfo]
    """The same, without what is counted."""
    most: int
    """Largest dense count of an SAE: the full bar."""
    tallies: Tallies
    """How many of everything pass each threshold."""
    classed: bool
    """Whether the run measured classes."""
    legend: list[tuple[str, str]]
    """Groups of classes that occur, with their names."""
    maps: list[LayerMap]
    """Of the chosen SAE, or of all where nobody can be asked for another; empty where the worker made none."""
    chosen: str
    """Slug of the SAE whose map is shown first; empty without maps."""
    small: list[Small]
    """Small maps to choose by; empty where there are too many SAEs, or one."""
    mapped: list[SaeInfo]
    """SAEs that have a map."""
    scatter: Figure | None
    """Density against antipodality, where there is no map."""
    shown: int
    """Dots in the scatter."""
    curve: Curve
    """Latents above each density, one line an SAE."""
    ramp: list[tuple[int, int]]
    """Step of the ramp and layer, an SAE each."""
    tour: list[Step]
    """Five steps for a first visit; a script keeps them away once they were closed."""
    featured: list[Featured]
    """Four latents to begin with, or fewer."""


def home_page(session: Session, run: RunInfo, pin: str, chosen: str = "", whole: bool = False) -> HomePage:
    """The page of a run.

    Args:
        chosen: slug of the SAE whose map is asked for; empty: the one with the most pairs.
        whole: all maps are on it, as where nobody can be asked for another.

    Raises:
        NotFound: no map of the chosen SAE.
    """
    found = saes.list_saes(session, run)
    info = saes.density_curve(session, run)
    groups = classes.groups_of(session, run) if classes.measured(session, run) else {}
    dense = queries.densities(session, run)
    counted = remembered(session, ("home_tallies", run.analyses), partial(_tallies, session, run, found, dense, groups))
    legend = functions.legend(classes.profile(session, run)) if groups else []
    mapped = [sae for sae in found if places_of(sae)]
    first = _first(mapped, chosen)
    cards = featured(session, run, found)
    points = [] if mapped else saes.scatter_points(session, run)
    return HomePage(
        title=_("Overview"),
        nav="home",
        run=run,
        runs=runs.list_runs(session),
        layers=[_layer(sae, counted, legend) for sae in found],
        saes=found,
        most=max((sae.n_dense for sae in found), default=0) or 1,
        tallies=counted,
        classed=bool(groups),
        legend=legend,
        maps=[_map(session, run, sae, groups, counted) for sae in mapped if whole or sae is first],
        chosen=first.slug if first else "",
        small=_small(session, run, mapped, groups, counted),
        mapped=mapped,
        scatter=scatter_figure(points, pin) if points else None,
        shown=len(points),
        curve=curve(info, found),
        ramp=[(step(place, len(found)), sae.layer) for place, sae in enumerate(found)],
        featured=cards,
        tour=tour(run, cards),
    )


def _tallies(
    session: Session, run: RunInfo, found: list[SaeInfo], dense: Mapping[Key, float], groups: Mapping[Key, str]
) -> Tallies:
    info = saes.density_curve(session, run)
    return tallies(info, found, dense, groups, queries.pairs(session, run), queries.needs(session, run))


def _first(mapped: list[SaeInfo], chosen: str) -> SaeInfo | None:
    """The one asked for, else the one with the most to see: pairs, then dense latents; of equals the latest layer."""
    if chosen:
        asked = next((sae for sae in mapped if sae.slug == chosen), None)
        if asked is None:
            listed = ", ".join(sae.slug for sae in mapped[:10]) or "none"
            raise NotFound(f"There is no map of '{chosen[:60]}'. Maps: {listed}.")
        return asked
    return max(mapped, key=lambda sae: (sae.n_pairs, sae.n_dense, sae.layer), default=None)


def _map(session: Session, run: RunInfo, sae: SaeInfo, groups: Mapping[Key, str], counted: Tallies) -> LayerMap:
    def make() -> LayerMap:
        held = queries.mapped(session, sae.analysis_id, list(places_of(sae)))
        return layer_map(sae, held, groups, queries.pairs(session, run), counted)

    return remembered(session, ("map", run.analyses, sae.analysis_id), make)


def _small(
    session: Session, run: RunInfo, mapped: list[SaeInfo], groups: Mapping[Key, str], counted: Tallies
) -> list[Small]:
    if not 1 < len(mapped) <= FEW:
        return []
    dense = queries.densities(session, run)
    return remembered(
        session,
        ("small_maps", run.analyses),
        lambda: [small_map(sae, dense, groups, counted) for sae in mapped],
    )


def _layer(sae: SaeInfo, counted: Tallies, legend: list[tuple[str, str]]) -> Layer:
    parts = [Part(group, title_of(group), counted.now(group, sae.slug)) for group, _name in legend]
    return Layer(sae, counted.now(PAIRS, sae.slug), parts)
