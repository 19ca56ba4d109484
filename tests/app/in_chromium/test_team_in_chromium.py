"""A team in a real Chromium: annotate, conflict in two windows, undo, and the same without JavaScript."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.app.chromium import Open, serving
from tests.app.world import HOSTILE, SLUGS, build

LATENT = f"/saes/{SLUGS[1]}/latents/0"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a store of this module's own, since here people write."""
    with serving(build(tmp_path_factory.mktemp("team") / "world.db")) as address:
        yield address


def write(page: Page, note: str, name: str = "Ada", verdict: str = "") -> None:
    form = page.locator("#annotation form.annotate")
    form.locator("[name=name]").fill(name)
    form.locator("[name=note]").fill(note)
    form.locator(f"input[name=verdict][value='{verdict}']").check(force=True)
    form.get_by_role("button", name="Save").click()


def test_saved_without_leaving_the_page_and_there_in_a_fresh_profile(visit: Open) -> None:
    page = visit().go(LATENT)
    page.evaluate("window.here = true")
    write(page, "first sight", verdict="keep")
    expect(page.locator("[data-saved]")).to_have_text("Saved.")
    assert page.evaluate("window.here") is True
    link = page.url
    other = visit().go(link.removeprefix(link.split("/saes")[0]))
    expect(other.locator("#annotation .said").first).to_have_text("first sight")
    expect(other.locator(".head .human")).to_contain_text("keep")


def test_two_windows_conflict_and_nothing_is_lost(visit: Open) -> None:
    where = f"/saes/{SLUGS[1]}/latents/1"
    one, two = visit().go(where), visit().go(where)
    write(one, "Ada's text", "Ada")
    expect(one.locator("[data-saved]")).to_have_text("Saved.")
    write(two, "Bob's text", "Bob")
    conflict = two.locator(".conflict")
    expect(conflict).to_contain_text("Ada's text")
    expect(conflict).to_contain_text("Bob's text")
    expect(two.locator("#annotation [data-note]")).to_have_value("Bob's text")
    two.get_by_role("button", name="Save mine").click()
    expect(two.locator("[data-saved]")).to_have_text("Saved.")
    two.locator(".history summary").click()
    expect(two.locator(".history li")).to_have_count(2)
    expect(two.locator(".history")).to_contain_text("Ada's text")


def test_keys_judge_write_save_and_undo(visit: Open) -> None:
    page = visit().go(f"/saes/{SLUGS[1]}/latents/2")
    page.locator("#annotation [name=name]").fill("Ada")
    page.locator("h1").click()
    page.keyboard.press("3")
    expect(page.locator("#annotation > .chips .human")).to_have_text("prune")
    page.keyboard.press("n")
    page.keyboard.type("noise 123")  # typing is no key
    page.keyboard.press("Control+Enter")
    expect(page.locator("#annotation > .said")).to_have_text("noise 123")
    page.locator("h1").click()
    page.keyboard.press("u")
    expect(page.locator("#annotation > .said")).to_have_count(0)
    expect(page.locator("#annotation > .chips .human")).to_have_text("prune")


def test_the_head_follows_a_save_and_an_undo(visit: Open) -> None:
    page = visit().go(f"/saes/{SLUGS[1]}/latents/7")
    head = page.locator(".head .human")
    expect(head).to_have_count(0)
    write(page, "seen", verdict="keep")
    expect(head).to_have_text("Adakeep")
    write(page, "seen again", verdict="prune")
    expect(head).to_have_text("Adaprune")
    page.get_by_role("button", name="Undo version 2").click()
    expect(head).to_have_text("Adakeep")
    page.get_by_role("button", name="Undo version 3").click()
    expect(head).to_have_text("Adaprune")


def test_a_key_that_judges_types_nothing(visit: Open) -> None:
    page = visit().go(f"/saes/{SLUGS[1]}/latents/8")
    name = page.locator("#annotation [name=name]")
    page.locator("h1").click()
    for key in "123":
        page.keyboard.press(key)
        expect(name).to_be_focused()  # the form asks for a name
        expect(name).to_have_value("")
        page.locator("h1").click()
        name.evaluate("field => field.blur()")


def test_a_server_that_is_away_costs_no_text(visit: Open) -> None:
    window = visit()
    window.allowed.append("net::ERR_FAILED")
    page = window.go(f"/saes/{SLUGS[1]}/latents/3")
    page.route("**/annotation", lambda route: route.abort())
    write(page, "long thought")
    expect(page.locator("[data-saved]")).to_contain_text("Not saved")
    expect(page.locator("#annotation [data-note]")).to_have_value("long thought")
    page.unroute("**/annotation")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("[data-saved]")).to_have_text("Saved.")


def test_read_annotated_and_undone_without_javascript(visit: Open) -> None:
    window = visit(java_script_enabled=False)
    page = window.page
    page.goto(f"{window.server}/saes/{SLUGS[1]}/latents/4")
    write(page, "by hand")
    expect(page.locator("#annotation .said").first).to_have_text("by hand")
    assert page.url.endswith("/latents/4#annotation")
    page.get_by_role("button", name="Undo version 1").click()
    expect(page.locator("#annotation > .said")).to_have_count(0)


def test_hostile_notes_and_names_are_text(visit: Open) -> None:
    page = visit().go(f"/saes/{SLUGS[1]}/latents/5")
    for text in HOSTILE[:5]:
        write(page, f"{text} L1/0 {text}", name=text)
        expect(page.locator("[data-saved]")).to_have_text("Saved.")
        expect(page.locator("#annotation > .said")).to_contain_text(text)
    page = visit().go(f"/saes/{SLUGS[1]}/latents/5")
    assert page.locator("#annotation script, #annotation img").count() == 0


def test_a_teams_day(visit: Open, server: str) -> None:
    """Browse by keyboard, open, annotate, find it by search, compare, take it away, follow the link elsewhere."""
    page = visit().go(f"/latents?sae={SLUGS[2]}")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url("**/latents/0*")
    write(page, "fires on gangplanks", verdict="investigate")
    expect(page.locator("[data-saved]")).to_have_text("Saved.")

    page.locator("h1").click()
    page.keyboard.press("/")
    page.keyboard.type("gangplank*")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search?*")
    expect(page.locator("mark").first).to_contain_text("gangplank")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/saes/{SLUGS[2]}/latents/0*")

    page.get_by_role("link", name="Compare").click()
    page.wait_for_url("**/compare?**")
    expect(page.locator("main")).to_contain_text("fires on gangplanks")

    page = visit().go("/latents?human=investigate")
    expect(page.locator("table[data-rows] tbody tr")).to_have_count(1)
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    text = Path(waiting.value.path()).read_text()
    assert "fires on gangplanks" in text
    assert len(text.splitlines()) == 2

    fresh = visit().go("/annotations/activity")
    expect(fresh.locator("main")).to_contain_text("fires on gangplanks")
    link = fresh.locator(f"main a[href*='{SLUGS[2]}/latents/0']").first.get_attribute("href")
    assert link
    expect(visit().go(link.split("#")[0]).locator("#annotation > .said")).to_have_text("fires on gangplanks")
