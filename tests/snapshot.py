"""The text of every page and API answer of a store, a file each: what a move of code must leave as it was.

    python -m tests.snapshot STORE.db FOLDER

Pages are found by following links from the navigation; API answers by filling the paths of the API's own
description with what the store holds. Two folders are compared with `diff -r`.
"""

from __future__ import annotations

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import quote, urljoin, urlsplit

from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings

HOST = "http://127.0.0.1"
STARTS = ("/", "/layers", "/latents", "/labels", "/search?q=the", "/report", "/annotations", "/methods", "/api")
MOST = 600
BLOCKS = {"p", "div", "li", "tr", "td", "th", "h1", "h2", "h3", "section", "option", "summary", "dt", "dd", "pre"}


class Text(HTMLParser):
    """Visible text, a line a block, and the links."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.links: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Links are kept; a block begins a line."""
        given = dict(attrs)
        self.silent += tag in {"script", "style"}
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        self.parts += ["\n"] * (tag in BLOCKS)
        self.parts += [f" [{given[name]}] " for name in ("title", "data-tip", "aria-label") if given.get(name)]

    def handle_endtag(self, tag: str) -> None:
        """A block ends a line."""
        self.silent -= tag in {"script", "style"}
        self.parts += ["\n"] * (tag in BLOCKS)

    def handle_data(self, data: str) -> None:
        """Text people see."""
        if not self.silent:
            self.parts.append(data)


def text_of(html: str) -> tuple[str, list[str]]:
    """Lines of visible text, white space folded, and the links."""
    parser = Text()
    parser.feed(html)
    lines = (" ".join(line.split()) for line in "".join(parser.parts).split("\n"))
    return "\n".join(line for line in lines if line) + "\n", parser.links


def file_of(folder: Path, address: str) -> Path:
    """Where an answer is kept."""
    return folder / (quote(address, safe="=&?") + ".txt")


def crawl(client: TestClient, folder: Path) -> int:
    """Follow links from the navigation on; the number of pages written."""
    todo, seen = list(STARTS), set(STARTS)
    written = 0
    while todo and written < MOST:
        address = todo.pop(0)
        answer = client.get(address, follow_redirects=False)
        body = answer.text
        links: list[str] = []
        if answer.headers.get("content-type", "").startswith("text/html"):
            body, links = text_of(answer.text)
        file_of(folder, address).write_text(f"{answer.status_code}\n{body}")
        written += 1
        for link in links:
            place = urlsplit(urljoin(HOST + address, link))
            target = place.path + (f"?{place.query}" if place.query else "")
            if place.netloc == urlsplit(HOST).netloc and target not in seen and not place.path.startswith("/static"):
                seen.add(target)
                todo.append(target)
    return written


def api_addresses(client: TestClient) -> list[str]:
    """Every GET of the API, with slugs, latents and pairs of the store in its path."""
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    slugs = [sae["slug"] for sae in client.get("/api/v1/saes").json()]
    found = ["/api/v1/openapi.json"]
    for path, calls in paths.items():
        if "get" not in calls:
            continue
        filled = [path.replace("{slug}", slug).replace("{first}", "0").replace("{second}", "1") for slug in slugs]
        for address in dict.fromkeys(filled):
            numbers = range(12) if re.search(r"\{(index|number)\}", address) else [0]
            found += [re.sub(r"\{(index|number)\}", str(number), address) for number in numbers]
    found += [
        f"/api/v1/saes/{slug}/latents?dense=any&limit=500&sort={sort}" for slug in slugs for sort in ("max", "kl")
    ]
    return list(dict.fromkeys([*found, "/api/v1/search?q=the", "/latents.csv?dense=any", "/latents.jsonl?dense=any"]))


def main(store: str, folder: Path) -> None:
    """Write all answers."""
    folder.mkdir(parents=True, exist_ok=True)
    app = create_app(Settings(db=store))
    client = TestClient(app, base_url=HOST, raise_server_exceptions=False)
    pages = crawl(client, folder)
    addresses = api_addresses(client)
    for address in addresses:
        answer = client.get(address)
        body = answer.text
        if answer.headers.get("content-type", "") in {"application/json", "application/problem+json"}:
            body = json.dumps(answer.json(), indent=1, sort_keys=True, ensure_ascii=False)
        file_of(folder, address).write_text(f"{answer.status_code}\n{body}")
    sys.stdout.write(f"{pages} pages, {len(addresses)} API answers\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
