"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.classes.groups import classes_in
from app.classes.queries import cuts_of
from app.methods.queries import GRADES, Term, list_terms
from app.runs.queries import RunInfo
from app.shared.language import N_, _
from app.shared.page import Page

OF = {
    "class": N_("Classes: what a latent does"),
    "latent": N_("Of a latent"),
    "pair": N_("Of a pair"),
    "sae": N_("Of an SAE"),
    "label": N_("Labels of the user's own"),
    "effect": N_("Effects of ablation"),
    "steering": "Steering",
    "verdict": "Verdicts",
    "arm": N_("Of an experiment's arm"),
    "experiment": N_("Of an experiment"),
}
OF_ROWS = {"latent": N_("Of a unit"), "sae": N_("Of a matrix"), "label": N_("Labels: columns of the table")}


@dataclass(frozen=True)
class MethodsPage(Page):
    """What each value means."""

    template = "methods/methods.html"
    groups: list[tuple[str, list[Term]]]
    """Statistics of latents, pairs and SAEs."""
    grades: dict[str, str]
    """What P, R and O mean."""
    classes: list[str]
    """Classes that are looked for, as people read them."""
    cuts: list[tuple[str, str]]
    """Cuts of the run's classes: name, value."""


@dataclass(frozen=True)
class RowsMethodsPage(Page):
    """The same of rows of activations: what does not apply is absent."""

    template = "methods/rows.html"
    groups: list[tuple[str, list[Term]]]
    """Statistics of units, pairs and matrices."""
    grades: dict[str, str]
    """What P, R and O mean."""


def methods_page(session: Session, run: RunInfo | None) -> MethodsPage | RowsMethodsPage:
    """All terms of the store, with the cuts of `run`."""
    if run is not None and run.of_rows:
        groups = _groups(list_terms(session, of_rows=True), OF | OF_ROWS)
        return RowsMethodsPage(title=_("Methods"), nav="methods", groups=groups, grades=GRADES)
    return MethodsPage(
        title=_("Methods"),
        nav="methods",
        groups=_groups(list_terms(session), OF),
        grades=GRADES,
        classes=list(classes_in(session).values()),
        cuts=[(name, f"{cut:g}") for name, cut in cuts_of(session, run).items()] if run else [],
    )


def _groups(terms: dict[str, Term], headings: dict[str, str]) -> list[tuple[str, list[Term]]]:
    kinds = dict.fromkeys([*headings, *(term.of for term in terms.values())])
    groups = [(headings.get(kind, f"Of {kind}"), [one for one in terms.values() if one.of == kind]) for kind in kinds]
    return [group for group in groups if group[1]]
