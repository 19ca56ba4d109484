"""Figures: their numbers, and that plotly takes each of them."""

from __future__ import annotations

import json
from pathlib import Path

import plotly.graph_objects as go
import pytest
from sqlalchemy.orm import Session

from app.classes import queries as classes
from app.classes.groups import GROUPS, fill_of
from app.classes.views import CLASSES
from app.home.plots import scatter_figure
from app.latents.page import latent_page
from app.latents.plots import Bars, bars_of, series_points
from app.latents.profiles import Histogram, Series
from app.latents.record import read_latent
from app.layers import plots as functions
from app.layers.page import layers_page
from app.layers.plots import density_heights, layers_figure
from app.pairs.page import pair_page
from app.pairs.record import read_pair
from app.runs import queries as runs
from app.saes import queries as saes
from app.shared.densities import BAR_CUTS, bars, counts_above, thresholds_of
from app.shared.figures import COLOURS, Figure, View
from tests.app.world import CONTROL, DEAD, NEGATIVE, POSITIVE, SLUGS

OF_CLASSES = [name for view in CLASSES.values() for name in (view.variable, view.fill.ink)]
CSS = (Path(__file__).resolve().parents[3] / "static" / "style.css").read_text()


def views_of(session: Session, index: int) -> list[View]:
    """All plots of a latent's page, with nothing left for later."""
    run = runs.run_of_sae(session, SLUGS[1])
    made = latent_page(run, read_latent(session, saes.find_sae(session, run, SLUGS[1]), index), "", whole=True).sections
    rows = [view for row in made.functions or [] for view in row.views or []]
    return [*(made.histograms or []), *(made.positions or []), *rows]


def plot(view: View) -> Figure:
    """Of a view that is drawn at once."""
    assert view.figure
    return view.figure


def figures(session: Session) -> list[Figure]:
    """Every kind of figure the pages draw."""
    run = runs.find_run(session)
    assert run
    found = saes.list_saes(session, run)
    pair = pair_page(run, read_pair(session, found[1], POSITIVE, NEGATIVE), "", whole=True).sections
    assert pair.histograms
    assert pair.positions
    made = [plot(view) for index in (POSITIVE, NEGATIVE, CONTROL) for view in views_of(session, index)]
    made += [plot(view) for view in (*pair.histograms, *pair.positions)]
    layers = layers_page(session, run, "run=2")
    assert layers.stack
    assert layers.flow
    made += [layers.stack, plot(layers.flow), *(panel for _sae, panel in layers.panels)]
    made.append(scatter_figure(saes.scatter_points(session, run), "run=2"))
    return made + [chart for _title, chart in layers_figure(found, "")]


def test_plotly_takes_every_figure(session: Session) -> None:
    made = figures(session)
    assert len(made) > 15
    for figure in made:
        text = json.dumps(figure, allow_nan=False)
        for name in (*COLOURS, *OF_CLASSES):  # names of CSS variables, which the page fills in
            text = text.replace(f'"{name}"', '"#123456"')
        go.Figure(json.loads(text))


def test_every_colour_is_a_variable_of_the_stylesheet() -> None:
    assert [name for name in COLOURS if f"{name}:" not in CSS.replace(" ", "")] == []


def test_every_axis_says_what_it_is_or_shares_one_that_does(session: Session) -> None:
    for figure in figures(session):
        axes = {name: axis for name, axis in figure["layout"].items() if name.startswith(("xaxis", "yaxis"))}
        assert axes["xaxis"]["title"]["text"]


def test_a_dead_latent_has_no_plot(session: Session) -> None:
    assert views_of(session, DEAD) == []


def test_views_of_a_pairs_latent_are_three_and_of_another_one(session: Session) -> None:
    assert [view.name for view in views_of(session, POSITIVE)][:3] == ["pair", "latent", "mirrored"]
    assert [view.name for view in views_of(session, CONTROL)][:3] == ["latent", "context", "sentence"]


def test_a_view_tells_its_numbers_in_words(session: Session) -> None:
    pair, own, *_rest = views_of(session, POSITIVE)
    assert pair.summary == "0 is on for 49 tokens, 1 for 37, neither for 11."
    assert own.summary.startswith("55 tokens on which it is on, largest activation 10.0;")
    assert own.rows == [("1.50", "30"), ("3.00", "20"), ("6.00", "5")]


def test_every_class_has_its_plot(session: Session) -> None:
    names = [view.name for view in views_of(session, POSITIVE)][5:]
    assert names == ["profile", "runs", "sweep", "letters", "roc", "tags", "components"]


def test_runs_are_told_by_whole_lengths(session: Session) -> None:
    (runs_view,) = [view for view in views_of(session, POSITIVE) if view.name == "runs"]
    assert [row[0] for row in runs_view.rows] == ["1", "2 to 3", "4 to 7"]
    # a logarithmic axis has no place for none; steps need the last count twice
    observed = plot(runs_view)["data"][1]
    assert (observed["x"], observed["y"]) == ([1, 2, 4, 8], [30, 20, None, None])


def test_tokens_on_an_axis_are_text(session: Session) -> None:
    made = {view.name: plot(view)["data"][0] for view in views_of(session, POSITIVE)}
    assert made["letters"]["x"] == ["none", "&lt;b&gt;", "t"]
    assert made["letters"]["marker"]["color"] == ["--z", "--ink", "--z"]
    assert made["tags"]["y"] == ["noun", "&lt;img&gt;"]


def test_groups_in_the_stack_differ_in_colour_and_letter(session: Session) -> None:
    fills = [fill_of(group) for group in (*CLASSES, *GROUPS)]
    assert len({fill.colour for fill in fills}) == len(fills)
    letters = [fill.letter for fill in fills if fill.letter]
    assert len(set(letters)) == len(letters) >= len(CLASSES)
    run = runs.find_run(session)
    assert run
    groups = classes.profile(session, run)
    drawn = functions.stack_figure(saes.list_saes(session, run), groups, "")["data"]
    for bar, (group, name) in zip(drawn, functions.legend(groups), strict=False):
        fill = fill_of(group)
        assert (bar["name"], bar["marker"]["color"]) == (name, fill.colour)
        assert set(bar["text"]) <= {fill.letter, ""}  # only where there is room
    assert any(letter for bar in drawn for letter in bar.get("text", ()))


def test_bars_lie_between_their_edges_without_the_empty_ends() -> None:
    bars = bars_of(Histogram([1.0, 2.0, 4.0, 8.0, 16.0], [0, 3, 0, 1]))
    assert bars == Bars([3.0, 6.0, 12.0], [2.0, 4.0, 8.0], [3, 0, 1])


def test_a_series_keeps_its_gap() -> None:
    series = Series([1, 2, 3], [1.0, None], [0.5, None], [1.5, None], [10.0, 0.0])
    assert series_points(series) == [(1.0, 1.0, 0.5, 1.5, 10.0), (2.0, None, None, None, 0.0)]


@pytest.mark.parametrize("cut", [0.1, 0.25, 0.5, 0.123])
def test_the_threshold_counts_what_is_strictly_denser(cut: float) -> None:
    curve = [0.9, 0.5, 0.25, 0.25, 0.123, 0.1, 0.1, 0.0]
    cuts = thresholds_of(cut)
    assert counts_above(curve, cuts)[cuts.index(cut)] == sum(density > cut for density in curve)


def test_density_heights_show_where_the_latents_are() -> None:
    heights = density_heights(bars(counts_above([1.0] + [0.00005] * 100, BAR_CUTS)))
    assert len(heights) == 16
    assert (heights[0], heights[-1]) == (24, 4)
    assert set(heights[1:-1]) == {0}
