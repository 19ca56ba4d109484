"""The site by keyboard: Tab reaches all that can be clicked, where the focus is can be seen, Enter opens it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.app.chromium import Open
from tests.app.in_chromium.test_pages_in_chromium import LATENT

_NUMBER = """() => {
  const one = 'a[href], button, summary, select, textarea, input:not([type=hidden]), [tabindex="0"]';
  const open = [...document.querySelectorAll(one)].filter((node) =>
    node.tabIndex >= 0 && !node.disabled && node.checkVisibility() && !node.closest('[inert], dialog:not([open])')
    && !(node.type === 'radio' && !node.checked));
  open.forEach((node, place) => { node.dataset.walk = place; });
  return open.length;
}"""
_HERE = """() => {
  const node = document.activeElement;
  if (!node || node === document.body) return null;
  const drawn = node instanceof SVGElement ? [node, ...node.querySelectorAll('rect, circle')] : [];
  const thick = drawn.some((part) => parseFloat(getComputedStyle(part).strokeWidth) >= 1.5);
  const style = getComputedStyle(node);
  const framed = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  const seen = thick || framed || style.boxShadow !== 'none';
  return [node.dataset.walk ?? '', seen, node.outerHTML.slice(0, 100)];
}"""
_LEFT = """(found) => [...document.querySelectorAll('[data-walk]')].filter((node) =>
  !found.includes(node.dataset.walk) && node.checkVisibility()).map((node) => node.outerHTML.slice(0, 100))"""


@pytest.mark.parametrize("path", ["/", "/latents", LATENT, "/layers", "/labels", "/experiments"])
def test_tab_reaches_all_that_can_be_clicked_and_is_seen_there(visit: Open, path: str) -> None:
    page = visit().go(path)
    there = page.evaluate(_NUMBER)
    found: list[str] = []
    unseen: list[str] = []
    for _press in range(2 * there + 200):  # parts that come while walking bring more
        page.keyboard.press("Tab")
        here = page.evaluate(_HERE)
        if here is None or (found and here[0] == found[0]):
            break
        found.append(here[0])
        unseen += [] if here[1] else [here[2]]
    assert there > 10
    assert page.evaluate(_LEFT, found) == []
    assert unseen == []


def test_a_chain_lights_up_with_the_focus_and_stays_after_enter(visit: Open) -> None:
    page = visit().go("/layers")
    link = page.locator("[data-lights]").first
    if link.count() == 0:
        pytest.skip("this world has no chain of three latents")
    line = page.locator(f'[data-chain="{link.get_attribute("data-lights")}"]')
    expect(line).to_have_css("opacity", "0")
    link.focus()
    expect(line).to_have_css("opacity", "1")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"[?&]chain="))
    expect(page.locator(".chain.lit")).to_have_css("opacity", "1")
