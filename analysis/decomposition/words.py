"""What the present word says of a signal: its embedding, then its type's mean.

Type means alone know nothing of rare types, and whatever goes with a token's identity would stand in for the word
there. So the word is first a ridge regression on the token's embedding, which rare types share; only then the mean of
what is left of its type, shrunken. Sources that come after the word lose what the word says of *them* in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from analysis.decomposition.folds import FOLDS
from analysis.decomposition.ridge import Factors, best_elsewhere, factored, weights

MOST_COLUMNS = 768  # principal components of the embeddings that are used
SHRINKAGE = (0.5, 2.0, 8.0, 32.0, 128.0)  # tokens of the overall mean that are added to a type's


@dataclass(frozen=True)
class Words:
    """Types of n tokens; P pairs of a fold and a type that occurs in it, fold by fold."""

    pair: Tensor  # [n] int64: each token's
    kind: Tensor  # [P] int64: its type, 0 to T - 1
    sizes: list[int]  # pairs of each fold
    tokens: Tensor  # [P] float32: tokens of each pair
    vectors: Tensor  # [T, e] float32: components of the types' embeddings, mean 0 over tokens
    factors: Factors

    def predicted(self, values: Tensor) -> Tensor:
        """[n, q] float32: what the words of the other folds say of `values` [n, q], about mean 0."""
        linear, by_type = self.parts(values)
        return linear + by_type

    def parts(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """What the embedding says, and what the type's mean says beyond it: [n, q] each."""
        here = torch.zeros(len(self.kind), values.shape[1]).index_add_(0, self.pair, values)
        by_fold = list(zip(self._by_fold(here), self._by_fold(self.kind), strict=True))
        crosses = torch.stack([self.vectors[kind].T @ some for some, kind in by_fold])
        weight = weights(self.factors, crosses)
        linear = torch.cat([self.vectors[kind] @ one for (_some, kind), one in zip(by_fold, weight, strict=True)])
        return linear[self.pair], self._by_type(here, linear)[self.pair]

    def _by_fold(self, pairs: Tensor) -> tuple[Tensor, ...]:
        return torch.split(pairs, self.sizes)

    def _by_type(self, here: Tensor, linear: Tensor) -> Tensor:
        """[P, q]: each type's mean over the other folds of what the embedding leaves, shrunken.

        Args:
            here: [P, q] sums of the values. linear: [P, q] what the embedding says.
        """
        total = torch.zeros(len(self.vectors), here.shape[1]).index_add_(0, self.kind, here)
        tokens = torch.zeros(len(self.vectors)).index_add_(0, self.kind, self.tokens)
        elsewhere = (tokens[self.kind] - self.tokens)[:, None]
        rest = total[self.kind] - here - elsewhere * linear
        own = here - self.tokens[:, None] * linear
        shares = 1 / (torch.tensor(SHRINKAGE)[:, None] + elsewhere.T)  # [l, P]
        pieces = zip(*map(self._by_fold, (shares.T, self.tokens, rest, own)), strict=True)
        errors = [
            (share.T.square() * tokens) @ left.square() - 2 * share.T @ (left * goal)
            for share, tokens, left, goal in pieces
        ]
        chosen, used = best_elsewhere(torch.stack(errors, 1))
        fold = torch.repeat_interleave(torch.arange(FOLDS), torch.tensor(self.sizes))
        shrinkage = torch.tensor(SHRINKAGE)[chosen][fold]  # [P, q]
        return rest / (elsewhere + shrinkage) * used[fold]


def words_of(token: Tensor, fold: Tensor, table: Tensor, types: Tensor) -> Words:
    """The words of a sample.

    Args:
        token: [n] int64: vocabulary ids. fold: [n] int64.
        types: [T] int64: the ids that occur, ascending. table: [T, D]: their embeddings.
    """
    kind = torch.searchsorted(types, token)
    found, pair, tokens = torch.unique(fold * len(types) + kind, return_inverse=True, return_counts=True)
    vectors = vectors_of(table.float(), torch.bincount(kind, minlength=len(types)))
    of_fold, kinds = found // len(types), found % len(types)
    sizes = torch.bincount(of_fold, minlength=FOLDS).tolist()
    counts = tokens.float()
    grams = torch.stack([
        (vectors[some] * count[:, None]).T @ vectors[some]
        for some, count in zip(torch.split(kinds, sizes), torch.split(counts, sizes), strict=True)
    ])  # fmt: skip
    return Words(pair, kinds, sizes, counts, vectors, factored(grams))


def vectors_of(table: Tensor, tokens: Tensor) -> Tensor:
    """[T, e]: components of the embeddings [T, D], and two things that are not linear in them: the embedding's length
    and how often the type occurs in the sample. Both go with the norm of the residual vector.
    """
    found = components(table, tokens, MOST_COLUMNS)
    weight = (tokens / tokens.sum())[:, None].float()
    more = torch.stack([table.norm(dim=1), (1.0 + tokens).log()], 1)
    more = more - (weight * more).sum(0)
    spread = (weight * more.square()).sum(0).sqrt().clamp(min=1e-6)
    size = (weight * found.square()).sum().sqrt()  # of the whole, so that they are hardly shrunken
    return torch.cat([found, more / spread * size], 1)


def components(table: Tensor, tokens: Tensor, most: int) -> Tensor:
    """[T, e <= most] float32: principal components of the rows [T, D], each weighted by its tokens [T]; mean 0."""
    weight = (tokens / tokens.sum())[:, None].float()
    centred = table - (weight * table).sum(0)
    if table.shape[1] <= most:
        return centred
    _roots, basis = torch.linalg.eigh(((weight * centred).T @ centred).double())
    found: Tensor = centred @ basis[:, -most:].float()
    return found
