"""What every accumulator is: planned, update, merge, summarise, state. One statistic (or a family) a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor

from analysis.reading.batches import Counted, Firing, TokenBatch
from analysis.statistics.plan import MASSIVE, Setup

State = dict[str, Tensor]


@dataclass(frozen=True)
class Step:
    """All that an accumulator may see of one batch, for one SAE. n counted tokens, N latents, D d_in."""

    batch: TokenBatch
    counted: Counted
    x: Tensor  # [n, D] float32: what the SAE read; of a transcoder, what it is to predict
    acts: Tensor  # [n, N] float32
    firing: Firing
    _columns: dict[int, tuple[Tensor, Tensor]] = field(default_factory=dict, compare=False)

    def columns(self, latents: Tensor) -> Tensor:
        """`acts[:, latents]`, cut out once for all accumulators that share the very same `latents`."""
        key = latents.data_ptr()
        known = self._columns.get(key)
        if known is None or len(known[0]) != len(latents):
            known = self._columns[key] = (latents, self.acts[:, latents])  # held, so that its address stays its own
        return known[1]


class Accumulator(ABC):
    """Sums over a stream whose result does not depend on how the stream was cut.

    Every subclass in this package is found, made and updated with each run that it says it is planned for.
    The laws (held by `tests/analysis/statistics/test_laws.py` for every one): equal to a dense float64
    computation; merge is associative, with a fresh accumulator as identity; merging leaves the
    merged-in one unchanged; loading a saved state goes on as if never stopped.
    """

    tensors: State

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


def counted_tokens(batch: TokenBatch, x: Tensor, median_norm: Tensor) -> Counted:
    """The counted tokens of a batch, flat; `x` [n, D] tells the massive ones from the rest."""
    device = x.device
    mask = batch.mask.to(device)
    row, column = torch.nonzero(mask, as_tuple=True)
    return Counted(
        token=batch.ids.to(device)[mask],
        row=row,
        column=column,
        group=batch.group.to(device)[row],
        paragraph=batch.paragraph.to(device)[mask],
        sentence=batch.sentence.to(device)[mask],
        begin=batch.begin.to(device)[mask],
        serial=context_keys(batch, device)[row] + column,
        ordinary=x.norm(dim=1) <= MASSIVE * median_norm,
    )


def context_keys(batch: TokenBatch, device: torch.device) -> Tensor:
    """[B] int64: a name of each context, from its document and where it begins; its low twelve bits are free."""
    return (batch.document.to(device) << 41) + (batch.start.to(device) << 12)


def firing_list(acts: Tensor) -> Firing:
    """[n, N] -> its non-zero entries."""
    token, latent = torch.nonzero(acts, as_tuple=True)
    return Firing(token, latent, acts[token, latent])
