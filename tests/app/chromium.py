"""A real Chromium over a server process: fixtures, and a window that notes all that goes wrong in it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, sync_playwright

from tests.app import servers

DRAWN = "[...document.querySelectorAll('[data-plot]')].every(n => !n.checkVisibility() || n.dataset.ready)"


@contextmanager
def serving(store: str) -> Iterator[str]:
    """A server process over a store; its address."""
    with TemporaryDirectory() as folder, servers.serving(store, Path(folder) / "log") as server:
        yield server.address


@pytest.fixture(scope="module")
def server(store: str) -> Iterator[str]:
    """Address of a server over the fixture store, which it only reads."""
    with serving(store) as address:
        yield address


@pytest.fixture(scope="module")  # while one is open, no other test of the process can run an event loop
def browser() -> Iterator[Browser]:
    """Debian's Chromium, or the one DENSE_LATENTS_CHROMIUM names."""
    path = os.environ.get("DENSE_LATENTS_CHROMIUM") or shutil.which("chromium")
    assert path, "no Chromium: install it (apt-get install chromium), or set DENSE_LATENTS_CHROMIUM to its path"
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


class Visit:
    """One browser window, and all that went wrong in it."""

    def __init__(self, context: BrowserContext, server: str) -> None:
        self.page, self.server = context.new_page(), server
        self.faults: list[str] = []
        self.allowed = ["status of 404", "status of 409"]  # the browser says this of every such answer
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("dialog", self._refuse)
        self.page.on("request", lambda request: self._origin(request.url))
        self.page.add_init_script(
            "addEventListener('securitypolicyviolation', e => console.error('policy: ' + e.violatedDirective))"
        )

    def _note(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"} and not any(one in text for one in self.allowed):
            self.faults.append(f"{kind}: {text}")

    def _refuse(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    def _origin(self, url: str) -> None:
        if not url.startswith((f"{self.server}/", "data:", "blob:")):
            self.faults.append(f"off-origin: {url}")

    def go(self, path: str) -> Page:
        """The page, with its plots drawn."""
        self.page.goto(self.server + path, wait_until="networkidle")
        # seen once in some hundred visits of a busy machine: a figure that plotly never ends; the page is asked again
        if not self._drawn():
            self.page.reload(wait_until="networkidle")
            assert self._drawn(), "a plot was not drawn, twice"
        return self.page

    def _drawn(self) -> bool:
        """Whether all plots are, within 15 seconds.

        Asked again and again from here: a predicate that the page itself repeats is evaluated by it, which our policy
        refuses; a folded figure has a width, but is not visible.
        """
        for _ in range(300):
            if self.page.evaluate(DRAWN):
                return True
            self.page.wait_for_timeout(50)
        return False


Open = Callable[..., Visit]


@pytest.fixture
def visit(browser: Browser, server: str) -> Iterator[Open]:
    """Opens windows; at the end none of them may have complained."""
    contexts: list[BrowserContext] = []
    visits: list[Visit] = []

    def make(**options: Any) -> Visit:
        contexts.append(browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **options}))
        visits.append(Visit(contexts[-1], server))
        return visits[-1]

    yield make
    for context in contexts:
        context.close()
    assert [fault for one in visits for fault in one.faults] == []
