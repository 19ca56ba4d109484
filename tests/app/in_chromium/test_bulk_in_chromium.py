"""Saying the same of many latents in a real Chromium: boxes, ranges, keys, and the plain form without a script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.app.chromium import Open, serving
from tests.app.world import SLUGS, build

BOX = "#list input[name=latent]"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a store of this module's own, since here people write."""
    with serving(build(tmp_path_factory.mktemp("many") / "world.db")) as address:
        yield address


def listed(number: int, more: str = "") -> str:
    return f"/latents?sae={SLUGS[number]}&sort=index&order=asc{more}"


def verdicts(page: Page) -> list[str]:
    """Of each row, as people gave them."""
    rows = page.locator("#list tbody tr").all()
    return [row.locator(".human").inner_text() if row.locator(".human").count() else "" for row in rows]


def test_boxes_ranges_and_all_are_counted(visit: Open) -> None:
    page = visit().go(listed(0, "&dense=any"))
    tally, every = page.locator("[data-tally]"), page.locator("#list input[name=all]")
    expect(page.locator("#many button:not([name])")).to_be_disabled()
    page.locator(BOX).nth(2).click()
    page.locator(BOX).nth(6).click(modifiers=["Shift"])
    expect(tally).to_have_text("5 chosen; say of them:")
    page.locator(BOX).nth(5).click()
    page.locator(BOX).nth(3).click(modifiers=["Shift"])
    expect(tally).to_have_text("2 chosen; say of them:")
    assert every.evaluate("box => box.indeterminate")
    every.click()
    expect(tally).to_have_text("40 chosen; say of them:")
    page.locator(BOX).nth(0).click()
    expect(every).not_to_be_checked()
    page.keyboard.press("j")  # a box that has the focus is no field one types in
    expect(page.locator("tr.current")).to_have_count(1)


def test_keys_judge_the_marked_row_then_the_chosen_ones(visit: Open) -> None:
    page = visit().go(listed(0))
    page.evaluate("window.here = true")
    page.keyboard.press("j")
    page.keyboard.press("1")
    page.locator("#many [name=name]").fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("[data-changed]")).to_have_text("Said of 1 latent.")
    assert verdicts(page) == ["keep", "", "", "", ""]
    expect(page.locator("tr.current [data-open]")).to_be_focused()
    for key in "jxjx3":
        page.keyboard.press(key)
    expect(page.locator("[data-changed]")).to_have_text("Said of 2 latents.")
    assert verdicts(page) == ["keep", "prune", "prune", "", ""]
    page.keyboard.press("0")
    expect(page.locator("[data-changed]")).to_have_text("Said of 1 latent.")
    assert verdicts(page) == ["keep", "prune", "", "", ""]
    assert page.evaluate("window.here") is True


def test_a_row_that_fits_no_more_makes_room_for_the_next(visit: Open) -> None:
    page = visit().go(listed(1, "&human=none"))
    before = page.locator("[data-open]").all_inner_texts()
    page.keyboard.press("j")
    page.keyboard.press("2")
    page.locator("#many [name=name]").fill("Ada")
    page.keyboard.press("Enter")
    expect(page.locator("[data-open]")).to_have_count(4)
    expect(page.locator("[data-lede] b")).to_have_text("4")
    assert page.locator("tr.current [data-open]").inner_text() == before[1]
    for left in (3, 2, 1, 0):
        page.keyboard.press("2")
        expect(page.locator("[data-open]")).to_have_count(left)
    expect(page.locator("#list")).to_contain_text("No latent fits")


def test_what_was_refused_is_said_and_the_choice_stays(visit: Open) -> None:
    window = visit()
    window.allowed.append("net::ERR_FAILED")
    page = window.go(listed(2))
    page.locator(BOX).nth(1).check()
    page.locator("#many [name=verdict]").select_option("keep")
    page.locator("#many [name=name]").fill("Ada")
    page.route("**/annotations/many", lambda route: route.abort())
    page.locator("#many button:not([name])").click()
    expect(page.locator("[data-changed]")).to_contain_text("Not saved")
    expect(page.locator(BOX).nth(1)).to_be_checked()
    page.unroute("**/annotations/many")
    page.locator("#many button:not([name])").click()
    expect(page.locator("[data-changed]")).to_have_text("Said of 1 latent.")


def test_all_of_a_page_are_judged_without_javascript(visit: Open) -> None:
    window = visit(java_script_enabled=False, viewport={"width": 400, "height": 800})
    page = window.page
    page.goto(window.server + listed(2, "&dense=any&limit=7"))
    page.locator("#list input[name=all]").check()
    page.locator("#many [name=category]").select_option("alphabet")
    page.locator("#many [name=name]").fill("Bob")
    page.locator("#many button:not([name])").click()
    expect(page.locator("[data-changed]")).to_have_text("Said of 7 latents.")
    expect(page.locator("#list .chip.cat")).to_have_count(7)
    assert "limit=7" in page.url


def test_some_class_or_verdict_is_a_filter_that_reaches_the_address(visit: Open) -> None:
    page = visit().go("/latents")
    page.click("summary:has-text('All filters')")
    page.locator(".filters [name=human]").select_option("any")
    page.wait_for_url("**human=any**")
    expect(page.locator(".set-filters")).to_contain_text("a verdict by people")
    page.locator(".filters [name=class]").select_option("any")
    page.wait_for_url("**class=any**")
    assert "class=any" in page.url
    assert "pair=" not in page.url


def test_a_view_is_saved_and_found_again(visit: Open) -> None:
    page = visit().go(listed(1, "&min_density=0.3"))
    page.locator(".save-view summary").click()
    form = page.locator(".save-view form")
    form.locator("[name=name]").fill("for <b>Friday</b>")
    form.locator("[name=author]").fill("Ada")
    form.get_by_role("button", name="Save").click()
    page.wait_for_url("**/views#view-*")
    page.locator("tr:target [data-open]").click()
    page.wait_for_url("**min_density=0.3**")
    expect(page.locator("[data-open]")).to_have_count(2)


def test_chosen_latents_are_laid_side_by_side(visit: Open) -> None:
    page = visit().go(listed(0))
    page.locator(BOX).nth(0).click()
    page.locator(BOX).nth(1).click()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/compare?**")
    expect(page.locator("h1")).to_have_text("Compare 2 latents")
