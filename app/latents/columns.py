"""The columns of a latent, each declared once: lists, their heads and sorts, facts, comparisons and files read this.

Values that the table `latent` holds need a line here only where a page shows them: what a latent has in the API and
in files is read from the table itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, NamedTuple, cast

from sqlalchemy import JSON, Table

from app.annotations.queries import AnnotationInfo
from app.interventions.page import NAMES
from app.interventions.queries import EffectInfo, own_value
from app.shared import reasons
from app.shared.language import N_, _
from app.shared.numbers import fixed, interval, nats_span, number, percent, share, span
from app.verdicts.queries import VerdictInfo
from store.tables import Latent


class Where(Flag):
    """Which pages show a column."""

    LIST = auto()
    """The list of latents, and the static site's."""
    FACTS = auto()
    """The head of a latent's page."""
    COMPARED = auto()
    """Latents side by side."""


@dataclass(frozen=True)
class Mirror:
    """The other end of a latent's axis, where the two are mirror images."""

    index: int
    density: float
    spark: list[Any]
    """Its activations, on the SAE's axis."""


class Shown(NamedTuple):
    """A latent, and what lists show beside its own values; None where there is none."""

    latent: Latent
    effect: EffectInfo | None = None
    """What breaks without it."""
    verdict: VerdictInfo | None = None
    """By rule."""
    said: AnnotationInfo | None = None
    """By people."""
    mirror: Mirror | None = None
    """The other end of its axis."""


class Cell(NamedTuple):
    """A value as people read it."""

    value: str
    """Empty where there is none."""
    small: str
    """Interval, control or denominator."""
    why: str
    """Why there is no value."""


def _nothing(_shown: Shown) -> str:
    return ""


@dataclass(frozen=True)
class Column:
    """A value of a latent: how it is named, written and sorted by, and which pages have it."""

    name: str
    """In addresses; of a value of the latent's row its name there."""
    head: str
    """Of a list."""
    form: Callable[[float | None], str]
    where: Where
    title: str = ""
    """Where there is more room than in a list."""
    term: str = ""
    """The statistic that defines it, where that has another name."""
    small: Callable[[Shown], str] = _nothing
    """What stands beneath it in a list."""
    beside: Callable[[Shown], str] = _nothing
    """What it is read against in facts and comparisons."""
    measure: str = ""
    """Of an ablation's values: which."""
    without: str = ""
    """Why a latent has none, where its row does not say."""
    sorts: bool = True
    ascends: bool = False
    """The smallest comes first where nobody says otherwise."""

    @property
    def statistic(self) -> str:
        """Name of the statistic."""
        return self.term or self.name

    @property
    def sort(self) -> Any:
        """What a query sorts by."""
        return own_value(self.measure) if self.measure else getattr(Latent, self.name)

    def value(self, shown: Shown) -> float | None:
        """The number; None where there is none."""
        if self.measure:
            return None if shown.effect is None else shown.effect.measures[self.measure].value
        found: float | None = getattr(shown.latent, self.name)
        return found

    def cell(self, shown: Shown, why: str = "") -> Cell:
        """The value in facts and comparisons; `why` is said where there is none and its row has no reason."""
        return self._cell(shown, self.beside, why)

    def list_cell(self, shown: Shown, why: str = "") -> Cell:
        """The value in a list."""
        return self._cell(shown, self.small, why)

    def _cell(self, shown: Shown, small: Callable[[Shown], str], why: str) -> Cell:
        value = self.value(shown)
        if value is None:
            return Cell("", "", reasons.why(shown.latent.reasons, self.name) or self.without or why)
        return Cell(self.form(value), small(shown), "")


@dataclass(frozen=True)
class Order:
    """A sort and its direction. Latents with the same value follow each other in the same direction."""

    sort: str
    descending: bool

    @classmethod
    def natural(cls, sort: str) -> Order:
        """As it is sorted where nobody says how."""
        return cls(sort, not SORTS[sort].ascends)


def _median(shown: Shown) -> str:
    middle = (shown.latent.quantiles or {}).get("0.5")
    return "" if middle is None else _("median where on %(middle)s", middle=number(middle))


def _cosines(shown: Shown) -> str:
    return _(
        "enc %(cos_enc)s · dec %(cos_dec)s", cos_enc=fixed(shown.latent.cos_enc), cos_dec=fixed(shown.latent.cos_dec)
    )


_NO_DETAIL = N_("measured of latents with detail, where classes are")


def _shares(shown: Shown) -> str:
    word, past = shown.latent.word_share, shown.latent.past_share
    return (
        _("word %(word)s · past %(past)s", word=share(word), past=share(past))
        if word is not None and past is not None
        else ""
    )


def _interval(shown: Shown) -> str:
    return interval(shown.latent.density_low, shown.latent.density_high)


def _loss_interval(shown: Shown) -> str:
    return nats_span(shown.effect.loss.low, shown.effect.loss.high) if shown.effect else ""


def _against(measure: str) -> Callable[[Shown], str]:
    """The interval of an ablation's value, and what half of the controls exceed."""

    def beside(shown: Shown) -> str:
        if shown.effect is None:
            return ""
        held = shown.effect.measures[measure]
        control = held.control
        reached = "" if control is None or control.median is None else NAMES[measure].size(control.median)
        between = span(held.low, held.high, NAMES[measure].size)
        return " · ".join(part for part in (between, reached and f"control {reached}") if part)

    return beside


_ALL = Where.LIST | Where.FACTS | Where.COMPARED
COLUMNS = (
    Column("layer", "layer", str, Where.LIST, ascends=True),
    Column("index", "latent", str, Where.LIST, ascends=True),
    Column("density", "density", percent, Where.LIST | Where.COMPARED, small=_interval, beside=_interval),
    Column("antipodality", "antipodality", fixed, _ALL, beside=_cosines),
    Column(
        "loss",
        N_("Δ loss"),
        NAMES["loss"].form,
        _ALL,
        title=N_("Δ loss without it"),
        term="effect_loss",
        small=_loss_interval,
        beside=_against("loss"),
        measure="loss",
    ),
    Column(
        "kl",
        "KL",
        NAMES["kl"].form,
        Where.LIST | Where.COMPARED,
        title=N_("KL divergence"),
        term="effect_kl",
        beside=_against("kl"),
        measure="kl",
    ),
    Column("max", "max", number, _ALL, title=N_("largest activation"), beside=_median),
    Column(
        "mean",
        "mean",
        number,
        Where.FACTS | Where.COMPARED,
        title=N_("mean where on"),
        beside=lambda shown: f"sd {number(shown.latent.std)}",
    ),
    Column(
        "mass_share",
        "mass",
        percent,
        _ALL,
        title=N_("share of firing mass"),
        beside=lambda _shown: _("of all latents' sum"),
    ),
    Column("followed", "follows", share, _ALL, title=N_("followed in all"), beside=_shares, without=_NO_DETAIL),
    Column("word_share", "word", share, Where.COMPARED, title=N_("share that is the word"), without=_NO_DETAIL),
    Column("past_share", "past", share, Where.COMPARED, title=N_("share that is its own past"), without=_NO_DETAIL),
    Column(
        "cos_bias",
        N_("cosine with bias"),
        fixed,
        Where.FACTS,
        title=N_("cosine with SAE bias"),
        beside=lambda shown: _("decoder norm %(decoder_norm)s", decoder_norm=fixed(shown.latent.decoder_norm)),
        sorts=False,
    ),
)
SORTS = {column.name: column for column in sorted(COLUMNS, key=lambda column: column.ascends) if column.sorts}
"""By name: what a list can be sorted by, values before places."""


def columns_of(where: Where) -> list[Column]:
    """The columns of a page, in order."""
    return [column for column in COLUMNS if where in column.where]


_KEY = {"analysis_id", "index"}
MEASURED = [
    column
    for column in cast(Table, Latent.__table__).c
    if column.name not in _KEY and not isinstance(column.type, JSON)
]
"""Columns of the table that the API and files have as they are; what `doc` says of one, the API says."""
