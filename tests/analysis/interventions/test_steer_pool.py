"""Where the texts come from: documents the run did not read, position taken out, signals as they are for the size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.steer.pool import documents_read, held_out, read_pool
from analysis.interventions.subject import Subject, open_subject
from analysis.reading.model import LanguageModel
from tests.analysis.interventions.steer_world import CASE, KIND, D, kinds, planted_store
from tests.analysis.tiny_models import D_MODEL, tiny, tiny_tokenizer

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Subject:
    store = planted_store(tmp_path_factory.mktemp("steer-pool"))
    return open_subject(str(store.db), "0", device="cpu")


def parameter(model: LanguageModel, name: str) -> Tensor:
    """To be changed in place."""
    return model.module.get_parameter(name).detach()


def test_documents_the_run_did_not_read_come_first(subject: Subject) -> None:
    read = documents_read(subject)
    assert 10 < len(read) < 60
    batches, unread = held_out(subject, 16, 12)
    found = [int(index) for batch in batches for index in batch.document]
    assert len(found) == len(set(found)) == unread == 16
    assert not set(found) & read


def test_documents_it_read_follow_where_there_are_not_enough_others(subject: Subject) -> None:
    read = documents_read(subject)
    batches, unread = held_out(subject, 60, 12)
    found = [int(index) for batch in batches for index in batch.document]
    assert len(found) == len(set(found)) > unread
    assert not set(found[:unread]) & read
    assert set(found[unread:]) <= read


def test_a_piece_has_the_mean_of_its_signal(subject: Subject) -> None:
    seen: list[int] = []
    pool = read_pool(subject, torch.stack([KIND, CASE]), 40, 12, seen.append)
    assert sum(seen) > 40 * 72
    kind, case = kinds()
    for number, truth in enumerate((kind, case)):
        expected = truth[pool.token].mean(2)[pool.whole]
        found = pool.value[..., number][pool.whole]
        assert float(torch.corrcoef(torch.stack([expected, found]))[0, 1]) > 0.9  # position takes a little
        assert float(pool.sd[number]) == pytest.approx(float(truth[pool.token[pool.whole]].std()), rel=0.03)
    assert pool.bos == [1]
    assert (pool.notes[0]["code"], pool.notes[0]["reason"]["code"]) == ("untagged", "not_english")
    assert bool((pool.whole.sum(1) >= 6).all())


def test_massive_tokens_are_left_out_of_the_signal_and_its_size(subject: Subject) -> None:
    """One token's embedding made huge: it would be every pole and every standard deviation."""
    table = parameter(subject.model, "model.embed_tokens.weight")
    token = int(torch.nonzero(kinds()[0] == 1)[0])
    before = table[token].clone()
    plain = read_pool(subject, KIND[None], 30, 12, lambda _n: None)
    with torch.no_grad():
        table[token] = 1000 * KIND
        try:
            pool = read_pool(subject, KIND[None], 30, 12, lambda _n: None)
        finally:
            table[token] = before
    assert float(pool.sd[0]) == pytest.approx(float(plain.sd[0]), rel=0.05)
    assert float(pool.value.abs().max()) < 2


def test_what_position_explains_is_taken_out(subject: Subject) -> None:
    """GPT-2 adds an embedding of the position: along it, late pieces would all be poles."""
    model = LanguageModel(tiny("gpt2"), tiny_tokenizer(), name="gpt2", source="test", fingerprint="00")
    places = parameter(model, "transformer.wpe.weight")
    with torch.no_grad():
        places += torch.linspace(0, 40, len(places))[:, None] * torch.eye(D_MODEL)[3]
    stored = replace(subject.stored, context=60, hook_point="blocks.0.hook_resid_pre", median_norm=100.0)
    pool = read_pool(replace(subject, model=model, stored=stored), torch.eye(D_MODEL)[3][None], 60, 9, lambda _n: None)
    by_piece = pool.value[..., 0].masked_fill(~pool.whole, torch.nan).nanmean(0)
    assert float(pool.sd[0]) > 5, "the signal is position, nearly"
    assert float(by_piece.abs().max()) < 0.2 * float(pool.sd[0])  # left alone, the ends are 1.4 off; bins are coarse


def test_texts_longer_than_a_context_allows_are_refused(subject: Subject) -> None:
    with pytest.raises(UserError, match="--length 24: expected at most 21"):
        read_pool(subject, torch.eye(D)[:1], 10, 24, lambda _n: None)


def test_documents_too_short_for_the_texts_are_named(subject: Subject, tmp_path: Path) -> None:
    from analysis.reading.documents import Corpus

    path = tmp_path / "short.jsonl"
    path.write_text('{"text": "abc"}\n{"text": "xyz"}\n')
    with pytest.raises(UserError, match="expected documents of at least 72 tokens"):
        read_pool(replace(subject, corpus=Corpus(path)), torch.eye(D)[:1], 10, 12, lambda _n: None)
