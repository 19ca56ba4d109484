"""Principal component: a planted main axis is found; no gap, no stability, or a mean alone is not."""

from __future__ import annotations

import torch
from torch import Tensor

from analysis.classes import principal_component
from analysis.classes.base import Finding
from analysis.statistics.covariance import Covariance
from tests.planted import World, text_world
from tests.planted_classes import D, evidence, labels, said, sample_of
from tests.seeds import seeds

each_seed = seeds(5)


def covariance(seed: int, scale: Tensor, mean: Tensor | None = None) -> Covariance:
    """Of Gaussian activations with these standard deviations along the axes."""
    world = text_world(seed, D)
    random = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(*world.x.shape, generator=random)
    return read(World(world.batch, x if mean is None else x + mean, world.acts, torch.tensor(1e3)))


def read(world: World) -> Covariance:
    made = Covariance(world.x[world.batch.mask][:200].mean(0))
    for step in world.steps(range(0, world.contexts, 8)):
        made.update(step)
    return made


def judged(found: Covariance) -> list[Finding]:
    """Latents along the first three axes, and between the first and the second."""
    sample = sample_of(text_world(0, 2, 4))
    values = torch.randn(len(sample.token), 4, generator=torch.Generator().manual_seed(0))
    made = evidence(sample, values)
    axes = torch.eye(D)
    directions = torch.stack([axes[0], axes[1], axes[2], (axes[0] + 2 * axes[1]) / 5**0.5])
    signals = made.signals._replace(directions=torch.cat([directions, made.signals.directions[4:]]))
    return principal_component.judge(evidence(sample, values, signals=signals, covariance=found))


def scales(first: float, second: float) -> Tensor:
    return torch.cat([torch.tensor([first, second]), torch.ones(D - 2)])


@each_seed
def test_the_main_axis_is_found(seed: int) -> None:
    found = judged(covariance(seed, scales(3, 2)))
    assert labels(found) == ["yes", "no", "no", "no"]
    assert found[0].score > 0.99
    assert found[1].data["component"] == 2
    assert "number 2" in said("principal_component", found[1])


@each_seed
def test_without_a_gap_there_is_no_first_component(seed: int) -> None:
    found = judged(covariance(seed, scales(2.0, 1.98)))
    assert labels(found) == ["unmeasured"] * 4
    assert "times the variance of the second" in said("principal_component", found[0])


@each_seed
def test_a_large_mean_is_no_component(seed: int) -> None:
    """Uncentred it is the first one; that is the control."""
    mean = torch.zeros(D)
    mean[1] = 30.0
    found = judged(covariance(seed, scales(3, 1), mean))
    assert labels(found) == ["yes", "no", "no", "no"]
    assert found[1].control > 0.99
    assert found[0].control < 0.2


@each_seed
def test_massive_tokens_are_not_the_component(seed: int) -> None:
    world = text_world(seed, D)
    random = torch.Generator().manual_seed(seed)
    x = scales(3, 2) * torch.randn(*world.x.shape, generator=random)
    massive = torch.rand(x.shape[:2], generator=random) < 0.01
    x[massive] += 500 * torch.eye(D)[2]
    found = judged(read(World(world.batch, x, world.acts, torch.tensor(9.0))))
    assert labels(found) == ["yes", "no", "no", "no"]


def test_components_that_differ_between_halves_are_refused() -> None:
    """Halves of the documents with another main axis each."""
    world = text_world(0, D)
    x = torch.randn(*world.x.shape, generator=torch.Generator().manual_seed(0))
    late = world.batch.group >= 32
    x[late, :, 0] *= 4
    x[~late, :, 1] *= 7
    found = judged(read(World(world.batch, x, world.acts, torch.tensor(1e3))))
    assert labels(found) == ["unmeasured"] * 4
    assert "differs between halves" in said("principal_component", found[0])


def test_leading_components_are_those_of_a_full_decomposition() -> None:
    found = covariance(1, torch.linspace(3, 0.5, D))
    _tokens, _mean, whole = found.both()
    values, vectors = principal_component.leading(whole, 5)
    true_values, true_vectors = torch.linalg.eigh(whole)
    torch.testing.assert_close(values, true_values.flip(0)[:5], rtol=1e-6, atol=0)
    assert ((vectors @ true_vectors.flip(1)[:, :5]).diagonal().abs() > 0.999).all()


def test_nothing_read_is_not_measured() -> None:
    assert labels(judged(Covariance(torch.zeros(D)))) == ["unmeasured"] * 4
