"""Codes of the store with their numbers -> sentences: the worker says what it found, the page says it in words."""

from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from typing import Any

from app.shared.language import _, translated
from app.shared.numbers import THIN, minus
from store.vocabulary import TEXT, Statement

Sentence = str | Callable[[Statement], str]
"""A sentence with fields for the statement's numbers, as {rho:+.2f}; or a function where that does not suffice."""
Sentences = Mapping[str, Sentence]
"""By the code of a statement."""
UNKNOWN = "unknown"


class _Fields(string.Formatter):
    """Fields by name: what is missing is unknown, and numbers have the house's minus and per cent signs."""

    def get_value(self, key: Any, args: Any, kwargs: Any) -> Any:
        return kwargs.get(key)

    def format_field(self, value: Any, format_spec: str) -> str:
        if value is None:
            return UNKNOWN
        if isinstance(value, str | bool) or not isinstance(value, int | float):
            return str(value)
        text = minus(format(value, format_spec))
        return text.replace("%", f"{THIN}%")


_fields = _Fields()


def filled(sentence: str, values: Mapping[str, Any]) -> str:
    """The sentence, in the page's language, with its numbers."""
    return _fields.format(translated(sentence), **values)


def said(statement: Statement | None, sentences: Sentences) -> str:
    """A statement in words; of a code that is not known here, its name and numbers."""
    held = statement or {}
    code = held.get("code")
    if code == TEXT:
        return str(held.get("text") or "")
    sentence = sentences.get(str(code))
    if sentence is None:
        return _bare(held)
    return filled(sentence, held) if isinstance(sentence, str) else sentence(held)


def _bare(statement: Statement) -> str:
    """ "always on: share 0.995, cut 0.99"."""
    if not statement:
        return ""
    numbers = [f"{name.replace('_', ' ')} {value}" for name, value in statement.items() if _plain(name, value)]
    head = str(statement.get("code") or "").replace("_", " ")
    return f"{head}: {', '.join(numbers)}." if numbers else f"{head}."


def _plain(name: str, value: Any) -> bool:
    return name not in {"code", "of", "speaks"} and isinstance(value, str | int | float)


def listed(parts: list[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(parts) < 2:
        return "".join(parts)
    return _("%(first)s and %(last)s", first=_(", ").join(parts[:-1]), last=parts[-1])


def upper(text: str) -> str:
    """With a capital at the beginning."""
    return text[:1].upper() + text[1:]
