"""Groups of latents where each is counted once: by its only class, as several, as unexplained or as not measured."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from app.classes.score import ClassView, Fill, UnknownClass
from app.classes.views import CLASSES
from app.http.errors import BadFilter
from app.methods.queries import list_terms
from app.shared.figures import CARD, EDGE, INK, PARTLY_FILL, SEVERAL_FILL, UNEXPLAINED_FILL
from app.shared.language import N_, Words, _, translated
from app.vocabulary import ANY
from store.vocabulary import MIXTURE, NO_CLASS, PARTLY, REST, UNEXPLAINED, UNMEASURED

SEVERAL = "several"
GROUPS = (SEVERAL, *REST, UNMEASURED)
_FILLS = {
    SEVERAL: Fill(SEVERAL_FILL, "&", INK, EDGE),
    PARTLY: Fill(PARTLY_FILL, "~", INK, EDGE),
    UNEXPLAINED: Fill(UNEXPLAINED_FILL, "", INK, EDGE),
    UNMEASURED: Fill(EDGE, "", CARD, EDGE, "."),
}
_TITLES = Words(
    {
        SEVERAL: N_("several"),
        PARTLY: N_("partly followed"),
        UNEXPLAINED: N_("unexplained"),
        UNMEASURED: N_("not measured"),
        MIXTURE: N_("mixture"),
    }
)


def view_of(name: str) -> ClassView:
    """A class, whether this server knows it or not."""
    return CLASSES.get(name) or UnknownClass(name)


def title_of(name: str) -> str:
    """A class, a group or another score as people read it."""
    return str(_TITLES.get(name) or translated(view_of(name).title))


def fill_of(group: str) -> Fill:
    """How a group is drawn."""
    return _FILLS.get(group) or view_of(group).fill


def mark_of(name: str) -> str:
    """CSS classes of the mark that stands before a name: a letter on its colour (see app.classes.palette)."""
    return f"k k-{name.replace('_', '-')}" if name in CLASSES or name in GROUPS else "k"


def filters_of(group: str) -> dict[str, str]:
    """The filters of the list of latents that show exactly this group."""
    if group == SEVERAL:
        return {"alone": "false"}
    return {"class": group} if group in GROUPS else {"class": group, "alone": "true"}


def place_of(name: str) -> tuple[int, str]:
    """Sorts classes in their own order, then those that are not known here, then the other groups and scores."""
    if name in CLASSES:
        return CLASSES[name].order, name
    return UnknownClass(name).order + ([*GROUPS, MIXTURE].index(name) + 1 if name in _TITLES else 0), name


def ordered(found: Iterable[str]) -> list[str]:
    """All classes that are known here and all other groups, with those found that are not known in their place."""
    return sorted({*CLASSES, *GROUPS, *found}, key=place_of)


def classes_in(session: Session) -> dict[str, str]:
    """Name and title of the classes known here, and of those that a newer worker declared in the store."""
    declared = (term.name for term in list_terms(session).values() if term.of == "class")
    return {name: title_of(name) for name in sorted({*CLASSES, *declared} - {*NO_CLASS}, key=place_of)}


def check_class(session: Session, name: str) -> None:
    """Refuse to filter by what is no class.

    Raises:
        BadFilter: neither this server nor the store knows it.
    """
    known = [*classes_in(session), *REST, ANY, UNMEASURED]
    if name not in known:
        raise BadFilter(f"unknown class '{name[:60]}'; choose one of {', '.join(known)}")


def class_choices(session: Session) -> list[tuple[str, str]]:
    """Choices of the class filter: value and words."""
    return [
        ("", _("any or none")),
        (ANY, _("any class")),
        *classes_in(session).items(),
        *((name, title_of(name)) for name in (*REST, UNMEASURED)),
    ]
