"""The driver of several readers: shards go out, their sums come back and are merged in the order of the text.

So the digits are those of one process, however many actors there are and in whatever order they end. What comes early
waits where it was made, and no more is given out than twice as many shards as there are readers.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from rich.console import Console

from analysis.cluster.crew import Crew
from analysis.cluster.progress import CrewProgress, crew_progress
from analysis.cluster.session import Cluster, cluster
from analysis.process.interrupts import gentle_stop
from analysis.run.panel import Panel
from analysis.run.pipeline import Reading, Run
from analysis.run.shards import Arrays, Parts, ShardPiece, ShardSums, arrays, config_of, moved, reader, tensors
from analysis.run.totals import Totals
from analysis.statistics.contexts import Contexts

_COPIES = 4  # of a batch's activations, while it is counted
_AHEAD = 2  # shards given out for each reader: one is read, one waits for its turn


def read_together(run: Run, console: Console, groups: int | None = None) -> None:
    """Read the text of a run with the actors of a cluster; the same as `Run.stream`.

    Args:
        groups: parts of the SAEs, each read by actors of its own; as many as an actor's room asks for, if not given.

    Raises:
        UserError: no cluster, parts that differ from machine to machine, a shard at which actors end.
        KeyboardInterrupt: Ctrl-C came; the shards that were merged are in a checkpoint.
    """
    config = run.reading.config
    if run.totals is None:
        run.make_plan()
    with cluster(config.ray, config.actors, torch.get_num_threads(), console) as found:
        reading = _Together(run, found, console, groups or _parts(run, found, console))
        with gentle_stop() as stopping:
            reading.crew.begin()
            with crew_progress(
                console, "analysing", config.tokens, "tokens", reading.crew.members, run.tokens
            ) as progress:
                while not reading.ended:
                    reading.go_on(progress)
                    if stopping() or reading.late:
                        reading.save()
                    if stopping():
                        raise KeyboardInterrupt
    run.settle()
    run.save()


class _Together:
    """What was given out, what came back, what is merged."""

    def __init__(self, run: Run, found: Cluster, console: Console, groups: int) -> None:
        self.run, self.groups = run, groups
        self.totals = _begun(run)
        self.size = run.reading.config.shard_contexts
        self.merged = run.counts.cursor // self.size  # shards that are in the whole
        self.waiting: dict[int, dict[int, Any]] = {}  # shard -> group -> a reference to its sums
        self.given = [self.merged] * groups  # the next shard of each group
        self.ended = False
        self.saved = time.monotonic()
        saes = range(len(run.reading.saes))
        self.mine = [list(saes[group::groups]) for group in range(groups)]  # SAEs of each group
        self.spare = [_spare(run.reading, panel) for panel in self.totals.panels]
        self.crew: Crew[ShardPiece] = Crew(
            reader, [self._arguments(n, found) for n in range(found.actors)], found, console
        )

    @property
    def late(self) -> bool:
        """Whether it is time for a checkpoint."""
        return time.monotonic() - self.saved > self.run.reading.config.checkpoint_seconds

    def save(self) -> None:
        """Write a checkpoint: of what is merged, and no half shard but one that was there before."""
        self.run.save()
        self.saved = time.monotonic()

    def go_on(self, progress: CrewProgress) -> None:
        """Give out what can be given, take what has come, merge what is next."""
        for member in self.crew.idle():
            group = member % self.groups
            if self.given[group] < self.merged + self._most(group):
                piece = self._piece(self.given[group], group)
                self.given[group] += 1
                self.crew.give(member, piece)
                progress.at(member, piece.label)
        for event in self.crew.events(1.0):
            progress.done(event.member, event.done if self._first(event.member) else 0)
            if event.found is not None:
                self.waiting.setdefault(event.piece.number, {})[event.member % self.groups] = event.found
                progress.at(event.member, "waiting")
        while not self.ended and len(self.waiting.get(self.merged, ())) == self.groups:
            self._merge(self.waiting.pop(self.merged))

    def _most(self, group: int) -> int:
        return _AHEAD * len(range(group, len(self.crew.members), self.groups))

    def _first(self, member: int) -> bool:
        """Tokens are counted once, however many parts the SAEs are in."""
        return member % self.groups == 0

    def _piece(self, number: int, group: int) -> ShardPiece:
        begin, end = number * self.size, (number + 1) * self.size
        half = self.run.counts.cursor if number == self.merged else begin
        states = [arrays(self.totals.shards[place].state_dict()) for place in self.mine[group]] if half > begin else []
        limits = [arrays(self.totals.panels[place].limits()) for place in self.mine[group]]
        return ShardPiece(number, max(begin, half), end, states, limits)

    def _merge(self, found: dict[int, Any]) -> None:
        """One shard into the whole; what this process had of it comes back with it."""
        for group, reference in found.items():
            sums: ShardSums = self.crew.get(reference)
            for place, state in zip(self.mine[group], sums.states, strict=True):
                self._take(place, state)
            if not group:
                self.run.counts.merge(sums.counts)
            self.ended = sums.ended
        self.merged += 1

    def _take(self, place: int, state: Arrays) -> None:
        spare, panel = self.spare[place], self.totals.panels[place]
        spare.load_state_dict(tensors(state))
        panel.merge(spare)
        self.totals.shards[place] = panel.shard()

    def _arguments(self, member: int, found: Cluster) -> tuple[Any, ...]:
        mine, reading = self.mine[member % self.groups], self.run.reading
        parts = Parts.of(reading)
        plans = [moved(self.totals.panels[place].plan, torch.device("cpu")) for place in mine]
        own = parts._replace(saes=[parts.saes[place] for place in mine])
        return config_of(reading, mine, bool(found.gpus)), own, plans


def _begun(run: Run) -> Totals:
    assert run.totals is not None  # the plan was made
    return run.totals


def _parts(run: Run, found: Cluster, console: Console) -> int:
    """Parts of the SAEs, so that each has room in an actor; no more than there are actors."""
    reading, config = run.reading, run.reading.config
    model = _sum(reading.model.module.parameters())
    panels = _begun(run).panels
    batch = 4 * config.contexts * config.context * max(panel.sae.n_latents for panel in panels)  # of one SAE at a time
    room = int(found.room() - model - _COPIES * batch)
    sizes = [_bytes(panel, config.shard_contexts * config.context) for panel in panels]
    wanted = groups_of(sizes, room)
    if wanted > 1:
        few = "" if wanted <= found.actors else f", though {wanted} would be needed"
        parts = min(wanted, found.actors)
        console.print(f"an actor has room for {room / 2**30:,.1f} GB: the SAEs are read in {parts} parts{few}")
    return min(wanted, found.actors)


def _bytes(panel: Panel, tokens: int) -> int:
    """Of an SAE's weights and of what is counted of it in a shard of so many tokens."""
    found = float(_sum(panel.sae.module.state_dict().values()))
    for own in panel.own.values():
        share = min(1.0, tokens / own.room) if isinstance(own, Contexts) else 1.0  # a shard's sample is no larger
        found += share * _sum(own.tensors.values())
    return int(found)


def _sum(tensors: Iterable[torch.Tensor]) -> int:
    return sum(each.numel() * each.element_size() for each in tensors)


def _spare(reading: Reading, panel: Panel) -> Panel:
    """What a shard's state is read into, again and again."""
    return Panel(panel.sae, panel.plan, reading.settings)


def groups_of(sizes: Sequence[int], room: int) -> int:
    """In how many parts SAEs of these bytes go, so that each part fits an actor; one SAE a part at most."""
    for groups in range(1, len(sizes)):
        if max(sum(sizes[group::groups]) for group in range(groups)) <= room:
            return groups
    return max(1, len(sizes))
