"""Laws that every accumulator keeps: these make a resumed, sharded or distributed run give one machine's numbers.

A new accumulator is on trial by being in `analysis/statistics/`: made as a run makes it, and held against `reference`
of the test of its name. `CASES` has what is tried in more than one way.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.reading.sae import LoadedSae
from analysis.statistics.base import Accumulator, State
from analysis.statistics.contexts import Contexts
from analysis.statistics.covariance import Covariance
from analysis.statistics.density import Density
from analysis.statistics.examples import Examples
from analysis.statistics.histogram import Histogram
from analysis.statistics.joint import Joint
from analysis.statistics.mixture import Mixture
from analysis.statistics.moments import Moments
from analysis.statistics.plan import PairPlan, Plan, Settings, Setup
from analysis.statistics.positions import Positions
from analysis.statistics.reconstruction import EVERY, Reconstruction
from analysis.statistics.registry import ACCUMULATORS, STATISTICS
from analysis.statistics.top_tokens import SUPPORT, TokenTable
from store.vocabulary import example_kinds
from tests.analysis import slow_reference as slow
from tests.planted import VOCAB, World, flat, law_world

torch.set_num_threads(1)

SEEDS = range(3)
LATENTS, D, WIDTH = 8, 6, 14
DETAIL = [0, 2, 4, 5, 6, 7]  # what plans pick: dead, constant, ties, dense, sparse, mirrored
PARTNERS = [0, 1, 5, 7, 4, 5]
CUTS = np.array(
    [[np.inf] * 3, [0.3, 0.3, 0.3], [1.0, 1.0, 2.0], [0.3, 0.7, 1.2], [40.0, 70.0, 120.0], [0.0, 1e-5, 1.0]]
)
DECODER = np.random.default_rng(0).standard_normal((LATENTS, D)).astype(np.float32)
DIRECTIONS = np.random.default_rng(2).standard_normal((9, D)).astype(np.float32)
POOL = [1, 3, 4, 6]
BATCH = 2  # contexts per batch where the cut matters


def _pair_plan() -> PairPlan:
    direction = np.random.default_rng(1).standard_normal((4, D))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return PairPlan(
        torch.tensor([5, 0, 2, 4]),  # a mirrored pair, a dead latent, constants that cancel to z = 0, ties
        torch.tensor([7, 5, 3, 6]),
        torch.tensor([[1.0, 0.5], [1.0, 1.0], [0.7, 0.3], [1.0, 0.25]]),
        torch.tensor(direction, dtype=torch.float32),
        torch.full((D,), 0.25),
        torch.tensor([0.6, 1.0, 0.3, 2.0]),
    )


PLAN = _pair_plan()


def _decode(acts: Tensor) -> Tensor:
    return acts @ torch.from_numpy(DECODER)


class Case(NamedTuple):
    """An accumulator on trial.

    `loose` gives the relative tolerance of fields that are summed in float32 or rest on a rounded
    table; all others agree to 1e-9. `of_batches` are fields that depend on where batches are cut by
    design (they are measured on some of the batches): for these the stream is always cut alike.
    """

    make: Callable[[], Accumulator]
    expected: Callable[[World], slow.Numbers]
    signed: bool = False
    loose: Mapping[str, float] = MappingProxyType({})
    of_batches: tuple[str, ...] = ()


def _position_case(kind: str) -> Case:
    edges = Positions(kind, torch.tensor([0]), WIDTH).edges.tolist()
    return Case(
        lambda: Positions(kind, torch.tensor(DETAIL), WIDTH),
        lambda world: slow.positions(world, kind, DETAIL, edges),
        signed=True,
        loose={"low": 1e-4, "high": 1e-4},
    )


DRAWN = torch.from_numpy(DIRECTIONS)


def _contexts_case(tokens: int) -> Case:
    """Less room than the world has tokens, or more."""
    return Case(
        lambda: Contexts(torch.tensor(DETAIL), DRAWN, PLAN.pivot, tokens, 3, DRAWN[:2]),
        lambda world: slow.contexts(world, DETAIL, DIRECTIONS, PLAN.pivot.numpy(), tokens, 3),
        signed=True,
        loose={"values": 1e-4, "beside": 1e-4, "norm": 1e-6, "acts": 2**-10},  # activations are kept in float16
    )


CASES: dict[str, Case] = {
    "density": Case(lambda: Density(LATENTS), slow.density, loose={"low": 1e-4, "high": 1e-4}),
    "moments": Case(lambda: Moments(LATENTS), slow.moments),
    "moments, signed": Case(lambda: Moments(LATENTS), slow.moments, signed=True),
    "histogram": Case(lambda: Histogram(LATENTS), lambda world: slow.histogram(world, False)),
    "histogram, signed": Case(
        lambda: Histogram(LATENTS, signed=True), lambda world: slow.histogram(world, True), signed=True
    ),
    "top tokens": Case(
        lambda: TokenTable(LATENTS, VOCAB, k=6), lambda world: slow.top_tokens(world, 6, SUPPORT), signed=True
    ),
    "top tokens, some exact, signed": Case(
        lambda: TokenTable(LATENTS, VOCAB, torch.tensor(DETAIL), k=6),
        lambda world: slow.top_tokens(world, 6, SUPPORT),
        signed=True,
    ),
    "top tokens, some exact": Case(
        lambda: TokenTable(LATENTS, VOCAB, torch.tensor(DETAIL), k=6, signed=False),
        lambda world: slow.top_tokens(world, 6, SUPPORT),
    ),
    "position in context": _position_case("context"),
    "position in paragraph": _position_case("paragraph"),
    "position in sentence": _position_case("sentence"),
    "examples": Case(
        lambda: Examples(torch.tensor(DETAIL), torch.tensor(PARTNERS), torch.tensor(CUTS).float(), k=3, seed=5),
        lambda world: slow.examples(world, DETAIL, PARTNERS, CUTS.astype(np.float32), 3, 5),
        signed=True,
    ),
    "examples of intervals": Case(
        lambda: Examples(
            torch.tensor(DETAIL),
            torch.tensor(PARTNERS),
            torch.tensor(CUTS[:, :2]).float(),
            k=3,
            seed=5,
            kinds=example_kinds(3),
        ),
        lambda world: slow.examples(world, DETAIL, PARTNERS, CUTS[:, :2].astype(np.float32), 3, 5),
        signed=True,
    ),
    "joint": Case(
        lambda: Joint(PLAN),
        lambda world: slow.joint(world, PLAN),
        loose=dict.fromkeys(("correlation", "r2", "r2_first", "r2_second", "z_mean"), 1e-4),
    ),
    "reconstruction": Case(
        lambda: Reconstruction(_decode, PLAN.pivot, BATCH),
        lambda world: slow.reconstruction(world, DECODER, _decoded_contexts(world)),
        loose={"fvu": 1e-5},
        of_batches=("fvu",),
    ),
    "contexts, some": _contexts_case(50),
    "contexts, all": _contexts_case(600),
    "covariance": Case(
        lambda: Covariance(PLAN.pivot, 3),
        lambda world: slow.covariance(world, 3),
        loose={"covariance": 1e-4, "mean": 1e-5},
    ),
    "mixture": Case(
        lambda: Mixture(torch.tensor(POOL), torch.from_numpy(DIRECTIONS), PLAN.pivot, 3),
        lambda world: slow.mixture(world, POOL, DIRECTIONS, 3),
        loose=dict.fromkeys(("pool", "cross", "signal"), 1e-4),
    ),
}


def _setup() -> Setup:
    """What a run of an SAE with these latents would make its accumulators from."""
    rest: dict[str, Any] = dict.fromkeys(each.name for each in fields(LoadedSae))
    sae = LoadedSae(**rest | {"decoder": torch.from_numpy(DECODER), "architecture": "standard"})
    plan = Plan(
        torch.tensor(DETAIL), torch.zeros(len(DETAIL), dtype=torch.int64), torch.tensor(PARTNERS),
        torch.tensor(CUTS).float(), torch.tensor(1.0), PLAN.pivot, PLAN, torch.zeros(0, D), torch.tensor(POOL),
    )  # fmt: skip
    return Setup(sae, plan, Settings(WIDTH, BATCH, VOCAB, 3, class_tokens=600))


SETUP = _setup()


def _planned(kind: type[Accumulator], name: str) -> Case:
    """By its file alone, which may say of what is summed in float32 that it is `LOOSE`."""
    test = importlib.import_module(f"tests.analysis.statistics.test_{kind.__module__.rsplit('.', 1)[1]}")
    return Case(lambda: kind.planned(SETUP)[name], test.reference, loose=getattr(test, "LOOSE", {}))


_TRIED = {type(case.make()) for case in CASES.values()}
CASES |= {name: _planned(kind, name) for kind in ACCUMULATORS if kind not in _TRIED for name in kind.planned(SETUP)}
each_case = pytest.mark.parametrize("name", CASES)


def _decoded_contexts(world: World) -> list[int]:
    return [context for context in range(world.contexts) if context // BATCH % EVERY == 0]


@cache
def _world(seed: int, signed: bool) -> World:
    return law_world(seed, signed, width=WIDTH, d=D)


@cache
def _expected(name: str, seed: int) -> slow.Numbers:
    return CASES[name].expected(_world(seed, CASES[name].signed))


def _even_cuts(world: World) -> list[int]:
    return list(range(0, world.contexts, BATCH))


def _fed(name: str, world: World, cuts: Sequence[int]) -> Accumulator:
    accumulator = CASES[name].make()
    for step in world.steps(cuts):
        accumulator.update(step)
    return accumulator


def _agree(name: str, found: dict[str, Any], expected: dict[str, Any], leave: Sequence[str] = ()) -> None:
    assert found.keys() == expected.keys()
    for field in found.keys() - set(leave):
        tolerance = CASES[name].loose.get(field, 1e-9)
        one, other = (np.asarray(side[field], dtype=np.float64) for side in (found, expected))
        assert one.shape == other.shape, field
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance * 0.1, equal_nan=True, err_msg=field)


def _identical(one: State, other: State) -> bool:
    return one.keys() == other.keys() and all(
        one[key].dtype == other[key].dtype and torch.equal(one[key], other[key]) for key in one
    )


def _merged(name: str, parts: Sequence[Accumulator]) -> Accumulator:
    total = CASES[name].make()
    for part in parts:
        total.merge(part)
    return total


def _shards(name: str, world: World, shards: int) -> list[Accumulator]:
    """The same batches, dealt out in turn."""
    parts = [CASES[name].make() for _ in range(shards)]
    for number, step in enumerate(world.steps(_even_cuts(world))):
        parts[number % shards].update(step)
    return parts


@each_case
@pytest.mark.parametrize("seed", SEEDS)
def test_it_equals_a_dense_computation(name: str, seed: int) -> None:
    world = _world(seed, CASES[name].signed)
    _agree(name, flat(_fed(name, world, _even_cuts(world)).summarise()), _expected(name, seed))


@each_case
@settings(max_examples=15, deadline=None)
@given(seed=st.sampled_from(SEEDS), cuts=st.lists(st.integers(1, 23), max_size=6))
def test_any_cut_of_the_stream_agrees(name: str, seed: int, cuts: list[int]) -> None:
    world = _world(seed, CASES[name].signed)
    found = flat(_fed(name, world, cuts).summarise())
    _agree(name, found, _expected(name, seed), leave=CASES[name].of_batches)


@each_case
@settings(max_examples=8, deadline=None)
@given(seed=st.sampled_from(SEEDS), shards=st.integers(1, 5))
def test_shards_merge_to_the_whole(name: str, seed: int, shards: int) -> None:
    world = _world(seed, CASES[name].signed)
    merged = _merged(name, _shards(name, world, shards))
    _agree(name, flat(merged.summarise()), _expected(name, seed))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.make().exact])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_exact_has_the_same_bits_in_any_order(name: str, seed: int) -> None:
    world = _world(seed, CASES[name].signed)
    straight = flat(_fed(name, world, _even_cuts(world)).summarise())
    for shards in (2, 3, 5):
        merged = flat(_merged(name, _shards(name, world, shards)[::-1]).summarise())
        assert all(np.array_equal(straight[field], merged[field], equal_nan=True) for field in straight)


@each_case
@pytest.mark.parametrize("seed", SEEDS)
def test_shards_that_know_the_wholes_limits_merge_to_the_same(name: str, seed: int) -> None:
    world = _world(seed, CASES[name].signed)
    steps = list(world.steps(_even_cuts(world)))
    found = [CASES[name].make() for _ in range(2)]
    for step in steps:
        for total, told in zip(found, (False, True), strict=True):
            shard = CASES[name].make()
            if told:
                shard.limit(total.limits())
            shard.update(step)
            total.merge(shard)
    one, other = (flat(total.summarise()) for total in found)
    assert all(np.array_equal(one[field], other[field], equal_nan=True) for field in one)


@each_case
@pytest.mark.parametrize("seed", SEEDS)
def test_merging_is_associative(name: str, seed: int) -> None:
    world = _world(seed, CASES[name].signed)
    one, two, three = _shards(name, world, 3)
    left = _merged(name, [_merged(name, [one, two]), three])
    right = _merged(name, [one, _merged(name, [two, three])])
    _agree(name, flat(left.summarise()), flat(right.summarise()))


@each_case
def test_a_fresh_one_is_the_identity_of_merging(name: str) -> None:
    world = _world(0, CASES[name].signed)
    filled = _fed(name, world, _even_cuts(world))
    left = _merged(name, [filled])
    filled.merge(CASES[name].make())
    for merged in (left, filled):
        _agree(name, flat(merged.summarise()), _expected(name, 0))


@each_case
def test_merging_leaves_the_shards_as_they_were(name: str) -> None:
    """Even when the total goes on counting afterwards: it may not hold on to their tensors."""
    world = _world(1, CASES[name].signed)
    parts = _shards(name, world, 3)
    before = [part.state_dict() for part in parts]
    total = _merged(name, parts)
    for step in world.steps(_even_cuts(world)):
        total.update(step)
    total.merge(parts[0])
    total.summarise()
    assert all(_identical(part.state_dict(), state) for part, state in zip(parts, before, strict=True))


@each_case
def test_a_saved_state_does_not_move_with_the_stream(name: str) -> None:
    world = _world(1, CASES[name].signed)
    accumulator = _fed(name, world, [])
    state = accumulator.state_dict()
    kept = {key: value.clone() for key, value in state.items()}
    for step in world.steps(_even_cuts(world)):
        accumulator.update(step)
    assert _identical(state, kept)


@each_case
def test_a_batch_of_one_token(name: str) -> None:
    """Context 1 holds a single token; the law world sees to that."""
    world = _world(0, CASES[name].signed)
    step = world.step(1, 2)
    assert len(step.counted.token) == 1
    alone = World(step.batch, world.x[1:2, :2], world.acts[1:2, :2], world.median_norm)
    accumulator = CASES[name].make()
    accumulator.update(replace(step, batch=step.batch._replace(cursor=1)))
    found = flat(accumulator.summarise())
    with np.errstate(all="ignore"):
        _agree(name, found, CASES[name].expected(alone), leave=CASES[name].of_batches)
    assert not any(torch.isinf(torch.as_tensor(found[key])).any() for key in found if key != "score")


@each_case
def test_a_batch_of_nothing_changes_nothing(name: str) -> None:
    """Context 2 holds special tokens alone; the law world sees to that."""
    world = _world(0, CASES[name].signed)
    step = world.step(2, 3)
    assert not len(step.counted.token)
    accumulator = _fed(name, world, _even_cuts(world))
    before = accumulator.state_dict()
    accumulator.update(step)
    assert _identical(accumulator.state_dict(), before)
    fresh = CASES[name].make()
    fresh.update(step)
    assert _identical(fresh.state_dict(), CASES[name].make().state_dict())
    fresh.summarise()


@each_case
@pytest.mark.parametrize("stop", [1, 5, 11])
def test_saved_and_loaded_midway_it_goes_on_bit_by_bit(name: str, stop: int, tmp_path: Path) -> None:
    world = _world(2, CASES[name].signed)
    steps = list(world.steps(_even_cuts(world)))
    first = CASES[name].make()
    for step in steps[:stop]:
        first.update(step)
    save_file(first.state_dict(), tmp_path / "state.safetensors")
    second = CASES[name].make()
    second.load_state_dict(load_file(tmp_path / "state.safetensors"))
    for step in steps[stop:]:
        second.update(step)
    assert _identical(second.state_dict(), _fed(name, world, _even_cuts(world)).state_dict())
    _agree(name, flat(second.summarise()), _expected(name, 2))


def test_every_accumulator_is_on_trial() -> None:
    assert {type(case.make()) for case in CASES.values()} == set(ACCUMULATORS)


def test_what_a_run_takes_has_names_of_its_own() -> None:
    names = [name for kind in ACCUMULATORS for name in kind.planned(SETUP)]
    assert len(set(names)) == len(names) >= len(ACCUMULATORS)


def test_every_statistic_is_declared_once_and_whole() -> None:
    assert len({each.name for each in STATISTICS}) == len(STATISTICS) > 20
    assert all(each.definition and each.grade in "PRO" and each.source for each in STATISTICS)
