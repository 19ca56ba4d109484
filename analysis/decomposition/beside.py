"""What goes past an SAE's latents, through a bottleneck: its principal axes, what they follow, and where they lie."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.decomposition.decompose import Decomposition, decompose
from analysis.decomposition.design import Design
from analysis.reading.bottleneck import Bottleneck
from analysis.statistics.declaration import Statistic
from analysis.statistics.geometry import held, span
from analysis.statistics.signals import Signals

ENERGY = 0.99  # share of the dense latents' decoder directions that their span keeps
STATISTICS = (
    Statistic("beside", "What goes past the latents", "share of variance", "series", "sae",
              "A bottleneck's part of the reconstruction along its own principal axes on the sample of the classes, by"
              " share of the part's variance, and what each follows, as a latent's activation does. Beside them: its"
              " variance over that of the activations; the mean share of a direction of the dense latents' span, and of"
              " as many top principal components of the activations, that lies in what it writes to; R / d_model of a"
              " random one.",
              "O", "our own; the bottleneck: Deng et al. 2026"),
)  # fmt: skip


class Past(NamedTuple):
    """R' principal axes of what goes past the latents, by falling variance."""

    axes: Decomposition
    share: Tensor  # [R'] float64: of the part's variance
    variance: float  # of the part, over that of what the SAE reads
    dense: float  # mean share of a direction of the dense span that lies in its span; NaN without dense latents
    dense_dimensions: int
    components: float  # of as many top principal components of what the SAE reads
    chance: float


def what_goes_past(
    design: Design, signals: Signals, bottleneck: Bottleneck, dense: Tensor, covariance: Tensor
) -> Past | None:
    """Of one SAE beside a bottleneck; None where that does nothing.

    Args:
        signals: on the sample that the design is of, massive tokens still in.
        dense: [n, D]: decoder directions of the dense latents.
        covariance: [D, D] float64, of what the SAE reads, ordinary tokens alone.
    """
    basis = bottleneck.span().cpu()
    if not basis.shape[1]:
        return None
    rows, ordinary = design.rows, signals.ordinary[design.rows]
    part = signals.beside[rows].double() @ (basis.T @ bottleneck.w_out.detach().cpu().double()).T
    part -= part[ordinary].mean(0)
    _left, sizes, axes = torch.linalg.svd(part[ordinary], full_matrices=False)
    power = sizes.square()
    found = decompose(design, signals.norm[rows], ordinary, (part @ axes.T).float())
    values, vectors = torch.linalg.eigh(covariance)
    spanned = span(dense, ENERGY) if len(dense) else basis[:, :0]
    return Past(
        axes=found,
        share=power / power.sum().clamp(min=1e-30),
        variance=float(power.sum() / ordinary.sum() / values.sum().clamp(min=1e-30)),
        dense=held(spanned, basis) if len(dense) else torch.nan,
        dense_dimensions=spanned.shape[1],
        components=held(vectors.flip(1)[:, : basis.shape[1]], basis),
        chance=basis.shape[1] / len(basis),
    )
