"""Contexts: which are read, where they begin, what of them counts, and how far each token is from a boundary."""

from __future__ import annotations

import itertools
import json
import time
import tracemalloc
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import UserError
from analysis.reading import documents
from analysis.reading.batches import TokenBatch
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus, Document
from tests.analysis.tiny_models import BOS, EOS, PAD, tiny_tokenizer

torch.set_num_threads(1)

SPECIAL = {PAD, BOS, EOS}
SENTENCE = "The cat sat on the mat, and the dog lay by the door. "


def corpus_of(folder: Path, *texts: str) -> Corpus:
    """One document a text."""
    path = folder / "corpus.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return Corpus(path)


def stream_of(corpus: Corpus, tokens: int = 10**9, **settings: Any) -> ContextStream:
    """The tiny tokenizer's contexts of 32 tokens, 4 a batch, unless told."""
    chosen: dict[str, Any] = {"bos": BOS, "special": SPECIAL, "context": 32, "batch": 4} | settings
    return ContextStream(corpus, chosen.pop("tokenizer", None) or tiny_tokenizer(), tokens=tokens, **chosen)


def contexts(batches: Iterator[TokenBatch]) -> list[tuple[Any, ...]]:
    """Each context alone: everything about it that is not padding."""
    found = []
    for batch in batches:
        for row in range(len(batch.ids)):
            own = batch.attention[row]
            columns = (batch.ids, batch.mask, batch.paragraph, batch.sentence)
            places = int(batch.document[row]), int(batch.start[row]), int(batch.group[row])
            found.append((*places, *(column[row][own].tolist() for column in columns)))
    return found


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """200 documents of very different lengths."""
    folder = tmp_path_factory.mktemp("many")
    return corpus_of(folder, *(f"Document {n}.\n\n" + SENTENCE * (1 + n * 7 % 45) for n in range(200)))


def test_the_same_contexts_whatever_the_batch_size(many: Corpus) -> None:
    found = [contexts(stream_of(many, 5000, batch=batch).batches()) for batch in (1, 4, 7, 1000)]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) > 150


@pytest.fixture(scope="module")
def whole(many: Corpus) -> list[TokenBatch]:
    return list(stream_of(many, 5000).batches())


@settings(max_examples=10, deadline=None)
@given(stop=st.integers(0, 60))
def test_it_goes_on_where_it_stopped(many: Corpus, whole: list[TokenBatch], stop: int) -> None:
    skip = whole[stop].cursor if stop < len(whole) else whole[-1].cursor
    rest = list(stream_of(many, 5000).batches(skip=skip))
    assert [batch.cursor for batch in rest] == [batch.cursor for batch in whole[stop + 1 :]]
    assert contexts(iter(rest)) == contexts(iter(whole[stop + 1 :]))


@pytest.mark.parametrize("tokens", [1, 7, 31, 32, 1000, 1001])
def test_exactly_as_many_tokens_count_as_were_asked_for(many: Corpus, tokens: int) -> None:
    assert sum(int(batch.mask.sum()) for batch in stream_of(many, tokens).batches()) == tokens


def test_special_tokens_in_the_text_do_not_use_up_the_limit(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, "a<eos>b<bos>c " * 100)
    batches = list(stream_of(corpus, 50).batches())
    ids = torch.cat([batch.ids[batch.mask] for batch in batches])
    assert len(ids) == 50
    assert not set(ids.tolist()) & SPECIAL


def test_asked_for_everything_it_reads_every_character_once(many: Corpus) -> None:
    """Also every seed does: only the order differs."""
    tokenizer: Any = tiny_tokenizer()
    for seed in (0, 1):
        parts = defaultdict(list)
        for document, start, _group, ids, *_ in contexts(stream_of(many, seed=seed, sentences=False).batches()):
            parts[document].append((start, ids[1:]))
        for document in many.documents():
            ids = [token for _start, own in sorted(parts[document.index]) for token in own]
            assert tokenizer.decode(ids) == document.text


@pytest.mark.parametrize("tokens", [2_000, 20_000])
def test_a_part_is_a_fair_sample_of_the_whole(many: Corpus, tokens: int) -> None:
    """Each document gives about its share of the tokens, and different seeds read different parts."""
    samples = [contexts(stream_of(many, tokens, seed=seed).batches()) for seed in range(6)]
    assert len({(c[0], c[1]) for sample in samples for c in sample}) > 1.5 * len(samples[0])
    read = Counter({document.index: 0 for document in many.documents()})
    for sample in samples:
        for document, _start, _group, ids, *_ in sample:
            read[document] += len(ids)
    long = [document.index for document in many.documents() if len(document.text) > 1200]
    total = sum(len(document.text) for document in many.documents())
    share = sum(len(document.text) for document in many.documents() if document.index in set(long)) / total
    assert sum(read[index] for index in long) / read.total() == pytest.approx(share, abs=0.12)
    assert sum(read[index] > 0 for index in long) > len(long) * min(0.9, tokens / 8_000)


def test_columns_are_what_they_say(tmp_path: Path) -> None:
    """BOS, own tokens, padding; only own tokens count."""
    corpus = corpus_of(tmp_path, "short <eos> one", SENTENCE * 9)
    tokenizer: Any = tiny_tokenizer()
    for batch in stream_of(corpus).batches():
        assert (batch.ids[:, 0] == BOS).all()
        assert batch.attention[:, 0].all()
        assert not batch.mask[:, 0].any()
        assert not (batch.mask & ~batch.attention).any()
        assert (batch.attention.long().diff(dim=1) <= 0).all(), "padding stands right"
        assert batch.ids.shape[1] <= 32
        assert batch.lead == 1
        assert (batch.paragraph[~batch.attention] == -1).all()
        assert (batch.sentence[:, 0] == -1).all()
        special = torch.isin(batch.ids, torch.tensor(sorted(SPECIAL)))
        assert torch.equal(batch.mask, batch.attention & ~special)
        texts = [document.text for document in corpus.documents()]
        for row in range(len(batch.ids)):
            text = tokenizer.decode(batch.ids[row][batch.attention[row]][1:])
            assert texts[int(batch.document[row])][int(batch.start[row]) :].startswith(text)


def test_what_stands_before_a_context_never_counts(tmp_path: Path) -> None:
    """Even a beginning that the tokenizer does not call special."""
    (batch,) = stream_of(corpus_of(tmp_path, SENTENCE), special=set(), context=64).batches()
    assert batch.mask[0].tolist() == [False] + [True] * (batch.ids.shape[1] - 1)


def test_without_a_bos_every_column_is_text(tmp_path: Path) -> None:
    (batch, *_) = stream_of(corpus_of(tmp_path, SENTENCE * 9), bos=None).batches()
    assert batch.lead == 0
    assert batch.mask[0].all()
    assert batch.ids.shape[1] == 32


def test_held_out_documents_are_never_read_in_training(many: Corpus) -> None:
    def read(only: bool) -> set[int]:
        batches = stream_of(many, held_out=0.2, only_held_out=only, sentences=False).batches()
        return {context[0] for context in contexts(batches)}

    train, held = read(False), read(True)
    assert not train & held
    assert train | held == {document.index for document in many.documents()}
    assert 25 < len(held) < 55


def test_a_corpus_that_holds_out_nothing_says_so_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It took a round over the corpus for each two characters of it."""
    corpus = corpus_of(tmp_path, *[SENTENCE * 40 for _ in range(6)])
    rounds: list[int] = []
    one_round = corpus.shuffled

    def counted(seed: int) -> Iterator[Document]:
        rounds.append(seed)
        return one_round(seed)

    monkeypatch.setattr(corpus, "shuffled", counted)
    assert list(stream_of(corpus, held_out=1e-9, only_held_out=True).batches()) == []
    assert 0 < len(rounds) < 20


TEXT = "The cat sat. A dog barked at 3.14 p.m. in vain!\n\nShe left.  It rain-\ned all day. \n \n\nEnd"
#       sentences begin at The, A, She, It and End; paragraphs at The, She and End
STARTS = {"sentence": ("The", "A dog", "She", "It rain", "End"), "paragraph": ("The", "She", "End")}


@pytest.mark.parametrize("kind", ["sentence", "paragraph"])
def test_distances_are_those_counted_by_hand(tmp_path: Path, kind: str) -> None:
    """Two words that syntok would join, a number with a point, and double spaces stand in the way."""
    stream = stream_of(corpus_of(tmp_path, TEXT), context=300, bos=None)
    (batch,) = stream.batches()
    tokenizer: Any = tiny_tokenizer()
    tokens = [tokenizer.decode([token]) for token in batch.ids[0].tolist()]
    begins = [len("".join(tokens[:number])) for number in range(len(tokens))]
    assert "".join(tokens) == TEXT
    places = [TEXT.index(start) for start in STARTS[kind]]
    first = [max(n for n, begin in enumerate(begins) if begin <= place) for place in places]
    expected = [number - max(n for n in first if n <= number) for number in range(len(tokens))]
    assert getattr(batch, kind)[0].tolist() == expected


def test_distances_go_on_from_one_context_to_the_next(tmp_path: Path) -> None:
    """A context may begin in the middle of a sentence: its first token is not a sentence's first."""
    texts = [TEXT + "\n\n" + SENTENCE * 5]
    whole = next(stream_of(corpus_of(tmp_path, *texts), context=2000, bos=None).batches())
    parts = contexts(stream_of(corpus_of(tmp_path, *texts), context=9, bos=None, batch=100).batches())
    parts.sort(key=lambda context: context[1])
    for column, kind in ((5, "paragraph"), (6, "sentence")):
        joined = list(itertools.chain.from_iterable(part[column] for part in parts))
        assert joined == getattr(whole, kind)[0].tolist()


def test_a_text_without_a_blank_line_has_no_paragraphs(tmp_path: Path) -> None:
    for batch in stream_of(corpus_of(tmp_path, SENTENCE * 30 + "\nOne line more.")).batches():
        assert (batch.paragraph == -1).all()
        assert (batch.sentence[batch.mask] >= 0).any()


def test_far_from_any_known_boundary_the_distance_is_unknown(tmp_path: Path) -> None:
    """4,000 characters without a full stop: no wrong number is made up."""
    text = "Start. " + "word " * 4000
    found = contexts(stream_of(corpus_of(tmp_path, text)).batches())
    late = [c[6] for c in found if c[1] > 8000]
    assert late
    assert all(set(sentence) == {-1} for sentence in late)
    early = next(c for c in found if c[1] == 0)
    assert early[6][1] == 0


def test_training_may_do_without_sentences(many: Corpus) -> None:
    batch = next(stream_of(many, 100, sentences=False).batches())
    assert (batch.sentence == -1).all()


UNITS = pytest.mark.parametrize("unit", ["x", SENTENCE, "\n\n", "é—😀"])


def long_text(folder: Path, unit: str, characters: int) -> Corpus:
    """One document of so many characters, which end with an x."""
    return corpus_of(folder, unit * (characters // len(unit)) + "x")


@UNITS
def test_a_million_characters_cost_about_twice_what_half_of_them_does(tmp_path: Path, unit: str) -> None:
    """With and without a space; the file itself is a few MB. What is quadratic would cost four times as much."""
    seconds = []
    for characters in (500_000, 1_000_000):
        corpus, started = long_text(tmp_path, unit, characters), time.process_time()
        counted = sum(int(batch.mask.sum()) for batch in stream_of(corpus, 2_000, context=256, batch=8).batches())
        seconds.append(time.process_time() - started)
        assert 0 < counted <= 2_000
    assert seconds[1] < 3 * seconds[0]


@UNITS
@pytest.mark.parametrize(
    ("characters", "bound"), [(300_000, 100_000_000), pytest.param(750_000, 150_000_000, marks=pytest.mark.long)]
)
def test_a_long_text_is_read_in_bounded_memory(tmp_path: Path, unit: str, characters: int, bound: int) -> None:
    stream = stream_of(long_text(tmp_path, unit, characters), 2_000, context=256, batch=8)
    tracemalloc.start()
    counted = sum(int(batch.mask.sum()) for batch in stream.batches())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < counted <= 2_000
    assert peak < bound


def test_a_tokenizer_that_would_truncate_or_pad_does_not(tmp_path: Path) -> None:
    """Some tokenizer files come with both switched on; a document would be cut at 16 tokens without a word."""
    corpus = corpus_of(tmp_path, SENTENCE * 20, "short")
    cutting: Any = tiny_tokenizer()
    cutting._tokenizer.enable_truncation(16)
    cutting._tokenizer.enable_padding(pad_id=PAD, pad_token="<pad>")
    assert contexts(stream_of(corpus, tokenizer=cutting).batches()) == contexts(stream_of(corpus).batches())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"context": 7}, "--context 7: expected at least 8 tokens"), ({"tokens": 0}, "--tokens 0: expected a positive")],
)
def test_sizes_that_make_no_sense_are_refused(many: Corpus, wrong: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        stream_of(many, **wrong)


def test_text_of_special_tokens_alone_counts_nothing(tmp_path: Path) -> None:
    batches = list(stream_of(corpus_of(tmp_path, "<eos><bos>" * 50)).batches())
    assert sum(int(batch.mask.sum()) for batch in batches) == 0


def test_the_strip_is_one_whole_document_where_one_fits(many: Corpus) -> None:
    stream = stream_of(many)
    found = stream.whole_document(400)
    assert found is not None
    assert 31 <= len(found.ids) <= 400
    tokenizer: Any = tiny_tokenizer()
    assert tokenizer.decode(found.ids) == found.document.text
    batch = stream.collate(stream.contexts_of(found, 400))
    assert batch.ids[batch.mask].tolist() == found.ids


def test_the_strip_is_the_beginning_of_a_long_document_else(tmp_path: Path) -> None:
    stream = stream_of(corpus_of(tmp_path, SENTENCE * 5000))
    found = stream.whole_document(100)
    assert found is not None
    assert found.begins[0] == 0
    batch = stream.collate(stream.contexts_of(found, 100))
    assert batch.ids[batch.mask].tolist() == found.ids[:100]


def test_a_corpus_of_several_blocks_is_sampled_evenly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "BLOCK_CHARACTERS", 200_000)
    for number in range(4):
        lines = [json.dumps({"text": f"file {number} " + "word after word. " * 200}) for _ in range(100)]
        (tmp_path / f"{number}.jsonl").write_text("\n".join(lines))
    corpus, files = Corpus(tmp_path), Counter[int]()
    for seed in range(4):
        for batch in stream_of(corpus, tokens=20_000, seed=seed).batches():
            files.update((batch.document // 100).tolist())
    assert set(files) == {0, 1, 2, 3}
    assert all(0.17 < count / files.total() < 0.33 for count in files.values()), files
