"""The indexes of what can be searched and filtered by: filled from the rows of an analysis, without a model.

A context that is an example of many latents is kept once. SQLite's full-text table and PostgreSQL's vector follow
the rows by themselves: neither is a table or a column of ours, so `declared` keeps them out of comparisons.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Engine, Table, Text, delete, exists, func, join, select, true
from sqlalchemy import cast as as_type
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.session import session_factory
from store.tables import Analysis, Example, Latent, LatentToken, Profile, SearchText, Token
from store.words import joined, joined_tokens

INDEX = "search_index"
"""SQLite's full-text table over the words."""
VECTOR = "vector"
"""PostgreSQL's column of the same."""
LISTS = {"token": ("top_tokens", "top_tokens_mass"), "promoted": ("promoted",)}
"""Kind -> the profiles whose tokens it holds."""
_BEST = ("top", "level4", "level3", "level2", "random", "level1")  # which example of a context stands for it
_CHUNK = 2000
Row = dict[str, Any]


def declared(name: str | None, kind: str, _parents: Any = None) -> bool:
    """Whether a part of the database is one of our tables' (alembic's `include_name`), or an index made for search."""
    own = (name or "").startswith(INDEX) if kind == "table" else name in {VECTOR, f"ix_search_text_{VECTOR}"}
    return not own


def index_analysis(session: Session, analysis_id: int) -> int:
    """Make what can be searched of an analysis anew; how many rows that is. The caller commits."""
    session.execute(delete(SearchText).where(SearchText.analysis_id == analysis_id))
    table, made = cast(Table, SearchText.__table__), 0
    rows = _rows(session, analysis_id)
    while chunk := list(islice(rows, _CHUNK)):
        session.execute(table.insert(), [{**row, "analysis_id": analysis_id} for row in chunk])
        made += len(chunk)
    _index_tokens(session, analysis_id)
    return made


def _index_tokens(session: Session, analysis_id: int) -> None:
    """Which of its latents have which token in `Latent.top_tokens`."""
    postgres = session.get_bind().dialect.name == "postgresql"
    each: Any = func.json_array_elements_text if postgres else func.json_each
    one, insert = each(Latent.top_tokens).table_valued("value"), (postgresql if postgres else sqlite).insert
    of_it = join(Latent, one, true())
    texts = select(one.c.value).select_from(of_it).where(Latent.analysis_id == analysis_id).distinct()
    # two workers may bring the same new token
    session.execute(insert(Token).from_select(["text"], texts).on_conflict_do_nothing())
    session.execute(delete(LatentToken).where(LatentToken.analysis_id == analysis_id))
    places = select(Latent.analysis_id, Token.id, Latent.index).select_from(of_it)
    places = places.join(Token, Token.text == one.c.value).where(Latent.analysis_id == analysis_id).distinct()
    session.execute(insert(LatentToken).from_select(["analysis_id", "token_id", "index"], places))


def index_missing(engine: Engine) -> int:
    """Index the analyses that are not, each in a transaction of its own; how many rows that made."""
    with session_factory(engine)() as session:
        indexed = exists(select(1).where(SearchText.analysis_id == Analysis.id))
        missing = list(session.scalars(select(Analysis.id).where(~indexed).order_by(Analysis.id)))
        session.rollback()
        made = 0
        for analysis_id in missing:
            made += index_analysis(session, analysis_id)
            session.commit()
    return made


def _rows(session: Session, analysis_id: int) -> Iterator[Row]:
    yield from _token_rows(session, analysis_id)
    yield from _context_rows(session, analysis_id)


def _token_rows(session: Session, analysis_id: int) -> Iterator[Row]:
    for kind, names in LISTS.items():
        statement = select(Profile.index, Profile.data).where(
            Profile.analysis_id == analysis_id, Profile.name.in_(names)
        )
        found = session.execute(statement.order_by(Profile.index, Profile.name))
        for index, lists in groupby(found, key=itemgetter(0)):
            tokens = dict.fromkeys(str(item["token"]) for _index, data in lists for item in data.get("items", []))
            yield {**_row(kind, index, joined_tokens(list(tokens))), "example": None, "rank": None, "others": []}


def _context_rows(session: Session, analysis_id: int) -> Iterator[Row]:
    wanted = select(Latent.index, Latent.density).where(Latent.analysis_id == analysis_id)
    density = dict(session.execute(wanted).all())
    # as text: alike contexts are alike there, and most need not be read as JSON
    statement = select(as_type(Example.tokens, Text), Example.index, Example.kind, Example.rank).where(
        Example.analysis_id == analysis_id, Example.kind != "off"
    )
    texts: dict[str, list[tuple[int, str, int]]] = {}
    for text, index, kind, rank in session.execute(statement):
        texts.setdefault(text, []).append((index, kind, rank))
    for text, places in texts.items():
        yield _context(joined("".join(json.loads(text))), places, density)


def _context(words: str, places: Iterable[tuple[int, str, int]], density: Mapping[int, float]) -> Row:
    """Latents in the order in which they are named: those it drives most first, then by density."""
    ordered = sorted(places, key=lambda at: (_BEST.index(at[1]), -density[at[0]], at))
    (index, kind, rank), *_rest = ordered
    others = [one for one in dict.fromkeys(at[0] for at in ordered) if one != index]
    return {**_row("context", index, words), "example": kind, "rank": rank, "others": others}


def _row(kind: str, index: int, words: str) -> Row:
    return {"kind": kind, "index": index, "words": words}
