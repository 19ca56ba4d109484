"""Pairs, in JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, Subject, find_latest
from app.deps import Index, SaeDep, SessionDep
from app.http.cache import Fresh
from app.interventions import steering_queries as steering
from app.interventions.api import Change, changes
from app.interventions.causal import causal_of
from app.interventions.steering_queries import SteeringInfo
from app.pairs.page import measured_pair
from app.saes.queries import SaeInfo

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
    pair = measured_pair(session, sae, first, second)
    url = f"/saes/{sae.slug}/pairs/{pair.positive}/{pair.negative}"
    said = find_latest(session, Subject.pair(sae.sha256, first, second))
    more = _causes(session, sae, first, second) | {"annotation": None if said is None or said.empty else said}
    return PairOut(sae=sae.slug, run=run.id, url=url, **asdict(pair), **more)


def _causes(session: Session, sae: SaeInfo, first: int, second: int) -> dict[str, Any]:
    """What interventions say of two latents together."""
    causal = causal_of(session, sae.analysis_id, [first, second], plotted=False)
    both = causal.of(first, second)
    steered = [] if causal.steer is None else steering.steering_of(session, causal.steer.id, first)
    own = [one for one in steered if {one.positive, one.negative} == {first, second}]
    return {
        "effects": changes(both),
        "equivalent": None if both is None else both.equivalent,
        "steering": own,
    }
