"""Saving an address under a name, and taking it off the list again."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from starlette.exceptions import HTTPException

from app.annotations.write import released
from app.http.errors import BadFilter, NotFound
from app.saved_views.queries import find_view
from app.shared.links import is_local
from app.shared.people import plain_text
from store.tables import SavedView

MAX_VIEW_NAME = 80
MAX_ADDRESS = 2_000
MAX_VIEWS = 500
VIEWS = "/views"
SECRET = "token"
"""The parameter of a link that lets its reader in: no list may show it."""


class Taken(HTTPException):
    """Another view has this name."""

    def __init__(self, name: str, author: str) -> None:
        by = f", saved by {author}" if author else ""
        super().__init__(409, f"there is a view named '{name}' already{by}; choose another name, or remove that one")


def save_view(session: Session, name: str, address: str, author: str) -> int:
    """Save and commit.

    Returns:
        The view's id.

    Raises:
        BadFilter: a name or an address that cannot be one, or too many views.
        Taken: another view has this name.
    """
    with released(session):
        name, address = view_name(name), view_address(address)
        held = find_view(session, name)
        if held is not None:
            raise Taken(name, held.author)
        if (session.scalar(select(func.count(SavedView.id))) or 0) >= MAX_VIEWS:
            raise BadFilter(f"there are {MAX_VIEWS} saved views, which is the limit; remove one that nobody needs")
        made = SavedView(name=name, address=address, author=author, created=datetime.now(UTC).replace(tzinfo=None))
        session.add(made)
        try:
            session.commit()
        except IntegrityError:  # PostgreSQL: somebody took the name after we had looked
            raise Taken(name, "") from None
        return made.id


def remove_view(session: Session, view: int) -> None:
    """Take a view off the list, and commit.

    Raises:
        NotFound: it is not on it.
    """
    found = session.scalar(delete(SavedView).where(SavedView.id == view).returning(SavedView.id))
    session.commit()
    if found is None:
        raise NotFound(f"there is no saved view {view}: somebody may have removed it before")


def view_name(text: str) -> str:
    """A name as it is stored.

    Raises:
        BadFilter: none, too long, or one that no link can hold.
    """
    name = " ".join(plain_text(text).split())
    if not name:
        raise BadFilter("a view needs a name")
    if len(name) > MAX_VIEW_NAME:
        raise BadFilter(f"the view's name has {len(name)} characters; the limit is {MAX_VIEW_NAME}")
    if set(name) <= set("./"):  # browsers read /views/.. as the page above
        raise BadFilter(f"'{name}' cannot stand in a link; choose a name with letters")
    return name


def view_address(text: str) -> str:
    """Path and query on this server, as they are stored; a fragment is left out.

    Raises:
        BadFilter: another server's, too long, or none that a browser reads as we do.
    """
    address = text.partition("#")[0]
    if len(address) > MAX_ADDRESS:
        raise BadFilter(f"the address has {len(address):,} characters; the limit is {MAX_ADDRESS:,}")
    if not is_local(address):
        raise BadFilter("a view's address is a path on this server, such as /latents?dense=any")
    if address.partition("?")[0].rstrip("/") == VIEWS or address.startswith(f"{VIEWS}/"):
        raise BadFilter("a view of saved views would lead nowhere; save the page that it shows")
    if SECRET in parse_qs(urlsplit(address).query, keep_blank_values=True):
        raise BadFilter(f"the address holds the parameter '{SECRET}', which is for nobody else; leave it out")
    return address
