"""Five questions of a visitor, each answered at most one click from the home page, by links that do not go away."""

from __future__ import annotations

import re
from html import unescape

from fastapi.testclient import TestClient

from tests.app.test_pages import page, spaced


def links(html: str) -> list[str]:
    """Addresses on the page, but for those of the tour: closed once, it does not come back."""
    lasting = re.sub(r'<section class="tour".*?</section>', "", html, flags=re.DOTALL)
    return [unescape(address) for address in re.findall(r'<a [^>]*href="(/[^"]*)"', lasting)]


def first(addresses: list[str], pattern: str) -> str:
    """The first that fits."""
    return next(address for address in addresses if re.search(pattern, address))


def test_five_questions_are_one_click_away(client: TestClient) -> None:
    home = page(client, "/")
    there = links(home)
    # what was found: no click at all
    assert re.search(r"\d+ of [\d,]+ latents in \d+ SAEs? are dense", spaced(home.split('class="lede')[1][:3000]))
    # show me a pair
    assert "<bdi" in page(client, first(there, r"/pairs/\d+/\d+"))
    # does anything follow my label
    assert re.search(r"\d+ of \d+ labels? (is|are) followed", spaced(page(client, first(there, r"^/labels"))))
    # is it needed
    assert "Needed" in spaced(page(client, first(there, r"/latents/\d+$")))
    # what should I do
    report = spaced(page(client, first(there, r"^/report")))
    assert re.search(r"decided|keep|prune|investigate", report, re.IGNORECASE)
