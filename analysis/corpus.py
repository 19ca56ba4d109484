"""Documents -> batches of contexts, each with its resume cursor.

A corpus is larger than most readings of it, and neighbouring contexts of one document say much
the same. So the contexts to read are *sampled over all documents*: each (document, chunk) has a
hash, and round r reads those whose hash lies in [r*f, (r+1)*f), f being about the wanted share
of the corpus. The choice depends on the seed alone, never on order or on how often we stopped.
Cost: the text is tokenised even where it is not read, about 1 M tokens/s a core.
"""

from __future__ import annotations

import bisect
import itertools
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.batches import TokenBatch
from analysis.documents import Corpus, Document
from analysis.errors import UserError
from analysis.hashing import unit_hash

GROUPS = 64  # documents are hashed into so many groups; intervals are over groups
_PIECE = 20_000  # characters tokenised at once, cut at a space where there is one
_BLANK_LINE = re.compile(r"\n[ \t]*\n\s*")
_CHARACTERS_PER_TOKEN = 4.0  # only to guess the first round's share; any value gives a valid sample


@dataclass(frozen=True)
class Tokenised:
    """One document as tokens: `ids[i]` covers characters `begins[i]` to `begins[i + 1]`."""

    document: Document
    ids: list[int]
    begins: list[int]


@dataclass(frozen=True)
class Context:
    """A stretch of one document, without BOS and padding; lists have one entry a token."""

    document: Document
    start: int
    ids: list[int]
    paragraph: list[int]
    sentence: list[int]


def group_of(document: int) -> int:
    """The document's group, 0 to 63."""
    return int(unit_hash("group", document) * GROUPS)


class ContextStream:
    """Batches of sampled contexts.

    Args:
        corpus: the documents.
        tokenizer: a fast Hugging Face tokenizer.
        bos: id put before each context, or None.
        special: ids never counted.
        context: tokens per context, BOS included.
        batch: contexts per batch.
        tokens: stop once so many tokens are counted (the last context is cut to fit).
        seed: of the sample.
        keep: which documents may be read, by index; all by default.
        sentences: whether to find sentence starts (costs a little; training does not need them).
    """

    def __init__(
        self,
        corpus: Corpus,
        tokenizer: Any,
        *,
        bos: int | None,
        special: set[int],
        context: int,
        batch: int,
        tokens: int,
        seed: int = 0,
        held_out: float = 0.0,
        only_held_out: bool = False,
        sentences: bool = True,
    ) -> None:
        if context < 8:
            raise UserError(f"--context {context}: expected at least 8 tokens")
        if tokens < 1:
            raise UserError(f"--tokens {tokens}: expected a positive number")
        self.corpus, self.tokenizer, self.bos, self.special = corpus, tokenizer, bos, special
        self.context, self.batch, self.tokens, self.seed = context, batch, tokens, seed
        self.held_out, self.only_held_out, self.sentences = held_out, only_held_out, sentences
        self._special = torch.tensor(sorted(special), dtype=torch.int64)

    @property
    def room(self) -> int:
        """Own tokens per context."""
        return self.context - (self.bos is not None)

    def batches(self, skip: int = 0) -> Iterator[TokenBatch]:
        """Batches after the first `skip` contexts (a multiple of the batch size, or all there are)."""
        left = self.tokens
        cursor = 0
        contexts = self._contexts()
        while left > 0 and (taken := list(itertools.islice(contexts, self.batch))):
            cursor += len(taken)
            taken, left = self._cut(taken, left)
            if cursor > skip:
                yield self._collate(taken, cursor)

    def whole_document(self, limit: int) -> Tokenised | None:
        """One document for the strip: the first in the hashed order with `room` to `limit` tokens.

        Falls back to the first tokens of the first document; None where no document has a token.
        """
        fallback = None
        for tokenised in self._tokenised(itertools.islice(self.corpus.shuffled(self.seed), 200)):
            if self.room <= len(tokenised.ids) <= limit:
                return tokenised
            if fallback is None and tokenised.ids:
                fallback = tokenised
        return fallback

    def contexts_of(self, tokenised: Tokenised, limit: int) -> list[Context]:
        """All contexts of one document, up to `limit` tokens."""
        starts = range(0, min(len(tokenised.ids), limit), self.room)
        return [self._context(tokenised, start, min(self.room, limit - start)) for start in starts]

    def collate(self, contexts: list[Context], cursor: int = 0) -> TokenBatch:
        """Contexts -> one padded batch."""
        return self._collate(contexts, cursor)

    def _share(self) -> float:
        wanted = 1.05 * self.tokens * _CHARACTERS_PER_TOKEN
        return min(1.0, wanted / max(1, self.corpus.report.characters))

    def _contexts(self) -> Iterator[Context]:
        share = self._share()
        for number in range(math.ceil(1 / share)):
            for tokenised in self._tokenised(filter(self._wanted, self.corpus.shuffled(self.seed))):
                for chunk in range(math.ceil(len(tokenised.ids) / self.room)):
                    place = unit_hash("chunk", self.seed, tokenised.document.index, chunk)
                    if number * share <= place < (number + 1) * share:
                        yield self._context(tokenised, chunk * self.room, self.room)

    def _wanted(self, document: Document) -> bool:
        if not self.held_out:
            return True
        return (unit_hash("held out", document.index) < self.held_out) == self.only_held_out

    def _tokenised(self, documents: Iterator[Document]) -> Iterator[Tokenised]:
        while group := list(itertools.islice(documents, 32)):
            pieces = [(document, offset, text) for document in group for offset, text in _pieces(document.text)]
            encodings = self.tokenizer._tokenizer.encode_batch([text for *_, text in pieces], add_special_tokens=False)
            ids: dict[int, list[int]] = {document.index: [] for document in group}
            begins: dict[int, list[int]] = {document.index: [] for document in group}
            for (document, offset, _text), encoding in zip(pieces, encodings, strict=True):
                ids[document.index] += encoding.ids
                begins[document.index] += [offset + begin for begin, _end in encoding.offsets]
            yield from (Tokenised(d, ids[d.index], begins[d.index]) for d in group)

    def _context(self, tokenised: Tokenised, start: int, room: int) -> Context:
        stop = min(start + room, len(tokenised.ids))
        begins = tokenised.begins
        paragraphs = _paragraph_starts(tokenised.document.text)
        sentences = _sentence_starts(tokenised, start, stop) if self.sentences else []
        return Context(
            tokenised.document,
            start,
            tokenised.ids[start:stop],
            _distances(begins, paragraphs, start, stop) if len(paragraphs) > 1 else [-1] * (stop - start),
            _distances(begins, sentences, start, stop),
        )

    def _cut(self, contexts: list[Context], left: int) -> tuple[list[Context], int]:
        kept = []
        for context in contexts:
            if left <= 0:
                break
            counted = [number for number, token in enumerate(context.ids) if token not in self.special]
            if len(counted) > left:
                stop = counted[left]
                context = Context(
                    context.document,
                    context.start,
                    context.ids[:stop],
                    context.paragraph[:stop],
                    context.sentence[:stop],
                )
            left -= min(left, len(counted))
            kept.append(context)
        return kept, left

    def _collate(self, contexts: list[Context], cursor: int) -> TokenBatch:
        lead = [self.bos] if self.bos is not None else []
        width = max(len(context.ids) for context in contexts) + len(lead)
        pad = lead[0] if lead else 0
        ids = _padded([lead + context.ids for context in contexts], width, pad)
        attention = _padded([[1] * (len(lead) + len(context.ids)) for context in contexts], width, 0).bool()
        own = attention.clone()
        own[:, : len(lead)] = False
        skip = [-1] * len(lead)
        return TokenBatch(
            ids=ids,
            attention=attention,
            mask=own & ~torch.isin(ids, self._special),
            document=torch.tensor([context.document.index for context in contexts]),
            start=torch.tensor([context.start for context in contexts]),
            group=torch.tensor([group_of(context.document.index) for context in contexts]),
            paragraph=_padded([skip + context.paragraph for context in contexts], width, -1),
            sentence=_padded([skip + context.sentence for context in contexts], width, -1),
            lead=len(lead),
            cursor=cursor,
        )


def _padded(rows: list[list[int]], width: int, fill: int) -> Tensor:
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], dtype=torch.int64)


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """(offset, piece) of at most 20,000 characters: bounded memory for a document without a space."""
    start = 0
    while start < len(text):
        stop = start + _PIECE
        if stop < len(text):
            cut = max(text.rfind(" ", start + _PIECE // 2, stop), text.rfind("\n", start + _PIECE // 2, stop))
            stop = cut if cut > start else stop
        yield start, text[start:stop]
        start = stop


def _paragraph_starts(text: str) -> list[int]:
    """Character positions where a paragraph starts; one only where there is no blank line."""
    return [0, *(match.end() for match in _BLANK_LINE.finditer(text))]


def _sentence_starts(tokenised: Tokenised, start: int, stop: int) -> list[int]:
    """Character positions of sentence starts in reach of the tokens `start` to `stop`.

    The text is taken from 1,000 characters before, and the broken sentence at its beginning is
    dropped; a sentence that begins earlier leaves its tokens unknown (-1).
    """
    from syntok import segmenter

    text = tokenised.document.text
    begin = max(0, tokenised.begins[start] - 1_000)
    end = tokenised.begins[stop] if stop < len(tokenised.begins) else len(text)
    found = [
        begin + sentence[0].offset
        for paragraph in segmenter.process(text[begin:end])
        for sentence in paragraph
        if sentence
    ]
    return found if begin == 0 else found[1:]


def _distances(begins: list[int], starts: list[int], first: int, last: int) -> list[int]:
    """Tokens since the nearest start at or before each token; -1 before the first start.

    A token with a leading space begins one character before the word, so a start belongs to the
    last token that begins at or before it.
    """
    tokens = sorted({max(0, bisect.bisect_right(begins, start) - 1) for start in starts})
    places = [bisect.bisect_right(tokens, number) - 1 for number in range(first, last)]
    return [number - tokens[place] if place >= 0 else -1 for number, place in zip(range(first, last), places, strict=True)]
