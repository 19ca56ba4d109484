"""What every accumulator is: planned, update, merge, summarise, state. One statistic (or a family) a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor

from analysis.process.library import library_warnings
from analysis.reading.batches import Counted, Firing, TokenBatch
from analysis.statistics.plan import MASSIVE, Setup

State = dict[str, Tensor]
FULL = 8  # a product with the sparse matrix costs more than with the full one where one in so many is not 0
LATENTS = 2**16  # latents that a summary is made of at once: what it needs on the way is not the width of the SAE


class Entries(NamedTuple):
    """The firings of m latents, by latent, each latent's in reading order."""

    token: Tensor  # [f] int64: which of the n counted tokens
    place: Tensor  # [f] int64: which of the m latents
    value: Tensor  # [f] float32, never 0


@dataclass(frozen=True)
class Step:
    """All that an accumulator may see of one batch, for one SAE. n counted tokens, D d_in.

    The activations [n, N] are there as the list of the firing ones alone: most of them are 0, and a pass over all of
    them costs as much as all statistics together.
    """

    batch: TokenBatch  # where the SAE is
    counted: Counted
    ordinary: Tensor  # [n] bool: not a massive token
    x: Tensor  # [n, D] float32: what the SAE read; of a transcoder, what it is to predict
    firing: Firing
    _among: dict[int, tuple[Tensor, Entries]] = field(default_factory=dict, compare=False)

    def among(self, latents: Tensor) -> Entries:
        """The firings of a few latents, cut out once for all accumulators that share the very same `latents`.

        Args:
            latents: [m] int64, none twice.
        """
        key = latents.data_ptr()
        known = self._among.get(key)
        if known is None or len(known[0]) != len(latents):
            known = self._among[key] = (latents, among(self.firing, latents))  # held, so that its address stays its own
        return known[1]

    def columns(self, latents: Tensor) -> Tensor:
        """The activations [n, m] of a few latents, none of them twice."""
        firing, m = self.firing, len(latents)
        columns = torch.zeros(len(self.x), m + 1, device=firing.value.device)
        # the last takes what is not wanted: to pick what is would wait for the device
        columns[firing.token, places(firing, latents, other=m)] = firing.value
        return columns[:, :m]


class Accumulator(ABC):
    """Sums over a stream whose result does not depend on how the stream was cut.

    Every subclass in this package is found, made and updated with each run that it says it is planned for.
    The laws (held by `tests/analysis/statistics/test_laws.py` for every one): equal to a dense float64
    computation; merge is associative, with a fresh accumulator as identity; merging leaves the
    merged-in one unchanged; loading a saved state goes on as if never stopped; what is `exact` has the same bits
    in any order.
    """

    tensors: State
    exact: ClassVar[bool] = False
    """Whether every order of updates and merges gives the same bits: integers, maxima, choices, no sums of floats."""

    @classmethod
    @abstractmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Those that a run takes, by the name their state is saved under; none where it was not asked for."""

    @abstractmethod
    def update(self, step: Step) -> None:
        """Add the counted tokens of one batch."""

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add what another accumulator of the same shape has seen; `other` is left as it was."""

    @abstractmethod
    def summarise(self) -> Any:
        """The numbers so far, as a named tuple."""

    def limits(self) -> State:
        """What is known here that spares a shard what would not be kept; see `limit`."""
        return {}

    def limit(self, limits: State) -> None:  # noqa: B027 -- most have none
        """As an empty shard of what has these `limits`: leave out what it would not keep. Merged, all is the same."""

    def columns(self) -> dict[str, Tensor]:
        """What a latent's row has of it: column of the store -> [N] floats, booleans, or indices (-1: none)."""
        return {}

    def state_dict(self) -> State:
        """A copy of all tensors that make up the state."""
        return {name: tensor.clone() for name, tensor in self.tensors.items()}

    def load_state_dict(self, state: State) -> None:
        """Go on from a saved state."""
        device = next(iter(self.tensors.values())).device
        self.tensors = {name: state[name].clone().to(device) for name in self.tensors}


class Sums(Accumulator):
    """An accumulator whose whole state adds up: merging is addition, tensor by tensor."""

    def merge(self, other: Self) -> None:
        """Add tensor by tensor."""
        for name, tensor in self.tensors.items():
            tensor += other.tensors[name]


def add_at(total: Tensor, index: Tensor, values: Tensor | None = None) -> None:
    """total.flatten()[index] += values (1 where None), duplicates added up; in place."""
    if values is None:
        values = torch.ones_like(index)
    total.view(-1).index_add_(0, index, values.to(total.dtype))


def counted_tokens(batch: TokenBatch, device: torch.device) -> Counted:
    """The counted tokens of a batch, flat, made once for all SAEs where the batch is and moved once to `device`."""
    row, column = torch.nonzero(batch.mask, as_tuple=True)
    serial = context_keys(batch)[row] + column
    serials = torch.full_like(batch.ids, -1)
    serials[row, column] = serial
    token, *places = (part[row, column] for part in (batch.ids, batch.paragraph, batch.sentence, batch.begin))
    flat = torch.stack([token, row, column, batch.group[row], *places, serial])
    token, row, column, group, paragraph, sentence, begin, serial = flat.to(device)
    return Counted(token, row, column, group, paragraph, sentence, begin, serial, serials.to(device))


def context_keys(batch: TokenBatch) -> Tensor:
    """[B] int64: a name of each context, from its document and where it begins; its low twelve bits are free."""
    return (batch.document << 41) + (batch.start << 12)


def ordinary_tokens(x: Tensor, median_norm: Tensor) -> Tensor:
    """[n] bool: not a massive token, whose norm is more than 6 x the median of its layer; of x [n, D]."""
    kept: Tensor = x.norm(dim=1) <= MASSIVE * median_norm
    return kept


def places(firing: Firing, latents: Tensor, other: int) -> Tensor:
    """[f] int64: where each firing's latent stands among `latents`, none twice; `other` where it does not."""
    place = torch.full_like(firing.starts[1:], other)
    place[latents] = torch.arange(len(latents), device=latents.device)
    return place[firing.latent]


def among(firing: Firing, latents: Tensor) -> Entries:
    """The firings of some latents [m] int64, none twice."""
    place = places(firing, latents, other=-1)
    mine = torch.nonzero(place >= 0).flatten()
    return Entries(firing.token[mine], place[mine], firing.value[mine])


def dense(found: Entries, tokens: int, latents: int) -> Tensor:
    """The activations [tokens, latents]."""
    columns = torch.zeros(tokens, latents, device=found.value.device)
    columns[found.token, found.place] = found.value
    return columns


def by_latent(values: Tensor, firing: Firing, reduce: str = "sum") -> Tensor:
    """Reduce [f] values of the firings to [N], 0 where a latent did not fire; no atomics, whatever the device."""
    return torch.segment_reduce(values, reduce, offsets=firing.starts, initial=0, unsafe=True)


def summed_products(starts: Tensor, token: Tensor, values: Tensor, columns: Tensor) -> Tensor:
    """[r, m]: r rows of activations on n tokens, given as a list, times columns [n, m]; in the columns' precision.

    Args:
        starts: [r + 1] int64: where each row's entries begin, and their number.
        token, values: [f]: of each entry.
    """
    size = len(starts) - 1, len(columns)
    if len(token) * FULL > size[0] * size[1]:  # a network's own units: most of them are on
        row = torch.repeat_interleave(torch.arange(size[0], device=token.device), starts.diff(), output_size=len(token))
        whole = torch.zeros(size, dtype=columns.dtype, device=columns.device)
        whole[row, token] = values.to(columns.dtype)
        filled: Tensor = whole @ columns
        return filled
    with library_warnings("sums of products", "torch"):
        rows = torch.sparse_csr_tensor(starts, token, values.to(columns.dtype), size, check_invariants=False)
    product: Tensor = rows @ columns
    return product
