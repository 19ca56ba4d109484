"""What classes, mixture and chains say -> rows."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from analysis.classes.base import Finding
from analysis.run.rows.plain import Row, number, plain
from analysis.statistics.chains import Link


def score_rows(latents: Tensor, scores: dict[str, list[Finding]]) -> Iterator[Row]:
    """One row a latent and class, without `analysis_id`."""
    for name, findings in scores.items():
        for index, found in zip(latents.tolist(), findings, strict=True):
            numbers = {key: number(getattr(found, key)) for key in ("score", "cut", "chance", "control", "p", "q")}
            yield {
                "index": index, "name": name, "label": found.label, "statement": found.statement,
                "data": plain(found.data),
            } | numbers  # fmt: skip


def chain_rows(links: list[Link], analysis: int, side: str, other: int) -> Iterator[Row]:
    """One row a latent; `analysis` and `other` are the ids of the two SAEs' analyses."""
    for link in links:
        yield {
            "analysis_id": analysis, "index": link.latent, "side": side, "other_analysis_id": other,
            "other": link.other, "correlation": number(link.correlation),
            "cosine": None if link.cosine is None else number(link.cosine),
        }  # fmt: skip
