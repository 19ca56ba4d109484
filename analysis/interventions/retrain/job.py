"""Training the arms, some at a time, each in its own process; what is finished is kept, what is half done goes on."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from rich.console import Console
from torch import Tensor

from analysis.errors import UserError
from analysis.hashing import sha256_file
from analysis.interventions.retrain.held_out import HeldOut, measure
from analysis.interventions.retrain.spans import Removal
from analysis.process.pool import trained
from analysis.process.progress import Progress
from analysis.reading.sae import HASH, WEIGHTS, load_sae
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.train import tokens_left, train

ARM = "arm.json"
TRAINING = "training.json"
REMOVAL = "removal.safetensors"
_KEPT = "the same command goes on: finished arms are kept, others from their checkpoints"


class Job(NamedTuple):
    """One arm, with all that its process needs; tensors lie on disk, so that none is sent between processes."""

    name: str  # of the arm
    recipe: Recipe
    about: dict[str, Any]  # what is removed, for the report
    hook: str
    folder: Path
    training: ActivationCache
    testing: ActivationCache
    threshold: float
    metadata: dict[str, Any]
    measured_with: str  # hash of what besides the SAE fixes the measurements
    device: str
    threads: int

    @property
    def label(self) -> str:
        """How it is named on the screen."""
        return f"{self.hook.removesuffix('.hook_resid_post')} {self.name}, seed {self.recipe.seed}"

    def left(self) -> int:
        """Token-steps still to do, the estimate of the norm included."""
        return 0 if (self.folder / TRAINING).exists() else tokens_left(self.recipe, self.folder)

    def report(self) -> dict[str, Any] | None:
        """What a finished arm found, measured in just this way; None where it has to run."""
        path = self.folder / ARM
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found if found.get("measured_with") == self.measured_with else None


class Workers(Protocol):
    """Who trains: so many processes here, or the actors of a cluster."""

    @property
    def jobs(self) -> int:
        """Processes."""

    @property
    def ray(self) -> str:
        """Address of the cluster; empty for none."""

    @property
    def actors(self) -> int:
        """Of the cluster; 0 for as many as it has."""


def prepare(removal: Removal, folder: Path) -> None:
    """Make the arm's folder. What it removes stays what it began with: worked out on other cores, the same span
    may differ in its last bits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REMOVAL
    if not path.exists():
        temporary = path.with_suffix(".new")
        removal.save(temporary)
        os.replace(temporary, path)


def run_jobs(jobs: list[Job], config: Workers, console: Console) -> list[dict[str, Any]]:
    """The reports of all arms, in order; trained by so many processes here, or by a cluster."""
    todo = [job for job in jobs if job.report() is None]
    if todo:
        console.print(f"{len(jobs) - len(todo)} of {len(jobs)} arms are there; training {len(todo)}")
        work = _together(todo, config, console) if config.ray else trained(_work, todo, config.jobs, console, _KEPT)
        for job, found in work:
            console.print(_said(job, found))
    reports = [job.report() for job in jobs]
    assert all(report is not None for report in reports)
    return [report for report in reports if report is not None]


def _together(todo: list[Job], config: Workers, console: Console) -> Iterator[tuple[Job, dict[str, Any]]]:
    from analysis.cluster.session import cluster
    from analysis.cluster.spread import spread

    with cluster(config.ray, config.actors, torch.get_num_threads(), console) as found:
        device = "cuda" if found.gpus else "cpu"
        yield from spread(
            _work, [job._replace(device=device, threads=found.threads) for job in todo], found, console, _KEPT
        )


def _said(job: Job, found: dict[str, Any]) -> str:
    fvu = "unknown" if found["fvu"] is None else f"{found['fvu']:.3f}"
    return (
        f"{job.label}: {found['n_dense']} dense, {found['n_pairs']} pairs, FVU {fvu},"
        f" {found['alive_share']:.1%} alive, {found['seconds']:,.0f} s"
    )


def _work(job: Job, progress: Progress) -> dict[str, Any]:
    torch.set_num_threads(job.threads)
    if not job.folder.exists():
        raise UserError(
            f"{job.folder}: expected on {platform.node()}, too: --out and $DENSE_LATENTS_CACHE are to be folders that"
            " all machines share"
        )
    return run_job(job, progress)


def run_job(job: Job, progress: Progress = lambda _count: None) -> dict[str, Any]:
    """Train one prepared arm, or go on with it; measure it as it lies on disk, and write its report."""
    removal = Removal.load(job.folder / REMOVAL)
    trained = _trained(job, removal, progress)
    sae = load_sae(str(job.folder), device=job.device)
    found = trained | measure(sae, HeldOut.of(job.testing, job.hook), removal, job.threshold, job.device)
    found |= {"measured_with": job.measured_with}
    _write(job.folder / ARM, found)
    return found


def _trained(job: Job, removal: Removal, progress: Progress) -> dict[str, Any]:
    """What training says, of this process or of one that went before."""
    note = job.folder / TRAINING
    if note.exists():
        found: dict[str, Any] = json.loads(note.read_text())
        return found

    def change(batch: Tensor) -> Tensor:
        progress(len(batch))
        return removal(batch.to(job.device))

    training = train(job.recipe, job.training, job.hook, job.folder, job.metadata, device=job.device, change=change)
    digest = sha256_file(job.folder / WEIGHTS)
    (job.folder / HASH).write_text(f"{digest}  {WEIGHTS}\n")
    training |= job.about | {"sha256": digest}
    _write(note, training)
    return training


def _write(path: Path, what: dict[str, Any]) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(what, indent=1) + "\n")
    os.replace(temporary, path)
