"""Nearest copies and mirror images of SAEs too wide to compare all pairs: candidates from an index of the decoder.

The index (faiss, inverted lists) gives each latent those whose decoder directions point its way, and
the other way; their products are then exact. What it misses is measured on a sample of the same SAE.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.statistics.partner_search import Nearest, Side

SAMPLE = 1024  # latents whose exact neighbours the recall is measured with
BANDS = (0.8, 0.2)  # of the product: what is called a pair or a duplicate, and what displaces a copy
_CANDIDATES = 16
_PROBED = 1 / 32  # share of the lists that a query looks into
_PROBED_AT_LEAST = 8
_TRAINED_WITH = 64  # directions for each list
_ROUNDS = 10
_BLOCK = 4096


def check_installed() -> None:
    """Refuse to look for what is not there.

    Raises:
        UserError: no faiss.
    """
    if importlib.util.find_spec("faiss") is None:
        raise UserError("--approximate-partners: expected the extra `wide` (faiss); install dense-latents[wide]")


def approximate(e: Tensor, d: Tensor, seed: int = 0, step: Callable[[int], None] | None = None) -> Nearest:
    """The nearest on each side among candidates by decoder cosine.

    Args:
        e, d: [N, D] float32 unit rows of encoder and decoder.
        seed: of the index; the same seed finds the same with as many threads.
        step: told the number of latents after every block.
    """
    n = len(d)
    index = _index(d, seed)
    found = Nearest.empty(n, d.device)
    for start in range(0, n, _BLOCK):
        rows = torch.arange(start, min(start + _BLOCK, n), device=d.device)
        for side, sign in ((found.same, 1.0), (found.mirror, -1.0)):
            _rescore(e, d, rows, _candidates(index, sign * d[rows]), sign, side)
        if step is not None:
            step(len(rows))
    found.done = n
    return found


def recall(e: Tensor, d: Tensor, found: Nearest, seed: int = 0) -> dict[str, Any]:
    """How often an exact search of a sample agrees: by side and product, found of how many.

    Returns:
        `sampled`, and `same` and `mirror`: a list of [least product, found, of], the last for any product above zero.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(d), generator=generator)[:SAMPLE].to(d.device)
    exact = Nearest.empty(len(d), d.device)
    for some in rows.split(64):  # type: ignore[no-untyped-call]
        cos_enc, cos_dec = e[some] @ e.T, d[some] @ d.T
        product = (cos_enc * cos_dec).scatter_(1, some[:, None], 0.0)
        exact.same.take(product.where(cos_enc > 0, 0), some, 0)
        exact.mirror.take(product.where(cos_enc < 0, 0), some, 0)
    counts = {name: _agree(getattr(found, name), getattr(exact, name), rows) for name in ("same", "mirror")}
    return {"sampled": len(rows)} | counts


def _agree(found: Side, exact: Side, rows: Tensor) -> list[list[float]]:
    true, mine = exact.product[rows], found.product[rows]
    hit = (true - mine) < 1e-5
    asked = [(least, true >= least) for least in BANDS] + [(0.0, true > 0)]
    return [[least, int((hit & there).sum()), int(there.sum())] for least, there in asked]


def _index(d: Tensor, seed: int) -> Any:
    import faiss

    n, width = d.shape
    lists = max(1, min(n // _TRAINED_WITH, round(4 * n**0.5)))
    faiss.omp_set_num_threads(torch.get_num_threads())
    index: Any = faiss.index_factory(width, f"IVF{lists},SQfp16", faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter = 1 + seed, _ROUNDS
    index.cp.max_points_per_centroid = _TRAINED_WITH
    index.nprobe = min(lists, max(_PROBED_AT_LEAST, round(lists * _PROBED)))
    rows = d.cpu().numpy()
    index.train(rows)
    index.add(rows)
    return index


def _candidates(index: Any, queries: Tensor) -> Tensor:
    """[b, c] int64, -1 where there are fewer."""
    _scores, found = index.search(queries.cpu().numpy(), _CANDIDATES + 1)  # one is the latent itself
    return torch.from_numpy(found).to(queries.device)


def _rescore(e: Tensor, d: Tensor, rows: Tensor, candidates: Tensor, sign: float, side: Side) -> None:
    there = candidates.clamp(min=0)
    real = (candidates >= 0) & (candidates != rows[:, None])
    cosines = [torch.einsum("bd,bcd->bc", x[rows], x[there]) * sign for x in (e, d)]
    product = torch.where(real & (cosines[0] > 0) & (cosines[1] > 0), cosines[0] * cosines[1], 0.0)
    best = product.max(1)
    side.product[rows] = best.values
    side.other[rows] = torch.where(best.values > 0, there.gather(1, best.indices[:, None])[:, 0], -1)
