"""One SAE: sae-lens' trainer over cached activations, with checkpoints, and a report beside the weights."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from analysis.process.library import library_warnings
from analysis.reading.bottleneck import Bottleneck, save_bottleneck
from analysis.reading.sae_files import CONFIG
from analysis.training.activations import ActivationCache, shuffled_batches
from analysis.training.batchtopk import ExactBatchTopK
from analysis.training.bottleneck import attach, first_bottleneck
from analysis.training.config import Recipe
from analysis.training.frequency import penalise
from analysis.training.sparse import fuse, knows, train_sparsely

_ROUNDING = 1e-3  # relative error that float16 weights may have; its own of normal numbers is a third of that
NORM_BATCHES = 50  # read by a fresh trainer to estimate the norm
Change = Callable[[torch.Tensor], torch.Tensor]


def train(
    recipe: Recipe,
    cache: ActivationCache,
    hook: str,
    out: Path,
    metadata: dict[str, Any],
    *,
    device: str = "cpu",
    change: Change | None = None,
) -> dict[str, Any]:
    """Train one SAE and write `cfg.json`, `sae_weights.safetensors` (float16) to `out`.

    A run that was stopped goes on from its last checkpoint in `out/checkpoints`, with the same
    data order.

    A bottleneck beside it is written to a file of its own, which `cfg.json` names.

    Args:
        change: done to every batch [batch, d_model] before the trainer sees it; what is fixed of a bottleneck is of
            the cache as it is.

    Returns:
        What training itself knows for the report: steps, seconds, dead share over the last window.
    """
    os.environ.setdefault("WANDB_MODE", "disabled")
    torch.manual_seed(recipe.seed)
    checkpoints = out / "checkpoints"
    with library_warnings(str(out)):
        sae = _training_sae(recipe, cache.d_model, metadata, device)
        if sparse := not recipe.frequency_penalty and knows(sae):
            train_sparsely(sae)
        bottleneck = first_bottleneck(recipe, cache.rows(hook)).to(device) if recipe.bottleneck else None
        if bottleneck is not None:
            attach(sae, bottleneck)
        trainer, resumed = _trainer(recipe, sae, cache, hook, checkpoints, device, change)
        if bottleneck is not None and not resumed:
            _scale(trainer, bottleneck)
        if sparse:
            fuse(trainer.optimizer)
        started = time.monotonic()
        trainer.fit()
        if bottleneck is not None:
            del sae.bottleneck  # it has a file of its own
        _save(sae, out)
        if bottleneck is not None:
            _add_to_config(out, save_bottleneck(bottleneck, out, recipe.bottleneck_kind))
    shutil.rmtree(checkpoints, ignore_errors=True)
    return {
        "recipe": recipe.stated(),
        "steps": trainer.n_training_steps,
        "unique_tokens": cache.tokens,
        "resumed_at_step": resumed,
        "step": "sparse" if sparse else "sae-lens",
        "seconds": round(time.monotonic() - started, 1),
        "dead_in_training": float(trainer.dead_neurons.float().mean()),
    }


def _training_sae(recipe: Recipe, d_model: int, metadata: dict[str, Any], device: str) -> Any:
    import sae_lens

    common: dict[str, Any] = {
        "d_in": d_model,
        "d_sae": recipe.width,
        "device": device,
        "normalize_activations": "expected_average_only_in",
    }
    if recipe.architecture == "jumprelu":
        config = sae_lens.JumpReLUTrainingSAEConfig(**common, l0_coefficient=recipe.l0_coefficient)
        sae: Any = sae_lens.JumpReLUTrainingSAE(config)
    elif recipe.architecture == "batchtopk":
        sae = sae_lens.BatchTopKTrainingSAE(sae_lens.BatchTopKTrainingSAEConfig(**common, k=recipe.k))
        sae.activation_fn = ExactBatchTopK(recipe.k)
    else:
        kind = {"topk": "TopK", "abstopk": "AbsTopK"}[recipe.architecture]
        config_class = getattr(sae_lens, f"{kind}TrainingSAEConfig")
        config = config_class(**common, k=int(recipe.k), use_sparse_activations=False)
        sae = getattr(sae_lens, f"{kind}TrainingSAE")(config)
    for key, value in metadata.items():
        sae.cfg.metadata[key] = value
    if recipe.frequency_penalty:
        penalise(sae, recipe.frequency_penalty, recipe.frequency_above)
    return sae


def _trainer(
    recipe: Recipe,
    sae: Any,
    cache: ActivationCache,
    hook: str,
    checkpoints: Path,
    device: str,
    change: Change | None,
) -> tuple[Any, int]:
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    steps = recipe.train_tokens // recipe.batch
    config = SAETrainerConfig(
        total_training_samples=steps * recipe.batch,
        train_batch_size_samples=recipe.batch,
        lr=recipe.learning_rate,
        lr_end=0.0,
        lr_warm_up_steps=min(200, steps // 10),
        lr_decay_steps=steps // 5,
        device=device,
        autocast=_autocast(device),
        dead_feature_window=min(1000, max(50, steps // 8)),
        feature_sampling_window=min(1000, max(10, steps // 4)),
        n_checkpoints=max(1, recipe.train_tokens // 2_000_000),
        checkpoint_path=str(checkpoints),
        logger=LoggingConfig(log_to_wandb=False),
        n_batches_for_norm_estimate=NORM_BATCHES,
    )
    last = _last_checkpoint(checkpoints)
    done = 0
    if last is not None:
        sae.load_weights_from_checkpoint(last)
        done = int(last.name) // recipe.batch
    batches = _batches(cache, hook, recipe, done)
    trainer = SAETrainer(config, sae, batches if change is None else map(change, batches))
    if last is not None:
        trainer.load_trainer_state(last)
        done = trainer.n_training_samples // recipe.batch
        trainer.n_training_steps = done  # sae-lens saves before it counts the step
        trainer.checkpoint_thresholds = [t for t in trainer.checkpoint_thresholds if t >= trainer.n_training_samples]
    return trainer, done


def _scale(trainer: Any, bottleneck: Bottleneck) -> None:
    """The trainer multiplies what it reads; as it would by itself, it finds the factor from the first batches."""
    scaler = trainer.activation_scaler
    scaler.estimate_scaling_factor(
        d_in=trainer.sae.cfg.d_in,
        data_provider=trainer.data_provider,
        n_batches_for_norm_estimate=NORM_BATCHES,
    )
    bottleneck.rescale(1 / scaler.scaling_factor)


def _batches(cache: ActivationCache, hook: str, recipe: Recipe, done: int) -> Iterator[torch.Tensor]:
    # a fresh trainer first reads NORM_BATCHES to estimate the norm; a resumed one does not
    start = done + NORM_BATCHES if done else 0
    return shuffled_batches(cache.rows(hook), recipe.batch, recipe.seed, start)


def tokens_left(recipe: Recipe, out: Path) -> int:
    """Token-steps that a training in `out` still has to do, the estimate of the norm included."""
    last = _last_checkpoint(out / "checkpoints")
    steps = recipe.train_tokens // recipe.batch
    return (steps + NORM_BATCHES) * recipe.batch if last is None else steps * recipe.batch - int(last.name)


def _last_checkpoint(checkpoints: Path) -> Path | None:
    complete = [p for p in checkpoints.glob("*") if p.name.isdigit() and (p / "activation_scaler.json").exists()]
    return max(complete, key=lambda path: int(path.name), default=None)


def _autocast(device: str) -> bool:
    from analysis.reading.model_loading import fast_dtype

    return device != "cpu" or fast_dtype() == torch.bfloat16


def halves(tensor: torch.Tensor) -> bool:
    """Whether float16 keeps it: large activations make biases beyond its largest, encoders below its least."""
    off = (tensor.to(torch.float16).double() - tensor).norm()
    return bool(off <= _ROUNDING * tensor.double().norm())


def _save(sae: Any, out: Path) -> None:
    """sae-lens' own inference format, with float16 tensors where these hold the weights."""
    from safetensors.torch import load_file, save_file

    weights, config = sae.save_inference_model(str(out))
    found = load_file(weights)
    dtype = torch.float16 if all(halves(tensor) for tensor in found.values()) else torch.float32
    save_file({name: tensor.to(dtype).contiguous() for name, tensor in found.items()}, weights)
    Path(weights).chmod(0o644)
    cfg = json.loads(Path(config).read_text())
    cfg |= {"dtype": str(dtype).removeprefix("torch."), "device": "cpu"}
    Path(config).write_text(json.dumps(cfg, indent=1, sort_keys=True) + "\n")


def _add_to_config(out: Path, bottleneck: dict[str, Any]) -> None:
    path = out / CONFIG
    cfg = json.loads(path.read_text())
    cfg["metadata"]["bottleneck"] = bottleneck
    path.write_text(json.dumps(cfg, indent=1, sort_keys=True) + "\n")
