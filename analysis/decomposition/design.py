"""What all signals of a run are regressed on: made once, since every SAE sees the same tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from analysis.decomposition import columns
from analysis.decomposition.folds import FOLDS, folds_of
from analysis.decomposition.past import Runs
from analysis.decomposition.ridge import Columns, columns_of
from analysis.decomposition.words import Words, components, words_of
from analysis.reading.batches import Sample
from analysis.reading.tags import Tags
from analysis.statistics.sampling import mix_bits

TOKENS = 16_384
"""Of the sample that are looked at, at most: with 40,000 the word has 2 to 7 hundredths more of the demo's dense
latents, since fewer words are new to a fold; of rare latents far more."""
PREVIOUS = 128  # components of the embeddings of each of the tokens before
SEPARATE = 1e-3  # ridge, per token, with which a source loses what sources before it say


@dataclass(frozen=True)
class Source:
    """One source: as it is, and without what the sources before it say of it."""

    alone: Columns
    beyond: Columns


@dataclass(frozen=True)
class Design:
    """n tokens of a sample, fold by fold, contexts and documents whole."""

    rows: Tensor  # [n] int64: which token of the sample each is
    sizes: list[int]  # tokens of each fold
    group: Tensor  # [n] int64: group of documents, for intervals
    words: Words
    sources: Mapping[str, Source]  # previous, position, shape: in their order
    runs: Runs

    def with_norm(self, norm: Tensor) -> dict[str, Source]:
        """The sources between the word and the signal's own values, with the norm of one layer.

        Args:
            norm: [n] of the design's tokens.
        """
        earlier = [source.beyond.values for source in self.sources.values()]
        return {**self.sources, "norm": _source(columns.length(norm), self.words, earlier, self.sizes)}


def design_of(
    sample: Sample, tags: Tags, embedding: Callable[[Tensor], Tensor], vocabulary: list[str], seed: int
) -> Design:
    """Of a sample whose massive tokens are still in.

    Args:
        tags: of its tokens.
        embedding: of vocabulary ids.
        vocabulary: the readable string of every id.
    """
    rows = _drawn(sample, seed)
    fold = folds_of(_part(sample, rows), seed)
    rows = rows[fold.argsort(stable=True)]
    part, fold = _part(sample, rows), fold.sort(stable=True).values
    sizes = torch.bincount(fold, minlength=FOLDS).tolist()
    types, kind = torch.unique(part.token, return_inverse=True)
    table = embedding(types).float()
    words = words_of(part.token, fold, table, types)
    narrow = components(table, torch.bincount(kind), PREVIOUS)
    blocks = {
        "previous": columns.previous(part.context, kind, narrow),
        "position": columns.position(part),
        "shape": columns.shape(tags.values[rows], part.token, vocabulary),
    }
    sources: dict[str, Source] = {}
    for name, block in blocks.items():
        earlier = [source.beyond.values for source in sources.values()]
        sources[name] = _source(block, words, earlier, sizes)
    group = sample.group[part.context]
    return Design(rows, sizes, group, words, sources, _runs(part))


def _source(block: Tensor, words: Words, earlier: list[Tensor], sizes: list[int]) -> Source:
    """What of a source's columns neither the words nor the earlier sources, which have lost the words, say."""
    block = block - block.mean(0)
    beyond = block - words.predicted(block)
    if earlier:
        before = torch.cat(earlier, 1)
        gram = (before.T @ before).double()
        gram += SEPARATE * len(before) * torch.eye(len(gram), dtype=torch.float64)
        beyond = beyond - before @ torch.linalg.solve(gram, (before.T @ beyond).double()).float()
    return Source(columns_of(block, sizes), columns_of(beyond, sizes))


def _drawn(sample: Sample, seed: int) -> Tensor:
    """[n] int64: the tokens of as many whole contexts as there is room for, drawn by hash, in the sample's order."""
    _numbers, sizes = torch.unique_consecutive(sample.context, return_counts=True)
    first = sizes.cumsum(0) - sizes
    order = mix_bits(sample.document * 2**32 + sample.begin[first], seed + 1).argsort()
    fits = sizes[order].cumsum(0) <= max(TOKENS, int(sizes[order[0]]))
    chosen = torch.zeros(len(sizes), dtype=torch.bool)
    chosen[order[fits]] = True
    found: Tensor = torch.nonzero(chosen.repeat_interleave(sizes)).flatten()
    return found


def _part(sample: Sample, rows: Tensor) -> Sample:
    flat = {name: getattr(sample, name)[rows] for name in Sample._fields if name not in ("document", "group")}
    return sample._replace(**flat)


def _runs(part: Sample) -> Runs:
    numbers, sizes = torch.unique_consecutive(part.context, return_counts=True)
    context = torch.arange(len(sizes)).repeat_interleave(sizes)
    document = torch.unique(part.document[numbers], return_inverse=True)[1]
    return Runs(sizes.cumsum(0) - sizes, sizes, context, document)
