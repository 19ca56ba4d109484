"""The panel on which people say what they think of a latent or a pair."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, Subject, history
from app.annotations.write import MAX_NOTE, Draft
from app.categories import queries as categories
from app.categories.queries import CategoryInfo, category_of
from app.runs.queries import RunInfo
from app.saes.queries import SaeInfo, list_saes
from app.shared.language import _
from app.shared.links import at, latent_at, latent_name, pair_at, sae_at
from app.vocabulary import HUMAN_VERDICTS

HISTORY = 20
"""Versions that the panel shows."""
_LATENT = re.compile(r"\bL(\d{1,3})/(\d{1,9})\b")


@dataclass(frozen=True)
class NotePart:
    """A stretch of a note; with an address where it names a latent."""

    text: str
    href: str


@dataclass(frozen=True)
class Said:
    """One version as shown."""

    version: int
    category: CategoryInfo | None
    verdict: str
    """As people read it; empty where none was given."""
    verdict_key: str
    note: list[NotePart]
    author: str
    created: datetime
    restores: int | None
    empty: bool


@dataclass(frozen=True)
class Told:
    """What is said of a latent or a pair, where those of several stand together."""

    about: str
    """As people write it: L15/1024."""
    href: str
    said: Said


@dataclass(frozen=True)
class AnnotationPanel:
    """What is said, the form to say something else, and how it came about."""

    about: str
    """What the annotation is of, in words."""
    action: str
    """Where the form goes."""
    page: str
    """The page the panel stands on."""
    said: Said | None
    """What is said now; None where nothing is."""
    version: int
    """What a save says it has seen."""
    draft: Draft
    """What the form holds."""
    theirs: Said | None
    """What somebody saved in between; the form then holds what was not saved."""
    stale: bool
    """Whether somebody saved in between."""
    problem: str
    """Why a draft was refused; empty where it was not."""
    history: list[Said] | None
    """The newest versions, newest first; None where they come when asked for."""
    later: str
    """Where they come from then."""
    older: str
    """Where all versions are, if there are more; else empty."""
    categories: list[CategoryInfo]
    """Those that can be chosen."""
    verdicts: list[tuple[str, str]]
    """Key and words."""
    longest: int
    """Characters a note may have."""


def annotation_panel(
    session: Session,
    run: RunInfo,
    sae: SaeInfo,
    subject: Subject,
    pin: str,
    *,
    latest: AnnotationInfo | None = None,
    later: str = "",
    draft: Draft | None = None,
    stale: bool = False,
    problem: str = "",
) -> AnnotationPanel:
    """The panel of one latent or pair.

    Args:
        latest: what is said now, and
        later: where the history comes from when it is asked for; without it the history is read.
        draft: what the form holds; without it what is said now.
        stale: somebody saved before `draft` could be.
        problem: why `draft` was refused.
    """
    versions = ([latest] if latest else []) if later else history(session, subject, HISTORY)
    known = categories.list_categories(session)
    current = versions[0] if versions else None
    whole = current is None or current.version == 1 or not later
    links = _links(session, run, sae) if any(one.note for one in versions) else {}
    shown = [said_of(one, known, links, pin) for one in versions]
    path = subject.page(sae.slug)
    held = draft or (Draft(current.category, current.verdict, current.note) if current else Draft())
    return AnnotationPanel(
        about=_("the pair %(index)s ⇄ %(other)s", index=subject.index, other=subject.other)
        if subject.is_pair
        else _("latent %(index)s", index=subject.index),
        action=at(f"{path}/annotation", pin),
        page=at(path, pin),
        said=shown[0] if shown and not shown[0].empty else None,
        version=current.version if current else 0,
        draft=held,
        theirs=shown[0] if stale and shown else None,
        stale=stale,
        problem=problem,
        history=shown if whole else None,
        later=later,
        older=f"/api/v1{path}/annotation" if current and current.version > HISTORY else "",
        categories=[one for one in known if not one.archived or one.key == held.category],
        verdicts=list(HUMAN_VERDICTS.items()),
        longest=MAX_NOTE,
    )


def said_now(session: Session, run: RunInfo, sae: SaeInfo, latest: AnnotationInfo | None, pin: str) -> Said | None:
    """What is said now, as shown; None where nothing is."""
    if latest is None or latest.empty:
        return None
    links = _links(session, run, sae) if latest.note else {}
    return said_of(latest, categories.list_categories(session), links, pin)


def told(
    found: Iterable[tuple[str, int, AnnotationInfo]], saes: Iterable[SaeInfo], known: list[CategoryInfo]
) -> list[Told]:
    """What is said of latents and pairs of one run's SAEs, each with its SAE's slug and layer."""
    links, made = _by_layer(saes), []
    for slug, layer, one in found:
        pair = one.other >= 0
        about = latent_name(layer, one.index) + (f" ⇄ {one.other}" if pair else "")
        href = pair_at(slug, one.index, one.other) if pair else latent_at(slug, one.index)
        made.append(Told(about, href, said_of(one, known, {**links, layer: _latents(slug)})))
    return made


def _links(session: Session, run: RunInfo, sae: SaeInfo) -> dict[int, str]:
    """Layer -> the beginning of a latent's address: of this SAE where it is its layer, else of the run's first."""
    return {**_by_layer(list_saes(session, run)), sae.layer: _latents(sae.slug)}


def _by_layer(saes: Iterable[SaeInfo]) -> dict[int, str]:
    found: dict[int, str] = {}
    for one in saes:
        found.setdefault(one.layer, _latents(one.slug))
    return found


def _latents(slug: str) -> str:
    return f"{sae_at(slug)}/latents/"


def note_parts(note: str, links: dict[int, str], pin: str = "") -> list[NotePart]:
    """A note with its latents, written L15/1024, as links; what names no known layer stays text."""
    parts, end = [], 0
    for match in _LATENT.finditer(note):
        start = links.get(int(match[1]))
        if start is None:
            continue
        parts += [NotePart(note[end : match.start()], "")] if match.start() > end else []
        parts.append(NotePart(match[0], at(f"{start}{int(match[2])}", pin)))
        end = match.end()
    return parts + ([NotePart(note[end:], "")] if end < len(note) else [])


def said_of(one: AnnotationInfo, known: list[CategoryInfo], links: dict[int, str], pin: str = "") -> Said:
    """A version as shown."""
    return Said(
        version=one.version,
        category=category_of(one.category, known),
        verdict=HUMAN_VERDICTS.get(one.verdict or "", one.verdict or ""),
        verdict_key=one.verdict or "",
        note=note_parts(one.note, links, pin),
        author=one.author,
        created=one.created,
        restores=one.restores,
        empty=one.empty,
    )
