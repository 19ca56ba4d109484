"""What the figures of several classes are made of. Ink is the latent, the grey band is chance."""

from __future__ import annotations

from typing import Any

from app.shared.figures import BANDS, INK

Numbers = list[float | None]
HEIGHT = 230


def band(x: list[float], low: Numbers, high: Numbers, name: str) -> dict[str, Any]:
    """An area between two lines; places without both are left out."""
    known = [
        (at, below, above)
        for at, below, above in zip(x, low, high, strict=False)
        if below is not None and above is not None
    ]
    return {
        "type": "scatter", "mode": "lines", "fill": "toself", "fillcolor": BANDS[INK], "line": {"width": 0},
        "x": [at for at, _low, _high in known] + [at for at, _low, _high in known[::-1]],
        "y": [above for _at, _low, above in known] + [below for _at, below, _high in known[::-1]],
        "hoverinfo": "skip", "name": name,
    }  # fmt: skip


def line(x: list[float], y: Numbers, name: str, text: str, colour: str = INK, **more: Any) -> dict[str, Any]:
    """A line with its hover text."""
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": {"color": colour, "width": 1.8},
        "hovertemplate": f"{text}<extra></extra>", **more,
    }  # fmt: skip
