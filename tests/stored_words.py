"""Sentences in a store that the worker wrote: what it says, it says in codes; the server has the words.

Text of the user's (documents, tokens, values of labels) and what statistics declare of themselves are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from sqlalchemy import Engine, Table, select

from store.tables import Base

OF_THE_USER = {
    "corpus": {"name", "licence", "report", "label_columns"},
    "run": {"strip"},
    "model": {"name", "source", "licence"},
    "sae": {"source", "details", "training"},
    "latent": {"top_tokens"},
    "example": {"document", "labels", "tokens"},
    "label": {"name", "groups"},
    "steering": {"data"},
}
"""By table: columns that hold the user's own words, or tokens."""
DECLARED = {"statistic", "search_text", "token"}
"""Tables of what statistics say of themselves, and of the user's text to be searched."""
PEOPLE = {"annotation", "category", "saved_view", "alembic_version"}
VALUES = {
    "value",
    "highest",
    "lowest",
    "label",
    "name",
    "after",
    "inseparable",
    "for",
    "token",
    "tokens",
    "letter",
    "examples",
}
"""Keys under which statements and evidence have the user's own words."""
MOST_WORDS = 5
"""Of a code or a unit."""


def sentences(engine: Engine, *only: str) -> list[str]:
    """Each as `table.column: the sentence`; of these tables, or of all."""
    found = ((where, text) for where, text in _texts(engine) if not only or where.split(".")[0] in only)
    return [f"{where}: {text}" for where, text in found if is_sentence(text)]


def is_sentence(text: str) -> bool:
    """It ends as one, or has as many words."""
    return text.rstrip().endswith((".", "!", "?")) or len(text.split()) > MOST_WORDS


def _texts(engine: Engine) -> Iterator[tuple[str, str]]:
    tables = [cast(Table, mapper.local_table) for mapper in Base.registry.mappers]
    with engine.connect() as connection:
        for table in tables:
            if table.name in DECLARED | PEOPLE:
                continue
            own = [column for column in table.c if column.name not in OF_THE_USER.get(table.name, set())]
            for row in connection.execute(select(*own)).mappings():
                for name, value in row.items():
                    yield from ((f"{table.name}.{name}", text) for text in _strings(value))


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for key, part in value.items() if key not in VALUES for text in _strings(part))
    elif isinstance(value, list):
        yield from (text for part in value for text in _strings(part))
