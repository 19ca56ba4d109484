"""What the machine says across, what people say down: every dense latent is counted in one cell."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from app.categories.queries import CategoryInfo, category_of
from app.classes.groups import SEVERAL, filters_of, ordered, title_of
from app.shared.language import _
from app.shared.links import link
from app.shared.numbers import NONE as MISSING
from app.shared.numbers import count, fixed, interval, percent
from app.team.queries import AGREES, DIFFERS, Cell
from app.vocabulary import HUMAN_VERDICTS, NONE, RULE_VERDICTS
from store.vocabulary import UNMEASURED

Z = 1.959964
"""Of the normal distribution, for 95 %."""
Counts = dict[tuple[str | None, str | None], int]
"""By the rule's verdict and people's; None where there is none."""


@dataclass(frozen=True)
class Agreement:
    """Agreement as shown."""

    share: str
    span: str
    """Wilson's 95 % interval; empty where there is no share."""
    of: str
    """Numerator and denominator in words; or why there is no share."""
    kappa: str
    kappa_of: str
    """Its denominator in words; or why there is none."""


@dataclass(frozen=True)
class MatrixCell:
    """A count that leads to its latents."""

    count: int
    href: str
    tone: str
    """same, other, or empty: whether the two say the same."""


@dataclass(frozen=True)
class MatrixLine:
    """What people say, held against each word of the machine's."""

    key: str
    title: str
    category: CategoryInfo | None
    """None of verdicts, and where there is no category."""
    cells: list[MatrixCell]
    total: MatrixCell


@dataclass(frozen=True)
class Matrix:
    """Machine against people."""

    head: list[tuple[str, str]]
    """The machine's words: name and title."""
    lines: list[MatrixLine]
    totals: list[int]
    agreement: Agreement


def category_matrix(cells: list[Cell], known: list[CategoryInfo]) -> Matrix:
    """The machine's classes against people's categories: those offered, and those put away but still in use."""
    used = {cell.category for cell in cells if cell.category}
    rows = [one for one in known if not one.archived or one.key in used]
    strange = sorted(used - {one.key for one in known})
    rows += [found for key in strange if (found := category_of(key, known))]
    groups = ordered(cell.group for cell in cells)
    lines = [_category_line(cells, groups, one) for one in (*rows, None)]
    head = [(group, title_of(group)) for group in groups]
    return Matrix(head, lines, _totals(lines), _category_agreement(cells))


def _category_line(cells: list[Cell], groups: list[str], category: CategoryInfo | None) -> MatrixLine:
    key = category.key if category else None
    made = []
    for group in groups:
        here = [cell for cell in cells if (cell.group, cell.category) == (group, key)]
        tones = {{AGREES: "same", DIFFERS: "other"}.get(cell.state, "") for cell in here}
        href = link("/latents", {**filters_of(group), "category": key or NONE})
        made.append(MatrixCell(sum(cell.count for cell in here), href, tones.pop() if len(tones) == 1 else ""))
    return _line(key, category.title if category else _("no category"), category, made, {"category": key or NONE})


def _category_agreement(cells: list[Cell]) -> Agreement:
    named = [cell for cell in cells if cell.state in {AGREES, DIFFERS}]
    pairs: dict[tuple[str, str], int] = {}
    for cell in named:
        if cell.group not in {SEVERAL, UNMEASURED}:
            words = (cell.group, str(cell.category))
            pairs[words] = pairs.get(words, 0) + cell.count
    return agreement(
        sum(cell.count for cell in named if cell.state == AGREES),
        sum(cell.count for cell in named),
        pairs,
        _("latents to which people gave a class, and of which the machine measured that class"),
        _("people gave no latent a class that the machine measured of it"),
    )


def verdict_matrix(counts: Counts) -> Matrix:
    """The rule's verdict against people's."""
    rules, people = [*RULE_VERDICTS, None], [*HUMAN_VERDICTS, None]
    lines = [_verdict_line(counts, human, rules) for human in people]
    both = {(rule, human): number for (rule, human), number in counts.items() if rule and human}
    found = agreement(
        sum(number for (rule, human), number in both.items() if rule == human),
        sum(both.values()),
        both,
        _("latents with a verdict of both"),
        _("no latent has a verdict both of the rule and of a person"),
    )
    head = [(rule or NONE, RULE_VERDICTS.get(rule or "", _("no verdict"))) for rule in rules]
    return Matrix(head, lines, _totals(lines), found)


def _verdict_line(counts: Counts, human: str | None, rules: list[str | None]) -> MatrixLine:
    made = []
    for rule in rules:
        tone = "" if not (rule and human) else "same" if rule == human else "other"
        href = link("/latents", {"verdict": rule or NONE, "human": human or NONE})
        made.append(MatrixCell(counts.get((rule, human), 0), href, tone))
    return _line(human, HUMAN_VERDICTS.get(human or "", _("no verdict")), None, made, {"human": human or NONE})


def _line(
    key: str | None,
    title: str,
    category: CategoryInfo | None,
    made: list[MatrixCell],
    query: dict[str, str],
) -> MatrixLine:
    total = MatrixCell(sum(cell.count for cell in made), link("/latents", query), "")
    return MatrixLine(key or NONE, title, category, made, total)


def _totals(lines: list[MatrixLine]) -> list[int]:
    return [sum(line.cells[place].count for line in lines) for place in range(len(lines[0].cells))]


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % interval of a share of `total`, which is above 0 (Wilson, 1927)."""
    share, square = hits / total, Z * Z / total
    middle = (share + square / 2) / (1 + square)
    half = Z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def kappa(pairs: Mapping[tuple[str, str], int]) -> float | None:
    """Cohen's kappa (1960) of counts by (first rater's word, second's); None unless both use two words or more.

    With one word on a side all agreement is chance's, and the measure is 0 or undefined whatever the truth.
    """
    total = sum(pairs.values())
    first, second = _margin(pairs, 0), _margin(pairs, 1)
    if len(first) < 2 or len(second) < 2:
        return None
    seen = sum(number for (one, other), number in pairs.items() if one == other) / total
    chance = sum(first[word] * second.get(word, 0) for word in first) / total**2
    return (seen - chance) / (1 - chance)


def _margin(pairs: Mapping[tuple[str, str], int], side: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for words, number in pairs.items():
        if number:
            found[words[side]] = found.get(words[side], 0) + number
    return found


def agreement(hits: int, total: int, pairs: Mapping[tuple[str, str], int], what: str, none: str) -> Agreement:
    """As shown.

    Args:
        hits: latents of which both say the same, of `total`.
        pairs: counts by (the machine's word, people's), for kappa.
        what: what the denominator counts, e.g. "latents with a verdict of both".
        none: why there is nothing to compare, where `total` is 0.
    """
    if not total:
        return Agreement(MISSING, "", none, MISSING, none)
    found, known = kappa(pairs), sum(pairs.values())
    least = _("fewer than two different words from the machine or from people: chance cannot be told apart")
    return Agreement(
        share=percent(hits / total),
        span=interval(*wilson(hits, total)),
        of=_("%(hits)s of %(total)s %(what)s", hits=count(hits), total=count(total), what=what),
        kappa=fixed(found),
        kappa_of=least if found is None else _("over %(known)s of them", known=count(known)),
    )
