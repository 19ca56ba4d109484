"""FAULTS 39: a model whose activations exceed float16 (Gemma 3: 70,000 to 99,000)."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from analysis.errors import UserError
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from analysis.reading.sae import WEIGHTS
from analysis.training.activations import ActivationCache, cache_for
from analysis.training.command import train_saes
from analysis.training.config import Recipe, TrainConfig
from analysis.training.train import halves, train
from tests.analysis.tiny_models import D_MODEL, save_tiny

torch.set_num_threads(1)

HOOK = "blocks.1.hook_resid_post"
LARGE, TOKENS = 90_000.0, 3000
RECIPE = Recipe("topk", width=48, k=4, batch=64, train_tokens=80 * 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama, one dimension of whose residual stream is about 90,000 on every token."""
    path = save_tiny("llama", tmp_path_factory.mktemp("large"))
    from safetensors.torch import save_file

    weights = load_file(path / "model.safetensors")
    embedding = weights["model.embed_tokens.weight"]
    embedding[:, 5] = LARGE * (1 + 0.05 * torch.randn(len(embedding), generator=torch.Generator().manual_seed(0)))
    save_file(weights, path / "model.safetensors", {"format": "pt"})
    return path


@pytest.fixture(scope="module")
def model(folder: Path) -> LanguageModel:
    return load_model(str(folder), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("corpus") / "words.jsonl"
    words = ["cat", "dog", "the", "sat", "on", "mat.", "She", "said", "42", "sea", "sky"]
    path.write_text("".join(json.dumps({"text": " ".join(random.choice(words, 90))}) + "\n" for _ in range(60)))
    return Corpus(path)


def stream(corpus: Corpus, model: LanguageModel, tokens: int = TOKENS) -> ContextStream:
    return ContextStream(
        corpus, model.tokenizer, tokens=tokens, bos=model.bos_id, special=model.special_ids, context=32, batch=4
    )


def test_training_equals_training_from_float32(model: LanguageModel, corpus: Corpus, tmp_path: Path) -> None:
    said: list[str] = []
    chosen = cache_for(tmp_path / "auto", model, stream(corpus, model), [HOOK], said.append)
    exact = ActivationCache(tmp_path, [HOOK], TOKENS, D_MODEL, "float32")
    for cache, out in ((chosen, tmp_path / "a"), (exact, tmp_path / "b")):
        cache.fill(model, stream(corpus, model))
        assert np.isfinite(cache.rows(HOOK)).all()
        train(RECIPE, cache, HOOK, out, {"hook_name": HOOK, "model_name": "tiny"})
    assert np.abs(chosen.rows(HOOK)).max() > 65_504
    assert [line for line in said if "the cache keeps float32" in line and "blocks.1" in line] == said != []
    ours, theirs = (load_file(tmp_path / name / WEIGHTS) for name in "ab")
    for name, weights in ours.items():
        assert torch.isfinite(weights).all(), name
        torch.testing.assert_close(weights, theirs[name], rtol=0, atol=0)  # the same numbers: the same digits


@pytest.mark.parametrize(("size", "held"), [(1.0, True), (0.01, True), (90_000.0, False), (1e-6, False)])
def test_weights_are_stored_in_float16_only_where_it_keeps_them(size: float, held: bool) -> None:
    """A bias of large activations is beyond its largest number, an encoder of them below its least."""
    weights = size * torch.randn(64, 32, generator=torch.Generator().manual_seed(0))
    assert halves(weights) is held


def test_a_value_that_comes_later_is_refused_and_the_same_command_goes_on(
    model: LanguageModel, corpus: Corpus, tmp_path: Path
) -> None:
    wide = cache_for(tmp_path, model, stream(corpus, model), [HOOK])
    shutil.rmtree(wide.folder)  # as if the pilot had seen small ones
    half = ActivationCache(tmp_path / wide.folder.name.removesuffix("-float32"), [HOOK], TOKENS, D_MODEL)
    half.folder.mkdir()
    with pytest.raises(
        UserError, match=r"blocks\.1\.hook_resid_post: an activation of \d\d\d?,\d+ is more than .*65,504"
    ):
        half.fill(model, stream(corpus, model))
    assert not half.folder.exists()
    again = cache_for(tmp_path, model, stream(corpus, model), [HOOK])
    assert again.dtype == "float32"
    again.fill(model, stream(corpus, model))


def test_a_model_that_gives_no_numbers_is_refused(folder: Path, corpus: Corpus, tmp_path: Path) -> None:
    model = load_model(str(folder), dtype="float16", device="cpu")
    with pytest.raises(UserError, match=r"expected numbers; the model gave (inf|nan) there"):
        cache_for(tmp_path, model, stream(corpus, model), [HOOK])


def test_the_command_trains_and_says_so(
    folder: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    printed = io.StringIO()
    config = TrainConfig(
        hooks=[HOOK], out=tmp_path / "out", model=str(folder), corpus=str(corpus.path), tokens=2000, context=32,
        architecture="topk", width=48, k=4, batch=64, train_tokens=40 * 64, report_tokens=500, device="cpu",
    )  # fmt: skip
    (made,) = train_saes(config, Console(file=printed, soft_wrap=True))
    assert "float16 holds 65,504: the cache keeps float32" in printed.getvalue()
    report = json.loads((made / "training_report.json").read_text())
    assert np.isfinite(report["held_out"]["fvu"])
