"""SAEs trained by sae-lens on cached activations: stopped and resumed, saved, reported, and read by sae-lens alone."""

from __future__ import annotations

import io
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file

from analysis.errors import UserError
from analysis.hashing import sha256_file
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from analysis.reading.sae import HASH, REPORT, WEIGHTS, load_sae
from analysis.training.activations import ActivationCache, cache_for, shuffled_batches
from analysis.training.command import train_saes
from analysis.training.config import ARCHITECTURES, Recipe, TrainConfig
from analysis.training.report import evaluate
from analysis.training.train import train
from tests.analysis.tiny_models import D_MODEL, save_tiny
from tests.planted import sae_folder

torch.set_num_threads(1)

HOOK = "blocks.1.hook_resid_post"
HOOKS = ["blocks.0.hook_resid_post", HOOK]
TOKENS, BATCH, STEPS = 3000, 64, 80
METADATA = {"hook_name": HOOK, "model_name": "tiny", "seed": 0}
each_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LanguageModel:
    """A tiny Llama."""
    return load_model(str(save_tiny("llama", tmp_path_factory.mktemp("llama"))), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Sixty documents of made-up words."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("corpus") / "words.jsonl"
    words = ["cat", "dog", "the", "sat", "on", "mat.", "She", "said", "42", "sea", "sky"]
    texts = [" ".join(random.choice(words, 90)) for _ in range(60)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return Corpus(path)


def stream_of(corpus: Corpus, model: LanguageModel, tokens: int, **settings: Any) -> ContextStream:
    chosen: dict[str, Any] = {"bos": model.bos_id, "special": model.special_ids, "context": 32, "batch": 4} | settings
    return ContextStream(corpus, model.tokenizer, tokens=tokens, **chosen)


@pytest.fixture(scope="module")
def cache(model: LanguageModel, corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> ActivationCache:
    """3,000 tokens at two hook points."""
    filled = ActivationCache(tmp_path_factory.mktemp("cache"), HOOKS, TOKENS, D_MODEL)
    filled.fill(model, stream_of(corpus, model, TOKENS))
    return filled


def recipe(architecture: str, **settings: Any) -> Recipe:
    chosen = {"width": 48, "k": 4, "batch": BATCH, "train_tokens": STEPS * BATCH, "l0_coefficient": 0.1} | settings
    return Recipe(architecture, **chosen)


class Stopped(Exception):  # noqa: N818
    """The machine went away."""


class StoppingCache(ActivationCache):
    """A disk that fails after so many batches: what a run that is killed has seen."""

    def __init__(self, cache: ActivationCache, batches: int) -> None:
        super().__init__(cache.folder, cache.hooks, cache.tokens, cache.d_model)
        self.left = batches

    def rows(self, hook: str, mode: str = "r") -> Any:
        return _StoppingRows(super().rows(hook, mode), self)


class _StoppingRows:
    def __init__(self, rows: Any, owner: StoppingCache) -> None:
        self.rows, self.owner = rows, owner

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        self.owner.left -= 1
        if self.owner.left < 0:
            raise Stopped
        return self.rows[index]


def test_the_cache_holds_what_the_model_reads(cache: ActivationCache, model: LanguageModel, corpus: Corpus) -> None:
    expected = []
    for batch in stream_of(corpus, model, TOKENS).batches():
        kept = model.read(batch.ids, batch.attention, [HOOK])[HOOK]
        expected.append(kept[batch.mask])
    found = torch.from_numpy(cache.rows(HOOK).astype(np.float32))
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-3, atol=1e-3)


def test_held_out_text_has_a_cache_of_its_own(model: LanguageModel, corpus: Corpus, tmp_path: Path) -> None:
    """As many tokens of either: what is measured on must not be what was trained on."""
    folders = [
        cache_for(tmp_path, model, stream_of(corpus, model, 500, held_out=0.2, only_held_out=only), HOOKS).folder
        for only in (False, True)
    ]
    assert folders[0] != folders[1]


def test_a_filling_that_stopped_goes_on(
    cache: ActivationCache, model: LanguageModel, corpus: Corpus, tmp_path: Path
) -> None:
    again = ActivationCache(tmp_path, HOOKS, TOKENS, D_MODEL)
    told = 0

    def stop(count: int) -> None:
        nonlocal told
        told += count
        if told > 2000:
            raise Stopped

    with pytest.raises(Stopped):
        again.fill(model, stream_of(corpus, model, TOKENS), stop)
    again.fill(model, stream_of(corpus, model, TOKENS))
    assert all(np.array_equal(again.rows(hook), cache.rows(hook)) for hook in HOOKS)


def test_text_that_ends_too_early_is_told(model: LanguageModel, corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"the corpus gave [\d,]+ tokens; expected 1,000,000: lower --tokens"):
        ActivationCache(tmp_path, [HOOK], 10**6, D_MODEL).fill(model, stream_of(corpus, model, 10**6))


def test_batches_start_anywhere_with_the_same_data(cache: ActivationCache) -> None:
    whole = shuffled_batches(cache.rows(HOOK), 500, seed=3)
    first = [next(whole) for _ in range(15)]  # two and a half epochs
    late = shuffled_batches(cache.rows(HOOK), 500, seed=3, start=8)
    assert all(torch.equal(next(late), batch) for batch in first[8:])
    epoch = torch.cat(first[:6]).sort(0).values
    assert torch.equal(epoch, torch.from_numpy(cache.rows(HOOK).astype(np.float32)).sort(0).values)
    assert not torch.equal(first[0], first[6])
    with pytest.raises(UserError, match="fewer than one training batch of 5,000"):
        next(shuffled_batches(cache.rows(HOOK), 5000, seed=0))


@each_architecture
def test_resumed_training_gives_the_same_sae(architecture: str, cache: ActivationCache, tmp_path: Path) -> None:
    """Bit by bit on one CPU thread: weights, thresholds and configuration."""
    chosen = recipe(architecture)
    train(chosen, cache, HOOK, tmp_path / "whole", METADATA)
    with pytest.raises(Stopped):
        train(chosen, StoppingCache(cache, 50 + STEPS * 3 // 4), HOOK, tmp_path / "stopped", METADATA)
    assert not (tmp_path / "stopped" / WEIGHTS).exists()
    report = train(chosen, cache, HOOK, tmp_path / "stopped", METADATA)
    assert STEPS // 2 <= report["resumed_at_step"] <= STEPS * 3 // 4
    whole, resumed = (load_file(tmp_path / name / WEIGHTS) for name in ("whole", "stopped"))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    configs = [json.loads((tmp_path / name / "cfg.json").read_text()) for name in ("whole", "stopped")]
    assert configs[0] == configs[1]


@each_architecture
def test_a_trained_sae_is_sae_lens_own(architecture: str, cache: ActivationCache, tmp_path: Path) -> None:
    """Plain sae-lens loads it, it says where it reads, and it is better than an untrained one."""
    from sae_lens import SAE

    x = torch.from_numpy(cache.rows(HOOK).astype(np.float32))
    errors = []
    for steps in (1, 400):
        out = tmp_path / str(steps)
        report = train(recipe(architecture, train_tokens=steps * BATCH), cache, HOOK, out, METADATA)
        plain = SAE.load_from_disk(str(out), device="cpu", dtype="float32")
        loaded = load_sae(str(out))
        assert loaded.hook_point == plain.cfg.metadata.hook_name == HOOK
        assert loaded.architecture == ("jumprelu" if architecture == "batchtopk" else architecture)
        assert loaded.dtype == "float16"
        torch.testing.assert_close(loaded.encode(x), plain.encode(x))
        errors.append(float((plain(x).detach() - x).square().sum() / (x - x.mean(0)).square().sum()))
        assert report["steps"] == steps
    assert errors[1] < 0.7 * errors[0]
    assert sorted(path.name for path in out.iterdir()) == ["cfg.json", WEIGHTS]
    on = float((loaded.encode(x) != 0).sum(1).double().mean())
    if architecture in ("topk", "abstopk"):
        assert on <= 4
    if architecture == "batchtopk":
        assert on == pytest.approx(4, rel=0.35)


def test_abstopk_uses_both_signs(cache: ActivationCache, tmp_path: Path) -> None:
    train(recipe("abstopk"), cache, HOOK, tmp_path, METADATA)
    sae = load_sae(str(tmp_path))
    acts = sae.encode(torch.from_numpy(cache.rows(HOOK).astype(np.float32)))
    assert sae.signed
    assert (acts < 0).any()
    assert (acts > 0).any()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"architecture": "gated"}, "unknown architecture 'gated'; choose one of batchtopk"),
        ({"k": 2304}, "--k 2304: expected more than 0 and less than the width, 2304"),
        ({"k": 0}, "--k 0: expected more than 0"),
        ({"train_tokens": 100}, "--train-tokens 100: expected at least one batch, 2048"),
    ],
)
def test_a_recipe_that_makes_no_sense_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Recipe(**settings)


def test_an_sae_that_rebuilds_everything_has_the_clean_loss(
    model: LanguageModel, corpus: Corpus, tmp_path: Path
) -> None:
    """± every coordinate; then one that always says zero, which explains nothing.

    A random model may guess better without this layer: then no share of the loss is recovered, and
    none is claimed.
    """
    both = torch.cat([torch.eye(D_MODEL), -torch.eye(D_MODEL)])
    perfect = load_sae(str(sae_folder(tmp_path / "perfect", both, both, hook=HOOK)))
    found = evaluate(model, perfect, stream_of(corpus, model, 400))
    assert found["fvu"] == pytest.approx(0, abs=1e-9)
    assert found["loss_spliced"] == pytest.approx(found["loss_clean"], abs=1e-5)
    assert abs(found["loss_zeroed"] - found["loss_clean"]) > 0.01
    assert found["l0"] == pytest.approx(D_MODEL)
    assert found["never_fired_share"] == 0
    assert found["held_out_tokens"] == 400
    worse = found["loss_zeroed"] > found["loss_clean"]
    assert found["loss_recovered"] == (pytest.approx(1, abs=1e-3) if worse else None)
    mute = load_sae(str(sae_folder(tmp_path / "mute", both, both, torch.full((2 * D_MODEL,), -1e6), hook=HOOK)))
    found = evaluate(model, mute, stream_of(corpus, model, 400))
    assert found["loss_spliced"] == pytest.approx(found["loss_zeroed"])
    assert found["never_fired_share"] == 1
    assert found["fvu"] >= 1


def command(model: LanguageModel, corpus: Corpus, out: Path, **settings: Any) -> TrainConfig:
    chosen = asdict(recipe("batchtopk", train_tokens=10 * BATCH))
    return TrainConfig(
        model=model.source, corpus=str(corpus.path), hooks=[HOOK], out=out, **chosen,
        tokens=2000, context=32, report_tokens=300, device="cpu", **settings,
    )  # fmt: skip


def test_the_command_trains_reports_and_does_not_train_twice(
    model: LanguageModel, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    screen = Console(file=io.StringIO())
    config = command(model, corpus, tmp_path / "out", held_out=0.2)
    (folder,) = train_saes(config, screen)
    assert folder.name == "batchtopk-l01-resid-post"
    report = json.loads((folder / REPORT).read_text())
    assert report["recipe"]["architecture"] == "batchtopk"
    assert (report["steps"], report["unique_tokens"], report["corpus"]) == (10, 2000, "words")
    held_out = report["held_out"]
    assert held_out["held_out_tokens"] == 300
    assert held_out.keys() >= {"fvu", "l0", "loss_clean", "loss_spliced", "loss_zeroed", "loss_recovered"}
    assert (folder / HASH).read_text().split() == [sha256_file(folder / WEIGHTS), WEIGHTS]
    sae = load_sae(str(folder))
    assert sae.training == report
    metadata = sae.details["metadata"]
    assert metadata["corpus_sha256"] == corpus.sha256
    assert metadata["model_fingerprint"] == load_model(model.source).fingerprint
    before = (folder / WEIGHTS).stat().st_mtime_ns
    assert train_saes(config, screen) == [folder]
    assert (folder / WEIGHTS).stat().st_mtime_ns == before


def test_a_corpus_that_holds_nothing_out_is_refused_before_training(
    model: LanguageModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "one.txt"
    path.write_text("one document " * 2000)
    config = command(model, Corpus(path), tmp_path / "out", held_out=0.01)
    with pytest.raises(UserError, match=r"one\.txt: --held-out 0\.01 holds out none of 1 documents"):
        train_saes(config, Console(file=io.StringIO()))
    assert not (tmp_path / "out").exists()
