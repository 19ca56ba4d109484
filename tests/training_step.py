"""What a training step costs: sae-lens' own, and ours that computes with what fires alone.

    OMP_NUM_THREADS=1 python -m tests.training_step 2304 8192

Random batches of 2,048 activations of 576 numbers, BatchTopK with k = 32, with autocast where training has it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import torch
import typer

from analysis.process.library import library_warnings
from analysis.training.config import Recipe
from analysis.training.sparse import fuse, train_sparsely
from analysis.training.train import _autocast, _training_sae

D, BATCH, WARM, STEPS = 576, 2048, 3, 10


def milliseconds(width: int, sparse: bool) -> float:
    """Of one step, a mean over ten."""
    from sae_lens.config import LoggingConfig, SAETrainerConfig
    from sae_lens.training.sae_trainer import SAETrainer

    torch.manual_seed(0)
    sae = _training_sae(Recipe(width=width, k=32, batch=BATCH), D, {}, "cpu")
    config = SAETrainerConfig(
        total_training_samples=BATCH * 1000, train_batch_size_samples=BATCH, lr=2e-3, lr_end=0.0, lr_warm_up_steps=200,
        lr_decay_steps=200, device="cpu", autocast=_autocast("cpu"), dead_feature_window=1000,
        feature_sampling_window=1000, n_checkpoints=0, checkpoint_path=None, logger=LoggingConfig(log_to_wandb=False),
        n_batches_for_norm_estimate=5,
    )  # fmt: skip
    trainer = SAETrainer(config, sae, batches())
    if sparse:
        train_sparsely(sae)
        fuse(trainer.optimizer)
    trainer.activation_scaler.estimate_scaling_factor(D, batches(), 5)
    rows = next(batches())
    for _step in range(WARM):
        trainer.step(rows)
    begun = time.perf_counter()
    for _step in range(STEPS):
        trainer.step(rows)
    return 1e3 * (time.perf_counter() - begun) / STEPS


def batches() -> Iterator[torch.Tensor]:
    """Without end."""
    while True:
        yield torch.randn(BATCH, D)


def main() -> None:
    """A line a width."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("widths", type=int, nargs="*", default=[2304, 8192])
    for width in parser.parse_args().widths:
        with library_warnings("training"):
            plain, ours = milliseconds(width, False), milliseconds(width, True)
        typer.echo(
            f"{width:,} latents: {plain:.0f} ms, {ours:.0f} with what fires alone: {plain / ours:.1f} times as fast"
        )


if __name__ == "__main__":
    main()
