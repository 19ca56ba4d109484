"""Latents, in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, create_model
from sqlalchemy import Column
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo
from app.classes import queries as classes
from app.classes.score import ScoreInfo
from app.deps import Index, SaeDep, SessionDep
from app.http.cache import Fresh
from app.interventions.queries import Change, EffectInfo, SteeringInfo, changes
from app.labels.queries import AssociationInfo
from app.latents import profiles
from app.latents import queries as latents
from app.latents.columns import MEASURED
from app.latents.filters import SaeList
from app.latents.profiles import Company, Histogram, LogitWeights, Series, TokenItem
from app.latents.queries import ChainInfo, Excerpt, LatentInfo
from app.latents.record import read_latent
from app.shared.fit import FitInfo
from app.shared.followed import Follows
from app.shared.links import latent_at
from app.shared.reasons import Reasons
from app.shared.record import Key
from app.verdicts import queries as verdicts
from app.verdicts.queries import Ground, Missing
from store.vocabulary import MIXTURE

router = APIRouter(dependencies=[Fresh])
LISTS = ("top_tokens", "promoted", "suppressed")
_OWN = (*(column.name for column in MEASURED), "index", "layer", "quantiles", "reasons")


def _field(column: Column[Any]) -> Any:
    kind: Any = column.type.python_type
    return (kind | None if column.nullable else kind), Field(description=column.doc)


Measured: Any = create_model("Measured", **{column.name: _field(column) for column in MEASURED})


# its fields are the table's, so that a new column is in the API by itself
class LatentOut(Measured):  # type: ignore[misc]
    """One latent in one run. A null number has its reason in `reasons`."""

    sae: str
    run: int
    url: str = Field(description="Its page")
    index: int
    layer: int
    quantiles: dict[str, float] | None = Field(description="Of the firing activations")
    classes: dict[str, ScoreInfo] = Field(description="By name; empty where they were not measured")
    mixture: ScoreInfo | None = Field(description="Whether its signal is a sum of sparse latents")
    effects: dict[str, Change] = Field(
        description="What changes without it: loss, kl, entropy, top1, rank, mediated; empty where it was not ablated"
    )
    equivalent: bool | None = Field(description="The interval of the loss lies within the ablation's +- epsilon")
    verdict: str | None = Field(description="By rule: keep, investigate or prune; no person's")
    category: str | None = Field(description="A person's: a class's name, or the key of a category of the team's own")
    annotation: AnnotationInfo | None = Field(description="What people say of it now; null: nothing")
    top_tokens: list[TokenItem]
    promoted: list[TokenItem]
    suppressed: list[TokenItem]
    reasons: Reasons


class LatentPageOut(BaseModel):
    """Some latents. Pass `next` as `cursor` for those that follow; null on the last page."""

    items: list[LatentOut]
    next: str | None
    total: int = Field(description="Latents that pass the filters")
    total_is_more: bool = Field(description="More pass than `total` says: where a part of a token is in very many")


class LatentDetailOut(LatentOut):
    """One latent with all that is kept of it."""

    histogram: Histogram | None
    top_tokens_mass: list[TokenItem]
    positions: dict[str, Series]
    logits: LogitWeights | None = Field(description="Logit weights over the vocabulary; null: no detail was kept")
    follows: Follows | None = Field(description="What its variance is predicted by; null: not divided")
    company: Company | None = Field(description="Latents that fire with it, and apart from it; null: not compared")
    examples: list[Excerpt]
    chains: list[ChainInfo]
    labels: list[AssociationInfo]
    grounds: list[Ground] = Field(description="Of the verdict; the first is the rule's own sentence")
    missing: list[Missing] = Field(description="Measurements that the verdict lacks")
    pair_effects: dict[str, Change] = Field(description="What changes without it and its mirror image")
    steering: list[SteeringInfo]
    fit: list[FitInfo] = Field(description="Whether its SAE fits the model and the texts it was read on")


@router.get("/saes/{slug:path}/latents/{index}")
def get_latent(session: SessionDep, analysed: SaeDep, index: Index) -> LatentDetailOut:
    """One latent with its profiles and examples."""
    record = read_latent(session, analysed.sae, index)
    found, ruled = record.profiles, record.verdict
    more: dict[str, Any] = {
        **of_scores(record.scores),
        "chains": sorted(record.chain.values(), key=lambda step: step.side != "previous"),
        "labels": record.associations,
        "histogram": found.histogram,
        "top_tokens_mass": found.top_tokens_mass,
        "positions": found.positions,
        "logits": found.logits,
        "follows": found.follows,
        "company": found.company,
        "examples": record.examples(),
        **_effects(record.effect, ruled),
        "grounds": ruled.grounds if ruled else [],
        "missing": ruled.missing if ruled else [],
        "pair_effects": changes(record.pair_effect),
        "steering": record.steering,
        "fit": analysed.sae.fit,
        **_said(record.said),
    }
    tokens: dict[str, Any] = {name: getattr(found, name) for name in LISTS}
    return LatentDetailOut(**_fields(record.latent, analysed.sae.run), **tokens, **more)


@router.get("/saes/{slug:path}/latents")
def list_latents(session: SessionDep, analysed: SaeDep, asked: Annotated[SaeList, Query()]) -> LatentPageOut:
    """Latents of one SAE by filters and sort, a page at a time."""
    found = latents.list_latents(session, [analysed.sae], asked, asked.by, asked.after, asked.limit)
    items = [LatentOut(**_fields(item, analysed.sae.run), **more) for item, more in _with_more(session, found.keys)]
    after = found.next.encode() if found.next else None
    return LatentPageOut(items=items, next=after, total=found.total.number, total_is_more=found.total.more)


def _fields(latent: LatentInfo, run: int) -> dict[str, Any]:
    own = {name: getattr(latent, name) for name in _OWN}
    return {**own, "sae": latent.slug, "run": run, "url": latent_at(latent.slug, latent.index)}


def _said(found: AnnotationInfo | None) -> dict[str, Any]:
    """What people say now; null where nobody said anything, or all was taken back."""
    if found is None or found.empty:
        return {"category": None, "annotation": None}
    return {"category": found.category, "annotation": found}


def _effects(found: EffectInfo | None, ruled: verdicts.VerdictInfo | None) -> dict[str, Any]:
    return {
        "effects": changes(found),
        "equivalent": None if found is None else found.equivalent,
        "verdict": None if ruled is None else ruled.verdict,
    }


def _with_more(session: Session, keys: Sequence[Key]) -> list[tuple[LatentInfo, dict[str, Any]]]:
    """Token lists, classes, effects, verdicts and annotations of a page of one SAE's latents."""
    found = profiles.token_lists(session, keys, LISTS)
    indices = [index for _analysis, index in keys]
    scores = classes.find_scores(session, keys[0][0], indices, evidence=False) if keys else {}
    return [
        (
            one.latent,
            {name: found.get((one.latent.analysis_id, one.latent.index, name), []) for name in LISTS}
            | of_scores(scores.get(one.latent.index, {}))
            | _effects(one.effect, one.verdict)
            | _said(one.said),
        )
        for one in latents.find_shown(session, keys)
    ]


def of_scores(scores: Mapping[str, ScoreInfo]) -> dict[str, Any]:
    """`classes` and `mixture` of an answer."""
    return {"mixture": scores.get(MIXTURE), "classes": {name: one for name, one in scores.items() if name != MIXTURE}}
