"""A bottleneck that is trained together with an SAE, within sae-lens' own training step.

The step is given what the bottleneck leaves of the batch, as what the SAE reads and what it is to rebuild: its error
is that of both parts together, |x - W_out W_in (x - b) - SAE(...)|², and reaches the bottleneck through both.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from analysis.errors import UserError
from analysis.reading.bottleneck import Bottleneck
from analysis.training.config import LEARNED, PRINCIPAL, Recipe
from analysis.training.spread import spread_of


def first_bottleneck(recipe: Recipe, rows: np.memmap) -> Bottleneck:
    """What training begins with, or holds on to: a projection around the mean of the activations [n, d].

    On random directions, which training turns where the kind is learned; on the top principal components otherwise.

    Raises:
        UserError: a rank that leaves nothing.
    """
    rank, d = recipe.bottleneck, rows.shape[1]
    if rank >= d:
        raise UserError(f"--bottleneck {rank}: expected less than the {d} numbers of an activation")
    spread = spread_of(rows)
    if recipe.bottleneck_kind == PRINCIPAL:
        basis = spread.components(rank)
    else:
        random = torch.Generator().manual_seed(recipe.seed)
        basis = torch.linalg.qr(torch.randn(d, rank, generator=random, dtype=torch.float64)).Q
    basis = basis.float().contiguous()
    return Bottleneck(basis.T.contiguous(), basis, spread.mean.float(), trained=recipe.bottleneck_kind == LEARNED)


def attach(sae: Any, bottleneck: Bottleneck) -> None:
    """Put it before a training SAE of sae-lens: its parameters, checkpoints and scale are the SAE's from then on."""
    step, fold = sae.training_forward_pass, sae.fold_activation_norm_scaling_factor

    def training_forward_pass(step_input: Any) -> Any:
        return step(replace(step_input, sae_in=bottleneck.rest(step_input.sae_in)))

    def fold_activation_norm_scaling_factor(factor: float) -> None:
        fold(factor)
        bottleneck.rescale(factor)

    sae.bottleneck = bottleneck
    sae.training_forward_pass = training_forward_pass
    sae.fold_activation_norm_scaling_factor = fold_activation_norm_scaling_factor
