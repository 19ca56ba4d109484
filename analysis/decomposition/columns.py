"""What is known of every token beside its word, as columns of numbers for regressions."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.reading.batches import Sample
from analysis.reading.tags import UNIVERSAL

_KNOTS = 10  # of distances: 0, 1, 3, 7 ... 511 tokens
_QUANTILES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def previous(context: Tensor, kind: Tensor, vectors: Tensor) -> Tensor:
    """[n, 2 e]: components of the embeddings [T, e] of the tokens one and two back, 0 where the context has none.

    Args:
        context, kind: [n] int64: of each token, contexts one after the other in reading order.
    """
    return torch.cat([_shifted(vectors[kind], context, back) for back in (1, 2)], 1)


def _shifted(values: Tensor, context: Tensor, back: int) -> Tensor:
    out = torch.zeros_like(values)
    same = context[back:] == context[:-back]
    out[back:] = values[:-back] * same[:, None]
    return out


def position(sample: Sample) -> Tensor:
    """[n, p]: linear splines of the logarithm of the distance from the start of context, paragraph and sentence."""
    distances = (sample.column, sample.paragraph, sample.sentence)
    return standard(torch.cat([_of_distance(distance) for distance in distances], 1))


def _of_distance(distance: Tensor) -> Tensor:
    """[n, knots + 1]; an unknown distance (-1) has a column of its own."""
    known = distance >= 0
    found = hats((1 + distance.clamp(min=0)).log2(), torch.arange(float(_KNOTS)))
    return torch.cat([found * known[:, None], (~known[:, None]).float()], 1)


def shape(tag: Tensor, token: Tensor, words: list[str]) -> Tensor:
    """[n, p]: part of speech, and how the token is written.

    Args:
        tag: [n] int64: index into UNIVERSAL, -1 unknown. token: [n] int64: vocabulary ids.
        words: of the vocabulary.
    """
    types, place = torch.unique(token, return_inverse=True)
    written = torch.tensor([_written(words[index]) for index in types.tolist()], dtype=torch.float32)
    return standard(torch.cat([torch.nn.functional.one_hot(tag + 1, len(UNIVERSAL) + 1).float(), written[place]], 1))


def _written(word: str) -> list[bool]:
    bare = word.strip()
    return [
        bare[:1].isupper(),
        bare.isupper() and len(bare) > 1,
        any(map(str.isdigit, bare)),
        bool(bare) and not any(map(str.isalnum, bare)),
        "\n" in word,
        word[:1].isspace(),  # the first piece of a word
    ]


def length(norm: Tensor) -> Tensor:
    """[n, p]: linear spline of the logarithm of the norm [n], knots at its quantiles; longer tails are flat."""
    logarithm = norm.clamp(min=1e-12).log()
    edges = torch.quantile(logarithm[: 1 << 23], torch.tensor(_QUANTILES))
    return standard(hats(logarithm, torch.unique(edges)))


def hats(values: Tensor, knots: Tensor) -> Tensor:
    """[n, knots]: how near each value [n] is to each of the ascending knots, linearly between neighbours; sums to 1."""
    held = values.clamp(float(knots[0]), float(knots[-1]))
    right = torch.bucketize(held, knots).clamp(1, max(1, len(knots) - 1))
    if len(knots) == 1:
        return torch.ones(len(values), 1)
    share = (held - knots[right - 1]) / (knots[right] - knots[right - 1])
    out = torch.zeros(len(values), len(knots))
    out.scatter_(1, right[:, None], share[:, None].float())
    return out.scatter_(1, right[:, None] - 1, 1 - share[:, None].float())


def standard(columns: Tensor) -> Tensor:
    """Mean 0 and variance 1 each; constant ones are left out."""
    centred = columns - columns.mean(0)
    spread = centred.square().mean(0).sqrt()
    return (centred / spread.clamp(min=1e-12))[:, spread > 1e-6]
