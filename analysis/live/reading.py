"""A typed text through the model and some SAEs: read as a run reads its corpus, in contexts of the run's length."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.live.refusals import Refused
from analysis.reading.model import LanguageModel
from analysis.reading.sae import LoadedSae
from analysis.reading.sections import cut

_TOGETHER = 64
"""Tokens encoded at once: of an SAE with 131,072 latents that is 32 MB."""


class Wanted(NamedTuple):
    """Some latents of an SAE."""

    sae: LoadedSae
    latents: list[int]


class Read(NamedTuple):
    """What was read of a text."""

    tokens: list[str]
    """Joined, the text; an empty one ends the character that the one before it began."""
    counted: list[bool]
    """False: a special token, which no run counts."""
    activations: list[Tensor]
    """For each SAE [latents, tokens], float32; 0 where the token is not counted."""


def read_text(model: LanguageModel, context: int, saes: Sequence[Wanted], text: str, most: int) -> Read:
    """Activations on each token of a text.

    Args:
        context: tokens of a context, BOS included; a longer text is cut into several.
        most: tokens.

    Raises:
        Refused: the text has more tokens, or none.
    """
    tokenizer = model.tokenizer._tokenizer
    tokenizer.no_truncation()  # some tokenizer files come with both switched on
    tokenizer.no_padding()
    encoding = tokenizer.encode(text, add_special_tokens=False)
    if len(encoding.ids) > most:
        raise Refused("tokens", found=len(encoding.ids), most=most)
    if not encoding.ids:
        raise Refused("empty")
    begins, ends = [begin for begin, _end in encoding.offsets], [end for _begin, end in encoding.offsets]
    counted = [token not in model.special_ids for token in encoding.ids]
    inputs = _inputs(model, context, saes, encoding.ids)
    off = ~torch.tensor(counted)
    found = [_activations(one, inputs[one.sae.hook_point]).masked_fill(off, 0.0) for one in saes]
    return Read(cut(text, begins, ends), counted, found)


def _inputs(model: LanguageModel, context: int, saes: Sequence[Wanted], ids: list[int]) -> dict[str, Tensor]:
    """By hook point: [tokens, width] float32."""
    lead = [] if model.bos_id is None else [model.bos_id]
    room = context - len(lead)
    rows = [lead + ids[start : start + room] for start in range(0, len(ids), room)]
    width = max(map(len, rows))
    attention = torch.tensor([[True] * len(row) + [False] * (width - len(row)) for row in rows])
    pad = lead[0] if lead else 0
    batch = torch.tensor([row + [pad] * (width - len(row)) for row in rows], dtype=torch.int64)
    own = attention.clone()
    own[:, : len(lead)] = False
    found = model.read(batch, attention, list(dict.fromkeys(one.sae.hook_point for one in saes)))
    return {hook: activation[own.to(activation.device)] for hook, activation in found.items()}


def _activations(wanted: Wanted, x: Tensor) -> Tensor:
    parts = [wanted.sae.encode(part)[:, wanted.latents] for part in torch.split(x, _TOGETHER)]
    return torch.cat(parts).T.float().cpu().contiguous()
