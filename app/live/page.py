"""A text that a reader typed, and what fires on it: dense latents by tokens, or one latent in colour."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.score import ScoreInfo
from app.latents import queries as latents
from app.latents.facts import paint_of, scale_of
from app.latents.queries import LatentInfo
from app.live.client import Activations, LiveText, Unread
from app.live.queries import Asked
from app.runs.queries import RunInfo
from app.shared.language import N_, _
from app.shared.lettering import cut
from app.shared.links import latent_at, latent_name, link, pair_at
from app.shared.numbers import THIN, boxed, number
from app.shared.page import RunPage
from app.shared.tokens import Paint, Passage

ON, MORE = "on", "more"
ORDERS = {ON: N_("fires most"), MORE: N_("fires more than in the corpus")}
SHOWN, SHOWN_OF_ONE = 40, 120
"""Rows: of all SAEs, and of one that is chosen."""
COLUMN = 16
"""Width of a token's column, in pixels."""
_ROOM = 92.0
"""Of a token's letters, which stand aslant, in pixels."""


class Fired(NamedTuple):
    """A latent on a text."""

    latent: LatentInfo
    values: Sequence[float]
    share: float
    """Of counted tokens, on which it is on."""
    mean: float | None
    """Of |activation| where it is on; None where it nowhere is."""
    ratio: float | None
    """Mean |activation| over the mean over all tokens of the corpus; None where the corpus has none."""


@dataclass(frozen=True)
class Row:
    """A latent's line of the map."""

    name: str
    href: str
    """Its page."""
    text_href: str
    """The text in its colours."""
    latent: LatentInfo
    passage: Passage
    share: float
    times: str
    """The ratio, as written."""
    classes: list[ScoreInfo]


class Column(NamedTuple):
    """A token's head."""

    x: float
    label: str


@dataclass(frozen=True)
class HeatMap:
    """Dense latents by tokens."""

    rows: list[Row]
    columns: list[Column]
    width: int
    """Of a row, in pixels."""
    left_out: int
    """Latents that fire or not, but have no row."""
    sort: str
    """What it is sorted by."""
    orders: list[tuple[str, str, bool]]
    """What may be sorted by: words, address, whether it is."""
    saes: list[tuple[str, str, bool]]
    """Which SAEs may be chosen: words, address, whether it is."""


@dataclass(frozen=True)
class Coloured:
    """One latent's text."""

    name: str
    href: str
    title: str
    """Of the link."""
    passage: Passage
    poles: tuple[int, int] | None
    """Negative and positive latent, where the colours are signed."""
    fired: list[Fired]
    """The latent, and its partner where it has one."""


@dataclass(frozen=True)
class TryPage(RunPage):
    """A text, and what fires on it."""

    template = "live/try.html"
    text: str
    """What was typed; empty: nothing yet."""
    latent: str
    """The latent asked for, SLUG:INDEX; empty: all dense ones."""
    other: int | None
    """The other pole asked for."""
    problem: str
    """Why the text was not read."""
    read: LiveText | None
    """As the model read it; None where it did not."""
    heat: HeatMap | None
    """Dense latents by tokens, where no latent was named."""
    coloured: Coloured | None
    """The text in the colours of the latent that was named."""


def try_page(session: Session, asked: Asked, outcome: LiveText | Unread | None, pin: str) -> TryPage:
    """The page: a box, and what was read of its text."""
    read = outcome if isinstance(outcome, LiveText) else None
    one = asked.one
    return TryPage(
        title=_("Try a text") if one is None else _("%(name)s: try a text", name=one.name),
        nav="try",
        run=asked.run,
        text=asked.text,
        latent="" if one is None else f"{one.sae.slug}:{one.index}",
        other=asked.other,
        problem=outcome.detail if isinstance(outcome, Unread) else "",
        read=read,
        heat=_heat(session, asked, read, pin) if read and one is None else None,
        coloured=_coloured(asked, read) if read and one is not None else None,
    )


def fired(session: Session, asked: Asked, read: LiveText) -> list[Fired]:
    """Every latent that was read, in the order asked for."""
    by_key = dict(_by_key(asked.run, read))
    found = [_fired(latent, by_key[latent.analysis_id, latent.index], read) for latent in _rows(session, by_key)]
    orders = {
        ON: lambda one: (one.share, one.ratio or 0.0),
        MORE: lambda one: (one.ratio if one.ratio is not None else -1.0, one.share),
    }
    return sorted(found, key=orders[asked.sort], reverse=True)


def _rows(session: Session, keys: Iterable[tuple[int, int]]) -> list[LatentInfo]:
    return latents.find_rows(session, list(keys))


def _by_key(run: RunInfo, read: LiveText) -> Iterable[tuple[tuple[int, int], Sequence[float]]]:
    analyses = {(one.run, one.slug): one.id for one in run.held}
    for name, activations in read.saes.items():
        for index, values in activations.by_latent.items():
            yield (analyses[name], index), values


def _fired(latent: LatentInfo, values: Sequence[float], read: LiveText) -> Fired:
    on = [abs(value) for value in values if value]
    tokens = max(1, read.n_counted)
    usual = latent.density * abs(latent.mean or 0.0)
    ratio = sum(on) / tokens / usual if usual else None
    return Fired(latent, values, len(on) / tokens, sum(on) / len(on) if on else None, ratio)


def shown_of(asked: Asked, found: list[Fired]) -> list[Fired]:
    """Those that have a row."""
    return found[: SHOWN_OF_ONE if asked.sae else SHOWN]


def _heat(session: Session, asked: Asked, read: LiveText, pin: str) -> HeatMap:
    found = fired(session, asked, read)
    shown = shown_of(asked, found)
    held = classes.classes_of(session, [(one.latent.analysis_id, one.latent.index) for one in shown]) if shown else {}
    all_dense = sum(one.dense for one in read.saes.values())
    here = {"text": asked.text, "sae": asked.sae, "sort": asked.sort}
    return HeatMap(
        rows=[
            _row(one, read, asked.text, pin, held.get((one.latent.analysis_id, one.latent.index), [])) for one in shown
        ],
        columns=_columns(read.tokens),
        width=COLUMN * len(read.tokens),
        left_out=all_dense - len(shown),
        sort=asked.sort,
        orders=[(words, _at(here | {"sort": key}, pin), key == asked.sort) for key, words in ORDERS.items()],
        saes=[(_("all SAEs"), _at(here | {"sae": ""}, pin), not asked.sae)]
        + [
            (f"L{one.layer} {one.slug.split('/')[-1]}", _at(here | {"sae": one.slug}, pin), one.slug == asked.sae)
            for one in asked.run.held
            if one.n_dense
        ],
    )


def _at(query: dict[str, str], pin: str) -> str:
    return link("/try", query | ({"sort": ""} if query.get("sort") == ON else {}), pin)


def _row(one: Fired, read: LiveText, text: str, pin: str, held: list[ScoreInfo]) -> Row:
    latent = one.latent
    paint = Paint(latent.index, scale_of(latent))
    return Row(
        name=latent_name(latent.layer, latent.index),
        href=latent_at(latent.slug, latent.index),
        text_href=link("/try", {"latent": f"{latent.slug}:{latent.index}", "text": text}, pin),
        latent=latent,
        passage=Passage("", 0, read.tokens, one.values, None, None, paint),
        share=one.share,
        times="" if one.ratio is None else f"{number(one.ratio, 2)}{THIN}×",
        classes=held,
    )


def _columns(tokens: Sequence[str]) -> list[Column]:
    """Heads of tokens, the characters that several make at the first of them."""
    return [
        Column(COLUMN * (place + 0.5), cut(boxed(token.strip() or token), _ROOM, 12.0, mono=True))
        for place, token in enumerate(tokens)
        if token
    ]


def _coloured(asked: Asked, read: LiveText) -> Coloured:
    one = asked.one
    assert one is not None
    values = _only(read).by_latent
    both = [one.latent, *([asked.image] if asked.image else [])]
    mine, *theirs = [_fired(latent, values[latent.index], read) for latent in both]
    paint = paint_of(one.latent, asked.image, asked.pole)
    partner = theirs[0].values if theirs else None
    ends = None
    href, title = latent_at(one.sae.slug, one.index), one.name
    if asked.image is not None:
        ends = (asked.image.index, one.index) if asked.pole > 0 else (one.index, asked.image.index)
        if asked.other is not None:
            href, title = pair_at(one.sae.slug, ends[1], ends[0]), f"{one.name} and {asked.image.index}"
    passage = Passage(_("your text"), 0, read.tokens, mine.values, partner, None, paint)
    return Coloured(one.name, href, title, passage, ends, [mine, *theirs])


def _only(read: LiveText) -> Activations:
    return next(iter(read.saes.values()))
