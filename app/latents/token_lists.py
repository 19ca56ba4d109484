"""Token lists with bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from app.latents.profiles import Profiles, TokenItem
from app.latents.queries import LatentInfo
from app.shared.numbers import percent, signed


@dataclass(frozen=True)
class TokenList:
    """Tokens with a bar each."""

    title: str
    term: str
    side: str
    """Colour of the bars: p, n, or z where it belongs to no pole."""
    items: list[TokenItem]
    values: list[float]
    """Bar lengths, 0 to 100."""
    labels: list[str]
    """Values as shown."""
    missing: str
    """Why the list is empty."""


SHOWN = 10


def of_latent(latent: LatentInfo, profiles: Profiles, side: str) -> list[TokenList]:
    """By mean activation, by share of firing mass, promoted, suppressed."""
    why = latent.reasons.get
    empty = f"No token type occurs {profiles.support or 5} times and makes it fire."
    return [
        _list("By mean activation", "top_tokens", side, profiles.top_tokens, _mean, signed, why("top_tokens") or empty),
        _list(
            "By share of firing mass",
            "top_tokens_mass",
            side,
            profiles.top_tokens_mass,
            _share,
            percent,
            why("top_tokens_mass"),
        ),
        _list("Promoted", "promoted", "z", profiles.promoted, _logit, signed, why("promoted")),
        _list("Suppressed", "suppressed", "z", profiles.suppressed, _logit, signed, why("suppressed")),
    ]


def of_pole(latent: LatentInfo, profiles: Profiles, side: str) -> list[TokenList]:
    """A pole's lists on the pair page, named by the latent."""
    sign = "+" if side == "p" else "−"
    by_mean, _mass, promoted, _suppressed = of_latent(latent, profiles, side)
    return [
        _renamed(by_mean, f"{sign} {latent.index}, by mean activation"),
        _renamed(promoted, f"{sign} {latent.index}, promoted"),
    ]


def _renamed(made: TokenList, title: str) -> TokenList:
    return TokenList(title, made.term, made.side, made.items, made.values, made.labels, made.missing)


def _list(
    title: str,
    term: str,
    side: str,
    items: list[TokenItem],
    value: Callable[[TokenItem], float | None],
    form: Callable[[float | None], str],
    missing: object,
) -> TokenList:
    shown = items[:SHOWN]
    most = max((abs(value(item) or 0) for item in shown), default=0) or 1
    lengths = [round(100 * abs(value(item) or 0) / most, 1) for item in shown]
    why = str(missing or "It never fired on this text.")
    return TokenList(title, term, side, shown, lengths, [form(value(item)) for item in shown], why)


def _mean(item: TokenItem) -> float | None:
    return item.mean


def _share(item: TokenItem) -> float | None:
    return item.share


def _logit(item: TokenItem) -> float | None:
    return item.logit
