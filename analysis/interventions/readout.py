"""From the final norm's input to the next token: loss, entropy, KL, top-1 and rank, changed against clean.

Everything is taken from q = log p(clean normaliser) of each vocabulary entry, piece by piece of the vocabulary
with a running maximum, so that no [tokens, vocab] tensor of a changed model is ever whole. The final norm is a
division by one number a token (its scale), so the same product with the unembedding serves the change as it is
("total") and the change with the scale frozen at its clean value ("direct", after Stolfo et al. 2024). After the
last block a change is a few directions times coefficients, and then no product with the unembedding is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from analysis import hook_points
from analysis.model import LanguageModel

_PIECE = 8192  # vocabulary entries at a time: the working set stays in a processor's cache
_TOKENS = 64  # tokens at a time; of the clean model [tokens, vocab] is held three times
_ROWS = 128  # tokens x changes at a time


class LowRank(NamedTuple):
    """A change of the residual stream as coefficients times directions."""

    coefficients: Tensor  # [V, n, r]
    directions: Tensor  # [V, r, D]

    def dense(self) -> Tensor:
        """[V, n, D]."""
        return torch.bmm(self.coefficients, self.directions)


class Outputs(NamedTuple):
    """Of the clean model, [n] each, nats."""

    loss: Tensor
    entropy: Tensor


class Changes(NamedTuple):
    """Changed less clean, [V, n] each: V changes, n tokens that have a next one."""

    loss: Tensor  # nats
    entropy: Tensor  # nats
    kl: Tensor  # KL(clean, changed), nats
    top1: Tensor  # 1 where the most likely next token is another one
    rank: Tensor  # change of log2(rank of the right token)
    direct_loss: Tensor  # with the final norm's scale frozen
    direct_entropy: Tensor


class Readout:
    """Final norm and unembedding of a model.

    Args:
        model: the model; computed in its dtype, float32 at least.
    """

    def __init__(self, model: LanguageModel) -> None:
        self.norm = hook_points.final_norm(model.module)
        self.centred = hook_points.has_layer_norm(model.module)
        parameter = next(model.module.parameters())
        self.dtype = torch.promote_types(parameter.dtype, torch.float32)
        head = model.module.get_output_embeddings()  # type: ignore[operator]
        weight = head.weight.detach()[: model.vocab_size].to(self.dtype)
        gain = cast(Tensor, self.norm.weight).detach().to(self.dtype) + hook_points.gain_offset(model.module)
        self.weight = (weight * gain).T.contiguous()  # [D, vocab]
        if self.centred:
            self.weight -= self.weight.mean(0)  # the norm takes the mean off before the gain
        self.offset = _offset(weight, self.norm, head, model.vocab_size)
        self.cap: float | None = getattr(model.config, "final_logit_softcapping", None)
        self.eps = float(getattr(self.norm, "variance_epsilon", getattr(self.norm, "eps", 0.0)))

    def scale(self, hidden: Tensor) -> Tensor:
        """What the final norm divides by: [..., D] -> [..., 1]."""
        hidden = hidden.to(self.dtype)
        if self.centred:
            hidden = hidden - hidden.mean(-1, keepdim=True)
        return (hidden.square().mean(-1, keepdim=True) + self.eps).sqrt()

    @torch.no_grad()
    def compare(self, clean: Tensor, changed: Tensor | LowRank, targets: Tensor) -> tuple[Outputs, Changes]:
        """Measure.

        Args:
            clean: [n, D], the final norm's input.
            changed: [V, n, D], the same after each change; or the changes themselves, where nothing but the
                norm comes after them.
            targets: [n] int64, the right next tokens.
        """
        low = changed if isinstance(changed, LowRank) else None
        moved = None if low is None else low.directions.to(self.dtype) @ self.weight  # [V, r, vocab]
        outputs, changes = [], []
        for at in range(0, len(clean), _TOKENS):
            tokens = slice(at, at + _TOKENS)
            block = _Block(self, clean[tokens], targets[tokens])
            outputs.append(block.outputs())
            changes.append(block.changes(_of_tokens(changed, tokens), moved))
        return Outputs(*map(torch.cat, zip(*outputs, strict=True))), _joined(changes, dim=1)

    def pieces(self) -> Iterator[slice]:
        """The vocabulary in pieces."""
        for at in range(0, self.weight.shape[1], _PIECE):
            yield slice(at, at + _PIECE)

    def finish(self, logits: Tensor, piece: slice) -> Tensor:
        """Bias and soft cap, in place."""
        if self.offset is not None:
            logits += self.offset[piece]
        return logits if self.cap is None else logits.div_(self.cap).tanh_().mul_(self.cap)


def _offset(weight: Tensor, norm: nn.Module, head: nn.Module, vocab: int) -> Tensor | None:
    """[vocab]: what is added to every token's logits, whatever the residual stream says."""
    found = None
    if getattr(norm, "bias", None) is not None:
        found = weight @ cast(Tensor, norm.bias).detach().to(weight.dtype)
    if getattr(head, "bias", None) is not None:
        bias = cast(Tensor, head.bias).detach()[:vocab].to(weight.dtype)
        found = bias if found is None else found + bias
    return found


def _of_tokens(changed: Tensor | LowRank, tokens: slice) -> Tensor | LowRank:
    if isinstance(changed, LowRank):
        return changed._replace(coefficients=changed.coefficients[:, tokens])
    return changed[:, tokens]


def _joined(parts: Sequence[Changes], dim: int) -> Changes:
    return Changes(*(torch.cat(found, dim) for found in zip(*parts, strict=True)))


class _Block:
    """A few tokens of the clean model, held whole over the vocabulary, and any number of changes of them."""

    def __init__(self, readout: Readout, clean: Tensor, targets: Tensor) -> None:
        self.readout, self.targets = readout, targets
        self.hidden = clean.to(readout.dtype)  # [n, D]
        self.scale = readout.scale(self.hidden)  # [n, 1]
        self.raw = self.hidden @ readout.weight  # [n, vocab], before the norm's scale
        logits = readout.finish(self.raw / self.scale, slice(None))
        self.base = logits.logsumexp(-1, keepdim=True)  # [n, 1]
        self.logp = logits.sub_(self.base)
        self.p = self.logp.exp()
        self.right = self.logp.gather(1, targets[:, None])[:, 0]
        self.best = self.logp.argmax(-1)
        self.rank = (self.logp > self.right[:, None]).sum(-1) + 1

    def outputs(self) -> Outputs:
        """Of the clean model."""
        return Outputs(-self.right, -(self.p * self.logp).sum(-1))

    def changes(self, changed: Tensor | LowRank, moved: Tensor | None) -> Changes:
        """Of all changes of these tokens; `moved` [V, r, vocab] where they are of low rank."""
        if isinstance(changed, LowRank):
            low, whole = changed.coefficients.to(self.readout.dtype), self.hidden + changed.dense().to(self.hidden)
        else:
            low, whole = None, changed.to(self.readout.dtype)
        parts = []
        step = max(1, _ROWS // len(self.hidden))
        for at in range(0, len(whole), step):
            few = slice(at, at + step)
            through = None if low is None or moved is None else (low[few], moved[few])
            parts.append(_Versions(self, whole[few], through).changes())
        return _joined(parts, dim=0)


class _Versions:
    """A few changes of a block's tokens.

    Args:
        block: the clean model.
        hidden: [V, n, D], the final norm's input.
        low_rank: coefficients [V, n, r] and [V, r, vocab] what each direction adds, instead of a product with
            the unembedding.
    """

    def __init__(self, block: _Block, hidden: Tensor, low_rank: tuple[Tensor, Tensor] | None) -> None:
        self.block, self.readout, self.hidden, self.low_rank = block, block.readout, hidden, low_rank
        self.inverse = self.readout.scale(hidden).reciprocal()  # [V, n, 1]
        self.frozen = block.scale.reciprocal().expand_as(self.inverse)

    def changes(self) -> Changes:
        """All numbers, changed less clean."""
        total, direct = self._sums()
        clean = self.block.outputs()
        return Changes(
            loss=total.loss() - clean.loss,
            entropy=total.entropy() - clean.entropy,
            kl=total.log_z() - total.shift,
            top1=total.other_top(),
            rank=total.rank().log2() - self.block.rank.to(clean.loss.dtype).log2(),
            direct_loss=direct.loss() - clean.loss,
            direct_entropy=direct.entropy() - clean.entropy,
        )

    def _sums(self) -> tuple[_Sums, _Sums]:
        block = self.block
        right, best = self._unscaled_at(block.targets), self._unscaled_at(block.best)
        total = _Sums(block, self._finished(right, block.targets, self.inverse))
        total.best = self._finished(best, block.best, self.inverse) - block.base[:, 0]
        direct = _Sums(block, self._finished(right, block.targets, self.frozen))
        for piece in self.readout.pieces():
            unscaled = self._unscaled(piece)
            direct.add(self.readout.finish(unscaled * self.frozen, piece))
            total.add(self.readout.finish(unscaled.mul_(self.inverse), piece), piece)
        return total, direct

    def _unscaled(self, piece: slice) -> Tensor:
        """[V, n, piece]: the changed residual stream through the unembedding, before the norm's scale."""
        if self.low_rank is None:
            found: Tensor = self.hidden @ self.readout.weight[:, piece]
            return found
        coefficients, moved = self.low_rank
        clean = self.block.raw[:, piece]
        return torch.baddbmm(clean.expand(len(moved), *clean.shape), coefficients, moved[:, :, piece])

    def _unscaled_at(self, tokens: Tensor) -> Tensor:
        return torch.einsum("vnd,dn->vn", self.hidden, self.readout.weight[:, tokens])

    def _finished(self, logit: Tensor, tokens: Tensor, inverse: Tensor) -> Tensor:
        """[V, n] logits of one entry a token, after scale, bias and cap."""
        logit = logit * inverse[..., 0]
        readout = self.readout
        if readout.offset is not None:
            logit = logit + readout.offset[tokens]
        return logit if readout.cap is None else (logit / readout.cap).tanh() * readout.cap


class _Sums:
    """Running sums over the vocabulary of q = logit - clean log normaliser.

    Args:
        block: the clean model.
        right: [V, n] logits of the right next tokens.
    """

    def __init__(self, block: _Block, right: Tensor) -> None:
        self.block = block
        self.right = right - block.base[:, 0]
        self.best: Tensor | None = None  # [V, n]: q of the clean model's most likely tokens
        self.top = right.new_full((*right.shape, 1), -torch.inf)
        self.z, self.zq, self.shift = (torch.zeros_like(right) for _ in range(3))
        self.above = torch.zeros_like(right, dtype=torch.int64)

    def add(self, logits: Tensor, piece: slice | None = None) -> None:
        """One piece [V, n, piece] of the vocabulary, used up; with `piece`, KL and rank are summed too."""
        q = logits.sub_(self.block.base)
        top = torch.maximum(self.top, q.amax(-1, keepdim=True))
        faded = (self.top - top).exp_()[..., 0]
        self.top = top
        if piece is not None:
            p, logp = self.block.p[:, piece], self.block.logp[:, piece]
            self.shift += torch.einsum("vnk,nk->vn", q, p) - (p * logp).sum(-1)
            self.above += self._above(q, self.block.targets - piece.start)
        e = (q - top).exp_()
        self.z = self.z * faded + e.sum(-1)
        self.zq = self.zq * faded + torch.linalg.vecdot(e, q)

    def _above(self, q: Tensor, place: Tensor) -> Tensor:
        """[V, n]: entries more likely than the right token, which is at `place` [n] if that is within the piece."""
        found = (q > self.right[..., None]).sum(-1)
        inside = (place >= 0) & (place < q.shape[-1])
        at = place.clamp(0, q.shape[-1] - 1).expand(q.shape[:2])[..., None]
        itself = (q.gather(-1, at)[..., 0] > self.right) & inside  # rounding: it is not above itself
        return found - itself.long()

    def log_z(self) -> Tensor:
        """[V, n]: log of the changed normaliser over the clean one."""
        return self.z.log() + self.top[..., 0]

    def loss(self) -> Tensor:
        """[V, n] nats."""
        return self.log_z() - self.right

    def entropy(self) -> Tensor:
        """[V, n] nats."""
        return self.log_z() - self.zq / self.z

    def rank(self) -> Tensor:
        """[V, n]: 1 is the most likely."""
        return (self.above + 1).to(self.z.dtype)

    def other_top(self) -> Tensor:
        """[V, n]: 1 where another entry than the clean model's most likely one leads."""
        assert self.best is not None
        # equal up to rounding is the same one
        return (self.top[..., 0] - self.best > 1e-5 * self.best.abs().clamp(min=1)).to(self.z.dtype)
