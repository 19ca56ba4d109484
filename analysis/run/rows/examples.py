"""Stretches of text around a token, with both activations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from analysis.reading.documents import Corpus, Document
from analysis.reading.sections import cut
from analysis.run.rows.plain import Row, plain
from analysis.statistics.examples import BEFORE, ExamplesSummary
from analysis.statistics.plan import Plan
from store.arrays import pack
from store.vocabulary import EXAMPLES


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


def example_rows(summary: ExamplesSummary, plan: Plan, documents: dict[int, Document]) -> Iterator[Row]:
    """One row an example; what is no text at the context's ends is not shown."""
    kept = torch.nonzero(torch.isfinite(summary.score)).tolist()
    shown = summary.begin >= 0
    has_partner = plan.partners != plan.latents
    for latent, kind, rank in kept:
        at = (latent, kind, rank)
        first, last = _between(shown[at])
        begins, ends = (part[at][first:last].tolist() for part in (summary.begin, summary.end))
        document = documents[int(summary.document[at])]
        theirs = summary.partner[at][first:last] if bool(has_partner[latent]) else None
        yield {
            "index": int(plan.latents[latent]),
            "kind": EXAMPLES[kind],
            "rank": rank,
            "document": title_of(document.name, document.labels),
            "labels": plain(document.labels),
            "context_start": int(summary.start[at]),
            "focus": BEFORE - first,
            "tokens": cut(document.text, begins, ends),
            "activations": pack(summary.acts[at][first:last].cpu(), "f4"),
            "partner_activations": None if theirs is None else pack(theirs.cpu(), "f4"),
        }


def title_of(name: str, labels: dict[str, Any]) -> str:
    """What people call a document: its title if it has one, else where it stood."""
    title = labels.get("title")
    return title if isinstance(title, str) and title else name


def _between(shown: Tensor) -> tuple[int, int]:
    """The part of a window between what is not shown at its two ends."""
    places = torch.nonzero(shown).flatten()
    return int(places[0]), int(places[-1]) + 1
