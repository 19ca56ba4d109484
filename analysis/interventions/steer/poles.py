"""Pairs of texts from the two sides of a signal, after a beginning that favours neither.

Both texts and the beginning are of one context: what the signal stands for is the context's matter. The texts
are the pieces where the signal is highest and lowest, the beginning is where it is nearest to their middle.
Since no text is scored right after the one it follows in the document, neither is the more natural one to go on with.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.interventions.steer.config import PREFIX
from analysis.interventions.steer.pool import Pool


class Places(NamedTuple):
    """n pairs of texts in a pool, [n] int64 each."""

    text: Tensor  # context of both texts
    prefix: Tensor  # context of the beginning
    positive: Tensor  # piece
    negative: Tensor  # piece
    window: Tensor  # first piece of the beginning

    def at(self, keep: Tensor) -> Places:
        """Some of them."""
        return Places(*(part[keep] for part in self))


def poles(pool: Pool, signal: int, count: int) -> Places:
    """At most `count` pairs, one a document, furthest apart first.

    Args:
        signal: which of the pool's signals.
    """
    value = pool.value[..., signal]
    high = value.masked_fill(~pool.whole, -torch.inf).max(1)
    low = value.masked_fill(~pool.whole, torch.inf).min(1)
    window, off = _neutral(pool, value, high.indices, low.indices, (high.values + low.values) / 2)
    gap = (high.values - low.values).masked_fill(~torch.isfinite(off), -torch.inf)
    order = gap.argsort(descending=True, stable=True)[: min(count, int((gap > 0).sum()))]
    return Places(order, order, high.indices[order], low.indices[order], window[order])


def _neutral(pool: Pool, value: Tensor, high: Tensor, low: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """[C]: where the beginning is, and how far its signal is from the middle; infinite where there is none."""
    first = torch.arange(value.shape[1] - PREFIX + 1)
    inside = first[:, None] + torch.arange(PREFIX)
    off = (value[:, inside].mean(2) - middle[:, None]).abs()
    allowed = pool.whole[:, inside].all(2)
    for text in (high[:, None], low[:, None]):
        # neither over a text nor right before it
        allowed &= (text < first) | (text > first + PREFIX)
    found = off.masked_fill(~allowed, torch.inf).min(1)
    return found.indices, found.values


def halves(places: Places) -> tuple[Places, Places]:
    """(those the dose is chosen on, those the rate is measured on), no document in both, equally far apart."""
    number = torch.arange(len(places.text))
    return places.at(number % 2 == 1), places.at(number % 2 == 0)


def swapped(pool: Pool, places: Places) -> Places:
    """The same places in other documents: there, nothing ties them to the sides of the signal.

    Pairs whose places no other document has are left out.
    """
    needed = torch.zeros(len(places.text), pool.whole.shape[1], dtype=torch.bool)
    number = torch.arange(len(places.text))
    for piece in (places.positive, places.negative, *(places.window + step for step in range(PREFIX))):
        needed[number, piece] = True
    return _moved(pool, places, needed, with_texts=True)


def foreign(pool: Pool, places: Places) -> Places:
    """The same texts after the beginning of another document."""
    needed = torch.zeros(len(places.text), pool.whole.shape[1], dtype=torch.bool)
    for step in range(PREFIX):
        needed[torch.arange(len(places.text)), places.window + step] = True
    return _moved(pool, places, needed, with_texts=False)


def _moved(pool: Pool, places: Places, needed: Tensor, with_texts: bool) -> Places:
    """To the next context of the pool that has all needed pieces [n, S]."""
    contexts = len(pool.document)
    others = (places.text[:, None] + torch.arange(1, contexts)) % contexts  # [n, C - 1]
    has = (pool.whole[others] | ~needed[:, None]).all(2)
    if not others.shape[1]:
        return places.at(torch.zeros(len(places.text), dtype=torch.bool))
    to = others.gather(1, has.int().argmax(1, keepdim=True))[:, 0]
    moved = places._replace(prefix=to, text=to if with_texts else places.text)
    return moved.at(has.any(1))


def token_rows(pool: Pool, places: Places) -> Tensor:
    """[2n, T]: BOS, beginning and text, those of the positive side first."""
    inside = places.window[:, None] + torch.arange(PREFIX)
    before = pool.token[places.prefix[:, None], inside].flatten(1)
    lead = torch.tensor(pool.bos, dtype=torch.int64).expand(len(before), -1)
    texts = (pool.token[places.text, piece] for piece in (places.positive, places.negative))
    return torch.cat([torch.cat([lead, before, text], 1) for text in texts])


def beginnings(pool: Pool, places: Places) -> Tensor:
    """[n, T]: BOS and beginning."""
    rows = token_rows(pool, places)
    return rows[: len(rows) // 2, : rows.shape[1] - pool.token.shape[2]]
