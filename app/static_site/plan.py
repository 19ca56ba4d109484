"""Which pages a site has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from app.designs.queries import list_comparisons
from app.experiments.queries import list_experiments
from app.http.errors import NotFound
from app.runs.queries import RunInfo, find_run
from app.saes.queries import SaeInfo, list_saes
from app.shared.links import Pin, latent_at, pair_at, sae_at
from app.static_site.errors import SiteError
from app.static_site.links import ANNOTATIONS, BROWSE, SEARCH, folder_names
from app.static_site.snapshot import restrict
from store.tables import Latent, Pair

SINGLE = ("layers", "labels", "experiments", "methods", "report")
OWN = {"/latents": BROWSE, "/search": SEARCH, "/annotations": ANNOTATIONS}
"""Pages that a site makes itself: the server's ask the database."""


@dataclass(frozen=True)
class PageFile:
    """A page to be made."""

    address: str
    """On the server."""
    file: str
    kind: str
    """Of page: a key of `build.PAGES`."""
    of: tuple[Any, ...] = ()
    """What it is of."""


@dataclass(frozen=True)
class Plan:
    """A site before it is made."""

    db: str
    state: str
    """Of the store that it is of."""
    run: RunInfo
    saes: list[SaeInfo]
    """Those that are in it, by layer."""
    partial: bool
    """Whether the run has more."""
    folders: dict[str, str]
    """By slug."""
    latents: dict[int, list[int]]
    """By analysis: latents that have a page, the densest first."""
    pages: list[PageFile]
    files: dict[str, str]
    """Path on the server -> file, of all that can be linked to."""
    packed: bool
    """Whether what stands below a page's head is compressed."""


def plan_of(session: Session, db: str, pin: Pin, slugs: list[str], every: bool, packed: bool = True) -> Plan:
    """The site of a run; the session sees no more than its SAEs from here on.

    Args:
        pin: the run or suite; else the suite of the newest complete run.
        slugs: SAEs that are shown; empty: all of the run.
        every: also latents without examples get a page.
        packed: whether what stands below a page's head is compressed.

    Raises:
        SiteError: the store has no complete run, or not this one, or the run lacks one of the SAEs.
    """
    shown = _run(session, pin)
    found = list_saes(session, shown)
    chosen = _chosen(found, slugs, shown)
    if len(chosen) < len(found):
        restrict(session, [sae.analysis_id for sae in chosen])
        shown = _run(session, pin)  # its counts are of fewer SAEs now
    folders = folder_names(sae.slug for sae in chosen)
    latents = {sae.analysis_id: _latents(session, sae.analysis_id, every) for sae in chosen}
    pages = [PageFile("/", "index.html", "home"), *(PageFile(f"/{one}", f"{one}.html", one) for one in SINGLE)]
    for number in sorted(one.id for one in list_experiments(session)):
        pages.append(PageFile(f"/experiments/{number}", f"experiment-{number}.html", "experiment", (number,)))
    for number in sorted(one.id for one in list_comparisons(session)):
        address = f"/experiments/designs/{number}"
        pages.append(PageFile(address, f"designs-{number}.html", "comparison", (number,)))
    for sae in chosen:
        pages += _of_sae(session, sae, f"saes/{folders[sae.slug]}", latents[sae.analysis_id])
    files = OWN | {page.address: page.file for page in pages}
    # either order is the same page
    files |= {pair_at(page.of[0], page.of[2], page.of[1]): page.file for page in pages if page.kind == "pair"}
    state = session.info["state"]
    return Plan(db, state, shown, chosen, len(chosen) < len(found), folders, latents, pages, files, packed)


def _run(session: Session, pin: Pin) -> RunInfo:
    try:
        found = find_run(session, pin)
    except NotFound as error:
        raise SiteError(str(error.detail)) from error
    if found is None:
        raise SiteError("the store holds no complete run; `dense-latents analyze` or `demo` makes one")
    return found


def _chosen(found: list[SaeInfo], slugs: list[str], run: RunInfo) -> list[SaeInfo]:
    known = {sae.slug for sae in found}
    for slug in slugs:
        if slug not in known:
            raise SiteError(f"--sae {slug}: {run.words} hold{'s' * (len(run.runs) == 1)} {', '.join(sorted(known))}")
    return [sae for sae in found if not slugs or sae.slug in slugs]


def _of_sae(session: Session, sae: SaeInfo, folder: str, latents: list[int]) -> list[PageFile]:
    slug = sae.slug
    pages = [PageFile(sae_at(slug), f"{folder}/index.html", "sae", (slug,))]
    pages += [PageFile(latent_at(slug, one), f"{folder}/latent-{one}.html", "latent", (slug, one)) for one in latents]
    for first, second in _pairs(session, sae.analysis_id):
        file = f"{folder}/pair-{first}-{second}.html"
        pages.append(PageFile(pair_at(slug, first, second), file, "pair", (slug, first, second)))
    return pages


def _latents(session: Session, analysis_id: int, every: bool) -> list[int]:
    """Dense latents and those whose examples are kept, or every one; the densest first."""
    statement = select(Latent.index).where(Latent.analysis_id == analysis_id)
    if not every:
        statement = statement.where(or_(Latent.is_dense, Latent.detail.is_not(None)))
    return list(session.scalars(statement.order_by(Latent.density.desc(), Latent.index)))


def _pairs(session: Session, analysis_id: int) -> list[tuple[int, int]]:
    """Positive and negative latent of all that were measured as a pair."""
    statement = select(Pair.positive, Pair.negative).where(Pair.analysis_id == analysis_id)
    return [(row[0], row[1]) for row in session.execute(statement.order_by(Pair.positive, Pair.negative))]
