"""SAEs of one arm held against each other: principal angles of their dense spans, and latents found again."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.interventions.retrain.removal import span
from analysis.statistics.geometry import unit_rows

RANDOM = 100  # random spans, or thousands of random directions, of the chance level
_DIRECTIONS = 2000


class Dictionary(NamedTuple):
    """What is left of an SAE here: its decoder [N, d] float32 and which of its latents are dense."""

    decoder: Tensor
    dense: list[int]


def principal_cosines(one: Tensor, other: Tensor) -> Tensor:
    """Cosines of the principal angles between the spans of two orthonormal bases [d, r], [d, s], largest first."""
    found: Tensor = torch.linalg.svdvals(one.double().T @ other.double()).clamp(max=1.0)
    return found


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


class Found(NamedTuple):
    """Whether latents come back under other seeds."""

    cosines: Tensor  # [latents, seeds] float64: the largest |cosine| with any latent of that seed
    found: Tensor  # [latents] int64: seeds in which it is at least the cut
    stable: Tensor  # [latents] bool: found in at least two thirds of the seeds
    chance: list[float]  # 95 % quantile over random directions, by seed


def find_again(directions: Tensor, dictionaries: Sequence[Tensor], cut: float) -> Found:
    """Look for decoder directions [m, d] among the rows of each dictionary [N, d]; the sign does not matter."""
    cosines = torch.stack([_largest(directions, each) for each in dictionaries], 1)
    random = torch.Generator().manual_seed(0)
    drawn = torch.randn(_DIRECTIONS, directions.shape[1], generator=random)
    chance = [float(_largest(drawn, each).quantile(0.95)) for each in dictionaries]
    found = (cosines >= cut).sum(1)
    return Found(cosines, found, 3 * found >= 2 * len(dictionaries), chance)


def _largest(directions: Tensor, dictionary: Tensor) -> Tensor:
    return (unit_rows(directions) @ unit_rows(dictionary).T).abs().max(1).values.double()
