"""What the first tokens decide for one SAE: which latents get detail, which pairs, which scales.

All statistics are over all tokens, the pilot's included. What the pilot fixes: who gets detail, the
quartiles that part the levels of examples, the median norm that tells massive tokens, the unit of a
pair's signed axis, and which sparse latents a dense signal is tried to be rebuilt from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from analysis.reading.sae import LoadedSae
from analysis.statistics.geometry import PARTNER_CUT, Partners, unit_rows
from analysis.statistics.plan import MASSIVE, PairPlan, Plan
from store.vocabulary import ASKED, CONTROL, DENSE, DETAILS, PARTNER

MARGIN = 0.7  # the pilot is short: a latent at 0.7 of the threshold may turn out dense
CONTROLS = 32
MAX_DETAIL = 512
NUMBERS = 1 << 25  # activations of the pilot in memory at once: 128 MB


class Draw(NamedTuple):
    """How many of what a plan is asked to draw, besides what the text decides."""

    controls: int = CONTROLS
    random: int = 0
    pool: int = 0
    seed: int = 0


PLAIN = Draw()


class Pilot(NamedTuple):
    """All pilot tokens of one SAE; encoded piece by piece, since n x N numbers may be too many."""

    x: Tensor  # [n, d_in]
    encode: Callable[[Tensor], Tensor]  # [piece, d_in] -> [piece, N]
    piece: int = 1024  # tokens encoded at once
    target: Tensor | None = None  # [n, d_out]: what a transcoder is to predict; else `x` itself

    @property
    def out(self) -> Tensor:
        """[n, D]: where directions and norms are measured."""
        return self.x if self.target is None else self.target

    def of(self, tokens: Tensor) -> Pilot:
        """Some of the tokens."""
        return self._replace(x=self.x[tokens], target=None if self.target is None else self.target[tokens])

    def totals(self) -> tuple[Tensor, Tensor]:
        """Firing tokens [N] int64 and summed |activation| [N] of every latent."""
        totals = []
        for piece in self.x.split(self.piece):  # type: ignore[no-untyped-call]
            acts = self.encode(piece)
            totals.append(((acts != 0).sum(0), acts.abs().sum(0)))
        fired, mass = zip(*totals, strict=True)
        return torch.stack(fired).sum(0), torch.stack(mass).sum(0)

    def columns(self, latents: Tensor) -> Tensor:
        """Activations [n, len(latents)] of a few latents."""
        pieces = self.x.split(self.piece)  # type: ignore[no-untyped-call]
        return torch.cat([self.encode(piece)[:, latents] for piece in pieces])

    def correlations(self, signals: Tensor) -> Tensor:
        """Correlation [N, s] of every latent's activation with s signals [n, s]; 0 where one does not vary."""
        off = signals - signals.mean(0)
        latents = self.encode(self.x[:1]).shape[1]
        cross = torch.zeros(latents, off.shape[1], device=off.device)
        total, squares = (torch.zeros(latents, dtype=torch.float64, device=off.device) for _ in range(2))
        for piece, mine in zip(self.x.split(self.piece), off.split(self.piece), strict=True):  # type: ignore[no-untyped-call]
            acts = self.encode(piece)
            cross += acts.T @ mine
            total += acts.double().sum(0)
            squares += acts.double().square().sum(0)
        spread = (squares - total.square() / max(1, len(off))).clamp(min=0).sqrt().float()
        scale = spread[:, None] * off.norm(dim=0)
        return torch.where(scale > 0, cross / scale, 0.0)


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
        _cuts(mine.abs()),
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
    known = pilot.of(ordinary)
    strength = known.correlations(known.out @ unit_rows(sae.decoder[dense]).T).abs()
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


def _cuts(size: Tensor) -> Tensor:
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
