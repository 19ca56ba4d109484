"""The layers page: what dense latents do by layer, how they chain, how dense and how mirrored they are."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.orm import Session

from app import plots
from app.compose.of_run import of_run
from app.formats import count, fixed, percent
from app.links import link
from app.pages import LayersPage
from app.parts import ClassLine, View
from app.queries import chains, class_counts, runs, saes
from app.queries.classes import CLASSES, UNEXPLAINED, UNMEASURED
from app.queries.saes import Point, SaeInfo
from app.queries.statistics import Term

Groups = Mapping[int, Mapping[str, int]]
DOTS = 400
"""Dots a panel: the densest; more would only fill a corner."""


def layers_page(session: Session, run: runs.RunInfo, terms: dict[str, Term], pin: str) -> LayersPage:
    """The page of a run."""
    shared = of_run(session, run, terms, pin, "layers", "Layers")
    found = shared["saes"]
    curves = saes.density_curves(session, run)
    known = class_counts.measured(session, run)
    groups = class_counts.profile(session, run) if known else {}
    return LayersPage(
        **shared,
        charts=plots.layers_figure(found, pin),
        densities={slug: plots.density_heights(curve) for slug, curve in curves.items()},
        paired=saes.dense_in_pairs(session, run),
        stack=plots.functions.stack_figure(found, groups, pin) if known else None,
        stack_words=stack_words(found, groups),
        legend=plots.functions.legend(groups),
        class_table=class_table(found, class_counts.class_counts(session, run), groups, pin) if known else [],
        flow=_flow(session, run, found, pin) if known else None,
        panels=_panels(found, saes.scatter_points(session, run), curves, pin),
    )


def stack_words(found: list[SaeInfo], groups: Groups) -> str:
    """The stack in a sentence: how many of the dense latents something explains."""
    total = sum(sum(held.values()) for held in groups.values())
    left = sum(held.get(UNEXPLAINED, 0) for held in groups.values())
    unknown = sum(held.get(UNMEASURED, 0) for held in groups.values())
    if not total:
        return ""
    explained = total - left - unknown
    words = f"Of {count(total)} dense latents in {len(found)} SAEs, {count(explained)} ({percent(explained / total)})"
    rest = f"; {count(unknown)} {'was' if unknown == 1 else 'were'} not measured" if unknown else ""
    return f"{words} have at least one of the six functions, {count(left)} have none{rest}."


def class_table(found: list[SaeInfo], counts: Groups, groups: Groups, pin: str) -> list[ClassLine]:
    """A line a class: latents with several classes are in several lines."""
    lines = [_line(name, found, counts, pin) for name in (*CLASSES, UNEXPLAINED)]
    unknown = _line(UNMEASURED, found, groups, pin)
    return [*lines, unknown] if unknown.total else lines


def _line(name: str, found: list[SaeInfo], counts: Groups, pin: str) -> ClassLine:
    cells = [
        (counts.get(sae.analysis_id, {}).get(name, 0), link("/latents", {"sae": sae.slug, "class": name}, pin))
        for sae in found
    ]
    return ClassLine(name, plots.functions.NAMES[name], cells, sum(number for number, _href in cells))


def _flow(session: Session, run: runs.RunInfo, found: list[SaeInfo], pin: str) -> View | None:
    info = plots.flow.flow_info(found, class_counts.groups_of(session, run), chains.list_steps(session, run))
    if not info.steps:
        return None
    rows = [
        (f"{first} to {second}", count(steps), percent(stay / steps) if steps else "", fixed(middle))
        for first, second, steps, stay, middle in plots.flow.flow_counts(info, found)
    ]
    summary = (
        "Each square is a dense latent, in a column by layer and a band by what it does."
        f" {count(len(info.steps))} lines lead to the dense latent of the next layer whose signal correlates most,"
        f" where by {plots.flow.LEAST} or more; a level line keeps its function. Squares and lines lead to the latent."
    )
    head = ("layers", "chains", "in the same band", "median |correlation|")
    return View("flow", "chains", plots.flow.flow_figure(info, found, pin), summary, head, rows)


def _panels(
    found: list[SaeInfo], points: list[Point], curves: Mapping[str, list[float]], pin: str
) -> list[tuple[SaeInfo, plots.Figure]]:
    return [
        (
            sae,
            plots.functions.panel_figure(
                sae, [dot for dot in points if dot.slug == sae.slug][:DOTS], plots.density_bars(curves[sae.slug]), pin
            ),
        )
        for sae in found
    ]
