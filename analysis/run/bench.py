"""What the analysis costs: the pipeline against the bare loop on the same batches, and memory at N and 8 N.

Both loops are timed batch by batch in one process, alternating which goes first, so that whatever
else the machine does hits both alike. Only the ratio travels between machines.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.table import Table

from analysis.config import BenchConfig
from analysis.errors import UserError
from analysis.process.checkpoint import Checkpoints
from analysis.reading.batches import TokenBatch
from analysis.run.evidence import decide, sampled, sampled_documents
from analysis.run.pipeline import Reading, Run, prepare
from analysis.run.rows.examples import documents_of

MEMORY_FACTOR = 8
ROOT = Path(__file__).resolve().parents[2]


def bench(config: BenchConfig, console: Console) -> None:
    """Measure and print; the classes too, where `config.classes` says so."""
    found = speed(prepare(config), config.repeats)
    if config.memory:
        found |= memory_growth(config)
    if config.json:
        print(json.dumps(found, indent=1))
    else:
        console.print(_table(found))


def speed(reading: Reading, repeats: int = 1) -> dict[str, Any]:
    """Seconds and tokens/s of both loops over the same batches, the pilot's plan being made before.

    The pipeline's time includes reading and cutting the text; the bare loop gets its batches for
    nothing. What a run pays once (loading, partners, plan, writing) is not in it.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Run(reading, Checkpoints(Path(folder), "bench"))
        batch, activations = next(run.batches())  # makes the plan
        run.update(batch, activations)
        _bare(run, batch)
        found = _alternate(run, repeats)
        return found | _with_classes(run, found) if reading.config.classes else found


def _with_classes(run: Run, found: dict[str, Any]) -> dict[str, Any]:
    """What is done once a run on the sample: tags, classes, labels and chains of all SAEs; added to the ratio."""
    started = time.perf_counter()
    _decide(run)
    seconds = time.perf_counter() - started
    bare = found["tokens"] / found["bare_tokens_per_second"]
    return {
        "classes_seconds": seconds,
        "documents": sampled(run.panels[0]).sample.documents,
        "streaming_ratio": found["ratio"],
        "ratio": found["ratio"] + seconds / bare,
    }


def _decide(run: Run) -> None:
    reading = run.reading
    documents = documents_of(reading.corpus, [], sampled_documents(run.panels))
    decide(reading.model, run.panels, documents, reading.config.cuts, reading.config.seed, lambda _saes: None)


def _alternate(run: Run, repeats: int) -> dict[str, Any]:
    """Medians over the repeats; each reads the same text into fresh accumulators."""
    rounds = []
    for _ in range(repeats):
        run.begin([panel.plan for panel in run.panels])
        rounds.append(_round(run))
    tokens, spent = rounds[0][0], [clocks for _tokens, clocks in rounds]
    bare, full, text = (median(clocks[name].wall for clocks in spent) for name in ("bare", "full", "text"))
    return {
        "tokens": tokens,
        "saes": len(run.reading.saes),
        "model_dtype": run.reading.model.dtype_name,
        "threads": torch.get_num_threads(),
        "repeats": repeats,
        "bare_tokens_per_second": tokens / bare,
        "pipeline_tokens_per_second": tokens / (full + text),
        "text_seconds": text,
        "text_cpu_seconds": median(clocks["text"].cpu for clocks in spent),
        "bare_cpu_seconds": median(clocks["bare"].cpu for clocks in spent),
        "ratio": median((clocks["full"].wall + clocks["text"].wall) / clocks["bare"].wall for clocks in spent),
        "cpu_ratio": median((clocks["full"].cpu + clocks["text"].cpu) / clocks["bare"].cpu for clocks in spent),
    }


class _Clock:
    """Seconds by the wall, and of all of this process' threads on a core: what else runs stretches only the first."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


def _round(run: Run) -> tuple[int, dict[str, _Clock]]:
    """Tokens, and what text, bare loop and analysis of one reading took."""
    clocks = {name: _Clock() for name in ("text", "bare", "full")}
    tokens = 0
    for number, batch in enumerate(_timed(run.reading.stream().batches(), clocks["text"])):
        loops = (("bare", _bare), ("full", _full))
        for name, loop in loops if number % 2 else loops[::-1]:
            with clocks[name].running():
                loop(run, batch)
        tokens += int(batch.mask.sum())
    with clocks["full"].running():
        run.settle()
    return tokens, clocks


def _timed(batches: Iterator[TokenBatch], clock: _Clock) -> Iterator[TokenBatch]:
    while True:
        with clock.running():
            batch = next(batches, None)
        if batch is None:
            return
        yield batch


def _bare(run: Run, batch: TokenBatch) -> None:
    activations = run.reading.read(batch)
    for sae in run.reading.saes:
        sae.encode(activations[sae.hook_point])


def _full(run: Run, batch: TokenBatch) -> None:
    run.update(batch, run.reading.read(batch))


def memory_growth(config: BenchConfig) -> dict[str, Any]:
    """Peak resident memory while streaming N and 8 N tokens, each in a fresh process.

    The sample of the classes has room for N tokens in both: it is a setting, full from there on.
    """
    config = replace(config, class_tokens=min(config.class_tokens, config.tokens))
    peaks = [_peak_of(replace(config, tokens=config.tokens * factor)) for factor in (1, MEMORY_FACTOR)]
    return {
        "memory_tokens": [config.tokens, config.tokens * MEMORY_FACTOR],
        "memory_peak_mib": [round(peak / 2**20, 1) for peak in peaks],
        "memory_growth": peaks[1] / peaks[0] - 1,
    }


def _peak_of(config: BenchConfig) -> int:
    command = [sys.executable, "-m", "analysis.run.bench", json.dumps(asdict(config))]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise UserError("bench: the process that measures memory failed; its message stands above")
    return int(done.stdout.split()[-1])


def stream_and_report(config: BenchConfig) -> None:
    """Stream a run without writing it, and print the peak resident memory in bytes."""
    reading = prepare(config)
    with tempfile.TemporaryDirectory() as folder:
        run = Run(reading, Checkpoints(Path(folder), "bench"))
        _reset_peak()
        run.stream(lambda _tokens: None)
        if config.classes:
            _decide(run)
    print(_peak())


def _reset_peak() -> None:
    """Loading the model has a peak of its own; where the system allows, leave it out."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return


def _peak() -> int:
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _table(found: dict[str, Any]) -> Table:
    title = (
        f"{found['saes']} SAEs, {found['tokens']:,} tokens, model in {found['model_dtype']},"
        f" {found['threads']} threads, medians of {found['repeats']}"
    )
    table = Table(title=title)
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("promised", justify="right")
    table.add_row("bare loop (forward + encode)", f"{found['bare_tokens_per_second']:,.0f} tokens/s", "")
    table.add_row("pipeline", f"{found['pipeline_tokens_per_second']:,.0f} tokens/s", "")
    table.add_row("pipeline / bare loop, CPU seconds", f"{found['cpu_ratio']:.3f} x", "")
    if "classes_seconds" in found:
        table.add_row("pipeline / bare loop, streaming", f"{found['streaming_ratio']:.3f} x", "")
        what = f"classes, labels and chains of {found['documents']} documents, once a run"
        table.add_row(what, f"{found['classes_seconds']:,.1f} s", "")
        table.add_row("with classes / bare loop", f"{found['ratio']:.3f} x", "at most 1.3 x")
    else:
        table.add_row("pipeline / bare loop", f"{found['ratio']:.3f} x", "at most 1.05 x")
    if "memory_growth" in found:
        for tokens, peak in zip(found["memory_tokens"], found["memory_peak_mib"], strict=True):
            table.add_row(f"peak memory at {tokens:,} tokens", f"{peak:,.0f} MiB", "")
        table.add_row("growth of memory", f"{found['memory_growth']:+.1%}", "at most +5 %")
    return table


def _config_from(text: str) -> BenchConfig:
    values = json.loads(text)
    values["detail"] = {int(layer): found for layer, found in values["detail"].items()}
    return BenchConfig(**values)


if __name__ == "__main__":
    stream_and_report(_config_from(sys.argv[1]))
