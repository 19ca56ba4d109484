"""`dense-latents train-sae`: cache activations once, train one SAE per hook point, report on held-out text."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console

from analysis.errors import UserError
from analysis.hashing import sha256_file
from analysis.process.cache import cache_folder
from analysis.process.pool import trained
from analysis.process.progress import Progress, progress_bar
from analysis.reading import hook_points
from analysis.reading.chat import Chat
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.hook_names import parse
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from analysis.reading.sae import HASH, REPORT, WEIGHTS, load_sae, slug_part
from analysis.training.activations import ActivationCache, cache_for
from analysis.training.config import LEARNED, PRINCIPAL, RANDOM, Recipe, TrainConfig
from analysis.training.report import evaluate
from analysis.training.train import tokens_left, train

_KEPT = "the same command goes on from the last checkpoint"


def train_saes(config: TrainConfig, console: Console) -> list[Path]:
    """Train and report; returns the SAE folders. Stopped at any point, it goes on where it was."""
    for hook in config.hooks:
        parse(hook)
    corpus = Corpus(config.corpus, config.text_field, Chat(config.model), config.encoding)
    model = load_model(config.model, device=config.device)
    for hook in config.hooks:
        hook_points.resolve(model.module, hook)
    stream = _stream(config, corpus, model, config.tokens, only_held_out=False)
    _check_held_out(config, corpus, model)
    cache = cache_for(cache_folder() / "activations", model, stream, config.hooks, console.print)
    with progress_bar(console, "activations", config.tokens, "tokens") as progress:
        cache.fill(model, stream, progress)
    waiting = {hook: _folder(config, hook) for hook in config.hooks}
    for folder in waiting.values():
        folder.mkdir(parents=True, exist_ok=True)
    _train_all(config, cache, waiting, model, corpus, console)
    return list(waiting.values())


def _stream(
    config: TrainConfig, corpus: Corpus, model: LanguageModel, tokens: int, *, only_held_out: bool
) -> ContextStream:
    return ContextStream(
        corpus,
        model.tokenizer,
        bos=model.bos_id,
        special=model.special_ids,
        context=config.context,
        batch=8,
        tokens=tokens,
        seed=config.recipe.seed,
        held_out=config.held_out,
        only_held_out=only_held_out,
        sentences=False,
    )


def _check_held_out(config: TrainConfig, corpus: Corpus, model: LanguageModel) -> None:
    """Refuse, before anything is trained, a corpus that leaves nothing to measure the SAEs on."""
    if next(_stream(config, corpus, model, config.report_tokens, only_held_out=True).batches(), None) is None:
        raise UserError(
            f"{corpus.path}: --held-out {config.held_out} holds out none of {corpus.report.documents} documents;"
            " expected at least one: give more documents or a larger share"
        )


def _folder(config: TrainConfig, hook: str) -> Path:
    layer, kind = parse(hook)
    return config.out / f"{config.recipe.architecture}-l{layer:02d}-{kind.replace('_', '-')}{_design(config.recipe)}"


def _design(recipe: Recipe) -> str:
    """What tells the folder of a design from that of the plain SAE."""
    beside = {LEARNED: "bottleneck", PRINCIPAL: "principal", RANDOM: "random"}[recipe.bottleneck_kind]
    found = f"-{beside}{recipe.bottleneck}" if recipe.bottleneck else ""
    return found + (f"-frequency{recipe.frequency_penalty:g}" if recipe.frequency_penalty else "")


class _Job(NamedTuple):
    """One SAE, with all that its process needs."""

    recipe: Recipe
    cache: ActivationCache
    hook: str
    folder: Path
    metadata: dict[str, Any]
    device: str
    threads: int

    @property
    def label(self) -> str:
        """How it is named on the screen."""
        return self.hook

    def left(self) -> int:
        """Token-steps still to do."""
        return tokens_left(self.recipe, self.folder)


def _train_all(
    config: TrainConfig,
    cache: ActivationCache,
    folders: dict[str, Path],
    model: LanguageModel,
    corpus: Corpus,
    console: Console,
) -> None:
    threads, device = max(1, (os.cpu_count() or 1) // config.jobs), str(model.device)
    todo = [
        _Job(config.recipe, cache, hook, folder, _metadata(config, model, corpus, hook), device, threads)
        for hook, folder in folders.items()
        if not (folder / REPORT).exists()
    ]
    for job, training in trained(_work, todo, config.jobs, console, _KEPT) if todo else ():
        _finish(config, model, corpus, job.folder, training, console)


def _work(job: _Job, progress: Progress) -> dict[str, Any]:
    def change(batch: torch.Tensor) -> torch.Tensor:
        progress(len(batch))
        return batch

    torch.set_num_threads(job.threads)
    return train(job.recipe, job.cache, job.hook, job.folder, job.metadata, device=job.device, change=change)


def _metadata(config: TrainConfig, model: LanguageModel, corpus: Corpus, hook: str) -> dict[str, Any]:
    return {
        "model_name": model.name,
        "hook_name": hook,
        "context_size": config.context,
        "prepend_bos": model.bos_id is not None,
        "dataset_path": corpus.name,
        "model_fingerprint": model.fingerprint,
        "corpus_sha256": corpus.sha256,
        "seed": config.recipe.seed,
    }


def _finish(
    config: TrainConfig, model: LanguageModel, corpus: Corpus, folder: Path, training: dict[str, Any], console: Console
) -> None:
    """Measure the SAE as it lies on disk, and write the report and the hash of the weights."""
    sae = load_sae(str(folder), device=str(model.device))
    tokens = min(config.report_tokens, max(2_000, config.tokens // 10))
    console.print(f"measuring {slug_part(sae)} on {tokens:,} tokens of held-out documents")
    stream = _stream(config, corpus, model, tokens, only_held_out=True)
    measured = evaluate(model, sae, stream)
    report = training | {"held_out": measured, "model": model.name, "corpus": corpus.name}
    (folder / REPORT).write_text(json.dumps(report, indent=1) + "\n")
    (folder / HASH).write_text(f"{sha256_file(folder / WEIGHTS)}  {WEIGHTS}\n")
    recovered = measured["loss_recovered"]
    without = measured.get("loss_without_bottleneck")
    console.print(
        f"{slug_part(sae)}: {training['steps']:,} steps in {training['seconds']:,.0f} s,"
        f" FVU {measured['fvu']:.3f}, L0 {measured['l0']:.1f}, dead {training['dead_in_training']:.1%},"
        f" loss recovered {'unknown' if recovered is None else f'{recovered:.1%}'}"
        + ("" if without is None else f"; loss {without:.3f} without what the bottleneck carries")
    )
