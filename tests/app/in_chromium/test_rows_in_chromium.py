"""Pages of rows in a real Chromium: seen at a glance, on a phone, by keyboard and by readers of screens."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app.chromium import Open
from tests.app.field.test_field_pages import UNIT, db  # noqa: F401 - a fixture
from tests.app.in_chromium.test_accessible import axe, grave  # noqa: F401 - a fixture
from tests.field_world import DEFECT, MACHINE, NEVER

ALL = [
    "/",
    "/labels",
    "/methods",
    "/latents",
    "/report",
    "/saes/press/hidden",
    f"{UNIT}/{DEFECT}",
    f"{UNIT}/{MACHINE}",
    f"{UNIT}/{NEVER}",
]


@pytest.fixture(scope="module")
def store(db: Path) -> str:  # noqa: F811
    """Rows in place of text."""
    return str(db)


@pytest.mark.parametrize("path", ALL)
def test_it_fits_a_phone(visit: Open, path: str) -> None:
    page = visit(viewport={"width": 400, "height": 800}, color_scheme="dark").go(path)
    assert page.evaluate("document.documentElement.scrollWidth") == 400


def test_on_a_phone_no_number_of_the_start_page_is_cut(visit: Open) -> None:
    page = visit(viewport={"width": 400, "height": 800}).go("/")
    cut = "[...document.querySelectorAll('.glance *')].filter(n => n.getBoundingClientRect().right > innerWidth).length"
    assert page.locator(".glance td").count() > 10
    assert page.evaluate(cut) == 0


def test_rows_are_seen_without_scrolling(visit: Open) -> None:
    page = visit(viewport={"width": 1360, "height": 900}).go(f"{UNIT}/{DEFECT}")
    box = page.locator(".row-card").first.bounding_box()
    assert box
    assert box["y"] + box["height"] <= 900


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(visit: Open, axe: str, scheme: str) -> None:  # noqa: F811
    window = visit(color_scheme=scheme)
    # colours differ in the dark, and nothing else does
    asked = "{resultTypes: ['violations']" + (", runOnly: ['color-contrast']}" if scheme == "dark" else "}")
    faults = {}
    for path in ALL:
        page = window.go(path)
        page.evaluate(axe)
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        if said := grave(page.evaluate(f"axe.run(document, {asked})")):
            faults[path] = said
    assert faults == {}


def test_a_label_is_reached_by_keyboard_from_the_answer_to_its_rows(visit: Open) -> None:
    page = visit().go("/")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to the content
    for _step in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('href')") == f"{UNIT}/{DEFECT}":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{UNIT}/{DEFECT}")
    for _step in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.getAttribute('role')") == "tab":
            break
    first = page.locator(".row-card:visible").first.inner_text()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    assert page.locator(".row-card:visible").first.inner_text() != first
