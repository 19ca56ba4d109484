"""The language of the page that is being made: sentences are written in English and translated where they are shown.

A language is a folder `app/locale/<code>/` of gettext catalogues, a `.po` file for each noun. What no catalogue has
stays English, so that a half-made translation shows whole pages.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from gettext import c2py
from pathlib import Path
from typing import Any, NamedTuple

from babel import Locale
from babel.messages.plurals import get_plural
from babel.messages.pofile import read_po
from markupsafe import escape

ENGLISH = "en"
FOLDER = Path(__file__).resolve().parents[1] / "locale"
PARAMETER = "lang"
_MOST_TAGS = 50  # of a browser's header that are looked at


class Spoken(NamedTuple):
    """What a page is made in."""

    code: str = ENGLISH
    asked: bool = False
    """The address says so: links keep it."""


_ENGLISH = Spoken()
_now: ContextVar[Spoken] = ContextVar("language", default=_ENGLISH)


def spoken() -> str:
    """Code of the language that this page is made in."""
    return _now.get().code


def kept() -> str:
    """Query string that keeps the language in links: "lang=ja"; empty where the address does not say one."""
    now = _now.get()
    return f"{PARAMETER}={now.code}" if now.asked else ""


@contextmanager
def speaking(now: Spoken) -> Iterator[None]:
    """Pages made within are in this language."""
    token = _now.set(now)
    try:
        yield
    finally:
        _now.reset(token)


@cache
def languages() -> dict[str, str]:
    """Code -> the language's name in itself: English, and every folder of catalogues."""
    codes = [ENGLISH, *sorted(folder.name for folder in FOLDER.iterdir() if any(folder.glob("*.po")))]
    return {code: Locale.parse(code).get_display_name(code) or code for code in codes}


def chosen(asked: str | None, accepted: str) -> Spoken:
    """The language that an address asks for, else the first of the browser's that there is, else English.

    Args:
        asked: value of the address' `lang`; None where it has none. One that there is not is no choice.
        accepted: the header Accept-Language.
    """
    if asked in languages():
        return Spoken(str(asked), asked=True)
    for code in _by_preference(accepted):
        if code in languages():
            return Spoken(code)
    return Spoken()


def named(code: str) -> Spoken:
    """A language by its code, as a command is given it.

    Raises:
        LookupError: there is no such language; the words name those that there are.
    """
    if code not in languages():
        raise LookupError(f"--lang {code[:20]}: expected one of {', '.join(languages())}")
    return Spoken(code)


def _by_preference(header: str) -> list[str]:
    """Codes without their regions, the liked ones first: "ja-JP,en;q=0.8" -> ja, en."""
    liked = []
    for place, part in enumerate(header.split(",")[:_MOST_TAGS]):
        tag, _semicolon, quality = part.strip().partition(";q=")
        try:
            weight = float(quality or 1)
        except ValueError:
            continue
        if weight > 0:
            liked.append((-weight, place, tag.partition("-")[0].lower()))
    return [code for _weight, _place, code in sorted(liked)]


@cache
def catalogue(code: str) -> Mapping[str, tuple[str, ...]]:
    """English message -> its translation, a form for each number where it has some."""
    return {text: forms for path in sorted((FOLDER / code).glob("*.po")) for text, forms in read(path, code).items()}


@cache
def of_scripts_in(code: str) -> Mapping[str, str]:
    """What the scripts say, English -> its translation."""
    path = FOLDER / code / "scripts.po"
    return {text: forms[0] for text, forms in read(path, code).items()} if path.is_file() else {}


def of_scripts() -> Mapping[str, str]:
    """What scripts say in the page's language; nothing in English, in which they are written."""
    return of_scripts_in(spoken())


def read(path: Path, code: str) -> dict[str, tuple[str, ...]]:
    """The messages of one catalogue that have a translation."""
    found = {}
    with path.open("rb") as file:
        for message in read_po(file, locale=code):
            forms = message.string if isinstance(message.string, list | tuple) else (message.string,)
            if message.id and all(forms) and not message.fuzzy:
                found[message.id if isinstance(message.id, str) else message.id[0]] = tuple(map(str, forms))
    return found


def translated(text: str) -> str:
    """A text without places to fill in, such as a definition that the store has; itself where there is no other."""
    code = spoken()
    return text if code == ENGLISH else catalogue(code).get(text, (text,))[0]


def plural(one: str, many: str, n: int) -> str:
    """The form for `n` of a sentence that has several, its places not yet filled in."""
    code = spoken()
    forms = None if code == ENGLISH else catalogue(code).get(one)
    if forms is None:
        return one if n == 1 else many
    return forms[_which(code)(n)]


@cache
def _which(code: str) -> Callable[[int], int]:
    """Number -> which of a language's forms."""
    return c2py(get_plural(code).plural_expr)


def _(message: str, /, **values: object) -> str:
    """A sentence of ours in the page's language, its places `%(name)s` filled in; a per cent sign is written `%%`."""
    return translated(message) % values


def ngettext(one: str, many: str, n: int, /, **values: object) -> str:
    """The same of a sentence that says a number: `one` of 1, `many` of others; `%(n)s` is the number itself."""
    return plural(one, many, n) % {"n": f"{n:,}", **values}


class Words(dict[str, str]):
    """Words by key, as a mapping that gives them in the page's language; `N_` marks them where they are written."""

    def __getitem__(self, key: str) -> str:
        return translated(super().__getitem__(key))

    def get(self, key: str, default: Any = None) -> Any:
        """The word, or `default` as it is."""
        return self[key] if key in self else default  # noqa: SIM401 - dict's own would not translate

    def items(self) -> Any:
        """Keys with their words."""
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        """The words."""
        return [self[key] for key in self]


class Marked(str):
    """A text that is written down once and shown in the page's language: by a template, by `str`, in an f-string.

    As a key, in a comparison, joined or as JSON it is the English one.
    """

    __slots__ = ()

    def __str__(self) -> str:
        return translated(str.__str__(self))

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __html__(self) -> str:
        return escape(str(self))


def N_(message: str) -> str:  # noqa: N802 - gettext's own name of it
    """Marks a text for the catalogues where it is written down, to be translated where it is shown."""
    return Marked(message)
