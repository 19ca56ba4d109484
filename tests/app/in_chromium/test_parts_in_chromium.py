"""What of a page comes when it is asked for, in a real Chromium: by scrolling, opening, linking, searching."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from tests.app.chromium import Open
from tests.app.world import NEGATIVE, POSITIVE, SLUGS

LATENT = f"/saes/{SLUGS[1]}/latents/{POSITIVE}"
PAIR = f"/saes/{SLUGS[1]}/pairs/{POSITIVE}/{NEGATIVE}"


def asked(page: Page) -> list[str]:
    """Names of the parts that the page fetches from now on."""
    found: list[str] = []
    page.on("request", lambda request: found.extend(request.url.split("/parts/")[1:]))
    return found


def test_what_is_scrolled_to_is_there(visit: Open) -> None:
    window = visit()
    found = asked(window.page)
    page = window.go(LATENT)
    assert set(found) <= {"classes", "effects"}  # no more than a window below what is seen
    assert page.locator("#labels table").count() == 0
    page.locator("#labels").scroll_into_view_if_needed()
    expect(page.locator("#labels table").first).to_be_visible()
    expect(page.locator("#chain .link-name").first).to_contain_text("layer")
    page.locator("#document").scroll_into_view_if_needed()
    expect(page.locator("#document svg.strip path").first).to_be_attached()
    assert len(found) == len(set(found))  # each part once, whatever it fills


def test_a_tab_and_a_fold_bring_what_they_hold(visit: Open) -> None:
    page = visit().go(LATENT)
    page.get_by_text("More texts").click()
    page.get_by_role("tab", name="Random, off").click()
    expect(page.locator("#examples-off figure.example").first).to_be_visible()
    assert page.locator("#examples-off").get_attribute("role") == "tabpanel"
    page.locator("#activation-pair details summary").click()
    expect(page.locator("#activation-pair table")).to_be_visible()
    expect(page.locator("[aria-busy]")).to_have_count(0)


def test_an_address_leads_to_what_comes_later(visit: Open) -> None:
    page = visit().go(f"{LATENT}#examples-off")
    expect(page.locator("#examples-off figure.example").first).to_be_in_viewport()
    page = visit().go(f"{LATENT}#effect-kl")
    expect(page.locator("#effect-kl")).to_be_attached()


def test_the_focus_stays_where_it_was(visit: Open) -> None:
    page = visit(viewport={"width": 1280, "height": 300}).go(LATENT)
    page.locator("#labels-table a").evaluate("link => link.focus()")
    expect(page.locator("#labels-table table").first).to_be_visible()
    assert page.evaluate("document.activeElement.id") == "labels-table"


def test_who_searches_the_page_gets_all_of_it(visit: Open) -> None:
    page = visit().go(PAIR)
    page.keyboard.press("Control+f")
    expect(page.locator("[data-part]")).to_have_count(0)
    expect(page.locator("#examples-random figure.example").first).to_be_attached()


def test_a_part_that_does_not_come_says_so_and_can_be_followed(visit: Open) -> None:
    window = visit()
    window.allowed.append("net::ERR_FAILED")

    def fail(route: Route) -> None:
        route.abort()

    window.page.route("**/parts/relations", fail)
    page = window.go(LATENT)
    page.locator("#labels").scroll_into_view_if_needed()
    expect(page.locator("#labels-table [role=status]")).to_contain_text("could not be loaded")
    page.unroute("**/parts/relations", fail)
    page.locator("#labels-table a").click()
    page.wait_for_url("**/parts/relations#labels-table")
    expect(page.locator("#labels-table table").first).to_be_visible()


def test_without_a_script_a_link_leads_to_the_part(visit: Open) -> None:
    window = visit(java_script_enabled=False)
    page = window.page
    page.goto(window.server + LATENT)
    page.locator("#activation-mirrored a").click()
    expect(page.locator("h1")).to_contain_text("L1/0: plots with their numbers")
    expect(page.locator("#activation-mirrored")).to_be_in_viewport()
    page.locator("#activation-mirrored summary").click()
    expect(page.locator("#activation-mirrored table")).to_be_visible()
    page.get_by_role("link", name="L1/0").click()
    expect(page.locator("h1")).to_contain_text("mirror of 1")


def test_log_y_holds_for_plots_that_come_later(visit: Open) -> None:
    page = visit().go(LATENT)
    page.locator("[data-log-y]").click()
    page.get_by_role("tab", name="this latent").click()
    expect(page.locator("#activation-latent-plot svg.main-svg").first).to_be_visible()
    assert page.evaluate("document.querySelector('#activation-latent-plot').layout.yaxis.type") == "linear"
