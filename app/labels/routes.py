"""The user's labels against dense latents."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from app.deps import PinDep, RendererDep, RunDep, SessionDep
from app.field import queries as field
from app.http.cache import FreshMeasured
from app.labels import queries as labels
from app.labels.page import labels_page
from app.labels.queries import LabelInfo
from app.runs import queries as runs
from app.shared.instead import maker_of
from app.shared.record import Number, Record

api = APIRouter(dependencies=[FreshMeasured])
router = APIRouter(dependencies=[FreshMeasured])


@router.get("/labels")
def labels_of(session: SessionDep, render: RendererDep, run: RunDep) -> HTMLResponse:
    """Label by latent."""
    return render(maker_of(run.family, "labels", labels_page)(session, run))


class TestedInfo(Record):
    """Latents that pass the test of a label, of those that it was held against."""

    dense: int
    of_dense: int
    controls: int
    """Sparse latents, which should pass more rarely if dense ones follow the label in particular"""
    of_controls: int


class PowerInfo(Record):
    """How well a label is predicted in groups of rows that were kept out."""

    of: str
    """best, dense, sparse or raw: the best dense unit alone, all dense ones, all sparse ones, the matrix' columns"""
    measure: str
    """auc or r2"""
    value: Number
    low: Number
    """95 % interval over groups"""
    high: Number
    chance: Number
    """Mean over shuffled labels"""
    columns: int
    unit: int | None
    """The best one, where that is the set"""


class LabelWithCounts(LabelInfo):
    """A column of the corpus that the run's signals were held against."""

    dense_latents: dict[str, int]
    """By SAE: dense latents that go with it"""
    tested: TestedInfo | None
    """Over all SAEs; null: held against no latent"""
    corpus_documents: int | None
    """Of the whole corpus, read or not"""
    power: dict[str, list[PowerInfo]]
    """By matrix, of rows of activations: what predicts the label; empty of text"""


@api.get("/labels")
def list_labels(session: SessionDep, pin: PinDep) -> list[LabelWithCounts]:
    """The corpus' labels of a run, and how many dense latents go with each."""
    shown = runs.find_run(session, pin)
    counts = labels.counts_by_sae(session, shown) if shown else {}
    found = labels.list_labels(session, shown) if shown else []
    held = labels.tested(session, shown) if shown else {}
    whole = labels.corpus_documents(session, shown) if shown else None
    powers = field.powers(session, shown) if shown and shown.of_rows else {}
    return [
        LabelWithCounts(
            **dict(label),
            dense_latents=counts.get(label.name, {}),
            tested=TestedInfo(**held[label.name]._asdict()) if label.name in held else None,
            corpus_documents=whole,
            power={
                slug: [PowerInfo(**one._asdict()) for one in sets]
                for (slug, name), sets in powers.items()
                if name == label.name
            },
        )
        for label in found
    ]
