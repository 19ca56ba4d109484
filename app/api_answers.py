"""Query results -> answers of the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app.classes.evidence import items, one
from app.classes.queries import ScoreInfo
from app.experiments.queries import ArmInfo, ExperimentInfo, StabilityInfo
from app.experiments.schemas import ArmOut, StabilityOut
from app.interventions.effects import ControlInfo, EffectInfo
from app.interventions.schemas import ControlOut, EffectOut, GroundOut, MissingOut, SteeringOut
from app.interventions.steering import CHANCE
from app.interventions.steering_queries import SteeringInfo
from app.labels.associations import confounds_of
from app.labels.queries import AssociationInfo, LabelInfo
from app.labels.schemas import AssociationOut, ConfoundOut, LabelGroupOut, LabelOut
from app.latents.chains import ChainInfo
from app.latents.schemas import ChainOut, ClassOut
from app.verdicts.queries import VerdictInfo
from store.vocabulary import MEASURES, MIXTURE, RANDOM, SPARSE

SCORE = ("label", "score", "cut", "chance", "control", "p", "q", "words")
ASSOCIATION = ("verdict", "effect", "low", "high", "conditional", "held_out", "p", "q", "words", "data")


def of_scores(scores: Mapping[str, ScoreInfo], evidence: bool) -> dict[str, Any]:
    """`classes` and `mixture` of an answer."""
    made = {name: _score(score, evidence) for name, score in scores.items()}
    return {"mixture": made.pop(MIXTURE, None), "classes": made}


def _score(score: ScoreInfo, evidence: bool) -> ClassOut:
    return ClassOut(**{name: getattr(score, name) for name in SCORE}, data=score.data if evidence else None)


def of_chains(found: Mapping[str, ChainInfo]) -> list[ChainOut]:
    """Previous before next."""
    return [
        ChainOut(
            side=step.side,
            sae=step.slug,
            layer=step.layer,
            index=step.index,
            url=f"/saes/{step.slug}/latents/{step.index}",
            correlation=step.correlation,
            cosine=step.cosine,
        )
        for step in sorted(found.values(), key=lambda step: step.side != "previous")
    ]


def of_association(found: AssociationInfo) -> AssociationOut:
    """A label against a latent."""
    own = {name: getattr(found, name) for name in ASSOCIATION}
    return AssociationOut(
        label=found.label.name, measure=found.label.measure, confounds=confounds_of(found.label), **own
    )


def of_label(label: LabelInfo, counts: dict[str, int]) -> LabelOut:
    """A label."""
    names = ("name", "kind", "of", "measure", "documents", "reason")
    held: dict[str, Any] = {"groups": label.groups, "confounds": label.confounds}
    return LabelOut(
        **{name: getattr(label, name) for name in names},
        groups=[_group(item) for item in items(held, "groups")],
        confounds=[_confound(item) for item in items(held, "confounds")],
        dense_latents=counts,
    )


def _group(item: dict[str, Any]) -> LabelGroupOut:
    documents = one(item, "documents")
    return LabelGroupOut(value=str(item.get("value")), documents=None if documents is None else int(documents))


def _confound(item: dict[str, Any]) -> ConfoundOut:
    measure = item.get("measure")
    return ConfoundOut(
        name=str(item.get("name")),
        strength=one(item, "strength"),
        measure=None if measure is None else str(measure),
        words=str(item.get("words") or ""),
    )


def of_effects(found: EffectInfo | None) -> dict[str, EffectOut]:
    """By measure; empty where nothing was ablated."""
    if found is None:
        return {}
    measures = {**{name: found.measures[name] for name in MEASURES}, "mediated": found.mediated}
    return {
        name: EffectOut(
            value=one_of.value,
            low=one_of.low,
            high=one_of.high,
            control=_control(found.against(name, RANDOM)),
            sparse=_control(found.against(name, SPARSE)),
        )
        for name, one_of in measures.items()
        if one_of.value is not None
    }


def _control(found: ControlInfo | None) -> ControlOut | None:
    return None if found is None else ControlOut(**asdict(found))


def of_verdict(found: VerdictInfo | None) -> dict[str, Any]:
    """`grounds` and `missing` of an answer."""
    if found is None:
        return {"grounds": [], "missing": []}
    return {
        "grounds": [GroundOut(**asdict(ground)) for ground in found.grounds],
        "missing": [MissingOut(**asdict(gap)) for gap in found.missing],
    }


def of_steering(found: list[SteeringInfo]) -> list[SteeringOut]:
    """Signals that were steered along."""
    return [SteeringOut(**asdict(one_of), chance=CHANCE) for one_of in found]


def of_experiment(found: ExperimentInfo) -> dict[str, Any]:
    """Fields of an experiment's answer."""
    return {**asdict(found), "url": f"/experiments/{found.id}"}


def of_experiment_parts(arms: list[ArmInfo], stability: list[StabilityInfo]) -> dict[str, Any]:
    """Its SAEs, and which latents come back."""
    return {
        "arms": [ArmOut(**asdict(arm)) for arm in arms],
        "stability": [StabilityOut(**asdict(row)) for row in stability],
    }
