"""The same as the pages, in JSON, under /api/v1."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from sqlalchemy.orm import Session

from app import api_answers as answers
from app.annotations.queries import AnnotationInfo, Subject, annotations_of, find_latest
from app.annotations.schemas import AnnotationOut
from app.api_docs.openapi import description
from app.classes import queries as classes
from app.deps import Index, Number, RunId, SessionDep, Slug
from app.experiments import queries as experiments
from app.experiments.schemas import ExperimentDetailOut, ExperimentOut
from app.http.cache import Fresh
from app.interventions import effects
from app.interventions import steering_queries as steering
from app.interventions.causal import causal_of
from app.labels import queries as labels
from app.labels.schemas import LabelOut
from app.latents import chains, examples, profiles
from app.latents import filters as parse
from app.latents import queries as latents
from app.latents.queries import LatentInfo
from app.latents.schemas import ExampleOut, LatentDetailOut, LatentOut, LatentPageOut, PairOut
from app.methods.queries import list_terms
from app.pairs.page import measured_pair
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.runs.schemas import RunOut, SaeOut, StatisticOut
from app.saes import queries as saes
from app.verdicts import queries as verdicts

router = APIRouter(prefix="/api/v1", dependencies=[Fresh])
LISTS = ("top_tokens", "promoted", "suppressed")


@router.get("/openapi.json", include_in_schema=False)
def openapi(request: Request) -> JSONResponse:
    """The description of this API."""
    return JSONResponse(description(request.app))


@router.get("/runs")
def list_runs(session: SessionDep) -> list[RunOut]:
    """Complete runs, newest first."""
    return [RunOut(**asdict(run)) for run in runs.list_runs(session)]


@router.get("/saes")
def list_saes(session: SessionDep, run: RunId = None) -> list[SaeOut]:
    """SAEs of a run by layer; without one, every SAE as its newest run saw it."""
    shown = [runs.find_run(session, run)] if run else list(runs.list_runs(session))
    found: dict[str, saes.SaeInfo] = {}
    for item in shown:
        for sae in saes.list_saes(session, item) if item else []:
            found.setdefault(sae.slug, sae)
    ordered = sorted(found.values(), key=lambda sae: (sae.model, sae.layer, sae.slug))
    return [SaeOut(**{**asdict(sae), "run": sae.run_id}) for sae in ordered]


@router.get("/statistics")
def list_statistics(session: SessionDep) -> list[StatisticOut]:
    """What each value means, with unit and source."""
    return [StatisticOut(**asdict(term)) for term in list_terms(session).values()]


@router.get("/labels")
def list_labels(session: SessionDep, run: RunId = None) -> list[LabelOut]:
    """The corpus' labels of a run, and how many dense latents go with each."""
    shown = runs.find_run(session, run)
    counts = labels.counts_by_sae(session, shown) if shown else {}
    return (
        [answers.of_label(one, counts.get(one.id, {})) for one in labels.list_labels(session, shown)] if shown else []
    )


@router.get("/experiments")
def list_experiments(session: SessionDep) -> list[ExperimentOut]:
    """SAEs trained anew with parts of the activations removed, newest first."""
    return [ExperimentOut(**answers.of_experiment(one)) for one in experiments.list_experiments(session)]


@router.get("/experiments/{number}")
def get_experiment(session: SessionDep, number: Number) -> ExperimentDetailOut:
    """One experiment with all its SAEs."""
    found = answers.of_experiment(experiments.find_experiment(session, number))
    parts = experiments.list_arms(session, number), experiments.list_stability(session, number)
    return ExperimentDetailOut(**found, **answers.of_experiment_parts(*parts))


@router.get("/saes/{slug:path}/latents/{index}")
def get_latent(session: SessionDep, slug: Slug, index: Index, run: RunId = None) -> LatentDetailOut:
    """One latent with its profiles and examples."""
    shown = runs.run_of_sae(session, slug, run)
    latent = latents.find_latent(session, saes.find_sae(session, shown, slug), index)
    found = profiles.find_profiles(session, latent.analysis_id, index)
    texts = examples.find_examples(session, latent.analysis_id, index)
    scores = classes.find_scores(session, latent.analysis_id, [index]).get(index, {})
    more: dict[str, Any] = {
        **answers.of_scores(scores, evidence=True),
        "chains": answers.of_chains(chains.find_chains(session, latent.analysis_id, index)),
        "labels": [answers.of_association(one) for one in labels.associations_of(session, latent.analysis_id, index)],
        "histogram": found.histogram,
        "top_tokens_mass": found.top_tokens_mass,
        "positions": found.positions,
        "examples": [ExampleOut(**asdict(text)) for text in texts],
        **_causes(session, latent),
        **_said(annotations_of(session, [(latent.analysis_id, index)]).get((latent.analysis_id, index))),
    }
    tokens: dict[str, Any] = {name: getattr(found, name) for name in LISTS}
    return LatentDetailOut(**_fields(latent, shown), **tokens, **more)


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
    shown, by = runs.run_of_sae(session, slug, run), parse.order(sort or "density", order)
    wanted = latents.Filters(**{**asdict(asked), "sae": slug})
    found = latents.list_latents(session, shown, wanted, by, parse.cursor(cursor, by), limit)
    items = [LatentOut(**_fields(item, shown), **more) for item, more in _with_more(session, found.items)]
    return LatentPageOut(items=items, next=found.next.encode() if found.next else None, total=found.total)


@router.get("/saes/{slug:path}/pairs/{first}/{second}")
def get_pair(session: SessionDep, slug: Slug, first: Index, second: Index, run: RunId = None) -> PairOut:
    """A pair's joint facts, its latents named in either order."""
    shown = runs.run_of_sae(session, slug, run)
    sae = saes.find_sae(session, shown, slug)
    pair = measured_pair(session, sae, first, second)
    url = f"/saes/{slug}/pairs/{pair.positive}/{pair.negative}"
    said = find_latest(session, Subject.pair(sae.sha256, first, second))
    more = _pair_causes(session, sae, first, second) | {"annotation": _said(said)["annotation"]}
    return PairOut(sae=slug, run=shown.id, url=url, **asdict(pair), **more)


@router.get("/saes/{slug:path}")
def get_sae(session: SessionDep, slug: Slug, run: RunId = None) -> SaeOut:
    """One SAE."""
    found = saes.find_sae(session, runs.run_of_sae(session, slug, run), slug)
    return SaeOut(**{**asdict(found), "run": found.run_id})


def _fields(latent: LatentInfo, run: RunInfo) -> dict[str, Any]:
    own = {name: value for name, value in asdict(latent).items() if name not in {"top_tokens", "spark", "slug"}}
    place = {"sae": latent.slug, "run": run.id, "url": f"/saes/{latent.slug}/latents/{latent.index}"}
    return {**own, **place}


def _said(found: AnnotationInfo | None) -> dict[str, Any]:
    """What people say now; null where nobody said anything, or all was taken back."""
    if found is None or found.empty:
        return {"category": None, "annotation": None}
    shown = {name: getattr(found, name) for name in AnnotationOut.model_fields}
    return {"category": found.category, "annotation": AnnotationOut(**shown)}


def _causes(session: Session, latent: LatentInfo) -> dict[str, Any]:
    """What interventions say of one latent."""
    causal = causal_of(session, latent.analysis_id, [latent.index], plotted=False)
    both = None if latent.partner is None else causal.of(latent.index, latent.partner)
    ruled = verdicts.find_verdict(session, latent.analysis_id, latent.index)
    steered = [] if causal.steer is None else steering.steering_of(session, causal.steer.id, latent.index)
    return {
        **_effects(causal.of(latent.index), ruled),
        **answers.of_verdict(ruled),
        "pair_effects": answers.of_effects(both),
        "steering": answers.of_steering(steered),
    }


def _pair_causes(session: Session, sae: saes.SaeInfo, first: int, second: int) -> dict[str, Any]:
    """What interventions say of two latents together."""
    causal = causal_of(session, sae.analysis_id, [first, second], plotted=False)
    both = causal.of(first, second)
    steered = [] if causal.steer is None else steering.steering_of(session, causal.steer.id, first)
    own = [one for one in steered if {one.positive, one.negative} == {first, second}]
    return {
        "effects": answers.of_effects(both),
        "equivalent": None if both is None else both.equivalent,
        "steering": answers.of_steering(own),
    }


def _effects(found: effects.EffectInfo | None, ruled: verdicts.VerdictInfo | None) -> dict[str, Any]:
    return {
        "effects": answers.of_effects(found),
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
            | answers.of_scores(scores.get(item.index, {}), evidence=False)
            | _effects(broken.get((item.analysis_id, item.index)), ruled.get((item.analysis_id, item.index)))
            | _said(said.get((item.analysis_id, item.index))),
        )
        for item in items
    ]
