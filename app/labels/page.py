"""The labels page: each label of the corpus with the dense latents that go with it most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.labels import queries as labels
from app.labels.associations import LabelSection, association_row
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.links import link
from app.shared.numbers import count, percent
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


def labels_page(session: Session, run: RunInfo) -> LabelsPage:
    """The page of a run."""
    found, known = saes.list_saes(session, run), labels.list_labels(session, run)
    counts = labels.counts_by_sae(session, run) if known else {}
    strongest = labels.strongest(session, run) if known else {}
    held, whole = labels.tested(session, run), labels.corpus_documents(session, run)
    return LabelsPage(
        title="Labels",
        nav="labels",
        run=run,
        saes=found,
        sections=[
            _section(
                one,
                found,
                counts.get(one.name, {}),
                strongest.get(one.name, []),
                context_said(one, held.get(one.name), whole),
            )
            for one in known
        ],
        missing="" if known else _why(labels.corpus_columns(session, run)),
    )


def context_said(label: labels.LabelInfo, tested: labels.Tested | None, whole: int | None) -> list[str]:
    """What a label's counts must be seen beside."""
    made = []
    if tested and tested.of_dense:
        made.append(f"{_share(tested.dense, tested.of_dense)} dense latents that it was held against go with it")
    if tested:
        none = "no sparse control was held against it"
        beside = f"{_share(tested.controls, tested.of_controls)} sparse controls pass the same test"
        made.append(beside if tested.of_controls else none)
    if label.literal is not None:
        made.append(f"its value literally stands in {_share(label.literal, label.documents)} texts")
    if whole is not None:
        made.append(f"{count(label.documents)} of the corpus' {count(whole)} documents were read and have a value")
    return made


def _share(part: int, of: int) -> str:
    return f"{count(part)} of {count(of)} ({percent(part / of)})" if of else f"{count(part)} of 0"


def _section(
    label: labels.LabelInfo,
    found: list[saes.SaeInfo],
    counts: Mapping[str, int],
    strongest: list[labels.AssociationInfo],
    context: list[str],
) -> LabelSection:
    cells = [(counts.get(sae.slug, 0), link("/latents", {"sae": sae.slug, "label": label.name})) for sae in found]
    holding = [one for one in strongest if one.verdict == YES][:SHOWN]
    rows = [association_row(one) for one in holding or strongest[:NEAREST]]
    confounds = [confound.words for confound in label.confounds]
    return LabelSection(label, confounds, cells, sum(number for number, _href in cells), rows, context)


def _why(columns: list[str]) -> str:
    if columns:
        named = ", ".join(columns[:8])
        return f"This run did not measure the labels of its corpus ({named}); analyse again, with classes, to see them."
    return ""
