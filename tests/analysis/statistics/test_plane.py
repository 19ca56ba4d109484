"""The plane of directions: planted axes, mirror images, the same every time."""

from __future__ import annotations

import pytest
import torch

from analysis.run.rows.map import map_summary
from analysis.statistics.plane import plane


def planted(rows: int, width: int) -> torch.Tensor:
    """Directions near two planted axes, each with its mirror image, of many lengths."""
    draw = torch.Generator().manual_seed(5)
    near = torch.zeros(rows // 2, width)
    near[:, 3], near[:, 7] = torch.randn(rows // 2, generator=draw) * 3, torch.randn(rows // 2, generator=draw)
    near += 0.05 * torch.randn(near.shape, generator=draw)
    lengths = 0.1 + torch.rand(rows, 1, generator=draw) * 5
    return torch.cat([near, -near]) * lengths


@pytest.mark.parametrize(("rows", "width"), [(20, 64), (200, 16)])
def test_the_plane_is_that_of_the_planted_axes(rows: int, width: int) -> None:
    found = plane(planted(rows, width))
    assert found.share is not None
    assert found.share > 0.9
    assert torch.allclose(found.axes.T @ found.axes, torch.eye(2).double(), atol=1e-9)
    assert torch.allclose(found.axes[[3, 7]], torch.eye(2).double(), atol=0.25)


@pytest.mark.parametrize(("rows", "width"), [(20, 64), (200, 16)])
def test_mirror_images_are_opposite_and_lengths_do_not_matter(rows: int, width: int) -> None:
    directions = planted(rows, width)
    found = plane(directions)
    places = found.places(directions)
    assert torch.allclose(places[: rows // 2], -places[rows // 2 :], atol=1e-9)
    assert places.norm(dim=1).max() <= 1 + 1e-9


def test_it_equals_a_singular_value_decomposition_and_is_the_same_again() -> None:
    directions = torch.randn(30, 50, generator=torch.Generator().manual_seed(1))
    found, again = plane(directions), plane(directions.clone())
    assert torch.equal(found.axes, again.axes)
    values = torch.linalg.svdvals(torch.nn.functional.normalize(directions.double())) ** 2
    assert found.share == pytest.approx(float(values[:2].sum() / values.sum()))
    assert (found.axes.gather(0, found.axes.abs().argmax(0, keepdim=True)) > 0).all()


def test_few_directions_lie_on_a_line_or_nowhere() -> None:
    one = plane(torch.tensor([[0.0, 2.0, 0.0]]))
    assert one.share == pytest.approx(1)
    assert one.axes.tolist() == [[0, 0], [1, 0], [0, 0]]
    assert plane(torch.zeros(3, 4)).share is None
    assert plane(torch.zeros(0, 4)).share is None


def test_the_map_has_dense_latents_and_their_mirror_images_alone() -> None:
    decoder = torch.randn(6, 8, generator=torch.Generator().manual_seed(2))
    decoder[4] = -decoder[1]
    no = torch.zeros(6, dtype=torch.bool)
    dense, pair = no.clone(), no.clone()
    dense[[0, 1]], pair[[1, 4, 2, 3]] = True, True
    mirror = torch.tensor([-1, 4, 3, 2, 1, -1])
    held = map_summary({"is_dense": dense, "is_pair": pair, "mirror": mirror}, decoder)["map"]
    assert [row[0] for row in held["latents"]] == [0, 1, 4]
    assert held["latents"][1][1:] == pytest.approx([-value for value in held["latents"][2][1:]])
    assert held["share"] == 1
    assert map_summary({"is_dense": no, "is_pair": pair, "mirror": mirror}, decoder) == {}
