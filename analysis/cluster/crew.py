"""A crew of actors: pieces of work go out, what is found comes back; a member that ends is replaced."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from rich.console import Console

from analysis.cluster.session import Cluster
from analysis.errors import UserError
from analysis.process.progress import Progress

TRIES = 3  # of a piece, each by another actor, before it is held to be the piece's fault
_TELL = 0.5  # seconds between an actor's words on how far it is


class Piece(Protocol):
    """A piece of work; it is sent to its actor."""

    @property
    def label(self) -> str:
        """How it is named on the screen."""


P = TypeVar("P", bound=Piece)
Work = Callable[[Any, Progress], Any]
"""What an actor does with a piece; made in the actor by a function of a module."""


class Event(NamedTuple):
    """Something of a member: so many more are done, or fewer where a piece begins anew; a piece's end has `found`."""

    member: int
    piece: Any
    done: int
    found: Any = None  # a reference; `Crew.get` brings it here


@dataclass
class _Member(Generic[P]):
    """One actor, seen from the driver."""

    actor: Any
    begun: Any  # a reference that is there once it can work
    piece: P | None = None
    stream: Any = None
    tries: int = 0
    told: int = 0


@dataclass
class Crew(Generic[P]):
    """Actors that all know the same kind of work.

    Args:
        make: a function of a module, called in each actor; what it gives does the pieces.
        arguments: of `make`, for each member.
        cluster: where.
        console: where it is said that a member was replaced.
    """

    make: Callable[..., Work]
    arguments: Sequence[tuple[Any, ...]]
    cluster: Cluster
    console: Console
    members: list[_Member[P]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.members = [self._member(number) for number in range(len(self.arguments))]

    def begin(self) -> None:
        """Wait until all can work.

        Raises:
            UserError: what was wrong, in one of them.
        """
        for number, _member in enumerate(self.members):
            for tried in range(TRIES):
                try:
                    _plain(partial(_ray().get, self.members[number].begun))
                    break
                except _ray().exceptions.RayActorError as error:
                    if tried == TRIES - 1:
                        raise UserError(
                            f"actor {number + 1} ended {TRIES} times while it loaded, perhaps for memory"
                        ) from error
                    self.members[number] = self._member(number)

    def idle(self) -> list[int]:
        """Members without a piece."""
        return [number for number, member in enumerate(self.members) if member.piece is None]

    def give(self, number: int, piece: P) -> None:
        """Have a member do a piece."""
        member = self.members[number]
        member.piece, member.tries, member.told = piece, 1, 0
        member.stream = member.actor.work.remote(piece)

    def events(self, seconds: float) -> list[Event]:
        """What has come since; waits so long for it, at most.

        Raises:
            UserError: an actor's, or a piece at which several actors ended.
        """
        working = {id(member.stream): number for number, member in enumerate(self.members) if member.stream is not None}
        streams = [self.members[number].stream for number in working.values()]
        if not streams:
            return []
        ready, _waiting = _ray().wait(streams, num_returns=1, timeout=seconds)
        more, _waiting = _ray().wait(streams, num_returns=len(streams), timeout=0)
        return [self._event(working[place]) for place in {id(stream) for stream in (*ready, *more)}]

    def get(self, found: Any) -> Any:
        """What a piece's end brought."""
        return _plain(lambda: _ray().get(found))

    def _member(self, number: int) -> _Member[P]:
        ray = _ray()
        options = {"num_cpus": 0 if self.cluster.gpus else self.cluster.threads, "num_gpus": self.cluster.gpus}
        actor = ray.remote(Actor).options(**options, max_restarts=0).remote()
        return _Member(actor, actor.begin.remote(self.make, self.arguments[number]))

    def _event(self, number: int) -> Event:
        ray, member = _ray(), self.members[number]
        try:
            count = _plain(lambda: ray.get(next(member.stream)))
            if count is not None:
                member.told += count
                return Event(number, member.piece, count)
            found = next(member.stream)
        except ray.exceptions.RayActorError:
            return self._replaced(number)
        piece, member.piece, member.stream = member.piece, None, None
        return Event(number, piece, 0, found)

    def _replaced(self, number: int) -> Event:
        lost, piece = self.members[number], self.members[number].piece
        assert piece is not None
        if lost.tries >= TRIES:
            raise UserError(
                f"{piece.label}: {TRIES} actors ended at it, one after the other, perhaps for memory; --resume goes on"
            )
        self.console.print(f"actor {number + 1} ended at {piece.label}: another takes its place and begins it anew")
        self.members[number] = fresh = self._member(number)
        fresh.piece, fresh.tries, fresh.stream = piece, lost.tries + 1, fresh.actor.work.remote(piece)
        return Event(number, piece, -lost.told)


class Actor:
    """What runs in an actor's process: the work in a thread of its own, its progress as a stream."""

    def __init__(self) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the driver's
        self.work_on: Work | None = None
        self.failed: UserError | None = None

    def begin(self, make: Callable[..., Work], arguments: tuple[Any, ...]) -> None:
        """Load what the work needs."""
        try:
            self.work_on = make(*arguments)
        except UserError as error:
            self.failed = _plain_error(error)
            raise self.failed from None

    def work(self, piece: Any) -> Iterator[Any]:
        """How many more are done, now and then; at the end None, and what was found.

        What is yielded is the driver's, and outlives this process.
        """
        work = self.work_on
        if work is None:
            raise self.failed or RuntimeError("work was asked of an actor that has loaded nothing")
        said: queue.SimpleQueue[int] = queue.SimpleQueue()
        ends: list[Any] = []

        def run() -> None:
            try:
                ends.append(work(piece, said.put))
            except BaseException as error:
                ends.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        alive = True
        while alive:
            thread.join(_TELL)
            alive = thread.is_alive()
            if count := _drained(said):
                yield count
        if isinstance(ends[0], UserError):
            raise _plain_error(ends[0])
        if isinstance(ends[0], BaseException):
            raise ends[0]
        yield None
        yield ends[0]


def _plain_error(error: UserError) -> UserError:
    """Its subclasses are more than a message, and do not travel."""
    return UserError(str(error))


# one actor's `work` is a stream; set here, so that the class needs no ray to be read
Actor.work.__ray_num_returns__ = "streaming"  # type: ignore[attr-defined]


def _drained(said: queue.SimpleQueue[int]) -> int:
    count = 0
    while not said.empty():
        count += said.get()
    return count


def _ray() -> Any:
    import ray

    return ray


def _plain(ask: Callable[[], Any]) -> Any:
    """What an actor gives; its UserError as our own.

    Raises:
        UserError: the actor's.
    """
    try:
        return ask()
    except _ray().exceptions.RayTaskError as error:
        cause = error.cause
        if isinstance(cause, UserError):
            raise UserError(str(cause)) from None
        raise
