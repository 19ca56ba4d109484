"""Independent pieces of long work on the actors of a cluster, as `process.pool` does them in processes here."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from rich.console import Console

from analysis.cluster.crew import Crew, P
from analysis.cluster.progress import CrewProgress, crew_progress
from analysis.cluster.session import Cluster
from analysis.process.interrupts import gentle_stop
from analysis.process.pool import J, R
from analysis.process.progress import Progress

WorkOn = Callable[[J, Progress], R]


def spread(work: WorkOn[J, R], jobs: Sequence[J], found: Cluster, console: Console, kept: str) -> Iterator[tuple[J, R]]:
    """Each job with what `work` makes of it, as they end; no more than one at a time an actor.

    Args:
        work: a function of a module.
        kept: what the same command does after an interruption.

    Raises:
        UserError: a job's, or one at which several actors ended.
        KeyboardInterrupt: Ctrl-C came.
    """
    crew: Crew[J] = Crew(_itself, [(work,)] * min(found.actors, len(jobs)), found, console)
    left, waiting = list(jobs), len(jobs)
    total = max(1, sum(job.left() for job in jobs))
    with gentle_stop() as stopping, crew_progress(console, "training", total, "token-steps", crew.members) as progress:
        crew.begin()
        while waiting:
            for member in crew.idle()[: len(left)]:
                job = left.pop(0)
                crew.give(member, job)
                progress.at(member, job.label)
            for event in crew.events(1.0):
                progress.done(event.member, event.done)
                if event.found is not None:
                    waiting -= 1
                    progress.at(event.member, "waiting")
                    yield event.piece, crew.get(event.found)
            if stopping():
                console.print(f"stopped; {kept}")
                raise KeyboardInterrupt


def in_order(crew: Crew[P], pieces: Iterable[P], progress: CrewProgress) -> Iterator[tuple[P, Any]]:
    """Each piece with what is found, in their order; twice as many are given out as there are members, at most.

    Raises:
        UserError: a piece's, or one at which several actors ended.
        KeyboardInterrupt: Ctrl-C came.
    """
    left, given, found = iter(pieces), deque[P](), dict[int, Any]()
    with gentle_stop() as stopping:
        while True:
            for member in crew.idle():
                if len(given) < 2 * len(crew.members) and (piece := next(left, None)) is not None:
                    given.append(piece)
                    crew.give(member, piece)
                    progress.at(member, piece.label)
            if not given:
                return
            for event in crew.events(1.0):
                progress.done(event.member, event.done)
                if event.found is not None:
                    found[id(event.piece)] = event.found
                    progress.at(event.member, "waiting")
            while given and id(given[0]) in found:
                piece = given.popleft()
                yield piece, crew.get(found.pop(id(piece)))
            if stopping():
                raise KeyboardInterrupt


def _itself(work: WorkOn[J, R]) -> WorkOn[J, R]:
    return work
