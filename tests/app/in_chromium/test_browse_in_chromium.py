"""The list of latents in a real Chromium: filters act at once and stay in the address; cards on a phone; no script."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.app.chromium import Open
from tests.app.world import SLUGS


def test_a_facet_acts_at_once_and_the_address_shares_it(visit: Open) -> None:
    page = visit().go("/latents")
    page.evaluate("globalThis.kept = true")
    page.locator("[data-key^=class]").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".set-filters li")).to_have_count(3)  # two that are set, and the reset
    assert page.evaluate("globalThis.kept")  # the page was not loaded anew
    assert page.evaluate("document.activeElement.dataset.key").startswith("class")
    names = page.locator("[data-open]").all_inner_texts()
    other = visit().go(page.url.removeprefix(visit().server))
    assert other.locator("[data-open]").all_inner_texts() == names
    page.go_back()
    expect(page.locator(".set-filters li")).to_have_count(1)
    assert page.url.endswith("/latents")


def test_a_chip_is_taken_off_and_boxes_still_count(visit: Open) -> None:
    page = visit().go(f"/latents?sae={SLUGS[1]}&pair=true")
    page.click(".set-filters a:has-text('in a mirror pair')")
    expect(page.locator(".set-filters")).not_to_contain_text("mirror pair")
    assert "pair" not in page.url
    page.locator("#list input[name=latent]").first.check()
    expect(page.locator("[data-tally]")).to_contain_text("1 chosen")


def test_a_field_acts_when_it_is_left_and_its_fold_stays_open(visit: Open) -> None:
    page = visit().go("/latents")
    page.click("summary:has-text('All filters')")
    page.fill("[name=max_density]", "0.3")
    page.keyboard.press("Tab")
    expect(page.locator(".set-filters")).to_contain_text("density at most 30")
    expect(page.locator("[name=max_density]")).to_be_visible()
    assert "max_density=0.3" in page.url


def test_what_cannot_be_a_filter_is_said(visit: Open) -> None:
    window = visit()
    window.allowed.append("status of 422")
    page = window.go("/latents")
    page.evaluate("document.querySelector('[name=min_density]').type = 'text'")
    page.click("summary:has-text('All filters')")
    page.fill("[name=min_density]", "seven")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_contain_text("no number from 0 to 1")


def test_filters_work_without_javascript(visit: Open) -> None:
    window = visit(java_script_enabled=False)
    page = window.page
    page.goto(window.server + "/latents")
    page.click("[data-key^=sae]")
    expect(page.locator(".set-filters li")).to_have_count(3)
    page.click("summary:has-text('All filters')")
    page.select_option("[name=pair]", "true")
    page.click(".more .go button")
    expect(page.locator(".set-filters")).to_contain_text("in a mirror pair")
    page.fill("#contains", "zzqx")
    page.click(".contains button")
    expect(page.locator(".empty")).to_contain_text("No latent fits")
    page.click(".set-filters a:has-text('zzqx')")
    expect(page.locator("[data-open]").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_rows_are_cards_on_a_phone(visit: Open, scheme: str) -> None:
    page = visit(viewport={"width": 400, "height": 800}, color_scheme=scheme).go("/latents?sort=loss")
    region = page.locator("#list .scroll")
    assert region.evaluate("n => n.scrollWidth <= n.clientWidth")
    row = page.locator("#list tbody tr").first
    for part in (".who a", ".does", ".hist svg", "[data-head='density']", "[data-head='Δ loss']"):
        box = row.locator(part).first.bounding_box()
        assert box is not None, part
        assert box["x"] >= 0, part
        assert box["x"] + box["width"] <= 400, part
    expect(page.locator(".sorts summary")).to_contain_text("Sorted by Δ loss")


def test_a_table_wider_than_the_phone_shows_that_it_goes_on(visit: Open) -> None:
    page = visit(viewport={"width": 400, "height": 800}).go(f"/saes/{SLUGS[1]}")
    wide = (
        page.locator(".scroll")
        .filter(has=page.locator("table"))
        .evaluate_all(
            "all => all.filter(n => n.scrollWidth > n.clientWidth + 1)"
            ".map(n => getComputedStyle(n).backgroundAttachment)"
        )
    )
    assert set(wide) <= {"local, local, scroll, scroll"}
    assert wide
