"""A network's own units in the place of an SAE's latents: the columns of the matrix, which have no directions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.reading.batches import Firing
from analysis.reading.sae import LoadedSae
from analysis.statistics.geometry import Partners

UNITS = "units"
"""What the store calls the architecture of what is none."""


@dataclass(frozen=True)
class Units(LoadedSae):
    """Read like an SAE whose activations are the matrix itself.

    `decoder` is [N, 1] zeros: there is nothing that a unit writes, so nothing made of directions is measured.
    """

    width: int = 0
    above: float | None = None
    """A unit is on above it; without one, where it is not 0."""

    @property
    def d_in(self) -> int:
        """N."""
        return self.width

    @property
    def d_out(self) -> int:
        """N."""
        return self.width

    @property
    def signed(self) -> bool:
        """Values may be negative, unless what is on is above 0."""
        return self.above is None or self.above < 0

    @property
    def settings(self) -> str:
        """What fixes when a unit is on."""
        return str(self.above)

    def encode(self, x: Tensor) -> Tensor:
        """[n, N] -> the values where a unit is on, else 0."""
        return x if self.above is None else torch.where(x > self.above, x, 0.0)

    def fire(self, x: Tensor) -> Firing:
        """[n, N] -> the entries that are on, unit by unit.

        Looked for in the transposed matrix they come in that order, so that nothing is sorted.
        """
        turned = x.T.contiguous()
        on = turned != 0 if self.above is None else (turned > self.above) & (turned != 0)
        flat = torch.nonzero(on.flatten()).flatten()
        starts = torch.zeros(len(turned) + 1, dtype=torch.int64)
        starts[1:] = on.sum(1).cumsum(0)
        unit = torch.repeat_interleave(torch.arange(len(turned)), starts.diff())
        return Firing(flat - unit * len(x), unit, turned.flatten()[flat], starts)

    def decode(self, acts: Tensor) -> Tensor:
        """They are what they rebuild."""
        return acts


def units(source: str, sha256: str, name: str, layer: int, width: int, above: float | None) -> Units:
    """The columns of a matrix."""
    details: dict[str, Any] = {"above": above}
    return Units(
        module=None, source=source, sha256=sha256, former=[], hook_point=name, hook_out=name, layer=layer,
        architecture=UNITS, dtype="float32", encoder=None, decoder=torch.zeros(width, 1), bias=None, details=details,
        training=None, width=width, above=above,
    )  # fmt: skip


def no_partners(count: int) -> Partners:
    """Of what has no directions."""
    nothing, nobody = torch.full((count,), torch.nan, dtype=torch.float64), torch.full((count,), -1)
    no = torch.zeros(count, dtype=torch.bool)
    return Partners(nothing, nobody, nothing, nothing, no, no, nobody, nothing, nobody, nothing)
