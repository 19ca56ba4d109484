"""Experiments: SAEs trained on the same activations with different parts of them removed."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, computed_field
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.experiments.sentences import settings_said, summary_said
from app.http.errors import none_of
from app.shared.densities import counts_above
from app.shared.memory import remembered
from app.shared.record import Evidence, Hidden, Moment, Number, Record, cleaned, columns, read
from store.tables import Arm, Experiment, Model, Sae, Stability

ArmKey = tuple[str, int]
"""Name and seed."""


class ArmInfo(Record):
    """One SAE of an experiment."""

    experiment_id: int = Hidden
    name: str
    """original, dense, dimension, count, variance, components, fewer, pairs, abstopk, abstopk_half"""
    seed: int
    architecture: str
    width: int
    k: float
    removed_latents: int
    """Whose decoder directions span what was removed"""
    removed_dimensions: int
    removed_variance: Number
    """Share of the activations' variance"""
    n_dense: int
    n_dense_low: Number
    """95 % interval over documents"""
    n_dense_high: Number
    dense_mass_share: Number
    n_pairs: int
    signed_share: Number
    """Of the alive latents, those that use both signs; AbsTopK only"""
    fvu: Number
    alive_share: Number
    """Latents that fire on the held-out text"""
    l0: Number
    sha256: str
    """Of the weights"""
    seconds: float


class StabilityInfo(Record):
    """Whether a dense latent of the experiment's SAE comes back under other seeds."""

    index: int
    cosines: Annotated[list[float | None], BeforeValidator(lambda cosines: cleaned(cosines or []))]
    """Largest |cosine| with a latent of each seed"""
    found: int
    """Seeds in which it is found again"""
    stable: bool

    @property
    def least(self) -> float:
        """The seed that has it least."""
        return min((value or 0.0 for value in self.cosines), default=0.0)


def _with_words(summary: dict[str, Any]) -> dict[str, Any]:
    """And what they come to."""
    words = summary_said(summary)
    return summary | {"words": words} if words else summary


class ExperimentInfo(Record):
    """SAEs trained on the same activations with different parts of them removed."""

    id: int
    key: str
    """Hash of all that fixes its numbers"""
    sae: str
    """Whose dense latents are removed"""
    model: str
    layer: int
    analysis_id: int | None = Hidden
    tokens: int
    """Different tokens the SAEs are trained on"""
    eval_tokens: int
    """Held-out tokens that everything is measured on"""
    dense_threshold: float
    summary: Annotated[Evidence, AfterValidator(_with_words)]
    """Means over seeds with intervals, differences, angles, stability"""
    seconds: float
    finished: Moment

    @computed_field(description="Its page")  # type: ignore[prop-decorator]  # mypy knows no such pair
    @property
    def url(self) -> str:
        """Address of its page."""
        return f"/experiments/{self.id}"


class ExperimentDetail(ExperimentInfo):
    """One experiment with all its SAEs."""

    recipe: Evidence
    settings: Annotated[Evidence, AfterValidator(settings_said)]
    versions: Evidence
    arms: list[ArmInfo]
    stability: list[StabilityInfo]


def list_experiments(session: Session) -> list[ExperimentInfo]:
    """Newest first."""
    return read(session, ExperimentInfo, _joined().order_by(Experiment.id.desc()))


def find_experiment(session: Session, number: int) -> ExperimentDetail:
    """One experiment.

    Raises:
        NotFound: there is none of this number.
    """
    more = Experiment.recipe, Experiment.settings, Experiment.versions
    row = session.execute(_joined(*more).where(Experiment.id == number)).mappings().first()
    if row is None:
        raise none_of(session, Experiment.id, "experiment", number)
    return ExperimentDetail(**row, arms=list_arms(session, number), stability=_list_stability(session, number))


def list_arms(session: Session, number: int | None = None) -> list[ArmInfo]:
    """Arms of one experiment, or of all, by seed; without their densities."""
    statement = select(*columns(ArmInfo, Arm)).order_by(Arm.experiment_id, Arm.name, Arm.seed)
    return read(session, ArmInfo, statement if number is None else statement.where(Arm.experiment_id == number))


def arm_counts(session: Session, number: int, cuts: tuple[float, ...]) -> dict[ArmKey, list[int]]:
    """By arm and seed: how many of its latents are denser than each cut; arms whose densities were not kept are left
    out."""
    statement = select(Arm.name, Arm.seed, Arm.density_curve).where(Arm.experiment_id == number)
    rows = statement.execution_options(yield_per=1)
    return remembered(
        session,
        ("arm_counts", number, cuts),
        lambda: {(name, seed): counts_above(curve, cuts) for name, seed, curve in session.execute(rows) if curve},
    )


def _list_stability(session: Session, number: int) -> list[StabilityInfo]:
    """Those that come back in most seeds first."""
    statement = select(*columns(StabilityInfo, Stability)).where(Stability.experiment_id == number)
    return sorted(read(session, StabilityInfo, statement), key=lambda one: (-one.found, -one.least, one.index))


def _joined(*more: Any) -> Select[Any]:
    own = columns(ExperimentInfo, Experiment, sae=Sae.slug, model=Model.name, layer=Sae.layer)
    return select(*own, *more).join(Sae, Sae.id == Experiment.sae_id).join(Model, Model.id == Sae.model_id)
