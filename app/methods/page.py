"""What is measured."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.classes.groups import classes_in
from app.classes.queries import cuts_of
from app.methods.queries import GRADES, Term, list_terms
from app.methods.rows import terms_of_rows
from app.runs.queries import RunInfo
from app.shared.page import Page

OF = {
    "class": "Classes: what a latent does",
    "latent": "Of a latent",
    "pair": "Of a pair",
    "sae": "Of an SAE",
    "label": "Labels of the user's own",
    "effect": "Effects of ablation",
    "steering": "Steering",
    "verdict": "Verdicts",
    "arm": "Of an experiment's arm",
    "experiment": "Of an experiment",
}
OF_ROWS = {"latent": "Of a unit", "sae": "Of a matrix", "label": "Labels: columns of the table"}


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
    run: RunInfo | None
    """The run that is shown; None before the first."""


@dataclass(frozen=True)
class RowsMethodsPage(MethodsPage):
    """The same of rows of activations: what does not apply is absent."""

    template = "methods/rows.html"


def methods_page(session: Session, run: RunInfo | None) -> MethodsPage:
    """All terms of the store, with the cuts of `run`."""
    of_rows = run is not None and run.of_rows
    terms = terms_of_rows(list_terms(session)) if of_rows else list_terms(session)
    kinds = dict.fromkeys([*OF, *(term.of for term in terms.values())])
    headings = OF | OF_ROWS if of_rows else OF
    groups = [
        (headings.get(kind, f"Of {kind}"), [term for term in terms.values() if term.of == kind]) for kind in kinds
    ]
    return (RowsMethodsPage if of_rows else MethodsPage)(
        title="Methods",
        nav="methods",
        groups=[group for group in groups if group[1]],
        grades=GRADES,
        classes=list(classes_in(session).values()),
        cuts=[(name, f"{cut:g}") for name, cut in cuts_of(session, run).items()] if run and not of_rows else [],
        run=run,
    )
