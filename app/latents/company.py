"""What fires with a latent, and apart from it, as its page shows it."""

from __future__ import annotations

from dataclasses import dataclass

from app.latents.profiles import Companion, Company
from app.shared.language import _
from app.shared.numbers import fixed, percent, signed


@dataclass(frozen=True)
class CompanyRow:
    """One other latent."""

    index: int
    density: str
    correlation: str
    """Of the activations."""
    left: float
    """Of its bar from -1 to 1, in per cent of the width."""
    width: float
    side: str
    """Colour of the bar: p or n."""
    beyond: bool
    """The correlation exceeds what chance would reach."""
    jaccard: str
    independent: str


@dataclass(frozen=True)
class CompanyCard:
    """The card."""

    words: str
    """In a sentence."""
    chance: float
    """Half the width of the band of chance, in per cent of the width."""
    rows: list[CompanyRow]


def company_card(company: Company) -> CompanyCard:
    """Of a latent that was compared with the others."""
    rows = [_row(each, company.chance) for each in (*company.together, *reversed(company.apart))]
    return CompanyCard(_words(company), round(50 * company.chance, 1), rows)


def _words(company: Company) -> str:
    most = company.together[0] if company.together else None
    level = fixed(company.chance)
    if most is None or most.correlation <= company.chance:
        return _(
            "Nothing fires with it more than chance would have it: no correlation is above %(level)s.", level=level
        )
    return _(
        "It fires together most with %(index)s: correlation %(correlation)s, where chance reaches"
        " %(level)s. Of the tokens on which either fires, both do on %(jaccard)s; %(independent)s if"
        " they were independent.",
        index=most.index,
        correlation=fixed(most.correlation),
        level=level,
        jaccard=percent(most.jaccard),
        independent=percent(most.independent),
    )


def _row(each: Companion, chance: float) -> CompanyRow:
    at = max(-1.0, min(1.0, each.correlation))
    return CompanyRow(
        each.index,
        percent(each.density),
        signed(each.correlation),
        round(50 + 50 * min(at, 0.0), 1),
        round(50 * abs(at), 1),
        "p" if at > 0 else "n",
        abs(at) > chance,
        percent(each.jaccard),
        percent(each.independent),
    )
