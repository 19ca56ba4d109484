"""The list of latents as data of a script: what the browse page asks a database for, a site holds whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.orm import Session

from app.categories import queries as categories
from app.classes import queries as classes
from app.labels import queries as labels
from app.latents import listing
from app.latents import queries as latents
from app.latents.columns import Order, Shown
from app.latents.filters import LatentFilters
from app.latents.queries import LatentInfo
from app.saes.queries import SaeInfo
from app.shared.numbers import boxed
from app.shared.record import Key
from app.static_site.plan import Plan
from store.vocabulary import DETAILS, LIKELY, VERDICTS

LIMIT = 50_000
"""Latents a list may have, of all SAEs together; those with a page come first."""
TOKENS = 4
_BATCH = 500
_BY = Order("density", descending=True)


@dataclass
class Table:
    """Strings, each once."""

    items: list[str] = field(default_factory=list)
    places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str) -> int:
        """Where the string stands."""
        if text not in self.places:
            self.places[text] = len(self.items)
            self.items.append(text)
        return self.places[text]


@dataclass
class Rows:
    """All rows, and where each latent's is."""

    rows: list[list[Any]]
    places: dict[Key, int]
    tokens: Table
    classes: Table
    left_out: int
    """Latents that a list so long has no room for."""


def rows_of(session: Session, plan: Plan) -> Rows:
    """A row a latent: of each SAE those with a page, then the densest others."""
    known = Known(session, plan)
    made = Rows([], {}, Table(), known.classes, 0)
    for place, sae in enumerate(plan.saes):
        paged = set(plan.latents[sae.analysis_id])
        room, begun, waiting = max(LIMIT // len(plan.saes), len(paged)), len(made.rows), set(paged)
        for batch in _batches(session, sae):
            kept = [one for one in batch if one.latent.index in paged or room > 0]
            room -= len(kept)
            said = known.said(session, kept)
            for one in (shown.latent for shown in kept):
                made.places[one.analysis_id, one.index] = len(made.rows)
                made.rows.append(_row(place, one, one.index in paged, said, made.tokens))
                waiting.discard(one.index)
            if room <= 0 and not waiting:
                break
        made.left_out += sae.n_latents - (len(made.rows) - begun)
    return made


def _batches(session: Session, sae: SaeInfo) -> Iterator[list[Shown]]:
    """Those with examples, then the others, the densest first."""
    for detail in ("any", "none"):
        wanted = listing.plan_of(session, [sae], LatentFilters(detail=detail))
        for keys in listing.batches(lambda: nullcontext(session), wanted, _BY, _BATCH):
            yield latents.find_shown(session, keys)


class Known:
    """What the store says of latents beside their own row, in the short form of the data."""

    def __init__(self, session: Session, plan: Plan) -> None:
        self.labels = labels.label_names(session, plan.run)
        self.classes = Table()
        self.going: dict[Key, list[int]] = {}
        for place, name in enumerate(self.labels):
            for analysis_id, index in session.execute(labels.with_label(name, [sae.analysis_id for sae in plan.saes])):
                self.going.setdefault((analysis_id, index), []).append(place)
        self.categories = {one.key: place for place, one in enumerate(categories.list_categories(session), 1)}

    def said(self, session: Session, kept: list[Shown]) -> dict[Key, list[Any]]:
        """Classes, verdict by rule, change of the loss, KL, labels, category, people's verdict, note."""
        keys = [(one.latent.analysis_id, one.latent.index) for one in kept]
        held = classes.classes_of(session, keys)
        order = list(VERDICTS)
        made: dict[Key, list[Any]] = {}
        for key, (_latent, effect, ruling, word, _mirror) in zip(keys, kept, strict=True):
            made[key] = [
                [2 * self.classes.place(one.name) + (one.label == LIKELY) for one in held.get(key, [])],
                1 + order.index(ruling.verdict) if ruling and ruling.verdict in order else 0,
                None if effect is None else _short(effect.measures["loss"].value, 4),
                None if effect is None else _short(effect.measures["kl"].value, 4),
                self.going.get(key, []),
                # one that an import named and nobody made here goes by its key
                0 if word is None or word.category is None else self.categories.get(word.category, word.category),
                1 + order.index(word.verdict) if word and word.verdict in order else 0,
                "" if word is None else word.note,
            ]
        return made


def _row(place: int, one: LatentInfo, paged: bool, said: dict[Key, list[Any]], tokens: Table) -> list[Any]:
    bits = one.is_dense + 2 * one.borderline + 4 * one.is_pair + 8 * (one.duplicate_of is not None) + 16 * paged
    row = [
        place,
        one.index,
        _short(one.density, 9),
        _short(one.density_low, 4),
        _short(one.density_high, 4),
        bits,
        1 + DETAILS.index(one.detail) if one.detail in DETAILS else 0,
        _short(one.antipodality, 7),
        one.partner,
        _short(one.max, 4),
        _short(one.mass_share, 4),
        _short(one.word_share, 4),
        _short(one.past_share, 4),
        _short(one.followed, 4),
        [tokens.place(boxed(token)) for token in one.top_tokens[:TOKENS]],
        "".join(map(str, one.spark)) if paged and any(one.spark) else "",
        *said[one.analysis_id, one.index],
    ]
    while row and row[-1] in (None, 0, "", []):
        row.pop()  # what is not there at the end of a row need not be said
    return row


def _short(value: float | None, digits: int) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")
