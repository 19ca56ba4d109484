"""Sentences of the interface and their translations: `python -m tests.messages [NOUN ...]` brings the catalogues up to
date (`make messages`): new sentences come in empty, those that no page says any more go, translations stay.

A catalogue is of a noun: of what `app/<noun>/` and `templates/<noun>/` say. What several nouns say is in `shared.po`,
what the worker declares of its statistics in `terms.po`.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from babel.messages import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import write_po

from analysis.run.declare import declared
from app.shared.language import FOLDER, read
from store import unmeasured
from tests.root import ROOT

KEYWORDS = {
    "_": None,
    "N_": None,
    "say": None,
    "translated": None,
    "gettext": None,
    "filled": None,
    "ngettext": (1, 2),
    "plural": (1, 2),
}
OPTIONS = {"trimmed": "true", "silent": "false"}
SHARED, TERMS, SCRIPTS = "shared", "terms", "scripts"
METHODS = {".py": "python", ".html": "jinja2.ext:babel_extract", ".js": "javascript"}
COMMON = {"shared", "http", "partials", "commands"}

Message = str | tuple[str, ...]


def sources() -> list[tuple[str, Path]]:
    """(noun, file) of everything that may say something to a reader."""
    files = [*(ROOT / "app").rglob("*.py"), *(ROOT / "templates").rglob("*.html")]
    scripts = [(SCRIPTS, path) for path in (ROOT / "static").glob("*.js")]
    return sorted([*((_noun(path), path) for path in files), *scripts])


def _noun(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return SHARED if len(parts) < 3 or parts[1] in COMMON else parts[1]


def messages() -> dict[str, dict[Message, list[str]]]:
    """Noun -> its messages with the files that say them; what several nouns say is shared."""
    said: dict[Message, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for noun, path in sources():
        for _line, message, _comments, _context in extract_from_file(
            METHODS[path.suffix], path, keywords=KEYWORDS, options=OPTIONS if path.suffix == ".html" else None
        ):
            found = tuple(map(str, message)) if isinstance(message, list | tuple) else message
            if found:
                said[found][noun].append(path.relative_to(ROOT).as_posix())
    for noun, text in declarations():
        said[text][noun].append(f"{noun} (declared)")
    by_noun: dict[str, dict[Message, list[str]]] = defaultdict(dict)
    for message, nouns in said.items():
        places = sorted({place for own in nouns.values() for place in own})
        noun = SCRIPTS if SCRIPTS in nouns else next(iter(nouns)) if len(nouns) == 1 else SHARED  # a page brings those
        by_noun[noun][message] = places
    return by_noun


def declarations() -> Iterator[tuple[str, str]]:
    """(catalogue, text) of what the store's other half says: definitions, and why something was not measured."""
    for one in declared():
        yield from ((TERMS, text) for text in (one.title, one.unit, one.definition, one.source) if text)
    held = (value for name, value in vars(unmeasured).items() if isinstance(value, dict) and name != "__builtins__")
    yield from ((SHARED, text) for value in held for text in _leaves(value) if " " in text)


def _leaves(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _leaves(one)


def known(code: str) -> dict[str, tuple[str, ...]]:
    """All translations of a language, whichever catalogue has them."""
    return {text: forms for path in sorted((FOLDER / code).glob("*.po")) for text, forms in read(path, code).items()}


def update(code: str) -> dict[str, int]:
    """Write the catalogues of a language anew; noun -> messages that have no translation yet."""
    translations, said, empty = known(code), messages(), {}  # all is read before anything is written
    for path in (FOLDER / code).glob("*.po"):
        path.unlink()
    for noun, own in sorted(said.items()):
        catalogue = Catalog(locale=code, fuzzy=False, charset="utf-8")
        for message in sorted(own, key=lambda one: (own[one][0], str(one))):
            held = translations.get(message if isinstance(message, str) else message[0], ())
            several = isinstance(message, tuple)
            catalogue.add(message, held if several and held else "".join(held[:1]), [(own[message][0], 1)])
        empty[noun] = sum(not any(one.string or ()) for one in catalogue if one.id)
        with (FOLDER / code / f"{noun}.po").open("wb") as file:
            write_po(file, catalogue, width=120, omit_header=True, include_lineno=False)
    return empty


if __name__ == "__main__":
    for language in sys.argv[1:] or [folder.name for folder in sorted(FOLDER.iterdir())]:
        for noun, missing in update(language).items():
            print(f"{language}/{noun}.po: {missing} without a translation")  # noqa: T201
