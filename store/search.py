"""The indexes of what can be searched and filtered by: filled from the rows of an analysis, without a model.

A context that is an example of many latents is kept once. SQLite's full-text table and PostgreSQL's vector follow
the rows by themselves: neither is a table or a column of ours, so `declared` keeps them out of comparisons.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any, cast

from sqlalchemy import Engine, Table, Text, delete, exists, func, join, select, text, true
from sqlalchemy import cast as as_type
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from store.session import session_factory
from store.tables import Analysis, Example, Latent, LatentToken, Profile, Run, SearchText, Token
from store.vocabulary import RANDOM_OFF, TOP, level_of
from store.words import joined, joined_tokens
from store.writing import COMPLETE, Writer, one_at_a_time

INDEX = "search_index"
"""SQLite's full-text table over the words."""
VECTOR = "vector"
"""PostgreSQL's column of the same."""
LISTS = {"token": ("top_tokens", "top_tokens_mass"), "promoted": ("promoted",)}
"""Kind -> the profiles whose tokens it holds."""
_CHUNK = 2000
_ALL = 2**31 - 1
Row = dict[str, Any]


def _standing(kind: str) -> float:
    """Which example of a context stands for it: the strongest, then by level; a random one before the lowest."""
    level, count = level_of(kind)
    if level:
        return 2 - level / count if level > 1 else 3.0
    return 0.0 if kind == TOP else 2.0


def declared(name: str | None, kind: str, _parents: Any = None) -> bool:
    """Whether a part of the database is one of our tables' (alembic's `include_name`), or an index made for search."""
    own = (name or "").startswith(INDEX) if kind == "table" else name in {VECTOR, f"ix_search_text_{VECTOR}"}
    return not own


def index_analysis(session: Session, analysis_id: int) -> int:
    """Make what can be searched of an analysis anew; how many rows that is. The caller commits."""
    session.execute(delete(SearchText).where(SearchText.analysis_id == analysis_id))
    rows = list(_rows(session, analysis_id))
    _reserve(session, analysis_id, rows)
    statement = cast(Table, SearchText.__table__).insert()
    for start in range(0, len(rows) - 1, _CHUNK):
        session.execute(statement, rows[start : min(start + _CHUNK, len(rows) - 1)])
    session.execute(delete(LatentToken).where(LatentToken.analysis_id == analysis_id))
    _index_tokens(session, analysis_id, 0, _ALL)
    return len(rows)


def write_index(writer: Writer, readers: Engine, analysis_id: int) -> None:
    """The same of one that has none yet, in short transactions.

    Args:
        readers: of the same store; what is indexed is read without the writers' lock.
    """
    with session_factory(readers)() as session:
        rows = list(_rows(session, analysis_id))
        last = session.scalar(select(func.max(Latent.index)).where(Latent.analysis_id == analysis_id)) or 0
    if rows:
        writer.transaction(lambda session: _reserve(session, analysis_id, rows))
    writer.insert(SearchText, rows[:-1])
    first = 0
    while first <= last:
        end = first + writer.size(LatentToken.__tablename__)
        writer.timed(
            LatentToken.__tablename__,
            end - first,
            lambda session, span=(first, end - 1): _index_tokens(session, analysis_id, *span),  # type: ignore[misc]
        )
        first = end


def _reserve(session: Session, analysis_id: int, rows: list[Row]) -> None:
    """Give rows ids that follow each other, whoever else writes meanwhile, by inserting the last of them: where the
    rows of a kind lie is told by the first and the last of their ids."""
    if not rows:
        return
    one_at_a_time(session, "ids of search_text")
    if session.get_bind().dialect.name == "postgresql":
        ids = "SELECT nextval(pg_get_serial_sequence('search_text', 'id')) FROM generate_series(1, :rows)"
        first = int(session.execute(text(f"SELECT min(n) FROM ({ids}) AS t(n)"), {"rows": len(rows)}).scalar_one())
    else:
        first = (session.scalar(select(func.max(SearchText.id))) or 0) + 1
    for place, row in enumerate(rows):
        row |= {"id": first + place, "analysis_id": analysis_id}
    session.execute(cast(Table, SearchText.__table__).insert(), rows[-1:])


def _index_tokens(session: Session, analysis_id: int, first: int, last: int) -> None:
    """Which latents, from one index to another, have which token in `Latent.top_tokens`."""
    postgres = session.get_bind().dialect.name == "postgresql"
    each: Any = func.json_array_elements_text if postgres else func.json_each
    one, insert = each(Latent.top_tokens).table_valued("value"), (postgresql if postgres else sqlite).insert
    of_it = join(Latent, one, true())
    own = (Latent.analysis_id == analysis_id, Latent.index.between(first, last))
    texts = select(one.c.value).select_from(of_it).where(*own).distinct()
    # two workers may bring the same new token
    session.execute(insert(Token).from_select(["text"], texts).on_conflict_do_nothing())
    places = select(Latent.analysis_id, Token.id, Latent.index).select_from(of_it)
    places = places.join(Token, Token.text == one.c.value).where(*own).distinct()
    session.execute(insert(LatentToken).from_select(["analysis_id", "token_id", "index"], places))


def index_missing(engine: Engine) -> int:
    """Index the analyses of complete runs that are not, each in a transaction of its own; how many rows that made."""
    with session_factory(engine)() as session:
        indexed = exists(select(1).where(SearchText.analysis_id == Analysis.id))
        wanted = select(Analysis.id).join(Run, Run.id == Analysis.run_id).where(Run.status == COMPLETE, ~indexed)
        missing = list(session.scalars(wanted.order_by(Analysis.id)))
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
        Example.analysis_id == analysis_id, Example.kind != RANDOM_OFF
    )
    texts: dict[str, list[tuple[int, str, int]]] = {}
    for written, index, kind, rank in session.execute(statement):
        texts.setdefault(written, []).append((index, kind, rank))
    for written, places in texts.items():
        yield _context(joined("".join(json.loads(written))), places, density)


def _context(words: str, places: Iterable[tuple[int, str, int]], density: Mapping[int, float]) -> Row:
    """Latents in the order in which they are named: those it drives most first, then by density."""
    ordered = sorted(places, key=lambda at: (_standing(at[1]), -density[at[0]], at))
    (index, kind, rank), *_rest = ordered
    others = [one for one in dict.fromkeys(at[0] for at in ordered) if one != index]
    return {**_row("context", index, words), "example": kind, "rank": rank, "others": others}


def _row(kind: str, index: int, words: str) -> Row:
    return {"kind": kind, "index": index, "words": words}
