"""Worlds with known truths (docs/methods.md §13), through real SAEs, the plan and every accumulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from analysis.reading.sae import LoadedSae, load_sae
from analysis.statistics.contexts import Contexts
from analysis.statistics.density import Density
from analysis.statistics.examples import Examples
from analysis.statistics.histogram import BINS, Histogram
from analysis.statistics.joint import Joint, JointSummary, is_one_axis
from analysis.statistics.moments import Moments
from analysis.statistics.positions import KINDS as KINDS_OF_POSITION
from analysis.statistics.positions import Positions
from analysis.statistics.reconstruction import Reconstruction
from store.vocabulary import DETAILS
from tests.planted import Measured, World, flat, measure, sae_folder, text_world
from tests.seeds import seeds

torch.set_num_threads(1)

D = 24
FEATURES = 6  # sparse directions
EYE = torch.eye(D)
SIGNED, TWIN, FIRST_SPARSE = EYE[0], EYE[1], 2
each_seed = seeds(5)


def signal_world(seed: int) -> World:
    """x = 4 s u (s normal, one signed direction) + 3 t v (t positive on 60 % of tokens) + sparse features + noise."""
    world = text_world(seed, D)
    random = torch.Generator().manual_seed(seed)
    shape = world.x.shape[:2]
    world.x[..., 0] += 4 * torch.randn(shape, generator=random)
    world.x[..., 1] += 3 * (torch.rand(shape, generator=random) - 0.4).clamp(min=0)
    on = torch.rand(*shape, FEATURES, generator=random) < 0.015
    world.x[..., FIRST_SPARSE : FIRST_SPARSE + FEATURES] += 3 * on
    return world


def pair_sae(folder: Path, k: int = 3) -> LoadedSae:
    """TopK: the signed direction as the pair 0, 1; the other as the duplicates 2, 3; then the sparse features."""
    sparse = EYE[FIRST_SPARSE : FIRST_SPARSE + FEATURES]
    rows = torch.cat([torch.stack([SIGNED, -SIGNED, TWIN, TWIN]), sparse])
    bias = torch.tensor([0.0] * 4 + [-1.0] * FEATURES)  # above the noise
    return load_sae(str(sae_folder(folder, rows, rows, bias, kind="TopK", k=k)))


def is_joint_1d(joint: JointSummary, pair: int) -> bool:
    """As docs/methods.md §3 has it."""
    single = max(float(joint.r2_first[pair]), float(joint.r2_second[pair]))
    chance = float(joint.first[pair] * joint.second[pair]) / joint.tokens
    return is_one_axis(float(joint.r2[pair]), single, float(joint.both[pair]) / chance)


@each_seed
def test_a_signed_direction_is_a_pair_and_one_axis(seed: int, tmp_path: Path) -> None:
    found = measure(pair_sae(tmp_path), signal_world(seed))
    geometry = found.geometry
    assert geometry.partner.tolist()[:2] == [1, 0]
    assert geometry.mutual.tolist()[:2] == geometry.is_pair.tolist()[:2] == [True, True]
    assert geometry.score[:2].min() > 0.99
    assert geometry.cos_enc[0] < -0.99
    assert geometry.cos_dec[0] < -0.99
    joint, pair = found.panel[Joint].summarise(), found.pair(0, 1)
    assert is_joint_1d(joint, pair)
    assert joint.r2[pair] > 0.97
    assert max(joint.r2_first[pair], joint.r2_second[pair]) < 0.8
    assert joint.correlation[pair] > 0.98
    assert float(joint.z_sd[pair]) == pytest.approx(4.0, rel=0.1)
    density = found.panel[Density].summarise().density
    assert density[:2].min() > 0.4
    assert float(density[:2].sum()) == pytest.approx(1.0, abs=0.05)


SHARES, SCALES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8), (0.15, 0.2, 0.3, 0.5, 0.75, 1.0)
LOPSIDED = [(share, scale) for share in SHARES for scale in SCALES]
"""Of the positive pole: on what share of tokens it is on; and how long the negative one's swings are beside its."""


@pytest.fixture(scope="module")
def lopsided(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tensor, JointSummary]:
    """36 signed axes, and one more whose mirror image is on for the far end of a noise only."""
    axes = len(LOPSIDED)
    world = text_world(0, axes + 1)
    random = torch.Generator().manual_seed(0)
    shape = world.x.shape[:2]
    for axis, (share, scale) in enumerate([*LOPSIDED, (0.5, 0.0)]):
        size = torch.empty(shape).exponential_(generator=random)
        positive = torch.rand(shape, generator=random) < share
        world.x[..., axis] = 4 * torch.where(positive, size, -scale * size)
    world.x[..., axes] += torch.randn(shape, generator=random)
    rows = torch.cat([torch.eye(axes + 1), -torch.eye(axes + 1)])
    bias = torch.zeros(len(rows))
    bias[-1] = -1.5
    sae = load_sae(str(sae_folder(tmp_path_factory.mktemp("lopsided"), rows, rows, bias, kind="TopK", k=axes + 1)))
    found = measure(sae, world)
    joint = found.panel[Joint].summarise()
    places = torch.tensor([found.pair(axis, axis + axes + 1) for axis in range(axes + 1)])
    return places, joint


def test_lopsided_axes_are_axes(lopsided: tuple[Tensor, JointSummary]) -> None:
    """docs/methods.md §3: a better half that explains more than 0.85 alone leaves no absolute gain of 0.15."""
    places, joint = lopsided
    better = torch.maximum(joint.r2_first, joint.r2_second)[places[:-1]]
    assert int((better > 0.85).sum()) >= 6
    assert [is_joint_1d(joint, int(place)) for place in places[:-1]] == [True] * len(LOPSIDED)


def test_half_an_axis_is_none(lopsided: tuple[Tensor, JointSummary]) -> None:
    places, joint = lopsided
    assert joint.r2[places[-1]] > 0.9
    assert joint.second[places[-1]] > 0
    assert not is_joint_1d(joint, int(places[-1]))


@each_seed
def test_each_pole_of_a_pair_has_its_side_of_the_axis(seed: int, tmp_path: Path) -> None:
    found = measure(pair_sae(tmp_path), signal_world(seed))
    joint, pair = found.panel[Joint].summarise(), found.pair(0, 1)
    first, second, neither = joint.histogram[pair].double()
    middle = (joint.edges[:-1] + joint.edges[1:]) / 2
    assert first[middle < 0].sum() == 0
    assert second[middle > 0].sum() == 0
    assert (first.sum(), second.sum()) == (joint.first[pair], joint.second[pair])
    assert neither.sum() == joint.tokens - first.sum() - second.sum()


@each_seed
def test_duplicates_are_reported_apart_from_pairs(seed: int, tmp_path: Path) -> None:
    found = measure(pair_sae(tmp_path), signal_world(seed))
    geometry = found.geometry
    assert geometry.duplicate_of.tolist()[:4] == [-1, -1, 3, 2]
    assert geometry.is_pair.tolist()[2:4] == [False, False]
    assert geometry.score[2:4].min() > 0.99
    joint, pair = found.panel[Joint].summarise(), found.pair(2, 3)
    assert not is_joint_1d(joint, pair)
    assert joint.both[pair] > 0.9 * joint.first[pair]


@each_seed
def test_one_latent_of_abstopk_holds_the_signed_direction(seed: int, tmp_path: Path) -> None:
    rows = torch.cat([SIGNED[None], EYE[FIRST_SPARSE : FIRST_SPARSE + FEATURES]])
    sae = load_sae(str(sae_folder(tmp_path, rows, rows, kind="AbsTopK", k=1)))
    found = measure(sae, signal_world(seed))
    assert sae.signed
    counts = found.panel[Histogram].summarise().counts[0]
    negative, positive = int(counts[:BINS].sum()), int(counts[BINS:].sum())
    density = found.panel[Density].summarise()
    assert float(density.density[0]) == pytest.approx((negative + positive) / density.tokens)
    assert float(density.density[0]) > 0.8
    assert 0.45 < negative / (negative + positive) < 0.55
    assert not found.geometry.is_pair.any()
    assert abs(float(found.panel[Moments].summarise().mean[0])) < 0.5
    sampled = found.panel[Contexts].summarise()
    place = sampled.latents.tolist().index(0)
    below, above = ((sampled.side[:, place] == sign).double().mean() for sign in (-1, 1))
    assert float(sampled.on[:, place].double().mean()) == pytest.approx(float(density.density[0]), abs=0.02)
    assert abs(float(above - below)) < 0.1


@each_seed
def test_a_shift_at_bos_alone_changes_nothing(seed: int, tmp_path: Path) -> None:
    sae = pair_sae(tmp_path)
    world = signal_world(seed)
    shifted = World(world.batch, world.x.clone(), world.acts, world.median_norm)
    shifted.x[:, 0] += 1000 * torch.ones(D)
    one, other = measure(sae, world), measure(sae, shifted)
    assert torch.equal(one.plan.pivot, other.plan.pivot)
    assert torch.equal(one.plan.median_norm, other.plan.median_norm)
    states = one.panel.state_dict(), other.panel.state_dict()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


@each_seed
def test_massive_tokens_count_but_do_not_rule(seed: int, tmp_path: Path) -> None:
    sae = pair_sae(tmp_path)
    world = signal_world(seed)
    massive = (torch.rand(world.x.shape[:2], generator=torch.Generator().manual_seed(seed)) < 0.005) & world.batch.mask
    loud = World(world.batch, world.x.clone(), world.acts, world.median_norm)
    loud.x[massive] = 200 * (SIGNED + EYE[20])
    clean, found = measure(sae, world), measure(sae, loud)
    joint, before = found.panel[Joint].summarise(), clean.panel[Joint].summarise()
    tokens = int(world.batch.mask.sum())
    assert joint.tokens == found.panel[Density].summarise().tokens == tokens
    assert found.panel[Reconstruction].summarise().ordinary == tokens - int(massive.sum())
    pair = found.pair(0, 1)
    for name in ("r2", "r2_first", "r2_second"):
        assert float(getattr(joint, name)[pair]) == pytest.approx(float(getattr(before, name)[pair]), abs=0.02)
    assert float(joint.z_sd[pair]) == pytest.approx(float(before.z_sd[pair]), rel=0.05)
    moments = found.panel[Moments].summarise()
    fired = int(found.panel[Histogram].summarise().counts[0].sum())
    assert fired == int(moments.count[0]) + int(massive.sum())
    assert float(moments.max[0]) > 150
    assert float(moments.mean[0]) == pytest.approx(float(clean.panel[Moments].summarise().mean[0]), rel=0.05)
    assert float(found.panel[Density].summarise().density[0]) == pytest.approx(fired / tokens)


def odd_sae(folder: Path) -> LoadedSae:
    """0 dead, 1 always on and constant, 2 always on, 3 an ordinary one, 4 a zero direction."""
    encoder = torch.stack([EYE[5], 0 * EYE[0], EYE[0], EYE[1], 0 * EYE[0]])
    decoder = torch.stack([EYE[5], EYE[6], EYE[0], EYE[1], 0 * EYE[0]])
    return load_sae(str(sae_folder(folder, encoder, decoder, torch.tensor([-1e6, 0.3, 1e3, 0.0, 0.0]))))


def numbers(found: Measured) -> dict[str, Tensor]:
    """Every number of every summary but the scores of absent examples, which are -inf by definition."""
    summaries = {name: flat(a.summarise()) for name, a in found.panel.accumulators.items()}
    named = {f"{name}.{field}": torch.as_tensor(value) for name, of in summaries.items() for field, value in of.items()}
    return {name: value for name, value in named.items() if name != "examples.score"}


def test_odd_latents_have_no_number_rather_than_a_wrong_one(tmp_path: Path) -> None:
    found = measure(odd_sae(tmp_path), signal_world(0), asked=range(5))
    assert all(not torch.isinf(value.double()).any() for value in numbers(found).values())
    density = found.panel[Density].summarise()
    assert density.density[[0, 1, 2, 4]].tolist() == [0, 1, 1, 0]
    assert density.low[[0, 1]].tolist() == density.high[[0, 1]].tolist() == [0, 1]
    moments = found.panel[Moments].summarise()
    for column in (moments.mean, moments.std, moments.skewness, moments.max):
        assert column[[0, 4]].isnan().all()
    assert moments.std[1] == 0
    assert moments.skewness[1].isnan()
    assert float(moments.mean[1]) == pytest.approx(0.3)
    assert not torch.stack([moments.mean[2], moments.skewness[2], moments.std[2]]).isnan().any()


def test_an_sae_that_never_fires_is_measured_all_the_same(tmp_path: Path) -> None:
    rows = EYE[:4]
    sae = load_sae(str(sae_folder(tmp_path, rows, rows, torch.full((4,), -1e6))))
    found = measure(sae, signal_world(0))
    assert len(found.plan.latents) == 0
    assert found.panel[Density].summarise().density.tolist() == [0] * 4
    assert found.panel[Reconstruction].summarise().l0 == 0
    assert numbers(found)


def test_text_without_variance_has_no_fvu(tmp_path: Path) -> None:
    world = text_world(0, D)
    world.x[:] = 0.3 * torch.arange(D)
    assert torch.tensor(measure(pair_sae(tmp_path), world).panel[Reconstruction].summarise().fvu).isnan()


def ramp_world(seed: int) -> tuple[World, Callable[[str], int]]:
    """Latent n follows the distance from the start of the n-th of context, paragraph and sentence, with noise."""
    world = text_world(seed, D, documents=128)
    column = torch.arange(world.batch.ids.shape[1]).expand_as(world.batch.ids)
    ramps = {"context": column / 40, "paragraph": world.batch.paragraph / 20, "sentence": world.batch.sentence / 6}
    noise = torch.randn(*column.shape, 3, generator=torch.Generator().manual_seed(seed))
    for number, ramp in enumerate(ramps.values()):
        world.x[..., number] = (ramp - 0.2 + 0.3 * noise[..., number]).float()
    return world, list(ramps).index


@each_seed
@pytest.mark.parametrize("kind", KINDS_OF_POSITION)
def test_a_ramp_shows_in_the_profile_of_its_own_kind(seed: int, kind: str, tmp_path: Path) -> None:
    world, latent_of = ramp_world(seed)
    sae = load_sae(str(sae_folder(tmp_path, EYE[:3], EYE[:3])))
    found = measure(sae, world)
    profiles = {each.kind: each.summarise() for each in found.panel.all(Positions)}
    row = found.row(latent_of(kind))
    spread = {name: _weighted_spread(p.mean[row], p.tokens) for name, p in profiles.items()}
    assert max(spread, key=lambda name: spread[name]) == kind
    assert spread[kind] > 2 * sorted(spread.values())[-2]
    own = profiles[kind]
    filled = own.tokens > 300
    steps = own.mean[row][filled].diff()
    assert (steps > -0.1).all(), "a ramp rises"
    assert (own.low[row][filled] < own.mean[row][filled]).all()
    assert (own.high - own.low)[row][filled].max() < 0.3


def _weighted_spread(mean: Tensor, tokens: Tensor) -> float:
    weight = tokens.double() / tokens.sum()
    mean = mean.nan_to_num()
    return float((weight * (mean - (weight * mean).sum()) ** 2).sum())


@each_seed
def test_noise_has_a_flat_profile(seed: int, tmp_path: Path) -> None:
    """At most the usual one in twenty of the intervals misses the mean of all."""
    world = signal_world(seed)
    found = measure(pair_sae(tmp_path), world)
    profile = found.panel[Positions].summarise()
    row = found.row(0)
    overall = (profile.mean[row] * profile.tokens).sum() / profile.tokens.sum()
    inside = (profile.low[row] <= overall) & (overall <= profile.high[row])
    assert inside.double().mean() > 0.8


@each_seed
def test_the_plan_picks_dense_latents_partners_and_sparse_controls(seed: int, tmp_path: Path) -> None:
    found = measure(pair_sae(tmp_path), signal_world(seed), asked=[9])
    kinds = dict(zip(found.plan.latents.tolist(), (DETAILS[kind] for kind in found.plan.kind.tolist()), strict=True))
    assert {latent for latent, kind in kinds.items() if kind == "dense"} >= {0, 1, 2, 3}
    assert kinds[9] in ("asked", "control")
    sparse = {latent for latent, kind in kinds.items() if kind == "control"}
    assert sparse
    assert sparse <= set(range(4, 10))
    assert sorted(kinds) == found.plan.latents.tolist()


@each_seed
def test_the_levels_of_examples_are_quarters_of_the_firing_activations(seed: int, tmp_path: Path) -> None:
    found = measure(pair_sae(tmp_path), signal_world(seed))
    examples = found.panel[Examples].summarise()
    focus = examples.acts[found.row(0), :, :, 40]
    cuts = found.plan.cuts[found.row(0)]
    assert (examples.score[found.row(0)] > -torch.inf).all()
    assert (focus[0, :-1] >= focus[0, 1:]).all()
    assert float(focus[0, 0]) == pytest.approx(float(found.panel[Moments].summarise().max[0]))
    for level in range(4):
        assert (focus[1 + level] > (cuts[level - 1] if level else 0)).all()
        assert level == 3 or (focus[1 + level] <= cuts[level]).all()
    assert (focus[5] > 0).all()
    assert (focus[6] == 0).all()


@each_seed
def test_l0_is_the_sum_of_densities(seed: int, tmp_path: Path) -> None:
    found = measure(pair_sae(tmp_path, k=3), signal_world(seed))
    summary: Any = found.panel[Reconstruction].summarise()
    assert summary.l0 == pytest.approx(float(found.panel[Density].summarise().density.sum()))
    assert summary.l0 <= 3
    assert 0 < summary.fvu < 0.5
