"""Which token types a latent fires on: sums per (latent, token type), exact while they fit.

A full table would be latents x vocabulary. Dense latents and their partners get exact sums over all types that
occur (`TokenMatrix`). For all others a sorted sparse table of what occurred is kept, pruned to the
heaviest `capacity` types of a latent when it outgrows its room: until the first pruning its numbers
are exact; after it, a latent's `error` bounds the mass that any missing type may have.
"""

from __future__ import annotations

from typing import NamedTuple, Self

import torch
from torch import Tensor

from analysis.statistics.base import Accumulator, Step, add_at, by_latent
from analysis.statistics.declaration import Statistic
from analysis.statistics.plan import Setup
from analysis.statistics.token_matrix import TokenMatrix
from store.vocabulary import CONTROL, DETAILS

SUPPORT = 5  # a token type must occur so often to be ranked by its mean
CAPACITY = 64
_ROOM = 1.5  # rows over capacity x latents at which the table is pruned
_WAITING = 400_000  # firings that wait, at least, before they are folded in: 5 MB, and sorting them is seldom

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
        signed: whether activations can be negative.
    """

    def __init__(
        self,
        latents: int,
        vocab: int,
        exact: Tensor | None = None,
        capacity: int = CAPACITY,
        k: int = 20,
        signed: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        self.latents, self.vocab, self.capacity, self.k = latents, vocab, capacity, k
        exact = torch.zeros(0, dtype=torch.int64) if exact is None else exact
        self.matrix = TokenMatrix(exact, vocab, signed, device)
        self.place = torch.full((latents,), -1, dtype=torch.int64, device=device)  # in the matrix; -1: in the table
        self.place[self.matrix.latents] = torch.arange(len(exact), device=device)
        self.tensors = _empty(device) | {
            "occurrences": torch.zeros(vocab, dtype=torch.int64, device=device),
            "error": torch.zeros(latents, dtype=torch.float64, device=device),
            "mass": torch.zeros(latents, dtype=torch.float64, device=device),
        }
        self._pending: list[tuple[Tensor, Tensor]] = []
        self._waiting = 0

    @classmethod
    def planned(cls, setup: Setup) -> dict[str, Self]:
        """Of all latents, exact where there is detail; none where what is read is no text."""
        plan, sae = setup.plan, setup.sae
        if not setup.settings.vocab:
            return {}
        exact = plan.latents[plan.kind != DETAILS.index(CONTROL)]  # controls are sparse: the pruned table is enough
        device = plan.pivot.device
        return {"tokens": cls(sae.n_latents, setup.settings.vocab, exact, signed=sae.signed, device=device)}

    def update(self, step: Step) -> None:
        """Note this batch's firings; they are folded into the table once enough wait."""
        firing, token = step.firing, step.counted.token
        add_at(self.tensors["occurrences"], token)
        self.tensors["mass"] += by_latent(firing.value.abs().double(), firing)
        self._wait([(firing.latent * self.vocab + token[firing.token], firing.value)])

    def merge(self, other: Self) -> None:
        """Add the other's rows and bounds."""
        self.matrix.merge(other.matrix)
        for name in ("occurrences", "error", "mass"):
            self.tensors[name] = self.tensors[name] + other.tensors[name]
        if len(other.tensors["key"]):
            rows = _by_key(*(torch.cat([self.tensors[name], other.tensors[name]]) for name in _ROWS))
            self.tensors |= dict(zip(_ROWS, rows, strict=True))
        self._wait(other._pending)

    def state_dict(self) -> dict[str, Tensor]:
        """What waits is saved as it waits: settling here would move the later prunings, and a resumed
        table would no longer equal one that never stopped."""
        kept = {f"waiting_{name}": part.clone() for name, part in zip(_NOTED, self._noted(), strict=True)}
        matrix = {f"matrix_{name}": tensor for name, tensor in self.matrix.state_dict().items()}
        return super().state_dict() | kept | matrix

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state."""
        super().load_state_dict(state)
        device = self.tensors["key"].device
        key, value = (state[f"waiting_{name}"].clone().to(device) for name in _NOTED)
        self._waiting = len(key)
        self._pending = [(key, value)] if self._waiting else []
        prefix = "matrix_"
        self.matrix.load_state_dict({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})

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
            self._with_exact(self._best(latent, token, ranked), by_mean=True),
            self._with_exact(self._best(latent, token, t["abs"]), by_mean=False),
            error.nan_to_num(0.0),
            int((t["occurrences"] > 0).sum()),
        )

    def _with_exact(self, found: TopTokens, by_mean: bool) -> TopTokens:
        """The same with the exact latents' rows put in."""
        t, latents = self.tensors, self.matrix.latents
        ids, total, size, firing = self.matrix.used()
        count = t["occurrences"][ids]
        mean = total / count
        score = torch.where(count >= SUPPORT, mean.abs(), -1.0) if by_mean else size
        score = torch.where(firing > 0, score, -1.0)
        order = score.sort(dim=1, descending=True, stable=True).indices[:, : self.k]
        real = score.gather(1, order) >= 0
        share = size / t["mass"][latents].clamp(min=1e-300)[:, None]
        columns = (ids.expand_as(score), mean, share, firing, count.expand_as(score))
        for target, values, fill in zip(found, columns, (-1, 0.0, 0.0, 0, 0), strict=True):
            target[latents, : order.shape[1]] = torch.where(real, values.gather(1, order), fill).to(target.dtype)
        return found

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

    def _wait(self, noted: list[tuple[Tensor, Tensor]]) -> None:
        self._pending += noted
        self._waiting += sum(len(key) for key, _value in noted)
        if self._waiting > max(_WAITING, len(self.tensors["key"])):
            self._settle()

    def _noted(self) -> tuple[Tensor, Tensor]:
        """What waits, as one list of keys and of values."""
        device = self.tensors["key"].device
        keys, values = zip(*self._pending, strict=True) if self._pending else ((), ())
        none = torch.zeros(0, dtype=torch.int64, device=device), torch.zeros(0, device=device)
        return torch.cat([none[0], *keys]), torch.cat([none[1], *values])

    def _settle(self) -> None:
        if self._pending:
            rows = self._rows(*self._noted())
            exact = self.place[rows[0] // self.vocab] >= 0
            self._add_exact(*(row[exact] for row in rows))
            both = zip((self.tensors[name] for name in _ROWS), (row[~exact] for row in rows), strict=True)
            self.tensors |= dict(zip(_ROWS, _by_key(*map(torch.cat, both)), strict=True))
        self._pending, self._waiting = [], 0
        if len(self.tensors["key"]) > _ROOM * self.capacity * self.latents:
            self._prune()

    def _rows(self, key: Tensor, value: Tensor) -> tuple[Tensor, ...]:
        """Firings as rows of the table, by key."""
        key, order = key.sort(stable=True)
        value = value[order].double()
        unique, sizes = torch.unique_consecutive(key, return_counts=True)
        total = _by_segment(value, sizes)
        return unique, total, _by_segment(value.abs(), sizes) if self.matrix.signed else total, sizes.double()

    def _add_exact(self, key: Tensor, total: Tensor, size: Tensor, count: Tensor) -> None:
        self.matrix.update(key % self.vocab, self.place[key // self.vocab], total, size, count)

    def _prune(self) -> None:
        t = self.tensors
        latent = t["key"] // self.vocab
        order = _ranked(latent, t["abs"])
        rank = _rank_within(latent[order], self.latents)
        keep = rank < self.capacity
        dropped = order[~keep]
        worst = torch.zeros_like(t["error"])
        worst.scatter_reduce_(0, latent[dropped], t["abs"][dropped], "amax")
        t["error"] = t["error"] + worst
        kept = order[keep].sort().values
        for name in _ROWS:
            t[name] = t[name][kept]


_ROWS = ("key", "sum", "abs", "count")
_NOTED = ("key", "value")  # of what waits, in float32: a row a firing


def _empty(device: torch.device | str) -> dict[str, Tensor]:
    floats = {name: torch.zeros(0, dtype=torch.float64, device=device) for name in _ROWS[1:]}
    return {"key": torch.zeros(0, dtype=torch.int64, device=device)} | floats


def _by_key(key: Tensor, *values: Tensor) -> tuple[Tensor, ...]:
    """Sum the values of equal keys; keys come back sorted."""
    key, order = key.sort(stable=True)
    unique, sizes = torch.unique_consecutive(key, return_counts=True)
    return unique, *(_by_segment(value[order], sizes) for value in values)


def _by_segment(values: Tensor, sizes: Tensor) -> Tensor:
    """Sums of stretches of so many values; an index_add_ would add in any order on a GPU."""
    starts = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    return torch.segment_reduce(values, "sum", offsets=starts, unsafe=True)


def _ranked(latent: Tensor, score: Tensor) -> Tensor:
    """An order by latent, within it by falling score; ties keep their (token) order."""
    order = score.sort(descending=True, stable=True).indices
    return order[latent[order].sort(stable=True).indices]


def _rank_within(latent: Tensor, latents: int) -> Tensor:
    """For latents in sorted order: 0, 1, 2 ... within each."""
    sizes = torch.bincount(latent, minlength=latents)
    starts = sizes.cumsum(0) - sizes
    return torch.arange(len(latent), device=latent.device) - starts[latent]
