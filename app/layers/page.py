"""The layers page: what dense latents do by layer, how they chain, how dense and how mirrored they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.groups import SEVERAL, ordered, title_of
from app.latents import queries as latents
from app.layers import flow
from app.layers import plots as functions
from app.layers.chains import Chain, chains
from app.layers.followed import FollowedLayer, followed_layers, followed_words
from app.layers.sankey import Sankey, sankey
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import Point, SaeInfo
from app.shared.densities import Bar
from app.shared.figures import Figure, View
from app.shared.followed import PARTS, Part
from app.shared.language import _
from app.shared.links import link
from app.shared.numbers import count, fixed, percent
from app.shared.page import RunPage
from store.vocabulary import MIXTURE, UNMEASURED


@dataclass(frozen=True)
class LayersPage(RunPage):
    """The run's SAEs side by side."""

    template = "layers/layers.html"
    saes: list[SaeInfo]
    """Its SAEs by layer."""
    charts: list[tuple[str, Figure]]
    """One small bar chart a measure."""
    densities: dict[str, list[int]]
    """By SAE slug: bar heights 0 to 24 of the latents in each quarter of a decade of density."""
    paired: dict[int, int]
    """By analysis: dense latents that belong to an antipodal pair."""
    sankey: Sankey | None
    """The flow of classes over the layers; None where the run measured no classes."""
    chains: list[Chain]
    """Single chains on it, longest first; the one that was asked for is lit."""
    stack: Figure | None
    """Dense latents by class and layer, each once; None where the run measured no classes."""
    stack_words: str
    """The same in words."""
    legend: list[tuple[str, str]]
    """Groups of `stack` with their names."""
    class_table: list[ClassLine]
    """Dense latents of each class in each SAE, in all their classes."""
    followed: list[FollowedLayer]
    """What dense latents follow, an SAE each; empty where nothing was divided."""
    parts: tuple[Part, ...]
    """Of what is followed."""
    followed_words: str
    """The same in a sentence or two."""
    flow: View | None
    """Chains from layer to layer."""
    panels: list[tuple[SaeInfo, Figure]]
    """Density and antipodality of each SAE's latents."""


@dataclass(frozen=True)
class ClassLine:
    """A class, and how many dense latents of each SAE have it."""

    name: str
    title: str
    cells: list[tuple[int, str]]
    """Count and address of the list of them, an SAE each."""
    total: int


Groups = Mapping[int, Mapping[str, int]]
DOTS = 400
"""Dots a panel: the densest; more would only fill a corner."""


def layers_page(session: Session, run: RunInfo, pin: str, chain: str = "") -> LayersPage:
    """The page of a run.

    Args:
        chain: name of the chain to light.
    """
    found = saes.list_saes(session, run)
    bars = saes.density_bars(session, run)
    known = classes.measured(session, run)
    groups = classes.profile(session, run) if known else {}
    info = flow.flow_info(found, classes.groups_of(session, run), latents.list_steps(session, run)) if known else None
    drawn = sankey(found, groups, info) if info else None
    return LayersPage(
        title=_("Layers"),
        nav="layers",
        run=run,
        saes=found,
        charts=functions.layers_figure(found, pin),
        densities={slug: functions.density_heights(own) for slug, own in bars.items()},
        paired=saes.dense_in_pairs(session, run),
        sankey=drawn,
        chains=chains(found, info, drawn, chain) if info and drawn else [],
        stack=functions.stack_figure(found, groups, pin) if known else None,
        stack_words=functions.stack_words(found, groups),
        legend=functions.legend(groups),
        class_table=class_table(found, classes.class_counts(session, run), groups) if known else [],
        followed=followed_layers(found),
        followed_words=followed_words(found),
        parts=PARTS,
        flow=_flow(info, found, pin) if info else None,
        panels=_panels(found, saes.scatter_points(session, run), bars, pin),
    )


def class_table(found: list[SaeInfo], counts: Groups, groups: Groups) -> list[ClassLine]:
    """A line a class: latents with several classes are in several lines."""
    held = [name for own in counts.values() for name in own]
    names = [name for name in ordered(held) if name not in {SEVERAL, UNMEASURED, MIXTURE}]
    lines = [_line(name, found, counts) for name in names]
    unknown = _line(UNMEASURED, found, groups)
    return [*lines, unknown] if unknown.total else lines


def _line(name: str, found: list[SaeInfo], counts: Groups) -> ClassLine:
    cells = [
        (counts.get(sae.analysis_id, {}).get(name, 0), link("/latents", {"sae": sae.slug, "class": name}))
        for sae in found
    ]
    return ClassLine(name, title_of(name), cells, sum(number for number, _href in cells))


def _flow(info: flow.FlowInfo, found: list[SaeInfo], pin: str) -> View | None:
    if not info.steps:
        return None
    rows = [
        (
            _("%(first)s to %(second)s", first=first, second=second),
            count(steps),
            percent(stay / steps) if steps else "",
            fixed(middle),
        )
        for first, second, steps, stay, middle in flow.flow_counts(info, found)
    ]
    summary = _(
        "Each square is a dense latent, in a column by layer and a band by what it does."
        " %(lines)s lines lead to the dense latent of the next layer whose signal correlates most,"
        " where by %(least)s or more; a level line keeps its class. Squares and lines lead to the latent.",
        lines=count(len(info.drawn)),
        least=flow.LEAST,
    )
    if left := len(info.groups) - len(info.places):
        rest = _(
            "%(n)s dense latents are not drawn: the least dense of each layer. The table counts them.", n=count(left)
        )
        summary = f"{summary} {rest}"
    head = (_("layers"), _("chains"), _("in the same band"), _("median |correlation|"))
    return View("flow", _("chains"), flow.flow_figure(info, found, pin), summary, head, rows)


def _panels(
    found: list[SaeInfo], points: list[Point], bars: Mapping[str, list[Bar]], pin: str
) -> list[tuple[SaeInfo, Figure]]:
    return [
        (
            sae,
            functions.panel_figure(sae, [dot for dot in points if dot.slug == sae.slug][:DOTS], bars[sae.slug], pin),
        )
        for sae in found
    ]
