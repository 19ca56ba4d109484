"""What the figures of several classes are made of. Ink is the latent, the grey band is chance."""

from __future__ import annotations

from typing import Any

from app.shared.figures import INK

Numbers = list[float | None]
HEIGHT = 230


def line(x: list[float], y: Numbers, name: str, text: str, colour: str = INK, **more: Any) -> dict[str, Any]:
    """A line with its hover text."""
    return {
        "type": "scatter", "mode": "lines", "x": x, "y": y, "name": name, "line": {"color": colour, "width": 1.8},
        "hovertemplate": f"{text}<extra></extra>", **more,
    }  # fmt: skip
