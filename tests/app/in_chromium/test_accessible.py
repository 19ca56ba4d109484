"""axe-core over every page, in light and dark: what cannot be read, reached or told by a reader of screens.

npm fetches axe-core for the test; where there is no npm or nothing to fetch from, the test is skipped.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.app.chromium import Open
from tests.app.in_chromium.test_pages_in_chromium import ALL
from tests.npm import fetched

_PACKAGE = "axe-core@4.14.1"
_GRAVE = {"serious", "critical"}


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The script."""
    given = os.environ.get("DENSE_LATENTS_AXE")
    if given:
        return Path(given).read_text()
    folder = fetched(_PACKAGE, tmp_path_factory.mktemp("axe"), "set DENSE_LATENTS_AXE to axe.min.js")
    return (folder / "package" / "axe.min.js").read_text()


def grave(found: dict[str, Any]) -> list[str]:
    """What axe found that is serious, a line each."""
    return [
        f"{one['id']} ({one['impact']}): {one['help']}: {'; '.join(node['html'][:120] for node in one['nodes'][:3])}"
        for one in found["violations"]
        if one["impact"] in _GRAVE
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_has_a_serious_fault(visit: Open, axe: str, scheme: str) -> None:
    window = visit(color_scheme=scheme)
    # colours differ in the dark, and nothing else does
    asked = "{resultTypes: ['violations']" + (", runOnly: ['color-contrast']}" if scheme == "dark" else "}")
    faults = {}
    for path in ALL:
        page = window.go(path)
        page.evaluate(axe)
        # what is folded must be as good as what is seen
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        said = grave(page.evaluate(f"axe.run(document, {asked})"))
        if said:
            faults[path] = said
    assert faults == {}


def test_axe_finds_a_fault_that_is_there(visit: Open, axe: str) -> None:
    page = visit().go("/methods")
    page.evaluate(axe)
    page.evaluate("document.querySelector('main').append(document.createElement('input'))")
    assert any("label" in one for one in grave(page.evaluate("axe.run(document)")))
