"""What the static site is made with: addresses become files, and scripts become one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from app.http.assets import load
from app.settings import ROOT
from app.static_site.bundle import bundle
from app.static_site.errors import SiteError
from app.static_site.links import FILTERS, SiteLinks, folder_names


def test_folders_differ_on_every_file_system() -> None:
    names = folder_names(["m/l0", "m-l0", "M/L0", "con", "..", "ü/ß", "a" * 300, "a" * 301])
    assert len({name.lower() for name in names.values()}) == 8
    assert all(re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,90}", name) for name in names.values())
    assert "con" not in names.values()


@pytest.mark.parametrize(
    ("address", "file"),
    [
        ("/", "../../index.html"),
        ("/?run=2", "../../index.html"),
        ("/?run=1", None),
        ("/saes/a%2Fb/latents/7?run=2#fn-position", "latent-7.html#fn-position"),
        ("/saes/a/b/latents/8", None),
        ("/latents?sae=a/b&run=2&class=position", "../../latents.html?sae=a%2Fb&class=position"),
        ("/latents?cursor=abc", None),
        ("/search?q=a b&run=2", "../../search.html?q=a%20b"),
        ("/methods?odd=1", None),
        ("#verdict", "#verdict"),
        ("//evil.example/", None),
        ("javascript:alert(1)", None),
        ("https://example.org/", "https://example.org/"),
    ],
)
def test_addresses_become_files(address: str, file: str | None) -> None:
    files = {"/": "index.html", "/methods": "methods.html", "/latents": "latents.html", "/search": "search.html"}
    links = SiteLinks(2, files | {"/saes/a/b/latents/7": "saes/a-b/latent-7.html"})
    links.here = "saes/a-b/latent-9.html"
    assert links.where(address) == file
    assert links.to(address) == ("" if file is None else f'href="{file.replace("&", "&amp;")}"')


def test_the_list_of_a_site_knows_every_filter_of_the_servers() -> None:
    script = (ROOT / "static" / "site-list.js").read_text()
    known = set(re.findall(r"^  (\w+): \(latent, value\) =>", script, re.MULTILINE))
    assert known | {"sort", "order"} == FILTERS


def test_dots_of_plots_lead_to_files_or_nowhere() -> None:
    links = SiteLinks(2, {"/saes/a/latents/7": "saes/a/latent-7.html"})
    dots = [["/saes/a/latents/7", 15], ["/saes/a/latents/8", 15], ["word", 1], 3]
    spec: dict[str, Any] = {"data": [{"customdata": dots}, {"x": [1]}], "layout": {}}
    made = links.figure(spec)
    assert made["data"][0]["customdata"] == [["./saes/a/latent-7.html", 15], [None, 15], ["word", 1], 3]
    assert spec["data"][0]["customdata"] is dots  # what pages share is left as it is


def test_what_a_page_loads_is_counted() -> None:
    links = SiteLinks(2, {})
    links.here = "saes/a/index.html"
    assert links.static_url("style.css") == "../../static/style.css"
    assert links.module("page.js") == '<script defer src="../../static/bundle.js" data-modules="page.js"></script>'
    assert (links.assets, links.modules) == ({"style.css"}, {"page.js"})


@pytest.mark.parametrize(
    "source",
    [
        "export default 1;",
        'import all from "./b.js";',
        'import * as all from "./b.js";',
        'const b = await import("./b.js");',
        "export let count = 0;",
        'import { a } from "./none.js";',
        'import { default as a } from "./b.js";',
    ],
)
def test_what_cannot_be_bundled_is_refused(source: str) -> None:
    with pytest.raises(SiteError):
        bundle({"a.js": f"// first\n{source}\n", "b.js": "export const a = 1;\n"})


def test_a_circle_of_imports_is_refused() -> None:
    with pytest.raises(SiteError, match=r"a\.js > b\.js > a\.js"):
        bundle({"a.js": 'import { b } from "./b.js";\n', "b.js": 'import { a } from "./a.js";\n'})


def test_all_our_modules_can_be_bundled() -> None:
    names = [name for name in load(ROOT / "static").files if re.fullmatch(r"[\w-]+\.js", name)]
    assert "page.js" in bundle({name: (ROOT / "static" / name).read_text() for name in names})


def test_a_bundle_runs_each_module_once(browser: Browser, tmp_path: Path) -> None:
    modules = {
        "a.js": 'import {\n  add as plus,\n  Held,\n} from "./b.js";\nimport "./c.js";\n'
        "window.said.push(plus(1, 2), new Held().one);\n",
        "b.js": "const one = 1;\nexport function add(x, y) {\n  return x + y;\n}\n"
        "class Holder {\n  one = one;\n}\nexport { Holder as Held };\n",
        "c.js": 'import { add } from "./b.js";\nwindow.said.push("c", add(1, 1));\n',
        "d.js": "throw new Error('nobody asked for it');\n",
    }
    (tmp_path / "bundle.js").write_text(bundle(modules))
    two = "".join(f'<script defer src="bundle.js" data-modules="{name}"></script>' for name in ("a.js", "c.js"))
    page = f"<script>window.said = []</script>{two}"
    (tmp_path / "index.html").write_text(page)
    window = browser.new_page()
    window.goto((tmp_path / "index.html").as_uri())
    assert window.evaluate("window.said") == ["c", 2, 3, 1]
    window.close()
