"""The start page: the run's overviews."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app import plots
from app.compose.layers import stack_words
from app.compose.of_run import of_run
from app.pages import HomePage
from app.queries import class_counts, runs, saes
from app.queries.statistics import Term


def home_page(session: Session, run: runs.RunInfo, terms: dict[str, Term], pin: str) -> HomePage:
    """The page of a run."""
    shared = of_run(session, run, terms, pin, "home", "Overview")
    found, points = shared["saes"], saes.scatter_points(session, run)
    info = plots.curve_info(saes.density_curves(session, run), run.dense_threshold)
    groups = class_counts.profile(session, run) if class_counts.measured(session, run) else {}
    return HomePage(
        **shared,
        runs=runs.list_runs(session),
        most=max((sae.n_dense for sae in found), default=0) or 1,
        scatter=plots.scatter_figure(points, pin),
        shown=len(points),
        curve=plots.curve_figure(info, found),
        counts=info,
        functions=plots.functions.stack_figure(found, groups, pin, small=True) if groups else None,
        functions_words=stack_words(found, groups),
        legend=plots.functions.legend(groups),
    )
