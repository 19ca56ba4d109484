"""Who wrote what, when, and what that changed, in words."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.activity import queries as activity
from app.activity.queries import Activity
from app.annotations.queries import AnnotationInfo
from app.categories.queries import CategoryInfo, category_of, list_categories
from app.http.errors import BadFilter
from app.shared.language import N_, _, translated
from app.shared.links import link
from app.shared.page import Page
from app.vocabulary import HUMAN_VERDICTS

PAGE, FEED = "/annotations/activity", "/annotations/feed.xml"
STEP = 50
"""Versions on a page and in the feed."""
SHOWN = 400
"""Characters of a note; the whole is on the page it belongs to."""
_CATEGORY = (
    N_("gave the category %(new)s"),
    N_("took away the category %(old)s"),
    N_("changed the category from %(old)s to %(new)s"),
)
_VERDICT = (
    N_("gave the verdict %(new)s"),
    N_("took away the verdict %(old)s"),
    N_("changed the verdict from %(old)s to %(new)s"),
)
_PLACES = re.compile(r"%\((old|new)\)s")
_SPACE = uuid.UUID("5d1f4a0e-6a39-4a53-9a0e-0f9a3f3f2c77")  # ours, chosen once: versions keep their ids everywhere


@dataclass(frozen=True)
class Word:
    """A stretch of a sentence: text, a category or a person's verdict."""

    text: str
    category: CategoryInfo | None = None
    verdict: str = ""


@dataclass(frozen=True)
class Entry:
    """One version."""

    id: int
    name: str
    """A URN that no other version has, and that this one keeps in another store."""
    author: str
    created: datetime
    about: str
    """The latent or pair, in words."""
    sae: str
    """Slug of the SAE, or its hash where this store does not know it."""
    href: str
    """The page; empty where there is none."""
    words: list[Word]
    """What it changed, as a sentence."""
    note: str
    """The note it wrote, its beginning if it is long; empty where the note did not change, or went."""

    @property
    def sentence(self) -> str:
        """What it changed, as plain text."""
        return "".join(word.text for word in self.words)


@dataclass(frozen=True)
class ActivityPage(Page):
    """All versions that people saved, newest first."""

    template = "activity/activity.html"
    entries: list[Entry]
    """Some of them."""
    author: str
    """Whose alone; empty for everybody's."""
    sae: str
    """Of which SAE alone; empty for all."""
    authors: list[str]
    """Names that can be chosen."""
    slugs: list[str]
    """SAEs that can be chosen."""
    older: str
    """Address of the page after this one; empty on the last."""
    newest: str
    """Address of the first page; empty on it."""
    feed: str
    """Address of the same as a feed."""


def activity_page(session: Session, author: str, sae: str, before: int | None) -> ActivityPage:
    """A page of versions; of an author or an SAE alone where they are not empty.

    Raises:
        BadFilter: a name that no store has.
    """
    found = entries(session, author, sae, before, STEP + 1)
    shown, query = found[:STEP], {"author": author, "sae": sae}
    return ActivityPage(
        title=_("Activity"),
        nav="annotations",
        entries=shown,
        author=author,
        sae=sae,
        authors=activity.names(session),
        slugs=activity.slugs(session),
        older=link(PAGE, {**query, "before": shown[-1].id}) if len(found) > STEP else "",
        newest=link(PAGE, query) if before else "",
        feed=link(FEED, query),
    )


def entries(session: Session, author: str, sae: str, before: int | None, limit: int) -> list[Entry]:
    """Versions as shown, newest first.

    Raises:
        BadFilter: a name that no store has.
    """
    for name, text in (("author", author), ("sae", sae)):
        if "\0" in text:
            raise BadFilter(_("%(name)s holds a NUL character; none of ours does", name=name))
    found = activity.activity(session, author=author or None, sae=sae or None, before=before, limit=limit)
    known = list_categories(session)
    return [entry(one, known) for one in found]


def entry(one: Activity, known: list[CategoryInfo]) -> Entry:
    """As shown."""
    now = one.now
    pair = now.other >= 0
    path = f"pairs/{now.index}/{now.other}" if pair else f"latents/{now.index}"
    note = now.note if now.note != (one.before.note if one.before else "") else ""
    return Entry(
        id=now.id,
        name=uuid.uuid5(_SPACE, f"{now.sae_sha256}/{now.index}/{now.other}/{now.version}").urn,
        author=now.author,
        created=now.created,
        about=_("pair %(index)s ⇄ %(other)s", index=now.index, other=now.other)
        if pair
        else _("latent %(index)s", index=now.index),
        sae=one.slug or _("SAE %(sae_sha)s, which this store does not know", sae_sha=now.sae_sha256[:10]),
        href=f"/saes/{one.slug}/{path}#annotation" if one.slug and one.shown else "",
        words=_words(now, one.before, known),
        note=note if len(note) <= SHOWN else note[:SHOWN].rstrip() + "…",
    )


def _words(now: AnnotationInfo, before: AnnotationInfo | None, known: list[CategoryInfo]) -> list[Word]:
    old, new = category_of(before.category if before else None, known), category_of(now.category, known)
    parts = [
        _step(_CATEGORY, _category(old), _category(new)),
        _step(_VERDICT, _verdict(before.verdict if before else None), _verdict(now.verdict)),
        _note(before.note if before else "", now.note),
    ]
    words = [_restored(now)] if now.restores is not None else []
    for part in parts:
        if part:
            words += [Word(_("; ")), *part] if words else part
    return words or [Word(_("changed nothing"))]


def _restored(now: AnnotationInfo) -> Word:
    return Word(
        _("brought back version %(restores)s", restores=now.restores) if now.restores else _("took it all back")
    )


def _step(said: tuple[str, str, str], old: Word | None, new: Word | None) -> list[Word]:
    """What changed; `said` are the sentences where something was given, taken away and changed."""
    if (old.text if old else None) == (new.text if new else None):
        return []
    given, taken, changed = said
    return _filled(translated(changed if old and new else given if new else taken), {"old": old, "new": new})


def _filled(sentence: str, words: Mapping[str, Word | None]) -> list[Word]:
    """A sentence in its stretches, the words of its places `%(old)s` and `%(new)s` among them."""
    parts = (words.get(part) or Word(part) for part in _PLACES.split(sentence))
    return [part for part in parts if part.text]


def _category(found: CategoryInfo | None) -> Word | None:
    return Word(found.title, category=found) if found else None


def _verdict(key: str | None) -> Word | None:
    return Word(HUMAN_VERDICTS.get(key, key), verdict=key) if key else None


def _note(old: str, new: str) -> list[Word]:
    if old == new:
        return []
    return [Word(_("took the note away") if not new else _("changed the note") if old else _("wrote a note"))]
