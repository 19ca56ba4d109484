"""Which pages a site has."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.experiments import queries as experiments
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.static_site.errors import SiteError
from app.static_site.places import ANNOTATIONS, BROWSE, SEARCH, Places, folder_names
from app.static_site.queries import paged_latents, paged_pairs

SINGLE = {
    "/": "index.html",
    "/layers": "layers.html",
    "/labels": "labels.html",
    "/experiments": "experiments.html",
    "/methods": "methods.html",
    "/report": "report.html",
}
"""Pages of the server that a site takes over, but for those of SAEs, latents, pairs and single experiments."""
OWN = {"/latents": BROWSE, "/search": SEARCH, "/annotations": ANNOTATIONS}
"""Pages that a site makes itself: the server's ask the database."""


@dataclass(frozen=True)
class Plan:
    """A site before it is made."""

    run: RunInfo
    saes: list[SaeInfo]
    """Those whose latents are in it, by layer."""
    folders: dict[str, str]
    """By slug."""
    latents: dict[int, list[int]]
    """By analysis: latents that have a page, the densest first."""
    pages: list[tuple[str, str]]
    """Path on the server and file of each page to be rendered."""
    places: Places

    @property
    def query(self) -> str:
        """Pins the run."""
        return f"run={self.run.id}"


def plan_of(session: Session, run: int | None, slugs: list[str], every: bool) -> Plan:
    """The site of a run.

    Args:
        run: without it the newest complete one.
        slugs: SAEs whose latents are shown; empty: all of the run.
        every: also latents without examples get a page.

    Raises:
        SiteError: the store has no complete run, or the run lacks one of the SAEs.
        NotFound: there is no such run.
    """
    shown = runs.find_run(session, run)
    if shown is None:
        raise SiteError("the store holds no complete run; `dense-latents analyze` or `demo` makes one")
    chosen = _chosen(saes.list_saes(session, shown), slugs, shown)
    folders = folder_names(sae.slug for sae in chosen)
    pages = list(SINGLE.items())
    held = {sae.slug for sae in chosen}
    for one in sorted(experiments.list_experiments(session), key=lambda one: one.id):
        pages += [(f"/experiments/{one.id}", f"experiment-{one.id}.html")] if one.sae in held else []
    latents = {sae.analysis_id: paged_latents(session, sae.analysis_id, every) for sae in chosen}
    places = Places(shown.id)
    for sae in chosen:
        pages += _of_sae(session, sae, folders[sae.slug], latents[sae.analysis_id], places)
    for path, file in [*pages, *OWN.items()]:
        places.add(path, file)
    return Plan(shown, chosen, folders, latents, pages, places)


def _chosen(found: list[SaeInfo], slugs: list[str], run: RunInfo) -> list[SaeInfo]:
    known = {sae.slug for sae in found}
    for slug in slugs:
        if slug not in known:
            raise SiteError(f"--sae {slug}: run {run.id} holds {', '.join(sorted(known))}")
    return [sae for sae in found if not slugs or sae.slug in slugs]


def _of_sae(session: Session, sae: SaeInfo, folder: str, latents: list[int], places: Places) -> list[tuple[str, str]]:
    at, here = f"/saes/{sae.slug}", f"saes/{folder}"
    pages = [(at, f"{here}/index.html")]
    pages += [(f"{at}/latents/{index}", f"{here}/latent-{index}.html") for index in latents]
    for first, second in paged_pairs(session, sae.analysis_id):
        file = f"{here}/pair-{first}-{second}.html"
        pages.append((f"{at}/pairs/{first}/{second}", file))
        places.add(f"{at}/pairs/{second}/{first}", file)  # either order is the same page
    return pages
