"""Null-space: the decoder direction lies where the unembedding hardly looks, so it moves no token's logit directly."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.classes.base import Evidence, Finding, beats, declared, rounded, unmeasured
from store.vocabulary import NO, YES

SWEEP = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
DRAWN = 1000  # random directions: free here, since no text is involved
_BLOCK = 8192  # vocabulary columns at once

ORDER = 30
THRESHOLDS = {
    "null_alpha": 0.2,  # share of a decoder direction's length in the quietest directions (reported, for d = 2304)
    "null_chance": 3.0,  # times what a random direction has there by chance; the larger of both holds
    "null_directions": 10,  # how many of the quietest directions
    "null_sparse": 0.005,  # share of the SAE's sparse latents that reach as much: in some layers all directions do
}
STATISTIC = declared(
    "null_space", "Null space",
    "α: share of the length of the latent's decoder direction that lies in the 10 directions of the residual stream"
    " to which the unembedding, the final norm's gain folded in, is least sensitive (its smallest singular values,"
    " uncentred; for LayerNorm models without the all-ones direction, which the norm removes). Label: α of at least"
    " 0.2 and of at least three times chance, √(10/d), above the chance level of 1,000 random directions, and above"
    " 99.5 % of the SAE's own latents that are not dense and fire on 0.1 % of tokens at least: in some layers every"
    " direction lies there. Whether such a latent regulates entropy is another question, which takes an ablation.",
    "R", "α > 0.2 at d = 2304: reported about Sun et al. 2025; the cut for other widths, chance and sweep: our own",
)  # fmt: skip


def sensitive_directions(unembedding: Tensor, layer_norm: bool) -> Tensor:
    """Left singular vectors of W_U by falling singular value.

    Args:
        unembedding: [D, vocab] float32.
        layer_norm: the final norm subtracts the mean, so the all-ones direction reaches no logit and is left out.

    Returns:
        [D, D] float64 columns, [D, D - 1] where it is left out.
    """
    gram = torch.zeros(len(unembedding), len(unembedding), dtype=torch.float64, device=unembedding.device)
    for block in unembedding.split(_BLOCK, dim=1):  # type: ignore[no-untyped-call]
        wide = block.double()
        gram += wide @ wide.T
    if layer_norm:
        gram += torch.ones_like(gram) * (2 * torch.trace(gram) / len(gram))  # to the front, to be cut off
    vectors: Tensor = torch.linalg.eigh(gram).eigenvectors.flip(1)
    return vectors[:, 1:] if layer_norm else vectors


class Share(NamedTuple):
    """Share of each direction's length in the k quietest directions, by k of `sweep`."""

    sweep: list[int]
    alpha: Tensor  # [m, k] float64
    random: Tensor  # [DRAWN, k] float64
    sparse: Tensor  # [c, k] float64, of sparse latents; one row of NaN where there are none


def judge(evidence: Evidence) -> list[Finding]:
    """One finding for each latent."""
    thresholds, width = evidence.thresholds, evidence.lens.quiet.shape[1]
    directions = int(thresholds["null_directions"])
    cut = max(thresholds["null_alpha"], thresholds["null_chance"] * (directions / width) ** 0.5)
    if cut >= 1 or directions >= width:
        return unmeasured({"code": "narrow", "width": width, "directions": directions}, evidence.count)
    share = shares(evidence)
    at = share.sweep.index(directions)
    chance = evidence.level(share.random[:, at])
    beyond = int(thresholds["null_sparse"] * len(share.sparse))  # so many may exceed it: none of fewer than 200
    sparse = share.sparse.sort(dim=0, descending=True).values[beyond]  # NaN where there are none
    band = torch.quantile(share.random, torch.tensor([0.05, 0.95], dtype=torch.float64), dim=0)
    common = {
        "k": share.sweep, "chance_low": rounded(band[0]), "chance_high": rounded(band[1]), "at": share.sweep[at],
        "sparse": rounded(sparse), "sparse_share": thresholds["null_sparse"],
    }  # fmt: skip
    return [_finding(row, at, cut, chance, float(sparse[at]), common) for row in share.alpha]


def shares(evidence: Evidence) -> Share:
    """Of the detail latents, of random directions and of the SAE's sparse latents."""
    quiet = evidence.lens.quiet
    wanted = {*SWEEP, int(evidence.thresholds["null_directions"])}
    sweep = sorted(k for k in wanted if k < quiet.shape[1])
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(DRAWN, len(quiet), generator=generator, dtype=torch.float64).to(quiet.device)
    directions = evidence.signals.directions[: evidence.count].double()
    sparse = evidence.sparse.double().to(quiet.device)
    few = alphas(sparse, quiet, sweep) if len(sparse) else torch.full((1, len(sweep)), torch.nan, dtype=torch.float64)
    return Share(sweep, alphas(directions, quiet, sweep), alphas(random, quiet, sweep), few)


def alphas(directions: Tensor, quiet: Tensor, sweep: list[int]) -> Tensor:
    """[m, k] float64: share of each direction's length (within the span of `quiet`) in the last k columns."""
    squares = (directions @ quiet).square()
    tail = squares.flip(1).cumsum(1)
    whole = tail[:, -1:].clamp(min=1e-300)
    return (tail[:, [k - 1 for k in sweep]] / whole).sqrt()


def _finding(row: Tensor, at: int, cut: float, chance: float, sparse: float, common: dict[str, Any]) -> Finding:
    alpha = float(row[at])
    quiet = beats(alpha, cut, chance)
    holds = quiet and not alpha <= sparse
    typical = (common["chance_low"][at] + common["chance_high"][at]) / 2
    code = "quiet" if holds else "common" if quiet else "read"
    statement = {"code": code, "alpha": rounded(alpha), "typical": rounded(typical)}
    if code == "common":
        statement |= {"sparse": rounded(sparse), "share": common["sparse_share"]}
    data = common | {"alpha": rounded(row)}
    return Finding(YES if holds else NO, statement, score=alpha, cut=cut, chance=chance, control=sparse, data=data)
