"""One run by several actors: the same rows, whoever is killed meanwhile. With real Ray processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from analysis.errors import UserError
from analysis.process.checkpoint import Checkpoints
from analysis.run.distributed import groups_of, read_together
from analysis.run.pipeline import Run, prepare
from analysis.run.shards import Parts
from tests.analysis.conftest import Parts as Paths
from tests.analysis.run.jobs import Worker
from tests.analysis.run.test_interruptions import only_digest
from tests.planted import flat

pytest.importorskip("ray")
TOKENS = 4500
RUN = ("--tokens", str(TOKENS), "--shard", "2", "--checkpoint-seconds", "0")  # 6 shards


@pytest.fixture(scope="module")
def alone(parts: Paths, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Digest of one process."""
    return digest_of(parts, tmp_path_factory.mktemp("alone"), *RUN)


def digest_of(parts: Paths, folder: Path, *more: str) -> str:
    """Of a run from beginning to end."""
    status, said = Worker(folder / "cache", parts.arguments(folder / "run.db", *more)).ends()
    assert status == 0, said
    assert "(raylet)" not in said
    return only_digest(folder / "run.db")


def actors_of(worker: Worker) -> list[int]:
    """Process ids of the actors at work on the machine that descend from a worker."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        except OSError:
            continue
        parents[int(stat.parent.name)] = (int(rest.split()[1]), name)
    return [number for number in parents if _is_actor(number) and _descends(number, worker.pid, parents)]


def _is_actor(number: int) -> bool:
    try:
        return b"ray::Actor" in Path(f"/proc/{number}/cmdline").read_bytes()
    except OSError:
        return False


def _descends(number: int, from_: int, parents: dict[int, tuple[int, str]]) -> bool:
    while number in parents:
        if number == from_:
            return True
        number = parents[number][0]
    return False


@pytest.mark.parametrize("actors", [1, pytest.param(4, marks=pytest.mark.long)])
def test_the_rows_do_not_depend_on_how_many_read(parts: Paths, alone: str, tmp_path: Path, actors: int) -> None:
    assert digest_of(parts, tmp_path, *RUN, "--ray", "--actors", str(actors)) == alone


@pytest.mark.long  # Ray begins anew, or many processes do
def test_a_killed_actor_is_replaced_and_its_shard_read_again(parts: Paths, alone: str, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    worker = Worker(tmp_path / "cache", parts.arguments(db, *RUN, "--ray", "--actors", "2"))
    assert worker.wait_beyond(0)
    os.kill(actors_of(worker)[0], signal.SIGKILL)
    status, said = worker.ends()
    assert status == 0, said
    assert "another takes its place" in said
    assert "(raylet)" not in said
    assert only_digest(db) == alone


@pytest.mark.long  # Ray begins anew, or many processes do
def test_a_killed_driver_resumes_with_and_without_actors(parts: Paths, alone: str, tmp_path: Path) -> None:
    """A half-read shard of one process is ended by an actor; what actors have read, one process ends."""
    db, cache = tmp_path / "run.db", tmp_path / "cache"
    for further in ((), ("--ray", "--actors", "2")):
        done = worker_killed(Worker(cache, parts.arguments(db, *RUN, "--resume", *further)))
    assert 0 < done < TOKENS
    status, said = Worker(cache, parts.arguments(db, *RUN, "--resume")).ends()
    assert status == 0, said
    assert f"going on from {done:,} tokens" in said
    assert only_digest(db) == alone


def worker_killed(worker: Worker) -> int:
    """Kill it once it is further than it was; the actors end with it. How far it was."""
    assert worker.wait_beyond(worker.tokens())
    actors = actors_of(worker)
    worker.process.kill()
    worker.ends()
    limit = time.monotonic() + 120
    while any(Path(f"/proc/{number}").exists() for number in actors):
        assert time.monotonic() < limit, "actors outlive their driver"
        time.sleep(0.1)
    return worker.tokens()


def test_saes_in_parts_give_the_same_sums(parts: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    config = parts.config(tmp_path / "none.db", tokens=1500, shard=2)
    alone = Run(prepare(config), Checkpoints(tmp_path, "alone"))
    alone.stream(lambda _tokens: None)
    together = Run(
        prepare(parts.config(tmp_path / "none.db", tokens=1500, shard=2, ray="here", actors=2)),
        Checkpoints(tmp_path, "parts"),
    )
    read_together(together, Console(quiet=True), groups=2)
    assert together.counts == alone.counts
    for mine, theirs in zip(together.panels, alone.panels, strict=True):
        for name, each in mine.own.items():
            one, other = flat(each.summarise()), flat(theirs.own[name].summarise())
            assert all(np.array_equal(one[field], other[field], equal_nan=True) for field in one), name


def test_parts_are_as_few_as_an_actors_room_allows() -> None:
    assert groups_of([3, 3, 3, 3], 12) == 1
    assert groups_of([3, 3, 3, 3], 7) == 2
    assert groups_of([3, 3, 3, 3], 1) == 4


def test_an_actor_with_another_corpus_is_refused() -> None:
    mine = Parts("1", "2.8", "model", "float32", "a" * 8, [("s", "t")])
    mine.check(mine)
    with pytest.raises(UserError, match="another corpus than the process that asks it: expected aaaaaaaa; found b"):
        mine.check(mine._replace(corpus="b"))
