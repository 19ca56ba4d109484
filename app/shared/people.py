"""What people type: their names, and text as it is stored."""

from __future__ import annotations

import unicodedata

from app.http.errors import BadFilter

MAX_NAME = 60


def plain_text(text: str) -> str:
    """Line ends of one kind; without control characters other than them and tabs. Marks of direction stay:
    right-to-left languages need them, and pages isolate them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(letter for letter in lines if letter in "\n\t" or unicodedata.category(letter) not in {"Cc", "Cs"})


def author_name(text: str) -> str:
    """A name as it is stored.

    Raises:
        BadFilter: none, or too long.
    """
    name = " ".join(plain_text(text).split())
    if not name:
        raise BadFilter("say who you are: a name is asked once, and stands beside what you write")
    if len(name) > MAX_NAME:
        raise BadFilter(f"the name has {len(name)} characters; the limit is {MAX_NAME}")
    return name
