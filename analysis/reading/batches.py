"""What flows between the stages. Named tuples with shapes; B contexts of T tokens, D = d_model, N latents."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor


class TokenBatch(NamedTuple):
    """B contexts, each from one document.

    `mask` is the one mask of the whole product: True where a token is counted. BOS, EOS, other
    special tokens, a conversation's template and padding are False, and so are in no numerator and no denominator.
    """

    ids: Tensor  # [B, T] int64
    attention: Tensor  # [B, T] bool: everything but padding
    mask: Tensor  # [B, T] bool: counted tokens
    document: Tensor  # [B] int64: index of the document in the corpus
    start: Tensor  # [B] int64: character of the document at which the context's first own token begins
    group: Tensor  # [B] int64: which of the 64 groups of documents
    repeats: Tensor  # [B] bool: an earlier document has the very same text
    template: Tensor  # [B, T] bool: what the template of a conversation put there; not counted
    paragraph: Tensor  # [B, T] int64: tokens since the start of the paragraph, -1 unknown
    sentence: Tensor  # [B, T] int64: tokens since the start of the sentence, -1 unknown
    begin: Tensor  # [B, T] int64: character of the document at which the token begins, -1 before and after the text
    end: Tensor  # [B, T] int64: character after the last that the token has a part of, -1 before and after the text
    lead: int  # columns before each context's first own token: 1 with BOS, else 0
    cursor: int  # contexts emitted up to and including this batch

    def to(self, device: torch.device) -> TokenBatch:
        """The same there."""
        moved: dict[str, Any] = {
            name: part.to(device) for name, part in self._asdict().items() if isinstance(part, Tensor)
        }
        return self._replace(**moved)


class Counted(NamedTuple):
    """The counted tokens of a batch, flat, in reading order; n = mask.sum()."""

    token: Tensor  # [n] int64: vocabulary id
    row: Tensor  # [n] int64: context within the batch
    column: Tensor  # [n] int64: position in the context, BOS being 0
    group: Tensor  # [n] int64
    paragraph: Tensor  # [n] int64
    sentence: Tensor  # [n] int64
    begin: Tensor  # [n] int64: character of the document at which the token begins
    serial: Tensor  # [n] int64: a name of this token (document, character of its context, column)
    serials: Tensor  # [B, T] int64: the same where the tokens stand, -1 where none is counted


class Firing(NamedTuple):
    """The non-zero activations of n counted tokens: f entries, latent by latent, each latent's in reading order."""

    token: Tensor  # [f] int64: which of the n counted tokens
    latent: Tensor  # [f] int64, ascending
    value: Tensor  # [f] float32, never 0
    starts: Tensor  # [N + 1] int64: where each latent's entries begin, and their number


class Sample(NamedTuple):
    """n counted tokens of C whole contexts, flat; contexts one after the other, each in reading order."""

    token: Tensor  # [n] int64: vocabulary id
    context: Tensor  # [n] int64: 0 to C - 1
    column: Tensor  # [n] int64: position in the context, BOS being 0
    paragraph: Tensor  # [n] int64: tokens since the start of the paragraph, -1 unknown
    sentence: Tensor  # [n] int64: tokens since the start of the sentence, -1 unknown
    begin: Tensor  # [n] int64: character of the document at which the token begins
    document: Tensor  # [C] int64: index of each context's document in the corpus
    group: Tensor  # [C] int64: which of the 64 groups of documents

    @property
    def documents(self) -> int:
        """How many different documents have a token here."""
        return len(torch.unique(self.document[torch.unique(self.context)]))
