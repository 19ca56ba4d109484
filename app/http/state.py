"""What the store holds now, in a few numbers: of equal numbers, all pages are equal.

Data change only when a worker commits a run, an intervention or an experiment, or judges latents anew, or somebody
writes, so counts, newest ids and times stand for all of it. They are asked once for each state of the database, not
for each request; what a request costs is the question whether the state is still the same (`store.changes`).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

from cachetools import LRUCache
from sqlalchemy import Connection, Select, func, select
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool

from store.changes import Changes
from store.tables import (
    Analysis,
    Annotation,
    Category,
    DesignComparison,
    Experiment,
    Intervention,
    Run,
    Sae,
    SavedView,
    SearchText,
    Verdict,
)

Numbers = tuple[Any, ...]
MOST = 20_000
"""Subjects whose numbers are kept."""


class Subject(NamedTuple):
    """What one page's annotation is about: a latent, or a pair."""

    slug: str
    first: int
    second: int
    """ALONE where it is a latent."""


Part = str | Subject
MEASURED, TEAM, NOTES = "measured", "team", "notes"
"""All that workers wrote; categories and saved views; all annotations."""


class Seen(NamedTuple):
    """A state, as an answer's tag has it."""

    name: Hashable
    stamps: dict[Part, str]
    """What stands for each part's content, in all processes."""


class StoreState:
    """The numbers of each part, kept while the database stays as it is."""

    def __init__(self, changes: Changes, sessions: sessionmaker[Session]) -> None:
        self._changes, self._sessions = changes, sessions
        self._name: Hashable = None
        self._known: LRUCache[Part, Numbers] = LRUCache(MOST)

    async def name(self) -> Hashable | None:
        """The state's, as `Changes` gives it."""
        return self._changes.name() if self._changes.at_once else await run_in_threadpool(self._changes.name)

    async def seen(self, parts: Iterable[Part]) -> Seen | None:
        """The present state, and a stamp of each of these parts; None where nobody can say."""
        name = await self.name()
        if name is None:
            return None
        if name != self._name:
            self._name, self._known = name, LRUCache(MOST)
        known, file = self._known, self._changes.file
        found = {part: known[part] for part in parts if part in known}
        missing = [part for part in parts if part not in found]
        if missing:
            read = await run_in_threadpool(self._read, missing)
            known.update(read)
            found |= read
        return Seen(name, {part: f"{file} {numbers}" for part, numbers in found.items()})

    def tell(self, session: Session, _transaction: object, connection: Connection) -> None:
        """An answer's session learns what it sees (`app.shared.memory`), if that is what the answer's tag says. Where
        somebody wrote in between, it is told nothing, and reads all anew."""
        seen: Seen | None = session.info.get("expected")
        known = seen.stamps if seen and self._changes.seen_by(connection) == seen.name else {}
        session.info["state"], session.info["categories"] = known.get(MEASURED), known.get(TEAM)

    def _read(self, parts: list[Part]) -> dict[Part, Numbers]:
        with self._sessions() as session:
            return {part: tuple(row for asked in statements(part) for row in session.execute(asked)) for part in parts}


def statements(part: Part) -> list[Select[Any]]:
    """Ask for a part's numbers."""
    if isinstance(part, Subject):
        about = (Sae.slug == part.slug, Annotation.index == part.first, Annotation.other == part.second)
        return [_notes().join(Sae, Sae.sha256 == Annotation.sae_sha256).where(*about)]
    judged = select(Verdict.verdict, func.count()).group_by(Verdict.verdict).order_by(Verdict.verdict)
    # of equal counts the grounds may be others
    when = select(Analysis.id, Analysis.judged).join(Run, Run.id == Analysis.run_id)
    when = when.where(Run.status == "complete").order_by(Analysis.id)
    return {MEASURED: [_measured(), judged, when], TEAM: [_team()], NOTES: [_notes()]}[part]


def _notes() -> Any:
    # never changed, only added; on PostgreSQL they may be committed in another order than they are numbered, and a
    # restored store may number anew
    return select(func.count(Annotation.id), func.max(Annotation.id), func.max(Annotation.created))


def _measured() -> Select[Any]:
    values: list[Any] = [func.max(SearchText.id)]
    for table in (Run, Intervention, Experiment, DesignComparison):
        # the sum as well: of two workers on PostgreSQL the one with the smaller id may commit last
        own = [func.count(table.id), func.max(table.id), func.sum(table.id), func.max(table.finished)]
        values += own if table is not Run else [_complete(value) for value in own]
    return _together(values)


def _complete(value: Any) -> Select[Any]:
    """Of runs that are shown: one that is being written changes nothing until it is whole."""
    return select(value).where(Run.status == "complete")


def _team() -> Select[Any]:
    values: list[Any] = [func.count(Category.id), func.max(Category.changed)]
    return _together([*values, func.count(SavedView.id), func.max(SavedView.id), func.max(SavedView.created)])


def _together(values: list[Any]) -> Select[Any]:
    return select(*((value if isinstance(value, Select) else select(value)).scalar_subquery() for value in values))
