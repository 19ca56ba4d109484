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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

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


class Unmade(NamedTuple):
    """A batch before it is made: to pass it over costs its tokens, but neither sentences nor tensors."""

    cursor: int  # contexts up to and including it
    make: Callable[[], TokenBatch]


class _Place(NamedTuple):
    """Where a context is: `room` tokens from `start`, of which the first `kept` are taken."""

    tokenised: Tokenised
    start: int
    room: int
    kept: int

    @property
    def stop(self) -> int:
        return self.start + self.kept


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
        return (batch.make() for batch in self.unmade() if batch.cursor > skip)

    def unmade(self) -> Iterator[Unmade]:
        """All batches in order, for a reader who makes some of them."""
        left = self.tokens
        cursor = 0
        places = self._places()
        while left > 0 and (taken := list(itertools.islice(places, self.batch))):
            cursor += len(taken)
            taken, left = self._cut(taken, left)
            yield Unmade(cursor, partial(self._made, taken, cursor))

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
        return [self._context(self._place(tokenised, start, limit - start)) for start in starts]

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

    def _made(self, places: list[_Place], cursor: int) -> TokenBatch:
        return self._collate([self._context(place) for place in places], cursor)

    def _places(self) -> Iterator[_Place]:
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

    def _chosen(self, sections: Iterator[Section], slot: int) -> Iterator[_Place]:
        while together := list(itertools.islice(sections, _TOGETHER)):
            for tokenised in self._tokenise(together):
                for chunk in range(math.ceil(len(tokenised.ids) / self.room)):
                    place = unit_hash("chunk", self.seed, tokenised.document.index, tokenised.number, chunk)
                    if int(place * SLOTS) == slot:
                        yield self._place(tokenised, chunk * self.room, self.room)

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

    def _place(self, tokenised: Tokenised, start: int, most: int) -> _Place:
        room = min(self.room, most, len(tokenised.ids) - start)
        return _Place(tokenised, start, room, room)

    def _context(self, place: _Place) -> Context:
        tokenised, start, stop, begins = place.tokenised, place.start, place.stop, place.tokenised.begins
        paragraphs = paragraph_starts(tokenised)
        # those of a context that is cut off are looked for in all of it: they are what they would be
        sentences = sentence_starts(tokenised, start, start + place.room) if self.sentences else []
        return Context(
            tokenised.document,
            begins[start],
            tokenised.ids[start:stop],
            begins[start:stop],
            tokenised.ends[start:stop],
            distances(begins, paragraphs, start, stop),
            distances(begins, sentences, start, stop),
        )

    def _cut(self, places: list[_Place], left: int) -> tuple[list[_Place], int]:
        kept = []
        for place in places:
            if left <= 0:
                break
            whole, here = place.tokenised, slice(place.start, place.stop)
            template = _of_template(whole.document, whole.begins[here], whole.ends[here])
            counted = [n for n, token in enumerate(whole.ids[here]) if token not in self.special and not template[n]]
            kept.append(place._replace(kept=counted[left]) if len(counted) > left else place)
            left -= min(left, len(counted))
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
        template = _padded([[0] * len(lead) + _in_template(context) for context in contexts], width, 0).bool()
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


def _in_template(context: Context) -> list[int]:
    return _of_template(context.document, context.begins, context.ends)


def _of_template(document: Document, begins: list[int], ends: list[int]) -> list[int]:
    """1 for each token all of whose characters a template put there."""
    spans = document.template
    if not spans:
        return [0] * len(begins)
    last = [bisect.bisect_right(spans, (begin, math.inf)) - 1 for begin in begins]
    return [int(at >= 0 and end <= spans[at][1]) for at, end in zip(last, ends, strict=True)]


def _padded(rows: list[list[int]], width: int, fill: int) -> Tensor:
    return torch.tensor([row + [fill] * (width - len(row)) for row in rows], dtype=torch.int64)
