"""Pairs, in JSON."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.annotations.queries import AnnotationInfo
from app.deps import Index, SaeDep, SessionDep
from app.http.cache import Fresh
from app.interventions.api import Change, changes
from app.interventions.steering_queries import SteeringInfo
from app.pairs.record import read_pair
from app.shared.links import pair_at

router = APIRouter(dependencies=[Fresh])


class PairOut(BaseModel):
    """Two latents as one signed signal; `positive` is the denser one."""

    sae: str
    run: int
    url: str
    positive: int
    negative: int
    is_pair: bool
    score: float | None
    cos_enc: float | None
    cos_dec: float | None
    correlation: float | None
    r2: float | None
    r2_single: float | None
    joint_1d: bool
    coverage: float
    dead_zone: float
    cofiring: float
    cofiring_ratio: float | None
    z_sd: float | None
    histogram: dict[str, list[float]]
    annotation: AnnotationInfo | None = Field(description="What people say of the two now; null: nothing")
    effects: dict[str, Change] = Field(description="What changes without the two; empty where they were not ablated")
    equivalent: bool | None = Field(description="The interval of the loss lies within the ablation's +- epsilon")
    steering: list[SteeringInfo]
    reasons: dict[str, str]


@router.get("/saes/{slug:path}/pairs/{first}/{second}")
def get_pair(session: SessionDep, found: SaeDep, first: Index, second: Index) -> PairOut:
    """A pair's joint facts, its latents named in either order."""
    run, sae = found
    record = read_pair(session, sae, first, second)
    pair, effect, said = record.pair, record.effect, record.said
    return PairOut(
        sae=sae.slug,
        run=run.id,
        url=pair_at(sae.slug, pair.positive, pair.negative),
        **asdict(pair),
        annotation=None if said is None or said.empty else said,
        effects=changes(effect),
        equivalent=None if effect is None else effect.equivalent,
        steering=record.steering,
    )
