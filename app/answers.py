"""Query results -> answers of the API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app import schemas
from app.compose.evidence import items, one
from app.compose.labels import confounds_of
from app.queries.chains import ChainInfo
from app.queries.classes import MIXTURE, ScoreInfo
from app.queries.labels import AssociationInfo, LabelInfo

SCORE = ("label", "score", "cut", "chance", "control", "p", "q", "words")
ASSOCIATION = ("verdict", "effect", "low", "high", "conditional", "held_out", "p", "q", "words", "data")


def of_scores(scores: Mapping[str, ScoreInfo], evidence: bool) -> dict[str, Any]:
    """`classes` and `mixture` of an answer."""
    made = {name: _score(score, evidence) for name, score in scores.items()}
    return {"mixture": made.pop(MIXTURE, None), "classes": made}


def _score(score: ScoreInfo, evidence: bool) -> schemas.ClassOut:
    return schemas.ClassOut(**{name: getattr(score, name) for name in SCORE}, data=score.data if evidence else None)


def of_chains(found: Mapping[str, ChainInfo]) -> list[schemas.ChainOut]:
    """Previous before next."""
    return [
        schemas.ChainOut(
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


def of_association(found: AssociationInfo) -> schemas.AssociationOut:
    """A label against a latent."""
    own = {name: getattr(found, name) for name in ASSOCIATION}
    return schemas.AssociationOut(
        label=found.label.name, measure=found.label.measure, confounds=confounds_of(found.label), **own
    )


def of_label(label: LabelInfo, counts: dict[str, int]) -> schemas.LabelOut:
    """A label."""
    names = ("name", "kind", "of", "measure", "documents", "reason")
    held: dict[str, Any] = {"groups": label.groups, "confounds": label.confounds}
    return schemas.LabelOut(
        **{name: getattr(label, name) for name in names},
        groups=[_group(item) for item in items(held, "groups")],
        confounds=[_confound(item) for item in items(held, "confounds")],
        dense_latents=counts,
    )


def _group(item: dict[str, Any]) -> schemas.LabelGroupOut:
    documents = one(item, "documents")
    return schemas.LabelGroupOut(value=str(item.get("value")), documents=None if documents is None else int(documents))


def _confound(item: dict[str, Any]) -> schemas.ConfoundOut:
    measure = item.get("measure")
    return schemas.ConfoundOut(
        name=str(item.get("name")),
        strength=one(item, "strength"),
        measure=None if measure is None else str(measure),
        words=str(item.get("words") or ""),
    )
