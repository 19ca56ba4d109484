"""Our faster selection keeps what sae-lens' own BatchTopK keeps."""

from __future__ import annotations

import pytest
import torch
from sae_lens.saes.batchtopk_sae import BatchTopK

from analysis.training.batchtopk import ExactBatchTopK

torch.set_num_threads(1)


@pytest.mark.parametrize("k", [0.5, 1, 3, 7.25])
@pytest.mark.parametrize("shape", [(16, 50), (1, 50), (4, 8, 50)])
def test_it_keeps_what_sae_lens_keeps(k: float, shape: tuple[int, ...]) -> None:
    """Step after step, while the scale drifts, jumps up and collapses: the guess may be wrong, the result not."""
    random = torch.Generator().manual_seed(0)
    ours, theirs = ExactBatchTopK(k), BatchTopK(k)
    for scale in (1.0, 1.1, 0.9, 50.0, 1e-3, 1e-3, 0.0, 1.0):
        pre = scale * (torch.randn(shape, generator=random) - 0.5)
        assert torch.equal(ours(pre), theirs(pre))


def test_few_positive_activations_are_all_kept() -> None:
    pre = torch.full((4, 10), -1.0)
    pre[2, 3], pre[0, 1] = 0.5, 2.0
    ours = ExactBatchTopK(3)
    assert torch.equal(ours(pre), pre.relu())
    assert torch.equal(ours(pre), BatchTopK(3)(pre))


def test_gradients_are_sae_lens_own() -> None:
    pre = torch.randn(16, 50, generator=torch.Generator().manual_seed(1))
    grads = []
    for module in (ExactBatchTopK(3), BatchTopK(3)):
        x = pre.clone().requires_grad_()
        (module(x) * torch.arange(50.0)).sum().backward()
        assert x.grad is not None
        grads.append(x.grad)
    assert torch.equal(*grads)


def test_on_average_k_latents_are_on() -> None:
    pre = torch.randn(64, 200, generator=torch.Generator().manual_seed(2))
    assert int((ExactBatchTopK(5)(pre) > 0).sum()) == 5 * 64
