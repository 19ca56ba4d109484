"""From the final norm's input to the next token: loss, entropy, KL, top-1 and rank, changed against clean.

Everything is taken from q = logit - clean log normaliser of each vocabulary entry, piece by piece of the vocabulary
with a running maximum, so that no [tokens, vocab] tensor of a changed model is ever whole. Inside, q is in bits,
since 2^q takes half the time of e^q, and the pieces share three buffers, since fresh memory costs as much again.

The final norm is a division by one number a token (its scale), so the same product with the unembedding serves the
change as it is ("total") and the change with the scale frozen at its clean value ("direct", after Stolfo et al.
2024). After the last block a change is a few directions times coefficients, and then no product is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import log
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from analysis.reading import hook_points
from analysis.reading.model import LanguageModel

_PIECE = 8192  # vocabulary entries at a time: the working set stays in a processor's cache
_TOKENS = 64  # tokens at a time; of the clean model [tokens, vocab] is held three times
_ROWS = 128  # tokens x changes at a time
_NAT = log(2)  # nats in a bit


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


class Asked(NamedTuple):
    """Changes that are measured together."""

    changed: Tensor | LowRank
    """[V, n, D], the final norm's input after each change; or the changes themselves, where nothing but the norm comes
    after them."""
    direct: bool = True
    """Whether to measure with the scale frozen too; NaN without."""


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
        self._buffers: dict[str, Tensor] = {}

    def scale(self, hidden: Tensor) -> Tensor:
        """What the final norm divides by: [..., D] -> [..., 1]."""
        hidden = hidden.to(self.dtype)
        if self.centred:
            hidden = hidden - hidden.mean(-1, keepdim=True)
        return (hidden.square().mean(-1, keepdim=True) + self.eps).sqrt()

    @torch.no_grad()
    def compare(self, clean: Tensor, asked: Sequence[Asked], targets: Tensor) -> tuple[Outputs, list[Changes]]:
        """Measure. What is of the clean model costs as much as three changes, and is worked out once for all.

        Args:
            clean: [n, D], the final norm's input.
            asked: the changes.
            targets: [n] int64, the right next tokens.
        """
        moved = [self._moved(each.changed) for each in asked]
        outputs, found = [], list[list[Changes]]()
        for at in range(0, len(clean), _TOKENS):
            tokens = slice(at, at + _TOKENS)
            block = _Block(self, clean[tokens], targets[tokens])
            outputs.append(block.outputs())
            found.append(
                [
                    block.changes(_of_tokens(each.changed, tokens), through, each.direct)
                    for each, through in zip(asked, moved, strict=True)
                ]
            )
        whole = Outputs(*map(torch.cat, zip(*outputs, strict=True)))
        return whole, [_joined(parts, dim=1) for parts in zip(*found, strict=True)]

    def _moved(self, changed: Tensor | LowRank) -> Tensor | None:
        """[V, r, vocab]: what each direction of a change of low rank adds before the norm's scale."""
        return changed.directions.to(self.dtype) @ self.weight if isinstance(changed, LowRank) else None

    def pieces(self) -> Iterator[slice]:
        """The vocabulary in pieces."""
        for at in range(0, self.weight.shape[1], _PIECE):
            yield slice(at, at + _PIECE)

    def bits(self, unscaled: Tensor, inverse: Tensor, base: Tensor, tokens: slice | Tensor, out: Tensor) -> Tensor:
        """q of some vocabulary entries.

        Args:
            unscaled: [..., k], the residual stream through the unembedding, before the norm's scale.
            inverse: of the scale. base: the clean log normaliser, in bits. Both broadcast.
            tokens: which entries the last dimension has.
            out: where to put it; `unscaled` itself will do.
        """
        if self.offset is None and self.cap is None:
            return torch.mul(unscaled, inverse / _NAT, out=out).sub_(base)
        return self._finish(torch.mul(unscaled, inverse, out=out), tokens).mul_(1 / _NAT).sub_(base)

    def logits(self, unscaled: Tensor, scale: Tensor) -> Tensor:
        """[n, vocab]."""
        return self._finish(unscaled / scale, slice(None))

    def _finish(self, logits: Tensor, tokens: slice | Tensor) -> Tensor:
        """Bias and soft cap, in place."""
        if self.offset is not None:
            logits += self.offset[tokens]
        return logits if self.cap is None else logits.div_(self.cap).tanh_().mul_(self.cap)

    def buffer(self, name: str, shape: tuple[int, ...]) -> Tensor:
        """Memory that is used again and again; what it held is lost."""
        wanted = 1
        for size in shape:
            wanted *= size
        known = self._buffers.get(name)
        if known is None or known.numel() < wanted:
            known = self._buffers[name] = torch.empty(wanted, dtype=self.dtype, device=self.weight.device)
        return known[:wanted].view(shape)


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
    """A few tokens of the clean model, held whole over the vocabulary, and any number of changes of them.

    Its memory is the readout's: the next block takes it over.
    """

    def __init__(self, readout: Readout, clean: Tensor, targets: Tensor) -> None:
        self.readout, self.targets = readout, targets
        self.hidden = clean.to(readout.dtype)  # [n, D]
        self.scale = readout.scale(self.hidden)  # [n, 1]
        shape = (len(clean), readout.weight.shape[1])
        raw, bits, p = (readout.buffer(name, shape) for name in ("raw", "bits", "p"))
        self.raw = torch.matmul(self.hidden, readout.weight, out=raw)  # [n, vocab], before the norm's scale
        zero = torch.zeros_like(self.scale)
        self.bits = readout.bits(self.raw, self.scale.reciprocal(), zero, slice(None), bits)
        top = self.bits.amax(-1, keepdim=True)
        z = torch.sub(self.bits, top, out=p).exp2_().sum(-1, keepdim=True)
        self.base = top + z.log2()  # [n, 1]
        self.bits -= self.base
        self.best = self.bits.argmax(-1)
        right = self.bits.gather(1, targets[:, None])
        self.right = right[:, 0] * _NAT
        self.rank = torch.gt(self.bits, right, out=p).sum(-1) + 1
        self.p = torch.exp2(self.bits, out=p)
        self.entropy = -torch.linalg.vecdot(self.p, self.bits) * _NAT
        self.of_right = readout.weight[:, targets]  # columns lie far apart in memory: gathered once

    def outputs(self) -> Outputs:
        """Of the clean model."""
        return Outputs(-self.right, self.entropy)

    def changes(self, changed: Tensor | LowRank, moved: Tensor | None, direct: bool) -> Changes:
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
            parts.append(_Versions(self, whole[few], through, direct).changes())
        return _joined(parts, dim=0)


class _Versions:
    """A few changes of a block's tokens.

    Args:
        block: the clean model.
        hidden: [V, n, D], the final norm's input.
        low_rank: coefficients [V, n, r] and [V, r, vocab] what each direction adds, instead of a product with
            the unembedding.
        direct: whether to measure with the scale frozen too.
    """

    def __init__(self, block: _Block, hidden: Tensor, low_rank: tuple[Tensor, Tensor] | None, direct: bool) -> None:
        self.block, self.readout, self.hidden, self.low_rank = block, block.readout, hidden, low_rank
        inverse = self.readout.scale(hidden).reciprocal()  # [V, n, 1]
        self.total = _Sums(block, hidden, inverse, ranks=True)
        frozen = block.scale.reciprocal().expand_as(inverse)
        self.direct = _Sums(block, hidden, frozen, ranks=False) if direct else None

    def changes(self) -> Changes:
        """All numbers, changed less clean."""
        for piece in self.readout.pieces():
            unscaled = self._unscaled(piece)
            if self.direct is not None:
                self.direct.add(unscaled, piece, self.readout.buffer("frozen", unscaled.shape))
            self.total.add(unscaled, piece, unscaled)
        total, direct, clean = self.total, self.direct, self.block.outputs()
        none = torch.full_like(total.right, torch.nan)
        return Changes(
            loss=total.loss() - clean.loss,
            entropy=total.entropy() - clean.entropy,
            kl=total.kl(),
            top1=total.other_top(),
            rank=total.rank().log2() - self.block.rank.to(clean.loss.dtype).log2(),
            direct_loss=none if direct is None else direct.loss() - clean.loss,
            direct_entropy=none if direct is None else direct.entropy() - clean.entropy,
        )

    def _unscaled(self, piece: slice) -> Tensor:
        """[V, n, piece]: the changed residual stream through the unembedding, before the norm's scale."""
        weight = self.readout.weight[:, piece]
        out = self.readout.buffer("unscaled", (*self.hidden.shape[:2], weight.shape[1]))
        if self.low_rank is None:
            product: Tensor = torch.matmul(self.hidden, weight, out=out)
            return product
        coefficients, moved = self.low_rank
        clean: Tensor = self.block.raw[:, piece]
        for r in range(coefficients.shape[2]):
            clean = torch.addcmul(clean, coefficients[:, :, r, None], moved[:, r, None, piece], out=out)
        return clean


class _Sums:
    """Running sums over the vocabulary of q = logit - clean log normaliser, in bits.

    Args:
        block: the clean model.
        hidden: [V, n, D], the final norm's input.
        inverse: [V, n, 1], of the norm's scale.
        ranks: whether to sum KL, top-1 and rank too.
    """

    def __init__(self, block: _Block, hidden: Tensor, inverse: Tensor, ranks: bool) -> None:
        self.block, self.inverse, self.ranks = block, inverse, ranks
        self.right = self._at(hidden, block.of_right, block.targets)
        self.best = torch.full_like(self.right, -torch.inf)  # [V, n]: of the clean model's most likely tokens
        self.top = torch.full_like(inverse, -torch.inf)
        self.z, self.zq, self.gain, self.above = (torch.zeros_like(self.right) for _ in range(4))

    def add(self, unscaled: Tensor, piece: slice, out: Tensor) -> None:
        """One piece [V, n, k] of the vocabulary; `out` may be `unscaled`."""
        block = self.block
        q = block.readout.bits(unscaled, self.inverse, block.base, piece, out)
        scratch = block.readout.buffer("scratch", q.shape)
        if self.ranks:
            # the difference first: of two sums of some nats, float32 would leave little of a small KL
            self.gain += torch.sub(q, block.bits[:, piece], out=scratch).mul_(block.p[:, piece]).sum(-1)
            self.above += self._above(q, piece, scratch)
            self.best = torch.maximum(self.best, self._in_piece(q, piece, block.best))
        top = torch.maximum(self.top, q.amax(-1, keepdim=True))
        faded = (self.top - top).exp2_()[..., 0]
        self.top = top
        e = torch.sub(q, top, out=scratch).exp2_()
        self.z = self.z * faded + e.sum(-1)
        self.zq = self.zq * faded + e.mul_(q).sum(-1)

    def _at(self, hidden: Tensor, columns: Tensor, tokens: Tensor) -> Tensor:
        """[V, n]: q of one entry a token."""
        unscaled = torch.einsum("vnd,dn->vn", hidden, columns)
        out = torch.empty_like(unscaled)
        return self.block.readout.bits(unscaled, self.inverse[..., 0], self.block.base[:, 0], tokens, out)

    def _above(self, q: Tensor, piece: slice, scratch: Tensor) -> Tensor:
        """[V, n]: entries more likely than the right token."""
        # written as floats: summing booleans takes several times as long
        found = torch.gt(q, self.right[..., None], out=scratch).sum(-1)
        # the right token's q was worked out apart, and rounding must not put it above itself
        itself = self._in_piece(q, piece, self.block.targets) > self.right
        return found - itself.to(found)

    def _in_piece(self, q: Tensor, piece: slice, tokens: Tensor) -> Tensor:
        """[V, n]: q of one entry a token, -inf where it is not in this piece."""
        place = tokens - piece.start
        inside = (place >= 0) & (place < q.shape[-1])
        at = place.clamp(0, q.shape[-1] - 1).expand(q.shape[:2])[..., None]
        return q.gather(-1, at)[..., 0].masked_fill(~inside, -torch.inf)

    def log_z(self) -> Tensor:
        """[V, n]: log of the changed normaliser over the clean one, nats."""
        found: Tensor = (self.z.log2() + self.top[..., 0]) * _NAT
        return found

    def loss(self) -> Tensor:
        """[V, n] nats."""
        found: Tensor = self.log_z() - self.right * _NAT
        return found

    def entropy(self) -> Tensor:
        """[V, n] nats."""
        return self.log_z() - self.zq / self.z * _NAT

    def kl(self) -> Tensor:
        """[V, n] nats: KL(clean, changed)."""
        found: Tensor = self.log_z() - self.gain * _NAT
        return found

    def rank(self) -> Tensor:
        """[V, n]: 1 is the most likely."""
        return self.above + 1

    def other_top(self) -> Tensor:
        """[V, n]: 1 where another entry than the clean model's most likely one leads."""
        return (self.top[..., 0] > self.best).to(self.z.dtype)
