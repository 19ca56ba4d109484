"""A value's label. No torch, so that whoever has no more than the numbers can name them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Statistic:
    """What a value is called and what it means; stored with the numbers, so that /methods needs no second list.

    Args:
        kind: scalar, histogram, series, tokens or matrix.
        of: latent, pair or sae.
        grade: P: the paper states it, R: reported about the paper, O: our own operational choice.
        missing: the code of why it is not there, where a latent has none; its words are `app.shared.reasons`'.
    """

    name: str
    title: str
    unit: str
    kind: str
    of: str
    definition: str
    grade: str
    source: str
    missing: str = ""
