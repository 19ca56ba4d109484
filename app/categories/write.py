"""Making, changing and putting away the team's categories. A change made from an old state is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.categories.queries import COLOURS, CategoryInfo
from app.classes.groups import GROUPS, title_of
from app.classes.views import CLASSES
from app.http.errors import BadFilter, NotFound
from app.shared.language import _
from app.shared.people import plain_text
from app.vocabulary import ANY, NONE
from store.tables import Category
from store.vocabulary import NO_CLASS

MAX_TITLE = 60
MAX_DESCRIPTION = 500
MAX_OWN = 200
"""More would fit into no list that people choose from."""
_KEY = 48  # of the column's 60 characters; the rest is for a number
RESERVED = {*CLASSES, *GROUPS, *NO_CLASS, ANY, NONE, "true", "false"}
"""The machine's names and the words of filters."""


@dataclass(frozen=True)
class CategoryDraft:
    """What somebody wants a category to be."""

    title: str = ""
    colour: str = "slate"
    description: str = ""


class StaleCategory(Exception):  # noqa: N818 -- an answer (409), no fault
    """Somebody changed it in between; nothing was written."""


def make(session: Session, draft: CategoryDraft, author: str) -> str:
    """Make a category and commit it.

    Returns:
        Its key.

    Raises:
        BadFilter: a title that is empty, too long or taken, an unknown colour, too many categories.
    """
    draft = checked(draft)
    with _alone(session):
        known = _rows(session)
        if len(known) >= MAX_OWN:
            raise BadFilter(
                _(
                    "there are %(max_own)s categories, which is the limit; change one that is no longer of use",
                    max_own=MAX_OWN,
                )
            )
        _free(draft.title, known.values())
        made = Category(key=_key(draft.title, set(known)), archived=False)
        _write(made, draft, author, known)
        session.add(made)
    return made.key


def change(session: Session, key: str, draft: CategoryDraft, seen: str, author: str) -> str:
    """Change title, colour and description; changing nothing writes nothing.

    Args:
        seen: stamp of the state that the author saw.

    Returns:
        The key, which never changes.

    Raises:
        BadFilter: as for `make`.
        NotFound: no such category.
        StaleCategory: `seen` is not the newest.
    """
    draft = checked(draft)
    with _alone(session):
        known = _rows(session)
        row = _found(known, key, seen)
        _free(draft.title, (other for other in known.values() if other.key != key))
        if draft != _content(row):
            _write(row, draft, author, known)
    return key


def put_away(session: Session, key: str, archived: bool, seen: str, author: str) -> str:
    """Offer it no more, or again; what annotations say stays.

    Returns:
        The key.

    Raises:
        NotFound: no such category.
        StaleCategory: `seen` is not the newest.
    """
    with _alone(session):
        known = _rows(session)
        row = _found(known, key, seen)
        if row.archived != archived:
            row.archived = archived
            _write(row, _content(row), author, known)
    return key


def checked(draft: CategoryDraft) -> CategoryDraft:
    """The draft as it is stored: a title of one line, nothing that cannot be shown.

    Raises:
        BadFilter: a title that is empty, too long or the machine's, a description that is too long, an unknown colour.
    """
    title = " ".join(plain_text(draft.title).split())
    description = plain_text(draft.description).strip()
    if not any(unicodedata.category(letter)[0] in "LNPS" for letter in title):
        raise BadFilter(_("a category needs a title"))
    if len(title) > MAX_TITLE:
        raise BadFilter(
            _("the title has %(title)s characters; the limit is %(max_title)s", title=len(title), max_title=MAX_TITLE)
        )
    if len(description) > MAX_DESCRIPTION:
        raise BadFilter(
            _(
                "the description has %(description)s characters; the limit is %(max_description)s",
                description=f"{len(description):,}",
                max_description=MAX_DESCRIPTION,
            )
        )
    if draft.colour not in COLOURS:
        raise BadFilter(
            _(
                "unknown colour '%(colour)s'; choose one of %(colours)s",
                colour=draft.colour[:60],
                colours=", ".join(COLOURS),
            )
        )
    if _same(title) in {_same(word) for word in (*map(title_of, (*CLASSES, *NO_CLASS)), *RESERVED)}:
        raise BadFilter(_("'%(title)s' is a word of the machine's; choose another title", title=title))
    return CategoryDraft(title, draft.colour, description)


@contextmanager
def _alone(session: Session) -> Iterator[None]:
    """One transaction, one writer at a time: titles are unique without regard to case, which no key of the table
    says. SQLite's writers are alone anyway, from the beginning of their transactions."""
    try:
        if session.get_bind().dialect.name == "postgresql":
            session.execute(text("LOCK TABLE category IN SHARE ROW EXCLUSIVE MODE"))
        yield
        session.commit()
    except BaseException:
        session.rollback()  # what answers next must not wait for this lock
        raise


def _rows(session: Session) -> dict[str, Category]:
    return {row.key: row for row in session.scalars(select(Category).order_by(Category.id))}


def _found(known: dict[str, Category], key: str, seen: str) -> Category:
    if key not in known:
        why = (
            _("is one of the machine's, which nobody can change")
            if key in CLASSES
            else _("is no category of the team's")
        )
        raise NotFound(f"'{key[:60]}' {why}.")
    if CategoryInfo.model_validate(known[key]).stamp != seen:
        raise StaleCategory
    return known[key]


def _content(row: Category) -> CategoryDraft:
    return CategoryDraft(row.title, row.colour, row.description)


def _same(title: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", title).casefold()).replace("_", " ")


def _free(title: str, others: Iterable[Category]) -> None:
    for other in others:
        if _same(other.title) == _same(title):
            where = _(", which was put away: bring it back instead") if other.archived else ""
            raise BadFilter(_("there is a category '%(title)s' already%(where)s", title=other.title, where=where))


def _key(title: str, taken: set[str]) -> str:
    """Of the title's letters, as annotations, exports and addresses name it ever after."""
    letters = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")[:_KEY].strip("-") or "category"
    used, key, number = taken | RESERVED, base, 1
    while key in used:
        number += 1
        key = f"{base}-{number}"
    return key


def _write(row: Category, draft: CategoryDraft, author: str, known: dict[str, Category]) -> None:
    """Later than any other change, though clocks go back: pages are kept until the latest change is a new one."""
    row.title, row.colour, row.description, row.author = draft.title, draft.colour, draft.description, author
    latest = max((other.changed for other in known.values()), default=datetime.min)
    row.changed = max(datetime.now(UTC).replace(tzinfo=None), latest + timedelta(microseconds=1))
