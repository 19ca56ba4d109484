"""`dense-latents train-sae`: cache activations once, train one SAE per hook point, report on held-out text."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from analysis.errors import UserError
from analysis.hashing import sha256_file
from analysis.process.cache import cache_folder
from analysis.process.progress import progress_bar
from analysis.reading import hook_points
from analysis.reading.chat import Chat
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.hook_names import parse
from analysis.reading.model import LanguageModel, load_model
from analysis.reading.sae import HASH, REPORT, WEIGHTS, load_sae, slug_part
from analysis.training.activations import ActivationCache, cache_for
from analysis.training.config import Recipe, TrainConfig
from analysis.training.report import evaluate
from analysis.training.train import train


def train_saes(config: TrainConfig, console: Console) -> list[Path]:
    """Train and report; returns the SAE folders. Stopped at any point, it goes on where it was."""
    for hook in config.hooks:
        parse(hook)
    corpus = Corpus(config.corpus, chat=Chat(config.model))
    model = load_model(config.model, device=config.device)
    for hook in config.hooks:
        hook_points.resolve(model.module, hook)
    stream = _stream(config, corpus, model, config.tokens, only_held_out=False)
    _check_held_out(config, corpus, model)
    cache = cache_for(cache_folder() / "activations", model, stream, config.hooks, console.print)
    with progress_bar(console, "activations", config.tokens, "tokens") as progress:
        cache.fill(model, stream, progress)
    device = str(model.device)
    waiting = {hook: _folder(config, hook) for hook in config.hooks}
    for folder in waiting.values():
        folder.mkdir(parents=True, exist_ok=True)
    _train_all(config, cache, waiting, model, corpus, device, console)
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
    return config.out / f"{config.recipe.architecture}-l{layer:02d}-{kind.replace('_', '-')}"


def _train_all(
    config: TrainConfig,
    cache: ActivationCache,
    folders: dict[str, Path],
    model: LanguageModel,
    corpus: Corpus,
    device: str,
    console: Console,
) -> None:
    todo = {hook: folder for hook, folder in folders.items() if not (folder / REPORT).exists()}
    threads = max(1, (os.cpu_count() or 1) // config.jobs)
    with ProcessPoolExecutor(config.jobs, get_context("spawn"), _leave_ctrl_c_to_the_parent) as pool:
        futures = {}
        for hook, folder in todo.items():
            metadata = _metadata(config, model, corpus, hook)
            futures[pool.submit(_job, config.recipe, cache, hook, folder, metadata, device, threads)] = hook
        try:
            for future in as_completed(futures):
                hook = futures[future]
                _finish(config, model, corpus, folders[hook], future.result(), console)
        except KeyboardInterrupt:
            console.print("stopped; the same command goes on from the last checkpoint")
            for process in active_children():
                process.terminate()
            raise


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _job(
    recipe: Recipe, cache: ActivationCache, hook: str, out: Path, metadata: dict[str, Any], device: str, threads: int
) -> dict[str, Any]:
    torch.set_num_threads(threads)
    return train(recipe, cache, hook, out, metadata, device=device)


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
    console.print(
        f"{slug_part(sae)}: {training['steps']:,} steps in {training['seconds']:,.0f} s,"
        f" FVU {measured['fvu']:.3f}, L0 {measured['l0']:.1f}, dead {training['dead_in_training']:.1%},"
        f" loss recovered {'unknown' if recovered is None else f'{recovered:.1%}'}"
    )
