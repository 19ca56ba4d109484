"""Latents as rows of a table, to be taken elsewhere: one flat column a value, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session, sessionmaker

from app.annotations.queries import AnnotationInfo, annotations_of
from app.classes import queries as classes
from app.classes.queries import CLASSES, Key, ScoreInfo
from app.interventions import effects
from app.interventions.effects import EffectInfo
from app.latents import profiles
from app.latents import queries as latents
from app.latents.profiles import TokenItem
from app.latents.queries import Filters, LatentInfo, Order
from app.runs.queries import RunInfo
from app.shared.cursor import Cursor
from app.shared.links import link
from app.shared.record import finite
from app.verdicts import queries as verdicts
from app.verdicts.queries import VerdictInfo
from store.vocabulary import MEASURES, MIXTURE, UNEXPLAINED

BATCH = 1_000
"""Latents that are in memory at once."""
TEXT, WHOLE, NUMBER, FLAG, TOKENS, REASONS, TIME = "text", "whole", "number", "flag", "tokens", "reasons", "time"
_QUANTILES = ("0.05", "0.25", "0.5", "0.75", "0.95", "0.99")
_NAMED = (*CLASSES, UNEXPLAINED, MIXTURE)
_LISTS = ("promoted", "suppressed")
_SHOWN = 10
"""Tokens of a list."""
_FIELDS = {
    **{"density": NUMBER, "density_low": NUMBER, "density_high": NUMBER, "is_dense": FLAG, "borderline": FLAG},
    **dict.fromkeys(("mean", "std", "skewness", "max", "mass_share", "antipodality", "cos_enc", "cos_dec"), NUMBER),
    **{"partner": WHOLE, "mutual": FLAG, "is_pair": FLAG, "duplicate_of": WHOLE},
    **{"cos_bias": NUMBER, "decoder_norm": NUMBER, "detail": TEXT},
}
"""Fields of a latent that are columns as they are."""


@dataclass(frozen=True)
class TableColumn:
    """One column."""

    name: str
    kind: str
    """text, whole, number, flag, tokens (a list of text), reasons (text by name) or time (UTC)."""


Row = dict[str, Any]


def _columns() -> Iterator[tuple[str, str]]:
    yield from (("sae", TEXT), ("run", WHOLE), ("url", TEXT), ("layer", WHOLE), ("index", WHOLE))
    yield from _FIELDS.items()
    yield from ((_quantile(share), NUMBER) for share in _QUANTILES)
    for name in _NAMED:
        yield from ((f"class_{name}", TEXT), (f"class_{name}_score", NUMBER))
    for name in (*MEASURES, "mediated"):
        yield from ((f"effect_{name}{end}", NUMBER) for end in ("", "_low", "_high"))
    yield from (("equivalent", FLAG), ("rule_verdict", TEXT), ("rule_why", TEXT))
    yield from (("category", TEXT), ("human_verdict", TEXT), ("note", TEXT), ("author", TEXT), ("annotated", TIME))
    yield from ((name, TOKENS) for name in ("top_tokens", *_LISTS))
    yield "reasons", REASONS


def _quantile(share: str) -> str:
    """ "0.05" -> quantile_05."""
    return f"quantile_{share.partition('.')[2]:0<2}"


COLUMNS = [TableColumn(name, kind) for name, kind in _columns()]


def latent_batches(sessions: sessionmaker[Session], run: RunInfo, wanted: Filters, by: Order) -> Iterator[list[Row]]:
    """All latents that fit, in order. Each batch has a session of its own: a slow client holds no transaction open,
    and a complete run does not change."""
    after: Cursor | None = None
    while True:
        with sessions() as session:
            found = latents.list_latents(session, run, wanted, by, after, BATCH, counted=False)
            rows = _rows(session, run, found.items)
        yield rows
        after = found.next
        if after is None:
            return


def _rows(session: Session, run: RunInfo, items: list[LatentInfo]) -> list[Row]:
    keys = [(item.analysis_id, item.index) for item in items]
    scores = _scores(session, keys)
    broken, ruled = effects.own_effects(session, keys), verdicts.verdicts_of(session, keys)
    said, lists = annotations_of(session, keys), profiles.token_lists(session, keys, _LISTS)
    return [
        {
            **_place(item, run),
            **{name: clean(getattr(item, name)) for name in _FIELDS},
            **{_quantile(share): clean((item.quantiles or {}).get(share)) for share in _QUANTILES},
            **_classes(scores.get(key, {})),
            **_effects(broken.get(key)),
            **_rule(ruled.get(key)),
            **_people(said.get(key)),
            "top_tokens": [clean(token) for token in item.top_tokens],
            **{name: _tokens(lists.get((*key, name), [])) for name in _LISTS},
            "reasons": clean(item.reasons),
        }
        for item, key in zip(items, keys, strict=True)
    ]


def _scores(session: Session, keys: list[Key]) -> dict[Key, dict[str, ScoreInfo]]:
    by_analysis: dict[int, list[int]] = {}
    for analysis, index in keys:
        by_analysis.setdefault(analysis, []).append(index)
    return {
        (analysis, index): found
        for analysis, indices in by_analysis.items()
        for index, found in classes.find_scores(session, analysis, indices).items()
    }


def _place(item: LatentInfo, run: RunInfo) -> Row:
    url = link(f"/saes/{item.slug}/latents/{item.index}", {"run": run.id})
    return {"sae": clean(item.slug), "run": run.id, "url": clean(url), "layer": item.layer, "index": item.index}


def _classes(found: dict[str, ScoreInfo]) -> Row:
    made: Row = {}
    for name in _NAMED:
        score = found.get(name)
        made[f"class_{name}"] = None if score is None else clean(score.label)
        made[f"class_{name}_score"] = None if score is None else score.score
    return made


def _effects(found: EffectInfo | None) -> Row:
    measures = {} if found is None else {**found.measures, "mediated": found.mediated}
    made: Row = {"equivalent": None if found is None else found.equivalent}
    for name in (*MEASURES, "mediated"):
        one = measures.get(name)
        values = (None, None, None) if one is None else (one.value, one.low, one.high)
        made |= {f"effect_{name}{end}": value for end, value in zip(("", "_low", "_high"), values, strict=True)}
    return made


def _rule(found: VerdictInfo | None) -> Row:
    if found is None:
        return {"rule_verdict": None, "rule_why": None}
    return {"rule_verdict": clean(found.verdict), "rule_why": clean(found.why) or None}


def _people(found: AnnotationInfo | None) -> Row:
    if found is None:
        return dict.fromkeys(("category", "human_verdict", "note", "author", "annotated"))
    said = {"category": found.category, "human_verdict": found.verdict, "note": found.note or None}
    return {name: clean(value) for name, value in said.items()} | {
        "author": clean(found.author),
        "annotated": found.created,
    }


def _tokens(items: Iterable[TokenItem]) -> list[str]:
    return [clean(item.token) for item in list(items)[:_SHOWN]]


def clean(value: Any) -> Any:
    """A value that every format has a word for: no NaN, no half of a letter."""
    if isinstance(value, float):
        return finite(value)
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {clean(str(name)): clean(inner) for name, inner in value.items()}
    return value


def as_json(value: Any) -> str:
    """A list or the reasons as text."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
