"""Latents, in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, annotations_of
from app.classes import queries as classes
from app.classes.queries import ScoreInfo
from app.deps import Index, RunId, SaeDep, SessionDep, Slug
from app.http.cache import Fresh
from app.interventions import effects
from app.interventions.api import Change, changes
from app.interventions.steering_queries import SteeringInfo
from app.labels.queries import AssociationInfo
from app.latents import filters as parse
from app.latents import profiles
from app.latents import queries as latents
from app.latents.chains import ChainInfo
from app.latents.profiles import Histogram, Series, TokenItem
from app.latents.queries import LatentInfo
from app.latents.record import read_latent
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.verdicts import queries as verdicts
from app.verdicts.queries import Ground, Missing
from store.vocabulary import MIXTURE

router = APIRouter(dependencies=[Fresh])
LISTS = ("top_tokens", "promoted", "suppressed")
SCORE = ("label", "score", "cut", "chance", "control", "p", "q", "words")


class ClassOut(BaseModel):
    """What one class says of one latent. A null number was not measured; `words` says why."""

    label: str = Field(
        description="yes, likely (a part is not measured yet), no, unmeasured; of the mixture: sum, aggregate, own"
    )
    score: float | None = Field(description="What is compared with the cut")
    cut: float | None = Field(description="What the score must reach: a setting of the run")
    chance: float | None = Field(description="What the largest of 64 random directions reaches on the same text")
    control: float | None = Field(description="The same measure where it must not hold; see the class's definition")
    p: float | None = Field(description="Where a test is made")
    q: float | None = Field(description="p after Benjamini-Hochberg over the SAE's latents with detail")
    words: str = Field(description="One plain sentence")
    data: dict[str, Any] | None = Field(description="The evidence; null in lists")


class LatentOut(BaseModel):
    """One latent in one run. A null number has its reason in `reasons`."""

    sae: str
    run: int
    url: str = Field(description="Its page")
    index: int
    layer: int
    density: float = Field(description="Share of counted tokens on which it fires")
    density_low: float | None = Field(description="95 % interval over documents")
    density_high: float | None
    is_dense: bool
    borderline: bool = Field(description="The interval contains the threshold")
    mean: float | None = Field(description="Over firing tokens, massive ones left out")
    std: float | None
    skewness: float | None
    max: float | None
    mass_share: float | None
    antipodality: float | None = Field(description="Largest product of encoder and decoder cosine with another latent")
    cos_enc: float | None
    cos_dec: float | None
    partner: int | None
    mutual: bool
    is_pair: bool
    duplicate_of: int | None
    cos_bias: float | None
    decoder_norm: float | None
    quantiles: dict[str, float] | None = Field(description="Of the firing activations")
    detail: str | None = Field(
        description="Why examples were kept: dense, partner, control, asked; null: they were not"
    )
    classes: dict[str, ClassOut] = Field(description="By name; empty where they were not measured")
    mixture: ClassOut | None = Field(description="Whether its signal is a sum of sparse latents")
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
    reasons: dict[str, str]


class LatentPageOut(BaseModel):
    """Some latents. Pass `next` as `cursor` for those that follow; null on the last page."""

    items: list[LatentOut]
    next: str | None
    total: int


class ExampleOut(BaseModel):
    """A stretch of text; activations are aligned with tokens."""

    kind: str = Field(description="top, level4 to level1, random, off")
    document: str
    labels: dict[str, Any]
    position: int = Field(description="Character of the document at which the context begins")
    focus: int = Field(description="Which token the example is about")
    tokens: list[str]
    activations: list[float]
    partner: list[float] | None


class LatentDetailOut(LatentOut):
    """One latent with all that is kept of it."""

    histogram: Histogram | None
    top_tokens_mass: list[TokenItem]
    positions: dict[str, Series]
    examples: list[ExampleOut]
    chains: list[ChainInfo]
    labels: list[AssociationInfo]
    grounds: list[Ground] = Field(description="Of the verdict; the first is the rule's own sentence")
    missing: list[Missing] = Field(description="Measurements that the verdict lacks")
    pair_effects: dict[str, Change] = Field(description="What changes without it and its mirror image")
    steering: list[SteeringInfo]


@router.get("/saes/{slug:path}/latents/{index}")
def get_latent(session: SessionDep, analysed: SaeDep, index: Index) -> LatentDetailOut:
    """One latent with its profiles and examples."""
    record = read_latent(session, analysed.sae, index)
    found, ruled = record.profiles, record.verdict
    more: dict[str, Any] = {
        **of_scores(record.scores, evidence=True),
        "chains": sorted(record.chain.values(), key=lambda step: step.side != "previous"),
        "labels": record.associations,
        "histogram": found.histogram,
        "top_tokens_mass": found.top_tokens_mass,
        "positions": found.positions,
        "examples": [ExampleOut(**asdict(text)) for text in record.examples()],
        **_effects(record.effect, ruled),
        "grounds": ruled.grounds if ruled else [],
        "missing": ruled.missing if ruled else [],
        "pair_effects": changes(record.pair_effect),
        "steering": record.steering,
        **_said(record.said),
    }
    tokens: dict[str, Any] = {name: getattr(found, name) for name in LISTS}
    return LatentDetailOut(**_fields(record.latent, analysed.run), **tokens, **more)


@router.get("/saes/{slug:path}/latents")
def list_latents(
    session: SessionDep,
    slug: Slug,
    asked: Annotated[latents.Filters, Depends(parse.latent_filters)],
    run: RunId = None,
    sort: parse.Sort = "density",
    order: parse.Direction = None,
    cursor: parse.Next = None,
    limit: parse.Limit = 50,
) -> LatentPageOut:
    """Latents of one SAE by filters and sort, a page at a time."""
    of, by = runs.run_of_sae(session, slug, run), parse.order(sort or "density", order)
    wanted = latents.Filters(**{**asdict(asked), "sae": slug})
    found = latents.list_latents(session, of, wanted, by, parse.cursor(cursor, by), limit)
    items = [LatentOut(**_fields(item, of), **more) for item, more in _with_more(session, found.items)]
    return LatentPageOut(items=items, next=found.next.encode() if found.next else None, total=found.total)


def _fields(latent: LatentInfo, run: RunInfo) -> dict[str, Any]:
    own = {name: value for name, value in asdict(latent).items() if name not in {"top_tokens", "spark", "slug"}}
    place = {"sae": latent.slug, "run": run.id, "url": f"/saes/{latent.slug}/latents/{latent.index}"}
    return {**own, **place}


def _said(found: AnnotationInfo | None) -> dict[str, Any]:
    """What people say now; null where nobody said anything, or all was taken back."""
    if found is None or found.empty:
        return {"category": None, "annotation": None}
    return {"category": found.category, "annotation": found}


def _effects(found: effects.EffectInfo | None, ruled: verdicts.VerdictInfo | None) -> dict[str, Any]:
    return {
        "effects": changes(found),
        "equivalent": None if found is None else found.equivalent,
        "verdict": None if ruled is None else ruled.verdict,
    }


def _with_more(session: Session, items: list[LatentInfo]) -> list[tuple[LatentInfo, dict[str, Any]]]:
    """Token lists, classes, effects, verdicts and annotations of a page of one SAE's latents."""
    keys = [(item.analysis_id, item.index) for item in items]
    found = profiles.token_lists(session, keys, LISTS)
    broken, ruled = effects.own_effects(session, keys), verdicts.verdicts_of(session, keys)
    said = annotations_of(session, keys)
    scores = classes.find_scores(session, items[0].analysis_id, [item.index for item in items]) if items else {}
    return [
        (
            item,
            {name: found.get((item.analysis_id, item.index, name), []) for name in LISTS}
            | of_scores(scores.get(item.index, {}), evidence=False)
            | _effects(broken.get((item.analysis_id, item.index)), ruled.get((item.analysis_id, item.index)))
            | _said(said.get((item.analysis_id, item.index))),
        )
        for item in items
    ]


def of_scores(scores: Mapping[str, ScoreInfo], evidence: bool) -> dict[str, Any]:
    """`classes` and `mixture` of an answer."""
    made = {name: _score(score, evidence) for name, score in scores.items()}
    return {"mixture": made.pop(MIXTURE, None), "classes": made}


def _score(score: ScoreInfo, evidence: bool) -> ClassOut:
    return ClassOut(**{name: getattr(score, name) for name in SCORE}, data=score.data if evidence else None)
