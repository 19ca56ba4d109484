"""Work in processes: its progress in our words, and a killed process named in one line."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console

from analysis.errors import UserError
from analysis.process.pool import trained
from analysis.process.progress import Progress
from tests.analysis.conftest import Parts
from tests.root import ROOT

KEPT = "the same command goes on"


class Work(NamedTuple):
    name: str
    fatal: bool = False

    @property
    def label(self) -> str:
        return self.name

    def left(self) -> int:
        return 10


def work(job: Work, progress: Progress) -> str:
    if job.fatal:
        os.kill(os.getpid(), signal.SIGKILL)
    progress(10)
    return job.name.upper()


def test_each_job_gives_its_result() -> None:
    found = trained(work, [Work("a"), Work("b"), Work("c")], 2, Console(quiet=True), KEPT)
    assert sorted((job.name, made) for job, made in found) == [("a", "A"), ("b", "B"), ("c", "C")]


def test_a_killed_process_is_named() -> None:
    with pytest.raises(UserError, match=f"the process that trains b was ended from outside.*; {KEPT}"):
        list(trained(work, [Work("a"), Work("b", fatal=True), Work("c")], 1, Console(file=io.StringIO()), KEPT))


def _children(pid: int) -> list[int]:
    """Processes that do the work of `pid`."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        command = Path(f"/proc/{child}/cmdline").read_bytes()
        if b"spawn_main" in command:
            found.append(int(child))
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the process in /proc")
def test_train_sae_says_so_in_one_line(parts: Parts, tmp_path: Path) -> None:
    hook = "blocks.1.hook_resid_post"
    command = [sys.executable, "-m", "dense_latents", "train-sae", "--hook", hook, "--out", str(tmp_path / "out")]
    command += ["--model", str(parts.model), "--corpus", str(parts.corpus), "--tokens", "1500", "--context", "32"]
    command += ["--width", "48", "--k", "4", "--batch", "64", "--train-tokens", "50000000"]
    environment = os.environ | {"DENSE_LATENTS_CACHE": str(tmp_path / "cache")}
    made = subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 600
    while not (found := _children(made.pid)) and time.monotonic() < deadline and made.poll() is None:
        time.sleep(0.2)
    assert found
    assert made.stdout
    said = ""
    while "training: " not in said and (line := made.stdout.readline()):
        said += line
    os.kill(found[0], signal.SIGKILL)
    rest, complained = made.communicate(timeout=600)
    said += rest
    assert made.returncode == 2, complained
    assert complained.count("\n") == 1, complained
    assert complained.startswith(f"dense-latents: the process that trains {hook} was ended from outside")
    assert "training: " in said
    assert "token-steps/s" in said
    assert "Training SAE" not in said + complained
