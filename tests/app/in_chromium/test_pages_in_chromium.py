"""The pages in a real Chromium over a real server: what only a browser can show."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.app.chromium import Open
from tests.app.world import CONTROL, DEAD, EDGE, HOSTILE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN, WIDTH, density

SAE = f"/saes/{SLUGS[1]}"
LATENT = f"{SAE}/latents/{POSITIVE}"
PAIR = f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}"
ALL = [
    "/",
    "/layers",
    "/layers?run=1",
    "/labels",
    "/labels?run=1",
    "/report",
    "/report?run=1",
    "/latents",
    "/latents?dense=any&q=nothing-has-this",
    "/search",
    "/search?q=script+alert",
    "/try",
    SAE,
    LATENT,
    *(f"{SAE}/latents/{index}" for index in (NEGATIVE, DEAD, EDGE, CONTROL, 9)),
    PAIR,
    f"/saes/{SLUGS[0]}/latents/{POSITIVE}",
    f"/saes/{SLUGS[2]}/pairs/{POSITIVE}/{NEGATIVE}",
    "/experiments",
    "/experiments/1",
    "/experiments/2",
    "/experiments/designs/1",
    "/annotations",
    "/annotations/activity",
    "/categories",
    "/views",
    "/search?q=the",
    "/search?q=nothing-has-this",
    f"/compare?a={SLUGS[1]}:{POSITIVE}&b={SLUGS[1]}:{NEGATIVE}&c={SLUGS[2]}:{DEAD}",
    "/compare",
    f"/embed{LATENT}",
    "/methods",
    "/api/docs",
    "/no-such-page",
]
SHADES = ["", *(f"b{n}" for n in range(1, 9)), *(f"{side}{n}" for side in "np" for n in range(1, 5))]


@pytest.mark.parametrize("path", ALL)
def test_page_is_quiet_and_fits_a_phone(visit: Open, path: str) -> None:
    page = visit(viewport={"width": 400, "height": 800}, color_scheme="dark").go(path)
    assert page.evaluate("document.documentElement.scrollWidth") == 400
    assert page.locator("h1").count() == 1
    for plot in page.locator("[data-plot]").all():
        if plot.is_visible():
            assert plot.locator("svg.main-svg").count() > 0


@pytest.mark.parametrize(
    "path", [LATENT, PAIR, "/latents", "/labels", SAE, "/latents?q=%3Cscript%3Ealert(1)", "/search?q=script+alert"]
)
def test_hostile_tokens_are_text(visit: Open, path: str) -> None:
    page = visit().go(path)
    assert page.locator("main img").count() == 0
    assert page.locator("script:not([src]):not([type='application/json'])").count() == 0
    shown = page.evaluate("[...document.querySelectorAll('bdi')].map(n => n.textContent)")
    if path == "/labels":
        assert {HOSTILE[0], HOSTILE[1], HOSTILE[3]} <= set(shown)
    elif "q=" not in path:
        assert set(HOSTILE[:3]) <= set(shown)
    assert not page.evaluate("[...document.querySelectorAll('bdi')].some(n => n.querySelector(':not(mark)'))")


def test_a_direction_override_turns_nothing_but_itself(visit: Open) -> None:
    page = visit().go(LATENT)
    turned = page.locator(".strips bdi", has_text=HOSTILE[3]).first
    assert turned.evaluate("n => getComputedStyle(n).unicodeBidi") == "isolate"
    box, after = turned.bounding_box(), turned.locator("xpath=following-sibling::bdi[1]").bounding_box()
    assert box
    assert after
    assert after["x"] > box["x"] or after["y"] > box["y"]


def test_the_theme_is_kept_and_never_flashes(visit: Open) -> None:
    page = visit(color_scheme="light").go(LATENT)
    before = _background(page), _bar(page)
    page.click("[data-theme-toggle]")
    page.wait_for_function(
        "fill => getComputedStyle(document.querySelector('.canvas .point path')).fill !== fill", arg=before[1]
    )
    assert _background(page) != before[0]
    # whether the theme stands when the body is first there
    page.add_init_script(
        "new MutationObserver(() => { if (document.body) window.first ??= document.documentElement.dataset.theme })"
        ".observe(document, {childList: true, subtree: true})"
    )
    page.reload()
    assert page.evaluate("[window.first, document.documentElement.dataset.theme]") == ["dark", "dark"]
    assert _background(page) != before[0]


def _background(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))


def _bar(page: Page) -> str:
    return str(page.evaluate("getComputedStyle(document.querySelector('.canvas .point path')).fill"))


def test_the_choice_of_the_system_is_followed(visit: Open) -> None:
    assert _background(visit(color_scheme="dark").go("/")) != _background(visit(color_scheme="light").go("/"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_shade_can_be_read(visit: Open, scheme: str) -> None:
    page = visit(color_scheme=scheme).go(LATENT)
    for shade in SHADES:
        ink, paper = page.evaluate(
            """shade => { const n = document.createElement('bdi'); n.className = shade;
            document.querySelector('.strips .text').append(n); const s = getComputedStyle(n);
            const p = s.backgroundColor === 'rgba(0, 0, 0, 0)' ? getComputedStyle(n.closest('.card')).backgroundColor
              : s.backgroundColor; const both = [s.color, p].map(c => c.match(/\\d+/g).map(Number)); n.remove();
            return both }""",
            shade,
        )
        assert _contrast(ink, paper) >= 4.5, (shade, ink, paper)


def _contrast(ink: list[int], paper: list[int]) -> float:
    def light(colour: list[int]) -> float:
        parts = [part / 255 for part in colour[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted([light(ink), light(paper)])
    return (high + 0.05) / (low + 0.05)


def test_log_y_goes_off_and_on(visit: Open) -> None:
    page = visit().go(LATENT)
    kind = "document.querySelector('#activation-pair-plot').layout.yaxis.type"
    button = page.locator("[data-log-y]")
    for pressed, expected in (("true", "log"), ("false", "linear"), ("true", "log")):
        expect(button).to_have_attribute("aria-pressed", pressed)
        page.wait_for_function(f"{kind} === '{expected}'")
        button.click()


def test_every_histogram_view_is_drawn_when_chosen(visit: Open) -> None:
    page = visit().go(LATENT)
    for name in ("latent", "mirrored", "pair"):
        page.click(f"#activation-{name}-tab")
        expect(page.locator(f"#activation-{name}-plot svg.main-svg").first).to_be_visible()
        assert page.locator(f"#activation-{name} .point").count() > 0
    page.keyboard.press("ArrowRight")
    expect(page.locator("#activation-latent")).to_be_visible()
    expect(page.locator("#activation-pair")).to_be_hidden()


def test_a_class_opens_to_its_evidence(visit: Open) -> None:
    for options in ({"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 400, "height": 800}}):
        page = visit(**options).go(LATENT)
        assert page.locator("details.fn[open]").count() == 1
        page.locator("#fn-body-position").scroll_into_view_if_needed()
        expect(page.locator("#fn-position-profile svg.main-svg").first).to_be_visible()
        for row in page.locator("details.fn:not([open])").all():
            assert row.locator("svg.main-svg").count() == 0
        for name in ("context_binding-runs", "null_space-sweep", "alphabet-letters", "content_word-roc"):
            page.click(f"#fn-{name.split('-')[0]} > summary")
            expect(page.locator(f"#fn-{name} svg.main-svg").first).to_be_visible()
        page.locator("#fn-principal_component > summary").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#fn-principal_component-components .point").first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == page.evaluate("innerWidth")


def test_the_texts_are_the_first_thing_one_sees(visit: Open) -> None:
    for width, most in ((1360, 450), (400, 800)):
        page = visit(viewport={"width": width, "height": 900}).go(LATENT)
        assert page.locator(".strips .tokens").count() == 3
        assert page.evaluate("document.querySelector('.strips .tokens').getBoundingClientRect().top") < most
        expect(page.locator(".notes-bar")).to_be_in_viewport()  # and stays, however far one scrolls
        page.mouse.wheel(0, 2500)
        expect(page.locator(".notes-bar")).to_be_in_viewport()


def test_a_token_is_marked_in_the_histogram(visit: Open) -> None:
    page = visit(viewport={"width": 1360, "height": 1200}).go(LATENT)
    plot = page.locator("#activation-pair-plot")
    expect(plot.locator(".point").first).to_be_attached()
    token = page.locator(".strips .tokens bdi.focus").first
    token.hover()
    expect(plot).to_have_attribute("data-marked", re.compile(r"^-?\d"))
    own, other = (float(token.get_attribute(name) or 0) for name in ("data-v", "data-w"))
    marks = page.evaluate("document.querySelector('#activation-pair-plot').layout.meta.marks")
    expected = own * marks[str(POSITIVE)] + other * marks[str(NEGATIVE)]
    at = page.evaluate("document.querySelector('#activation-pair-plot').layout.shapes[0].x0")
    assert abs(at - expected) < 1e-6 * max(1.0, abs(expected))
    page.locator("h1").hover()
    expect(plot).not_to_have_attribute("data-marked", re.compile("."))


def test_a_tile_leads_to_what_it_speaks_of(visit: Open) -> None:
    page = visit().go(LATENT)
    for name in ("Does", "Follows", "Needed"):
        address = page.locator(".tile", has_text=name).first.get_attribute("href") or ""
        assert page.locator(address).count() == 1, (name, address)


def test_a_block_of_the_flow_of_classes_leads_to_its_latents(visit: Open) -> None:
    page = visit().go("/layers")
    block = page.locator(".sankey a").first
    said = block.get_attribute("aria-label") or ""
    block.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/latents\?sae="))
    assert page.locator("[data-open]").count() == int(re.search(r": (\d+) of", said)[1])  # type: ignore[index]


def test_a_chip_leads_to_its_row(visit: Open) -> None:
    page = visit().go(LATENT)
    page.click("p.chips a:has-text('context binding')")
    expect(page.locator("#fn-context_binding")).to_be_in_viewport()
    assert page.locator("#fn-context_binding[open]").count() == 1


def test_a_bar_of_the_stack_leads_to_its_latents(visit: Open) -> None:
    page = visit().go("/layers")
    page.get_by_text("As bars").click()
    page.locator("#stack .point").first.wait_for()
    page.locator("#stack").scroll_into_view_if_needed()
    bar = page.locator("#stack .point").first
    box = bar.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url(re.compile(r"/latents\?sae=.*class=position"))
    assert page.locator("[data-open]").count() == 1


def test_a_square_of_the_flow_leads_to_its_latent(visit: Open) -> None:
    page = visit().go("/layers")
    page.locator("#flow").scroll_into_view_if_needed()
    box = page.locator("#flow .point").first.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/latents/*")


def _click(page: Page, plot: str, trace: str, number: int) -> None:
    """Click where a point of a figure lies, whether its mark can be seen or not."""
    page.locator(f"#{plot}").scroll_into_view_if_needed()
    x, y = page.evaluate(
        """([plot, name, number]) => { const n = document.getElementById(plot); const l = n._fullLayout;
        const t = n.data.find(one => one.name === name); const box = n.getBoundingClientRect();
        const [x, y] = [l.xaxis._offset + l.xaxis.d2p(t.x[number]), l.yaxis._offset + l.yaxis.d2p(t.y[number])];
        return [box.left + x, box.top + y] }""",
        [plot, trace, number],
    )
    page.mouse.move(x, y)
    page.mouse.click(x, y)


def test_a_line_of_the_flow_leads_to_its_latent(visit: Open) -> None:
    page = visit().go("/layers")
    _click(page, "flow", "chains", 0)
    page.wait_for_url("**/latents/0#chain")
    expect(page.locator("#chain")).to_be_in_viewport()


def test_a_dot_of_the_effects_leads_to_its_latent(visit: Open) -> None:
    page = visit().go(LATENT)
    page.locator("#effect-plots").scroll_into_view_if_needed()
    page.click("#effect-kl-tab")
    expect(page.locator("#effect-kl-plot svg.main-svg").first).to_be_visible()
    _click(page, "effect-kl-plot", "", 1)
    page.wait_for_url(re.compile(r"/latents/[2-6]$"))


def test_effects_sort_from_the_head_of_the_list(visit: Open) -> None:
    page = visit().go("/latents")
    page.click("thead a:has-text('Δ loss')")
    page.wait_for_url("**sort=loss**")
    expect(page.locator("[data-open]").first).to_have_text(re.compile(f"/{POSITIVE}$"))
    page.click("summary:has-text('All filters')")
    page.select_option("select[name=verdict]", "prune")
    page.wait_for_url("**verdict=prune**")
    expect(page.locator("[data-open]").first).to_have_text(re.compile("/2$"))


def test_steered_texts_are_text(visit: Open) -> None:
    page = visit().go(PAIR)
    page.locator("#steering-signals").scroll_into_view_if_needed()
    expect(page.locator("#steering .goes-on").first).to_be_visible()
    assert page.locator("#steering img, #steering script:not([type='application/json'])").count() == 0
    shown = page.locator("#steering .goes-on bdi").all_text_contents()
    assert {f"He said {HOSTILE[0]}", HOSTILE[1], HOSTILE[3]} <= set(shown)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_verdicts_by_rule_can_be_read(visit: Open, scheme: str) -> None:
    page = visit(color_scheme=scheme).go(SAE)
    for part in page.locator(".verdicts .ruled > *").all():
        ink, paper = part.evaluate(
            """n => { const s = getComputedStyle(n); const own = s.backgroundColor;
            const p = own === 'rgba(0, 0, 0, 0)' ? getComputedStyle(n.closest('.card')).backgroundColor : own;
            return [s.color, p].map(c => c.match(/\\d+/g).map(Number)) }"""
        )
        assert _contrast(ink, paper) >= 4.5, (part.inner_text(), ink, paper)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_chips_and_confounds_can_be_read(visit: Open, scheme: str) -> None:
    page = visit(color_scheme=scheme).go(LATENT)
    for kind in ("fn-yes", "fn-likely", "fn-none", "v-no", "v-unmeasured", "v-own"):
        ink, paper = page.evaluate(
            """kind => { const n = document.createElement('span'); n.className = `chip ${kind}`;
            document.querySelector('.card').append(n); const s = getComputedStyle(n);
            const p = s.backgroundColor === 'rgba(0, 0, 0, 0)' ? getComputedStyle(n.closest('.card')).backgroundColor
              : s.backgroundColor; const both = [s.color, p].map(c => c.match(/\\d+/g).map(Number)); n.remove();
            return both }""",
            kind,
        )
        assert _contrast(ink, paper) >= 4.5, (kind, ink, paper)


def test_the_threshold_moves_counts_and_links(visit: Open) -> None:
    page = visit().go("/")
    link = page.locator(f"tr[data-slug='{SLUGS[0]}'] [data-count]")
    for key in ("Home", "PageUp", "ArrowRight", "ArrowRight"):
        page.locator("#cut").press(key)
        query = parse_qs(urlsplit(link.get_attribute("href") or "").query)
        cut = float(query["min_density"][0])
        assert int(link.inner_text()) == sum(density(index) > cut for index in range(WIDTH)), cut
    page.locator("#cut").press("End")
    assert link.inner_text() == "0"
    assert page.locator("output[for=cut]").inner_text() == "99\u202f%"


@pytest.mark.parametrize("address", ["/?run=1", "/layers"])
def test_a_dot_of_a_plot_leads_to_its_latent(visit: Open, address: str) -> None:
    page = visit().go(address)
    plot = page.locator("#scatter, #panel-1").first
    dots = plot.locator(".scatterlayer .point")
    plot.scroll_into_view_if_needed()
    assert dots.count() > 0
    box = dots.last.bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**/latents/*")


def test_a_dot_of_the_map_says_what_it_is_and_leads_to_its_latent(visit: Open) -> None:
    page = visit().go("/")
    dot = page.locator(f"#map a[href$='/latents/{POSITIVE}']")
    dot.hover()
    expect(page.locator("#tip")).to_contain_text(f"L2/{POSITIVE}, 38.1\u202f%")
    dot.click()
    page.wait_for_url(f"**/latents/{POSITIVE}")


def test_another_layers_map_comes_when_it_is_chosen(visit: Open) -> None:
    page = visit().go("/")
    shown = page.locator("#map figure:visible")
    expect(shown).to_have_attribute("data-map-of", SLUGS[2])
    page.locator("#cut").press("End")
    page.locator(f"[data-map='{SLUGS[0]}']").click()
    expect(shown).to_have_attribute("data-map-of", SLUGS[0])
    assert shown.count() == 1
    assert shown.locator("circle:not(.off)").count() == 0  # as the threshold stands
    assert page.url.endswith(f"/?map={SLUGS[0]}")
    expect(page.locator("[data-map][aria-current]")).to_have_attribute("data-map", SLUGS[0])


def _numbers(page: Page, at: str) -> list[int]:
    return [int(text.replace(",", "")) for text in page.locator(at).all_inner_texts()]


def test_the_threshold_moves_every_number_and_the_map(visit: Open) -> None:
    page = visit().go("/")
    dense = [density(index) for index in range(WIDTH)]
    cut = page.locator("#cut")
    thresholds = page.evaluate("JSON.parse(document.getElementById('counts').textContent).thresholds")
    for place in (0, 12, 27, 29, 35, 50, 110):
        cut.fill(str(place))
        at = thresholds[place]
        count, pairs = sum(one > at for one in dense), int(density(POSITIVE) > at)
        assert set(_numbers(page, "[data-sum='dense']")) == {3 * count}
        assert set(_numbers(page, "[data-sum='pairs']")) == {3 * pairs}
        assert _numbers(page, "tr [data-of='pairs']") == [pairs] * 3
        assert _numbers(page, "[data-map] [data-of]") == [count] * 3
        on_map = [density(index) for index in (POSITIVE, NEGATIVE, TWIN, ORIGINAL, EDGE)]
        assert page.locator("#map circle:not(.off)").count() == sum(one > at for one in on_map)
        assert page.locator("#map line:not(.off)").count() == pairs
        kinds = [sum(_numbers(page, f".found-words [data-sum='{name}']")) for name in KINDS]
        unmeasured = page.locator(".found-words [data-sum='unmeasured']").text_content() or ""
        assert sum(kinds) + int(unmeasured) == 3 * count
        parts = page.locator("tr[data-slug] [data-bar]").evaluate_all(
            "nodes => nodes.reduce((sum, node) => sum + Number(node.getAttribute('width')), 0)"
        )
        assert parts == pytest.approx(300 if count else 0, abs=0.5)
        assert page.locator("[data-below]").is_visible() == (at < 0.1)


KINDS = ("classed", "partly_followed", "unexplained")


def test_the_line_of_the_curve_can_be_dragged(visit: Open) -> None:
    page = visit().go("/")
    box = page.locator(".curve-box").bounding_box()
    assert box
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 2 * box["width"] / 3, y)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 3, y, steps=4)
    assert page.locator("output[for=cut]").inner_text() == "1\u202f%"
    page.mouse.move(box["x"] + box["width"] * 0.9, y, steps=4)
    page.mouse.up()
    assert page.locator("output[for=cut]").inner_text() == "50\u202f%"
    page.mouse.move(box["x"], y)  # let go: it stays
    assert page.locator("output[for=cut]").inner_text() == "50\u202f%"
    page.keyboard.press("ArrowLeft")  # it has the focus
    assert page.locator("output[for=cut]").inner_text() == "49\u202f%"


def test_keys_walk_a_list_search_and_explain(visit: Open) -> None:
    page = visit().go("/latents")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    second = page.locator("tr.current [data-open]").get_attribute("href")
    assert second == page.locator("[data-open]").first.get_attribute("href")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#keys")).to_be_hidden()
    page.keyboard.press("/")
    page.keyboard.type("j?t")
    assert page.locator("[data-search]").input_value() == "j?t"
    page.locator("tr.current [data-open]").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{second}")


def test_keys_walk_from_latent_to_latent(visit: Open) -> None:
    page = visit().go(LATENT)
    following = page.locator("a[rel=next]").get_attribute("href")
    page.keyboard.press("j")
    page.wait_for_url(f"**{following}")
    page.keyboard.press("k")
    page.wait_for_url(f"**{LATENT}")


def test_definitions_show_on_focus_and_go_on_escape(visit: Open) -> None:
    page = visit().go(LATENT)
    page.keyboard.press("Tab")
    while page.evaluate("document.activeElement.className") != "term":
        page.keyboard.press("Tab")
    tip = page.locator("#tip")
    expect(tip).to_be_visible()
    assert tip.inner_text() == page.evaluate("document.activeElement.dataset.tip")
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()


def test_a_token_tells_its_activation_on_touch(visit: Open) -> None:
    page = visit(has_touch=True).go(LATENT)
    page.locator(".strips bdi.focus").first.tap()
    expect(page.locator("#tip")).to_contain_text(f"{POSITIVE}: 3.00")


def test_filters_make_a_short_address(visit: Open) -> None:
    page = visit().go("/latents")
    page.click("summary:has-text('All filters')")
    page.fill("input[name=min_density]", "0.2")
    page.keyboard.press("Enter")
    page.wait_for_url("**min_density=0.2**")
    assert set(parse_qs(urlsplit(page.url).query)) == {"dense", "sort", "order", "min_density"}
    expect(page.locator("[data-open]")).to_have_count(3 * sum(density(index) >= 0.2 for index in range(WIDTH)))


def test_the_address_is_copied(visit: Open) -> None:
    page = visit(permissions=["clipboard-read", "clipboard-write"]).go(LATENT)
    page.click("[data-copy-link]")
    expect(page.locator("[data-copy-link]")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


@pytest.mark.parametrize("path", ALL)
def test_pages_can_be_read_without_javascript(visit: Open, path: str) -> None:
    window = visit(java_script_enabled=False, viewport={"width": 400, "height": 800})
    page = window.page
    page.goto(window.server + path)
    expect(page.locator("h1")).to_be_visible()
    for part in page.locator(".needs-js, .canvas").all():
        expect(part).to_be_hidden()
    for fold in page.locator("details.more > summary").all():
        fold.click()
    for panel in page.locator(".panel").all():
        expect(panel).to_be_visible()
    for row in page.locator("details.fn").all():
        if row.get_attribute("open") is None:
            row.locator("> summary").click()
    for table in page.locator("figure.plot details").all():
        table.locator("summary").click()
        expect(table.locator("table, .later a").first).to_be_visible()
    for part in page.locator("[data-part]:not(details *)").all():
        expect(part.locator("a").last).to_be_visible()
