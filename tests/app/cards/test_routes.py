"""What leaves the server: cards, panels in frames, previews of links, addresses there and back."""

from __future__ import annotations

import html as markup
import re
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from playwright.sync_api import Browser, expect

from app.commands.serve import serve
from app.http.errors import ServeError
from app.http.origins import host_of, origin_of
from app.main import create_app
from app.settings import Settings
from app.shared.links import neuronpedia
from tests.app.servers import serving
from tests.app.test_pages import ALL, Tags, page, words
from tests.app.world import NEGATIVE, POSITIVE, SLUGS

SAE = f"/saes/{SLUGS[1]}"
LATENT = f"{SAE}/latents/{POSITIVE}"
THERE = "tiny-model/1-res-jb"


def at(store: str, base: str = "http://127.0.0.1", **settings: object) -> TestClient:
    """A server with settings of its own."""
    return TestClient(create_app(Settings(db=store, **settings)), base_url=base)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def known_there(store: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The store, where an SAE's metadata name its page on Neuronpedia."""
    path = str(tmp_path_factory.mktemp("there") / "there.db")
    with closing(sqlite3.connect(store)) as held, closing(sqlite3.connect(path)) as own:
        held.backup(own)
        own.execute("UPDATE sae SET neuronpedia_id = ? WHERE slug = ?", (THERE, SLUGS[0]))
        own.execute("UPDATE sae SET neuronpedia_id = 'javascript:alert(1)//x' WHERE slug = ?", (SLUGS[2],))
        own.commit()
    return path


# cards


# panels


def test_only_panels_may_be_framed_and_only_by_listed_origins(store: str) -> None:
    client = at(store, embed_origins=("https://notes.example.org", "http://127.0.0.1:9"))
    listed = "frame-ancestors 'self' https://notes.example.org http://127.0.0.1:9"
    assert listed in client.get(f"/embed{LATENT}").headers["content-security-policy"]
    for path in (LATENT, "/", f"{LATENT}/card.svg", "/embedded", "/api/v1/runs", "/nowhere", f"/x/embed{LATENT}"):
        assert "frame-ancestors 'none'" in client.get(path).headers["content-security-policy"], path
    panel = client.get(f"/embed{LATENT}").headers["content-security-policy"].split("; ")
    page_ = client.get(LATENT).headers["content-security-policy"].split("; ")
    assert [part for part in panel if part not in page_] == [listed]


def test_without_listed_origins_only_our_own_pages_may(client: TestClient) -> None:
    policy = client.get(f"/embed{LATENT}").headers["content-security-policy"]
    assert "frame-ancestors 'self';" in policy
    assert client.get(f"{LATENT}/card.png").headers["cross-origin-resource-policy"] == "same-origin"


def test_cards_may_be_shown_elsewhere_only_where_origins_are_listed(store: str) -> None:
    client = at(store, embed_origins=("https://notes.example.org",))
    assert client.get(f"{LATENT}/card.png").headers["cross-origin-resource-policy"] == "cross-origin"
    assert client.get(LATENT).headers["cross-origin-resource-policy"] == "same-origin"


def test_a_panel_says_it_all_without_a_script(client: TestClient) -> None:
    html = page(client, f"/embed{LATENT}")
    text = words(html)
    assert "Fires on 38.1 % of 60,000 tokens (95 % interval 36.2–40.0 %)" in text
    assert "mirror of 1" in text
    tags = Tags(html).found
    assert not [tag for tag, _attributes in tags if tag in {"script", "form", "nav", "iframe"}]
    links = [attributes for tag, attributes in tags if tag == "a"]
    assert links
    assert [one for one in links if (one.get("target"), one.get("rel")) != ("_blank", "noopener")] == []
    assert {one["href"] for one in links} >= {LATENT, f"{SAE}/latents/{NEGATIVE}"}
    assert 'class="picture"' in html


def test_hostile_tokens_are_text_in_a_panel(client: TestClient) -> None:
    html = page(client, f"/embed{LATENT}")
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_a_panel_has_the_colours_that_are_asked_for(client: TestClient) -> None:
    assert '<html lang="en" data-theme="dark">' in page(client, f"/embed{LATENT}?theme=dark")
    assert '<html lang="en">' in page(client, f"/embed{LATENT}")
    assert client.get(f"/embed{LATENT}?theme=pink").status_code == 422


def test_the_code_to_copy_is_text_and_names_the_panel(client: TestClient) -> None:
    html = page(client, f"/saes/{SLUGS[0]}/latents/0?run=1")
    assert "iframe" not in [tag for tag, _attributes in Tags(html).found]
    (code,) = re.findall(r"<pre>(&lt;iframe.*?)</pre>", html)
    ((_tag, attributes),) = Tags(markup.unescape(code)).found
    assert attributes["src"] == f"http://127.0.0.1/embed/saes/{SLUGS[0]}/latents/0?run=1"
    assert client.get(attributes["src"]).status_code == 200
    assert "--embed-origin" in words(html)


def test_the_latent_page_names_the_sites_that_may_frame_it(store: str) -> None:
    html = page(at(store, embed_origins=("https://notes.example.org",)), LATENT)
    assert "These sites may show it: https://notes.example.org." in words(html)


@pytest.mark.parametrize(
    ("text", "origin", "host"),
    [
        ("https://Notes.Example.org/", "https://notes.example.org", "notes.example.org"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1"),
        ("http://[::1]:80", "http://[::1]:80", "::1"),
        (" https://a ", "https://a", "a"),
    ],
)
def test_an_origin_is_scheme_and_host(text: str, origin: str, host: str) -> None:
    assert origin_of(text, "--x") == origin
    assert host_of(origin) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "https://*",
        "https://*.example.org",
        "notes.example.org",
        "ftp://a",
        "https://",
        "https://a/path",
        "https://a?x",
        "https://me@a",
        "https://a:0",
        "https://a:99999",
        "https://a b",
        "https://a; script-src *",
        "https://a\nX: y",
        "'self'",
        "https://a,https://b",
        "https://ä.example",
    ],
)
def test_what_is_more_or_less_than_an_origin_is_refused(text: str) -> None:
    with pytest.raises(ServeError, match=r"(?s)--embed-origin '.*is no origin"):
        origin_of(text, "--embed-origin")


def test_a_server_with_a_bad_origin_does_not_start(store: str) -> None:
    with pytest.raises(ServeError, match="--embed-origin 'https://a/x' is no origin"):
        serve(store, port=0, embed_origin=["https://a", "https://a/x"])
    with pytest.raises(ServeError, match="--public-url 'a' is no origin"):
        serve(store, port=0, public_url="a")


@pytest.fixture
def blog() -> Iterator[ThreadingHTTPServer]:
    """Another site, whose page frames what its address asks for."""

    class Blog(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            framed = markup.escape(self.path[1:])
            body = f"<!doctype html><title>blog</title><iframe src='{framed}' width=640 height=400></iframe>".encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Blog) as made:
        thread = threading.Thread(target=made.serve_forever, daemon=True)
        thread.start()
        yield made
        made.shutdown()


def test_a_browser_shows_the_panel_on_a_listed_site_and_on_no_other(
    browser: Browser, blog: ThreadingHTTPServer, store: str, tmp_path: Path
) -> None:
    port = blog.server_address[1]
    with serving(store, tmp_path / "log", "--embed-origin", f"http://127.0.0.1:{port}") as server:
        context = browser.new_context()
        try:
            tab = context.new_page()
            tab.goto(f"http://127.0.0.1:{port}/{server.address}/embed{LATENT}", wait_until="networkidle")
            framed = tab.frame_locator("iframe")
            expect(framed.locator("h1")).to_contain_text(f"L1/{POSITIVE}")
            assert framed.locator(".lists").first.evaluate("node => getComputedStyle(node).display") == "block"
            for site, path in (("localhost", f"/embed{LATENT}"), ("127.0.0.1", LATENT)):
                tab.goto(f"http://{site}:{port}/{server.address}{path}", wait_until="networkidle")
                expect(tab.frame_locator("iframe").locator("h1", has_text="L1/")).to_have_count(0)
        finally:
            context.close()


# previews


def tags_of(html: str) -> dict[str, str]:
    """What a preview reads: meta tags by name, and the canonical address."""
    found = {
        attributes.get("property") or attributes.get("name", ""): attributes.get("content", "")
        for tag, attributes in Tags(html).found
        if tag == "meta"
    }
    links = [attributes for tag, attributes in Tags(html).found if attributes.get("rel") == "canonical"]
    return found | {"canonical": links[0]["href"] if links else ""}


def test_the_preview_of_a_latent_has_a_sentence_and_its_card(client: TestClient) -> None:
    tags = tags_of(page(client, LATENT))
    sentence = "Fires on 38.1\u202f% of 60,000 tokens (95 % interval 36.2–40.0\u202f%), mirror image of latent 1."
    assert tags["description"].startswith(sentence)
    assert tags["og:description"] == tags["description"]
    assert tags["og:title"] == f"L1/{POSITIVE} · {SLUGS[1]}"
    assert tags["og:image"] == tags["twitter:image"] == f"http://127.0.0.1{LATENT}/card.png"
    assert tags["twitter:card"] == "summary_large_image"
    assert client.get(tags["og:image"]).headers["content-type"] == "image/png"


@pytest.mark.parametrize("path", ALL)
def test_every_page_can_be_previewed(client: TestClient, path: str) -> None:
    tags = tags_of(page(client, path))
    assert 20 < len(tags["description"]) < 600
    if not path.startswith("/embed/"):
        assert tags["canonical"] == tags["og:url"] == f"http://127.0.0.1{path}"
        assert tags["og:title"]
        assert tags["og:description"] == tags["description"]


def test_an_error_has_no_address_to_be_shared_by(client: TestClient) -> None:
    tags = tags_of(client.get("/nowhere").text)
    assert tags["canonical"] == ""
    assert "og:url" not in tags


def test_addresses_are_of_the_host_that_was_asked_or_of_the_public_one(store: str) -> None:
    asked = tags_of(page(at(store, "http://gpu-box:8000", allowed_hosts=("gpu-box",)), LATENT))
    assert asked["og:image"].startswith("http://gpu-box:8000/saes/")
    public = tags_of(page(at(store, public_url="https://latents.example.org"), f"{LATENT}?run=2"))
    assert public["og:image"] == f"https://latents.example.org{LATENT}/card.png?run=2"
    assert public["canonical"] == f"https://latents.example.org{LATENT}?run=2"


def test_a_page_kept_from_another_public_address_is_not_taken_for_this_one(store: str) -> None:
    tag = at(store).get(LATENT).headers["etag"]
    assert at(store, public_url="https://a.example").get(LATENT, headers={"If-None-Match": tag}).status_code == 200


def test_an_address_with_anything_in_it_stays_an_attribute(client: TestClient) -> None:
    html = page(client, '/latents?q="><img src=x>&dense=any')
    assert "<img" not in html
    assert 'q="><' not in html


# Neuronpedia


def test_pages_lead_to_neuronpedia_where_metadata_name_it(known_there: str) -> None:
    client = at(known_there)
    for path, wanted in (
        (f"/saes/{SLUGS[0]}/latents/3", f"https://www.neuronpedia.org/{THERE}/3"),
        (f"/saes/{SLUGS[0]}", f"https://www.neuronpedia.org/{THERE}"),
        (f"/compare?a={SLUGS[0]}:3", f"https://www.neuronpedia.org/{THERE}/3"),
    ):
        links = [attributes for tag, attributes in Tags(page(client, path)).found if attributes.get("href") == wanted]
        assert [one["rel"] for one in links] == ["noreferrer noopener external"], path
    assert "neuronpedia.org" not in page(client, LATENT)
    odd = page(client, f"/saes/{SLUGS[2]}/latents/3")
    assert 'href="javascript' not in odd
    assert "javascript:alert(1)//x" in words(odd)


@pytest.mark.parametrize(
    "name", [None, "", "a", "a/b/c", "../x", "a/..", "https://x/y", "a/b?c", "a/b#", "a /b", "a/b\n"]
)
def test_what_is_no_name_there_is_no_address(name: str | None) -> None:
    assert neuronpedia(name, 1) == ""
    assert neuronpedia("gpt2-small/6-res-jb", 7) == "https://www.neuronpedia.org/gpt2-small/6-res-jb/7"


def test_an_address_of_neuronpedia_leads_to_our_latent(known_there: str) -> None:
    client = at(known_there)
    for asked, wanted in (("3", f"/saes/{SLUGS[0]}/latents/3"), ("3?run=1", f"/saes/{SLUGS[0]}/latents/3?run=1")):
        answer = client.get(f"/neuronpedia/{THERE}/{asked}", follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, wanted)
    assert client.get(f"/neuronpedia/{THERE}/40").status_code == 404


def test_one_that_is_not_here_says_which_are(known_there: str, client: TestClient) -> None:
    answer = at(known_there).get("/neuronpedia/gpt2-small/6-res-jb/1")
    assert answer.status_code == 404
    assert f"Those that are there: {THERE}" in words(answer.text)
    assert "none" in words(client.get("/neuronpedia/gpt2-small/6-res-jb/1").text)
    for bad in ("a%00/b/1", "a/b/-1", "a/b/x", "a/b/99999999999", "%3Cscript%3E/b/1"):
        assert client.get(f"/neuronpedia/{bad}").status_code == 404, bad
