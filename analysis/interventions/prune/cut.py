"""The tensors of an SAE or transcoder without some of its latents, and what those added on average put into b_dec.

Which axes belong to latents, sae-lens itself says. Where the mean is folded in, the encoder reads on as if nothing had
happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from analysis.errors import UserError
from analysis.process.library import library_warnings
from analysis.process.progress import Progress
from analysis.reading.corpus import ContextStream
from analysis.reading.described import TRANSCODERS
from analysis.reading.model import LanguageModel
from analysis.reading.sae import WEIGHTS, LoadedSae

Tensors = dict[str, Tensor]


def tensors_of(sae: LoadedSae) -> tuple[Tensors, str]:
    """All tensors, on the CPU, and their type as cfg.json names it.

    As they lie on disk, bit for bit, where sae-lens takes them as they are; else as it converted them, in float32.
    """
    state = {name: tensor.detach().float().cpu() for name, tensor in sae.core.state_dict().items()}
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
    narrower = _empty_shapes(sae, sae.n_latents - 1)
    return {name: _axis(sae, name, tensor.shape, narrower) for name, tensor in sae.core.state_dict().items()}


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
    config = replace(sae.core.cfg, d_sae=latents, device="meta")
    try:
        with library_warnings(f"an empty copy of {sae.source}"):
            empty = type(sae.core)(config)
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


FOLDABLE = ("standard", "jumprelu", "topk", "abstopk", "gated", *sorted(TRANSCODERS))


def check_foldable(sae: LoadedSae) -> None:
    """Refuse an architecture whose b_dec does not only stand in the output, or whose encoder has no bias to mend.

    Raises:
        UserError: the architecture.
    """
    if sae.architecture not in FOLDABLE:
        raise UserError(
            f"{sae.source}: the mean can be folded into SAEs of the kinds {', '.join(FOLDABLE)}; found"
            f" {sae.architecture}: use --no-fold-mean"
        )


def mean_activations(
    model: LanguageModel, sae: LoadedSae, stream: ContextStream, latents: list[int], progress: Progress
) -> tuple[Tensor, int]:
    """Means of some latents over all counted tokens, massive ones too, tokens where they are off included.

    Returns:
        [latents] float64, and how many tokens.
    """
    total, tokens = torch.zeros(len(latents), dtype=torch.float64), 0
    for batch in stream.batches():
        x = model.read(batch.ids, batch.attention, [sae.hook_point])[sae.hook_point]
        acts = sae.encode(x[batch.mask.to(x.device)])[:, latents]
        total += acts.sum(0, dtype=torch.float64).cpu()
        tokens += len(acts)
        progress(len(acts))
    return total / max(tokens, 1), tokens


def contribution(sae: LoadedSae, latents: list[int], means: Tensor) -> Tensor:
    """[d_out] float64: what these latents add to the reconstruction at their means, before any denormalisation.

    Where an SAE normalises its input token by token, it stretches its output, b_dec included, in the same way.
    """
    rows = sae.decoder[latents].double().cpu()
    if sae.details.get("rescale_acts_by_decoder_norm"):
        rows = rows / rows.norm(dim=1, keepdim=True)
    return means @ rows


def folded(sae: LoadedSae, tensors: Tensors, shift: Tensor) -> Tensors:
    """The tensors with `shift` [d_out] in b_dec. Biases that change are float32: rounded further, firing would change.

    Where b_dec is taken off the input before encoding, the encoder's biases take it back.
    """
    made = tensors | {"b_dec": (tensors["b_dec"].double() + shift).float()}
    if not sae.core.cfg.apply_b_dec_to_input:
        return made
    real = made["b_dec"].double() - tensors["b_dec"].double()
    seen = real @ tensors["W_enc"].double()
    by = {"b_enc": seen, "b_gate": seen}
    if "r_mag" in tensors:
        by["b_mag"] = seen * tensors["r_mag"].double().exp()
    return made | {name: (tensors[name].double() + more).float() for name, more in by.items() if name in tensors}
