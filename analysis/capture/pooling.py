"""What a module gave -> rows of activations: which dimension is the features, and what becomes of the positions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import UserError

POOLS = ("mean", "max", "last", "each")
CHANNELS = ("first", "last")
_CONVOLUTIONS = {
    1: (nn.Conv1d, nn.ConvTranspose1d),
    2: (nn.Conv2d, nn.ConvTranspose2d),
    3: (nn.Conv3d, nn.ConvTranspose3d),
}
_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_OF_SEQUENCES = (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d)


@dataclass(frozen=True)
class Layout:
    """How a module's tensor is read.

    Args:
        channels: where the features are: `first` after the batch, or `last`.
        guessed: whether nobody said so.
    """

    channels: str
    guessed: bool

    def words(self, shape: tuple[int, ...]) -> str:
        """The dimensions by name, such as `batch, feature, y, x`."""
        between = list(places(shape, self.channels))
        if len(shape) < 3:
            return ", ".join(["batch", "feature"][: len(shape)])
        return ", ".join(["batch", *(["feature", *between] if self.channels == "first" else [*between, "feature"])])


@dataclass(frozen=True)
class Pooled:
    """Rows of one module in one forward.

    Args:
        values: `[examples * positions, features]`, on the CPU, a copy.
        sizes: the positions' dimensions by name, for `each`; else empty.
        examples: rows of the batch.
    """

    values: Tensor
    sizes: Mapping[str, int]
    examples: int


def first_tensor(given: Any) -> Tensor | None:
    """The first tensor in what a module gave or got: of a tuple, a list, a mapping, in depth."""
    if isinstance(given, Tensor):
        return given
    if isinstance(given, Mapping):
        given = list(given.values())
    if isinstance(given, (tuple, list)):
        return next((found for part in given if (found := first_tensor(part)) is not None), None)
    return None


def layout(name: str, module: nn.Module, model: nn.Module, shape: tuple[int, ...], said: str | None) -> Layout:
    """Where the features are.

    Raises:
        UserError: convolutions without a batch dimension; what may be either, and nobody said which.
    """
    for space, classes in _CONVOLUTIONS.items():
        if isinstance(module, classes) and len(shape) != space + 2:
            raise UserError(f"module {name!r} gave {list(shape)}; expected a batch dimension before its channels")
    if said is not None:
        return Layout(said, False)
    if len(shape) > 2 and isinstance(module, (*_NORMS, *(one for every in _CONVOLUTIONS.values() for one in every))):
        return Layout("first", True)
    if len(shape) > 3 or (len(shape) == 3 and _may_be_convolved(module, model)):
        raise UserError(
            f"module {name!r} ({type(module).__name__}) gave {list(shape)}, and the features may be its second or its "
            f'last dimension; say channels="first" ({shape[1]} features) or channels="last" ({shape[-1]})'
        )
    return Layout("last", True)


def _may_be_convolved(module: nn.Module, model: nn.Module) -> bool:
    """An activation function keeps the layout of whatever stands before it, which nothing tells."""
    if any(isinstance(part, _OF_SEQUENCES) for part in module.modules()):
        return True
    if next(module.parameters(), None) is not None:
        return False
    return any(isinstance(part, _OF_SEQUENCES) for part in model.modules())


def places(shape: tuple[int, ...], channels: str) -> dict[str, int]:
    """The dimensions of positions by name: `position`; `y`, `x`; `z`, `y`, `x`; further ones by number."""
    between = shape[2:] if channels == "first" else shape[1:-1]
    if len(between) == 1:
        return {"position": between[0]}
    names = ["z", "y", "x"][-len(between) :] if len(between) <= 3 else [f"position{i}" for i in range(len(between))]
    return dict(zip(names, between, strict=True)) if between else {}


def pooled(taken: Tensor, channels: str, pool: str, dtype: torch.dtype) -> Pooled:
    """One row an example, or one a position.

    Args:
        taken: `[batch]`, `[batch, features]`, or with dimensions between or behind.
        channels: where the features are.
        pool: one of `POOLS`; the mean is taken in float32 or better.
        dtype: of the rows.

    Returns:
        a copy: what the module gave may be changed in place by the next one.
    """
    sizes = places(tuple(taken.shape), channels) if taken.dim() > 2 else {}
    wide = taken.detach()
    wide = wide if wide.dtype == torch.float64 else wide.float()
    if wide.dim() == 1:
        wide = wide[:, None]
    rows = wide.movedim(1, -1) if channels == "first" else wide
    rows = rows.flatten(1, -2) if rows.dim() > 2 else rows[:, None]
    if pool == "each":
        values, kept = rows.reshape(-1, rows.shape[-1]), sizes
    else:
        values, kept = _over_positions(rows, pool), {}
    return Pooled(values.to("cpu", dtype, copy=True), kept, taken.shape[0])


def _over_positions(rows: Tensor, pool: str) -> Tensor:
    if rows.shape[1] == 0:
        raise UserError(f"a forward has no positions to take the {pool} of; found {list(rows.shape)}")
    if pool == "mean":
        return rows.mean(1)
    return rows.amax(1) if pool == "max" else rows[:, -1]


def positions(sizes: Mapping[str, int]) -> list[tuple[int, ...]]:
    """The place of each row of one example, in the order of `sizes`."""
    return list(product(*(range(size) for size in sizes.values())))
