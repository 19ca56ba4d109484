"""The step that computes with what fires alone has sae-lens' own losses and gradients."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from sae_lens.saes.sae import TrainStepInput

from analysis.reading.bottleneck import Bottleneck
from analysis.training.bottleneck import attach
from analysis.training.config import Recipe
from analysis.training.sparse import knows, train_sparsely
from analysis.training.train import _training_sae

torch.set_num_threads(1)
D, N, B = 24, 160, 64


def sae(kind: str, *, dtype: torch.dtype = torch.float32, **more: Any) -> Any:
    """One whose weights are no longer those it began with: norms of all sizes, biases, some latents far from firing."""
    torch.manual_seed(1)
    made = _training_sae(Recipe(architecture=kind, width=N, k=6, **more), D, {}, "cpu")
    with torch.no_grad():
        made.W_dec.mul_(torch.rand(N, 1) * 9 + 0.1)
        made.W_enc.add_(torch.randn(D, N) * 0.05)
        made.b_enc.copy_(torch.randn(N) * 0.1)
        made.b_dec.copy_(torch.randn(D))
    return made.to(dtype)


def batch(seed: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(B, D, generator=torch.Generator().manual_seed(seed))


def given(x: torch.Tensor, dead: int) -> TrainStepInput:
    mask = torch.zeros(N, dtype=torch.bool)
    mask[:dead] = True
    return TrainStepInput(sae_in=x, dead_neuron_mask=mask, coefficients={}, n_training_steps=0, is_logging_step=False)


def gradients(made: Any, output: Any) -> dict[str, torch.Tensor]:
    made.zero_grad()
    output.loss.backward()
    return {name: parameter.grad for name, parameter in made.named_parameters() if parameter.grad is not None}


@pytest.mark.parametrize("dead", [0, 3, 40])
@pytest.mark.parametrize("kind", ["batchtopk", "topk", "abstopk"])
def test_losses_and_gradients_are_sae_lens_own(kind: str, dead: int) -> None:
    plain = sae(kind)
    ours = deepcopy(plain)
    train_sparsely(ours)
    for seed, scale in enumerate((1.0, 1.2, 30.0, 0.01)):  # the guess of the threshold is wrong now and then
        theirs, found = (one.training_forward_pass(given(batch(seed, scale), dead)) for one in (plain, ours))
        assert found.losses.keys() == theirs.losses.keys()
        for name, loss in theirs.losses.items():
            torch.testing.assert_close(found.losses[name], loss, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(found.sae_out, theirs.sae_out, rtol=1e-4, atol=1e-5 * scale)
        torch.testing.assert_close(found.feature_acts.to_dense(), theirs.feature_acts, rtol=1e-4, atol=1e-5 * scale)
        mine, own = gradients(ours, found), gradients(plain, theirs)
        assert mine.keys() == own.keys()
        for name, grad in own.items():
            off = (mine[name] - grad).norm() / grad.norm()
            assert off < 1e-4, (name, float(off))
    if kind == "batchtopk":
        torch.testing.assert_close(ours.topk_threshold, plain.topk_threshold, rtol=1e-5, atol=0)


def test_in_bfloat16_no_more_than_k_are_kept() -> None:
    """Many activations tie at the threshold there."""
    made = sae("batchtopk")
    train_sparsely(made)
    for seed in range(4):
        with torch.autocast("cpu", torch.bfloat16):
            output = made.training_forward_pass(given(batch(seed), 0))
        assert output.hidden_pre.dtype == torch.bfloat16
        assert output.feature_acts.values().numel() == 6 * B


@pytest.mark.parametrize("kind", ["batchtopk", "topk", "abstopk"])
def test_what_stands_before_it_gets_its_gradient(kind: str) -> None:
    """A bottleneck learns through what the SAE reads and through what it is to rebuild."""
    found = []
    for sparse in (False, True):
        made = sae(kind)
        if sparse:
            train_sparsely(made)
        torch.manual_seed(2)
        attach(made, Bottleneck(torch.randn(3, D) / 5, torch.randn(D, 3) / 5, torch.randn(D), trained=True))
        found.append(gradients(made, made.training_forward_pass(given(batch(5), 10))))
    assert {"bottleneck.w_in", "bottleneck.w_out", "bottleneck.b"} < found[0].keys()
    for name, grad in found[0].items():
        assert (found[1][name] - grad).norm() < 1e-4 * grad.norm(), name


def test_a_batch_in_which_nothing_fires() -> None:
    made = sae("batchtopk")
    with torch.no_grad():
        made.b_enc.fill_(-1e3)
    train_sparsely(made)
    output = made.training_forward_pass(given(batch(0), 0))
    torch.testing.assert_close(output.sae_out, made.b_dec.expand(B, D))
    assert float(output.feature_acts.to_dense().abs().sum()) == 0
    assert float(gradients(made, output)["W_dec"].abs().sum()) == 0


def test_what_it_does_not_know_is_left_to_sae_lens() -> None:
    assert knows(sae("batchtopk"))
    assert not knows(_training_sae(Recipe(architecture="jumprelu", width=N), D, {}, "cpu"))
    assert not knows(sae("batchtopk", dtype=torch.float64))
    made = sae("topk")
    made.cfg.rescale_acts_by_decoder_norm = False
    assert not knows(made)
