"""The labels page: each label of the corpus with the dense latents that go with it most."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.labels import queries as labels
from app.labels.associations import AssociationRow, LabelSection, association_row
from app.labels.heat import HeatMap, heat_map
from app.labels.pictures import label_answer, means_picture, shares_picture, warnings
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.language import _
from app.shared.links import latent_name, link
from app.shared.numbers import count, percent
from app.shared.page import RunPage
from app.shared.slide import PALE, Bar, Part, Picture
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
    followed: int
    """Labels that some dense latent follows."""
    measured: int
    """Labels that were held against the latents."""
    documents: int | None
    """Of the whole corpus, read or not."""
    heat: HeatMap
    """The strongest latents of each label against all labels."""


SHOWN = 8  # latents of a label
NEAREST = 2  # where none goes with it: what came nearest


def labels_page(session: Session, run: RunInfo) -> LabelsPage:
    """The page of a run."""
    found, known = saes.list_saes(session, run), labels.list_labels(session, run)
    counts = labels.counts_by_sae(session, run) if known else {}
    strongest = labels.strongest(session, run) if known else {}
    held, whole = labels.tested(session, run), labels.corpus_documents(session, run)
    return LabelsPage(
        title=_("Labels"),
        nav="labels",
        run=run,
        saes=found,
        sections=[
            _section(
                one,
                found,
                counts.get(one.name, {}),
                strongest.get(one.name, []),
                held.get(one.name),
                whole,
            )
            for one in known
        ],
        followed=sum(one.dense > 0 for one in held.values()),
        measured=sum(not one.reason for one in known),
        documents=whole,
        heat=heat_map(session, run, known, strongest),
        missing="" if known else _why(labels.corpus_columns(session, run)),
    )


def context_said(label: labels.LabelInfo, tested: labels.Tested | None, whole: int | None) -> list[str]:
    """What a label's counts must be seen beside."""
    made = []
    if tested and tested.of_dense:
        made.append(
            _(
                "%(of_dense)s dense latents that it was held against go with it",
                of_dense=_share(tested.dense, tested.of_dense),
            )
        )
    if tested:
        none = _("no sparse control was held against it")
        beside = _(
            "%(of_controls)s sparse controls pass the same test",
            of_controls=_share(tested.controls, tested.of_controls),
        )
        made.append(beside if tested.of_controls else none)
    if label.literal is not None:
        made.append(
            _("its value literally stands in %(documents)s texts", documents=_share(label.literal, label.documents))
        )
    if whole is not None:
        made.append(
            _(
                "%(documents)s of the corpus' %(value)s documents were read and have a value",
                documents=count(label.documents),
                value=count(whole),
            )
        )
    return made


def _share(part: int, of: int) -> str:
    return (
        _("%(part)s of %(of)s (%(of2)s)", part=count(part), of=count(of), of2=percent(part / of))
        if of
        else _("%(part)s of 0", part=count(part))
    )


def _section(
    label: labels.LabelInfo,
    found: list[saes.SaeInfo],
    counts: Mapping[str, int],
    strongest: list[labels.AssociationInfo],
    tested: labels.Tested | None,
    whole: int | None,
) -> LabelSection:
    cells = [(counts.get(sae.slug, 0), link("/latents", {"sae": sae.slug, "label": label.name})) for sae in found]
    holding = [one for one in strongest if one.verdict == YES][:SHOWN]
    rows = [association_row(one) for one in holding or strongest[:NEAREST]]
    return LabelSection(
        label=label,
        confounds=[confound.words for confound in label.confounds],
        cells=cells,
        total=sum(number for number, _href in cells),
        rows=rows,
        context=context_said(label, tested, whole),
        answer=label_answer(label, tested),
        pictures=_pictures(rows, tested),
        warnings=warnings(label),
        coverage=_coverage(label, whole),
    )


def _pictures(rows: list[AssociationRow], tested: labels.Tested | None) -> list[Picture]:
    made = [shares_picture(tested)] if tested and tested.of_dense else []
    groups = means_picture(rows[0], latent_name(rows[0].layer, rows[0].index)) if rows else None
    return made + ([groups] if groups else [])


def _coverage(label: labels.LabelInfo, whole: int | None) -> Bar:
    of = whole or label.documents
    value = label.documents / of if of else 0.0
    return Bar(
        label.name,
        [Part(0, round(100 * value, 2), PALE)],
        _("%(n)s of %(all)s", n=count(label.documents), all=count(of)),
    )


def _why(columns: list[str]) -> str:
    if columns:
        named = ", ".join(columns[:8])
        return _(
            "This run did not measure the labels of its corpus (%(named)s); analyse again, with classes, to see them.",
            named=named,
        )
    return ""
