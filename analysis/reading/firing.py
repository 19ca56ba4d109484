"""Which latents fire on which tokens: an SAE's activations as a list, without the dense matrix where it can be helped.

sae-lens' last steps of a (Jump)ReLU SAE turn what its encoder gives into activations by four passes over a matrix of
which one number in seventy will not be 0. Here they are replaced by one comparison; all before them stays sae-lens'.
The values are the same, bit by bit. Cost: two classes of sae-lens are known by name.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn

from analysis.reading.batches import Firing

_RELU = "sae_lens.saes.standard_sae.StandardSAE"
_JUMP = "sae_lens.saes.jumprelu_sae.JumpReLUSAE"
_ENTRIES = 2**26  # activations in memory at once: 256 MB, and two or three times that within sae-lens


class _Done(Exception):  # noqa: N818 - no error: it ends the encoding early
    """The encoder has given all that is needed."""


def at_once(latents: int) -> int:
    """Tokens that an SAE of so many latents encodes together."""
    return max(1, _ENTRIES // max(latents, 1))


def fire(module: Any, x: Tensor, latents: int) -> Firing:
    """What `module.encode` of x [n, d_in] has that is not 0, of so many latents.

    Of a wide SAE some tokens are encoded at a time: how many depends on its width alone, so that the numbers do.
    """
    size = at_once(latents)
    if len(x) <= size:
        return _fire(module, x)
    parts = [_fire(module, some) for some in x.split(size)]  # type: ignore[no-untyped-call]
    token = torch.cat([part.token + place * size for place, part in enumerate(parts)])
    latent, value = (torch.cat([getattr(part, name) for part in parts]) for name in ("latent", "value"))
    latent, order = latent.sort(stable=True)
    return Firing(token[order], latent, value[order], torch.stack([part.starts for part in parts]).sum(0))


def _fire(module: Any, x: Tensor) -> Firing:
    kind = f"{type(module).__module__}.{type(module).__qualname__}"
    if kind not in (_RELU, _JUMP) or not isinstance(module.activation_fn, nn.ReLU):
        acts = module.encode(x).float()
        return listed(acts, acts != 0)
    given = _given(module, x)
    return listed(given.float(), given > (module.threshold.clamp(min=0) if kind == _JUMP else 0))


def listed(values: Tensor, on: Tensor) -> Firing:
    """The entries of `values` [n, N] where `on`."""
    latents = values.shape[1]
    flat = torch.nonzero(on.flatten()).flatten()
    latent, order = (flat % latents).int().sort(stable=True)  # half of what int64 costs
    flat, latent = flat[order], latent.long()
    starts = torch.zeros(latents + 1, dtype=torch.int64, device=flat.device)
    starts[1:].index_add_(0, latent, torch.ones_like(latent))
    return Firing(flat // latents, latent, values.flatten()[flat], starts.cumsum(0))


def _given(module: Any, x: Tensor) -> Tensor:
    """What the encoder gives [n, N], before its activation function."""
    found: list[Tensor] = []

    def stop(_hook: nn.Module, given: tuple[Tensor, ...]) -> None:
        found.append(given[0])
        raise _Done

    handle = module.hook_sae_acts_pre.register_forward_pre_hook(stop)
    try:
        with suppress(_Done):
            module.encode(x)
    finally:
        handle.remove()
    return found[0]
