"""SAEs, each as analysed in one run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, func, select
from sqlalchemy.orm import Session

from app.runs.queries import RunInfo, find_run
from app.shared.densities import BAR_CUTS, Bar, CurveInfo, bars, counts_above, thresholds_of
from app.shared.fit import FitInfo, fit_info, line_of
from app.shared.links import UNPINNED, Pin
from app.shared.memory import remembered
from app.shared.record import Evidence, Hidden, Record, columns, mapping
from store.fit import Read, Seen, fit
from store.tables import DENSE, Analysis, Latent, Model, Run, Sae
from store.vocabulary import BOS


class _Row(Record):
    """What the store has of an SAE as one run saw it."""

    analysis_id: int = Hidden
    slug: str
    sha256: str
    """Of the weights: the SAE's identity"""
    model: str
    run: int
    layer: int
    hook_point: str
    """Where it reads"""
    hook_out: str | None
    """What it gives back or predicts; another place than it reads of a transcoder, null where the store is older"""
    architecture: str
    bottleneck: int | None
    """Rank of the linear part beside it, of which it reads what is left; null where there is none"""
    d_in: int
    n_latents: int
    dtype: str
    source: str = Hidden
    neuronpedia_id: str | None
    l0: float
    """Latents that fire per token, mean"""
    fvu: float | None
    """Fraction of variance unexplained, massive tokens left out"""
    n_dense: int
    n_borderline: int
    n_dead: int
    n_pairs: int
    dense_mass_share: float | None
    """Share of summed |activation| from dense latents"""
    massive_share: float
    median_norm: float

    @property
    def transcodes(self) -> bool:
        """Whether it predicts another place than it reads."""
        return self.hook_out not in (None, self.hook_point)

    @property
    def dense_share(self) -> float:
        """Dense latents over all latents."""
        return self.n_dense / self.n_latents


class SaeInfo(_Row):
    """An SAE as one run saw it, the newest unless another is asked for."""

    fit: list[FitInfo]
    """Whether it fits the model and the texts it was read on"""
    followed: Evidence
    """What its dense latents, sparse controls and random directions follow: medians; empty where nothing was divided"""

    map: Evidence = Hidden
    """The plane of its dense latents' decoder directions: share of them that it holds, and places; empty without one"""

    beside: Evidence
    """What goes past the latents through a bottleneck, by its principal axes; empty without one"""

    @property
    def misfits(self) -> str:
        """What of it does not, in a phrase; empty where all does."""
        return line_of(self.fit)


@dataclass(frozen=True)
class Point:
    """A dot on the density-antipodality plane."""

    slug: str
    layer: int
    index: int
    density: float
    antipodality: float
    mirror: bool
    """Both cosines negative: the partner points the other way, else it is a near-duplicate."""


def list_saes(session: Session, run: RunInfo) -> list[SaeInfo]:
    """The run's SAEs by layer."""
    return remembered(session, ("saes", run.analyses), lambda: _list_saes(session, run))


def _list_saes(session: Session, run: RunInfo) -> list[SaeInfo]:
    hook_out = Sae.details["hook_out"].as_string()
    named = {"analysis_id": Analysis.id, "run": Analysis.run_id, "model": Model.slug, "hook_out": hook_out}
    named["bottleneck"] = Sae.details[("metadata", "bottleneck", "rank")].as_integer()
    told = (Sae.details, Sae.training, Model.name, Model.source, Model.fingerprint, Analysis.summary)
    statement = (
        select(*columns(_Row, Analysis, Sae, **named), *(column.label(f"fit_{column.key}") for column in told))
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Model, Model.id == Sae.model_id)
        .where(Analysis.id.in_(run.analyses))
    )
    rows = session.execute(statement.order_by(Sae.layer, Sae.slug)).mappings()
    bos = None if run.masks is None else run.masks.get(BOS, 0) > 0
    return [
        SaeInfo(
            **row,
            fit=_fit(row, bos),
            followed=_held(row, "follows"),
            map=_held(row, "map"),
            beside=_held(row, "beside"),
        )
        for row in rows
    ]


def _held(row: RowMapping, name: str) -> dict[str, Any]:
    return dict(mapping(mapping(row["fit_summary"]).get(name)))


def _fit(row: RowMapping, bos: bool | None) -> list[FitInfo]:
    names = (row["fit_name"], row["fit_source"], row["fit_fingerprint"])
    of = Read(mapping(row["fit_details"]), mapping(row["fit_training"]), row["source"], *names, bos)
    seen = Seen(row["l0"], row["fvu"], row["massive_share"], mapping(row["fit_summary"]).get("partner_recall"))
    return [fit_info(one) for one in fit(of, seen)]


def find_sae(session: Session, run: RunInfo, slug: str) -> SaeInfo:
    """One SAE of `run`; the run is known to hold it."""
    return next(sae for sae in list_saes(session, run) if sae.slug == slug)


def density_counts(session: Session, run: RunInfo, cuts: tuple[float, ...]) -> dict[str, list[int]]:
    """By SAE slug: how many of its latents are denser than each cut. A curve is as long as its SAE is wide: it is read
    once, and one SAE at a time."""
    statement = select(Sae.slug, Analysis.density_curve).join(Sae, Sae.id == Analysis.sae_id)
    rows = statement.where(Analysis.id.in_(run.analyses)).order_by(Sae.layer, Sae.slug).execution_options(yield_per=1)
    return remembered(
        session,
        ("density_counts", run.analyses, cuts),
        lambda: {slug: counts_above(curve, cuts) for slug, curve in session.execute(rows)},
    )


def density_curve(session: Session, run: RunInfo) -> CurveInfo:
    """The counts above round thresholds and the run's own."""
    cuts = thresholds_of(run.dense_threshold)
    return CurveInfo(cuts, density_counts(session, run, cuts), cuts.index(run.dense_threshold))


def density_bars(session: Session, run: RunInfo) -> dict[str, list[Bar]]:
    """By SAE slug: latents of each quarter of a decade of density."""
    return {slug: bars(above) for slug, above in density_counts(session, run, BAR_CUTS).items()}


def dense_in_pairs(session: Session, run: RunInfo) -> dict[int, int]:
    """By analysis: dense latents that belong to an antipodal pair."""
    return remembered(session, ("dense_in_pairs", run.analyses), lambda: _dense_in_pairs(session, run))


def _dense_in_pairs(session: Session, run: RunInfo) -> dict[int, int]:
    statement = (
        select(Latent.analysis_id, func.count())
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .where(Analysis.id.in_(run.analyses), DENSE, Latent.is_pair)
        .group_by(Latent.analysis_id)
    )
    return {row[0]: row[1] for row in session.execute(statement)}


def training_report(session: Session, slug: str) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """sae-lens' metadata and the training report beside the weights, if any."""
    row = session.execute(select(Sae.details, Sae.training).where(Sae.slug == slug)).one()
    return row.details, row.training


def slug_on_neuronpedia(session: Session, name: str, pin: Pin = UNPINNED) -> str | None:
    """The SAE whose metadata give it this name there, in what is pinned, else the one that was analysed last; None
    without one.

    Raises:
        NotFound: what is pinned is not there.
    """
    pinned = None if pin == UNPINNED else find_run(session, pin)
    statement = (
        select(Sae.slug)
        .join(Analysis, Analysis.sae_id == Sae.id)
        .join(Run, Run.id == Analysis.run_id)
        .where(Sae.neuronpedia_id == name, Run.status == "complete")
        .order_by(Run.finished.desc(), Run.id.desc(), Sae.slug)
    )
    return session.scalar((statement if pinned is None else statement.where(Analysis.id.in_(pinned.analyses))).limit(1))


def names_on_neuronpedia(session: Session, limit: int = 20) -> list[str]:
    """Names that SAEs of the store have there."""
    statement = select(Sae.neuronpedia_id).where(Sae.neuronpedia_id.is_not(None)).distinct()
    return [name for name in session.scalars(statement.order_by(Sae.neuronpedia_id).limit(limit)) if name]


def scatter_points(session: Session, run: RunInfo, limit: int = 4000) -> list[Point]:
    """The densest latents that have a partner score. Rare latents would only fill one corner of the plot."""
    return remembered(session, ("scatter", run.analyses, limit), lambda: _scatter_points(session, run, limit))


def _scatter_points(session: Session, run: RunInfo, limit: int) -> list[Point]:
    statement = (
        select(Sae.slug, Sae.layer, Latent.index, Latent.density, Latent.antipodality, Latent.cos_dec)
        .join(Analysis, Analysis.id == Latent.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .where(Analysis.id.in_(run.analyses), Latent.antipodality.is_not(None), Latent.density >= 0.01)
        .order_by(Latent.density.desc(), Sae.layer, Sae.slug, Latent.index)
        .limit(limit)
    )
    return [
        Point(slug, layer, index, density, score or 0.0, (cosine or 0.0) < 0)
        for slug, layer, index, density, score, cosine in session.execute(statement)
    ]
