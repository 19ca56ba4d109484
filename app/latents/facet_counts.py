"""How many latents each choice of a facet would leave: one statement for all facets, of few rows.

A facet is counted within the list without its own filter, so that its other choices tell what they lead to. Classes,
verdicts, labels and what few latents are come from tables of few rows, however wide the SAEs. SAEs and densities of a
list of most latents are what is known of whole SAEs, less the few that are left out; where that cannot be told without
reading most latents there is no count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, String, and_, case, cast, func, literal, select, union_all
from sqlalchemy.orm import Session

from app.latents import listing
from app.latents.filters import LatentFilters, RunList
from app.latents.listing import KEY, Plan, Total
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo, density_counts
from app.shared.memory import remembered
from store.tables import Association, Label, Latent, Score, Verdict
from store.vocabulary import HOLDS, MIXTURE, VERDICTS, YES

SAE, DENSITY, DENSE, CLASS, RULE, LABEL, RELATION = "sae", "density", "dense", "class", "rule", "label", "relation"
OWN: dict[str, tuple[str, ...]] = {
    DENSE: ("dense",),
    LABEL: ("label",),
    CLASS: ("of_class", "alone"),
    SAE: ("sae", "layer"),
    DENSITY: ("min_density", "max_density"),
    RULE: ("verdict",),
    RELATION: (),
}
"""By facet: the filters that its choices set."""
SPOKEN = ("category", "human", "annotated", "note")
"""Filters of what people say, which changes while the rest stays."""
EDGES = (0.0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.9, 1.0)
Counts = dict[str, dict[str, int]]
"""Facet -> choice -> latents. A choice that is not there has none; a facet that is not there was not counted."""
Band = tuple[float, float]


ALL = "all"
"""Of the facet of density classes: dense and sparse together."""
FLAGS = {"pair": Latent.is_pair.is_(True), "duplicate": Latent.duplicate_of.is_not(None),
         "borderline": Latent.borderline.is_(True)}  # fmt: skip
"""What few latents are, as their index says it: filter -> condition."""


def bands(threshold: float) -> list[Band]:
    """From rare to always on. The run's own threshold is a bound, so that no band is in part dense."""
    edges = sorted({*EDGES, threshold})
    return list(pairwise(edges))


def facet_counts(session: Session, run: RunInfo, saes: Sequence[SaeInfo], asked: RunList, total: Total) -> Counts:
    """Of all facets of a list, of which so many latents pass."""
    if any(getattr(asked, name) is not None for name in SPOKEN):
        return _counts(session, run, saes, asked, total)
    wanted = asked.model_dump_json(include={*LatentFilters.model_fields, "sae", "layer"})
    return remembered(session, ("facets", run.analyses, wanted), lambda: _counts(session, run, saes, asked, total))


def _counts(session: Session, run: RunInfo, saes: Sequence[SaeInfo], asked: RunList, total: Total) -> Counts:
    found, parts, held = Counts(), list[Select[Any]](), dict[str, CTE]()
    for name in facets_of(run):
        wanted = without(asked, name)
        among = wanted.among(saes)
        plan = listing.plan_of(session, among, wanted)
        if plan.few:
            key = wanted.model_dump_json()
            few = held.setdefault(key, _few(plan, f"few{len(held)}"))
            parts += _of_few(name, few, run)
        else:
            if name == DENSE and asked.dense is None:
                known = None if total.more else {ALL: total.number}
            else:
                known = _known(session, run, among, plan, name, wanted)
            if known is not None:
                found[name] = known
            parts += _of_most(name, plan)
        if name in _READ or plan.few:
            found.setdefault(name, {"true": 0, "false": 0} if name == DENSE else {})
    for name, value, number in session.execute(union_all(*parts)) if parts else ():
        found.setdefault(name, {})[value] = number
    return found


_READ = {CLASS, RULE, LABEL, RELATION}
"""Counted of any list."""


def facets_of(run: RunInfo) -> list[str]:
    """Those that a run can have."""
    return [name for name in OWN if not (run.of_rows and name in {CLASS, RULE})]


def without(asked: RunList, facet: str) -> RunList:
    """The list without a facet's own filters. Flags are set one by one: only what excludes them is left out."""
    excluded = [name for name in FLAGS if facet == RELATION and getattr(asked, name) is False]
    return asked.model_copy(update=dict.fromkeys([*OWN[facet], *excluded]))


def _few(plan: Plan, name: str) -> CTE:
    columns = (*KEY, Latent.density, Latent.is_dense, *(flag.label(own) for own, flag in FLAGS.items()))
    return listing.passing(plan, *columns).cte(name).prefix_with("MATERIALIZED")


def _of_few(facet: str, few: CTE, run: RunInfo) -> list[Select[Any]]:
    """A list that names few latents, counted by a facet's choices."""
    of = few.c
    if facet == SAE:
        return [_grouped(facet, of.analysis_id, few)]
    if facet == DENSE:
        return [_grouped(facet, case((of.is_dense.is_(True), "true"), else_="false"), few)]
    if facet == DENSITY:
        return [
            _grouped(facet, None, few, literal(name_of(band))).where(of.density.between(*band))
            for band in bands(run.dense_threshold)
        ]
    if facet == RELATION:
        return [_grouped(facet, None, few, literal(name)).where(of[name].is_(True)) for name in FLAGS]
    table, value, conditions = _table(facet)
    joined = table.__table__.join(few, and_(table.analysis_id == of.analysis_id, table.index == of.index))
    if facet == LABEL:
        joined = joined.join(Label.__table__, Label.id == Association.label_id)
    return [_grouped(facet, value, joined).where(*conditions)]


def _of_most(facet: str, plan: Plan) -> list[Select[Any]]:
    """Of a list of most latents what few of them are."""
    if facet in {SAE, DENSITY}:
        return []
    if facet in {DENSE, RELATION}:
        flags = {"true": Latent.is_dense.is_(True)} if facet == DENSE else FLAGS
        counted = {name: listing.passing(replace(plan, flags=[flag]), *KEY) for name, flag in flags.items()}
        return [_grouped(facet, None, keys.subquery(), literal(name)) for name, keys in counted.items()]
    table, value, conditions = _table(facet)
    more = listing.conditions(plan, walked=facet)  # no planner shall walk the bounds' index instead
    joined: Any = table.__table__
    if more:
        own = and_(Latent.analysis_id == table.analysis_id, Latent.index == table.index)
        joined = joined.join(Latent.__table__, own)
    if facet == LABEL:
        joined = joined.join(Label.__table__, Label.id == Association.label_id)
    return [_grouped(facet, value, joined).where(table.analysis_id.in_(plan.ids), *conditions, *more)]


def _table(facet: str) -> tuple[Any, Any, list[ColumnElement[bool]]]:
    """Where it stands what few latents have: table, choice, and what is meant of it."""
    if facet == CLASS:
        return Score, Score.name, [Score.label.in_(HOLDS), Score.name != MIXTURE]
    if facet == RULE:
        # named, so that the index of verdicts is read, not every latent for its verdict
        return Verdict, Verdict.verdict, [Verdict.verdict.in_(VERDICTS)]
    return Association, Label.name, [Association.verdict == YES]


def _grouped(facet: str, value: Any, rows: Any, name: Any = None) -> Any:
    """A select of facet, choice, number; of one choice alone, where it is named."""
    choice = cast(value if name is None else name, String)
    found: Any = select(literal(facet), choice, func.count()).select_from(rows)
    grouped: Select[Any] = found.group_by(value) if name is None else found
    return grouped


def name_of(band: Band) -> str:
    """As it stands in an address."""
    return f"{band[0]:g}-{band[1]:g}"


def _known(
    session: Session, run: RunInfo, saes: Sequence[SaeInfo], plan: Plan, facet: str, wanted: RunList
) -> dict[str, int] | None:
    """Of a list of most latents, without reading them; None where that cannot be told."""
    if plan.bounds or plan.token is not None:
        return None
    if facet == DENSE:
        return {ALL: listing.total(session, plan).number}
    if facet == SAE:
        less = listing.without_by_sae(session, plan)
        return {str(sae.analysis_id): sae.n_latents - less.get(sae.analysis_id, 0) for sae in saes}
    if facet == DENSITY and not plan.without_keys and len(plan.without_flags) == (wanted.dense is False):
        return _in_bands(session, run, saes, sparse=wanted.dense is False)
    return None


def _in_bands(session: Session, run: RunInfo, saes: Sequence[SaeInfo], sparse: bool) -> dict[str, int]:
    """From the curves of densities; of sparse latents up to where dense ones begin."""
    wanted = [band for band in bands(run.dense_threshold) if not sparse or band[1] <= run.dense_threshold]
    cuts = tuple(cut for low, high in wanted for cut in (low - _NEAR, high))
    above = density_counts(session, run, cuts)
    held = [above[sae.slug] for sae in saes]
    return {
        name_of(band): sum(one[2 * place] - one[2 * place + 1] for one in held) for place, band in enumerate(wanted)
    }


_NEAR = 2e-12
"""A bound itself is in its band, as a filter has it; counts above a cut are strict."""
