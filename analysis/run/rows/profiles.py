"""Values with more than one number: histograms, token lists, positions, the strip."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from analysis.run.rows.plain import Row, blocks, number
from analysis.statistics.cofiring import CofiringSummary
from analysis.statistics.geometry import Promoted
from analysis.statistics.logit_weights import LogitWeights
from analysis.statistics.positions import PositionSummary
from analysis.statistics.top_tokens import SUPPORT, TopTokens, TopTokensSummary
from store.arrays import pack

DETAIL_ITEMS, ITEMS = 20, 10  # tokens listed for latents with detail, and for all others
TOGETHER, APART = 10, 5  # latents listed that fire with one, and apart from it


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
    for some in blocks(len(counts)):
        used = counts[some] > 0
        first, after = used.int().argmax(1), counts.shape[1] - used.flip(1).int().argmax(1)
        ends = zip(used.any(1).tolist(), first.tolist(), after.tolist(), counts[some].cpu().numpy(), strict=True)
        for index, (fired, begin, end, row) in enumerate(ends, some.start):
            if fired:
                data = {"edges": places[begin : end + 1]}
                yield {"index": index, "name": "histogram", "data": data, "values": pack(row[begin:end], "i8")}


def token_rows(summary: TopTokensSummary, detail: set[int], words: list[str]) -> Iterator[Row]:
    """Both rankings of every latent that fired."""
    for name, table in (("top_tokens", summary.by_mean), ("top_tokens_mass", summary.by_mass)):
        for some in blocks(len(summary.error)):
            errors = summary.error[some].tolist()
            few = TopTokens(*(column[some] for column in table))
            for index, error, items in zip(
                range(some.start, some.stop), errors, _token_items(few, some.start, detail, words), strict=True
            ):
                if items:
                    data = {"items": items, "support": SUPPORT, "types": summary.types, "error": number(error, 4)}
                    yield {"index": index, "name": name, "data": data, "values": None}


def promoted_rows(found: Promoted, detail: set[int], words: list[str]) -> Iterator[Row]:
    """Tokens whose logit rises and falls most, for every latent with a decoder direction."""
    sides = (
        ("promoted", found.promoted, found.promoted_logit),
        ("suppressed", found.suppressed, found.suppressed_logit),
    )
    for name, tokens, logits in sides:
        for some in blocks(len(tokens)):
            few = zip(tokens[some].tolist(), logits[some].tolist(), strict=True)
            for index, (ids, values) in enumerate(few, some.start):
                if not any(values):
                    continue
                shown = list(zip(ids, values, strict=True))[: _length(index, detail)]
                items = [{"token": words[token], "id": token, "logit": number(value, 4)} for token, value in shown]
                yield {"index": index, "name": name, "data": {"items": items}, "values": None}


def logit_rows(latents: Tensor, found: LogitWeights, chance: dict[str, list[float]]) -> Iterator[Row]:
    """Histogram of the logit weights of each of m latents, with its moments; none of a direction that is zero."""
    ends = {name: [number(end, 4) for end in both] for name, both in chance.items()}
    columns = [found.skewness, found.kurtosis, found.low, found.high, latents]
    for place, (skewness, kurtosis, low, high, index) in enumerate(
        zip(*(column.tolist() for column in columns), strict=True)
    ):
        if skewness == skewness:
            moments = {"skewness": number(skewness, 4), "kurtosis": number(kurtosis, 4)}
            data = {**moments, "low": number(low, 4), "high": number(high, 4), "tokens": found.tokens, "chance": ends}
            yield {"index": index, "name": "logits", "data": data, "values": pack(found.counts[place].cpu(), "i8")}


def company_rows(latents: Tensor, found: CofiringSummary) -> Iterator[Row]:
    """The latents that each of m fires with and apart from, by correlation; none of a latent that never changes."""
    correlation = found.correlation.clone()
    correlation[torch.arange(len(latents)), latents] = torch.nan
    for name, sign, size in (("together", 1, TOGETHER), ("apart", -1, APART)):
        ranked = torch.where(correlation.isnan(), -torch.inf, sign * correlation).topk(min(size, correlation.shape[1]))
        for place, index in enumerate(latents.tolist()):
            others = ranked.indices[place][ranked.values[place] > 0]
            if len(others):
                data = {"chance": number(float(found.chance[place]), 4), "tokens": found.tokens}
                items = _companions(found, place, others)
                yield {"index": index, "name": name, "data": data | {"items": items}, "values": None}


def _companions(found: CofiringSummary, place: int, others: Tensor) -> list[Row]:
    columns = {
        "correlation": found.correlation[place, others],
        "jaccard": found.jaccard[place, others],
        "independent": found.independent[place, others],
        "density": found.fired[others] / max(found.tokens, 1),
    }
    values = zip(*(column.tolist() for column in columns.values()), strict=True)
    return [
        {"index": index} | {name: number(value, 4) for name, value in zip(columns, row, strict=True)}
        for index, row in zip(others.tolist(), values, strict=True)
    ]


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


def _token_items(table: TopTokens, first: int, detail: set[int], words: list[str]) -> Iterator[list[Row]]:
    columns = [column.tolist() for column in (table.token, table.mean, table.count, table.firing, table.share)]
    for index, rows in enumerate(zip(*columns, strict=True), first):
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
