"""A crew of real actors, on a cluster of this machine."""

from __future__ import annotations

import io
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from rich.console import Console

from analysis.cluster.crew import Crew, Work
from analysis.cluster.session import HERE, Cluster, cluster
from analysis.errors import BadFile, UserError
from analysis.process.progress import Progress

pytest.importorskip("ray")


class Sum(NamedTuple):
    """Add the numbers below one; `mark` counts how often it was begun, `dies` so often its process ends."""

    below: int
    mark: Path
    dies: int = 0
    wrong: bool = False

    @property
    def label(self) -> str:
        return f"sum {self.below}"


def adder(first: int) -> Work:
    """In the actor."""

    def work(piece: Sum, progress: Progress) -> int:
        with piece.mark.open("a") as stream:
            stream.write(".")
        total = first
        for number in range(piece.below):
            total += number
            progress(1)
            if number == piece.below // 2 and len(piece.mark.read_text()) <= piece.dies:
                time.sleep(1.0)  # what is done so far is said
                os.kill(os.getpid(), signal.SIGKILL)
        if piece.wrong:
            raise BadFile("a.json", "JSON", "noise")
        return total

    return work


@pytest.fixture(scope="module")
def here() -> Iterator[Cluster]:
    with cluster(HERE, 2, 1, Console(quiet=True)) as found:
        yield found


def worked(crew: Crew[Sum], pieces: list[Sum]) -> tuple[list[int], int]:
    """What the pieces give, in order, and how many steps were counted."""
    found: dict[int, int] = {}
    steps, left = 0, list(pieces)
    while len(found) < len(pieces):
        for number in crew.idle():
            if left:
                crew.give(number, left.pop(0))
        for event in crew.events(1.0):
            steps += event.done
            if event.found is not None:
                found[pieces.index(event.piece)] = crew.get(event.found)
    return [found[place] for place in range(len(pieces))], steps


def test_a_piece_whose_actor_ends_is_done_by_another_and_counted_once(here: Cluster, tmp_path: Path) -> None:
    said = io.StringIO()
    crew: Crew[Sum] = Crew(adder, [(100,), (100,)], here, Console(file=said, width=200))
    crew.begin()
    pieces = [Sum(3, tmp_path / "a"), Sum(10, tmp_path / "b", dies=1), Sum(4, tmp_path / "c")]
    assert worked(crew, pieces) == ([103, 145, 106], 17)
    assert (tmp_path / "b").read_text() == ".."
    assert "ended at sum 10: another takes its place and begins it anew" in said.getvalue()


def test_a_piece_at_which_all_end_is_given_up(here: Cluster, tmp_path: Path) -> None:
    crew: Crew[Sum] = Crew(adder, [(0,)], here, Console(quiet=True))
    with pytest.raises(UserError, match=r"^sum 5: 3 actors ended at it"):
        worked(crew, [Sum(5, tmp_path / "a", dies=3)])


def test_what_is_wrong_with_the_input_is_said_as_it_is_here(here: Cluster, tmp_path: Path) -> None:
    crew: Crew[Sum] = Crew(adder, [(0,)], here, Console(quiet=True))
    with pytest.raises(UserError, match=r"^a.json: expected JSON; found noise$"):
        worked(crew, [Sum(2, tmp_path / "a", wrong=True)])
