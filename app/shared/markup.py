"""Markup that is made in Python because a page has thousands of it: coloured tokens. All text is escaped here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from markupsafe import Markup

from app.shared.tokens import Cell

_BREAK = "↵"


def coloured(cells: Sequence[Cell]) -> Markup:
    """Tokens side by side, each isolated, with colour and activations; a line ends after the last of some breaks."""
    parts: list[str] = []
    for place, cell in enumerate(cells):
        css = f" {cell.css}" if cell.css else ""
        focus = " focus" if cell.focus else ""
        tip = f' data-on="{escape(cell.tip)}"' if cell.tip else ""
        parts.append(f'<bdi class="t{css}{focus}"{tip}>{escape(cell.text)}</bdi>')
        ends = cell.text.endswith(_BREAK) and place + 1 < len(cells)
        if ends and not cells[place + 1].text.startswith(_BREAK):
            parts.append("<br>")
    return Markup("".join(parts))  # class names are ours, tip and text are escaped
