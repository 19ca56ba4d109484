"""Pairs, in JSON."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from app.annotations.queries import AnnotationInfo
from app.deps import Index, SaeDep, SessionDep
from app.http.cache import Fresh
from app.interventions.queries import Change, SteeringInfo, changes
from app.pairs.queries import PairInfo
from app.pairs.record import PairFollows, read_pair
from app.shared.fit import FitInfo
from app.shared.links import pair_at

router = APIRouter(dependencies=[Fresh])


class PairOut(PairInfo):
    """Two latents as one signed signal; `positive` is the denser one."""

    sae: str
    run: int
    url: str
    annotation: AnnotationInfo | None = Field(description="What people say of the two now; null: nothing")
    effects: dict[str, Change] = Field(description="What changes without the two; empty where they were not ablated")
    equivalent: bool | None = Field(description="The interval of the loss lies within the ablation's +- epsilon")
    steering: list[SteeringInfo]
    follows: PairFollows | None = Field(description="What they follow as one signal; null: not divided")
    fit: list[FitInfo] = Field(description="Whether their SAE fits the model and the texts it was read on")


@router.get("/saes/{slug:path}/pairs/{first}/{second}")
def get_pair(session: SessionDep, found: SaeDep, first: Index, second: Index) -> PairOut:
    """A pair's joint facts, its latents named in either order."""
    sae = found.sae
    record = read_pair(session, sae, first, second)
    pair, effect, said = record.pair, record.effect, record.said
    return PairOut(
        sae=sae.slug,
        run=sae.run,
        url=pair_at(sae.slug, pair.positive, pair.negative),
        **dict(pair),
        annotation=None if said is None or said.empty else said,
        effects=changes(effect),
        equivalent=None if effect is None else effect.equivalent,
        steering=record.steering,
        follows=record.follows,
        fit=sae.fit,
    )
