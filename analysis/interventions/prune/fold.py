"""What the removed latents add on average, put into b_dec; the encoder reads on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.prune.cut import Tensors
from analysis.reading.corpus import ContextStream
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae

FOLDABLE = ("standard", "jumprelu", "topk", "abstopk", "gated")


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
    model: LanguageModel, sae: LoadedSae, stream: ContextStream, latents: list[int], tell: Callable[[int], None]
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
        tell(len(acts))
    return total / max(tokens, 1), tokens


def contribution(sae: LoadedSae, latents: list[int], means: Tensor) -> Tensor:
    """[d_in] float64: what these latents add to the reconstruction at their means, before any denormalisation.

    Where an SAE normalises its input token by token, it stretches its output, b_dec included, in the same way.
    """
    rows = sae.decoder[latents].double().cpu()
    if sae.details.get("rescale_acts_by_decoder_norm"):
        rows = rows / rows.norm(dim=1, keepdim=True)
    return means @ rows


def folded(sae: LoadedSae, tensors: Tensors, shift: Tensor) -> Tensors:
    """The tensors with `shift` [d_in] in b_dec. Biases that change are float32: rounded further, firing would change.

    Where b_dec is taken off the input before encoding, the encoder's biases take it back.
    """
    made = tensors | {"b_dec": (tensors["b_dec"].double() + shift).float()}
    if not sae.module.cfg.apply_b_dec_to_input:
        return made
    real = made["b_dec"].double() - tensors["b_dec"].double()
    seen = real @ tensors["W_enc"].double()
    by = {"b_enc": seen, "b_gate": seen}
    if "r_mag" in tensors:
        by["b_mag"] = seen * tensors["r_mag"].double().exp()
    return made | {name: (tensors[name].double() + more).float() for name, more in by.items() if name in tensors}
