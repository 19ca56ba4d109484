"""The user's labels."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field


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
