"""Activations that are captured are those that the model had, whatever happens to the loop around it."""

from __future__ import annotations

import logging
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from analysis.capture import capture, read_capture
from analysis.errors import BadFile, UserError
from tests.root import ROOT


class Sequences(nn.Module):
    """`[batch, time, 4]` -> a number an example."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.ModuleDict({"mlp": nn.Linear(4, 4), "norm": nn.LayerNorm(4)}) for _ in range(3))
        self.act = nn.ReLU()
        self.gru = nn.GRU(4, 6, batch_first=True)
        self.head = nn.Linear(6, 1)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            assert isinstance(block, nn.ModuleDict)
            x = self.act(block["mlp"](x)) + block["norm"](x)
        out: Tensor = self.head(self.gru(x)[0][:, -1])
        return out


class Skips(nn.Module):
    """Has a part that it never calls."""

    def __init__(self) -> None:
        super().__init__()
        self.used, self.rest = nn.Linear(5, 2), nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.used(x)
        return out


@pytest.fixture
def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.ReLU(), nn.Linear(7, 3))


def _hooks(model: nn.Module) -> int:
    return sum(len(part._forward_hooks) + len(part._forward_pre_hooks) for part in model.modules())


@pytest.mark.parametrize(
    ("pool", "plain"),
    [("mean", lambda x: x.mean(1)), ("max", lambda x: x.amax(1)), ("last", lambda x: x[:, -1])],
)
def test_pooled_values_are_those_of_the_plain_computation(
    tmp_path: Path, pool: str, plain: Callable[[Tensor], Tensor]
) -> None:
    model, x = nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 2)), torch.randn(10, 6, 4)
    with capture(model, "0", tmp_path / "a", pool=pool):
        for batch in torch.split(x, 3):
            model(batch)
    assert np.allclose(read_capture(tmp_path / "a").matrix("0"), plain(model[0](x)).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("shard_bytes", [1, 100, 1_000, 2**26])
def test_shards_of_any_size_join_to_the_same(tmp_path: Path, mlp: nn.Sequential, shard_bytes: int) -> None:
    x = torch.randn(53, 5)
    with torch.no_grad(), capture(mlp, ["0", "2"], tmp_path / "a", shard_bytes=shard_bytes) as taken:
        for start in range(0, 53, 9):
            taken.rows(id=[f"row,\n{number}" for number in range(start, min(53, start + 9))])
            mlp(x[start : start + 9])
    found = read_capture(tmp_path / "a")
    assert found.note["shards"] == -(-53 // min(53, max(1, shard_bytes // 40)))
    assert np.allclose(found.matrix("2"), mlp(x).detach().numpy(), atol=1e-6)
    assert np.allclose(found.matrix("0"), mlp[0](x).detach().numpy(), atol=1e-6)
    assert [line["id"] for line in found.table()] == [f"row,\n{number}" for number in range(53)]
    shards = [np.load(path) for path in sorted((tmp_path / "a" / "0").iterdir())]
    assert all(shard.nbytes <= max(shard_bytes, 28) for shard in shards)


def test_each_position_of_images_is_found_by_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, x = nn.Sequential(nn.Conv2d(3, 5, 3), nn.ReLU(inplace=True)), torch.randn(4, 3, 7, 9)
    with capture(model, ["0"], tmp_path / "a", pool="each") as taken, caplog.at_level(logging.WARNING):
        taken.rows(label=torch.arange(4))
        model(x)
    whole, found = model[0](x).detach().numpy(), read_capture(tmp_path / "a")
    matrix, table = found.matrix("0"), found.table()
    assert matrix.shape == (4 * 5 * 7, 5)
    assert list(table[0]) == ["row", "x", "y", "label"]
    for values, line in zip(matrix, table, strict=True):
        assert np.array_equal(values, whole[int(line["row"]), :, int(line["y"]), int(line["x"])])
        assert line["label"] == line["row"]
    assert caplog.messages == [
        '0: [4, 5, 5, 7] is read as batch, feature, y, x; channels="last" says otherwise',
    ]


@pytest.mark.parametrize("pool", ["mean", "last", "each"])
def test_what_the_next_module_changes_in_place_is_captured_as_it_was(tmp_path: Path, pool: str) -> None:
    model, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(inplace=True)), torch.randn(20, 4)
    with torch.no_grad(), capture(model, ["0", "1"], tmp_path / "a", pool=pool):
        model(x)
    found = read_capture(tmp_path / "a")
    assert found.matrix("0").min() < 0
    assert found.matrix("1").min() == 0


def test_each_position_of_sequences(tmp_path: Path) -> None:
    model, x = Sequences(), [torch.randn(2, 5, 4), torch.randn(3, 8, 4)]
    with torch.no_grad(), capture(model, "gru", tmp_path / "a", pool="each", where="input"):
        for batch in x:
            model(batch)
    found = read_capture(tmp_path / "a")
    places = [(int(line["row"]), int(line["position"])) for line in found.table()]
    assert places == [(row, at) for row in range(5) for at in range(5 if row < 2 else 8)]
    assert found.matrix("gru").shape == (2 * 5 + 3 * 8, 4)


def test_a_pattern_is_every_module_that_fits(tmp_path: Path) -> None:
    with capture(Sequences(), "blocks.*.mlp", tmp_path / "a") as taken:
        taken.model(torch.randn(2, 5, 4))
    assert read_capture(tmp_path / "a").modules == ["blocks.0.mlp", "blocks.1.mlp", "blocks.2.mlp"]


def test_the_model_itself_and_functions(tmp_path: Path) -> None:
    model, x = Sequences(), torch.randn(3, 5, 4)
    picks = {"gru": lambda given: given[1][0], "": None}
    with torch.no_grad(), capture(model, picks, tmp_path / "a"):
        out = model(x)
    found = read_capture(tmp_path / "a")
    assert np.array_equal(found.matrix(""), out.numpy())
    assert (tmp_path / "a" / "model").is_dir()
    assert found.matrix("gru").shape == (3, 6)


def test_a_function_may_give_what_its_module_does_not(tmp_path: Path) -> None:
    model, x = nn.Sequential(nn.Conv1d(3, 4, 2)), torch.randn(6, 3, 9)
    with torch.no_grad(), capture(model, {"0": lambda given: given[:, :, 0]}, tmp_path / "a"):
        out = model(x)
    assert np.array_equal(read_capture(tmp_path / "a").matrix("0"), out[:, :, 0].numpy())


def test_modes_autocast_and_inference(tmp_path: Path, mlp: nn.Sequential) -> None:
    x = torch.randn(4, 5)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), capture(mlp.train(), "0", tmp_path / "a"):
        mlp(x)
    note = read_capture(tmp_path / "a").note
    assert read_capture(tmp_path / "a").matrix("0").dtype == np.float32
    assert note["modules"]["0"] | {"shape": 0} == {
        **{"folder": "0", "class": "Linear", "shape": 0, "read_as": "batch, feature", "channels": "last"},
        **{"channels_guessed": True, "function": False, "training": True, "width": 7},
    }
    assert note["torch"] == torch.__version__


def test_gradients_are_those_without_a_capture(tmp_path: Path, mlp: nn.Sequential) -> None:
    x = torch.randn(4, 5)
    (plain,) = torch.autograd.grad(mlp(x).sum(), next(mlp.parameters()))
    with capture(mlp, "*", tmp_path / "a"):
        (beside,) = torch.autograd.grad(mlp(x).sum(), next(mlp.parameters()))
    assert torch.equal(plain, beside)


def test_half_precision_holds_half(tmp_path: Path, mlp: nn.Sequential) -> None:
    x = torch.randn(4, 5)
    with torch.no_grad(), capture(mlp, "0", tmp_path / "a", dtype="float16"):
        mlp(x)
    assert np.array_equal(read_capture(tmp_path / "a").matrix("0"), mlp[0](x).half().detach().numpy())


def test_which_of_several_calls(tmp_path: Path) -> None:
    model, x = Sequences(), torch.randn(2, 5, 4)
    for call, block in ((0, 0), (-1, 2)):
        with (
            torch.no_grad(),
            capture(model, ["act", f"blocks.{block}.mlp"], tmp_path / str(call), call=call, pool="each"),
        ):
            model(x)
        found = read_capture(tmp_path / str(call))
        assert np.array_equal(found.matrix("act"), found.matrix(f"blocks.{block}.mlp").clip(0))


def test_a_forward_that_raises_leaves_nothing_of_itself(tmp_path: Path, mlp: nn.Sequential) -> None:
    with pytest.raises(RuntimeError, match="shapes"), capture(mlp, ["0", "2"], tmp_path / "a") as taken:  # noqa: PT012
        taken.rows(id=["a", "b"])
        mlp(torch.randn(2, 5))
        taken.rows(id=["c"])
        mlp[2] = nn.Linear(99, 3)
        mlp(torch.randn(1, 5))
    assert _hooks(mlp) == 0
    with pytest.raises(BadFile, match="expected a complete capture; found one that was cut off after 2 rows"):
        read_capture(tmp_path / "a")
    found = read_capture(tmp_path / "a", incomplete=True)
    assert not found.complete
    assert [line["id"] for line in found.table()] == ["a", "b"]
    assert found.matrix("0").shape == (2, 7)


def test_a_loop_goes_on_after_a_forward_that_raised(tmp_path: Path, mlp: nn.Sequential) -> None:
    with torch.no_grad(), capture(mlp, ["0", "2"], tmp_path / "a") as taken:
        for number, x in enumerate([torch.randn(2, 5), torch.full((2, 5), torch.nan), torch.randn(1, 5)]):
            taken.rows(batch=number)
            with nullcontext() if x.isfinite().all() else pytest.raises(UserError, match="module '0', row 2: NaN"):
                mlp(x)
    found = read_capture(tmp_path / "a")
    assert [(line["row"], line["batch"]) for line in found.table()] == [("0", "0"), ("1", "0"), ("2", "2")]
    assert found.note["forwards_dropped"] == 1


def test_a_killed_process_leaves_a_folder_that_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    command = [sys.executable, "-m", "tests.analysis.killed_capture", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        _wait(lambda: (folder / "0" / "00003.npy").exists())
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with pytest.raises(BadFile, match="complete capture"):
        read_capture(folder)
    found = read_capture(folder, incomplete=True)
    assert found.note["shards"] >= 3
    assert [int(line["number"]) for line in found.table()] == list(range(found.note["rows"]))
    for module in ("0", "1"):
        assert np.array_equal(found.matrix(module)[:, 4], np.arange(found.note["rows"]))
    with capture(nn.Sequential(nn.Identity()), "0", folder, overwrite=True) as taken:
        taken.model(torch.ones(1, 2))
    assert read_capture(folder).matrix("0").tolist() == [[1, 1]]
    assert not (folder / "1").exists()


def _wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_write_that_failed_is_made_good(tmp_path: Path, mlp: nn.Sequential) -> None:
    x = torch.randn(6, 5)
    with torch.no_grad(), capture(mlp, "0", tmp_path / "a", shard_bytes=4 * 28) as taken:
        (tmp_path / "a" / "0").write_text("in the way")
        with pytest.raises(OSError, match="0"):
            mlp(x)
        (tmp_path / "a" / "0").unlink()
        mlp(x[:1])
        assert taken.forwards == 2
    with pytest.raises(BadFile, match="cut off after 5 rows"):  # two of the first forward are missing
        read_capture(tmp_path / "a")
    found = read_capture(tmp_path / "a", incomplete=True)
    assert found.matrix("0").shape == (5, 7)
    assert [line["row"] for line in found.table()] == ["0", "1", "2", "3", "6"]


def test_half_a_table_is_written_again(tmp_path: Path, mlp: nn.Sequential) -> None:
    """As where a disk is full: a part of the lines is there."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with torch.no_grad(), capture(mlp, "0", tmp_path / "a", shard_bytes=2 * 28) as taken:
        taken.rows(id="é" * 6_000)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                mlp(FLAT)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert (tmp_path / "a" / "rows.csv").stat().st_size == 20_000
    table = read_capture(tmp_path / "a", incomplete=True).table()
    assert [(line["row"], line["id"]) for line in table] == [("0", "é" * 6_000), ("1", "é" * 6_000)]
    assert (tmp_path / "a" / "rows.csv").stat().st_size == read_capture(tmp_path / "a", True).note["table_bytes"]


def _refused(
    message: str, tmp_path: Path, model: Any, modules: Any, x: Tensor | None, rows: Any = None, **more: Any
) -> None:
    with pytest.raises(UserError, match=re.escape(message)), capture(model, modules, tmp_path / "a", **more) as taken:  # noqa: PT012
        if rows is not None:
            taken.rows(**rows)
        if x is not None:
            model(x)
    if isinstance(model, nn.Module):
        assert _hooks(model) == 0


FLAT, ROWS = torch.zeros(2, 5), torch.zeros(2, 5, 4)


@pytest.mark.parametrize(
    ("message", "modules", "x", "more"),
    [
        ("there is no module '00' in Sequential; nearest: 0 (of 3 in model.named_modules())", "00", FLAT, {}),
        ("no module fits the pattern 'a.*' in Sequential; nearest: 0, 1, 2 (of 3", "a.*", FLAT, {}),
        ("no module is named", [], FLAT, {}),
        ("unknown pool 'sum'; choose one of mean, max, last, each", "0", FLAT, {"pool": "sum"}),
        ("unknown where 'in'; choose one of output, input", "0", FLAT, {"where": "in"}),
        ("unknown dtype 'int8'; choose one of float32, float16", "0", FLAT, {"dtype": "int8"}),
        ("unknown channels 'x'; choose one of first, last", "0", FLAT, {"channels": {"0": "x"}}),
        ("expected shard_bytes of at least 1; found 0", "0", FLAT, {"shard_bytes": 0}),
        ("no forward of the model ran within the capture; call model(batch)", "0", None, {}),
        ("module '0', row 0: NaN or infinity", "0", FLAT + torch.nan, {}),
        ("module '0', row 1 (id b): NaN", "0", FLAT + torch.tensor([[0], [torch.inf]]), {"rows": {"id": ["a", "b"]}}),
        ("module '0', row 0: 70,000 is more than float16 holds; take dtype=\"float32\"", "0", FLAT + 7e4,
         {"dtype": "float16", "where": "input"}),
        ("rows: id has 3 values; this forward had 2 rows", "0", FLAT, {"rows": {"id": [1, 2, 3]}}),
        ("rows: 'row' is a column of the capture's own; call yours otherwise", "0", FLAT, {"rows": {"row": [1, 2]}}),
        ("rows: id is a object; expected a list with a value a row", "0", FLAT, {"rows": {"id": object()}}),
        ("rows: id[0] is a list; expected text or a number", "0", FLAT, {"rows": {"id": [[1], [2]]}}),
        ("module '0' gave int of its function in Tensor; expected a tensor", {"0": lambda _given: 3}, FLAT, {}),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    tmp_path: Path, mlp: nn.Sequential, message: str, modules: Any, x: Tensor | None, more: dict[str, Any]
) -> None:
    _refused(message, tmp_path, mlp, modules, x, **more)


@pytest.mark.parametrize(
    ("message", "model", "modules", "x", "more"),
    [
        ("expected a torch.nn.Module; found int", 3, "a", None, {}),
        ("module 'blocks' is a ModuleList, which never runs itself; name what is in it: blocks.0, blocks.1",
         Sequences(), "blocks", ROWS, {}),
        ("module 'act' ran 3 times in this forward; say which counts: call=0 is the first", Sequences(), "act",
         ROWS, {}),
        ("module 'act' ran 3 times in this forward; there is no call=3", Sequences(), "act", ROWS, {"call": 3}),
        ("modules 'gru' and 'head' gave 2 rows of 5 positions and 2 rows in one forward", Sequences(), ["head", "gru"],
         ROWS, {"pool": "each"}),
        ("module 'rest' did not run in this forward; leave it out", Skips(), ["used", "rest"], FLAT, {}),
        ("module '0' (ReLU) gave [2, 3, 4, 4], and the features may be", nn.Sequential(nn.ReLU()), "0",
         torch.zeros(2, 3, 4, 4), {}),
        ("module '1' (ReLU) gave [2, 3, 8], and the features may be its second or its last dimension; say "
         'channels="first" (3 features) or channels="last" (8)',
         nn.Sequential(nn.Conv1d(1, 3, 2), nn.ReLU()), "1", torch.zeros(2, 1, 9), {}),
        ("module '0' gave [3, 8]; expected a batch dimension before its channels", nn.Sequential(nn.Conv1d(1, 3, 2)),
         "0", torch.zeros(1, 9), {}),
        ("modules '' and 'model' would have the same folder", nn.Sequential(OrderedDict(model=nn.ReLU())),
         ["", "model"], None, {}),
        ("module '0' gave [] torch.float32 torch.strided; expected a dense tensor", nn.Sequential(nn.Identity()), "0",
         torch.tensor(1.0), {}),
        ("module '0' gave [2, 3] torch.complex64", nn.Sequential(nn.Identity()), "0", torch.zeros(2, 3) * 1j, {}),
    ],
)  # fmt: skip
def test_what_a_model_does_not_give_is_refused(
    tmp_path: Path, message: str, model: Any, modules: Any, x: Tensor | None, more: dict[str, Any]
) -> None:
    _refused(message, tmp_path, model, modules, x, **more)


def test_parts_that_are_called_by_themselves_are_counted(tmp_path: Path, mlp: nn.Sequential) -> None:
    message = "the modules ran 2 times, but never within model(...); call the model itself"
    with pytest.raises(UserError, match=re.escape(message)), capture(mlp, ["0", "1"], tmp_path / "a"):
        mlp[1](mlp[0](FLAT))


def test_features_and_columns_stay_the_same(tmp_path: Path) -> None:
    model = nn.Sequential(nn.Identity())
    with capture(model, "0", tmp_path / "a", pool="each") as taken:
        taken.rows(id=0)
        model(ROWS)
        with pytest.raises(UserError, match=re.escape("module '0' gave 3 features; 4 before")):
            model(ROWS[..., :3])
        with pytest.raises(UserError, match="has the columns row, position; those before it had row, position, id"):
            model(ROWS)
        taken.rows(id=1)
        model(ROWS[:, :2])
    assert len(read_capture(tmp_path / "a").table()) == 2 * 5 + 2 * 2


def test_modules_of_other_batches_are_refused(tmp_path: Path) -> None:
    picks = {"0": None, "1": lambda given: given[:1]}
    message = "modules '0' and '1' gave 2 rows and 1 rows in one forward; a capture has the same rows for all"
    _refused(message, tmp_path, nn.Sequential(nn.Identity(), nn.Identity()), picks, FLAT)


def test_a_folder_with_other_things_is_never_overwritten(tmp_path: Path, mlp: nn.Sequential) -> None:
    folder = tmp_path / "a"
    with capture(mlp, "0", folder):
        mlp(FLAT)
    message = "a new or empty folder; found 0, capture.json, rows.csv; or say overwrite=True"
    with pytest.raises(UserError, match=message), capture(mlp, "0", folder):
        pass
    (folder / "0" / "notes.txt").write_text("mine")
    message = "only an earlier capture is overwritten; found 0"
    with pytest.raises(UserError, match=message), capture(mlp, "0", folder, overwrite=True):
        pass
    assert (folder / "0" / "00000.npy").exists()
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match="expected a folder to write to; found a file"),
        capture(mlp, "0", tmp_path / "file"),
    ):
        pass
    assert _hooks(mlp) == 0


def test_two_captures_of_one_folder_are_refused(tmp_path: Path, mlp: nn.Sequential) -> None:
    with capture(mlp, "0", tmp_path / "a"):
        mlp(FLAT)
        with pytest.raises(UserError, match="expected a new or empty folder"), capture(mlp, "2", tmp_path / "a"):
            pass
        mlp(FLAT)
    assert read_capture(tmp_path / "a").matrix("0").shape == (4, 7)


def test_what_is_no_capture_is_not_read(tmp_path: Path, mlp: nn.Sequential) -> None:
    with pytest.raises(BadFile, match=r"capture.json: expected the note of a capture; found .*No such file"):
        read_capture(tmp_path)
    (tmp_path / "capture.json").write_text("[]")
    with pytest.raises(BadFile, match="found another file"):
        read_capture(tmp_path)
    with capture(mlp, "0", tmp_path / "a"):
        mlp(FLAT)
    found = read_capture(tmp_path / "a")
    with pytest.raises(UserError, match="module '1' was not captured; choose one of 0"):
        found.matrix("1")
    np.save(tmp_path / "a" / "0" / "00000.npy", np.zeros((3, 7), np.float32))
    with pytest.raises(BadFile, match=re.escape("expected 2 rows of 7; found [3, 7]")):
        found.matrix("0")
    found.note["modules"]["0"]["folder"] = "../../b"
    with pytest.raises(BadFile, match="folders within the capture's"):
        found.matrix("0")


def test_it_needs_torch_alone() -> None:
    other = {"transformers", "sae_lens", "sqlalchemy", "datasets", "safetensors"}
    code = f"import sys, analysis.capture; print(sorted({other} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


PAGE = (ROOT / "docs" / "capture.md").read_text(encoding="utf-8")
SENSORS, IMAGES, SERIES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.parametrize(
    ("block", "shapes"),
    [
        (SENSORS, {"sensors": {"1": (500, 32), "3": (500, 16)}}),
        (IMAGES, {"images": {"0": (40, 8), "2": (40, 12)}, "places": {"1": (40 * 64, 8)}}),
        (SERIES, {"series": {f"1.layers.{layer}.linear1": (6 * 50, 32) for layer in (0, 1)}}),
    ],
    ids=["sensors", "images", "series"],
)
def test_the_examples_of_the_documentation_run(
    block: str, shapes: dict[str, dict[str, tuple[int, int]]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    exec(block, {})
    for folder, modules in shapes.items():
        found = read_capture(tmp_path / "activations" / folder)
        assert {name: found.matrix(name).shape for name in found.modules} == modules
        assert len(found.table()) == found.note["rows"]
    if block == IMAGES:
        assert found.table()[9] == {"row": "0", "x": "1", "y": "1"}
