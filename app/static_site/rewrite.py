"""A page of the server as a page of the site.

The standard library's parser says where each tag stands; what needs no change is taken over to the letter. What a
site cannot do goes: forms (but the search), what is marked `data-server`, buttons and entries of the navigation
whose page is no part of the site. Other links that lead nowhere become plain text.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from html import escape
from html.parser import HTMLParser
from typing import Any

from app.rendering import json_block
from app.static_site.asking import ORIGIN
from app.static_site.places import SEARCH, Places, relative

BUNDLE = "static/bundle.js"
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}
OF_LINKS = {"href", "rel", "target", "download", "hreflang", "ping", "data-open"}
LEADING = {
    "src",
    "action",
    "formaction",
    "poster",
    "data",
    "srcset",
    "cite",
    "ping",
    "background",
    "xlink:href",
    "href",
}
"""Attributes that hold an address; on elements that this file does not know they take the element with them."""
# nothing in these can lead anywhere; they are most of a page, and the parser need not see them
PLAIN = re.compile(
    r'<p class="text">(?:<bdi class="[^"<>]*"(?: data-on="[^"<>]*")?>[^<>]*</bdi>|<br>)*</p>'
    r'|(?<=>)(?:<rect(?: [a-z]+="[^"<>]*")*/>)+|(?:<td class="num">[^<>]*</td>)+'
)
Attributes = list[tuple[str, str | None]]


@dataclass(frozen=True)
class Rewritten:
    """A page of the site, and what it loads."""

    html: str
    modules: list[str]
    """In order; names of files in the static folder."""
    assets: set[str]
    """Other files that the server had under /static/, from the site's root."""


def rewrite(html: str, file: str, places: Places) -> Rewritten:
    """The page as it stands in `file`."""
    reader = _Reader(html, file, places)
    # blanks of the same length, so that places in the text stay what they are
    reader.feed(PLAIN.sub(lambda match: " " * len(match[0]), html))
    reader.close()
    return Rewritten(reader.result(), reader.modules, reader.assets)


class _Reader(HTMLParser):
    def __init__(self, html: str, file: str, places: Places) -> None:
        super().__init__(convert_charrefs=False)
        self.html, self.file, self.places = html, file, places
        self.modules: list[str] = []
        self.assets: set[str] = set()
        self.edits: list[tuple[int, int, str]] = []
        self.starts = [0, *(match.end() for match in re.finditer("\n", html))]
        self.dropping: tuple[str, int] | None = None  # element that goes, where it begins
        self.depth = 0  # elements of its name within it
        self.navs = self.svgs = 0
        self.searching = self.in_figure = False
        self.links: list[str] = []  # what each open <a> became

    def result(self) -> str:
        made, end = [], 0
        for start, stop, text in self.edits:
            made += [self.html[end:start], text]
            end = stop
        return "".join([*made, self.html[end:]])

    @property
    def here(self) -> int:
        line, column = self.getpos()
        return self.starts[line - 1] + column

    def handle_startendtag(self, tag: str, attrs: Attributes) -> None:
        if self.dropping is None:
            self.start(tag, attrs, closed=True)

    def handle_starttag(self, tag: str, attrs: Attributes) -> None:
        if self.dropping is not None:
            self.depth += tag == self.dropping[0]
            return
        self.start(tag, attrs, closed=tag in VOID)

    def handle_endtag(self, tag: str) -> None:
        at = self.here
        end = self.html.find(">", at) + 1
        if self.dropping is not None:
            self.depth -= tag == self.dropping[0]
            if self.depth == 0:
                self.edits.append((self.dropping[1], end, ""))
                self.dropping = None
            return
        self.navs -= tag == "nav"
        self.svgs -= tag == "svg"
        self.in_figure = self.in_figure and tag != "script"
        self.searching = self.searching and tag != "form"
        if tag == "a" and self.links and (became := self.links.pop()) != "a":
            self.edits.append((at, end, f"</{became}>"))
        if tag == "head" and self.modules:
            src = escape(relative(BUNDLE, self.file))
            names = escape(" ".join(self.modules))
            self.edits.append((at, at, f'<script defer src="{src}" data-modules="{names}"></script>\n'))

    def handle_data(self, data: str) -> None:
        if self.in_figure and self.dropping is None and '"customdata"' in data:
            at = self.here
            spec = json.loads(data)
            for trace in spec.get("data", []):
                if isinstance(trace.get("customdata"), list):
                    trace["customdata"] = [self.point(row) for row in trace["customdata"]]
            self.edits.append((at, at + len(data), json_block(spec)))

    def point(self, row: Any) -> Any:
        """What a dot leads to: the first of its values, where that is an address."""
        first = row[0] if isinstance(row, list) and row else row
        if not (isinstance(first, str) and first.startswith("/")):
            return row
        link = self.places.link(first, self.file)
        held = None if link is None else f"./{link}"  # never taken for a word
        return [held, *row[1:]] if isinstance(row, list) else held

    def start(self, tag: str, attrs: Attributes, closed: bool) -> None:
        values = dict(attrs)
        self.navs += tag == "nav" and not closed
        self.svgs += tag == "svg" and not closed
        if "data-server" in values or "form" in values:
            self.drop(tag, closed)
        elif handler := getattr(self, f"on_{tag}", None):
            handler(tag, attrs, values, closed)
        elif any(_leads(name, value) for name, value in attrs):
            self.drop(tag, closed)

    def drop(self, tag: str, closed: bool) -> None:
        at = self.here
        if closed:
            self.edits.append((at, at + len(self.get_starttag_text() or ""), ""))
        else:
            self.dropping, self.depth = (tag, at), 1

    def put(self, tag: str, attrs: Attributes, closed: bool = False) -> None:
        """The start tag anew."""
        text = "".join(f" {name}" if value is None else f' {name}="{escape(value)}"' for name, value in attrs)
        at = self.here
        slash = "/" if closed and self.svgs else ""
        self.edits.append((at, at + len(self.get_starttag_text() or ""), f"<{tag}{text}{slash}>"))

    def on_html(self, tag: str, attrs: Attributes, _values: dict[str, str | None], _closed: bool) -> None:
        root = relative("index.html", self.file).removesuffix("index.html") or "./"
        self.put(tag, [*attrs, ("data-site", root)])

    def on_a(self, tag: str, attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        href = values.get("href")
        link = href if href is None or _is_outside(href) else self.places.link(href, self.file)
        if href is not None and link is None:
            if self.navs or "button" in (values.get("class") or "").split():
                self.drop(tag, closed)
                return
            became, kept = "g" if self.svgs else "span", [item for item in attrs if item[0] not in OF_LINKS]
            kept += [("tabindex", "0")] if "data-tip" in values and "tabindex" not in values else []
            self.put(became, kept)
        else:
            became = "a"
            if link != href:
                self.put(tag, [(name, link if name == "href" else value) for name, value in attrs])
        if not closed:
            self.links.append(became)

    def on_form(self, tag: str, attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        if values.get("method") == "dialog" or "data-of-site" in values:
            return  # it asks no server
        if values.get("role") != "search":
            self.drop(tag, closed)
            return
        self.searching = True
        kept = [(name, value) for name, value in attrs if name not in {"action", "method"}]
        self.put(tag, [*kept, ("action", relative(SEARCH, self.file))])

    def on_input(self, tag: str, _attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        if self.searching and (values.get("type") == "hidden" or values.get("name") != "q"):
            self.drop(tag, closed)

    def on_script(self, tag: str, attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        self.in_figure = "figure-spec" in (values.get("class") or "").split()
        src = values.get("src")
        if src is None:
            return
        file = self.places.file_of(src) if values.get("type") == "module" and src.startswith("/") else None
        if file is None:
            self.loads("src", tag, attrs, values, closed)
        else:
            self.modules.append(file.removeprefix("static/"))
            self.drop(tag, closed)

    def on_link(self, tag: str, attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        self.loads("href", tag, attrs, values, closed)

    def on_img(self, tag: str, attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        self.loads("src", tag, [item for item in attrs if item[0] != "srcset"], values, closed)

    def loads(self, name: str, tag: str, attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        """An element whose attribute `name` is a file that the page loads; without such a file it goes."""
        address = values.get(name) or ""
        file = self.places.file_of(address) if address.startswith("/") else None
        if file is None:
            self.drop(tag, closed)
            return
        if file.startswith("static/"):
            self.assets.add(file)
        self.put(tag, [(key, relative(file, self.file) if key == name else value) for key, value in attrs])

    def on_meta(self, tag: str, _attrs: Attributes, values: dict[str, str | None], closed: bool) -> None:
        # what a page says of its address to those who preview a link: a site does not know its own
        if (values.get("content") or "").startswith(("/", ORIGIN)):
            self.drop(tag, closed)


def _leads(name: str, value: str | None) -> bool:
    return name in LEADING and bool(value) and not str(value).startswith(("#", "data:"))


def _is_outside(href: str) -> bool:
    """Another site's: a reader may go there, no page loads it."""
    return href.startswith(("https://", "http://")) and not href.startswith(f"{ORIGIN}/")
