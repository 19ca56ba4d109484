"""A penalty on latents that fire on many tokens, quadratic in their frequency, added to sae-lens' own losses.

Weight x sum over latents of max(0, f - above)² / above, where f is the share of the batch's tokens on which the latent
fires (after Google DeepMind's second progress update on SAEs, March 2025, and Gemma Scope 2). There the penalty is the
sum of f (1 + f / above), in place of L0's; here L0 has its own, and latents below are left alone: Adam makes a step
of the same size of any steady gradient, and that of a rare latent is steadier than its error's, so that all would sink.

Firing has no gradient. It is given one by a straight-through estimate: of what lies near the threshold, within half
of a bandwidth on either side, a small rise of the pre-activation makes so much more fire. JumpReLU's threshold and
bandwidth are its own, and the gradient is its threshold's alone, as in its L0 loss. The kinds that keep the k largest
have the least that was kept as the threshold, of a token or of the batch, and as the bandwidth; the gradient is the
pre-activations', and L0 stays k.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def penalise(sae: Any, weight: float, above: float) -> None:
    """Add it to a training SAE of sae-lens.

    Args:
        weight: in the units of the squared error of inputs of mean length sqrt(d).
        above: the frequency from which it counts.
    """
    losses = sae.calculate_aux_loss

    def calculate_aux_loss(step_input: Any, feature_acts: Tensor, hidden_pre: Tensor, sae_out: Tensor) -> Any:
        found = losses(step_input=step_input, feature_acts=feature_acts, hidden_pre=hidden_pre, sae_out=sae_out)
        excess = (_frequencies(sae, feature_acts, hidden_pre) - above).clamp(min=0)
        return found | {"frequency_loss": weight * excess.square().sum() / above}

    sae.calculate_aux_loss = calculate_aux_loss


def _frequencies(sae: Any, acts: Tensor, given: Tensor) -> Tensor:
    """[N]: share of the batch's tokens on which each latent fires, with the estimated gradient."""
    kind = sae.cfg.architecture()
    if kind == "jumprelu":
        from sae_lens.saes.jumprelu_sae import Step

        fires: Tensor = Step.apply(given, sae.threshold.to(given.dtype), sae.bandwidth, False)
        return fires.mean(0)
    on = acts != 0
    size = given.abs() if kind == "abstopk" else given
    kept = torch.where(on, size, torch.inf).detach()
    threshold = kept.min() if kind == "batchtopk" else kept.amin(1, keepdim=True)
    near = ((size - threshold).abs() < threshold / 2).to(size) / threshold  # nothing where nothing was kept
    return (on.to(size) + near.detach() * (size - size.detach())).mean(0)
