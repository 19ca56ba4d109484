"""A whole study over the tiny world of texts, as a process: killed, gone on with, called again."""

from __future__ import annotations

import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from store.digest import digest
from store.session import make_engine
from store.tables import Effect, Intervention, Run, Verdict
from tests.analysis.conftest import Parts
from tests.analysis.run.jobs import Worker
from tests.analysis.study.conftest import ABLATE, texts
from tests.root import ROOT

SECONDS = 5.0


@pytest.fixture(scope="module")
def whole(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a study that nothing interrupted."""
    folder = tmp_path_factory.mktemp("whole")
    path = texts(parts, folder)
    status, said = Worker(folder / "cache", ["study", str(path)]).ends()
    assert status == 0, said
    assert "step 2 of 4: ablate: 1 SAE ablated; " in said
    return path


def found(path: Path) -> tuple[str, str]:
    """Of the one run and the one ablation in a sound store: the digest, and a hash of effects and verdicts."""
    engine = make_engine(path.parent / "tiny.db", read_only=True)
    with Session(engine) as session:
        assert session.scalar(text("PRAGMA integrity_check")) == "ok"
        run = session.scalars(select(Run)).one()
        done = session.scalars(select(Intervention)).one()
        effects = session.execute(select(*Effect.__table__.c).order_by(Effect.number)).all()
        verdicts = session.execute(select(*Verdict.__table__.c).order_by(Verdict.index)).all()
        assert (run.status, len(effects) > 0, len(verdicts) > 0) == ("complete", True, True)
        rows = repr([done.key, [list(row) for row in effects], [list(row) for row in verdicts]])
        whole = digest(engine, run.id), hashlib.sha256(rows.encode()).hexdigest()
    engine.dispose()
    return whole


def wait_for(worker: Worker, pattern: str) -> bool:
    """Until a file like it is in the worker's cache; False if it ended first."""
    while worker.process.is_alive():
        if any(worker.cache.glob(pattern)):
            return True
        time.sleep(0.005)
    return False


def test_killed_in_analyse_and_in_ablate_it_gives_the_same_rows(parts: Parts, whole: Path, tmp_path: Path) -> None:
    path = texts(parts, tmp_path)
    for step in ("checkpoints", "ablations"):
        worker = Worker(tmp_path / "cache", ["study", str(path)])
        assert wait_for(worker, f"{step}/*/now/state.json"), worker.ends()[1]
        worker.process.kill()
        assert worker.ends()[0] == -signal.SIGKILL
    status, said = Worker(tmp_path / "cache", ["study", str(path)]).ends()
    assert status == 0, said
    assert "step 1 of 4: analyse: done before (run 1: 1 SAE, " in said
    assert "going on from" in said
    assert found(path) == found(whole)
    history = json.loads((tmp_path / "tiny.study.json").read_text())["history"]
    assert [len(entry["facts"]) for entry in history] == [1]


def process(*arguments: str | Path) -> tuple[int, str, str, float]:
    """Exit status, output and CPU seconds of a process, which says at its end whether it has torch."""
    code = (
        "import atexit, sys, dense_latents;"
        "atexit.register(lambda: print('torch' if 'torch' in sys.modules else 'no torch', file=sys.stderr));"
        f"sys.argv = {['dense-latents', *map(str, arguments)]!r}; dense_latents.main()"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (
        ended.returncode,
        ended.stdout,
        ended.stderr,
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )


def test_a_second_call_skips_all_steps_in_seconds(whole: Path) -> None:
    """Of the processor: the machine may have others to serve."""
    before = os.stat(whole.parent / "tiny.report.md").st_mtime_ns
    status, said, told, spent = process("study", whole)
    assert (status, told) == (0, "no torch\n"), said
    assert said.count("done before") == 4
    assert spent < SECONDS
    assert os.stat(whole.parent / "tiny.report.md").st_mtime_ns == before


def test_nothing_changed_is_said_without_torch(whole: Path) -> None:
    status, said, told, spent = process("study", whole, "--if-changed")
    assert (status, said.count("\n"), told) == (0, 1, "no torch\n")
    assert said.startswith("tiny: inputs and settings are those of the study finished on ")
    assert spent < SECONDS


def test_a_mistake_is_one_line_without_torch(parts: Parts, tmp_path: Path) -> None:
    path = texts(parts, tmp_path, "ordr = 1\n")
    status, said, told, _spent = process("study", path)
    assert (status, said) == (2, "")
    assert told.splitlines()[0].startswith(f"dense-latents: {path}: unknown key 'ordr' in [texts]; choose one of ")
    assert told.splitlines()[1:] == ["no torch"]


def test_the_plan_of_texts_says_what_is_done(parts: Parts, whole: Path, tmp_path: Path) -> None:
    assert "0 steps to do" in Worker(whole.parent / "cache", ["study", str(whole), "--plan"]).ends()[1]
    folder = tmp_path / "new"
    status, said = Worker(tmp_path / "cache", ["study", str(texts(parts, folder)), "--plan"]).ends()
    assert status == 0
    lines = said.splitlines()
    assert lines[0].startswith("step 1 of 4: analyse: 1 SAE, 3,000 tokens: about ")
    assert lines[1].startswith("step 2 of 4: ablate: 300 tokens of each SAE")
    assert lines[-1] == "4 steps to do; nothing was done"
    assert [file.name for file in folder.iterdir()] == ["tiny.toml"]


def test_a_lost_state_costs_no_second_ablation(whole: Path) -> None:
    """The store says what an ablation was made with."""
    state = whole.parent / "tiny.study.json"
    before, kept = found(whole), state.read_text()
    state.unlink()
    status, said = Worker(whole.parent / "cache", ["study", str(whole)]).ends()
    assert status == 0, said
    assert "is this very run" in said
    assert "ablating" not in said
    assert found(whole) == before
    assert json.loads(kept)["history"][0]["facts"] == json.loads(state.read_text())["history"][0]["facts"]


@pytest.mark.long
def test_other_texts_are_compared_with_the_last(parts: Parts, tmp_path: Path) -> None:
    """Of the same SAE: the paths of what fires, and what needs attention with a threshold that everything exceeds."""
    other = tmp_path / "other.jsonl"
    other.write_text("\n".join(json.dumps({"text": "sea " * 60, "year": 1840 + n}) for n in range(60)))
    more = f"{ABLATE}[attention]\ndrift = 0.02\n"
    path = texts(parts, tmp_path, more)
    assert Worker(tmp_path / "cache", ["study", str(path)]).ends()[0] == 0
    texts(parts, tmp_path, more, corpus=other)
    status, said = Worker(tmp_path / "cache", ["study", str(path)]).ends()
    assert status == 3, said
    assert " points apart" in said
    assert "needs attention: " in said


@pytest.mark.long
def test_it_trains_first_and_keeps_what_it_trained(parts: Parts, tmp_path: Path) -> None:
    path = tmp_path / "trained.toml"
    path.write_text(f"""
name = "trained"
[texts]
model = "{parts.model}"
corpus = "{parts.corpus}"
tokens = 1500
context = 48
pilot_tokens = 800
dtype = "float32"
[train]
hook = "blocks.1.hook_resid_post"
architecture = "topk"
width = 32
k = 6
batch = 64
train_tokens = 1280
tokens = 1500
[steps]
ablate = false
""")
    status, said = Worker(tmp_path / "cache", ["study", str(path)]).ends()
    assert status == 0, said
    assert "step 1 of 4: train: 1 SAE in " in said
    path.write_text(path.read_text().replace("tokens = 1500\ncontext", "tokens = 1200\ncontext"))
    status, said = Worker(tmp_path / "cache", ["study", str(path)]).ends()
    assert status in (0, 3), said
    assert "step 1 of 4: train: done before (1 SAE in " in said
