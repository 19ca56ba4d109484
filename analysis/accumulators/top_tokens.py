"""Which token types a latent fires on: sums per (latent, token type), exact while they fit.

A full table would be latents x vocabulary. Kept instead is a sorted sparse table of what occurred,
pruned to the heaviest `capacity` types of a latent when it outgrows its room. Until the first
pruning all numbers are exact; after it, a latent's `error` bounds the mass that any missing type
may have. Latents with detail are never pruned.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.accumulators.base import Accumulator, Statistic, Step, add_at

SUPPORT = 5  # a token type must occur so often to be ranked by its mean
CAPACITY = 256

STATISTICS = (
    Statistic("top_tokens", "Top tokens by mean activation", "activation", "tokens", "latent",
              f"Token types with the highest mean activation over all their occurrences, those where the latent is"
              f" off included; only types that occur at least {SUPPORT} times in the analysed text.", "O", "our own"),
    Statistic("top_tokens_mass", "Top tokens by share of firing mass", "share", "tokens", "latent",
              "Token types that hold the largest share of the latent's summed |activation|; frequent words lead here.",
              "O", "our own"),
)  # fmt: skip


class TopTokens(NamedTuple):
    """The best k types of each latent, [N, k] each; `token` -1 where there are fewer."""

    token: Tensor  # int64
    mean: Tensor  # float64: sum of activations over all occurrences of the type
    share: Tensor  # float64: of the latent's summed |activation|
    firing: Tensor  # int64: occurrences on which it fired
    count: Tensor  # type: ignore[assignment]  # int64: occurrences


class TopTokensSummary(NamedTuple):
    """Both rankings, the bound for missing types as a share of mass [N], and how many types occurred."""

    by_mean: TopTokens
    by_mass: TopTokens
    error: Tensor
    types: int


class TokenTable(Accumulator):
    """Sorted keys latent * vocab + token with sum, |sum| and count; see the module.

    Args:
        latents, vocab: sizes.
        exact: latents that are never pruned, int64.
        capacity: types kept of each other latent once pruning starts.
        k: how many are reported.
    """

    def __init__(
        self,
        latents: int,
        vocab: int,
        exact: Tensor | None = None,
        capacity: int = CAPACITY,
        k: int = 20,
        device: torch.device | str = "cpu",
    ) -> None:
        self.latents, self.vocab, self.capacity, self.k = latents, vocab, capacity, k
        self.exact = torch.zeros(latents, dtype=torch.bool, device=device)
        if exact is not None:
            self.exact[exact.to(device)] = True
        self.tensors = _empty(device) | {
            "occurrences": torch.zeros(vocab, dtype=torch.int64, device=device),
            "error": torch.zeros(latents, dtype=torch.float64, device=device),
            "mass": torch.zeros(latents, dtype=torch.float64, device=device),
        }
        self._pending: list[tuple[Tensor, ...]] = []
        self._waiting = 0

    def update(self, step: Step) -> None:
        """Add this batch's firings; they are folded into the table once enough wait."""
        token, latent, value = step.firing
        value = value.double()
        add_at(self.tensors["occurrences"], step.counted.token)
        add_at(self.tensors["mass"], latent, value.abs())
        key = latent * self.vocab + step.counted.token[token]
        rows = _by_key(key, value, value.abs(), torch.ones_like(value))
        self._pending.append(rows)
        self._waiting += len(rows[0])
        if self._waiting > max(500_000, len(self.tensors["key"]) // 2):
            self._settle()

    def merge(self, other: Self) -> None:
        """Add the other's rows and bounds."""
        self._pending.append(other._rows())
        for name in ("occurrences", "error", "mass"):
            self.tensors[name] = self.tensors[name] + other.tensors[name]
        self._settle()

    def state_dict(self) -> dict[str, Tensor]:
        """What waits is saved as it waits: settling here would move the later prunings, and a resumed
        table would no longer equal one that never stopped."""
        waiting = zip(*self._pending, strict=True) if self._pending else ([] for _ in _ROWS)
        kept = {f"waiting_{name}": _joined(name, parts) for name, parts in zip(_ROWS, waiting, strict=True)}
        return super().state_dict() | kept

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        device = self.tensors["key"].device
        rows = tuple(state[f"waiting_{name}"].clone().to(device) for name in _ROWS)
        self._waiting = len(rows[0])
        self._pending = [rows] if self._waiting else []

    def summarise(self) -> TopTokensSummary:
        """The k best types of every latent, by mean and by mass."""
        self._settle()
        t = self.tensors
        latent, token = t["key"] // self.vocab, t["key"] % self.vocab
        count = t["occurrences"][token]
        mean = t["sum"] / count.clamp(min=1)
        ranked = torch.where(count >= SUPPORT, mean.abs(), torch.nan)
        error = t["error"] / torch.where(t["mass"] > 0, t["mass"], torch.nan)
        return TopTokensSummary(
            self._best(latent, token, ranked), self._best(latent, token, t["abs"]), error.nan_to_num(0.0),
            int((t["occurrences"] > 0).sum()),
        )  # fmt: skip

    def _best(self, latent: Tensor, token: Tensor, score: Tensor) -> TopTokens:
        t = self.tensors
        rows = torch.nonzero(~score.isnan()).flatten()
        order = rows[_ranked(latent[rows], score[rows])]
        rank = _rank_within(latent[order], self.latents)
        order, rank = order[rank < self.k], rank[rank < self.k]
        place = latent[order] * self.k + rank

        def table(values: Tensor, fill: float) -> Tensor:
            out = torch.full((self.latents * self.k,), fill, dtype=values.dtype, device=values.device)
            out[place] = values[order]
            return out.view(self.latents, self.k)

        count = t["occurrences"][token]
        return TopTokens(
            table(token, -1),
            table(t["sum"] / count.clamp(min=1), 0.0),
            table(t["abs"] / t["mass"][latent].clamp(min=1e-300), 0.0),
            table(t["count"].long(), 0),
            table(count, 0),
        )

    def _rows(self) -> tuple[Tensor, ...]:
        """All rows, settled and waiting, added up; copies."""
        columns = zip(*[tuple(self.tensors[name] for name in _ROWS), *self._pending], strict=True)
        return _by_key(*[torch.cat(column) for column in columns])

    def _settle(self) -> None:
        if not self._pending:
            return
        rows = self._rows()
        self.tensors |= dict(zip(_ROWS, rows, strict=True))
        self._pending, self._waiting = [], 0
        if len(rows[0]) > 2 * self.capacity * self.latents:
            self._prune()

    def _prune(self) -> None:
        t = self.tensors
        latent = t["key"] // self.vocab
        order = _ranked(latent, t["abs"])
        rank = _rank_within(latent[order], self.latents)
        keep = (rank < self.capacity) | self.exact[latent[order]]
        dropped = order[~keep]
        worst = torch.zeros_like(t["error"])
        worst.scatter_reduce_(0, latent[dropped], t["abs"][dropped], "amax")
        t["error"] = t["error"] + worst
        kept = order[keep].sort().values
        for name in _ROWS:
            t[name] = t[name][kept]


_ROWS = ("key", "sum", "abs", "count")


def _joined(name: str, parts: Iterable[Tensor]) -> Tensor:
    found = list(parts)
    return torch.cat(found) if found else torch.zeros(0, dtype=torch.int64 if name == "key" else torch.float64)


def _empty(device: torch.device | str) -> dict[str, Tensor]:
    floats = {name: torch.zeros(0, dtype=torch.float64, device=device) for name in _ROWS[1:]}
    return {"key": torch.zeros(0, dtype=torch.int64, device=device)} | floats


def _by_key(key: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    """Sum the values of equal keys; keys come back sorted."""
    key, order = key.sort(stable=True)
    unique, inverse = torch.unique_consecutive(key, return_inverse=True)
    summed = []
    for value in values:
        total = torch.zeros(len(unique), dtype=torch.float64, device=key.device)
        total.index_add_(0, inverse, value[order])
        summed.append(total)
    return unique, *summed


def _ranked(latent: Tensor, score: Tensor) -> Tensor:
    """An order by latent, within it by falling score; ties keep their (token) order."""
    order = score.sort(descending=True, stable=True).indices
    return order[latent[order].sort(stable=True).indices]


def _rank_within(latent: Tensor, latents: int) -> Tensor:
    """For latents in sorted order: 0, 1, 2 ... within each."""
    sizes = torch.bincount(latent, minlength=latents)
    starts = sizes.cumsum(0) - sizes
    return torch.arange(len(latent), device=latent.device) - starts[latent]
