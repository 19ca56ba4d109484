"""Word, slow state, norm and constant: planted signals have the class, what all directions do is none."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest
import torch
from torch import Tensor

from analysis.calibration.calibrate import as_latents
from analysis.classes import constant, norm, slow_state, word
from analysis.classes.base import Evidence, Finding
from analysis.decomposition.follow import follow
from analysis.reading.batches import Sample
from analysis.statistics.signals import Signals
from tests.planted_classes import evidence, labels, said
from tests.planted_sources import Text, text, unit
from tests.seeds import seeds

each_seed = seeds(3)
DOCUMENTS = 64
NONE = torch.zeros(0, 2, dtype=torch.int64)


def made(world: Text, parts: list[Tensor], random: Tensor | None = None) -> Evidence:
    """Evidence of signals [n, 1] each; random directions are white noise unless given."""
    values = torch.cat([unit(part) for part in parts], 1)
    plain = evidence(world.sample, values)
    rest = plain.signals.values[:, len(parts) :] if random is None else random
    signals = plain.signals._replace(
        values=torch.cat([values, rest], 1),
        acts=(values + 3).clamp(min=0).to(torch.float16),
        side=(values + 3 > 0).to(torch.int8),
        norm=world.norm,
    )
    return replace(plain, signals=signals, followed=follow(world.design(), signals, NONE))


def mixed(share: float, part: Tensor, noise: Tensor) -> Tensor:
    """`share` of the variance is `part`."""
    found: Tensor = share**0.5 * unit(part) + (1 - share) ** 0.5 * unit(noise)
    return found


@each_seed
def test_each_planted_signal_has_its_class_alone(seed: int) -> None:
    world = text(seed, DOCUMENTS)
    shorter = -world.norm.log()[:, None]  # falls as the norm grows: dividing by the norm does not take that out
    parts = [
        mixed(0.8, world.of_type(False), world.noise()),
        mixed(0.5, world.slow(40), world.noise()),
        mixed(0.5, shorter, world.noise()),
        world.noise(),
    ]
    found = made(world, parts)
    assert labels(word.judge(found)) == ["yes", "no", "no", "no"]
    assert labels(slow_state.judge(found)) == ["no", "yes", "no", "no"]
    assert labels(norm.judge(found)) == ["no", "no", "yes", "no"]


@each_seed
def test_what_all_directions_follow_is_no_class(seed: int) -> None:
    """Where random directions follow the word as much, a latent that does says nothing of itself."""
    world = text(seed, DOCUMENTS)
    random = torch.cat([mixed(0.9, world.of_type(False), world.noise()) for _ in range(8)], 1)
    found = word.judge(made(world, [mixed(0.8, world.of_type(False), world.noise())], random))
    assert labels(found) == ["no"]
    assert found[0].statement["code"] == "common"
    assert found[0].chance > found[0].score


def test_what_one_document_does_is_no_slow_state() -> None:
    """The share is as large as that of a state that all documents have; the interval over documents is not."""
    world = text(5, DOCUMENTS)
    here = (world.sample.document[world.sample.context] == 7)[:, None].float()
    found = slow_state.judge(
        made(world, [mixed(0.6, 30 * here, world.noise()), mixed(0.6, world.slow(40), world.noise())])
    )
    assert labels(found) == ["no", "yes"]
    assert found[0].score > found[0].cut
    assert found[0].statement["code"] == "wide"


def test_a_word_list_is_told_from_a_direction_of_the_vocabulary() -> None:
    world = text(0, DOCUMENTS)
    listed = torch.randn(len(world.table), 1, generator=world.random)[world.sample.token]
    listed = listed * (world.sample.token < 200)[:, None]  # a value of its own for each frequent type
    found = word.judge(made(world, [listed, world.of_type(False)]))
    assert [one.statement["code"] for one in found] == ["list", "vocabulary"]


def test_a_signal_that_only_grows_with_everything_does_not_follow_the_norm() -> None:
    world = text(1, DOCUMENTS)
    base = evidence(world.sample, world.noise())
    length = world.norm[:, None]
    acts = ((1 + 0.1 * world.noise()) * length).to(torch.float16)
    signals = base.signals._replace(acts=acts, side=(acts > 0).to(torch.int8), norm=world.norm)
    found = norm.judge(replace(base, signals=signals, followed=follow(world.design(), signals, NONE)))
    assert labels(found) == ["no"]
    assert found[0].statement["code"] == "besides"
    assert "grows as everything does" in said("norm", found[0])


def test_a_bias_in_a_latents_clothes() -> None:
    world = text(2, DOCUMENTS)
    base = evidence(world.sample, world.noise(3))
    acts = torch.cat([10 + world.noise(), world.noise().abs() + 0.01, 10 + world.noise()], 1)
    acts[: len(acts) // 20, 2] = 0
    found = constant.judge(
        replace(base, signals=base.signals._replace(acts=acts.half(), side=(acts > 0).to(torch.int8)))
    )
    assert [one.statement["code"] for one in found] == ["always", "varies", "off"]
    assert labels(found) == ["yes", "no", "no"]
    assert found[0].score == pytest.approx(100 / 101, abs=0.002)


@pytest.mark.parametrize("judge", [word, slow_state, norm])
def test_what_was_not_divided_is_not_measured(judge: ModuleType) -> None:
    world = text(3, DOCUMENTS)
    base = evidence(world.sample, world.noise(2))
    few = text(3, 16)
    for case, why in ((base, "not_divided"), (evidence(few.sample, few.noise(2)), "few_documents")):
        found: list[Finding] = judge.judge(case)
        assert labels(found) == ["unmeasured"] * 2
        assert found[0].statement["code"] == why
        assert said(judge.STATISTIC.name, found[0]).startswith("Not measured: ")


def test_every_sentence_has_its_numbers() -> None:
    world = text(4, DOCUMENTS)
    found = made(world, [mixed(0.8, world.of_type(False), world.noise()), mixed(0.5, world.slow(40), world.noise())])
    assert "predicts 7" in said("word", word.judge(found)[0]) or "predicts 8" in said("word", word.judge(found)[0])
    assert "is left after about" in said("slow_state", slow_state.judge(found)[1])


def test_directions_that_calibration_tries_are_on_as_often_as_dense_latents_are() -> None:
    random = torch.Generator().manual_seed(0)
    n, rates = 1000, (0.5, 0.2, 0.02)
    acts = torch.stack([(torch.arange(n) < rate * n).float() for rate in rates], 1)
    values = torch.randn(n, 3 + 6, generator=random)
    flat = torch.zeros(n, dtype=torch.int64)
    sample = Sample(flat, flat, flat, flat, flat, flat, flat[:1], flat[:1])
    signals = Signals(
        sample, torch.arange(3), values, acts.sign().to(torch.int8), torch.ones(n, dtype=torch.bool),
        torch.randn(9, 4, generator=random), acts.half(), torch.ones(n),
    )  # fmt: skip
    tried = as_latents(signals, 5)
    assert (tried.side[:, 3:] != 0).float().mean(0).tolist() == pytest.approx([0.5, 0.2, 0.5, 0.2, 0.5])
    assert torch.equal(tried.acts[:, 3:] != 0, tried.side[:, 3:] != 0)
    fires = tried.side[:, 3] != 0
    assert tried.values[fires, 3].min() > tried.values[~fires, 3].max()
