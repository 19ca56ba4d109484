"""All pages of a site, one after the other: no more than one is held at a time."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy.orm import Session

from app.categories.queries import list_categories
from app.classes.queries import TITLES
from app.http.assets import Assets
from app.labels.queries import label_names
from app.methods.queries import list_terms
from app.rendering import Given
from app.shared.page import Page
from app.static_site import own
from app.static_site.asking import asking
from app.static_site.bundle import bundle
from app.static_site.errors import SiteError
from app.static_site.found import found_of
from app.static_site.places import ANNOTATIONS, BROWSE, SEARCH
from app.static_site.plan import Plan
from app.static_site.rewrite import BUNDLE, rewrite
from app.static_site.rows import NAMES, Rows, rows_of
from app.vocabulary import RULE_VERDICTS
from store.vocabulary import DETAILS

LICENCE = "static/vendor/plotly-LICENSE.txt"
ROWS, FOUND = "data/latents.js", "data/search.js"
_NEIGHBOUR = re.compile(r'^import[^"]*"\./([\w-]+\.js)"', re.MULTILINE)


class Builder:
    """Writes the files of a plan into a folder.

    Args:
        tell: called after each page.
    """

    def __init__(self, app: FastAPI, session: Session, plan: Plan, folder: Path, tell: Callable[[], None]) -> None:
        self.app, self.session, self.plan, self.folder, self.tell = app, session, plan, folder, tell
        self.assets: Assets = app.state.assets
        self.wanted: set[str] = set()
        self.modules: set[str] = set()
        for name in self.assets.files:
            plan.places.add(self.assets.url(name), f"static/{name}")
        for file in (ROWS, FOUND):
            plan.places.add(f"/{file}", file)

    def build(self) -> int:
        """All of it; how many pages there are."""
        rows = rows_of(self.session, self.plan)
        self._own(rows)
        self._data(rows)
        with asking(self.app, self.session) as asker:
            for path, file in self.plan.pages:
                self._page(asker.page(path, self.plan.query), file)
        self._scripts()
        return len(self.plan.pages) + 3

    def _page(self, html: str, file: str) -> None:
        made = rewrite(html, file, self.plan.places)
        self.wanted |= made.assets
        self.modules |= set(made.modules)
        self._write(file, made.html)
        self.tell()

    def _own(self, rows: Rows) -> None:
        given = Given(terms=list_terms(self.session), pin=self.plan.query)
        pages: tuple[tuple[str, Page], ...] = (
            (BROWSE, own.browse_page(self.session, self.plan, len(rows.rows), rows.left_out)),
            (SEARCH, own.search_page(self.plan)),
            (ANNOTATIONS, own.annotations_page(self.session, self.plan)),
        )
        for file, page in pages:
            self._page(self.app.state.renderer(page, given=given).body.decode(), file)

    def _data(self, rows: Rows) -> None:
        plan = self.plan
        known = {
            "saes": [[sae.slug, plan.folders[sae.slug], sae.layer] for sae in plan.saes],
            "classes": [[name, TITLES[name]] for name in NAMES],
            "verdicts": list(map(list, RULE_VERDICTS.items())),
            "details": list(DETAILS),
            "labels": label_names(self.session, plan.run),
            "categories": [[one.key, one.title, one.colour] for one in list_categories(self.session)],
            "tokens": rows.tokens.items,
            "rows": rows.rows,
        }
        self._script(ROWS, "latents", known)
        self._script(FOUND, "search", found_of(self.session, plan, rows))

    def _script(self, file: str, name: str, held: dict[str, Any]) -> None:
        # a script, since nothing can be fetched from file://; its objects have no keys but ours
        text = json.dumps(held, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        text = text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
        self._write(file, f"(globalThis.denseLatents ??= {{}}).{name} = {text};\n")

    def _scripts(self) -> None:
        sources: dict[str, str] = {}
        waiting = sorted(self.modules, reverse=True)
        while waiting:
            name = waiting.pop()
            if name in sources:
                continue
            if name not in self.assets.files:
                raise SiteError(f"static/{name} is asked for, and is not there")
            sources[name] = self.assets.files[name].read_text(encoding="utf-8")
            waiting += _NEIGHBOUR.findall(sources[name])
        self._write(BUNDLE, bundle(sources))
        for file in sorted({*self.wanted, LICENCE}):
            source = self.assets.files[file.removeprefix("static/")]
            (self.folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, self.folder / file)

    def _write(self, file: str, text: str) -> None:
        path = self.folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        # bytes, so that no system turns line ends round; what is no text becomes a question mark
        path.write_bytes(text.encode("utf-8", "replace"))
