"""What is taken out: each latent, each pair, the dense set, and the controls each is held against.

A variant is the time course of some latents put along some directions. The subject itself goes along its own
decoder rows. Its controls keep the time course, and so density and length at every token, and change only the
direction: a random one, or a sparse latent's. The dense set's controls are the same set turned at random, and
sets of sparse latents that hold as much variance.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.subject import Stored
from analysis.statistics.geometry import unit_rows
from store.vocabulary import OWN, RANDOM, SPARSE, VARIANCE


class Variant(NamedTuple):
    """One ablation: the change at a token is - sum over j of (a_j - mean of a_j) * directions[j]."""

    subject: str  # latent, pair, set
    what: str
    index: int | None  # type: ignore[assignment]  # hides tuple.index, which is not used here
    other: int | None
    latents: list[int]  # whose time courses
    directions: Tensor  # [r, D]


class Totals(NamedTuple):
    """Sums of activations, float64; the ordinary ones are without massive tokens, which would rule every square."""

    sum: Tensor  # [N], all counted tokens
    tokens: int
    ordinary_sum: Tensor  # [N]
    ordinary_squares: Tensor  # [N]
    joint: Tensor  # [dense, dense]: products of the dense latents' activations, ordinary tokens
    ordinary: int

    @property
    def mean(self) -> Tensor:
        """[N]: what an ablated activation is held at."""
        return self.sum / max(1, self.tokens)

    def variance(self, decoder: Tensor) -> Tensor:
        """[N]: mean squared length of what ablating each latent takes out."""
        off = self.ordinary_squares - 2 * self.mean * self.ordinary_sum + self.ordinary * self.mean.square()
        return off / max(1, self.ordinary) * decoder.double().square().sum(1)

    def variance_of_set(self, decoder: Tensor, latents: list[int]) -> float:
        """The same of all dense latents at once, in the order of `joint`: mirror images take out more than each."""
        mean, total = self.mean[latents], self.ordinary_sum[latents]
        cross = torch.outer(mean, total)
        off = self.joint - cross - cross.T + self.ordinary * torch.outer(mean, mean)
        rows = decoder[latents].double()
        return float((off * (rows @ rows.T)).sum()) / max(1, self.ordinary)


class Wanted(NamedTuple):
    """How many controls."""

    controls: int  # random directions, and sparse ones, for each dense latent and pair
    sets: int  # of each kind for the dense set
    seed: int


def variants(stored: Stored, decoder: Tensor, totals: Totals, wanted: Wanted) -> list[Variant]:
    """All ablations of an analysed SAE, in a fixed order.

    Args:
        decoder: [N, D] float32.
        totals: from the text the ablations are measured on.

    Raises:
        UserError: the SAE has no dense latent.
    """
    if not stored.dense:
        raise UserError(f"--sae {stored.slug}: expected dense latents; its run found none above its threshold")
    draw = _Draw(decoder, stored.controls, wanted.seed)
    made = [_latent(decoder, index) for index in sorted(stored.densities)]
    made += [_pair(decoder, *pair) for pair in stored.pairs]
    matched = [each for each in made if each.subject == "pair" or each.index in set(stored.dense)]
    for each in matched:
        made += [draw.random(each) for _ in range(wanted.controls)]
        made += [draw.sparse(each) for _ in range(wanted.controls if stored.controls else 0)]
    return made + _sets(stored, decoder, totals, draw, wanted)


def _latent(decoder: Tensor, index: int) -> Variant:
    return Variant("latent", OWN, index, None, [index], decoder[[index]])


def _pair(decoder: Tensor, positive: int, negative: int) -> Variant:
    return Variant("pair", OWN, positive, negative, [positive, negative], decoder[[positive, negative]])


def _sets(stored: Stored, decoder: Tensor, totals: Totals, draw: _Draw, wanted: Wanted) -> list[Variant]:
    whole = Variant("set", OWN, None, None, stored.dense, decoder[stored.dense])
    made = [whole] + [draw.random(whole) for _ in range(wanted.sets)]
    sparse = totals.sum != 0
    sparse[[index for index in stored.densities if index not in set(stored.controls)]] = False
    enough = totals.variance_of_set(decoder, stored.dense)
    for _ in range(wanted.sets):
        chosen = draw.as_much(totals.variance(decoder), sparse, enough)
        if chosen and all(chosen != each.latents for each in made):  # all there are, if they do not reach
            made.append(Variant("set", VARIANCE, None, None, chosen, decoder[chosen]))
    return made


class _Draw:
    """All that chance decides, in one order."""

    def __init__(self, decoder: Tensor, controls: list[int], seed: int) -> None:
        self.decoder, self.controls = decoder, controls
        self.generator = torch.Generator().manual_seed(seed)

    def random(self, like: Variant) -> Variant:
        """The same, its directions turned as one rigid body."""
        return like._replace(what=RANDOM, directions=turned(like.directions, self.generator))

    def sparse(self, like: Variant) -> Variant:
        """The same along one sparse latent's direction; the negative pole of a pair against it."""
        place = int(torch.randint(len(self.controls), (1,), generator=self.generator))
        direction = unit_rows(self.decoder[[self.controls[place]]])
        lengths = like.directions.norm(dim=1, keepdim=True)
        signs = torch.ones_like(lengths)
        signs[1:] = -1
        return like._replace(what=SPARSE, directions=signs * lengths * direction)

    def as_much(self, variance: Tensor, allowed: Tensor, enough: float) -> list[int]:
        """Sparse latents in a random order until they hold `enough` variance, or all there are."""
        order = torch.randperm(len(variance), generator=self.generator)
        order = order[allowed[order]]
        held = variance[order].cumsum(0)
        count = min(len(order), int((held < enough).sum()) + 1)
        return sorted(order[:count].tolist())


def turned(directions: Tensor, generator: torch.Generator) -> Tensor:
    """[r, D] with all lengths and angles between rows kept, in a random subspace."""
    basis, corner = torch.linalg.qr(directions.T.double().cpu())  # directions = (basis corner)^T
    random = torch.randn(basis.shape, generator=generator, dtype=torch.float64)
    fresh = torch.linalg.qr(random).Q
    made: Tensor = (fresh @ corner).T.to(directions)
    return made
