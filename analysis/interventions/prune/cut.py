"""The tensors of an SAE without some of its latents. Which axes belong to latents, sae-lens itself says."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from analysis.errors import UserError
from analysis.reading.sae import WEIGHTS, LoadedSae

Tensors = dict[str, Tensor]


def tensors_of(sae: LoadedSae) -> tuple[Tensors, str]:
    """All tensors, on the CPU, and their type as cfg.json names it.

    As they lie on disk, bit for bit, where sae-lens takes them as they are; else as it converted them, in float32.
    """
    state = {name: tensor.detach().float().cpu() for name, tensor in sae.module.state_dict().items()}
    file = Path(sae.source) / WEIGHTS
    if file.exists():
        there = load_file(file)
        if {name: tensor.shape for name, tensor in there.items()} == {name: t.shape for name, t in state.items()}:
            return there, sae.dtype
    return state, "float32"


def latent_axes(sae: LoadedSae) -> dict[str, int | None]:
    """Tensor -> the axis along which its latents lie; None where it has none.

    Found by holding its shapes against those of an empty SAE of the same kind that is one latent narrower: the
    shapes alone would not tell where there are as many latents as dimensions.

    Raises:
        UserError: an SAE that cannot be cut latent by latent.
    """
    if hasattr(sae.module.cfg, "d_out"):
        raise UserError(f"{sae.source}: expected an SAE, which rebuilds what it reads; found a transcoder")
    narrower = _empty_shapes(sae, sae.n_latents - 1)
    return {name: _axis(sae, name, tensor.shape, narrower) for name, tensor in sae.module.state_dict().items()}


def without(tensors: Tensors, axes: dict[str, int | None], removed: list[int], width: int) -> tuple[Tensors, list[int]]:
    """The tensors without these latents, and the old index of each that is left."""
    kept = sorted(set(range(width)) - set(removed))
    rows = torch.tensor(kept)
    made = {}
    for name, tensor in tensors.items():
        axis = axes[name]
        made[name] = tensor if axis is None else tensor.index_select(axis, rows).contiguous()
    return made, kept


def check_room(sae: LoadedSae, removed: list[int]) -> None:
    """Refuse to leave fewer latents than are on per token.

    Raises:
        UserError: k, and what would be left.
    """
    k, left = sae.details.get("k"), sae.n_latents - len(removed)
    if isinstance(k, int | float) and left < k:
        raise UserError(f"{sae.source}: {k:g} latents are on per token; removing {len(removed)} would leave {left}")


def _empty_shapes(sae: LoadedSae, latents: int) -> dict[str, torch.Size]:
    config = replace(sae.module.cfg, d_sae=latents, device="meta")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            empty = type(sae.module)(config)
    except Exception as error:  # each architecture has its own rules of what widths it takes
        raise _not_cut(sae, f"{type(error).__name__}: {error}") from error
    return {name: tensor.shape for name, tensor in empty.state_dict().items()}


def _axis(sae: LoadedSae, name: str, shape: torch.Size, narrower: dict[str, torch.Size]) -> int | None:
    other = narrower.get(name)
    if other is None or len(other) != len(shape):
        raise _not_cut(sae, f"{name} of shape {list(shape)}")
    differ = [axis for axis, size in enumerate(shape) if size != other[axis]]
    if len(differ) > 1 or any(shape[axis] != sae.n_latents for axis in differ):
        raise _not_cut(sae, f"{name} of shape {list(shape)}")
    return differ[0] if differ else None


def _not_cut(sae: LoadedSae, found: str) -> UserError:
    return UserError(
        f"{sae.source}: expected an SAE whose tensors have one place for each latent; its architecture,"
        f" {sae.architecture}, has {found}"
    )
