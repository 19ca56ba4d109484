"""Texts to steer on: held-out text as pieces of a few tokens, pairs of them from the two sides of a signal.

One context of each document, since pairs of texts are compared over documents. Documents the run did not read
come first: its classes, and so the candidates for steering, were found on those it read.

Both texts of a pair and the beginning are of one context: what the signal stands for is the context's matter. The texts
are the pieces where the signal is highest and lowest, the beginning is where it is nearest to their middle.
Since no text is scored right after the one it follows in the document, neither is the more natural one to go on with.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.steer.config import PREFIX
from analysis.interventions.subject import Subject
from analysis.process.progress import Progress
from analysis.reading.batches import Sample, TokenBatch
from analysis.reading.tags import UNIVERSAL, tag_sample
from analysis.run.rows.examples import documents_of
from analysis.statistics.plan import MASSIVE
from analysis.statistics.signals import position_design, residual, sum_by
from store.vocabulary import Statement

LEAST = PREFIX + 4  # pieces a context must have: two texts, what stands before them, and room to choose
_CONTEXTS = 8  # per forward pass
_SCAN = 8  # contexts looked at for each document that is wanted


class Pool(NamedTuple):
    """C contexts of as many documents, cut into S pieces of L tokens; q signals."""

    token: Tensor  # [C, S, L] int64
    whole: Tensor  # [C, S] bool: the piece is there, without special tokens, and mostly of ordinary ones
    value: Tensor  # [C, S, q] float32: mean of each signal over the piece, position and part of speech taken out
    document: Tensor  # [C] int64
    sd: Tensor  # [q] float64: standard deviation of each signal, as it is, over ordinary tokens
    bos: list[int]  # what stands before each text: one token or none
    unread: int  # how many of the documents the run did not read
    notes: list[Statement]  # what could not be done


def read_pool(subject: Subject, directions: Tensor, documents: int, length: int, progress: Progress) -> Pool:
    """Find the texts, read them up to the hook point and measure the signals.

    Args:
        directions: [q, D] unit vectors.
        documents: how many are looked for.
        length: tokens of a piece.
        progress: called with the number of tokens that went through the model.

    Raises:
        UserError: contexts too short for six pieces.
    """
    batches, unread = held_out(subject, documents, length)
    if not batches:
        raise UserError(
            f"{subject.corpus.path}: expected documents of at least {LEAST * length} tokens; found none:"
            f" --length {length} takes contexts of {LEAST} times as many tokens"
        )
    sample, found = sample_of(batches), []
    hook = subject.sae.hook_out
    for batch in batches:
        read = subject.model.read(batch.ids, batch.attention, [hook])[hook]
        found.append(read[batch.mask.to(read.device)].cpu())
        progress(batch.ids.numel())
    x = torch.cat(found)
    ordinary = x.norm(dim=1) <= MASSIVE * subject.stored.median_norm
    off = x - x[ordinary].mean(0)
    # one at a time: a product with several rounds otherwise, and a signal is to come out the same beside any others
    signals = torch.stack([off @ direction for direction in directions.cpu()], 1)
    design, notes = _held_fixed(subject, sample)
    left = torch.zeros_like(signals)
    for number, signal in enumerate(signals.T):
        left[ordinary, number] = residual(signal[ordinary, None], design[ordinary])[:, 0]
    pieces = (subject.stored.context - batches[0].lead) // length
    token, whole, value = _cut(batches, sample, left, ordinary, pieces, length)
    bos = [] if subject.model.bos_id is None else [subject.model.bos_id]
    sd = signals[ordinary].double().std(0, correction=0)
    return Pool(token, whole, value, sample.document, sd, bos, unread, notes)


def held_out(subject: Subject, documents: int, length: int) -> tuple[list[TokenBatch], int]:
    """One context of each of at most so many documents, those first that the run did not read; and how many these are.

    Raises:
        UserError: contexts shorter than six pieces.
    """
    stored = subject.stored
    room = stored.context - (subject.model.bos_id is not None)
    if room < LEAST * length:
        raise UserError(
            f"--length {length}: expected at most {room // LEAST}, a {LEAST}th of the {room} tokens of a context"
        )
    known, seen = documents_read(subject), set[int]()
    fresh: list[TokenBatch] = []
    spare: list[TokenBatch] = []
    for batch in subject.stream(_SCAN * documents * stored.context, _CONTEXTS).batches():
        for row in torch.nonzero(batch.mask.sum(1) >= LEAST * length).flatten().tolist():
            document = int(batch.document[row])
            if document not in seen:
                seen.add(document)
                (spare if document in known else fresh).append(_rows(batch, row))
        if len(fresh) >= documents:
            break
    chosen = [*fresh, *spare][:documents]
    together = [_stacked(chosen[at : at + _CONTEXTS]) for at in range(0, len(chosen), _CONTEXTS)]
    return together, min(len(fresh), documents)


def documents_read(subject: Subject) -> set[int]:
    """Documents of which the run read at least one counted token. No model runs."""
    stream = subject.stream(int(subject.stored.settings["tokens"]), _CONTEXTS)
    stream.sentences = False
    return {int(index) for batch in stream.batches() for index in batch.document[batch.mask.any(1)]}


def sample_of(batches: list[TokenBatch]) -> Sample:
    """All counted tokens, contexts one after the other."""
    flat: dict[str, list[Tensor]] = {name: [] for name in Sample._fields}
    before = 0
    for batch in batches:
        context, column = torch.nonzero(batch.mask, as_tuple=True)
        parts = {"token": batch.ids[batch.mask], "context": context + before, "column": column}
        parts |= {name: getattr(batch, name)[batch.mask] for name in ("paragraph", "sentence", "begin")}
        parts |= {"document": batch.document, "group": batch.group}
        for name, part in parts.items():
            flat[name].append(part)
        before += len(batch.ids)
    return Sample(**{name: torch.cat(parts) for name, parts in flat.items()})


def _held_fixed(subject: Subject, sample: Sample) -> tuple[Tensor, list[Statement]]:
    """[n, b]: position, and part of speech where it can be tagged; and why it could not."""
    position = position_design(sample)
    documents = documents_of(subject.corpus, [], {int(index) for index in sample.document})
    tags = tag_sample(sample, documents)
    if tags.reason:
        return position, [{"code": "untagged", "reason": tags.reason}]
    return torch.cat([position, torch.nn.functional.one_hot(tags.values + 1, len(UNIVERSAL) + 1).float()], 1), []


def _cut(
    batches: list[TokenBatch], sample: Sample, left: Tensor, ordinary: Tensor, pieces: int, length: int
) -> tuple[Tensor, Tensor, Tensor]:
    lead, contexts = batches[0].lead, len(sample.document)
    width = lead + pieces * length
    token = torch.cat([_fitted(batch.ids, width) for batch in batches])[:, lead:].reshape(contexts, pieces, length)
    counted = torch.cat([_fitted(batch.mask, width) for batch in batches])[:, lead:].reshape(contexts, pieces, length)
    inside = ordinary & (sample.column < width)
    place = sample.context[inside] * pieces + (sample.column[inside] - lead) // length
    many = torch.bincount(place, minlength=contexts * pieces)
    value = sum_by(place, left[inside], contexts * pieces) / many.clamp(min=1)[:, None]
    whole = counted.all(2) & (many.view(contexts, pieces) >= length / 2)
    return token, whole, value.view(contexts, pieces, -1).float()


def _fitted(values: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(values, (0, max(0, width - values.shape[1])))[:, :width]


def _rows(batch: TokenBatch, row: int) -> TokenBatch:
    """One context, without its padding."""
    width = int(batch.attention[row].sum())
    cut = {
        name: value[row : row + 1, :width] if value.dim() == 2 else value[row : row + 1]
        for name, value in batch._asdict().items()
        if isinstance(value, Tensor)
    }
    return TokenBatch(**cut, lead=batch.lead, cursor=batch.cursor)


def _stacked(contexts: list[TokenBatch]) -> TokenBatch:
    """Contexts padded to the widest of them."""
    width = max(context.ids.shape[1] for context in contexts)
    joined = {
        name: torch.cat([_fitted(getattr(c, name), width) if value.dim() == 2 else getattr(c, name) for c in contexts])
        for name, value in contexts[0]._asdict().items()
        if isinstance(value, Tensor)
    }
    return TokenBatch(**joined, lead=contexts[0].lead, cursor=contexts[-1].cursor)


class Places(NamedTuple):
    """n pairs of texts in a pool, [n] int64 each."""

    text: Tensor  # context of both texts
    prefix: Tensor  # context of the beginning
    positive: Tensor  # piece
    negative: Tensor  # piece
    window: Tensor  # first piece of the beginning

    def at(self, keep: Tensor) -> Places:
        """Some of them."""
        return Places(*(part[keep] for part in self))


def poles(pool: Pool, signal: int, count: int) -> Places:
    """At most `count` pairs, one a document, furthest apart first.

    Args:
        signal: which of the pool's signals.
    """
    value = pool.value[..., signal]
    high = value.masked_fill(~pool.whole, -torch.inf).max(1)
    low = value.masked_fill(~pool.whole, torch.inf).min(1)
    window, off = _neutral(pool, value, high.indices, low.indices, (high.values + low.values) / 2)
    gap = (high.values - low.values).masked_fill(~torch.isfinite(off), -torch.inf)
    order = gap.argsort(descending=True, stable=True)[: min(count, int((gap > 0).sum()))]
    return Places(order, order, high.indices[order], low.indices[order], window[order])


def _neutral(pool: Pool, value: Tensor, high: Tensor, low: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """[C]: where the beginning is, and how far its signal is from the middle; infinite where there is none."""
    first = torch.arange(value.shape[1] - PREFIX + 1)
    inside = first[:, None] + torch.arange(PREFIX)
    off = (value[:, inside].mean(2) - middle[:, None]).abs()
    allowed = pool.whole[:, inside].all(2)
    for text in (high[:, None], low[:, None]):
        # neither over a text nor right before it
        allowed &= (text < first) | (text > first + PREFIX)
    found = off.masked_fill(~allowed, torch.inf).min(1)
    return found.indices, found.values


def halves(places: Places) -> tuple[Places, Places]:
    """(those the dose is chosen on, those the rate is measured on), no document in both, equally far apart."""
    number = torch.arange(len(places.text))
    return places.at(number % 2 == 1), places.at(number % 2 == 0)


def swapped(pool: Pool, places: Places) -> Places:
    """The same places in other documents: there, nothing ties them to the sides of the signal.

    Pairs whose places no other document has are left out.
    """
    needed = torch.zeros(len(places.text), pool.whole.shape[1], dtype=torch.bool)
    number = torch.arange(len(places.text))
    for piece in (places.positive, places.negative, *(places.window + step for step in range(PREFIX))):
        needed[number, piece] = True
    return _moved(pool, places, needed, with_texts=True)


def foreign(pool: Pool, places: Places) -> Places:
    """The same texts after the beginning of another document."""
    needed = torch.zeros(len(places.text), pool.whole.shape[1], dtype=torch.bool)
    for step in range(PREFIX):
        needed[torch.arange(len(places.text)), places.window + step] = True
    return _moved(pool, places, needed, with_texts=False)


def _moved(pool: Pool, places: Places, needed: Tensor, with_texts: bool) -> Places:
    """To the next context of the pool that has all needed pieces [n, S]."""
    contexts = len(pool.document)
    others = (places.text[:, None] + torch.arange(1, contexts)) % contexts  # [n, C - 1]
    has = (pool.whole[others] | ~needed[:, None]).all(2)
    if not others.shape[1]:
        return places.at(torch.zeros(len(places.text), dtype=torch.bool))
    to = others.gather(1, has.int().argmax(1, keepdim=True))[:, 0]
    moved = places._replace(prefix=to, text=to if with_texts else places.text)
    return moved.at(has.any(1))


def token_rows(pool: Pool, places: Places) -> Tensor:
    """[2n, T]: BOS, beginning and text, those of the positive side first."""
    inside = places.window[:, None] + torch.arange(PREFIX)
    before = pool.token[places.prefix[:, None], inside].flatten(1)
    lead = torch.tensor(pool.bos, dtype=torch.int64).expand(len(before), -1)
    texts = (pool.token[places.text, piece] for piece in (places.positive, places.negative))
    return torch.cat([torch.cat([lead, before, text], 1) for text in texts])


def beginnings(pool: Pool, places: Places) -> Tensor:
    """[n, T]: BOS and beginning."""
    rows = token_rows(pool, places)
    return rows[: len(rows) // 2, : rows.shape[1] - pool.token.shape[2]]
