"""The start page: the run's overviews."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.home.plots import curve_figure, scatter_figure
from app.layers import plots as functions
from app.runs import queries as runs
from app.runs.queries import RunInfo
from app.saes import queries as saes
from app.saes.queries import SaeInfo
from app.shared.densities import CurveInfo
from app.shared.figures import Figure
from app.shared.page import RunPage


@dataclass(frozen=True)
class HomePage(RunPage):
    """Models, runs, and the three overviews."""

    template = "home/home.html"
    runs: list[RunInfo]
    """All complete runs, newest first."""
    saes: list[SaeInfo]
    """The run's SAEs by layer."""
    most: int
    """Largest dense count of an SAE: the full bar."""
    scatter: Figure
    """Density against antipodality."""
    shown: int
    """Dots in the scatter."""
    curve: Figure
    """Latents above each density, one line an SAE."""
    counts: CurveInfo
    """The numbers of `curve`, for the threshold's slider."""
    functions: Figure | None
    """Dense latents by class and layer; None where the run measured no classes."""
    functions_words: str
    """The same in words."""
    legend: list[tuple[str, str]]
    """Groups of `functions` with their names."""


def home_page(session: Session, run: RunInfo, pin: str) -> HomePage:
    """The page of a run."""
    found, points = saes.list_saes(session, run), saes.scatter_points(session, run)
    info = saes.density_curve(session, run)
    groups = classes.profile(session, run) if classes.measured(session, run) else {}
    return HomePage(
        title="Overview",
        nav="home",
        run=run,
        saes=found,
        runs=runs.list_runs(session),
        most=max((sae.n_dense for sae in found), default=0) or 1,
        scatter=scatter_figure(points, pin),
        shown=len(points),
        curve=curve_figure(info, found),
        counts=info,
        functions=functions.stack_figure(found, groups, pin, small=True) if groups else None,
        functions_words=functions.stack_words(found, groups),
        legend=functions.legend(groups),
    )
