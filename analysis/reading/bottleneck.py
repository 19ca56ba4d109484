"""A linear bottleneck beside an SAE: x̂ = W_out W_in (x - b) + SAE(what it leaves of x).

The latents read and rebuild what the bottleneck leaves, x - W_out W_in (x - b), so that none can carry what it carries
already (after Deng et al., arXiv 2606.14040, who add it in parallel to the SAE). sae-lens knows of no such thing: its
own files stay what they are, an SAE of what is left, and the bottleneck lies beside them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import BadFile
from analysis.hashing import sha256_file
from analysis.reading.sae_files import check_finite, check_safetensors

BOTTLENECK = "bottleneck.safetensors"
_NAMES = ("W_in", "W_out", "b")


class Bottleneck(nn.Module):
    """W_out W_in (x - b).

    Args:
        w_in: [R, d_in] float32.
        w_out: [d_in, R] float32.
        b: [d_in] float32.
        trained: whether an optimizer may change them.
    """

    w_in: Tensor
    w_out: Tensor
    b: Tensor

    def __init__(self, w_in: Tensor, w_out: Tensor, b: Tensor, trained: bool = False) -> None:
        super().__init__()
        for name, tensor in (("w_in", w_in), ("w_out", w_out), ("b", b)):
            if trained:
                self.register_parameter(name, nn.Parameter(tensor.clone()))
            else:
                self.register_buffer(name, tensor.clone())

    @property
    def rank(self) -> int:
        """R."""
        return self.w_in.shape[0]

    def codes(self, x: Tensor) -> Tensor:
        """[n, d_in] -> [n, R]: what goes through."""
        return (x - self.b) @ self.w_in.T

    def forward(self, x: Tensor) -> Tensor:
        """[n, d_in] -> [n, d_in]: its part of the reconstruction, exact under autocast, too."""
        with torch.autocast(x.device.type, enabled=False):
            return self.codes(x.float()) @ self.w_out.T

    def rest(self, x: Tensor) -> Tensor:
        """[n, d_in] -> [n, d_in]: what it leaves, which the latents read and rebuild."""
        found: Tensor = x - self(x)
        return found

    def seen_by(self, encoder: Tensor) -> Tensor:
        """Encoder directions [N, d_in] of what is left -> the same as directions of x itself."""
        return encoder - (encoder @ self.w_out) @ self.w_in

    def span(self) -> Tensor:
        """Orthonormal basis [d_in, R'] float64 of what it writes to; R' is less than R where it does not use all."""
        left, values, _right = torch.linalg.svd(self.w_out.detach().double() @ self.w_in.detach().double())
        basis: Tensor = left[:, : self.rank][:, values[: self.rank] > 1e-3 * values[0]]
        return basis

    @torch.no_grad()
    def rescale(self, factor: float) -> None:
        """From activations that were multiplied by `factor` to those as they are."""
        self.b.div_(factor)


def save_bottleneck(bottleneck: Bottleneck, folder: Path, kind: str) -> dict[str, Any]:
    """Write it beside an SAE, in float32.

    Returns:
        what `cfg.json` is to say of it, under `metadata.bottleneck`.
    """
    from safetensors.torch import save_file

    path = folder / BOTTLENECK
    names = zip(_NAMES, (bottleneck.w_in, bottleneck.w_out, bottleneck.b), strict=True)
    save_file({name: tensor.detach().float().cpu().contiguous() for name, tensor in names}, path)
    path.chmod(0o644)
    return {"rank": bottleneck.rank, "kind": kind, "sha256": sha256_file(path)}


def load_bottleneck(folder: Path, stated: Any, d_in: int, device: str = "cpu") -> Bottleneck | None:
    """The bottleneck that lies in an SAE's folder; None where there is none.

    Args:
        stated: what the configuration says of it: `metadata.bottleneck`.
        d_in: what the SAE reads.

    Raises:
        BadFile: the configuration and the folder do not agree, another file than was written, other shapes, no numbers.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / BOTTLENECK
    if stated is None and not path.exists():
        return None
    rank, digest = (stated.get(name) for name in ("rank", "sha256")) if isinstance(stated, dict) else (None, None)
    if not isinstance(rank, int) or rank < 1:
        raise BadFile(path, "a bottleneck's rank in cfg.json (metadata.bottleneck.rank)", str(stated)[:80])
    if not path.exists():
        raise BadFile(path, f"the bottleneck of rank {rank} that cfg.json speaks of", "no such file")
    check_safetensors(path)
    if (found := sha256_file(path)) != digest:
        raise BadFile(path, f"SHA-256 {digest} (from cfg.json)", found)
    try:
        tensors = load_file(path, device=device)
    except SafetensorError as error:
        raise BadFile(path, "a safetensors file", str(error)) from error
    shapes = {"W_in": [rank, d_in], "W_out": [d_in, rank], "b": [d_in]}
    there = {name: list(tensor.shape) for name, tensor in tensors.items()}
    if there != shapes:
        raise BadFile(path, f"tensors {shapes}", f"{there}")
    check_finite(iter(tensors.items()), str(path))
    w_in, w_out, b = (tensors[name].float() for name in _NAMES)
    return Bottleneck(w_in, w_out, b)
