"""The field demo's data is in the order of time, its windows are the past, and its table goes with its units."""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from analysis.errors import BadFile
from analysis.field.demo import DATA, PAST, SENSORS, FieldDemo, Windows, make_field_demo, read_windows


@pytest.fixture(scope="module")
def windows() -> Windows:
    return read_windows(DATA)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[FieldDemo, list[str]]:
    lines: list[str] = []
    folder = tmp_path_factory.mktemp("demo")
    return make_field_demo(folder, lines.append, windows=3_000, epochs=1), lines


def _table(demo: FieldDemo) -> list[dict[str, str]]:
    with demo.table.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_are_in_the_order_of_time() -> None:
    """What made the shuttle data of another package useless for windows: neighbours no more alike than any two rows."""
    with gzip.open(DATA, "rt") as stream:
        table = list(csv.DictReader(stream))
    for sensor in SENSORS:
        values = np.array([float(line[sensor]) for line in table])
        assert np.corrcoef(values[:-1], values[1:])[0, 1] > 0.6
    assert len({line["recording"] for line in table}) == 140


def test_a_window_is_the_rows_before_within_one_recording(tmp_path: Path) -> None:
    path = tmp_path / "watch.csv.gz"
    head = ["recording", "subject", "side", "exercise", *SENSORS]
    rows = [
        [r, 1, "left", "ROW", *(1000 * r + 10 * t + s for s in range(6))] for r in range(3) for t in range(PAST + r)
    ]
    table: list[list[object]] = [[*head], *rows]
    path.write_bytes(gzip.compress("\n".join(",".join(map(str, line)) for line in table).encode()))
    found = read_windows(path)
    values = torch.tensor([row[4:] for row in rows], dtype=torch.float32)
    past = found.past.view(-1, PAST, 6) * values.std(0, correction=0) + values.mean(0)
    assert found.columns["recording"] == ["recording 1", "recording 2", "recording 2"]
    assert found.columns["time"] == [0.6, 0.6, 0.64]
    starts = past[:, 0, 0].round().int().tolist()
    assert starts == [1000, 2000, 2010]
    assert torch.allclose(past[:, :, 0].diff(dim=1), torch.tensor(10.0), atol=0.05)
    assert found.columns["ax"] == [1150.0, 2150.0, 2160.0]


def test_other_columns_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a,b\n1,2\n"))
    with pytest.raises(BadFile, match="expected the sensors ax, ay, az, wx, wy, wz; found a, b"):
        read_windows(tmp_path / "a.gz")


def test_every_recording_of_every_person_is_there(windows: Windows) -> None:
    people = dict(zip(windows.columns["recording"], windows.columns["person"], strict=True))
    assert set(Counter(people.values()).values()) == {14}
    assert len(people) == 140
    assert 0.6 < windows.trained.float().mean() < 0.8


def test_the_table_goes_with_the_units(demo: tuple[FieldDemo, list[str]], windows: Windows) -> None:
    made, lines = demo
    table = _table(made)
    assert {name: np.load(path).shape for name, path in made.matrices.items()} == {
        "hidden-1": (len(table), 128),
        "hidden-2": (len(table), 64),
    }
    assert 3_000 <= len(table) < 3_200
    step = len(windows.past) // 3_000
    assert [line["recording"] for line in table] == windows.columns["recording"][::step]
    held_out = {line["person"] for line in table if line["held_out"] == "true"}
    assert held_out == {"person 8", "person 9", "person 10"}
    assert all(float(line["prediction_error"]) >= 0 for line in table)
    assert len(lines) == 3


def test_the_network_learned_something(demo: tuple[FieldDemo, list[str]]) -> None:
    (said,) = [line for line in demo[1] if line.startswith("epoch")]
    assert int(said.split("held out, ")[1].split("%")[0]) < 90
    units = np.load(demo[0].matrices["hidden-2"])
    assert 0.1 < (units > 0).mean() < 0.9


def test_the_same_seed_gives_the_same_files_in_the_same_folder(demo: tuple[FieldDemo, list[str]]) -> None:
    paths = [demo[0].table, *demo[0].matrices.values()]
    before = [_digest(path) for path in paths]
    torch.manual_seed(5)
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    again = make_field_demo(demo[0].table.parents[1], lambda _line: None, windows=3_000, epochs=1)
    assert again == demo[0]
    assert [_digest(path) for path in paths] == before
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
