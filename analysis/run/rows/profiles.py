"""Values with more than one number: histograms, token lists, positions, the strip."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from analysis.run.rows.plain import Row, number
from analysis.statistics.geometry import Promoted
from analysis.statistics.positions import PositionSummary
from analysis.statistics.top_tokens import SUPPORT, TopTokens, TopTokensSummary
from store.arrays import pack

DETAIL_ITEMS, ITEMS = 20, 10  # tokens listed for latents with detail, and for all others


def with_gap(counts: Tensor, edges: Tensor, signed: bool) -> tuple[Tensor, Tensor]:
    """A signed histogram gets the empty bin between its two sides, so that every edge pair has a count."""
    if not signed:
        return counts, edges
    middle = counts.shape[1] // 2
    gap = torch.zeros(len(counts), 1, dtype=counts.dtype, device=counts.device)
    return torch.cat([counts[:, :middle], gap, counts[:, middle:]], 1), edges


def histogram_rows(counts: Tensor, edges: Tensor) -> Iterator[Row]:
    """One row per latent that fired, trimmed to its occupied bins."""
    places = [number(edge) for edge in edges.tolist()]
    for index, row in enumerate(counts.cpu()):
        used = torch.nonzero(row).flatten()
        if len(used):
            first, last = int(used[0]), int(used[-1])
            data = {"edges": places[first : last + 2]}
            yield {"index": index, "name": "histogram", "data": data, "values": pack(row[first : last + 1], "i8")}


def token_rows(summary: TopTokensSummary, detail: set[int], words: list[str]) -> Iterator[Row]:
    """Both rankings of every latent that fired."""
    errors = summary.error.tolist()
    for name, table in (("top_tokens", summary.by_mean), ("top_tokens_mass", summary.by_mass)):
        for index, items in enumerate(_token_items(table, detail, words)):
            if items:
                data = {"items": items, "support": SUPPORT, "types": summary.types, "error": number(errors[index], 4)}
                yield {"index": index, "name": name, "data": data, "values": None}


def promoted_rows(found: Promoted, detail: set[int], words: list[str]) -> Iterator[Row]:
    """Tokens whose logit rises and falls most, for every latent with a decoder direction."""
    sides = (
        ("promoted", found.promoted.tolist(), found.promoted_logit.tolist()),
        ("suppressed", found.suppressed.tolist(), found.suppressed_logit.tolist()),
    )
    for name, tokens, logits in sides:
        for index, (ids, values) in enumerate(zip(tokens, logits, strict=True)):
            if not any(values):
                continue
            shown = list(zip(ids, values, strict=True))[: _length(index, detail)]
            items = [{"token": words[token], "id": token, "logit": number(value, 4)} for token, value in shown]
            yield {"index": index, "name": name, "data": {"items": items}, "values": None}


def position_rows(kind: str, latents: Tensor, summary: PositionSummary, signed: bool) -> Iterator[Row]:
    """Mean, low, high and tokens by distance; nothing where no token's distance is known."""
    if not bool(summary.tokens.any()):
        return
    tokens = summary.tokens.double()
    # a mean without an interval, from a single group of documents, would look like an effect
    mean = torch.where(summary.low.isnan(), torch.nan, summary.mean)
    low = summary.low if signed else summary.low.clamp(min=0)
    for number_, index in enumerate(latents.tolist()):
        values = torch.stack([mean[number_], low[number_], summary.high[number_], tokens]).cpu()
        data = {"edges": summary.edges.tolist()}
        yield {"index": index, "name": f"position_{kind}", "data": data, "values": pack(values, "f8")}


def strip_rows(latents: Tensor, acts: Tensor) -> Iterator[Row]:
    """Activations [tokens, m] on one whole document of the m latents."""
    for place, index in enumerate(latents.tolist()):
        yield {"index": index, "name": "strip", "data": {}, "values": pack(acts[:, place], "f4")}


def _token_items(table: TopTokens, detail: set[int], words: list[str]) -> Iterator[list[Row]]:
    columns = [column.tolist() for column in (table.token, table.mean, table.count, table.firing, table.share)]
    for index, rows in enumerate(zip(*columns, strict=True)):
        shown = list(zip(*rows, strict=True))[: _length(index, detail)]
        yield [
            {
                "token": words[token],
                "id": token,
                "mean": number(mean, 4),
                "count": count,
                "firing": firing,
                "share": number(share, 4),
            }
            for token, mean, count, firing, share in shown
            if token >= 0
        ]


def _length(index: int, detail: set[int]) -> int:
    return DETAIL_ITEMS if index in detail else ITEMS
