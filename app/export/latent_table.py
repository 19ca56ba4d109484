"""Latents as rows of a table, to be taken elsewhere: one flat column a value, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Boolean, Column, Float, Integer, String, select, tuple_
from sqlalchemy.orm import Session

from app.annotations.queries import AnnotationInfo, annotations_of
from app.classes.views import CLASSES
from app.interventions import queries as effects
from app.interventions.queries import EffectInfo
from app.latents import listing
from app.latents.columns import MEASURED, Order
from app.latents.filters import LatentFilters
from app.latents.listing import Opened
from app.saes.queries import SaeInfo
from app.shared.links import latent_at, link
from app.shared.reasons import whys
from app.shared.record import Key, finite
from app.verdicts import queries as verdicts
from app.verdicts.queries import VerdictInfo
from store.tables import Latent, Profile, Score
from store.vocabulary import MEASURES, MIXTURE, REST

BATCH = 1_000
"""Latents that are in memory at once."""
TEXT, WHOLE, NUMBER, FLAG, TOKENS, REASONS, TIME = "text", "whole", "number", "flag", "tokens", "reasons", "time"
_QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95", "0.99")
_NAMED = (*CLASSES, *REST, MIXTURE)
_LISTS = ("promoted", "suppressed")
_SHOWN = 10
"""Tokens of a list."""
_EFFECTS = (*MEASURES, "mediated")
_ENDS = ("", "_low", "_high")


class TableColumn(NamedTuple):
    """One column."""

    name: str
    kind: str
    """text, whole, number, flag, tokens (a list of text), reasons (text by name) or time (UTC)."""


Row = list[Any]
"""A value a column."""


def _kind(column: Column[Any]) -> str:
    kinds = ((Boolean, FLAG), (Integer, WHOLE), (Float, NUMBER), (String, TEXT))
    return next(kind for base, kind in kinds if isinstance(column.type, base))


def _columns() -> Iterator[tuple[str, str]]:
    yield from (("sae", TEXT), ("run", WHOLE), ("url", TEXT), ("layer", WHOLE), ("index", WHOLE))
    yield from ((column.name, _kind(column)) for column in MEASURED)
    yield from ((_quantile(share), NUMBER) for share in _QUANTILES)
    for name in _NAMED:
        yield from ((f"class_{name}", TEXT), (f"class_{name}_score", NUMBER))
    for name in _EFFECTS:
        yield from ((f"effect_{name}{end}", NUMBER) for end in _ENDS)
    yield from (("equivalent", FLAG), ("rule_verdict", TEXT), ("rule_why", TEXT))
    yield from (("category", TEXT), ("human_verdict", TEXT), ("note", TEXT), ("author", TEXT), ("annotated", TIME))
    yield from ((name, TOKENS) for name in ("top_tokens", *_LISTS))
    yield "reasons", REASONS


def _quantile(share: str) -> str:
    """ "0.05" -> quantile_05."""
    return f"quantile_{share.partition('.')[2]:0<2}"


COLUMNS = [TableColumn(name, kind) for name, kind in _columns()]


def latent_batches(opened: Opened, saes: Sequence[SaeInfo], wanted: LatentFilters, by: Order) -> Iterator[list[Row]]:
    """All latents of these SAEs that fit, in order; the first batch may be empty."""
    places = {one.analysis_id: one for one in saes}
    with opened() as session:
        plan = listing.plan_of(session, saes, wanted)
    begun = False
    for keys in listing.batches(opened, plan, by, BATCH):
        with opened() as session:
            rows = _rows(session, places, keys)
        yield rows
        begun = True
    if not begun:
        yield []


def _rows(session: Session, saes: dict[int, SaeInfo], keys: list[Key]) -> list[Row]:
    read, scores, lists = _latents(session, keys), _scores(session, keys), _token_lists(session, keys)
    broken, ruled = effects.own_effects(session, keys), verdicts.verdicts_of(session, keys)
    said = annotations_of(session, keys)
    places = {number: _place(sae) for number, sae in saes.items()}
    rows = []
    for key in keys:
        *own, quantiles, tokens, reasons = read[key]
        slug, address, after = places[key[0]]
        shares = quantiles or {}
        row: Row = [slug, saes[key[0]].run, f"{address}{key[1]}{after}", saes[key[0]].layer, key[1]]
        row += [finite(value) if type(value) is float else value for value in own]
        row += [finite(shares.get(share)) for share in _QUANTILES]
        row += scores.get(key, _NO_SCORES)
        row += _effects(broken[key]) if key in broken else _NO_EFFECTS
        row += _rule(ruled[key]) if key in ruled else _NO_RULE
        row += _people(said[key]) if key in said else _NO_PEOPLE
        row += [
            [clean(token) for token in tokens],
            *(lists.get((*key, name), []) for name in _LISTS),
            clean(whys(reasons)),
        ]
        rows.append(row)
    return rows


_NO_SCORES, _NO_EFFECTS = [None] * 2 * len(_NAMED), [None] * (len(_ENDS) * len(_EFFECTS) + 1)
_NO_RULE, _NO_PEOPLE = [None] * 2, [None] * 5


def _place(sae: SaeInfo) -> tuple[str, str, str]:
    """Slug, and what stands before and after a latent's index in its address."""
    address, after = link(latent_at(sae.slug, 0), {"run": sae.run}).split("0?", 1)
    return clean(sae.slug), clean(address), f"?{after}"


def _latents(session: Session, keys: list[Key]) -> dict[Key, Sequence[Any]]:
    own: list[Any] = [getattr(Latent, column.name) for column in MEASURED]
    columns = (Latent.analysis_id, Latent.index, *own, Latent.quantiles, Latent.top_tokens, Latent.reasons)
    statement = select(*columns).where(tuple_(Latent.analysis_id, Latent.index).in_(keys))
    return {(row[0], row[1]): row[2:] for row in session.execute(statement)}


def _scores(session: Session, keys: list[Key]) -> dict[Key, list[Any]]:
    """What each class says, and its score."""
    found: dict[Key, list[Any]] = {}
    statement = select(Score.analysis_id, Score.index, Score.name, Score.label, Score.score)
    own = tuple_(Score.analysis_id, Score.index).in_(keys)
    for analysis_id, index, name, label, score in session.execute(statement.where(own)):
        if name in _NAMED:
            place = 2 * _NAMED.index(name)
            found.setdefault((analysis_id, index), [*_NO_SCORES])[place : place + 2] = clean(label), finite(score)
    return found


def _token_lists(session: Session, keys: list[Key]) -> dict[tuple[int, int, str], list[str]]:
    statement = select(Profile.analysis_id, Profile.index, Profile.name, Profile.data)
    own = tuple_(Profile.analysis_id, Profile.index).in_(keys)
    return {
        (analysis_id, index, name): [clean(str(item["token"])) for item in data.get("items", [])[:_SHOWN]]
        for analysis_id, index, name, data in session.execute(statement.where(own, Profile.name.in_(_LISTS)))
    }


def _effects(found: EffectInfo) -> Row:
    held = (found.measures[name] for name in _EFFECTS)
    return [*(value for one in held for value in (one.value, one.low, one.high)), found.equivalent]


def _rule(found: VerdictInfo) -> Row:
    return [clean(found.verdict), clean(found.why) or None]


def _people(found: AnnotationInfo) -> Row:
    words = map(clean, (found.category, found.verdict, found.note or None, found.author))
    return [*words, found.created]


def clean(value: Any) -> Any:
    """A value that every format has a word for: no NaN, no half of a letter."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean(str(name)): clean(inner) for name, inner in value.items()}
    return value


def as_json(value: Any) -> str:
    """A list or the reasons as text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
