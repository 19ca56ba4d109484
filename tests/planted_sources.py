"""Signals whose sources are known: a random text, and parts of known variance on its tokens."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from analysis.decomposition.decompose import Decomposition, decompose
from analysis.decomposition.design import Design, design_of
from analysis.reading.batches import Sample
from analysis.reading.tags import Tags

TYPES, WIDTH = 3000, 32
FREQUENT = 200  # types that make up four fifths of the text; all others are rare


@dataclass(frozen=True)
class Text:
    """n tokens of random words, 2 contexts a document, with an embedding for every type and a norm for every token."""

    sample: Sample
    table: Tensor  # [TYPES, WIDTH]: frequent types have the first half of the columns, rare ones the second
    norm: Tensor  # [n]
    random: torch.Generator

    @property
    def rare(self) -> Tensor:
        """[n] bool."""
        return self.sample.token >= FREQUENT

    def noise(self, count: int = 1) -> Tensor:
        """[n, count] white."""
        return torch.randn(len(self.norm), count, generator=self.random)

    def of_type(self, rare: bool) -> Tensor:
        """[n, 1]: linear in the embedding, variance 1; of the rare types only, or of the frequent ones only."""
        half = slice(WIDTH // 2, WIDTH) if rare else slice(0, WIDTH // 2)
        direction = torch.randn(WIDTH // 2, 1, generator=self.random)
        return unit(self.table[self.sample.token][:, half] @ direction)

    def slow(self, half_life: float, count: int = 1) -> Tensor:
        """[n, count]: a state that runs through each context; its variance is 1 over all texts."""
        keep = 0.5 ** (1 / half_life)
        steps = self.noise(count).view(len(self.sample.document), -1, count)
        state = [steps[:, 0]]
        for place in range(1, steps.shape[1]):
            state.append(keep * state[-1] + (1 - keep**2) ** 0.5 * steps[:, place])
        return torch.stack(state, 1).flatten(0, 1)

    def without_embeddings(self) -> Text:
        """The same, every type's embedding being as good as any."""
        return replace(self, table=torch.ones_like(self.table))

    def design(self) -> Design:
        """What its signals are regressed on."""
        tags = Tags(torch.zeros_like(self.sample.token), "planted")
        words = [f" {'Ww'[number % 2]}{number}" for number in range(TYPES)]
        return design_of(self.sample, tags, lambda ids: self.table[ids], words, 0)

    def decomposed(self, signals: Tensor, norm: Tensor | None = None) -> Decomposition:
        """Of signals [n, q], all tokens being ordinary."""
        design = self.design()
        norm = self.norm if norm is None else norm
        return decompose(
            design, norm[design.rows], torch.ones(len(design.rows), dtype=torch.bool), signals[design.rows]
        )


def text(seed: int, documents: int = 48, size: int = 128) -> Text:
    """Documents of two contexts of `size` tokens."""
    random = torch.Generator().manual_seed(seed)
    contexts = 2 * documents
    n = contexts * size
    frequent = torch.randint(FREQUENT, (n,), generator=random)
    rare = torch.randint(FREQUENT, TYPES, (n,), generator=random)
    token = torch.where(torch.rand(n, generator=random) < 0.8, frequent, rare)
    table = torch.randn(TYPES, WIDTH, generator=random)
    table[:FREQUENT, WIDTH // 2 :] = 0
    table[FREQUENT:, : WIDTH // 2] = 0
    column = torch.arange(size).repeat(contexts)
    document = torch.arange(contexts) // 2
    sample = Sample(
        token=token,
        context=torch.arange(contexts).repeat_interleave(size),
        column=column,
        paragraph=column % 60,
        sentence=column % 17,
        begin=4 * torch.arange(n),
        document=document,
        group=document % 64,
    )
    return Text(sample, table, torch.exp(0.3 * torch.randn(n, generator=random)), random)


def unit(values: Tensor) -> Tensor:
    """Mean 0 and variance 1 each."""
    centred = values - values.mean(0)
    return centred / centred.square().mean(0).sqrt()
