"""The approximate partner search against the exact one, and what it says of itself."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from analysis.statistics.approximate import BANDS, SAMPLE, approximate, recall
from analysis.statistics.geometry import named, partners, unit_rows

torch.set_num_threads(1)
N, D, PLANTED = 3000, 48, 150


def world(seed: int) -> tuple[Tensor, Tensor]:
    """Unit rows of encoder and decoder: 150 mirror images and 150 copies, nearly exact, among random directions."""
    random = torch.Generator().manual_seed(seed)
    e, d = torch.randn(2, N, D, generator=random)
    e += d
    for sign, first in ((-1.0, 0), (1.0, 2 * PLANTED)):
        mine, theirs = slice(first, first + PLANTED), slice(first + PLANTED, first + 2 * PLANTED)
        for rows in (e, d):
            rows[theirs] = sign * rows[mine] + 0.2 * torch.randn(PLANTED, D, generator=random)
    return unit_rows(e), unit_rows(d)


@pytest.mark.parametrize("seed", range(3))
def test_pairs_and_duplicates_are_found_as_by_the_exact_search(seed: int) -> None:
    e, d = world(seed)
    exact, found = partners(e, d), named(e, d, approximate(e, d))
    pairs = exact.is_pair
    assert int(pairs.sum()) == 2 * PLANTED
    assert found.is_pair[pairs].float().mean() > 0.98
    assert not found.is_pair[~pairs].any()
    assert torch.equal(found.mirror[found.is_pair], exact.mirror[found.is_pair])
    copies = exact.duplicate_of >= 0
    assert (found.duplicate_of[copies] == exact.duplicate_of[copies]).float().mean() > 0.98
    for name in ("mirror_score", "duplicate_score"):  # products of real pairs: never above the nearest one's
        assert (getattr(found, name).nan_to_num(0) <= getattr(exact, name).nan_to_num(0) + 1e-6).all()


def test_the_recall_is_that_of_the_exact_search() -> None:
    e, d = world(0)
    search = approximate(e, d)
    told, exact = recall(e, d, search), partners(e, d)
    assert told["sampled"] == SAMPLE
    rows = torch.randperm(N, generator=torch.Generator().manual_seed(0))[:SAMPLE]
    for least, hit, of in told["mirror"][: len(BANDS)]:
        there = exact.mirror_score[rows] >= least
        assert of == int(there.sum()) > 0
        assert hit == int((search.mirror.other[rows] == exact.mirror[rows])[there].sum())


def test_what_the_search_misses_is_said() -> None:
    e, d = world(1)
    search = approximate(e, d)
    search.mirror.product[:PLANTED] = 0.01  # as if half of the mirror images had not been found
    least, hit, of = recall(e, d, search)["mirror"][0]
    assert least == 0.8
    assert 0.3 < hit / of < 0.7
