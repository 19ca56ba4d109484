"""Experiments: SAEs trained on the same activations with different parts of them removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, defer

from app.http.errors import NotFound
from app.latents.profiles import cleaned
from store.tables import Arm, Experiment, Model, Sae, Stability


@dataclass(frozen=True)
class ExperimentInfo:
    """One experiment, without its arms."""

    id: int
    key: str
    sae: str
    """Slug of the SAE whose dense latents are removed."""
    model: str
    layer: int
    analysis_id: int | None
    tokens: int
    """Different tokens the arms are trained on."""
    eval_tokens: int
    """Held-out tokens the densities are measured on."""
    dense_threshold: float
    recipe: dict[str, Any]
    settings: dict[str, Any]
    versions: dict[str, Any]
    summary: dict[str, Any]
    seconds: float
    finished: datetime


@dataclass(frozen=True)
class ArmInfo:
    """One SAE of an experiment. A number that was not measured is None."""

    experiment_id: int
    name: str
    seed: int
    architecture: str
    width: int
    k: float
    removed_latents: int
    removed_dimensions: int
    removed_variance: float | None
    n_dense: int
    n_dense_low: float | None
    n_dense_high: float | None
    dense_mass_share: float | None
    n_pairs: int
    signed_share: float | None
    fvu: float | None
    alive_share: float | None
    l0: float | None
    sha256: str
    seconds: float


@dataclass(frozen=True)
class StabilityInfo:
    """Whether a latent comes back in SAEs trained anew from other seeds."""

    index: int
    cosines: list[float | None]
    """The largest |cosine| of its decoder direction with a latent of each seed."""
    found: int
    stable: bool

    @property
    def least(self) -> float:
        """The seed that has it least."""
        return min((value or 0.0 for value in self.cosines), default=0.0)


def list_experiments(session: Session) -> list[ExperimentInfo]:
    """Newest first."""
    return [_info(*row) for row in session.execute(_joined().order_by(Experiment.id.desc()))]


def find_experiment(session: Session, number: int) -> ExperimentInfo:
    """One experiment.

    Raises:
        NotFound: there is none of this number.
    """
    row = session.execute(_joined().where(Experiment.id == number)).first()
    if row is None:
        known = ", ".join(map(str, session.scalars(select(Experiment.id).order_by(Experiment.id).limit(20))))
        raise NotFound(f"There is no experiment {number}. This store has: {known or 'none yet'}.")
    return _info(*row)


def list_arms(session: Session, number: int | None = None) -> list[ArmInfo]:
    """Arms of one experiment, or of all, by seed; without their densities."""
    statement = select(Arm).options(defer(Arm.density_curve)).order_by(Arm.experiment_id, Arm.name, Arm.seed)
    return [_arm(row) for row in session.scalars(statement if number is None else _of(statement, number))]


def arm_curves(session: Session, number: int) -> dict[tuple[str, int], list[float]]:
    """By arm and seed: all densities, descending."""
    statement = select(Arm.name, Arm.seed, Arm.density_curve).where(Arm.experiment_id == number)
    return {(name, seed): curve for name, seed, curve in session.execute(statement)}


def list_stability(session: Session, number: int) -> list[StabilityInfo]:
    """Those that come back in most seeds first."""
    rows = session.scalars(select(Stability).where(Stability.experiment_id == number))
    found = [StabilityInfo(row.index, cleaned(row.cosines or []), row.found, row.stable) for row in rows]
    return sorted(found, key=lambda one: (-one.found, -one.least, one.index))


def _joined() -> Select[Experiment, Sae, str]:
    return (
        select(Experiment, Sae, Model.name)
        .join(Sae, Sae.id == Experiment.sae_id)
        .join(Model, Model.id == Sae.model_id)
        .options(defer(Sae.details), defer(Sae.training))
    )


def _of(statement: Select[Arm], number: int) -> Select[Arm]:
    return statement.where(Arm.experiment_id == number)


def _info(row: Experiment, sae: Sae, model: str) -> ExperimentInfo:
    names = ("id", "key", "analysis_id", "tokens", "eval_tokens", "dense_threshold", "seconds")
    nested = {name: cleaned(getattr(row, name) or {}) for name in ("recipe", "settings", "versions", "summary")}
    return ExperimentInfo(
        sae=sae.slug,
        model=model,
        layer=sae.layer,
        finished=row.finished.replace(tzinfo=UTC),  # SQLite keeps no zone; the worker writes UTC
        **{name: getattr(row, name) for name in names},
        **nested,
    )


def _arm(row: Arm) -> ArmInfo:
    held: dict[str, Any] = {name: getattr(row, name) for name in ArmInfo.__dataclass_fields__}
    return ArmInfo(**cleaned(held))
