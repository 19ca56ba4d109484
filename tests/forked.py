"""Command lines as processes of their own that begin with their libraries imported: forked off one that did that.

Importing them takes longer than what most tests here do. `-m tests.forked` is that process, for commands of the worker
or of the server: a line of JSON in, arguments and where its input and output lie; its exit status out.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from tests.root import ROOT


class Ended(NamedTuple):
    """A command's end."""

    status: int
    out: str
    err: str

    @property
    def line(self) -> str:
        """What a command that was refused says: one line, and no more."""
        assert (self.status, self.err.count("\n")) == (2, 1), self.err
        assert self.err.startswith("dense-latents: "), self.err
        return self.err


class Forked:
    """Runs command lines, one at a time."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process, self.folder = process, folder

    def run(self, *arguments: str | Path, said: str = "") -> Ended:
        """A command line's end; `said` is on its standard input."""
        paths = [self.folder / name for name in ("in", "out", "err")]
        paths[0].write_text(said)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = json.dumps([[str(each) for each in arguments], [str(path) for path in paths]])
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        status = int(self.process.stdout.readline())
        return Ended(status, paths[1].read_text(), paths[2].read_text())


@contextmanager
def forking(folder: Path, half: str = "worker", **environment: str) -> Iterator[Forked]:
    """A process with the libraries of one half of the product imported, in this environment."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.forked", half],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield Forked(process, folder)
        assert process.stdin is not None
        process.stdin.close()


def _child(arguments: list[str], paths: list[str]) -> None:
    import dense_latents

    for number, (path, mode) in enumerate(zip(paths, (os.O_RDONLY, *[os.O_WRONLY | os.O_CREAT] * 2), strict=True)):
        os.dup2(os.open(path, mode | (os.O_TRUNC if number else 0)), number)
    sys.argv = ["dense-latents", *arguments]
    status = 1
    try:
        dense_latents.main()
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _worker() -> None:
    import torch
    import transformers.models.llama.modeling_llama  # noqa: F401
    from sae_lens.loading.pretrained_saes_directory import get_pretrained_saes_directory

    import analysis.run.analyze  # noqa: F401

    torch.set_num_threads(1)
    get_pretrained_saes_directory()  # kept from then on; seconds


def _server() -> None:
    for name in ("dense_latents", "alembic.command", "app.main", "app.commands.merge", "analysis.run.chaining"):
        import_module(name)


def _serve(half: str) -> None:
    {"worker": _worker, "server": _server}[half]()
    gc.freeze()
    for line in sys.stdin:
        arguments, paths = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(arguments, paths)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}\n")
        sys.stdout.flush()
    os._exit(0)  # nothing here is worth the seconds that torch takes to end


if __name__ == "__main__":
    _serve(sys.argv[1])
