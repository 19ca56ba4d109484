"""How often a batch makes the host wait for a GPU, counted without one: by the operations that would.

An operation waits where the host has to know a number before it can go on: the size of what comes out, or a value.
Copies of a batch to where the SAEs are wait as well.
"""

from __future__ import annotations

import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from analysis.process.checkpoint import Checkpoints
from analysis.reading.batches import TokenBatch
from analysis.run.pipeline import Reading, Run, prepare
from tests.analysis.conftest import Parts

torch.set_num_threads(1)

MOST = 5  # for each SAE and batch
ROOT = str(Path(__file__).resolve().parents[3])
SIZED = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive", "bincount", "equal", "is_nonzero"}
VALUES = {"_local_scalar_dense", "item"}
INDEXED = {"index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index_put"}
READ = {"tolist", "numpy", "cpu", "item"}
MOVED = {"to", "cuda", "copy_"}


class Waits(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what waits, by operation and line of ours."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        masked = name in INDEXED and any(part is not None and part.dtype == torch.bool for part in args[1])
        guessed = name == "repeat_interleave" and (kwargs or {}).get("output_size") is None
        if name in SIZED | VALUES or masked or guessed:
            self.found[f"{name} in {_line()}"] += 1
        return func(*args, **(kwargs or {}))


class Reads(TorchFunctionMode):
    """Counts the ways of a tensor to Python that no dispatch sees, and moves of a batch's tensors."""

    def __init__(self, batch: TokenBatch) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()
        self.moves = 0
        self._of_batch = {id(part) for part in batch if isinstance(part, Tensor)}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "")
        if name in READ - VALUES:
            self.found[f"{name} in {_line()}"] += 1
        self.moves += name in MOVED and id(args[0]) in self._of_batch
        return func(*args, **(kwargs or {}))


def _line() -> str:
    ours = [frame for frame in traceback.extract_stack() if frame.filename.startswith(ROOT)]
    mine = next((frame for frame in reversed(ours) if "/tests/" not in frame.filename), ours[-1])
    return f"{Path(mine.filename).name}:{mine.lineno}"


def counted(reading: Reading, folder: Path) -> tuple[Counter[str], int]:
    """Waits of one batch in the middle of a run, and moves of its tensors."""
    run = Run(reading, Checkpoints(folder, "run"), Console(quiet=True))
    batches = run.batches()
    for _ in range(6):
        run.update(*next(batches))
    batch = list(reading.stream().batches())[6]
    with Waits() as waits, Reads(batch) as reads:
        run.update(batch, reading.read(batch))
    return waits.found + reads.found, reads.moves


@pytest.fixture
def reading(parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Reading]:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))

    def made(saes: int, **changes: object) -> Reading:
        found = prepare(parts.config(tmp_path / "none.db", **changes))
        return replace(found, saes=found.saes[-saes:])

    return made


def test_an_sae_makes_the_host_wait_five_times_a_batch_at_most(reading: Callable[..., Reading], tmp_path: Path) -> None:
    one, moved = counted(reading(1, classes=False), tmp_path / "one")
    two, moved_for_two = counted(reading(2, classes=False), tmp_path / "two")
    assert 1 <= sum((two - one).values()) <= MOST, two - one
    assert moved_for_two == moved, "each SAE moved the batch anew"


def test_the_count_sees_what_waits() -> None:
    x = torch.arange(6.0)
    batch = TokenBatch(x, x, x, x, x, x, x, x, x, x, x, x, lead=0, cursor=0)
    with Waits() as waits, Reads(batch) as reads:
        for act in (
            lambda: x[x > 2],
            lambda: x.nonzero(),
            lambda: float(x.sum()),
            lambda: bool(x.any()),
            lambda: torch.unique(x),
        ):
            before = sum(waits.found.values())
            _from_here(act)
            assert sum(waits.found.values()) > before
        _from_here(x.tolist)
        _from_here(lambda: x.to("cpu"))
        _from_here(lambda: x[torch.tensor([1, 2])])
    assert sum(reads.found.values()) == 1
    assert reads.moves == 1


def _from_here(act: Callable[[], object]) -> None:
    act()
