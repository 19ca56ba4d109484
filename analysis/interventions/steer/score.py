"""How likely the model finds texts, and how it goes on by itself: left alone, and pushed along directions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.interventions.readout import Readout
from analysis.interventions.tail import Tail
from analysis.process.progress import Progress
from analysis.reading import hook_points
from analysis.reading.model import LanguageModel

_ROWS = 32  # texts per forward pass
_TOKENS = 256  # tokens whose logits over the vocabulary are in memory at once


class _Part(NamedTuple):
    """Some texts, read once."""

    ids: Tensor  # [B, T]
    attention: Tensor  # [B, T]
    entry: Tensor  # [B, T, D]: what the first re-run block takes in
    clean: Tensor  # [B]: log probability of the scored tokens


class Scorer:
    """A model that is pushed at one hook point.

    Args:
        model: the model.
        hook_point: where.
        progress: called with the number of tokens that went through the model.
    """

    def __init__(self, model: LanguageModel, hook_point: str, progress: Progress) -> None:
        self.model, self.tail, self.readout, self.progress = model, Tail(model, hook_point), Readout(model), progress
        self.scored = 0  # predictions looked at so far

    def read(self, ids: Tensor, scored: int) -> Texts:
        """Texts [r, T] of one length, without padding; the last `scored` tokens of each count."""
        parts = []
        for few in ids.to(self.model.device).split(_ROWS):  # type: ignore[no-untyped-call]
            attention = torch.ones_like(few, dtype=torch.bool)
            found = self.tail.clean(few, attention)
            clean = self.log_probability(found.final[None], few, scored)[0]
            parts.append(_Part(few, attention, found.entry, clean))
            self.progress(few.numel())
        return Texts(self, parts, scored)

    def log_probability(self, final: Tensor, ids: Tensor, scored: int) -> Tensor:
        """Summed over the last `scored` tokens: [V, B] float64, in nats.

        Args:
            final: [V, B, T, D], the final norm's input. ids: [B, T].
        """
        versions, rows, width, d = final.shape
        hidden = final[:, :, width - 1 - scored : width - 1].reshape(-1, d)
        targets = ids[:, width - scored :].expand(versions, -1, -1).reshape(-1)
        found = [
            self._of(few, right)
            for few, right in zip(hidden.split(_TOKENS), targets.split(_TOKENS), strict=True)  # type: ignore[no-untyped-call]
        ]
        self.scored += len(targets)
        return torch.cat(found).double().view(versions, rows, scored).sum(-1).cpu()

    def _of(self, hidden: Tensor, targets: Tensor) -> Tensor:
        readout = self.readout
        logits = readout.logits(hidden.to(readout.dtype) @ readout.weight, readout.scale(hidden))
        return logits.gather(1, targets[:, None])[:, 0] - logits.logsumexp(-1)


class Texts:
    """Texts that were read once, to be read again with the model pushed.

    Args:
        scorer: the model.
        parts: the texts.
        scored: tokens at the end of each that count.
    """

    def __init__(self, scorer: Scorer, parts: list[_Part], scored: int) -> None:
        self._scorer, self._parts, self.scored = scorer, parts, scored

    @property
    def clean(self) -> Tensor:
        """[r] float64: log probability of each text's scored tokens, the model left alone."""
        return torch.cat([part.clean for part in self._parts])

    @property
    def tokens(self) -> int:
        """Of all texts, what stands before the scored ones included."""
        return sum(part.ids.numel() for part in self._parts)

    @torch.no_grad()
    def pushed(self, change: Tensor) -> Tensor:
        """The same with `change` [V, D] added at every position: [V, r] float64."""
        return torch.cat([self._pushed(part, change) for part in self._parts], 1)

    def _pushed(self, part: _Part, change: Tensor) -> Tensor:
        scorer, (rows, width, d) = self._scorer, part.entry.shape
        found = []
        for one in change.to(part.entry.device):  # one at a time: several would be held over the whole vocabulary
            everywhere = one.expand(1, rows, width, d)
            final = scorer.tail.run(part.ids, part.attention, part.entry, everywhere)
            found.append(scorer.log_probability(final, part.ids, self.scored))
            scorer.progress(part.ids.numel())
        return torch.cat(found)


LENGTH = 24  # tokens of a continuation


@torch.no_grad()
def continuations(
    model: LanguageModel, hook_point: str, beginnings: Tensor, push: Tensor, progress: Progress, length: int = LENGTH
) -> list[dict[str, str]]:
    """Always the likeliest next token, special ones left out.

    Args:
        beginnings: [k, T] int64, BOS included. push: [D], added at every position, or taken off.

    Returns:
        for each beginning its text as `prefix`, and what follows as `minus`, `zero` and `plus`.
    """
    if not len(beginnings):
        return []
    sizes = torch.tensor([-1.0, 0.0, 1.0]).repeat_interleave(len(beginnings))
    change = (sizes[:, None, None] * push.cpu()).to(model.device)
    handle = hook_points.on_write(model.module, hook_point, lambda x: x + change)
    try:
        made = _greedy(model, beginnings.repeat(3, 1).to(model.device), length, progress)
    finally:
        handle.remove()
    texts = [readable(model, ids) for ids in made]
    minus, zero, plus = (texts[at : at + len(beginnings)] for at in range(0, len(texts), len(beginnings)))
    prefixes = [readable(model, ids) for ids in beginnings]
    return [
        {"prefix": prefix, "minus": one, "zero": same, "plus": other}
        for prefix, one, same, other in zip(prefixes, minus, zero, plus, strict=True)
    ]


def readable(model: LanguageModel, ids: Tensor) -> str:
    """Token ids as text, special ones left out."""
    return str(model.tokenizer.decode(ids.tolist(), skip_special_tokens=True))


def _greedy(model: LanguageModel, ids: Tensor, length: int, progress: Progress) -> Tensor:
    barred = torch.tensor(sorted(token for token in model.special_ids if token < model.vocab_size), dtype=torch.int64)
    found, past, step = [], None, ids
    for _ in range(length):
        output = model.module(input_ids=step, past_key_values=past, use_cache=True, logits_to_keep=1)
        logits = output.logits[:, -1, : model.vocab_size].float()
        logits[:, barred] = -torch.inf
        progress(step.numel())
        past, step = output.past_key_values, logits.argmax(1, keepdim=True)
        found.append(step)
    return torch.cat(found, 1)
