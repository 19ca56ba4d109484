"""The variance of many signals, divided among what they follow.

Added in order: each source predicts what the sources before it leave, from what they leave of *it*. Past, context and
document are made of what the sources before them leave of the signal, and enter one least-squares regression, one
after the other. Alone: each source predicts the signal itself. All is predicted out of fold, so a share may be
negative: the source does harm on documents that were not fitted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.decomposition.design import Design, Source
from analysis.decomposition.nested import nested
from analysis.decomposition.shared import Together, together
from analysis.statistics.intervals import jackknife_ratio

OWN = ("past", "context", "document")
SOURCES = ("word", "previous", "position", "shape", "norm", *OWN)
CUT = 0.001  # share of the values of each sign that are cut to the next largest
_BLOCK = 128  # signals at once
_GROUPS = 64


class Shares(NamedTuple):
    """Shares of variance [..., q] float64 with their 95 % intervals over groups of documents."""

    share: Tensor
    low: Tensor
    high: Tensor

    @classmethod
    def joined(cls, parts: Iterable[Shares]) -> Shares:
        """Of signals one after the other."""
        return cls(*(torch.cat(some, -1) for some in zip(*parts, strict=True)))


class Decomposition(NamedTuple):
    """Of q signals; s sources in the order of `SOURCES`. NaN where a signal does not vary."""

    added: Shares  # [s, q]
    alone: Shares  # [s, q]
    total: Shares  # [q]
    own: Shares  # [q]: what past, context and document add together
    together: Together
    half_life: Tensor  # [q] float32, tokens: how long what the sources up to the norm leave lasts
    embedding: Tensor  # [q] float64: share that the word's embedding says, its type left out


def decompose(design: Design, norm: Tensor, ordinary: Tensor, signals: Tensor) -> Decomposition:
    """Divide the variance of `signals`.

    Args:
        norm: [n] float32: of what the SAE reads, on the design's tokens.
        ordinary: [n] bool: not a massive token; on one a signal counts as its mean, and the token is in no sum.
        signals: [n, q] float32.
    """
    sources = design.with_norm(norm)
    parts = [_block(design, sources, ordinary, some) for some in torch.split(signals, _BLOCK, 1)]
    return Decomposition(
        added=Shares.joined(part.added for part in parts),
        alone=Shares.joined(part.alone for part in parts),
        total=Shares.joined(part.total for part in parts),
        own=Shares.joined(part.own for part in parts),
        together=Together(*(torch.cat(some, -1) for some in zip(*(part.together for part in parts), strict=True))),
        half_life=torch.cat([part.half_life for part in parts]),
        embedding=torch.cat([part.embedding for part in parts]),
    )


def _block(design: Design, sources: Mapping[str, Source], ordinary: Tensor, signals: Tensor) -> Decomposition:
    values = prepared(signals, ordinary)
    counted = ordinary[:, None].float()
    embedding, kind = design.words.parts(values)
    word = embedding + kind
    left = [values - word]
    for source in sources.values():
        left.append(left[-1] - source.beyond.predicted(left[-1]))
    rest = left[-1]
    weights = design.runs.best_weights(rest)
    left += [rest - fit for fit in nested(_own(design, rest, weights), rest, design.sizes)]
    alone = [word, *_alone(design, sources, values, weights)]
    variance = _by_group(design, values)
    steps = torch.stack([variance] + [_by_group(design, rest * counted) for rest in left], 1)
    singles = torch.stack([_by_group(design, (values - one) * counted) for one in alone], 1)
    return Decomposition(
        added=_shares(steps[:, :-1] - steps[:, 1:], variance),
        alone=_shares(variance[:, None] - singles, variance),
        total=_shares((variance - steps[:, -1])[:, None], variance, 0),
        own=_shares((steps[:, -1 - len(OWN)] - steps[:, -1])[:, None], variance, 0),
        together=together(values, [one * counted for one in alone]),
        half_life=design.runs.lasts(rest),
        embedding=1 - _by_group(design, (values - embedding) * counted).sum(0) / variance.sum(0),
    )


def prepared(signals: Tensor, ordinary: Tensor) -> Tensor:
    """[n, q]: the signals, the largest values of each sign cut, about their mean on ordinary tokens; 0 on others."""
    values = signals.float() * ordinary[:, None]
    for sign in (1, -1):
        side = (sign * values).T.contiguous()
        seldom = ((side > 0).sum(1) * CUT).ceil().long()  # how many are cut
        top = side.topk(min(int(seldom.max()) + 1, side.shape[1]), dim=1).values
        limit = top.gather(1, seldom.clamp(max=top.shape[1] - 1)[:, None])[:, 0].clamp(min=0)
        values = torch.minimum(values, limit) if sign > 0 else torch.maximum(values, -limit)
    mean = values.sum(0) / ordinary.sum().clamp(min=1)
    return (values - mean) * ordinary[:, None]


def _alone(design: Design, sources: Mapping[str, Source], values: Tensor, weights: Tensor) -> list[Tensor]:
    """Of each source but the word: what it says of the signals by itself."""
    found = [source.alone.predicted(values) for source in sources.values()]
    return found + [nested([own], values, design.sizes)[0] for own in _own(design, values, weights)]


def _own(design: Design, values: Tensor, weights: Tensor) -> list[Tensor]:
    runs = design.runs
    return [runs.past(values, weights), runs.around(values), runs.elsewhere(values)]


def _by_group(design: Design, values: Tensor) -> Tensor:
    """[groups, q] float64: sums of squares over each group of documents."""
    found = torch.zeros(_GROUPS, values.shape[1], dtype=torch.float64)
    return found.index_add_(0, design.group, values.square().double())


def _shares(above: Tensor, variance: Tensor, place: int | None = None) -> Shares:
    """Of sums [groups, s, q] of the variance [groups, q]; those of one source alone where `place` says which."""
    found = jackknife_ratio(above, variance[:, None].expand_as(above).contiguous())
    return Shares(*(part if place is None else part[place] for part in found))
