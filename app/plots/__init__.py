"""Plotly figures as plain JSON, without plotly: importing it would cost the server a second.

Each plot is two steps: `..._info` gathers the numbers (tested as numbers), `..._figure` dresses
them. Colours are names of CSS variables ("--p"); static/plots.js puts the theme's values in.
"""

from __future__ import annotations

from app.plots import classes, effects, experiments, flow, functions
from app.plots.base import BANDS, COLOURS, DIM, INK, NEGATIVE, NEITHER, POSITIVE, STEPS, Figure, axis, figure
from app.plots.latent import (
    Bars,
    SignedInfo,
    bars_of,
    histogram_figure,
    mirrored_figure,
    position_figure,
    series_points,
    signed_figure,
    signed_info,
)
from app.plots.overview import (
    CurveInfo,
    curve_figure,
    curve_info,
    density_bars,
    density_heights,
    layers_figure,
    scatter_figure,
)

__all__ = [
    "BANDS",
    "COLOURS",
    "DIM",
    "INK",
    "NEGATIVE",
    "NEITHER",
    "POSITIVE",
    "STEPS",
    "Bars",
    "CurveInfo",
    "Figure",
    "SignedInfo",
    "axis",
    "bars_of",
    "classes",
    "curve_figure",
    "curve_info",
    "density_bars",
    "density_heights",
    "effects",
    "experiments",
    "figure",
    "flow",
    "functions",
    "histogram_figure",
    "layers_figure",
    "mirrored_figure",
    "position_figure",
    "scatter_figure",
    "series_points",
    "signed_figure",
    "signed_info",
]
