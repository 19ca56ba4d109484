"""The text of a run, by this process or by the actors of a cluster, and what it gave."""

from __future__ import annotations

import time

from rich.console import Console

from analysis.process.checkpoint import Checkpoints
from analysis.process.progress import progress_bar
from analysis.run.distributed import read_together
from analysis.run.pipeline import Reading, Result, Run, strip_of


def analyse(reading: Reading, checkpoints: Checkpoints, console: Console) -> Result:
    """Read the text once and accumulate; goes on from a checkpoint where asked to.

    Raises:
        KeyboardInterrupt: Ctrl-C came; what was read is in a checkpoint: the last whole batch, or of actors the last
            shard that was merged.
    """
    started = time.monotonic()
    run = Run(reading, checkpoints, console)
    read(run, console)
    strip, strip_acts = strip_of(reading, [panel.plan for panel in run.panels])
    seconds = run.seconds_before + time.monotonic() - started
    counts = run.counts.numbers | {"documents": len(run.counts.documents)}
    return Result(reading, run.panels, run.geometry, counts, strip, strip_acts, seconds)


def read(run: Run, console: Console) -> None:
    """The whole text."""
    config = run.reading.config
    if config.ray:
        read_together(run, console)
        return
    with progress_bar(console, "analysing", config.tokens, "tokens", run.tokens) as progress:
        run.stream(progress)
