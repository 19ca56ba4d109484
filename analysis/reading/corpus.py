"""Documents -> batches of contexts, each with its resume cursor.

A corpus is larger than most readings of it, and neighbouring contexts of one document say much
the same. So the contexts to read are *sampled over all documents*. A document is cut into sections
of some eight contexts, at a paragraph or sentence; a hash puts each section into a group, and each
context of it into one of eight slots; a round reads one slot of one group, over the whole corpus.
The number of groups makes a round about a quarter of what is wanted, so that little is tokenised
that is not read, most contexts come from different places, and the files' order hardly matters.
The choice depends on the seed and the number of tokens, never on batches or on how often we stopped.
Cost: no context spans two sections, so one context in eight is shorter than it could be; and who
reads everything has it tokenised eight times. A corpus of more than one block is read from disk
once a round.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.hashing import unit_hash
from analysis.reading.batches import TokenBatch
from analysis.reading.documents import Corpus, Document
from analysis.reading.sections import Section, Tokenised, distances, paragraph_starts, pieces, sentence_starts

GROUPS = 64  # documents are hashed into so many groups; intervals are over groups
SLOTS = 8  # rounds that share a section
_ROUNDS = 4  # rounds that give what is wanted; only the last is cut off, wherever in the corpus it then is
_SECTION_PER_TOKEN = 32  # characters of a section per token of a context: about eight contexts
_SECTION_AT_LEAST = 2_000
_TOGETHER = 64  # sections tokenised at once, in parallel


@dataclass(frozen=True)
class Context:
    """A stretch of one document, without BOS and padding; lists have one entry a token.

    `start` is the character of the document at which it begins.
    """

    document: Document
    start: int
    ids: list[int]
    begins: list[int]
    ends: list[int]
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
        held_out: share of documents that are held out; only_held_out: read those instead of the rest.
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
        tokenizer._tokenizer.no_truncation()  # some tokenizer files come with both switched on
        tokenizer._tokenizer.no_padding()

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

        Falls back to the beginning of the first document; None where no document has a token.
        """
        fallback = None
        for document in itertools.islice(self.corpus.shuffled(self.seed), 1000):
            if fallback is None:
                fallback = self._tokenise([Section(document, 0, 0, min(len(document.text), limit * 8))])[0]
            if self.room * 3 <= len(document.text) <= limit * 6:
                whole = self._tokenise([Section(document, 0, 0, len(document.text))])[0]
                if self.room <= len(whole.ids) <= limit:
                    return whole
        return fallback if fallback is not None and fallback.ids else None

    def contexts_of(self, tokenised: Tokenised, limit: int) -> list[Context]:
        """All contexts of one document or section, up to `limit` tokens."""
        starts = range(0, min(len(tokenised.ids), limit), self.room)
        return [self._context(tokenised, start, min(self.room, limit - start)) for start in starts]

    def collate(self, contexts: list[Context], cursor: int = 0) -> TokenBatch:
        """Contexts -> one padded batch."""
        return self._collate(contexts, cursor)

    def _share(self) -> float:
        """About the share of the corpus that is wanted, by the first sections' characters per token."""
        first = self._tokenise(list(itertools.islice(self._sections(), _TOGETHER)))
        characters, tokens = sum(t.end - t.begins[0] for t in first if t.ids), sum(len(t.ids) for t in first)
        if not tokens:
            return 1.0  # no text that is wanted: one round finds that out as well as thousands
        wanted = self.tokens * characters / max(1, tokens)
        return min(1.0, max(wanted, 1.0) / max(1, self.corpus.report.characters))

    def _contexts(self) -> Iterator[Context]:
        groups = self._groups()
        for slot in range(SLOTS):
            for group in range(groups):
                sections = (section for section in self._sections() if self._group(section, groups) == group)
                yield from self._chosen(sections, slot)

    def _groups(self) -> int:
        """Groups of sections: so many that one slot of one group is about a quarter of what is wanted."""
        return math.ceil(_ROUNDS / self._share() / SLOTS)

    def _group(self, section: Section, groups: int) -> int:
        return int(unit_hash("section", self.seed, section.document.index, section.number) * groups)

    def _chosen(self, sections: Iterator[Section], slot: int) -> Iterator[Context]:
        while together := list(itertools.islice(sections, _TOGETHER)):
            for tokenised in self._tokenise(together):
                for chunk in range(math.ceil(len(tokenised.ids) / self.room)):
                    place = unit_hash("chunk", self.seed, tokenised.document.index, tokenised.number, chunk)
                    if int(place * SLOTS) == slot:
                        yield self._context(tokenised, chunk * self.room, self.room)

    def _sections(self) -> Iterator[Section]:
        size = max(_SECTION_AT_LEAST, _SECTION_PER_TOKEN * self.room)
        for document in filter(self._wanted, self.corpus.shuffled(self.seed)):
            for number, (begin, end) in enumerate(pieces(document.text, size)):
                yield Section(document, number, begin, end)

    def _wanted(self, document: Document) -> bool:
        if not self.held_out:
            return True
        return (unit_hash("held out", document.index) < self.held_out) == self.only_held_out

    def _tokenise(self, sections: list[Section]) -> list[Tokenised]:
        texts = [section.document.text[section.begin : section.end] for section in sections]
        encodings = self.tokenizer._tokenizer.encode_batch(texts, add_special_tokens=False)
        return [
            Tokenised(
                s.document,
                s.number,
                e.ids,
                [s.begin + begin for begin, _end in e.offsets],
                [s.begin + end for _begin, end in e.offsets],
                s.end,
            )
            for s, e in zip(sections, encodings, strict=True)
        ]

    def _context(self, tokenised: Tokenised, start: int, room: int) -> Context:
        stop = min(start + room, len(tokenised.ids))
        begins = tokenised.begins
        paragraphs = paragraph_starts(tokenised)
        sentences = sentence_starts(tokenised, start, stop) if self.sentences else []
        return Context(
            tokenised.document,
            begins[start],
            tokenised.ids[start:stop],
            begins[start:stop],
            tokenised.ends[start:stop],
            distances(begins, paragraphs, start, stop),
            distances(begins, sentences, start, stop),
        )

    def _cut(self, contexts: list[Context], left: int) -> tuple[list[Context], int]:
        kept = []
        for context in contexts:
            if left <= 0:
                break
            template = _of_template(context)
            counted = [n for n, token in enumerate(context.ids) if token not in self.special and not template[n]]
            if len(counted) > left:
                stop = counted[left]
                context = Context(
                    context.document,
                    context.start,
                    context.ids[:stop],
                    context.begins[:stop],
                    context.ends[:stop],
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
        template = _padded([[0] * len(lead) + _of_template(context) for context in contexts], width, 0).bool()
        return TokenBatch(
            ids=ids,
            attention=attention,
            mask=own & ~template & ~torch.isin(ids, self._special),
            document=torch.tensor([context.document.index for context in contexts]),
            start=torch.tensor([context.start for context in contexts]),
            group=torch.tensor([group_of(context.document.index) for context in contexts]),
            repeats=torch.tensor([context.document.repeats for context in contexts]),
            template=template,
            paragraph=_padded([skip + context.paragraph for context in contexts], width, -1),
            sentence=_padded([skip + context.sentence for context in contexts], width, -1),
            begin=_padded([skip + context.begins for context in contexts], width, -1),
            end=_padded([skip + context.ends for context in contexts], width, -1),
            lead=len(lead),
            cursor=cursor,
        )


def _of_template(context: Context) -> list[int]:
    """1 for each token all of whose characters a template put there."""
    spans = context.document.template
    if not spans:
        return [0] * len(context.ids)
    last = [bisect.bisect_right(spans, (begin, math.inf)) - 1 for begin in context.begins]
    return [int(at >= 0 and end <= spans[at][1]) for at, end in zip(last, context.ends, strict=True)]


def _padded(rows: list[list[int]], width: int, fill: int) -> Tensor:
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], dtype=torch.int64)
