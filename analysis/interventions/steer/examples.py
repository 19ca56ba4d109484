"""Beginnings that the model goes on with by itself, pushed one way, left alone, pushed the other way."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.interventions.steer.score import Tell
from analysis.reading import hook_points
from analysis.reading.model import LanguageModel

LENGTH = 24  # tokens of a continuation


@torch.no_grad()
def continuations(
    model: LanguageModel, hook_point: str, beginnings: Tensor, push: Tensor, tell: Tell, length: int = LENGTH
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
        made = _greedy(model, beginnings.repeat(3, 1).to(model.device), length, tell)
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


def _greedy(model: LanguageModel, ids: Tensor, length: int, tell: Tell) -> Tensor:
    barred = torch.tensor(sorted(token for token in model.special_ids if token < model.vocab_size), dtype=torch.int64)
    found, past, step = [], None, ids
    for _ in range(length):
        output = model.module(input_ids=step, past_key_values=past, use_cache=True, logits_to_keep=1)
        logits = output.logits[:, -1, : model.vocab_size].float()
        logits[:, barred] = -torch.inf
        tell(step.numel())
        past, step = output.past_key_values, logits.argmax(1, keepdim=True)
        found.append(step)
    return torch.cat(found, 1)
