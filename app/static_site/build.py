"""All files of a site: pages by several processes, then the data of list and search, scripts and styles."""

from __future__ import annotations

import json
import multiprocessing
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from sqlalchemy.orm import Session

from app.categories.queries import list_categories
from app.classes.groups import mark_of, title_of
from app.classes.palette import endings
from app.designs.page import comparison_page
from app.experiments.page import experiment_page, experiments_page
from app.field import pages as field
from app.home.page import home_page
from app.http.assets import load
from app.labels.page import labels_page
from app.labels.queries import label_names
from app.latents.page import latent_page
from app.latents.record import read_latent
from app.layers.page import layers_page
from app.methods.page import methods_page
from app.methods.queries import list_terms
from app.pairs.page import pair_page
from app.pairs.record import read_pair
from app.rendering import Given, Renderer
from app.report.page import report_page
from app.runs.queries import RunInfo
from app.saes.page import sae_page
from app.saes.queries import find_sae
from app.settings import Settings
from app.shared.instead import maker_of
from app.shared.page import Page
from app.static_site.bundle import bundle
from app.static_site.errors import SiteError
from app.static_site.links import ANNOTATIONS, BROWSE, BUNDLE, SEARCH, SiteLinks
from app.static_site.pages import annotations_page, browse_page, search_page
from app.static_site.plan import PageFile, Plan
from app.static_site.rows import Rows, rows_of
from app.static_site.search import search_data
from app.static_site.snapshot import restrict, snapshot
from app.vocabulary import REMARKS, RULE_VERDICTS
from store.vocabulary import DETAILS, REST

LICENCE = "vendor/plotly-LICENSE.txt"
ROWS, FOUND, TERMS = "data/latents.js", "data/search.js", "data/terms.js"
CHUNK = 8
"""Pages that a process makes at a time."""
WORTH = 64
"""Pages that are worth a process of their own: it takes a second or two to start."""
_NEIGHBOUR = re.compile(r'^import[^"]*"\./([\w-]+\.js)"', re.MULTILINE)


class Loaded(NamedTuple):
    """What pages load."""

    assets: set[str]
    """Files of the static folder."""
    modules: set[str]


class PageMaker:
    """Makes pages with the site's links, and writes them."""

    def __init__(self, session: Session, plan: Plan, folder: Path) -> None:
        field.declare()
        self.session, self.plan, self.folder = session, plan, folder
        self.settings = Settings(db=plan.db, read_only=True)
        self.assets = load(self.settings.static, endings())
        data = {f"/{file}": file for file in (ROWS, FOUND, TERMS)}
        self.links = SiteLinks(plan.run.id, plan.files | data, plan.packed)
        self._render = Renderer(self.settings, self.assets, self.links)
        self._given = Given(terms=list_terms(session, plan.run.of_rows), of_rows=plan.run.of_rows)

    def make(self, pages: Sequence[PageFile]) -> Loaded:
        """So many, and what they load."""
        for page in pages:
            self.put(page.file, PAGES[page.kind](self.session, self.plan.run, *page.of))
        return Loaded(self.links.assets, self.links.modules)

    def put(self, file: str, page: Page) -> None:
        """One."""
        self.links.here = file
        write(self.folder / file, bytes(self._render(page, given=self._given).body))


def _latent(session: Session, run: RunInfo, slug: str, index: int) -> Page:
    make = maker_of(run.family, "latent", latent_page)
    return make(run, read_latent(session, find_sae(session, run, slug), index), "", whole=True)


def _pair(session: Session, run: RunInfo, slug: str, first: int, second: int) -> Page:
    return pair_page(run, read_pair(session, find_sae(session, run, slug), first, second), "", whole=True)


PAGES: dict[str, Callable[..., Page]] = {
    "home": lambda session, run: maker_of(run.family, "home", partial(home_page, whole=True))(session, run, ""),
    "layers": lambda session, run: maker_of(run.family, "layers", layers_page)(session, run, ""),
    "labels": lambda session, run: maker_of(run.family, "labels", labels_page)(session, run),
    "report": report_page,
    "methods": methods_page,
    "experiments": lambda session, _run: experiments_page(session),
    "experiment": lambda session, _run, number: experiment_page(session, number),
    "comparison": lambda session, _run, number: comparison_page(session, number),
    "sae": lambda session, run, slug: maker_of(run.family, "sae", sae_page)(
        session, run, find_sae(session, run, slug), ""
    ),
    "latent": _latent,
    "pair": _pair,
}
"""By kind: the page that the server shows, of the run that the site is of."""


class _Process:
    """One of several that make pages, with a session of its own."""

    maker: ClassVar[PageMaker]
    _held: ClassVar[ExitStack] = ExitStack()

    @classmethod
    def start(cls, plan: Plan, folder: Path) -> None:
        session = cls._held.enter_context(snapshot(plan.db))
        if plan.partial:
            restrict(session, [sae.analysis_id for sae in plan.saes])
        cls.maker = PageMaker(session, plan, folder)

    @classmethod
    def make(cls, pages: Sequence[PageFile]) -> Loaded:
        if cls.maker.session.info["state"] != cls.maker.plan.state:
            raise SiteError("the store was written to while the site was begun; make it again")
        return cls.maker.make(pages)


def build(
    session: Session, plan: Plan, folder: Path, progress: Callable[[int], None], processes: int | None = None
) -> int:
    """All of a site; how many pages it has.

    Args:
        session: of the state and the SAEs that the plan is of.
        progress: called with how many pages are made anew.
        processes: that make pages; without it as many as there are cores, and no more than is worth it.
    """
    maker = PageMaker(session, plan, folder)
    wanted = processes or min(_cores(), len(plan.pages) // WORTH)
    for loaded, done in _made(maker, wanted):
        maker.links.assets |= loaded.assets
        maker.links.modules |= loaded.modules
        progress(done)
    rows = rows_of(session, plan)
    maker.put(BROWSE, browse_page(session, plan, len(rows.rows), rows.left_out))
    maker.put(SEARCH, search_page(plan))
    maker.put(ANNOTATIONS, annotations_page(session, plan))
    progress(3)
    _data(maker, rows)
    _scripts(maker)
    return len(plan.pages) + 3


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _made(maker: PageMaker, processes: int) -> Iterator[tuple[Loaded, int]]:
    """What some pages load, and how many those were, until all are made."""
    pages = maker.plan.pages
    chunks = [pages[start : start + CHUNK] for start in range(0, len(pages), CHUNK)]
    if processes < 2:
        yield from ((maker.make(chunk), len(chunk)) for chunk in chunks)
        return
    context, given = multiprocessing.get_context("spawn"), (maker.plan, maker.folder)
    with ProcessPoolExecutor(processes, context, initializer=_Process.start, initargs=given) as pool:
        waiting = {pool.submit(_Process.make, chunk): len(chunk) for chunk in chunks}
        try:
            yield from ((one.result(), waiting[one]) for one in as_completed(waiting))
        except BrokenProcessPool as error:
            raise SiteError("a process that makes pages was ended from outside, perhaps for memory") from error
        finally:
            pool.shutdown(cancel_futures=True)


def _data(maker: PageMaker, rows: Rows) -> None:
    session, plan = maker.session, maker.plan
    known = {
        "saes": [[sae.slug, plan.folders[sae.slug], sae.layer] for sae in plan.saes],
        "classes": [[name, title_of(name), name not in REST, mark_of(name)] for name in rows.classes.items],
        "verdicts": list(map(list, RULE_VERDICTS.items())),
        "details": [[name, REMARKS[name]] for name in DETAILS],
        "labels": label_names(session, plan.run),
        "categories": [[one.key, one.title, one.colour] for one in list_categories(session)],
        "tokens": rows.tokens.items,
        "rows": rows.rows,
    }
    _script(maker.folder / ROWS, "latents", known)
    terms = {name: term.definition for name, term in list_terms(session, plan.run.of_rows).items()}
    _script(maker.folder / TERMS, "terms", terms)
    _script(maker.folder / FOUND, "search", search_data(session, plan, rows))


def _script(file: Path, name: str, held: dict[str, Any]) -> None:
    # a script, since nothing can be fetched from file://; its objects have no keys but ours
    text = json.dumps(held, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    # what is no text becomes a question mark
    write(file, f"(globalThis.denseLatents ??= {{}}).{name} = {text};\n".encode("utf-8", "replace"))


def _scripts(maker: PageMaker) -> None:
    files, sources = maker.assets.files, dict[str, str]()
    waiting = sorted(maker.links.modules, reverse=True)
    while waiting:
        name = waiting.pop()
        if name in sources:
            continue
        if name not in files:
            raise SiteError(f"static/{name} is asked for, and is not there")
        sources[name] = files[name].read_text(encoding="utf-8")
        waiting += _NEIGHBOUR.findall(sources[name])
    write(maker.folder / BUNDLE, bundle(sources).encode())
    for name in sorted({*maker.links.assets, LICENCE}):
        write(maker.folder / "static" / name, maker.assets.content(name))


def write(file: Path, content: bytes) -> None:
    """A file of the site, in a folder that may be new."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
