"""A run as a folder of files: whole, closed in itself, and working in a browser without a server."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, expect
from typer.testing import CliRunner

from app.annotations.queries import Subject
from app.annotations.write import Draft, save
from app.http.errors import ServeError
from app.main import create_app
from app.settings import Settings
from app.shared.links import UNPINNED
from app.static_site import folder
from app.static_site.build import build as make
from app.static_site.cli import site
from app.static_site.errors import SiteError
from app.static_site.links import FILTERS
from app.static_site.plan import plan_of
from app.static_site.snapshot import snapshot
from dense_latents import cli
from store.session import make_engine, session_factory
from tests.app.chromium import Visit
from tests.app.test_pages import Tags, words
from tests.app.world import CONTROL, HOSTILE, POSITIVE, SLUGS, build

NOTE = f"Mirror of L1/1? {HOSTILE[1]}"
PACKED = re.compile(r'<div data-packed><script type="text/plain">([^<]*)</script>.*?</div>', re.DOTALL)
LATENT = f"saes/tiny-l1-resid/latent-{POSITIVE}.html"


@pytest.fixture(scope="module")
def store_with_note(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = build(tmp_path_factory.mktemp("noted") / "world.db")
    engine = make_engine(path)
    with session_factory(engine)() as session:
        save(session, Subject("1" * 64, POSITIVE), Draft("position", "keep", NOTE), 0, "Ada")
    engine.dispose()
    return path


@pytest.fixture(scope="module")
def out(store_with_note: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of the world."""
    made = tmp_path_factory.mktemp("site") / "a folder with spaces"
    site(made, store_with_note)
    return made


def read(out: Path, file: str) -> str:
    return text_of(out / file)


def text_of(path: Path) -> str:
    """A file as a browser has it once all is unpacked."""
    return PACKED.sub(lambda found: zlib.decompress(b64decode(found[1])).decode(), path.read_text(encoding="utf-8"))


def pages_of(out: Path) -> list[Path]:
    return sorted(out.rglob("*.html"))


def held(text: str) -> dict[str, object]:
    """The data of a script."""
    found: dict[str, object] = json.loads(text[text.index("{", text.index(" = ")) : text.rindex(";")])
    return found


def test_every_link_leads_to_a_file_of_the_site(out: Path) -> None:
    ids = {path: {a["id"] for _tag, a in Tags(text_of(path)).found if "id" in a} for path in pages_of(out)}
    checked = 0
    for path in pages_of(out):
        for tag, attributes in Tags(text_of(path)).found:
            for name in ("href", "src", "action"):
                if name not in attributes or (tag == "link" and attributes[name].startswith("data:")):
                    continue
                parts = urlsplit(attributes[name])
                assert not parts.scheme, (path, attributes[name])
                assert not parts.netloc
                assert not parts.path.startswith("/"), (path, attributes[name])
                target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
                assert target.is_relative_to(out.resolve())
                assert target.is_file(), (path, attributes[name])
                if parts.query:
                    assert target.name in {"latents.html", "search.html"}
                    assert {key for key, _value in parse_qsl(parts.query)} <= FILTERS
                if parts.fragment and target in ids:
                    assert parts.fragment in ids[target], (path, attributes[name])
                checked += 1
    assert checked > 1000


def test_dots_of_plots_lead_to_files(out: Path) -> None:
    seen = 0
    for path in pages_of(out):
        for spec in re.findall(r'class="figure-spec">(.*?)</script>', text_of(path), re.DOTALL):
            for trace in json.loads(spec)["data"]:
                for row in trace.get("customdata") or []:
                    if isinstance(row, list) and isinstance(row[0], str):
                        assert row[0].startswith("./"), row
                        assert (path.parent / urlsplit(row[0]).path).is_file(), (path, row)
                        seen += 1
    assert seen > 100


def test_dense_latents_partners_and_controls_have_a_page_others_are_in_the_list(out: Path) -> None:
    names = {path.name for path in (out / "saes" / "tiny-l1-resid").iterdir()}
    assert {"index.html", "latent-0.html", "latent-1.html", f"latent-{CONTROL}.html", "pair-0-1.html"} <= names
    assert "latent-39.html" not in names
    rows = held(read(out, "data/latents.js"))["rows"]
    assert isinstance(rows, list)
    assert len(rows) == 3 * 40


def test_nothing_that_needs_a_server_is_left(out: Path) -> None:
    for path in pages_of(out):
        text = text_of(path)
        found = Tags(text).found
        assert [a for tag, a in found if tag == "form" and a.get("method", "get") == "post"] == []
        assert [a for tag, a in found if tag == "form" and a.get("action", "").startswith("http")] == []
        assert "/api/" not in words(text)
        assert "http://localhost" not in text
        assert 'type="module"' not in text


def test_file_names_are_plain(out: Path) -> None:
    for path in out.rglob("*"):
        assert re.fullmatch(r"[A-Za-z0-9._-]+", path.name), path


def test_what_people_wrote_is_there_to_be_read(out: Path) -> None:
    for file in (LATENT, "annotations.html"):
        text = read(out, file)
        assert "&#34;&gt;&lt;img src=x onerror=alert(1)&gt;" in text
        assert "Ada" in text
    assert 'href="saes/tiny-l1-resid/latent-1.html">L1/1</a>' in read(out, "annotations.html")
    assert "<textarea" not in read(out, LATENT)


def test_a_page_says_what_the_servers_says(out: Path, store_with_note: str) -> None:
    server = TestClient(create_app(Settings(db=store_with_note, read_only=True)), base_url="http://127.0.0.1")
    html = server.get(f"/saes/{SLUGS[1]}/latents/{POSITIVE}/parts/all?run=2").text
    theirs = words(re.sub(r'<section class="card" id="try">.*?</section>', "", html, flags=re.DOTALL))  # asks a model
    ours = words(read(out, LATENT))
    start, end = "antipodality0.89", "Weights and source"
    assert "Ada" in ours
    assert ours[ours.index(start) : ours.index(end)] == theirs[theirs.index(start) : theirs.index(end)]


def test_some_saes_of_an_older_run(store: str, tmp_path: Path) -> None:
    site(tmp_path / "one", store, run=1, every=True)
    assert len(list((tmp_path / "one" / "saes").rglob("latent-*.html"))) == 40


def test_a_site_of_some_saes_speaks_of_no_others(store_with_note: str, tmp_path: Path) -> None:
    """Not in its tables, nor in its sums, sentences, plots and data."""
    site(tmp_path / "out", store_with_note, saes=[SLUGS[2]])
    home = read(tmp_path / "out", "index.html")
    assert [path.name for path in (tmp_path / "out" / "saes").iterdir()] == ["tiny-l2-resid"]
    assert "of 40 latents in 1 SAE " in words(home)
    others = [slug.split("/")[1] for slug in SLUGS[:2]] + ["Ada"]
    for path in [*pages_of(tmp_path / "out"), *(tmp_path / "out" / "data").iterdir()]:
        assert [name for name in others if name in text_of(path)] == [], path


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called, each site is made by two, however few its pages and this machine's cores."""

    def from_now() -> None:
        monkeypatch.setattr("app.static_site.build.WORTH", 1)
        monkeypatch.setattr("app.static_site.build._cores", lambda: 2)

    return from_now


def test_several_processes_make_the_same_pages(
    store_with_note: str, out: Path, tmp_path: Path, two_processes: Callable[[], None]
) -> None:
    site(tmp_path / "alone1", store_with_note, saes=[SLUGS[1]])
    two_processes()
    for saes in ([], [SLUGS[1]]):
        alone = tmp_path / "alone1" if saes else out
        site(tmp_path / f"many{len(saes)}", store_with_note, saes=saes)
        made = {path.relative_to(alone): path.read_bytes() for path in alone.rglob("*") if path.is_file()}
        many = tmp_path / f"many{len(saes)}"
        assert {path.relative_to(many): path.read_bytes() for path in many.rglob("*") if path.is_file()} == made


def test_pages_are_packed_below_their_head_unless_asked_otherwise(
    store_with_note: str, out: Path, tmp_path: Path
) -> None:
    site(tmp_path / "plain", store_with_note, saes=[SLUGS[1]], unpacked=True)
    packed, plain = ((folder / LATENT).read_text(encoding="utf-8") for folder in (out, tmp_path / "plain"))
    assert len(packed) < len(plain) / 2
    assert "Fires on" in packed
    assert "Weights and source" not in packed
    inside = text_of(out / LATENT)
    start, end = inside.index("Weights and source"), inside.index("none in this SAE")
    assert inside[start:end] == plain[plain.index("Weights and source") : plain.index("none in this SAE")]


def test_a_site_of_a_part_is_the_same_from_postgresql(
    postgres_db: str, store: str, tmp_path: Path, two_processes: Callable[[], None]
) -> None:
    two_processes()
    site(tmp_path / "postgresql", build(postgres_db), saes=[SLUGS[2]])
    site(tmp_path / "sqlite", store, saes=[SLUGS[2]])
    for file in ("index.html", "layers.html", "report.html", "experiments.html", "data/search.js"):
        assert read(tmp_path / "postgresql", file) == read(tmp_path / "sqlite", file)


def test_what_is_written_while_a_site_begins_is_not_mixed_in(store: str, tmp_path: Path) -> None:
    with snapshot(store) as session:
        plan = replace(plan_of(session, store, UNPINNED, [], every=False), state="of a moment ago")
        with pytest.raises(SiteError, match="written to while the site was begun"):
            make(session, plan, tmp_path, lambda _pages: None, processes=2)


@pytest.mark.parametrize(
    ("given", "words_of_it"),
    [
        ({"run": 9}, "There is no complete run 9"),
        ({"saes": ["tiny/l9"]}, "run 2 holds tiny/l0-resid, tiny/l1-resid"),
    ],
)
def test_what_is_not_there_is_said_and_nothing_written(
    store: str, tmp_path: Path, given: dict[str, object], words_of_it: str
) -> None:
    with pytest.raises(SiteError, match=words_of_it):
        site(tmp_path / "out", store, **given)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_somebody_elses_is_left_alone(store: str, tmp_path: Path) -> None:
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.tex").write_text("years of work")
    with pytest.raises(SiteError, match="is no site of ours"):
        site(tmp_path / "thesis", store)
    site(tmp_path / "thesis", store, force=True)
    assert folder.is_site(tmp_path / "thesis")
    assert (tmp_path / "thesis.before-site" / "chapter1.tex").read_text() == "years of work"
    (tmp_path / "thesis" / "stale.html").write_text("of an older site")
    site(tmp_path / "thesis", store)  # our own is replaced
    assert sorted(path.name for path in tmp_path.iterdir()) == ["thesis", "thesis.before-site"]
    assert not (tmp_path / "thesis" / "stale.html").exists()


def test_a_failure_leaves_the_old_site(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site(tmp_path / "out", store, saes=[SLUGS[0]])
    before = read(tmp_path / "out", folder.MARKER)
    monkeypatch.setattr(
        "app.static_site.build.search_data", lambda *_given: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(SiteError, match="cannot be written: No space left"):
        site(tmp_path / "out", store)
    assert read(tmp_path / "out", folder.MARKER) == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_no_database_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="does not exist"):
        site(tmp_path / "out", str(tmp_path / "none.db"))


def test_the_command_prints_pages_size_and_time(store: str, tmp_path: Path) -> None:
    given = ["site", "--db", store, "--out", str(tmp_path / "out"), "--sae", SLUGS[0]]
    answer = CliRunner().invoke(cli, given)
    assert answer.exit_code == 0, answer.output
    assert re.search(r"\d+ pages, [\d.]+ MB, \d", answer.output)


@pytest.fixture
def visit(out: Path, browser: Browser) -> Iterator[Visit]:
    """A window on the files; anything else it asks for is a fault."""
    made = Visit(browser.new_context(), out.as_uri())
    yield made
    assert made.faults == []
    made.page.context.close()


def test_it_works_from_disk(visit: Visit) -> None:
    page = visit.go("/index.html")
    assert page.locator("#map circle").count() > 2
    page.get_by_role("link", name="tiny/l1-resid", exact=True).click()
    page.get_by_role("link", name=str(POSITIVE), exact=True).first.click()
    expect(page.locator("h1")).to_contain_text(f"L1/{POSITIVE}")
    expect(page.locator("#activation-pair-plot .main-svg").first).to_be_visible()
    page.locator("a.term").first.hover()
    expect(page.locator("#tip")).to_contain_text(re.compile("[a-z]{3}"))
    page.get_by_role("tab", name="this latent").click()
    expect(page.locator("#activation-latent-plot .main-svg").first).to_be_visible()


def test_a_dot_opens_its_latent(visit: Visit) -> None:
    page = visit.go("/layers.html")
    page.evaluate(
        """() => {
          const plot = document.getElementById("panel-1");
          const held = plot.data.flatMap((trace) => trace.customdata ?? []).find((row) => /latent-/.test(row[0]));
          plot.emit("plotly_click", { points: [{ customdata: held }] });
        }"""
    )
    page.wait_for_url("**/latent-*.html")
    for bad in ("//evil.example/", "/etc/passwd", "../../../../../x.html", "word", "javascript:alert(1)"):
        page = visit.go("/layers.html")
        page.evaluate(
            "bad => document.getElementById('panel-1').emit('plotly_click', { points: [{ customdata: [bad] }] })", bad
        )
        page.wait_for_timeout(50)
        assert page.url == f"{visit.server}/layers.html"


def test_a_site_has_the_maps_of_all_layers(visit: Visit) -> None:
    page = visit.go("/index.html")
    shown = page.locator("#map figure:visible")
    for slug in SLUGS:
        page.locator(f"[data-map='{slug}']").click()
        expect(shown).to_have_attribute("data-map-of", slug)
    shown.locator("a").first.click()
    page.wait_for_url("**/latent-*.html")


def test_the_list_filters_sorts_and_is_a_link(visit: Visit) -> None:
    page = visit.go("/latents.html")
    rows = page.locator("[data-site-list] tbody tr")
    expect(page.locator("[data-site-count]")).to_have_text("15 latents of 120 in the list")
    page.get_by_label("SAE").select_option(SLUGS[1])
    expect(rows).to_have_count(5)
    page.get_by_label("density class").select_option("any")
    expect(page.locator("[data-site-count]")).to_have_text("40 latents of 120 in the list")
    page.get_by_role("button", name="antipodality").click()
    expect(rows.first).to_contain_text("0.95")
    page.get_by_label("people's verdict").select_option("keep")
    expect(rows).to_have_count(1)
    expect(rows.first).to_contain_text("position")
    page = visit.go(f"/latents.html?sae={SLUGS[1]}&dense=any&min_density=0.2&alone=any")
    expect(page.locator("[data-site-count]")).to_have_text("4 latents of 120 in the list")
    page.get_by_role("button", name="least density").click()
    expect(page.locator("[data-site-count]")).to_have_text("40 latents of 120 in the list")


def test_counts_of_links_are_those_of_the_list(visit: Visit, out: Path) -> None:
    """What a table counts, its link lists."""
    table = read(out, "layers.html").split("As a table, in all their classes")[1].split("</tbody>")[0]
    cells = re.findall(r'<td class="num"><a href="([^"]+)">(\d+)</a>', table)
    assert len(cells) > 5
    for href, number in cells:
        page = visit.go(f"/{href.replace('&amp;', '&')}")
        expect(page.locator("[data-site-count]")).to_contain_text(f"{number} latent")


def test_the_search_says_what_it_does_not_search(out: Path) -> None:
    pages = len(list((out / "saes").rglob("latent-*.html")))
    assert f"notes of {pages} latents, those that have a page here. The other {120 - pages} are not" in words(
        read(out, "search.html")
    )


def test_the_search_finds_tokens_contexts_and_notes(visit: Visit) -> None:
    page = visit.go("/index.html")
    page.keyboard.press("/")
    page.keyboard.type("mirror of")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=mirror+of")
    expect(page.locator("[data-site-found] > li")).to_have_count(1)
    expect(page.locator("[data-site-found] mark").first).to_have_text("Mirror")
    page.locator("[data-site-question]").fill("<SCRIPT>")
    assert page.locator("[data-site-found] > li").count() >= 3
    expect(page.locator("[data-site-found] .tok").first).to_contain_text("<script>")
    page.locator("[data-site-question]").fill("nothing-has-this")
    expect(page.locator("[data-site-count]")).to_have_text("0 latents found")


def test_it_can_be_read_without_javascript(out: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((out / "latents.html").as_uri())
    assert page.locator("tbody tr").count() == 15
    page.locator("tbody tr a[data-open]").first.click()
    expect(page.locator("h1")).to_contain_text(re.compile("L[0-9]/"))
    expect(page.locator("[data-packed] noscript")).to_be_visible()
    context.close()
