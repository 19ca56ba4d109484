"""The user's labels, in JSON."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from app.classes.evidence import items, one
from app.deps import RunId, SessionDep
from app.http.cache import Fresh
from app.labels import queries as labels
from app.labels.associations import confounds_of
from app.labels.queries import AssociationInfo, LabelInfo
from app.runs import queries as runs

router = APIRouter(dependencies=[Fresh])


class LabelGroupOut(BaseModel):
    """A value of a category."""

    value: str
    documents: int | None


class ConfoundOut(BaseModel):
    """Another label that goes with this one."""

    name: str
    strength: float | None = Field(description="0 to 1")
    measure: str | None
    words: str


class LabelOut(BaseModel):
    """A column of the corpus that the run's signals were held against."""

    name: str
    kind: str = Field(description="category, number or boolean")
    of: str = Field(description="document, or token: spans of characters")
    measure: str = Field(description="eta2, spearman or auc")
    documents: int = Field(description="That have a value and were read")
    groups: list[LabelGroupOut] = Field(description="Of a category, most frequent first")
    confounds: list[ConfoundOut] = Field(description="Other labels it goes with, strongest first")
    reason: str | None = Field(description="Why it was not measured")
    dense_latents: dict[str, int] = Field(description="By SAE: dense latents that go with it")


class AssociationOut(BaseModel):
    """One label against one latent's signal."""

    label: str
    measure: str
    verdict: str = Field(description="yes, no, unmeasured")
    effect: float | None = Field(description="The label's measure, on document means of the signal")
    low: float | None = Field(description="95 % interval over documents")
    high: float | None
    conditional: float | None = Field(description="The effect after token identity and position are taken out")
    held_out: float | None = Field(description="Cross-validated over documents: R² for eta2, else the measure itself")
    p: float | None = Field(description="Of `conditional`, by permuting documents")
    q: float | None = Field(description="p after Benjamini-Hochberg over latents and labels of the SAE")
    words: str
    confounds: list[str] = Field(description="What else differs where the label differs")
    data: dict[str, Any]


@router.get("/labels")
def list_labels(session: SessionDep, run: RunId = None) -> list[LabelOut]:
    """The corpus' labels of a run, and how many dense latents go with each."""
    shown = runs.find_run(session, run)
    if shown is None:
        return []
    counts = labels.counts_by_sae(session, shown)
    return [of_label(one, counts.get(one.id, {})) for one in labels.list_labels(session, shown)]


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


ASSOCIATION = ("verdict", "effect", "low", "high", "conditional", "held_out", "p", "q", "words", "data")


def of_association(found: AssociationInfo) -> AssociationOut:
    """A label against a latent."""
    own = {name: getattr(found, name) for name in ASSOCIATION}
    return AssociationOut(
        label=found.label.name, measure=found.label.measure, confounds=confounds_of(found.label), **own
    )
