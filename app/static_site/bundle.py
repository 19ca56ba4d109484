"""Our modules as one classic script: browsers load no module from file://.

Not a bundler for everything: it knows what our modules use, which is named imports from a neighbour and named
exports at the beginning of a line, and refuses all else by file and line. Modules run when a page asks for them,
by `data-modules` of the script's element, each once, however many elements ask for it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from app.static_site.errors import SiteError

_IMPORT = re.compile(r'import(?:\s*\{(?P<names>[^}]*)\}\s*from)?\s*"\./(?P<file>[\w-]+\.js)";')
_EXPORT = re.compile(r"export (?P<rest>(?:async )?(?:function\*?|const|class)\s+(?P<name>[A-Za-z_$][\w$]*))")
_LIST = re.compile(r"export\s*\{(?P<names>[^}]*)\};")
_NAME = re.compile(r"(?P<from>[A-Za-z_$][\w$]*)(?:\s+as\s+(?P<to>[A-Za-z_$][\w$]*))?")
_LEFT = re.compile(r"^\s*(import|export)\b", re.MULTILINE)
_DYNAMIC = re.compile(r"\bimport\s*(\(|\.meta)")

START = """(() => {
"use strict";
const held = (globalThis.denseLatents ??= {}).modules ??= {};
function load(name) {
  if (!(name in held)) {
    held[name] = {};
    sources[name](held[name]);
  }
  return held[name];
}
const sources = {
"""
END = """};
for (const name of document.currentScript.dataset.modules.split(" ")) load(name);
})();
"""


def bundle(modules: Mapping[str, str]) -> str:
    """File name -> source of each module, to one script.

    Raises:
        SiteError: a module uses what this does not know, or imports what is not there, or itself in a circle.
    """
    parts, needs = [], {}
    for name, source in modules.items():
        body, needs[name] = _module(name, source)
        parts.append(f"{json.dumps(name)}(exports) {{\n{body}\n}},\n")
    for name in modules:
        _check(name, needs, ())
    return START + "".join(parts) + END


def _module(name: str, source: str) -> tuple[str, list[str]]:
    needs: list[str] = []
    exports: list[tuple[str, str]] = []

    def imported(match: re.Match[str]) -> str:  # where it stood, and all on its lines: errors keep their line
        needs.append(match["file"])
        call = f"load({json.dumps(match['file'])});"
        names = ", ".join(a if a == b else f"{a}: {b}" for a, b in _names(match["names"] or ""))
        made = f"const {{ {names} }} = {call}" if match["names"] is not None else call
        return made + "\n" * match[0].count("\n")

    def exported(match: re.Match[str]) -> str:
        exports.append((match["name"], match["name"]))
        return match["rest"]

    def listed(match: re.Match[str]) -> str:
        exports.extend(_names(match["names"]))
        return ""

    body = _at_line_starts(_IMPORT, imported, source)
    body = _at_line_starts(_LIST, listed, _at_line_starts(_EXPORT, exported, body))
    _refuse(name, body)
    given = ", ".join(a if a == b else f"{b}: {a}" for a, b in exports)
    return body + (f"\nObject.assign(exports, {{ {given} }});" if exports else ""), needs


def _at_line_starts(pattern: re.Pattern[str], put: object, source: str) -> str:
    return re.sub(rf"^(?:{pattern.pattern})", put, source, flags=re.MULTILINE)  # type: ignore[call-overload,no-any-return]


def _names(text: str) -> list[tuple[str, str]]:
    """`a, b as c` to (a, a), (b, c)."""
    found = [(part.strip(), _NAME.fullmatch(part.strip())) for part in text.split(",") if part.strip()]
    for part, match in found:
        if match is None or "default" in (match["from"], match["to"]):
            raise SiteError(f"only plain names can be imported and exported, not '{part}'")
    return [(match["from"], match["to"] or match["from"]) for _part, match in found if match]


def _refuse(name: str, body: str) -> None:
    for pattern in (_LEFT, _DYNAMIC):
        if match := pattern.search(body):
            line = body.count("\n", 0, match.start()) + 1
            words = body[match.start() :].strip().splitlines()[0][:80]
            raise SiteError(f"static/{name}, line {line}: cannot be bundled: {words}")


def _check(name: str, needs: Mapping[str, list[str]], above: tuple[str, ...]) -> None:
    if name in above:
        raise SiteError(f"static/{name} imports itself: {' > '.join((*above, name))}")
    for other in needs[name]:
        if other not in needs:
            raise SiteError(f"static/{name} imports {other}, which is not there")
        _check(other, needs, (*above, name))
