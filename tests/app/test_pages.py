"""Pages as a reader without JavaScript gets them, and each template held to its documented context."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from jinja2 import Environment, meta, nodes

from app.main import create_app
from app.rendering import IMPLICIT, json_block
from app.settings import ROOT, Settings
from app.shared.page import Page
from migrations.runner import upgrade
from tests.app.world import CONTROL, DEAD, EDGE, NEGATIVE, ORIGINAL, POSITIVE, SLUGS, TWIN

SAE = f"/saes/{SLUGS[1]}"
ALL = [
    "/",
    "/?run=1",
    "/layers",
    "/layers?run=1",
    "/labels",
    "/labels?run=1",
    "/report",
    "/report?run=1",
    "/annotations",
    "/annotations?run=1",
    "/annotations/activity",
    "/categories",
    "/latents",
    "/latents?class=position&alone=true&label=party",
    "/latents?dense=any&limit=7",
    "/latents?sort=loss&verdict=keep",
    "/latents?q=script",
    "/latents?q=nothing-has-this",
    "/search",
    "/search?q=script",
    "/search?q=nothing-has-this",
    "/try",
    f"/try?latent={SLUGS[1]}:{POSITIVE}&text=sea",
    SAE,
    f"{SAE}?run=2",
    *(f"{SAE}/latents/{index}" for index in (POSITIVE, NEGATIVE, TWIN, DEAD, EDGE, CONTROL, 9)),
    f"{SAE}/pairs/{POSITIVE}/{NEGATIVE}",
    f"{SAE}/pairs/{NEGATIVE}/{POSITIVE}",
    *(f"/saes/{slug}/{path}" for slug in (SLUGS[0], SLUGS[2]) for path in ("latents/0", "pairs/0/1")),
    "/compare",
    *(f"/compare?a={SLUGS[0]}:{POSITIVE}@1&b={SLUGS[1]}:{index}" for index in (NEGATIVE, DEAD)),
    f"/embed{SAE}/latents/{POSITIVE}",
    f"/embed{SAE}/latents/{DEAD}?theme=dark",
    "/experiments",
    "/experiments/1",
    "/experiments/2",
    "/experiments/designs/1",
    "/experiments/designs/2",
    "/methods",
    "/api/docs",
]


def _kinds(base: type[Page]) -> list[type[Page]]:
    return [found for kind in base.__subclasses__() for found in (kind, *_kinds(kind))]


EVERY = sorted(_kinds(Page), key=lambda kind: kind.__name__)
KINDS = [kind for kind in EVERY if hasattr(kind, "template")]


def page(client: TestClient, path: str) -> str:
    """A page's HTML."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text[:500]
    return answer.text


def whole(client: TestClient, path: str) -> str:
    """The page of a latent or a pair with all that otherwise comes when it is asked for."""
    where, mark, query = path.partition("?")
    return page(client, f"{where}/parts/all{mark}{query}")


def words(html: str) -> str:
    """The text a reader sees, scripts left out, white space folded and thin spaces made plain."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    text = re.sub(r"<[^>]+>", "", body).replace("\u202f", " ").replace("\u2009", " ")
    return re.sub(r"\s+", " ", text)


def spaced(html: str) -> str:
    """The same with a space between neighbouring cells."""
    return words(html.replace("<", " <")).strip()


class Tags(HTMLParser):
    """Elements with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))


@pytest.mark.parametrize("path", ALL)
def test_every_page_is_whole_and_keeps_to_the_policy(client: TestClient, path: str) -> None:
    found = Tags(page(client, path)).found
    names = [tag for tag, _attributes in found]
    assert (names.count("h1"), names.count("main"), names.count("title")) == (1, 1, 1)
    for tag, attributes in found:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "script":
            assert "src" in attributes or attributes.get("type") == "application/json"


@pytest.mark.parametrize("path", ALL)
def test_nothing_is_asked_of_another_machine(client: TestClient, path: str) -> None:
    loads = {"script": "src", "img": "src", "link": "href", "source": "src", "iframe": "src"}
    for tag, attributes in Tags(page(client, path)).found:
        if tag in loads and loads[tag] in attributes and attributes.get("rel") != "canonical":
            assert urlsplit(attributes[loads[tag]]).netloc == ""
            assert client.get(attributes[loads[tag]]).status_code == 200


def test_every_link_within_the_pages_leads_somewhere(client: TestClient) -> None:
    seen: set[str] = set()
    waiting = ["/"]
    while waiting and len(seen) < 400:
        path = waiting.pop()
        answer = client.get(path)
        assert answer.status_code == 200, path
        for tag, attributes in Tags(answer.text).found if "html" in answer.headers["content-type"] else []:
            link = urljoin(path, attributes.get("href", "")).split("#")[0]
            if tag == "a" and link.startswith("/") and link not in seen:
                seen.add(link)
                waiting.append(link)
    assert len(seen) > 100


def test_ids_are_unique(client: TestClient) -> None:
    for path in ALL:
        ids = [attributes["id"] for _tag, attributes in Tags(page(client, path)).found if "id" in attributes]
        assert len(ids) == len(set(ids)), path


def test_the_latent_page_says_its_sentence(client: TestClient) -> None:
    text = words(page(client, f"{SAE}/latents/{POSITIVE}"))
    assert "Fires on 38.1 % of" in text
    assert "36.2–40.0 %" in text
    assert "60,000 tokens" in text
    assert "233 documents" in text
    assert "Together with 1" in text
    assert "56.0 %" in text


def test_the_latent_page_shows_its_numbers_without_javascript(client: TestClient) -> None:
    html = page(client, f"{SAE}/latents/{POSITIVE}")
    text = words(html)
    for shown in ("enc −0.95", "dec −0.94", "best single 0.58", "0 is on for 49 tokens, 1 for 37, neither for 11."):
        assert shown in text, shown
    assert html.count("<table") >= 5


def test_a_latent_without_detail_says_how_to_ask_for_it(client: TestClient) -> None:
    assert "--detail 1:9" in words(page(client, f"{SAE}/latents/9"))
    assert "--detail" not in words(page(client, f"{SAE}/latents/{CONTROL}"))


def test_a_dead_latent_says_why_there_is_nothing(client: TestClient) -> None:
    html = page(client, f"{SAE}/latents/{DEAD}")
    assert "never fired on this text" in html
    assert "—" in html
    assert "nan" not in words(html).lower()


def test_duplicates_link_to_each_other(client: TestClient) -> None:
    assert f"{SAE}/latents/{ORIGINAL}" in page(client, f"{SAE}/latents/{TWIN}")


def test_both_poles_colour_the_same_token_alike(client: TestClient) -> None:
    sides = [
        set(re.findall(r'class="[^"]*\b([pn])[1-4]\b', page(client, f"{SAE}/latents/{index}"))) for index in (0, 1)
    ]
    assert "p" in sides[0]
    assert "n" in sides[1]


def test_hostile_tokens_are_text(client: TestClient) -> None:
    for path in (f"{SAE}/latents/{POSITIVE}", f"{SAE}/pairs/0/1", "/latents", SAE):
        html = page(client, path)
        assert "<script>alert" not in html, path
        assert "<img src=x" not in html, path
        assert "</script><script>" not in html, path
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "{{ 7 * 7 }}" in page(client, f"{SAE}/latents/{POSITIVE}")


def test_json_for_scripts_cannot_end_its_element() -> None:
    made = json_block({"a": "</script><!--\u2028&"})
    assert "<" not in made
    assert "&" not in made
    assert "\u2028" not in made


def test_browse_shows_dense_latents_first_and_tells_how_many(client: TestClient) -> None:
    text = words(page(client, "/latents"))
    assert "15 dense latents" in text
    assert "120 latents" in words(page(client, "/latents?dense=any"))


def test_browse_pages_join(client: TestClient) -> None:
    path, seen = "/latents?dense=any&limit=50", []
    while path:
        html = page(client, path)
        rows = re.findall(r'href="(/saes/[^"]+/latents/\d+)"', html.split("<tbody", 1)[1])
        seen += list(dict.fromkeys(rows))
        match = re.search(r'href="([^"]+)"[^>]*rel="next"|rel="next"[^>]*href="([^"]+)"', html)
        path = (match[1] or match[2]).replace("&amp;", "&") if match else ""
    assert len(seen) >= 120
    assert len(set(seen)) == 120


def test_a_pinned_run_stays_pinned_in_links(client: TestClient) -> None:
    html = page(client, f"/saes/{SLUGS[0]}/latents/0?run=1")
    inside = re.findall(r'href="(/(?:saes|latents|layers)[^"]*)"', html)
    assert inside
    assert [link for link in inside if "run=1" not in link] == []


@pytest.mark.parametrize(
    ("path", "status", "shown"),
    [
        ("/nowhere", 404, "no page /nowhere"),
        ("/saes/none/such", 404, SLUGS[0]),
        (f"{SAE}/latents/40", 404, "from 0 to 39"),
        (f"{SAE}/latents/-1", 404, "index"),
        (f"{SAE}/latents/9223372036854775808", 404, "index"),
        (f"{SAE}/pairs/7/8", 404, "--detail 1:7"),
        ("/latents?sort=densty", 422, "unknown sort 'densty'; choose one of density"),
        ("/latents?min_density=NaN", 422, "no number from 0 to 1"),
        ("/latents?cursor=x", 422, "cursor"),
        ("/?run=77", 404, "Runs: 2, 1"),
        ("/latents?q=%00", 422, "NUL"),
    ],
)
def test_an_error_page_says_what_there_is_instead(client: TestClient, path: str, status: int, shown: str) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert "<main" in answer.text
    assert shown in words(answer.text).replace("&#39;", "'")


def test_what_was_asked_for_is_text_on_the_error_page(client: TestClient) -> None:
    answer = client.get("/latents?sort=<script>alert(1)</script>")
    assert "<script>alert" not in answer.text


def test_an_empty_store_says_what_to_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = str(tmp_path_factory.mktemp("empty") / "empty.db")
    upgrade(path)
    client = TestClient(create_app(Settings(db=path)), base_url="http://127.0.0.1")
    assert "dense-latents retrain" in words(page(client, "/experiments"))
    for address in ("/", "/layers", "/latents", "/labels", "/annotations", "/search?q=sea"):
        assert "dense-latents analyze" in words(page(client, address))
    assert client.get("/methods").status_code == 200


def _asked_for(environment: Environment, name: str) -> tuple[set[str], set[str]]:
    """Names a template takes from its context, and names that it and its parents set, import and define."""
    tree = environment.parse((ROOT / "templates" / name).read_text())
    asked = meta.find_undeclared_variables(tree)
    given = {node.target for node in tree.find_all(nodes.Import)} | {node.name for node in tree.find_all(nodes.Macro)}
    # a loop's own name may be that of a field elsewhere in the template
    given |= {name.name for sets in tree.find_all(nodes.Assign) for name in sets.target.find_all(nodes.Name)}
    given |= {sets.target.name for sets in tree.find_all(nodes.Assign) if isinstance(sets.target, nodes.Name)}
    parents = [node.template for node in tree.find_all(nodes.Extends)]
    for other in [*parents, *(node.template for node in tree.find_all(nodes.Include))]:
        assert isinstance(other, nodes.Const)
        more, theirs = _asked_for(environment, other.value)
        asked, given = asked | more, given | theirs
    return asked - given - set(environment.globals), given


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_a_template_uses_exactly_the_documented_context(application: FastAPI, kind: Any) -> None:
    asked, _given = _asked_for(application.state.renderer.environment, kind.template)
    declared = {field.name for field in fields(kind)}
    shared = {field.name for field in fields(Page)}
    assert asked - declared - IMPLICIT == set()
    assert declared - shared - asked == set()


@pytest.mark.parametrize("kind", [Page, *EVERY], ids=lambda kind: kind.__name__)
def test_every_field_of_a_page_is_documented(kind: Any) -> None:
    tree = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(tree, ast.ClassDef)
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and ast.unparse(node.target) != "template":
            assert isinstance(following, ast.Expr), ast.unparse(node.target)
