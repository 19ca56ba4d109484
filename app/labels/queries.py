"""The user's labels, and how latents go with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, computed_field
from sqlalchemy import Select, and_, case, func, select, tuple_
from sqlalchemy.orm import Session

from app.labels.sentences import association_said, confound_said, refusal_said
from app.runs.queries import RunInfo
from app.shared.memory import remembered
from app.shared.record import Count, Evidence, Hidden, Items, Key, Number, Record, Text, columns, read
from store.tables import DENSE, Analysis, Association, Corpus, Label, Latent, Run, Sae
from store.vocabulary import CONTROL, NO, UNMEASURED, YES

MEASURES = {"eta2": "η²", "spearman": "ρ", "auc": "AUC"}


class LabelGroup(Record):
    """A value of a category."""

    value: Text = ""
    documents: Count = None


class Confound(Record):
    """Another label that goes with this one."""

    name: Text = ""
    strength: Number = None
    """0 to 1"""
    measure: str | None = None
    words: Text = ""
    """What differs along with the label"""


def _in_words(confounds: list[Any], info: ValidationInfo) -> list[Any]:
    """What goes with a label of this name."""
    name = str(info.data.get("name"))
    return [item if isinstance(item, Confound) else {**item, "words": confound_said(name, item)} for item in confounds]


class LabelInfo(Record):
    """A column of the corpus that the run's signals were held against."""

    id: int = Hidden
    name: str
    kind: str
    """category, number or boolean"""
    of: str
    """document, or token: spans of characters"""
    measure: str
    """eta2, spearman or auc"""
    documents: int
    """That have a value and were read"""
    literal: int | None
    """Of these, in whose text the value literally stands; null: not counted, as of true/false and of spans"""
    groups: Annotated[list[LabelGroup], Items]
    """Of a category, most frequent first"""
    confounds: Annotated[list[Confound], BeforeValidator(_in_words), Items]
    """Other labels it goes with, strongest first"""
    reason: Annotated[str | None, BeforeValidator(refusal_said)]
    """Why it was not measured"""

    @property
    def sign(self) -> str:
        """The measure as people write it."""
        return MEASURES.get(self.measure, self.measure)


class AssociationInfo(Record):
    """One label against one latent's signal."""

    label: Annotated[LabelInfo, PlainSerializer(lambda label: label.name, return_type=str)]
    slug: str = Hidden
    layer: int = Hidden
    index: int = Hidden
    density: float = Hidden
    verdict: str
    """yes, no, unmeasured"""
    effect: Number
    """The label's measure, on document means of the signal"""
    low: Number
    """95 % interval over documents"""
    high: Number
    conditional: Number
    """The effect after token identity and position are taken out"""
    held_out: Number
    """Cross-validated over documents: R² for eta2, else the measure itself"""
    p: Number
    """Of `conditional`, by permuting documents"""
    q: Number
    """p after Benjamini-Hochberg over latents and labels of the SAE"""
    statement: Evidence
    """The code of what is said of the two, with its numbers"""
    data: Evidence

    @computed_field  # type: ignore[prop-decorator]
    @property
    def words(self) -> str:
        """The statement as a sentence."""
        return association_said(self.statement)

    @computed_field  # type: ignore[prop-decorator]  # mypy knows no such pair
    @property
    def measure(self) -> str:
        """Of the label."""
        return self.label.measure

    @computed_field  # type: ignore[prop-decorator]
    @property
    def confounds(self) -> list[str]:
        """What else differs where the label differs."""
        return [confound.words for confound in self.label.confounds]


def list_labels(session: Session, run: RunInfo) -> list[LabelInfo]:
    """The labels in the order of the corpus' columns. All runs of a suite have the same, each in rows of its own."""
    statement = select(*columns(LabelInfo, Label)).where(Label.run_id == run.id)
    return read(session, LabelInfo, statement.order_by(Label.id))


def corpus_columns(session: Session, run: RunInfo) -> list[str]:
    """Columns of the run's corpus that could be labels, measured or not."""
    columns = session.scalar(select(Corpus.label_columns).join(Run, Run.corpus_id == Corpus.id).where(Run.id == run.id))
    return [str(column.get("name", column) if isinstance(column, dict) else column) for column in columns or []]


def label_names(session: Session, run: RunInfo) -> list[str]:
    """Their names: the choices of the filter."""
    names = select(Label.name).where(Label.run_id == run.id).order_by(Label.id)
    return remembered(session, ("labels", run.id), lambda: list(session.scalars(names)))


def associations_of(session: Session, analysis_id: int, index: int) -> list[AssociationInfo]:
    """All labels against one latent: those that hold first, then by the size of what is left of the effect."""
    statement = _joined().where(Association.analysis_id == analysis_id, Association.index == index)
    found = [_info(*row) for row in session.execute(statement)]
    return sorted(found, key=lambda one: (_RANKS.get(one.verdict, 3), -strength(one), one.label.id))


def strongest(session: Session, run: RunInfo, limit: int = 12) -> dict[str, list[AssociationInfo]]:
    """By the label's name: the dense latents that go with it, then the others, each by the conditional effect."""
    return remembered(session, ("strongest", run.analyses, limit), lambda: _strongest(session, run, limit))


def _strongest(session: Session, run: RunInfo, limit: int) -> dict[str, list[AssociationInfo]]:
    size = func.abs(Association.conditional - case((Label.measure == "auc", 0.5), else_=0.0))
    first = case((Association.verdict == YES, 0), else_=1)
    order = (first, size.is_(None), size.desc(), Sae.layer, Sae.slug, Association.index)
    place = func.row_number().over(partition_by=Label.name, order_by=order).label("place")
    ranked = (
        select(Association.analysis_id, Association.index, Association.label_id, place)
        .join(Label, Label.id == Association.label_id)
        .join(Analysis, Analysis.id == Association.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Latent, and_(Latent.analysis_id == Association.analysis_id, Latent.index == Association.index))
        .where(Association.analysis_id.in_(run.analyses), DENSE, Association.verdict != UNMEASURED)
        .subquery()
    )
    keys = (
        Association.analysis_id == ranked.c.analysis_id,
        Association.index == ranked.c.index,
        Association.label_id == ranked.c.label_id,
    )
    statement = _joined().join(ranked, and_(*keys)).where(ranked.c.place <= limit).order_by(ranked.c.place)
    found: dict[str, list[AssociationInfo]] = {}
    for row in session.execute(statement):
        found.setdefault(row[1].name, []).append(_info(*row))
    return found


def counts_by_sae(session: Session, run: RunInfo) -> dict[str, dict[str, int]]:
    """By the label's name and SAE slug: dense latents that go with the label."""
    return remembered(session, ("label_counts", run.analyses), lambda: _counts_by_sae(session, run))


def _counts_by_sae(session: Session, run: RunInfo) -> dict[str, dict[str, int]]:
    statement = (
        select(Label.name, Sae.slug, func.count())
        .select_from(Association)
        .join(Latent, and_(Latent.analysis_id == Association.analysis_id, Latent.index == Association.index))
        .join(Analysis, Analysis.id == Association.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Label, Label.id == Association.label_id)
        .where(Analysis.id.in_(run.analyses), DENSE, Association.verdict == YES)
        .group_by(Label.name, Sae.slug)
    )
    found: dict[str, dict[str, int]] = {}
    for label, slug, count in session.execute(statement):
        found.setdefault(label, {})[slug] = count
    return found


class Tested(NamedTuple):
    """Latents that pass the test of a label, of those that it was held against."""

    dense: int
    of_dense: int
    controls: int
    """Sparse latents: what passes among them says how easily the test is passed."""
    of_controls: int


def tested(session: Session, run: RunInfo) -> dict[str, Tested]:
    """By the label's name, over all SAEs."""
    return remembered(session, ("labels_tested", run.analyses), lambda: _tested(session, run))


def _tested(session: Session, run: RunInfo) -> dict[str, Tested]:
    control = and_(Latent.detail == CONTROL, Latent.is_dense.is_(False))
    counts = [
        func.sum(case((and_(group, *more), 1), else_=0))
        for group in (DENSE, control)
        for more in ((Association.verdict == YES,), ())
    ]
    statement = (
        select(Label.name, *counts)
        .select_from(Association)
        .join(Latent, and_(Latent.analysis_id == Association.analysis_id, Latent.index == Association.index))
        .join(Label, Label.id == Association.label_id)
        .where(Association.analysis_id.in_(run.analyses), Association.verdict != UNMEASURED)
        .group_by(Label.name)
    )
    return {label: Tested(*map(int, found)) for label, *found in session.execute(statement)}


def corpus_documents(session: Session, run: RunInfo) -> int | None:
    """How many the corpus has, read or not."""
    return session.scalar(select(Corpus.documents).join(Run, Run.corpus_id == Corpus.id).where(Run.id == run.id))


class Followed(NamedTuple):
    """A label that a latent goes with."""

    name: str
    measure: str
    effect: float | None


def followed_by(session: Session, keys: Sequence[Key]) -> dict[Key, list[Followed]]:
    """The labels that some latents go with, in the order of the columns."""
    statement = select(Association.analysis_id, Association.index, Label.name, Label.measure, Association.effect)
    statement = statement.join(Label, Label.id == Association.label_id).order_by(Label.id)
    pairs = tuple_(Association.analysis_id, Association.index)
    found: dict[Key, list[Followed]] = {}
    rows = session.execute(statement.where(Association.verdict == YES, pairs.in_(keys)))
    for analysis, index, name, measure, effect in rows:
        found.setdefault((analysis, index), []).append(Followed(name, measure, effect))
    return found


def with_label(name: str, analyses: Sequence[int]) -> Select[int, int]:
    """Keys of the latents that go with their run's label of this name."""
    labels = select(Label.id).join(Analysis, Analysis.run_id == Label.run_id)
    labels = labels.where(Label.name == name, Analysis.id.in_(analyses))
    found = select(Association.analysis_id, Association.index).where(Association.analysis_id.in_(analyses))
    return found.where(Association.verdict == YES, Association.label_id.in_(labels))


def strength(one: AssociationInfo) -> float:
    """How far the conditional effect is from none, 0 to 1: an AUC of 0.5 says nothing."""
    if one.conditional is None:
        return 0.0
    return strength_of(one.label.measure, one.conditional)


def strength_of(measure: str, conditional: float) -> float:
    """The same of a number: an AUC of 0.5 says nothing."""
    return 2 * abs(conditional - 0.5) if measure == "auc" else abs(conditional)


_RANKS = {YES: 0, NO: 1, UNMEASURED: 2}


def _joined() -> Any:
    return (
        select(Association, Label, Sae.slug, Sae.layer, Latent.density)
        .join(Label, Label.id == Association.label_id)
        .join(Analysis, Analysis.id == Association.analysis_id)
        .join(Sae, Sae.id == Analysis.sae_id)
        .join(Latent, and_(Latent.analysis_id == Association.analysis_id, Latent.index == Association.index))
    )


def _info(row: Association, label: Label, slug: str, layer: int, density: float) -> AssociationInfo:
    own = {name: getattr(row, name) for name in AssociationInfo.model_fields if hasattr(row, name)}
    return AssociationInfo(**own | {"label": LabelInfo.model_validate(label)}, slug=slug, layer=layer, density=density)
