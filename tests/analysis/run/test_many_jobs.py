"""Several jobs of one suite end together: all are stored, and one that cannot be loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from sqlalchemy import select
from sqlalchemy.orm import Session

from migrations.runner import upgrade
from store.digest import suite_digest
from store.session import make_engine
from store.tables import Run
from tests.analysis.conftest import Parts
from tests.analysis.run.jobs import Job, ended_together
from tests.analysis.tiny_models import D_MODEL
from tests.app.faults.lock import held
from tests.planted import sae_folder

HOOKS = [
    f"blocks.{layer}.{place}"
    for layer in range(3)
    for place in ("hook_resid_pre", "hook_resid_mid", "hook_mlp_out", "hook_resid_post")
]


@pytest.fixture(scope="module")
def several(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> list[Parts]:
    """SAEs at places of their own, each by itself."""
    folder, found = tmp_path_factory.mktemp("several"), []
    for number, hook in enumerate(HOOKS):
        rows = torch.randn(16, D_MODEL, generator=torch.Generator().manual_seed(number))
        rows = torch.nn.functional.normalize(rows, dim=1)
        found.append(replace(parts, saes=[sae_folder(folder / hook, rows, rows, kind="TopK", k=4, hook=hook)]))
    return found


def arguments(parts: Parts, db: str, *more: str) -> list[str]:
    return parts.arguments(Path("replaced"), "--tokens", "1000", "--db", db, *more)


@pytest.fixture(scope="module")
def whole(several: list[Parts], tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """Digest of the suite of so many SAEs, analysed by one process."""

    @cache
    def digest(count: int) -> str:
        folder = tmp_path_factory.mktemp("whole")
        together = replace(several[0], saes=[sae for one in several[:count] for sae in one.saes])
        ((status, said),) = ended_together([Job(arguments(together, f"{folder}/run.db"), folder / "cache")])
        assert status == 0, said
        return only_suite(f"{folder}/run.db", 1)

    return digest


def only_suite(db: str, runs: int) -> str:
    """Digest of what is stored: one suite, in so many runs, all complete."""
    engine = make_engine(db, read_only=True)
    with Session(engine) as session:
        found = session.execute(select(Run.suite, Run.status)).all()
    assert len(found) == runs
    ((suite, status),) = set(found)
    assert status == "complete"
    digest = suite_digest(engine, suite)
    engine.dispose()
    return digest


@pytest.mark.parametrize("count", [6, pytest.param(12, marks=pytest.mark.long)])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_jobs_that_end_together_are_all_stored_and_what_cannot_be_is_after_resume(
    several: list[Parts],
    whole: Callable[[int], str],
    tmp_path: Path,
    kind: str,
    count: int,
    request: pytest.FixtureRequest,
) -> None:
    sqlite = kind == "sqlite"
    db = str(tmp_path / "run.db") if sqlite else request.getfixturevalue("postgres_db")
    upgrade(db)
    jobs = [Job(arguments(one, db), tmp_path / str(number)) for number, one in enumerate(several[:count])]
    if sqlite:
        ended = ended_together([replace(jobs[0], fault="impatient")], held(db, 3))
        assert refused(ended, "another program keeps it locked; repeat the command with --resume")
        jobs[0] = resumed(jobs[0])
        jobs[2] = replace(jobs[2], fault="full")
    jobs[4] = replace(jobs[4], fault="read-only")
    ended = ended_together(jobs, held(db, 1))
    assert refused([ended[4]], "cannot be written", "; repeat the command with --resume")
    assert not sqlite or refused([ended[2]], "no space left", "make room, then repeat the command with --resume")
    again = [number for number, job in enumerate(jobs) if job.fault]
    ended = [one for one, job in zip(ended, jobs, strict=True) if not job.fault]
    ended += ended_together([resumed(jobs[number]) for number in again])
    assert [status for status, _said in ended] == [0] * count, ended
    assert sum("going on from 1,000 tokens" in said for _status, said in ended) == (3 if sqlite else 1)
    assert only_suite(db, count) == whole(count)


def resumed(job: Job) -> Job:
    """The same command with --resume, and nothing in its way. What it read is kept."""
    assert list(job.cache.glob("checkpoints/*/now/state.json"))
    return Job([*job.arguments, "--resume"], job.cache)


def refused(ended: list[tuple[int, str]], *words: str) -> bool:
    """Each ended with status 2 and these words, in one line."""
    lines = [said.splitlines()[-1] for _status, said in ended]
    return {status for status, _said in ended} == {2} and all(word in line for word in words for line in lines)
