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
from app.shared.language import _
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
        by = _(", saved by %(author)s", author=author) if author else ""
        super().__init__(
            409,
            _(
                "there is a view named '%(name)s' already%(by)s; choose another name, or remove that one",
                name=name,
                by=by,
            ),
        )


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
            raise BadFilter(
                _(
                    "there are %(max_views)s saved views, which is the limit; remove one that nobody needs",
                    max_views=MAX_VIEWS,
                )
            )
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
        raise NotFound(_("there is no saved view %(view)s: somebody may have removed it before", view=view))


def view_name(text: str) -> str:
    """A name as it is stored.

    Raises:
        BadFilter: none, too long, or one that no link can hold.
    """
    name = " ".join(plain_text(text).split())
    if not name:
        raise BadFilter(_("a view needs a name"))
    if len(name) > MAX_VIEW_NAME:
        raise BadFilter(
            _(
                "the view's name has %(name)s characters; the limit is %(max_view_name)s",
                name=len(name),
                max_view_name=MAX_VIEW_NAME,
            )
        )
    if set(name) <= set("./"):  # browsers read /views/.. as the page above
        raise BadFilter(_("'%(name)s' cannot stand in a link; choose a name with letters", name=name))
    return name


def view_address(text: str) -> str:
    """Path and query on this server, as they are stored; a fragment is left out.

    Raises:
        BadFilter: another server's, too long, or none that a browser reads as we do.
    """
    address = text.partition("#")[0]
    if len(address) > MAX_ADDRESS:
        raise BadFilter(
            _(
                "the address has %(address)s characters; the limit is %(max_address)s",
                address=f"{len(address):,}",
                max_address=f"{MAX_ADDRESS:,}",
            )
        )
    if not is_local(address):
        raise BadFilter(_("a view's address is a path on this server, such as /latents?dense=any"))
    if address.partition("?")[0].rstrip("/") == VIEWS or address.startswith(f"{VIEWS}/"):
        raise BadFilter(_("a view of saved views would lead nowhere; save the page that it shows"))
    if SECRET in parse_qs(urlsplit(address).query, keep_blank_values=True):
        raise BadFilter(
            _("the address holds the parameter '%(secret)s', which is for nobody else; leave it out", secret=SECRET)
        )
    return address
