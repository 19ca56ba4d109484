"""The labels page: each label of the corpus with the dense latents that go with it most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.labels import queries as labels
from app.labels.associations import LabelSection, association_row
from app.runs import queries as runs
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.links import link
from app.shared.page import RunPage
from store.vocabulary import YES


@dataclass(frozen=True)
class LabelsPage(RunPage):
    """The user's labels against dense latents."""

    template = "labels/labels.html"
    saes: list[SaeInfo]
    """Its SAEs by layer."""
    sections: list[LabelSection]
    """A label each, with the latents that go with it most."""
    missing: str
    """Why there are none."""


SHOWN = 8  # latents of a label
NEAREST = 2  # where none goes with it: what came nearest


def labels_page(session: Session, run: runs.RunInfo) -> LabelsPage:
    """The page of a run."""
    found, known = saes.list_saes(session, run), labels.list_labels(session, run)
    counts = labels.counts_by_sae(session, run) if known else {}
    strongest = labels.strongest(session, run) if known else {}
    return LabelsPage(
        title="Labels",
        nav="labels",
        run=run,
        saes=found,
        sections=[_section(one, found, counts.get(one.id, {}), strongest.get(one.id, [])) for one in known],
        missing="" if known else _why(labels.corpus_columns(session, run)),
    )


def _section(
    label: labels.LabelInfo,
    found: list[saes.SaeInfo],
    counts: Mapping[str, int],
    strongest: list[labels.AssociationInfo],
) -> LabelSection:
    cells = [(counts.get(sae.slug, 0), link("/latents", {"sae": sae.slug, "label": label.name})) for sae in found]
    holding = [one for one in strongest if one.verdict == YES][:SHOWN]
    rows = [association_row(one) for one in holding or strongest[:NEAREST]]
    confounds = [confound.words for confound in label.confounds]
    return LabelSection(label, confounds, cells, sum(count for count, _href in cells), rows)


def _why(columns: list[str]) -> str:
    if columns:
        named = ", ".join(columns[:8])
        return f"This run did not measure the labels of its corpus ({named}); analyse again, with classes, to see them."
    return ""
