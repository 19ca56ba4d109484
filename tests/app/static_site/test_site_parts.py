"""What the static site is made with: addresses become files, scripts become one, and all else is left as it is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.http.assets import load
from app.settings import ROOT
from app.shared.markup import coloured
from app.shared.tokens import Cell
from app.static_site.bundle import bundle
from app.static_site.errors import SiteError
from app.static_site.places import Places, folder_names
from app.static_site.rewrite import PLAIN, rewrite


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
    ],
)
def test_addresses_become_files(address: str, file: str | None) -> None:
    places = Places(2, {"/": "index.html", "/methods": "methods.html", "/latents": "latents.html"})
    places.add("/search", "search.html")
    places.add("/saes/a/b/latents/7", "saes/a-b/latent-7.html")
    assert places.link(address, "saes/a-b/latent-9.html") == file


def test_tokens_need_not_be_read_by_the_parser() -> None:
    cells = [Cell("<b>", "b3", "7: 1.50", True), Cell("\u21b5", "b0", "", False), Cell(" the", "", "", False)]
    assert PLAIN.fullmatch(f'<p class="text">{coloured(cells)}</p>')


def test_rewriting_touches_nothing_else() -> None:
    places = Places(1, {"/": "index.html", "/static/v/page.js": "static/page.js"})
    html = (
        '<!doctype html>\n<html lang="en"><head><script type="module" src="/static/v/page.js"></script></head>\n'
        '<body><nav><a href="/">Home</a> <a href="/api/docs">API</a></nav>\n'
        '<p class="text"><bdi class="t b1" data-tip="a &lt;b&gt;">x &amp; y</bdi></p> &nbsp;<b title=">">1 &lt; 2</b>\n'
        '<a class="x" href="/gone?a=1&amp;b=2" data-tip="why">gone <i>for</i> good</a> '
        '<a class="button" href="/gone">b</a>\n'
        '<form method="post" action="/save"><form></form><input name="a"></form>'
        'after<form method="dialog"><button>OK</button></form>\n'
        '<svg viewBox="0 0 1 1"><a href="/gone"><rect width="1"/></a><a href="/"><rect/></a></svg>'
        '<img src="/gone.png">\n'
        '<a href="https://example.org/">out</a><span data-server>never <span>in</span> a site</span></body></html>'
    )
    made = rewrite(html, "saes/x/index.html", places)
    assert made.modules == ["page.js"]
    assert made.html == (
        '<!doctype html>\n<html lang="en" data-site="../../"><head>'
        '<script defer src="../../static/bundle.js" data-modules="page.js"></script>\n</head>\n'
        '<body><nav><a href="../../index.html">Home</a> </nav>\n'
        '<p class="text"><bdi class="t b1" data-tip="a &lt;b&gt;">x &amp; y</bdi></p> &nbsp;<b title=">">1 &lt; 2</b>\n'
        '<span class="x" data-tip="why" tabindex="0">gone <i>for</i> good</span> \n'
        'after<form method="dialog"><button>OK</button></form>\n'
        '<svg viewBox="0 0 1 1"><g><rect width="1"/></g><a href="../../index.html"><rect/></a></svg>\n'
        '<a href="https://example.org/">out</a></body></html>'
    )


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
    page = '<script>window.said = []</script><script defer src="bundle.js" data-modules="a.js c.js"></script>'
    (tmp_path / "index.html").write_text(page)
    window = browser.new_page()
    window.goto((tmp_path / "index.html").as_uri())
    assert window.evaluate("window.said") == ["c", 2, 3, 1]
    window.close()
