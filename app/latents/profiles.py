"""Values with more than one number: histograms, series over position, token lists, a whole document."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Select, bindparam, or_, select
from sqlalchemy.orm import Session

from app.shared.followed import FollowedSource, Follows, OrderedShare
from app.shared.record import finite
from store.arrays import unpack
from store.tables import Profile
from store.vocabulary import follows_with


@dataclass(frozen=True)
class Histogram:
    """`counts` of firing tokens between neighbouring `edges` of activation."""

    edges: list[float]
    counts: list[int]


@dataclass(frozen=True)
class TokenItem:
    """A token type and how it stands to a latent; which numbers are given depends on the list."""

    token: str
    id: int | None = None
    """Number in the vocabulary."""
    mean: float | None = None
    """Mean activation over all its occurrences."""
    count: int | None = None
    """Occurrences in the analysed text."""
    firing: int | None = None
    """Occurrences on which the latent fires."""
    share: float | None = None
    """Share of the latent's firing mass."""
    logit: float | None = None
    """Logit per unit of decoder direction."""


@dataclass(frozen=True)
class Series:
    """Mean activation by position, tokens from a boundary; None where a bin holds no token."""

    edges: list[int]
    mean: list[float | None]
    low: list[float | None]
    high: list[float | None]
    tokens: list[float | None]


@dataclass(frozen=True)
class LogitWeights:
    """Tokens of the vocabulary by the logit that a unit of the decoder direction adds to them."""

    low: float
    """The smallest."""
    high: float
    counts: list[int]
    """Tokens in equal bins from `low` to `high`."""
    tokens: int
    skewness: float
    kurtosis: float
    """Less 3, which a normal distribution has."""
    chance: dict[str, list[float]]
    """The middle 95 % of random directions, of both."""


@dataclass(frozen=True)
class Companion:
    """A latent that fires with another more, or less, than by chance."""

    index: int
    density: float
    correlation: float
    """Of the activations over counted tokens, zeros included."""
    jaccard: float
    """Tokens on which both fire, of those on which either does."""
    independent: float
    """What that would be of independent latents of these densities."""


@dataclass(frozen=True)
class Company:
    """The latents whose activations go with one latent's."""

    together: list[Companion]
    apart: list[Companion]
    """Against it: the most negative correlation first."""
    chance: float
    """What none of the correlations would exceed by chance: with random signs of the contexts."""


POSITIONS = ("context", "paragraph", "sentence")
COMPANY = ("together", "apart")


class Row(NamedTuple):
    """What the store has of one profile."""

    data: Any
    values: bytes | None


class Profiles:
    """All profiles of one latent, each read when it is asked for; a missing one is None or empty, with its reason at
    the latent."""

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = rows

    @cached_property
    def histogram(self) -> Histogram | None:
        """Firing tokens by activation."""
        row = self._rows.get("histogram")
        return None if row is None or row.values is None else Histogram(row.data["edges"], unpack(row.values))

    @cached_property
    def top_tokens(self) -> list[TokenItem]:
        """Token types by mean activation."""
        return _tokens(self._rows.get("top_tokens"))

    @cached_property
    def top_tokens_mass(self) -> list[TokenItem]:
        """Token types by share of firing mass."""
        return _tokens(self._rows.get("top_tokens_mass"))

    @cached_property
    def promoted(self) -> list[TokenItem]:
        """Token types by logit, the largest first."""
        return _tokens(self._rows.get("promoted"))

    @cached_property
    def suppressed(self) -> list[TokenItem]:
        """Token types by logit, the smallest first."""
        return _tokens(self._rows.get("suppressed"))

    @cached_property
    def logits(self) -> LogitWeights | None:
        """Over the whole vocabulary; None of a latent without detail."""
        row = self._rows.get("logits")
        return None if row is None or row.values is None else LogitWeights(counts=unpack(row.values), **row.data)

    @cached_property
    def follows(self) -> Follows | None:
        """What its variance is divided among; None where it was not."""
        row = self._rows.get("follows")
        return None if row is None else _follows(row.data)

    def follows_with(self, other: int) -> tuple[Follows, Follows] | None:
        """What it and another latent follow as one signal: the one's activation less the other's, and the projection on
        their axis; None where that is not this latent's to say."""
        row = self._rows.get(follows_with(other))
        return None if row is None else (_follows(row.data["z"]), _follows(row.data["axis"]))

    @cached_property
    def company(self) -> Company | None:
        """What fires with it, and apart from it; None where it was not compared."""
        chance = next((row.data["chance"] for name in COMPANY if (row := self._rows.get(name))), None)
        if chance is None:
            return None
        together, apart = ([Companion(**item) for item in self.items(name)] for name in COMPANY)
        return Company(together, apart, chance)

    @property
    def support(self) -> int | None:
        """Occurrences a token type needs to be ranked by its mean."""
        return self._top("support")

    @property
    def types(self) -> int | None:
        """Token types the latent fired on."""
        return self._top("types")

    def items(self, name: str) -> list[dict[str, Any]]:
        """A token list as it is stored."""
        row = self._rows.get(name)
        return [] if row is None else row.data.get("items", [])

    @cached_property
    def positions(self) -> dict[str, Series]:
        """By kind: context, paragraph, sentence."""
        return {kind: made for kind in POSITIONS if (made := self.position(kind))}

    def has_position(self, kind: str) -> bool:
        """Whether there is one of this kind."""
        row = self._rows.get(f"position_{kind}")
        return row is not None and row.values is not None

    @cached_property
    def strip(self) -> list[float] | None:
        """Activation on each token of the run's one whole document."""
        row = self._rows.get("strip")
        return [finite(value) or 0.0 for value in unpack(row.values)] if row and row.values else None

    @property
    def has_strip(self) -> bool:
        """Whether it has one."""
        return "strip" in self._rows

    def position(self, kind: str) -> Series | None:
        """Mean activation by position in context, paragraph or sentence."""
        row = self._rows.get(f"position_{kind}")
        if row is None or row.values is None:
            return None
        mean, low, high, tokens = ([finite(value) for value in line] for line in unpack(row.values))
        return Series(row.data["edges"], mean, low, high, tokens) if any(v is not None for v in mean) else None

    def _top(self, name: str) -> int | None:
        row = self._rows.get("top_tokens")
        return None if row is None else row.data.get(name)


def _follows(data: dict[str, Any]) -> Follows:
    sources = [FollowedSource(**one) for one in data["sources"]]
    orders = [OrderedShare(**one) for one in data["orders"]]
    return Follows(**data | {"sources": sources, "orders": orders})


_COLUMNS = select(Profile.index, Profile.name, Profile.data, Profile.values).where(
    Profile.analysis_id == bindparam("analysis")
)
_MANY = _COLUMNS.where(Profile.index.in_(bindparam("indices", expanding=True)))
_NAMED = _MANY.where(Profile.name.in_(bindparam("names", expanding=True)))
_ONE = _COLUMNS.where(
    Profile.index.in_((bindparam("index"), bindparam("partner"))),  # first, for the index of the table
    or_(Profile.index == bindparam("index"), Profile.name.in_(("histogram", "strip"))),
)
"""Made once: they take longer to make than to run."""


def find_profiles(
    session: Session, analysis_id: int, index: int, partner: int | None = None
) -> tuple[Profiles, Profiles]:
    """All of a latent, and its partner's histogram and strip, in one query."""
    found = _rows(session, _ONE, analysis=analysis_id, index=index, partner=partner)
    return Profiles(found.get(index, {})), Profiles(found.get(-1 if partner is None else partner, {}))


def find_many(session: Session, analysis_id: int, indices: list[int]) -> dict[int, Profiles]:
    """All of some latents, in one query."""
    found = _rows(session, _MANY, analysis=analysis_id, indices=indices)
    return {index: Profiles(found.get(index, {})) for index in indices}


def token_lists(
    session: Session, keys: Iterable[tuple[int, int]], names: tuple[str, ...]
) -> dict[tuple[int, int, str], list[TokenItem]]:
    """Token lists of many latents, by (analysis, index, name)."""
    by_analysis: dict[int, list[int]] = {}
    for analysis_id, index in keys:
        by_analysis.setdefault(analysis_id, []).append(index)
    return {
        (analysis_id, index, name): _tokens(row)
        for analysis_id, indices in by_analysis.items()
        for index, held in _rows(session, _NAMED, analysis=analysis_id, indices=indices, names=list(names)).items()
        for name, row in held.items()
    }


def _rows(session: Session, statement: Select[Any], **asked: Any) -> dict[int, dict[str, Row]]:
    found: dict[int, dict[str, Row]] = {}
    for index, name, data, values in session.execute(statement, asked):
        found.setdefault(index, {})[name] = Row(data, values)
    return found


def _tokens(row: Row | None) -> list[TokenItem]:
    known = set(TokenItem.__dataclass_fields__)
    items: list[dict[str, Any]] = row.data.get("items", []) if row else []
    return [TokenItem(**{key: value for key, value in item.items() if key in known}) for item in items]
