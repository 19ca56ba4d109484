"""What the store holds of a study: whether a step is done, and what its units did, in a form that the next can be held
against. No torch."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from analysis import __version__
from analysis.interventions.ablate.config import AblateConfig
from store.session import database_url, make_engine, session_factory, sqlite_path
from store.tables import Analysis, Association, Experiment, Intervention, Label, Latent, Run, Sae
from store.vocabulary import ABLATE, CONTROL, YES
from store.writing import COMPLETE

Facts = dict[str, Any]
"""SAE's identity -> {"slug", "layer", "latents", "dense", "borderline", "pairs", "units": {index: {"density", "low",
"high", "dense", "follows": {label: {"effect", "low", "high", "measure"}}}}, "labels": {label: None, or why not}}.
Plain JSON: the study's file keeps it, so that the next study can be compared when the run is gone."""
_SETTINGS = ("tokens", "controls", "sets", "epsilon", "seed", "contexts")


@dataclass(frozen=True)
class Analysed:
    """An SAE in a run."""

    id: int
    run: int
    slug: str
    sha256: str
    dense: int


@contextmanager
def reading(db: str) -> Iterator[Session | None]:
    """A session that only reads; None where there is no store, or one of another version, which the next step says."""
    path = sqlite_path(database_url(db))
    if path is not None and not path.exists():
        yield None
        return
    engine = make_engine(db, read_only=True)
    try:
        with session_factory(engine)() as session:
            try:
                session.execute(select(Run.id, Run.status, Analysis.judged).join(Analysis, isouter=True).limit(1))
            except SQLAlchemyError:
                session.rollback()
                yield None
                return
            yield session
    finally:
        engine.dispose()


def complete(session: Session | None, entry: Mapping[str, Any]) -> bool:
    """Whether the store has all runs of an entry, whole. By their keys, too: a store that was deleted and made anew
    gives the same ids to other runs."""
    if session is None or not entry.get("runs"):
        return False
    return bool(keys_of(session, entry["runs"]) == entry["keys"])


def keys_of(session: Session, runs: Sequence[int]) -> list[str]:
    """Of these runs, as far as they are there and whole."""
    wanted = select(Run.id, Run.key).where(Run.id.in_(runs), Run.status == COMPLETE)
    known = {number: key for number, key in session.execute(wanted)}  # noqa: C416 -- rows are no pairs to a checker
    return [known[number] for number in runs if number in known]


def analyses(session: Session, runs: Sequence[int]) -> list[Analysed]:
    """The SAEs of these runs, by layer."""
    wanted = select(Analysis.id, Analysis.run_id, Sae.slug, Sae.sha256, Analysis.n_dense)
    wanted = wanted.join(Sae, Sae.id == Analysis.sae_id).where(Analysis.run_id.in_(runs))
    return [Analysed(*row) for row in session.execute(wanted.order_by(Sae.layer, Sae.slug))]


def sources(session: Session | None, runs: Sequence[int]) -> list[str]:
    """Where the SAEs of these runs were read from, in their order."""
    if session is None:
        return []
    wanted = select(Sae.source).join(Analysis, Analysis.sae_id == Sae.id).where(Analysis.run_id.in_(runs))
    return list(session.scalars(wanted.order_by(Analysis.id)))


def ablated(session: Session, analysis_id: int, config: AblateConfig) -> int | None:
    """The ablation that this configuration asks for, if the store has it: of this version, with these settings."""
    wanted = select(Intervention).where(Intervention.analysis_id == analysis_id, Intervention.kind == ABLATE)
    found = session.scalar(wanted)
    if found is None or found.versions.get("dense-latents") != __version__:
        return None
    run = session.get_one(Run, session.get_one(Analysis, analysis_id).run_id)
    dtype = run.settings.get("model_dtype") if config.dtype == "run" else config.dtype
    same_dtype = config.dtype == "auto" or found.settings.get("model_dtype") == dtype
    same = same_dtype and all(found.settings.get(name) == getattr(config, name) for name in _SETTINGS)
    return found.id if same else None


def experiments(session: Session | None, ids: Sequence[int]) -> bool:
    """Whether the store has all of these experiments."""
    if session is None:
        return False
    return session.scalar(select(func.count(Experiment.id)).where(Experiment.id.in_(ids))) == len(set(ids))


def judged(session: Session | None, runs: Sequence[int]) -> bool:
    """Whether the rule has judged all of these runs."""
    if session is None:
        return False
    waiting = select(Analysis.id).where(Analysis.run_id.in_(runs), Analysis.judged.is_(None)).limit(1)
    return session.scalar(waiting) is None


def facts(session: Session, runs: Sequence[int], also: Mapping[str, Collection[int]]) -> Facts:
    """What is compared of these runs: dense units, and those that another study found dense.

    Args:
        also: SAE's identity -> indices.
    """
    found: Facts = {}
    for one in analyses(session, runs):
        row = session.get_one(Analysis, one.id)
        sae = session.get_one(Sae, row.sae_id)
        rows = session.execute(select(Label.name, Label.reason).where(Label.run_id == one.run).order_by(Label.id))
        labels: dict[str, Any] = {name: reason for name, reason in rows}  # noqa: C416 -- rows are no pairs to a checker
        found[one.sha256] = {
            "slug": one.slug,
            "layer": sae.layer,
            "latents": sae.n_latents,
            "dense": row.n_dense,
            "borderline": row.n_borderline,
            "pairs": row.n_pairs,
            "units": _units(session, one.id, set(also.get(one.sha256, ()))),
            "labels": labels,
        }
    return found


def _units(session: Session, analysis_id: int, also: set[int]) -> dict[str, Facts]:
    follows: dict[int, Facts] = defaultdict(dict)
    columns = (Association.effect, Association.low, Association.high, Label.measure, Association.statement)
    wanted = select(Association.index, Label.name, *columns).join(Label, Label.id == Association.label_id)
    wanted = wanted.where(Association.analysis_id == analysis_id, Association.verdict == YES)
    for index, name, effect, low, high, measure, said in session.execute(wanted.order_by(Label.id)):
        more = {key: said[key] for key in ("after", "still", "inseparable") if said.get(key) is not None}
        follows[index][name] = {"effect": effect, "low": low, "high": high, "measure": measure, **more}
    densities = (Latent.index, Latent.density, Latent.density_low, Latent.density_high, Latent.is_dense)
    rows = session.execute(
        select(*densities)
        .where(Latent.analysis_id == analysis_id, Latent.is_dense | Latent.index.in_(sorted(also)))
        .order_by(Latent.index)
    )
    return {
        str(index): {"density": density, "low": low, "high": high, "dense": dense, "follows": follows.get(index, {})}
        for index, density, low, high, dense in rows
    }


def controls(session: Session, runs: Sequence[int]) -> dict[str, tuple[Counter[str], int]]:
    """SAE's identity -> how many sparse controls follow each label, and how many there are."""
    found = {}
    for one in analyses(session, runs):
        own = (Latent.analysis_id == one.id, Latent.detail == CONTROL)
        wanted = select(Label.name).join(Association, Association.label_id == Label.id)
        wanted = wanted.join(
            Latent, (Latent.analysis_id == Association.analysis_id) & (Latent.index == Association.index)
        )
        names = session.scalars(wanted.where(*own, Association.verdict == YES))
        total = session.scalar(select(func.count(Latent.index)).where(*own)) or 0
        found[one.sha256] = (Counter(names), total)
    return found
