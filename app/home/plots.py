"""The figure of the start page where the worker made no map: density against antipodality."""

from __future__ import annotations

from app.layers.plots import dots
from app.saes.queries import Point
from app.shared.figures import Figure, axis, figure
from app.shared.language import _


def scatter_figure(points: list[Point], pin: str) -> Figure:
    """Density against antipodality. Hollow dots are near-duplicates, whose score is high for the other reason."""
    groups = ((_("mirror images and others"), True, "circle"), (_("same direction as partner"), False, "circle-open"))
    data = [
        dots([point for point in points if point.mirror is mirror], name, sign, pin, 6) for name, mirror, sign in groups
    ]
    x = axis(_("density (share of tokens)"), type="log", tickformat="~%", dtick=1)
    y = axis(_("antipodality"), range=[-0.05, 1.05])
    return figure([part for part in data if part["x"]], 340, x, y, hovermode="closest")
