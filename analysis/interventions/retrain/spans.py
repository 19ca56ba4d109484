"""Subspaces: taken out of activations, with how much of their variance; and held against each other over seeds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.statistics.geometry import principal_cosines, span, unit_rows


class Removal(NamedTuple):
    """x' = x - V V^T (x - mean): docs/methods.md §4; nothing is removed where V has no columns."""

    basis: Tensor  # V: [d, r] float32, orthonormal columns
    mean: Tensor  # [d] float32; 0: literal zero ablation

    def __call__(self, x: Tensor) -> Tensor:
        """[n, d] -> [n, d], at the cost of 4 n d r operations."""
        if not self.basis.shape[1]:
            return x
        basis, mean = self.basis.to(x.device), self.mean.to(x.device)
        kept: Tensor = x - ((x - mean) @ basis) @ basis.T
        return kept

    def save(self, path: Path) -> None:
        """Keep it, so that an arm that goes on later removes the same to the last bit."""
        save_file({"basis": self.basis.contiguous(), "mean": self.mean.contiguous()}, path)

    @classmethod
    def load(cls, path: Path) -> Removal:
        """One that was saved."""
        return cls(**load_file(path))


RANDOM = 100  # random spans, or thousands of random directions, of the chance level
_DIRECTIONS = 2000


class Dictionary(NamedTuple):
    """What is left of an SAE here: its decoder [N, d] float32 and which of its latents are dense."""

    decoder: Tensor
    dense: list[int]


def angles(seeds: Sequence[tuple[int, Dictionary]], energy: float) -> list[dict[str, Any]]:
    """Every pair of seeds: how much their dense spans have in common.

    Returns:
        a dict a pair: seeds, dimensions, cosines of the principal angles, `shared` (their mean square: the mean share
        of a direction of the smaller span that lies in the larger), and the same of random spans of these dimensions.
    """
    spans = [(seed, span(one.decoder[one.dense], energy)) for seed, one in seeds if one.dense]
    return [_angle(a, b) for a, b in itertools.combinations(spans, 2)]


def _angle(a: tuple[int, Tensor], b: tuple[int, Tensor]) -> dict[str, Any]:
    (first, one), (second, other) = a, b
    cosines = principal_cosines(one, other)
    random = torch.Generator().manual_seed(0)
    chance = torch.stack([_random_cosines(one.shape, other.shape, random) for _ in range(RANDOM)])
    shared = chance.square().mean(1)
    return {
        "seeds": [first, second],
        "dimensions": [one.shape[1], other.shape[1]],
        "cosines": _rounded(cosines),
        "shared": round(float(cosines.square().mean()), 5),
        "chance": round(float(shared.mean()), 5),
        "chance_high": round(float(shared.quantile(0.95)), 5),
        "chance_cosines": _rounded(chance.mean(0)),
    }


def _random_cosines(one: torch.Size, other: torch.Size, random: torch.Generator) -> Tensor:
    bases = [torch.linalg.qr(torch.randn(*shape, generator=random, dtype=torch.float64)).Q for shape in (one, other)]
    return principal_cosines(*bases)


def _rounded(values: Tensor) -> list[float]:
    return [round(value, 5) for value in values.tolist()]


class FoundAgain(NamedTuple):
    """Whether latents come back under other seeds."""

    cosines: Tensor  # [latents, seeds] float64: the largest |cosine| with any latent of that seed
    found: Tensor  # [latents] int64: seeds in which it is at least the cut
    stable: Tensor  # [latents] bool: found in at least two thirds of the seeds
    chance: list[float]  # 95 % quantile over random directions, by seed


def find_again(directions: Tensor, dictionaries: Sequence[Tensor], cut: float) -> FoundAgain:
    """Look for decoder directions [m, d] among the rows of each dictionary [N, d]; the sign does not matter."""
    cosines = torch.stack([_largest(directions, each) for each in dictionaries], 1)
    random = torch.Generator().manual_seed(0)
    drawn = torch.randn(_DIRECTIONS, directions.shape[1], generator=random)
    chance = [float(_largest(drawn, each).quantile(0.95)) for each in dictionaries]
    found = (cosines >= cut).sum(1)
    return FoundAgain(cosines, found, 3 * found >= 2 * len(dictionaries), chance)


def _largest(directions: Tensor, dictionary: Tensor) -> Tensor:
    return (unit_rows(directions) @ unit_rows(dictionary).T).abs().max(1).values.double()
