"""A training step of sae-lens' k-keeping SAEs that computes with what fires alone, on a CPU.

Of N latents k fire on a token, and only these have a share in the reconstruction and a gradient. sae-lens multiplies
whole matrices: four products of B x N x d besides the encoder's own. Here the encoder's product chooses, and what
comes after goes through the k * B chosen entries: a sum of k decoder rows a token, a dot product an entry, and two
sums of tokens a latent. The same losses and gradients, in float32 where autocast would round; sae-lens' own step is
the oracle (`tests/analysis/training/test_sparse.py`), and trains whatever this does not know.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from analysis.process.heap import give_back
from analysis.training.batchtopk import ExactBatchTopK

KINDS = ("batchtopk", "topk", "abstopk")
_OFTEN = 16  # steps after which freed memory goes back: how much is chosen, and dead, is another number in each


class Chosen(NamedTuple):
    """Entries [m] of a [B, N] matrix, by row and within a row by column."""

    rows: Tensor
    columns: Tensor
    first: Tensor
    """[B]: where each row's entries begin."""
    by_column: Tensor
    """[m]: an order of the entries by column."""
    first_of_column: Tensor
    """[N]: where each column's entries begin in that order."""

    @classmethod
    def of(cls, flat: Tensor, shape: tuple[int, int]) -> Chosen:
        """Of places [m] int64 in the flattened matrix, rising."""
        rows, columns = flat // shape[1], flat % shape[1]
        return cls(rows, columns, _firsts(rows, shape[0]), columns.argsort(stable=True), _firsts(columns, shape[1]))

    def times(self, values: Tensor, table: Tensor) -> Tensor:
        """The matrix with these values [m], times a table [N, d] -> [B, d]."""
        return _bags(self.columns, table, self.first, values)

    def transposed_times(self, values: Tensor, table: Tensor) -> Tensor:
        """Its transpose times a table [B, d] -> [N, d]."""
        order = self.by_column
        return _bags(self.rows[order], table, self.first_of_column, values[order])

    def dots(self, left: Tensor, right: Tensor) -> Tensor:
        """[B, d], [N, d] -> [m]: of left's row with right's, for each entry."""
        mode, no_padding = 0, -1
        found: Tensor = torch.ops.aten._embedding_bag_per_sample_weights_backward(  # nothing public does it as fast
            left.contiguous(), right.contiguous(), self.columns, self.first, self.rows, mode, no_padding
        )
        return found


def _firsts(sorted_or_not: Tensor, size: int) -> Tensor:
    counts = torch.bincount(sorted_or_not, minlength=size)
    return counts.cumsum(0) - counts


def _bags(indices: Tensor, table: Tensor, first: Tensor, weights: Tensor) -> Tensor:
    return embedding_bag(indices, table, first, mode="sum", per_sample_weights=weights)


class _Rebuild(torch.autograd.Function):
    """Of inputs [B, d] the sum of the chosen latents' decoder rows, each times its activation: [B, d].

    An activation is (x - bias) times the latent's encoder column, plus its `b_enc`.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, bias: Tensor, w_enc: Tensor, b_enc: Tensor, w_dec: Tensor, values: Tensor, chosen: Chosen
    ) -> Tensor:
        ctx.save_for_backward(x, bias, w_enc, w_dec, values)
        ctx.chosen = chosen
        return chosen.times(values, w_dec)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, bias, w_enc, w_dec, values = ctx.saved_tensors
        chosen: Chosen = ctx.chosen
        grad = grads[0].contiguous()
        of_values = chosen.dots(grad, w_dec)
        of_w_enc = chosen.transposed_times(of_values, x - bias).T
        of_b_enc = torch.zeros(w_dec.shape[0]).index_add_(0, chosen.columns, of_values)
        of_w_dec = chosen.transposed_times(values, grad)
        of_x = chosen.times(of_values, w_enc.T.contiguous()) if ctx.needs_input_grad[0] else None
        return of_x, -(w_enc @ of_b_enc), of_w_enc, of_b_enc, of_w_dec, None, None


class Step:
    """`training_forward_pass` of a training SAE of sae-lens.

    Args:
        sae: a BatchTopK, TopK or AbsTopK one on the CPU that treats its decoder as normalised.
    """

    def __init__(self, sae: Any) -> None:
        self.sae, self.kind, self.steps = sae, sae.cfg.architecture(), 0

    def __call__(self, step_input: Any) -> Any:
        """One step's losses and what the trainer counts; activations are a sparse tensor."""
        from sae_lens.saes.sae import TrainStepOutput

        self.steps += 1
        if self.steps % _OFTEN == 0:
            give_back()
        sae, x = self.sae, step_input.sae_in.to(self.sae.dtype)
        norm = sae.W_dec.detach().norm(dim=-1)
        with torch.no_grad():
            # the chosen are those of the largest activation times decoder norm; both factors go into the product
            given = torch.addmm(sae.b_enc * norm, x - self._bias(), sae.W_enc * norm)
            flat = self._choice(given)
            chosen, sizes = Chosen.of(flat, (given.shape[0], given.shape[1])), given.flatten()[flat].float()
        with torch.autocast(x.device.type, enabled=False):
            values = sizes / norm[chosen.columns]
            rebuild: Callable[..., Tensor] = _Rebuild.apply
            rebuilt = rebuild(x, self._bias(), sae.W_enc, sae.b_enc, sae.W_dec, values, chosen) + sae.b_dec
            error = (rebuilt - x).square().sum(dim=-1).mean()
        losses = {"mse_loss": error, "auxiliary_reconstruction_loss": self._of_dead(step_input, x, rebuilt, norm)}
        metrics = {}
        if self.kind == "batchtopk":
            sae.update_topk_threshold(sizes)
            metrics["topk_threshold"] = sae.topk_threshold
        acts = torch.sparse_coo_tensor(
            torch.stack([chosen.rows, chosen.columns]), sizes, given.shape, is_coalesced=True, check_invariants=False
        )
        return TrainStepOutput(
            sae_in=step_input.sae_in, sae_out=rebuilt, feature_acts=acts, hidden_pre=given,
            loss=sum(losses.values()), losses=losses, metrics=metrics,
        )  # fmt: skip

    def _bias(self) -> Tensor:
        bias: Tensor = self.sae.b_dec * self.sae.cfg.apply_b_dec_to_input
        return bias

    def _choice(self, given: Tensor) -> Tensor:
        """[m] int64, rising: places of what is kept in the flattened [B, N]."""
        if self.kind == "batchtopk":
            keeps: ExactBatchTopK = self.sae.activation_fn
            return keeps.places(given)
        k, n = self.sae.cfg.k, given.shape[1]
        columns = (given.abs() if self.kind == "abstopk" else given).topk(k, dim=-1, sorted=False).indices
        flat = (columns.sort(dim=-1).values + torch.arange(given.shape[0])[:, None] * n).flatten()
        values = given.flatten()[flat]
        return flat[values != 0 if self.kind == "abstopk" else values > 0]

    def _of_dead(self, step_input: Any, x: Tensor, rebuilt: Tensor, norm: Tensor) -> Tensor:
        """sae-lens' auxiliary loss, over the dead latents' columns alone: the largest rebuild what was missed."""
        mask, sae = step_input.dead_neuron_mask, self.sae
        dead = mask.nonzero().flatten() if mask is not None else torch.empty(0)
        if not len(dead):
            return rebuilt.new_tensor(0.0)
        most = x.shape[-1] // 2
        pre = (x - self._bias()) @ sae.W_enc[:, dead] + sae.b_enc[dead]
        size = pre.detach() * norm[dead]
        size = size.abs() if self.kind == "abstopk" else size
        best = size.topk(min(most, len(dead)), sorted=False).indices
        acts = torch.zeros_like(pre).scatter(-1, best, pre.gather(-1, best))
        missed = (x - rebuilt).detach()
        loss: Tensor = (acts @ sae.W_dec[dead] - missed).square().sum(dim=-1).mean()
        coefficient: float = sae.cfg.aux_loss_coefficient
        return coefficient * min(len(dead) / most, 1.0) * loss


def knows(sae: Any) -> bool:
    """Whether this step is the SAE's own, only faster."""
    kind = bool(sae.cfg.architecture() in KINDS and sae.cfg.rescale_acts_by_decoder_norm)
    return kind and sae.W_dec.device.type == "cpu" and sae.W_dec.dtype == torch.float32


def train_sparsely(sae: Any) -> None:
    """Give a training SAE of sae-lens this step in place of its own."""
    sae.training_forward_pass = Step(sae)


def fuse(optimizer: torch.optim.Optimizer) -> None:
    """One kernel for Adam's update, in place of a pass over all weights for each of its operations."""
    for group in optimizer.param_groups:
        group.update(fused=True, foreach=False)
