"""Real activations of a network that knows no language: a watch's motion sensors, and an MLP that predicts them.

The network reads 16 past rows of six sensors and predicts the next one. It is trained on seven people; the three others
are held out. The activations are those of its hidden layers before each prediction.
"""

from __future__ import annotations

import csv
import gzip
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from analysis.capture import capture, read_capture
from analysis.errors import BadFile

DATA = Path(__file__).parents[2] / "data" / "field" / "watch.csv.gz"
SENSORS = ("ax", "ay", "az", "wx", "wy", "wz")
RATE = 25.0
"""Rows a second."""
PAST = 16
HELD_OUT = (8, 9, 10)
"""People that the network was not trained on."""
LAYERS = {"hidden.1": "hidden-1", "hidden.3": "hidden-2"}
"""Module -> the name of its matrix."""

_BATCH, _RATE_OF_LEARNING = 512, 1e-3

Say = Callable[[str], None]
"""Takes one line."""


@dataclass(frozen=True)
class FieldDemo:
    """What the demo made.

    Args:
        matrices: name -> a file of `[rows, units]`, float32.
        table: a CSV file of the same row order: `recording` is the group, `time` (seconds) the order in it.
        sae: none; the units are looked at themselves.
    """

    matrices: dict[str, Path]
    table: Path
    sae: Path | None = None


@dataclass(frozen=True)
class Windows:
    """Every window of every recording.

    Args:
        past: `[windows, PAST * sensors]`, standardized.
        following: `[windows, sensors]`, the row after each.
        columns: what the table says of each: a list a column.
        trained: `[windows]`, whether of a person that the network is trained on.
    """

    past: Tensor
    following: Tensor
    columns: dict[str, list[Any]]
    trained: Tensor


class Predictor(nn.Module):
    """The next row of the sensors from `PAST` rows."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Sequential(nn.Linear(PAST * len(SENSORS), 128), nn.ReLU(), nn.Linear(128, 64), nn.ReLU())
        self.head = nn.Linear(64, len(SENSORS))

    def forward(self, past: Tensor) -> Tensor:
        """`[batch, PAST * sensors]` -> the change to the next row, `[batch, sensors]`."""
        predicted: Tensor = self.head(self.hidden(past))
        return predicted


def make_field_demo(folder: Path, progress: Say, windows: int = 20_000, epochs: int = 12, seed: int = 0) -> FieldDemo:
    """Train the network, take its activations and write what goes with each row.

    Args:
        folder: to write to; what an earlier demo captured there is replaced.
        progress: takes one line a step.
        windows: about so many rows, evenly from each recording.
        epochs: of the training.
        seed: the same gives the same files, on the same machine.

    Raises:
        BadFile: the data that is shipped is not what it should be.
    """
    started = time.monotonic()
    with _one_thread():
        every = read_windows(DATA)
        progress(f"read {len(every.past):,} windows of {PAST} rows, {len(SENSORS)} sensors")
        model = _train(every, epochs, seed, progress)
        chosen = range(0, len(every.past), max(1, len(every.past) // windows))
        taken = _take(model, every, chosen, folder / "capture")
    demo = FieldDemo(_joined(taken, folder), taken / "rows.csv")
    units = ", ".join(f"{name} ({np.load(path, mmap_mode='r').shape[1]})" for name, path in demo.matrices.items())
    progress(f"took {len(chosen):,} rows of {units}, {time.monotonic() - started:.0f} s")
    return demo


def read_windows(path: Path) -> Windows:
    """All windows of a file of sensors, in its order; none reaches over the end of a recording.

    Raises:
        BadFile: other columns than the demo's.
    """
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        lines = csv.reader(stream)
        head = next(lines)
        if head != ["recording", "subject", "side", "exercise", *SENSORS]:
            raise BadFile(path, f"the sensors {', '.join(SENSORS)}", ", ".join(head))
        table = list(lines)
    values = np.array([line[4:] for line in table], dtype=np.float32)
    recording, subject = np.array([int(line[0]) for line in table]), np.array([int(line[1]) for line in table])
    trained = ~np.isin(subject, HELD_OUT)
    scaled = torch.from_numpy((values - values[trained].mean(0)) / values[trained].std(0))
    last = np.flatnonzero(_has_past(recording))
    columns = _columns(table, values, recording, last)
    return Windows(_pasts(scaled, last), scaled[last + 1], columns, torch.from_numpy(trained[last]))


def _has_past(recording: np.ndarray[Any, np.dtype[Any]]) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Whether a row has `PAST - 1` before it and one after it, all in its recording."""
    rows = np.arange(len(recording))
    first, after = rows - (PAST - 1), rows + 1
    inside = (first >= 0) & (after < len(recording))
    ends = np.clip(first, 0, None), np.clip(after, None, len(recording) - 1)
    same: np.ndarray[Any, np.dtype[np.bool_]] = recording[ends[0]] == recording[ends[1]]
    return inside & same


def _pasts(scaled: Tensor, last: np.ndarray[Any, np.dtype[Any]]) -> Tensor:
    back = torch.from_numpy(last)[:, None] - torch.arange(PAST - 1, -1, -1)
    return scaled[back].flatten(1)


def _columns(table: list[list[str]], values: Any, recording: Any, last: Any) -> dict[str, list[Any]]:
    starts = np.searchsorted(recording, recording)  # recordings come one after the other
    sensors = {name: values[last, number].tolist() for number, name in enumerate(SENSORS)}
    return {
        "recording": [f"recording {table[row][0]}" for row in last],
        "time": ((last - starts[last]) / RATE).round(2).tolist(),
        "exercise": [table[row][3] for row in last],
        "person": [f"person {table[row][1]}" for row in last],
        "side": [table[row][2] for row in last],
        **{name: [round(value, 2) for value in column] for name, column in sensors.items()},
    }


def _train(every: Windows, epochs: int, seed: int, progress: Say) -> Predictor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Predictor()
        optimizer = torch.optim.Adam(model.parameters(), lr=_RATE_OF_LEARNING)
        own = every.trained.nonzero()[:, 0]
        for epoch in range(epochs):
            for rows in torch.split(own[torch.randperm(len(own))], _BATCH):
                optimizer.zero_grad()
                loss = nn.functional.mse_loss(model(every.past[rows]), _change(every, rows))
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            if epoch in {0, epochs // 2, epochs - 1}:
                progress(f"epoch {epoch + 1} of {epochs}: {_quality(model, every)}")
    return model.eval()


def _change(every: Windows, rows: Tensor) -> Tensor:
    return every.following[rows] - every.past[rows, -len(SENSORS) :]


def _quality(model: Predictor, every: Windows) -> str:
    rows = (~every.trained).nonzero()[:, 0]
    with torch.no_grad():
        change = _change(every, rows)
        left = ((model(every.past[rows]) - change) ** 2).mean() / (change**2).mean()
    return f"on people held out, {left:.0%} of the error of predicting no change"


def _take(model: Predictor, every: Windows, chosen: range, folder: Path) -> Path:
    with torch.no_grad(), capture(model, list(LAYERS), folder, overwrite=True) as taken:
        for rows in torch.split(torch.tensor(chosen), _BATCH):
            error = _errors(model, every, rows)
            columns = {name: [values[row] for row in rows.tolist()] for name, values in every.columns.items()}
            taken.rows(**columns, held_out=~every.trained[rows], prediction_error=error)
            model(every.past[rows])
    return folder


def _errors(model: Predictor, every: Windows, rows: Tensor) -> list[float]:
    """Root mean square over the sensors; the parts are called by themselves, which captures nothing."""
    predicted = model.head(model.hidden(every.past[rows]))
    return [round(value, 4) for value in (predicted - _change(every, rows)).square().mean(1).sqrt().tolist()]


def _joined(taken: Path, folder: Path) -> dict[str, Path]:
    captured = read_capture(taken)
    paths = {module: folder / f"{name}.npy" for module, name in LAYERS.items()}
    for module, path in paths.items():
        np.save(path, captured.matrix(module), allow_pickle=False)
    return {LAYERS[module]: path for module, path in paths.items()}


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in the same order on every machine with the same processor."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
