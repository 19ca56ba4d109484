"""Training the arms, some at a time, each in its own process; what is finished is kept, what is half done goes on."""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing import active_children, get_context, parent_process
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rich.console import Console
from torch import Tensor

from analysis.hashing import sha256_file
from analysis.interventions.retrain.arms import ArmPlan
from analysis.interventions.retrain.held_out import HeldOut, measure
from analysis.interventions.retrain.spans import Removal
from analysis.process.progress import Progress, progress_bar
from analysis.reading.sae import HASH, WEIGHTS, load_sae
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.train import NORM_BATCHES, tokens_done, train

ARM = "arm.json"
TRAINING = "training.json"
REMOVAL = "removal.safetensors"
_POLL = 1.0  # seconds between looks at how far the trainers are
# glibc gives every large tensor of a step back to the system, which zeroes its pages anew: a fifth of the time
_KEEP_MEMORY = ":".join(
    f"glibc.malloc.{name}={value}"
    for name, value in (
        ("hugetlb", 1),
        ("mmap_threshold", 4 << 30),
        ("trim_threshold", 16 << 30),
        ("top_pad", 256 << 20),
    )
)


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
        if (self.folder / TRAINING).exists():
            return 0
        batch, done = self.recipe.batch, tokens_done(self.folder)
        steps = self.recipe.train_tokens // batch
        return steps * batch - done if done else (steps + NORM_BATCHES) * batch

    def report(self) -> dict[str, Any] | None:
        """What a finished arm found, measured in just this way; None where it has to run."""
        path = self.folder / ARM
        found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
        return found if found.get("measured_with") == self.measured_with else None


def prepare(plan: ArmPlan, folder: Path) -> None:
    """Make the arm's folder. What it removes stays what it began with: worked out on other cores, the same span
    may differ in its last bits.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / REMOVAL
    if not path.exists():
        temporary = path.with_suffix(".new")
        plan.removal.save(temporary)
        os.replace(temporary, path)


def run_jobs(jobs: list[Job], at_once: int, console: Console) -> list[dict[str, Any]]:
    """The reports of all arms, in order."""
    todo = [job for job in jobs if job.report() is None]
    if todo:
        console.print(f"{len(jobs) - len(todo)} of {len(jobs)} arms are there; training {len(todo)}")
        _run(todo, at_once, console)
    reports = [job.report() for job in jobs]
    assert all(report is not None for report in reports)
    return [report for report in reports if report is not None]


def _run(jobs: list[Job], at_once: int, console: Console) -> None:
    context = get_context("spawn")
    seen = context.Value("q", 0)
    with (
        progress_bar(console, "training", max(1, sum(job.left() for job in jobs)), "token-steps") as progress,
        _pool(at_once, context, seen, console) as pool,
    ):
        waiting = {pool.submit(_work, job): job for job in jobs}
        told = 0
        while waiting:
            done, _rest = wait(waiting, _POLL, FIRST_COMPLETED)
            for future in done:
                console.print(_said(waiting.pop(future), future))
            now = seen.value
            if now > told:
                progress(now - told)
            told = now


@contextmanager
def _pool(at_once: int, context: Any, seen: Any, console: Console) -> Iterator[ProcessPoolExecutor]:
    os.environ.setdefault("GLIBC_TUNABLES", _KEEP_MEMORY)  # read when a process of the pool begins
    pool = ProcessPoolExecutor(at_once, context, _begin, (seen,))
    try:
        yield pool
    except BaseException as error:
        for process in active_children():
            process.terminate()
        pool.shutdown(wait=False, cancel_futures=True)
        if isinstance(error, KeyboardInterrupt):
            console.print("stopped; the same command goes on: finished arms are kept, others from their checkpoints")
        raise
    pool.shutdown()


def _said(job: Job, future: Future[dict[str, Any]]) -> str:
    found = future.result()
    fvu = "unknown" if found["fvu"] is None else f"{found['fvu']:.3f}"
    return (
        f"{job.label}: {found['n_dense']} dense, {found['n_pairs']} pairs, FVU {fvu},"
        f" {found['alive_share']:.1%} alive, {found['seconds']:,.0f} s"
    )


_progress: Progress = lambda _count: None  # noqa: E731 -- set once in each worker process


def _begin(seen: Any) -> None:
    """In each worker process: Ctrl-C is the parent's, so is the progress bar, and nothing outlives the parent: the
    next command would train the same arm in the same folder.
    """
    global _progress
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ["TQDM_DISABLE"] = "1"

    def progress(count: int) -> None:
        with seen.get_lock():
            seen.value += count

    _progress = progress


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _work(job: Job) -> dict[str, Any]:
    torch.set_num_threads(job.threads)
    return run_job(job, _progress)


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
