"""Labels of tokens: spans of characters, and which tokens lie in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

FEWEST_WITH = 5  # documents in which a label must occur
_LENGTH = 200  # of a label's name
_FAR = 1 << 40  # characters: no document is longer


class UnreadableError(Exception):
    """A list that holds something other than spans."""


def read_spans(values: Mapping[int, list[Any]], texts: Mapping[int, str]) -> dict[str, Tensor]:
    """Spans by label: each [s, 3] int64 of document, start, end, ascending; those that touch are one.

    Spans are cut to the text; what is empty then is left out. A span's start moves back over one space,
    since tokenisers put the space before a word into the word's token.

    Raises:
        UnreadableError: an item that is neither an object with start, end and label nor such a triple.
    """
    found: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for document, items in sorted(values.items()):
        text = texts[document]
        for item in items:
            start, end, label = _span(item)
            start, end = max(start, 0), min(end, len(text))
            if start < end:
                found[label].append((document, start - (start > 0 and text[start - 1] == " "), end))
    return {label: torch.tensor(_apart(sorted(spans)), dtype=torch.int64) for label, spans in found.items()}


def _span(item: Any) -> tuple[int, int, str]:
    if isinstance(item, dict):
        item = [item.get("start"), item.get("end"), item.get("label")]
    if isinstance(item, list | tuple) and len(item) == 3:
        start, end, label = item
        plain = isinstance(label, str | int | float)
        if plain and all(isinstance(edge, int) and not isinstance(edge, bool) for edge in (start, end)):
            return start, end, str(label)[:_LENGTH]
    raise UnreadableError("its lists hold something other than spans (start, end and label, in characters)")


def _apart(spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    joined: list[tuple[int, int, int]] = []
    for document, start, end in spans:
        if joined and joined[-1][0] == document and start <= joined[-1][2]:
            joined[-1] = (document, joined[-1][1], max(joined[-1][2], end))
        else:
            joined.append((document, start, end))
    return joined


def inside(document: Tensor, begin: Tensor, spans: Tensor) -> Tensor:
    """Which tokens begin in a span.

    Args:
        document, begin: [n] int64, each token's document and first character there.
        spans: [s, 3], as of `read_spans`.

    Returns:
        [n] bool.
    """
    if len(spans) == 0:
        return torch.zeros(len(begin), dtype=torch.bool)
    key = document * _FAR + begin
    last = torch.searchsorted(spans[:, 0] * _FAR + spans[:, 1], key, right=True) - 1
    of = spans[last.clamp(min=0)]
    return (last >= 0) & (of[:, 0] == document) & (begin < of[:, 2])
