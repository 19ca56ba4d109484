"""What a study has done and found, in a file beside the store: `NAME.study.json`, replaced in one step."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.errors import BadFile, UserError

FORMAT = 1
MOST = 400
"""Finished studies that are kept: a year of nights."""
_WITH_FACTS = 3
"""Of these, so many keep what a later one is compared with."""
Entry = dict[str, Any]


@dataclass
class State:
    """`steps`: step -> {"key", "finished", "seconds", "what", and the ids in the store}. `history`: a finished study
    each, oldest first."""

    path: Path
    name: str
    steps: dict[str, Entry] = field(default_factory=dict)
    history: list[Entry] = field(default_factory=list)

    @property
    def last(self) -> Entry | None:
        """The last study that was finished."""
        return self.history[-1] if self.history else None

    def before(self, measured: str) -> Entry | None:
        """The last finished study that measured something else than `measured`."""
        return next((one for one in reversed(self.history) if one["measured"] != measured), None)

    def did(self, step: str, entry: Entry) -> None:
        """Write down that a step is done."""
        self.steps[step] = entry | {"finished": now()}
        self.save()

    def finish(self, entry: Entry) -> None:
        """Write down that all is done; a study that measured the same takes the place of the last."""
        if self.last is not None and self.last["measured"] == entry["measured"]:
            self.history.pop()
        self.history = [*self.history, entry | {"finished": now()}][-MOST:]
        for old in self.history[:-_WITH_FACTS]:
            old.pop("facts", None)
        self.save()

    def save(self) -> None:
        """Whole or not at all, whenever the process ends."""
        text = json.dumps(
            {"format": FORMAT, "name": self.name, "steps": self.steps, "history": self.history},
            indent=1, ensure_ascii=False,
        )  # fmt: skip
        replace_text(self.path, text + "\n")


def load_state(path: Path, name: str) -> State:
    """What is known of a study; nothing, where it is new.

    Raises:
        BadFile: a file that a study did not write, or a newer version did.
    """
    if not path.exists():
        return State(path, name)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        known = isinstance(found, dict) and found.get("format") == FORMAT
    except (OSError, ValueError) as error:
        raise BadFile(path, "what a study wrote (JSON); delete it to begin anew", str(error)) from None
    if not known:
        kind = found.get("format") if isinstance(found, dict) else type(found).__name__
        raise BadFile(path, f"a study's state of format {FORMAT}; delete it to begin anew", f"format {kind}")
    return State(path, name, found["steps"], found["history"])


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a study: a second process that wants it is refused. The system lets go when the process ends, however.

    Raises:
        UserError: another process has it; its number is named.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            number = stream.read().strip() or "?"
            raise UserError(f"{path}: process {number} is at this study; wait for it, or stop it") from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def replace_text(path: Path, text: str) -> None:
    """Write a file beside, then put it in the old one's place."""
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("w", encoding="utf-8") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(fresh, path)


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0).isoformat()
