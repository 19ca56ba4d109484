"""What somebody typed into search -> terms, each database's own expression for them, and what of a text they hit.

An expression is built from words that hold nothing but letters and digits, so nothing typed can be its syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from pydantic import Field
from sqlalchemy import (
    CTE,
    JSON,
    FromClause,
    Integer,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    table,
)
from sqlalchemy.orm import Session

from app.http.errors import BadFilter
from app.shared.language import _
from store.search import INDEX, VECTOR
from store.tables import SearchText
from store.words import Word, signs, words

MAX_TERMS = 16
_TERM = re.compile(r'"([^"]*(?:"\*|))"?|([^\s"]+)')
_QUOTES = str.maketrans("“”„«»", '"' * 5)
_SHOWN, _BEFORE = 240, 90  # characters of a snippet, and how many of them stand before the first hit

Span = tuple[int, int]


@dataclass(frozen=True)
class Part:
    """A stretch of text; of tokens, one token."""

    text: str
    hit: Annotated[bool, Field(description="It is what was searched for")]


@dataclass(frozen=True)
class Term:
    """A word, the beginning of one, or a phrase."""

    written: str
    """As typed, without quotes and star."""
    words: tuple[str, ...]
    prefix: bool
    """The last word may go on."""


def parse(text: str) -> list[Term]:
    """All of these are searched for. Signs count only where nothing else is asked: they are tokens, not words.

    Raises:
        BadFilter: more terms than are searched for at once, or a NUL.
    """
    if "\0" in text:
        raise BadFilter(_("q holds a NUL character; no text of ours does"))
    plain = text.translate(_QUOTES)
    found = [_term(match[1] or match[2] or "") for match in _TERM.finditer(plain)]
    asked = [term for term in found if term.words] or [_sign(part) for part in text.split() if signs(part)]
    if len(asked) > MAX_TERMS:
        raise BadFilter(
            _(
                "%(asked)s words are too many to search for at once; ask for at most %(max_terms)s",
                asked=len(asked),
                max_terms=MAX_TERMS,
            )
        )
    return asked


def _term(written: str) -> Term:
    bare = " ".join(written.rstrip('*"').split())
    found = tuple(word.text for word in words(bare))
    # a Korean particle is written to its word: who asks for 서울 means 서울의 and 서울에서, too
    return Term(bare, found, written.endswith("*") or bool(found and "가" <= found[-1][-1] <= "힣"))


def _sign(part: str) -> Term:
    return Term(part, tuple(word.text for word in signs(part)), False)


class _Looked(NamedTuple):
    """How a database looks terms up: where, the row's id, how good it is, and the condition."""

    place: FromClause
    id: Any
    rank: Any
    asked: Any


def matched(session: Session, terms: Sequence[Term], first: int, last: int) -> CTE:
    """Rows of `search_text` with all terms, their ids from `first` to `last`: `id`, and `rank`, the best lowest."""
    look = _looked(session, terms)
    found = select(look.id.label("id"), look.rank.label("rank")).select_from(look.place)
    return _first_of_all(found.where(look.asked, look.id >= first, look.id <= last))


def matched_ids(session: Session, terms: Sequence[Term], first: int, last: int, most: int) -> list[int]:
    """Their ids alone, ascending: a tenth of a microsecond each, as one list of the database's."""
    look = _looked(session, terms)
    found = select(look.id.label("id")).select_from(look.place).where(look.asked, look.id >= first, look.id <= last)
    ids = found.order_by(look.id).limit(most).subquery().c.id
    listed = (func.json_agg if _postgres(session) else func.json_group_array)(ids, type_=JSON)
    return session.scalar(select(listed)) or []


def chosen(session: Session, ids: Sequence[int]) -> CTE:
    """These rows as `matched` has them, none better than another."""
    each: Any = func.json_array_elements_text if _postgres(session) else func.json_each
    one = each(bindparam("ids", list(ids), type_=JSON)).table_valued("value").c.value
    return _first_of_all(select(cast(one, Integer).label("id"), literal_column("0").label("rank")))


def _first_of_all(found: Any) -> CTE:
    # looked up first and joined then: a planner that asks the index for each row of a run by itself takes far longer
    made: CTE = found.cte("matched").prefix_with("MATERIALIZED")
    return made


def _postgres(session: Session) -> bool:
    return session.get_bind().dialect.name == "postgresql"


def _looked(session: Session, terms: Sequence[Term]) -> _Looked:
    return (_of_postgresql if _postgres(session) else _of_sqlite)(terms)


def _of_sqlite(terms: Sequence[Term]) -> _Looked:
    asked = literal_column(INDEX).op("MATCH")(sqlite_expression(terms))
    rank = func.round(func.bm25(literal_column(INDEX)), 1)  # nearly as good: the denser latent goes first
    return _Looked(table(INDEX), column("rowid"), rank, asked)


def _of_postgresql(terms: Sequence[Term]) -> _Looked:
    asked = func.to_tsquery(literal_column("'simple'"), postgresql_expression(terms))
    vector: Any = literal_column(f"search_text.{VECTOR}")
    rank = func.round(literal_column("-10") * func.ts_rank(vector, asked))
    return _Looked(SearchText.__table__, SearchText.id, rank, vector.op("@@")(asked))


def sqlite_expression(terms: Iterable[Term]) -> str:
    """For FTS5's MATCH."""
    return " AND ".join(f'"{" ".join(term.words)}"' + (" *" if term.prefix else "") for term in terms)


def postgresql_expression(terms: Iterable[Term]) -> str:
    """For to_tsquery."""
    phrases = (" <-> ".join(f"'{word}'" for word in term.words) + (":*" if term.prefix else "") for term in terms)
    return " & ".join(f"({phrase})" for phrase in phrases)


def hits(found: Sequence[Word], terms: Iterable[Term]) -> list[Span]:
    """Where the terms stand in a text of these words; overlapping ones are one."""
    spans = [
        (found[at].start, found[at + len(term.words) - 1].end)
        for term in terms
        for at in range(len(found) - len(term.words) + 1)
        if _stands(term, found[at : at + len(term.words)])
    ]
    return _merged(spans)


def hits_as_written(text: str, terms: Iterable[Term]) -> list[Span]:
    """Where the terms stand as they were typed, also within words, without regard to case."""
    spans = [
        match.span()
        for term in terms
        for match in re.finditer(re.escape(term.written), text, re.IGNORECASE)
        if match[0]
    ]
    return _merged(spans)


def _stands(term: Term, here: Sequence[Word]) -> bool:
    *before, last = term.words
    end = here[-1].text
    return [word.text for word in here[:-1]] == before and (end.startswith(last) if term.prefix else end == last)


def _merged(spans: Iterable[Span]) -> list[Span]:
    made: list[Span] = []
    for start, end in sorted(spans):
        if made and start <= made[-1][1]:
            made[-1] = (made[-1][0], max(end, made[-1][1]))
        else:
            made.append((start, end))
    return made


def parts(text: str, spans: Iterable[Span]) -> list[Part]:
    """The whole text in stretches."""
    made, end = [], 0
    for start, stop in spans:
        made += [Part(text[end:start], False), Part(text[start:stop], True)]
        end = stop
    return [part for part in [*made, Part(text[end:], False)] if part.text]


def snippet(text: str, spans: Sequence[Span]) -> list[Part]:
    """The stretch around the first hit, in parts; cut at spaces, with an ellipsis where something is left out."""
    first = spans[0][0] if spans else 0
    start = _space_after(text, first - _BEFORE, first) if len(text) > _SHOWN and first > _BEFORE else 0
    stop = _space_before(text, start + _SHOWN, start) if len(text) - start > _SHOWN else len(text)
    within = [(max(low, start) - start, min(high, stop) - start) for low, high in spans if low < stop and high > start]
    made = parts(text[start:stop], within)
    return [Part("… ", False)] * (start > 0) + made + [Part(" …", False)] * (stop < len(text))


def _space_after(text: str, at: int, last: int) -> int:
    found = text.find(" ", at, last)
    return at if found < 0 else found + 1


def _space_before(text: str, at: int, first: int) -> int:
    found = text.rfind(" ", first + _SHOWN // 2, at)
    return at if found < 0 else found
