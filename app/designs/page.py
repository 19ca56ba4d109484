"""One comparison of designs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.designs import queries as designs
from app.designs.before_after import answer, picture
from app.designs.queries import ComparisonDetail, DesignInfo
from app.designs.rows import BesideRow, DesignFollows, DesignRow, beside_rows, design_rows, follow_rows, gains, title_of
from app.shared.commands import command
from app.shared.followed import PARTS, Part
from app.shared.language import _
from app.shared.page import Page
from app.shared.slopes import Slopes
from app.shared.stored import flat


@dataclass(frozen=True)
class ComparisonPage(Page):
    """One comparison."""

    template = "designs/comparison.html"
    comparison: ComparisonDetail
    """The comparison."""
    answer: str
    """What the first design changes against a control, in one sentence; empty where nothing was compared."""
    slopes: Slopes | None
    """Dense latents of the plain SAE and of each design, the controls beside them."""
    words: list[str]
    """What one gains and loses, a sentence each."""
    rows: list[DesignRow]
    """A row a design, over its seeds."""
    beside: list[BesideRow]
    """What stands beside SAEs."""
    follows: list[DesignFollows]
    """What latents follow, and what goes past them."""
    parts: list[Part]
    """Of the bars."""
    saes: list[tuple[str, DesignInfo]]
    """All SAEs with the names of their designs."""
    recipe: list[tuple[str, str]]
    """How the plain SAE is trained: name, value."""
    settings: list[tuple[str, str]]
    """What the comparison was asked for: name, value."""
    command: str
    """What makes one."""


def comparison_page(session: Session, number: int) -> ComparisonPage:
    """One of them."""
    found = designs.find_comparison(session, number)
    return ComparisonPage(
        title=_("Designs %(value)s · %(sae)s", value=number, sae=found.sae),
        nav="experiments",
        comparison=found,
        answer=answer(found),
        slopes=picture(found),
        words=gains(found),
        rows=design_rows(found),
        beside=beside_rows(found),
        follows=follow_rows(found),
        parts=list(PARTS),
        saes=[(title_of(design), design) for design in found.designs],
        recipe=flat(found.recipe),
        settings=flat(found.settings),
        command=command("compare-designs", found.sae),
    )
