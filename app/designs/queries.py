"""Comparisons of designs: SAEs trained on the same activations at equal L0."""

from __future__ import annotations

from typing import Any

from pydantic import computed_field
from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app.http.errors import none_of
from app.shared.record import Evidence, Hidden, Moment, Number, Record, columns, read
from store.tables import Design, DesignComparison, Model, Sae


class DesignInfo(Record):
    """One SAE of a comparison, measured on held-out text; of both parts where something stands beside it."""

    comparison_id: int = Hidden
    name: str
    """Its kind, with the rank, and `counted` where that was taken off k"""
    kind: str
    """plain, raised, lowered, bottleneck, principal, random, frequency, abstopk"""
    rank: int
    """Of what stands beside it, or of what k is raised or lowered by; 0 for neither"""
    counted: bool
    """Whether the rank was taken off k"""
    seed: int
    architecture: str
    width: int
    k: float
    n_dense: int
    n_dense_low: Number
    """95 % interval over documents"""
    n_dense_high: Number
    fvu: Number
    fvu_low: Number
    fvu_high: Number
    loss_recovered: Number
    """(Loss at zero less loss with the reconstruction) over (loss at zero less loss of the model as it is)"""
    loss_recovered_low: Number
    loss_recovered_high: Number
    loss_clean: Number
    """Nats per token, as the other losses"""
    loss_spliced: Number
    loss_zeroed: Number
    loss_without: Number
    """Without what goes through the bottleneck"""
    n_pairs: int
    alive_share: Number
    l0: Number
    """Of the latents alone"""
    dense_mass_share: Number
    signed_share: Number
    """Of the alive latents, those that use both signs; AbsTopK only"""
    sha256: str
    """Of the weights, the bottleneck's among them"""
    seconds: float


class ComparisonInfo(Record):
    """Designs of SAEs trained on one SAE's model, hook point and texts at equal L0."""

    id: int
    key: str
    """Hash of all that fixes its numbers"""
    sae: str
    """Whose model, hook point, texts and recipe all designs have"""
    model: str
    layer: int
    tokens: int
    """Different tokens the SAEs are trained on"""
    eval_tokens: int
    """Held-out tokens they are measured on"""
    loss_tokens: int
    """Of those, how many the model's loss is measured on"""
    dense_threshold: float
    summary: Evidence
    """Means with intervals, differences from the plain design, subspaces over seeds, what latents follow"""
    seconds: float
    finished: Moment

    @computed_field(description="Its page")  # type: ignore[prop-decorator]  # mypy knows no such pair
    @property
    def url(self) -> str:
        """Address of its page."""
        return f"/experiments/designs/{self.id}"


class ComparisonDetail(ComparisonInfo):
    """One comparison with all its SAEs."""

    recipe: Evidence
    settings: Evidence
    versions: Evidence
    designs: list[DesignInfo]


def list_comparisons(session: Session) -> list[ComparisonInfo]:
    """Newest first."""
    return read(session, ComparisonInfo, _joined().order_by(DesignComparison.id.desc()))


def find_comparison(session: Session, number: int) -> ComparisonDetail:
    """One comparison.

    Raises:
        NotFound: there is none of this number.
    """
    more = DesignComparison.recipe, DesignComparison.settings, DesignComparison.versions
    row = session.execute(_joined(*more).where(DesignComparison.id == number)).mappings().first()
    if row is None:
        raise none_of(session, DesignComparison.id, "comparison", number)
    own = select(*columns(DesignInfo, Design)).where(Design.comparison_id == number).order_by(Design.place)
    return ComparisonDetail(**row, designs=read(session, DesignInfo, own))


def _joined(*more: Any) -> Select[Any]:
    own = columns(ComparisonInfo, DesignComparison, sae=Sae.slug, model=Model.name, layer=Sae.layer)
    statement = select(*own, *more).join(Sae, Sae.id == DesignComparison.sae_id)
    return statement.join(Model, Model.id == Sae.model_id)
