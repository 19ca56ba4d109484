"""Where a run stands, on disk: safetensors and JSON, never pickles, replaced in one step."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.errors import UserError

_NOTE = "state.json"


def _part(number: int) -> str:
    return f"state-{number}.safetensors"


@contextmanager
def held(folder: Path, refused: str) -> Iterator[None]:
    """Hold a folder; a second process that wants it is refused.

    Args:
        folder: made if missing.
        refused: what that process is told, `{}` being the id of the first.

    Raises:
        UserError: another process has it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise UserError(refused.replace("{}", stream.read().strip() or "?")) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


class Checkpoints:
    """The checkpoint folder of one run key.

    Args:
        base: folder of all checkpoints.
        key: the run's key.
    """

    def __init__(self, base: Path, key: str) -> None:
        self.folder = base / key[:24]
        self.key = key

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the key: a second run of it is refused.

        Raises:
            UserError: another process has it; its process id is named.
        """
        words = (
            f"this run (key {self.key[:12]}) is already going in process {{}}; wait for it, or stop it and use --resume"
        )
        with held(self.folder, words):
            yield

    def exists(self) -> bool:
        """Whether there is something to resume from."""
        return (self.folder / "now" / _NOTE).exists()

    def save(self, note: dict[str, Any], parts: Iterable[dict[str, Tensor]]) -> None:
        """Write a new checkpoint, then put it in the old one's place.

        Args:
            parts: a file each, of tensors that share no memory; taken one at a time, so that only one
                is in memory twice.
        """
        fresh = self.folder / "new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        for number, tensors in enumerate(parts):
            save_file({name: tensor.cpu().contiguous() for name, tensor in tensors.items()}, fresh / _part(number))
        (fresh / _NOTE).write_text(json.dumps(note))
        self._swap(fresh)

    def note(self) -> dict[str, Any]:
        """What the last complete checkpoint says of itself."""
        found: dict[str, Any] = json.loads((self.folder / "now" / _NOTE).read_text())
        return found

    def parts(self) -> Iterator[dict[str, Tensor]]:
        """Its parts, in order."""
        number = 0
        while (path := self.folder / "now" / _part(number)).exists():
            yield load_file(path)
            number += 1

    def clear(self) -> None:
        """Nothing left to resume."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def recover(self) -> None:
        """Finish a swap that was cut off between its two renames."""
        now, old = self.folder / "now", self.folder / "old"
        if not now.exists() and old.exists():
            os.replace(old, now)

    def _swap(self, fresh: Path) -> None:
        now, old = self.folder / "now", self.folder / "old"
        shutil.rmtree(old, ignore_errors=True)
        if now.exists():
            os.replace(now, old)
        os.replace(fresh, now)
        shutil.rmtree(old, ignore_errors=True)
