"""Stretches of text around a token, with both activations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch

from analysis.reading.documents import Corpus, Document
from analysis.reading.sections import cut
from analysis.run.rows.plain import Row, plain
from analysis.statistics.examples import BEFORE, ExamplesSummary
from analysis.statistics.plan import Plan
from store.arrays import pack

_COLUMNS = ("document", "start", "begin", "end", "acts", "partner")


def documents_of(corpus: Corpus, summaries: list[ExamplesSummary], more: set[int]) -> dict[int, Document]:
    """The documents the examples come from, and some more by index, read once more from the files."""
    shown = {int(index) for summary in summaries for index in torch.unique(summary.document).tolist() if index >= 0}
    wanted = shown | more
    found: dict[int, Document] = {}
    for document in corpus.documents():
        if len(found) == len(wanted):
            break
        if document.index in wanted:
            found[document.index] = document
    return found


def example_rows(
    summary: ExamplesSummary, plan: Plan, documents: dict[int, Document], kinds: Sequence[str]
) -> Iterator[Row]:
    """One row an example, of these kinds; what is no text at the context's ends is not shown."""
    labels: dict[int, Row] = {}  # by document: many examples are of the same
    partners = (plan.partners != plan.latents).tolist()
    for place, index in enumerate(plan.latents.tolist()):
        for kind, rank, one in _examples(summary, place):
            document = documents[one.document]
            if one.document not in labels:
                labels[one.document] = plain(document.labels)
            yield {
                "index": index,
                "kind": kinds[kind],
                "rank": rank,
                "document": title_of(document.name, document.labels),
                "labels": labels[one.document],
                "context_start": one.start,
                "focus": BEFORE - one.before,
                "tokens": cut(document.text, one.begins, one.ends),
                "activations": pack(one.acts, "f4"),
                "partner_activations": pack(one.partner, "f4") if partners[place] else None,
            }


class _Shown(NamedTuple):
    """An example without what is no text; `before` is how much of that stood before it."""

    document: int
    start: int
    before: int
    begins: list[int]
    ends: list[int]
    acts: list[float]
    partner: list[float]


def _examples(summary: ExamplesSummary, place: int) -> Iterator[tuple[int, int, _Shown]]:
    """(kind, rank, example) of one latent; its numbers leave their tensors all at once."""
    parts = {name: part[place].tolist() for name, part in summary._asdict().items()}
    for kind, scores in enumerate(parts["score"]):
        for rank, score in enumerate(scores):
            if not math.isfinite(score):
                continue
            document, start, begins, *windows = (parts[name][kind][rank] for name in _COLUMNS)
            text = [number for number, begin in enumerate(begins) if begin >= 0]
            few = slice(text[0], text[-1] + 1)
            yield kind, rank, _Shown(document, start, text[0], begins[few], *(window[few] for window in windows))


def title_of(name: str, labels: dict[str, Any]) -> str:
    """What people call a document: its title if it has one, else where it stood."""
    title = labels.get("title")
    return title if isinstance(title, str) and title else name
