"""What the first tokens decide for one SAE: which latents get detail, which pairs, which scales.

All statistics are over all tokens, the pilot's included. What the pilot fixes: who gets detail, the
quartiles that part the levels of examples, the median norm that tells massive tokens, the unit of a
pair's signed axis, and which sparse latents a dense signal is tried to be rebuilt from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.batches import Firing
from analysis.reading.sae import LoadedSae
from analysis.statistics.base import among, by_latent, dense
from analysis.statistics.geometry import PARTNER_CUT, Partners, unit_rows
from analysis.statistics.plan import MASSIVE, PairPlan, Plan
from store.vocabulary import ASKED, CONTROL, DENSE, DETAILS, PARTNER

MARGIN = 0.7  # the pilot is short: a latent at 0.7 of the threshold may turn out dense
CONTROLS = 32
MAX_DETAIL = 512
NUMBERS = 1 << 25  # activations of the pilot in memory at once: 128 MB
KEPT = 1 << 22  # firings of the pilot that are kept: 100 MB


class Draw(NamedTuple):
    """How many of what a plan is asked to draw, besides what the text decides."""

    controls: int = CONTROLS
    random: int = 0
    pool: int = 0
    seed: int = 0
    intervals: int = 0  # of activation; 0: quarters of the firings


PLAIN = Draw()


@dataclass(frozen=True)
class Pilot:
    """All pilot tokens of one SAE; encoded piece by piece, since n x N numbers may be too many, and once if it can be.

    Args:
        x: [n, d_in].
        fire: [piece, d_in] -> the firings of N latents.
        piece: tokens encoded at once.
        target: [n, d_out]: what a transcoder is to predict; else `x` itself.
    """

    x: Tensor
    fire: Callable[[Tensor], Firing]
    piece: int = 1024
    target: Tensor | None = None
    _kept: list[Firing] = field(default_factory=list, init=False, compare=False)

    @property
    def out(self) -> Tensor:
        """[n, D]: where directions and norms are measured."""
        return self.x if self.target is None else self.target

    def totals(self) -> tuple[Tensor, Tensor]:
        """Firing tokens [N] int64 and summed |activation| [N] of every latent."""
        pieces = self._pieces()
        first = next(pieces)
        fired, mass = first.starts.diff(), by_latent(first.value.double().abs(), first)
        for piece in pieces:
            fired += piece.starts.diff()
            mass += by_latent(piece.value.double().abs(), piece)
        return fired, mass.float()

    def columns(self, latents: Tensor) -> Tensor:
        """Activations [n, len(latents)] of a few latents."""
        each, place = torch.unique(latents, return_inverse=True)
        sizes = map(len, self.x.split(self.piece))  # type: ignore[no-untyped-call]
        found = (dense(among(piece, each), n, len(each)) for n, piece in zip(sizes, self._pieces(), strict=True))
        return torch.cat(list(found))[:, place]

    def correlations(self, signals: Tensor, kept: Tensor) -> Tensor:
        """Correlation [N, s] of every latent's activation with s signals; 0 where one does not vary.

        Args:
            signals: [n, s].
            kept: [n] bool: tokens that it is over.
        """
        off = (signals - signals[kept].mean(0)) * kept[:, None]
        cross: Tensor | None = None
        total, squares = (torch.zeros((), device=off.device) for _ in range(2))
        parts = (of.split(self.piece) for of in (off, kept))  # type: ignore[no-untyped-call]
        for piece, mine, here in zip(self._pieces(), *parts, strict=True):
            added = _times(piece, mine)
            cross = added if cross is None else cross.add_(added)
            value = piece.value.double() * here[piece.token]
            total, squares = total + by_latent(value, piece), squares + by_latent(value.square(), piece)
        spread = (squares - total.square() / kept.sum().clamp(min=1)).clamp(min=0).sqrt().float()
        scale = spread[:, None] * off.norm(dim=0)
        assert cross is not None  # there is a piece, even of no tokens
        return cross.div_(scale).masked_fill_(~(scale > 0), 0.0)

    def _pieces(self) -> Iterator[Firing]:
        """Piece by piece; the first ones, as long as they are small, are encoded only once."""
        room = KEPT - sum(len(found.value) for found in self._kept)
        for number, piece in enumerate(self.x.split(self.piece)):  # type: ignore[no-untyped-call]
            if number < len(self._kept):
                yield self._kept[number]
                continue
            found = self.fire(piece)
            room -= len(found.value)
            if room >= 0:
                self._kept.append(found)
            yield found


def _times(firing: Firing, signals: Tensor) -> Tensor:
    """Summed products [N, s] of activations with signals [n, s]."""
    shape = len(firing.starts) - 1, len(signals)
    places = torch.stack([firing.latent, firing.token])
    acts = torch.sparse_coo_tensor(places, firing.value, shape, is_coalesced=True, check_invariants=False)
    return acts @ signals


def make_plan(
    sae: LoadedSae, geometry: Partners, pilot: Pilot, threshold: float, asked: Tensor, draw: Draw = PLAIN
) -> Plan:
    """Choose detail latents and pairs.

    Args:
        geometry: partners from the weights.
        pilot: the first tokens.
        threshold: density above which a latent is dense.
        asked: latents the user wants in detail, int64.
        draw: numbers of sparse controls, random directions and sparse latents for the mixture.
    """
    fired, mass = pilot.totals()
    latents, kind = _choose(fired, mass, len(pilot.x), geometry, threshold, asked, draw.controls)
    partner = near_partner(geometry)[latents]
    first, second = _unordered(latents, partner)
    acts = pilot.columns(torch.cat([latents, first, second]))
    mine, a, b = acts.split([len(latents), len(first), len(second)], dim=1)  # type: ignore[no-untyped-call]
    norms = pilot.out.norm(dim=1)
    median = norms.median()
    ordinary = norms <= MASSIVE * median
    pivot = pilot.out[ordinary].double().mean(0).float()
    return Plan(
        latents,
        kind,
        torch.where(partner >= 0, partner, latents),
        _intervals(mine[ordinary].abs(), draw.intervals) if draw.intervals else _quarters(mine.abs()),
        median,
        pivot,
        _pairs(sae, first, second, a[ordinary], b[ordinary], pivot),
        random_directions(draw, sae.decoder),
        _pool(sae, pilot, ordinary, latents[kind <= DETAILS.index(PARTNER)], fired, threshold, draw.pool),
    )


def random_directions(draw: Draw, decoder: Tensor) -> Tensor:
    """[r, D] unit vectors, uniform on the sphere; `draw.seed` alone fixes them."""
    generator = torch.Generator().manual_seed(draw.seed)
    return unit_rows(torch.randn(draw.random, decoder.shape[1], generator=generator)).to(decoder.device)


def _pool(
    sae: LoadedSae, pilot: Pilot, ordinary: Tensor, dense: Tensor, fired: Tensor, threshold: float, size: int
) -> Tensor:
    """The sparse latents that go with some dense signal most: each signal's first choice, then each one's second ..."""
    sparse = (fired > 0) & (fired <= threshold * len(pilot.x))
    sparse[dense] = False
    if not size or not len(dense) or not bool(sparse.any()):
        return dense.new_zeros(0)
    strength = pilot.correlations(pilot.out @ unit_rows(sae.decoder[dense]).T, ordinary).abs()
    strength[~sparse] = -1.0
    best = strength.topk(min(size, int(sparse.sum())), dim=0).indices.flatten()  # by rank, then by signal
    order = torch.unique(best, return_inverse=True)[1]
    first = torch.full((int(order.max()) + 1,), len(best), device=best.device)
    first.scatter_reduce_(0, order, torch.arange(len(best), device=best.device), "amin")
    return best[first.sort().values[:size]].sort().values


def near_partner(geometry: Partners) -> Tensor:
    """[N] int64: the partner where the antipodality says that there is one, else -1."""
    return torch.where(geometry.score >= PARTNER_CUT, geometry.partner, -1)


def _choose(
    fired: Tensor, mass: Tensor, tokens: int, geometry: Partners, threshold: float, asked: Tensor, controls: int
) -> tuple[Tensor, Tensor]:
    density = fired.double() / tokens
    kind = torch.full_like(geometry.partner, -1)
    kind[asked] = DETAILS.index(ASKED)
    dense = torch.nonzero(density > MARGIN * threshold).flatten()
    dense = dense[density[dense].sort(descending=True, stable=True).indices][:MAX_DETAIL]
    around = near_partner(geometry)[dense]
    around = around[around >= 0]
    kind[_controls(fired, mass, tokens, dense, around, threshold, controls)] = DETAILS.index(CONTROL)
    kind[around] = DETAILS.index(PARTNER)
    kind[dense] = DETAILS.index(DENSE)
    latents = torch.nonzero(kind >= 0).flatten()
    return latents, kind[latents]


def _controls(
    fired: Tensor, mass: Tensor, tokens: int, dense: Tensor, partners: Tensor, threshold: float, count: int
) -> Tensor:
    """Sparse latents, no partners, whose mean firing activation is nearest to a dense one's, each used once."""
    sparse = torch.nonzero((fired < tokens * threshold / 4) & (fired >= 8)).flatten()
    sparse = sparse[~torch.isin(sparse, partners)]
    if not len(sparse):
        return sparse
    level = mass / fired.clamp(min=1)
    if len(dense):  # one for each of the densest; several where more are asked for than a run takes
        wanted = level[dense[:CONTROLS]].repeat(-(-count // CONTROLS))[:count]
    else:
        wanted = level[sparse].sort().values[:: max(1, len(sparse) // max(1, count))][:count]
    distance = (level[sparse][None, :] - wanted[:, None]).abs()
    taken: list[int] = []
    for row in distance:
        row[taken] = torch.inf
        if bool(torch.isinf(row).all()):
            break
        taken.append(int(row.argmin()))
    return sparse[torch.tensor(taken, dtype=torch.int64, device=sparse.device)]


def _intervals(size: Tensor, count: int) -> Tensor:
    """[m, count - 1]: the ends within equal intervals from 0 to the largest."""
    largest = size.amax(0) if len(size) else size.new_zeros(size.shape[1])
    return largest[:, None] * torch.arange(1, count, device=size.device) / count


def _quarters(size: Tensor) -> Tensor:
    """[m, 3] quartiles over firing tokens; infinity (all in the lowest level) where nothing fired."""
    if not size.shape[1]:
        return size.new_zeros(0, 3)
    shares = torch.tensor([0.25, 0.5, 0.75], device=size.device)
    on = torch.where(size > 0, size, torch.nan)
    return on.nanquantile(shares, dim=0).T.nan_to_num(torch.inf)


def _unordered(latents: Tensor, partner: Tensor) -> tuple[Tensor, Tensor]:
    """Each latent with its partner, once: (lower, higher) index, [q] each."""
    has = partner >= 0
    both = torch.stack([torch.minimum(latents, partner), torch.maximum(latents, partner)], 1)[has]
    first, second = torch.unique(both, dim=0).T
    return first, second


def _pairs(sae: LoadedSae, first: Tensor, second: Tensor, a: Tensor, b: Tensor, pivot: Tensor) -> PairPlan:
    """Directions and scales; `a` and `b` [n, q] are the two latents' activations on ordinary pilot tokens."""
    norms = torch.stack([sae.decoder[first].norm(dim=1), sae.decoder[second].norm(dim=1)], 1)
    direction = unit_rows(unit_rows(sae.decoder[first]) - unit_rows(sae.decoder[second]))
    z = a * norms[:, 0] - b * norms[:, 1]
    spread = (z - z.mean(0)).square().mean(0).sqrt()  # std() warns where there is no pair
    return PairPlan(first, second, norms, direction, pivot, torch.where(spread > 0, spread, torch.ones_like(spread)))
