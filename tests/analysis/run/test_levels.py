"""`--levels N`: examples from N equal intervals of activation, each from its own."""

from __future__ import annotations

import torch

from analysis.run.pilot import _intervals
from analysis.statistics.examples import Examples
from store.vocabulary import example_kinds, level_of
from tests.planted import law_world


def test_an_example_lies_in_the_interval_that_it_is_shown_for() -> None:
    world, latents = law_world(0), torch.tensor([5, 7])
    acts = world.acts[world.batch.mask][:, latents].abs()
    kinds = example_kinds(10)
    examples = Examples(latents, latents, _intervals(acts, 10), seed=1, kinds=kinds)
    for step in world.steps(range(0, world.contexts, 3)):
        examples.update(step)
    found, largest = examples.summarise(), acts.amax(0)
    seen = 0
    for latent, kind, rank in torch.nonzero(torch.isfinite(found.score)).tolist():
        level, count = level_of(kinds[kind])
        if not level:
            continue
        activation = float(found.acts[latent, kind, rank, 40].abs() / largest[latent]) * count
        assert level - 1 <= activation + 1e-5
        assert activation <= level + 1e-5
        seen += 1
    assert seen > 20


def test_kinds_say_which_level_they_are() -> None:
    assert example_kinds(2) == ("top", "1of2", "2of2", "random", "off")
    assert [level_of(kind) for kind in example_kinds()] == [(0, 0), (1, 4), (2, 4), (3, 4), (4, 4), (0, 0), (0, 0)]
    assert level_of("10of10") == (10, 10)
