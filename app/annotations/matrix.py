"""What the machine says across, what people say down: every dense latent is counted in one cell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.annotations.agreement import Agreement, agreement
from app.annotations.panel import category_of
from app.annotations.team_queries import AGREES, DIFFERS, Cell
from app.categories.queries import CategoryInfo
from app.classes.queries import CLASSES, GROUPS, SEVERAL, TITLES
from app.shared.links import link
from app.vocabulary import HUMAN_VERDICTS, NONE, RULE_VERDICTS
from store.vocabulary import UNMEASURED

GROUP_TITLES = {**TITLES, SEVERAL: "several", UNMEASURED: "not measured"}
Counts = dict[tuple[str | None, str | None], int]
"""By the rule's verdict and people's; None where there is none."""


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


def category_matrix(cells: list[Cell], known: list[CategoryInfo], pin: str) -> Matrix:
    """The machine's classes against people's categories: those offered, and those put away but still in use."""
    used = {cell.category for cell in cells if cell.category}
    rows = [one for one in known if not one.archived or one.key in used]
    strange = sorted(used - {one.key for one in known})
    rows += [found for key in strange if (found := category_of(key, known))]
    lines = [_category_line(cells, one, pin) for one in (*rows, None)]
    head = [(group, GROUP_TITLES[group]) for group in GROUPS]
    return Matrix(head, lines, _totals(lines), _category_agreement(cells))


def _category_line(cells: list[Cell], category: CategoryInfo | None, pin: str) -> MatrixLine:
    key = category.key if category else None
    made = []
    for group in GROUPS:
        here = [cell for cell in cells if (cell.group, cell.category) == (group, key)]
        tones = {{AGREES: "same", DIFFERS: "other"}.get(cell.state, "") for cell in here}
        href = link("/latents", {**_group_query(group), "category": key or NONE}, pin)
        made.append(MatrixCell(sum(cell.count for cell in here), href, tones.pop() if len(tones) == 1 else ""))
    return _line(key, category.title if category else "no category", category, made, {"category": key or NONE}, pin)


def _group_query(group: str) -> dict[str, Any]:
    """The browse page's filters that give exactly this group."""
    if group in CLASSES:
        return {"class": group, "alone": True}
    return {"alone": False} if group == SEVERAL else {"class": group}


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
        "latents to which people gave one of the six classes, and of which the machine measured that class",
        "people gave none of the six classes to a latent of which the machine measured it",
    )


def verdict_matrix(counts: Counts, pin: str) -> Matrix:
    """The rule's verdict against people's."""
    rules, people = [*RULE_VERDICTS, None], [*HUMAN_VERDICTS, None]
    lines = [_verdict_line(counts, human, rules, pin) for human in people]
    both = {(rule, human): number for (rule, human), number in counts.items() if rule and human}
    found = agreement(
        sum(number for (rule, human), number in both.items() if rule == human),
        sum(both.values()),
        both,
        "latents with a verdict of both",
        "no latent has a verdict both of the rule and of a person",
    )
    head = [(rule or NONE, RULE_VERDICTS.get(rule or "", "no verdict")) for rule in rules]
    return Matrix(head, lines, _totals(lines), found)


def _verdict_line(counts: Counts, human: str | None, rules: list[str | None], pin: str) -> MatrixLine:
    made = []
    for rule in rules:
        tone = "" if not (rule and human) else "same" if rule == human else "other"
        href = link("/latents", {"verdict": rule or NONE, "human": human or NONE}, pin)
        made.append(MatrixCell(counts.get((rule, human), 0), href, tone))
    return _line(human, HUMAN_VERDICTS.get(human or "", "no verdict"), None, made, {"human": human or NONE}, pin)


def _line(
    key: str | None,
    title: str,
    category: CategoryInfo | None,
    made: list[MatrixCell],
    query: dict[str, str],
    pin: str,
) -> MatrixLine:
    total = MatrixCell(sum(cell.count for cell in made), link("/latents", query, pin), "")
    return MatrixLine(key or NONE, title, category, made, total)


def _totals(lines: list[MatrixLine]) -> list[int]:
    return [sum(line.cells[place].count for line in lines) for place in range(len(lines[0].cells))]
