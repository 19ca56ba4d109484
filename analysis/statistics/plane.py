"""Directions on a plane: two principal components about the origin, so that mirror images lie opposite each other.

PCA and not UMAP or t-SNE: those place neighbours well, but a mirror image is no neighbour, and where it lands would
mean nothing. The cost is that a plane holds only a part of what there is; how much is kept with it, and said.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.statistics.geometry import unit_rows

AXES = 2


class Plane(NamedTuple):
    """A plane through the origin."""

    axes: Tensor
    """[D, 2] float64, orthonormal; zero where there are fewer directions than axes."""
    share: float | None
    """Of the summed squared length of the unit directions, 0 to 1; None without one."""

    def places(self, directions: Tensor) -> Tensor:
        """[n, D] -> [n, 2] float64: the cosines with the two axes."""
        places: Tensor = unit_rows(directions.cpu().double()) @ self.axes
        return places


def plane(directions: Tensor) -> Plane:
    """The plane that holds most of some directions. The same numbers give the same plane: nothing is drawn, and of each
    axis the number largest in size is positive.

    Not centred: a pair d, -d has its mean at the origin, and only a plane through it shows both ends equally far out.
    The smaller of the two Gram matrices is taken apart: [n, n] of the few hundred dense latents that most SAEs have.

    Args:
        directions: [n, D], of any length; one of length zero counts for nothing.
    """
    unit = unit_rows(directions.cpu().double())
    rows, width = unit.shape
    axes = torch.zeros(width, AXES, dtype=torch.float64)
    total = float(unit.square().sum())
    if total == 0:
        return Plane(axes, None)
    values, vectors = torch.linalg.eigh(unit @ unit.T if rows < width else unit.T @ unit)
    found = int((values[-AXES:] > 1e-9 * values[-1]).sum())
    largest = vectors[:, -found:].flip(1)
    largest = unit_rows((unit.T @ largest).T).T if rows < width else largest
    axes[:, :found] = largest * largest.gather(0, largest.abs().argmax(0, keepdim=True)).sign()
    return Plane(axes, float((unit @ axes).square().sum()) / total)
