"""Categories that people may give: the machine's classes, and the team's own."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field, computed_field
from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from app.classes.views import CLASSES
from app.runs.queries import RunInfo
from app.shared.memory import remembered
from app.shared.record import Moment, Record
from store.tables import Analysis, Annotation, Category, Latent, Sae
from store.tables.team import ALONE

COLOURS = {
    "slate": "slate",
    "teal": "teal",
    "olive": "olive",
    "plum": "plum",
    "rust": "rust",
    "sky": "sky",
    "moss": "moss",
    "rose": "rose",
}
"""The palette: name in the store and of the style -> as people read it."""


class CategoryInfo(Record):
    """A category that people may give."""

    key: str
    title: str
    colour: str = ""
    description: str = ""
    archived: bool = False
    """Put away: offered no more"""
    author: str = Field(default="", exclude=True)
    changed: Moment | None = Field(default=None, exclude=True)

    @computed_field(description="The team's, not one of the machine's classes")  # type: ignore[prop-decorator]
    @property
    def own(self) -> bool:
        """The team's, not the machine's."""
        return self.key not in CLASSES

    @property
    def stamp(self) -> str:
        """Names this state of it: what a form says it has seen."""
        return f"{self.changed:%Y-%m-%dT%H:%M:%S.%f}" if self.changed else ""


def list_categories(session: Session) -> list[CategoryInfo]:
    """The machine's classes, then the team's own by title, those put away too."""
    stamp = session.info.get("categories")
    return _list(session) if stamp is None else remembered(session, ("categories", stamp), lambda: _list(session))


def _list(session: Session) -> list[CategoryInfo]:
    rows = session.scalars(select(Category).order_by(Category.title, Category.id))
    machine = [CategoryInfo(key=key, title=str(view.title)) for key, view in CLASSES.items()]
    return machine + [CategoryInfo.model_validate(row) for row in rows]


def category_of(key: str | None, known: list[CategoryInfo]) -> CategoryInfo | None:
    """By key; one that an import named and nobody made here goes by its key."""
    if key is None:
        return None
    found = next((one for one in known if one.key == key), None)
    return found or CategoryInfo(key=key, title=key.replace("_", " "), archived=True)


@dataclass(frozen=True)
class Use:
    """What has a category now."""

    shown: int = 0
    """Latents of the shown run."""
    latents: int = 0
    """Latents of all SAEs, those too that this store does not know."""
    pairs: int = 0


def uses(session: Session, run: RunInfo | None) -> dict[str, Use]:
    """By key of the category; one that nothing has is left out."""
    here = and_(Analysis.sae_id == Sae.id, Analysis.id.in_(run.analyses if run else ()))
    statement = (
        select(
            Annotation.category,
            func.count(Latent.index),
            func.sum(case((Annotation.other == ALONE, 1), else_=0)),
            func.sum(case((Annotation.other != ALONE, 1), else_=0)),
        )
        .outerjoin(Sae, Sae.sha256 == Annotation.sae_sha256)
        .outerjoin(Analysis, here)
        .outerjoin(
            Latent,
            and_(Latent.analysis_id == Analysis.id, Latent.index == Annotation.index, Annotation.other == ALONE),
        )
        .where(Annotation.latest, Annotation.category.is_not(None))
        .group_by(Annotation.category)
    )
    return {str(key): Use(shown, int(latents), int(pairs)) for key, shown, latents, pairs in session.execute(statement)}
