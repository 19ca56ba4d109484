"""Log probabilities of texts with the model pushed: the short way agrees with the plain, slow one."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from analysis.interventions.steer.score import Scorer, continuations
from analysis.reading import hook_points
from analysis.reading.model import LanguageModel
from tests.analysis.tiny_models import BOS, D_MODEL, FAMILIES, VOCAB, tiny, tiny_tokenizer

torch.set_num_threads(1)
SCORED = 4


@cache
def model_of(family: str) -> LanguageModel:
    return LanguageModel(tiny(family), tiny_tokenizer(), name=family, source="test", fingerprint="00")


def rows(count: int = 3) -> Tensor:
    ids = torch.randint(3, VOCAB, (count, 11), generator=torch.Generator().manual_seed(0))
    ids[:, 0] = BOS
    return ids


def next_logits(model: LanguageModel, hook: str, rows: Tensor, push: Tensor) -> Tensor:
    """Of what comes after texts of one length, through a plain forward pass."""
    handle = hook_points.on_write(model.module, hook, lambda x: x + push)
    with torch.no_grad():
        found: Tensor = model.module(input_ids=rows).logits[:, -1]
    handle.remove()
    return found


def slowly(model: LanguageModel, hook: str, ids: Tensor, push: Tensor) -> list[float]:
    """A whole forward pass for every scored token, which sees nothing that comes after."""
    total = torch.zeros(len(ids), dtype=torch.float64)
    for place in range(ids.shape[1] - SCORED, ids.shape[1]):
        logits = next_logits(model, hook, ids[:, :place], push)
        logp = torch.log_softmax(logits[:, : model.vocab_size].double(), 1)
        total += logp.gather(1, ids[:, place, None])[:, 0]
    return total.tolist()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("hook", ["blocks.0.hook_resid_pre", "blocks.1.hook_mlp_out", "blocks.2.hook_resid_post"])
def test_log_probabilities_are_those_of_one_pass_a_token(family: str, hook: str) -> None:
    model, ids = model_of(family), rows()
    push = torch.randn(D_MODEL, generator=torch.Generator().manual_seed(1))
    told: list[int] = []
    texts = Scorer(model, hook, told.append).read(ids, SCORED)
    pushed = texts.pushed(torch.stack([push, -push]))
    assert texts.clean.tolist() == pytest.approx(slowly(model, hook, ids, torch.zeros(D_MODEL)), rel=1e-5)
    assert pushed[0].tolist() == pytest.approx(slowly(model, hook, ids, push), rel=1e-5)
    assert pushed[1].tolist() == pytest.approx(slowly(model, hook, ids, -push), rel=1e-5)
    assert (pushed[0] - texts.clean).abs().max() > 1e-3, "the push does something"
    assert sum(told) == 3 * ids.numel()


def test_many_texts_are_read_in_parts_and_stay_in_order() -> None:
    model, ids = model_of("llama"), rows(70)
    push = torch.ones(1, D_MODEL)
    whole = Scorer(model, "blocks.1.hook_resid_post", lambda _n: None).read(ids, SCORED)
    few = Scorer(model, "blocks.1.hook_resid_post", lambda _n: None).read(ids[60:], SCORED)
    assert whole.clean[60:].tolist() == pytest.approx(few.clean.tolist(), rel=1e-6)
    assert whole.pushed(push)[0, 60:].tolist() == pytest.approx(few.pushed(push)[0].tolist(), rel=1e-6)


@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2"])
def test_a_continuation_is_the_likeliest_token_each_time(family: str) -> None:
    model, ids, hook = model_of(family), rows(2), "blocks.1.hook_resid_post"
    push = 3 * torch.randn(D_MODEL, generator=torch.Generator().manual_seed(2))
    found = continuations(model, hook, ids, push, lambda _n: None, length=5)
    assert len(found) == 2
    for number, signs in enumerate([{"minus": -1, "zero": 0, "plus": 1}] * 2):
        for name, sign in signs.items():
            row = ids[number]
            for _ in range(5):
                logits = next_logits(model, hook, row[None], sign * push)[0]
                logits[:3] = -torch.inf
                row = torch.cat([row, logits.argmax()[None]])
            assert found[number][name] == model.tokenizer.decode(row[-5:].tolist())
        assert found[number]["prefix"] == model.tokenizer.decode(ids[number, 1:].tolist())
    assert any(one["minus"] != one["plus"] for one in found)
    assert not any(block._forward_hooks for block in hook_points.blocks(model.module)), "the model is left as it was"
