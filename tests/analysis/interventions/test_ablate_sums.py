"""What is said of sums over documents: means, intervals that are wide enough, controls of the same length."""

from __future__ import annotations

import pytest
import torch

from analysis.interventions.ablate.measure import Ablated
from analysis.interventions.ablate.rows import effect_rows, equivalent
from analysis.interventions.ablate.sums import FEWEST, Effects, EffectSums, Estimate
from analysis.interventions.ablate.variants import Totals, Variant, turned
from analysis.interventions.readout import Changes, Outputs
from analysis.reading.corpus import GROUPS
from store.vocabulary import OWN, RANDOM

torch.set_num_threads(1)

D = 8


def sums_of(values: torch.Tensor, group: torch.Tensor, norms: torch.Tensor | None = None) -> EffectSums:
    """Every measure of variant v at token t is values[v, t]."""
    sums = EffectSums(len(values), D)
    sums.add_clean(Outputs(torch.ones_like(values[0]), torch.ones_like(values[0])), group)
    sums.add(0, Changes(*(values for _ in Changes._fields)), group)
    sums.tensors["ordinary"] += 1.0
    sums.tensors["spread"] += 1.0
    sums.tensors["squares"] += 1.0 if norms is None else norms.square()
    return sums


def test_means_are_over_tokens_and_intervals_over_documents() -> None:
    random = torch.Generator().manual_seed(0)
    group = torch.randint(20, (4000,), generator=random)
    level = torch.randn(GROUPS, dtype=torch.float64, generator=random)
    values = level[group][None] + 0.1 * torch.randn(1, 4000, dtype=torch.float64, generator=random)
    (found,) = Effects(sums_of(values, group)).mean("loss")
    assert found.value == pytest.approx(float(values.mean()))
    by_group = torch.stack([values[0, group == g].mean() for g in range(20)])
    assert found.low is not None
    assert found.high is not None
    half = 2.093 * float(by_group.std()) / 20**0.5  # Student's t over documents; over tokens it were 20 times narrower
    assert found.high - found.low == pytest.approx(2 * half, rel=0.25)


@pytest.mark.parametrize("groups", [8, 12, 30])
def test_intervals_hold_the_truth_as_often_as_they_say(groups: int) -> None:
    random = torch.Generator().manual_seed(groups)
    group = torch.arange(groups).repeat_interleave(5)
    held = 0
    for _ in range(20):
        level = torch.randn(40, groups, dtype=torch.float64, generator=random)
        for found in Effects(sums_of(level[:, group], group)).mean("loss"):
            assert found.low is not None
            assert found.high is not None
            held += found.low < 0 < found.high
    assert held / 800 > 0.92  # 0.88 before the ends were moved out, at 8 groups


def test_too_few_documents_give_no_interval_and_not_many_no_equivalence() -> None:
    group = torch.arange(FEWEST - 1).repeat_interleave(3)
    (found,) = Effects(sums_of(torch.zeros(1, len(group), dtype=torch.float64), group)).mean("loss")
    assert found == Estimate(0.0, None, None)
    assert equivalent(found, 0.002, FEWEST - 1) is None
    assert equivalent(Estimate(0.0, -0.001, 0.001), 0.002, 29) is None
    assert equivalent(Estimate(0.0, -0.001, 0.001), 0.002, 30) is True
    assert equivalent(Estimate(0.0, -0.001, 0.003), 0.002, 10) is False


def variant(what: str, number: int) -> Variant:
    return Variant("latent", what, number, None, [number], torch.zeros(1, D))


def test_a_subject_of_its_controls_law_stands_out_as_often_as_chance_says() -> None:
    """Effects that go with the squared length, as those of random pushes do, whatever their lengths are."""
    random = torch.Generator().manual_seed(3)
    group = torch.arange(GROUPS)
    out, tried = 0, 0
    for _ in range(20):
        norms = torch.exp(0.5 * torch.randn(120, dtype=torch.float64, generator=random))
        sizes = norms.square() * torch.rand(120, dtype=torch.float64, generator=random)
        made = [variant(OWN if n < 40 else RANDOM, n) for n in range(120)]
        sums = sums_of(sizes[:, None].expand(120, GROUPS).contiguous(), group, norms)
        for row in effect_rows(Ablated(made, sums, 0.0, GROUPS), 0.002, 1.0, 0)[:40]:
            p = row["control"].get("loss", {}).get("p")
            if p is not None:
                tried, out = tried + 1, out + (p <= 0.05)
    assert tried > 400
    assert out / tried < 0.09


def test_a_control_of_another_length_is_none() -> None:
    made = [variant(OWN, 0), *(variant(RANDOM, n) for n in range(1, 31))]
    norms = torch.tensor([1.0] + [3.0] * 30, dtype=torch.float64)
    sums = sums_of(torch.ones(31, GROUPS, dtype=torch.float64), torch.arange(GROUPS), norms)
    assert effect_rows(Ablated(made, sums, 0.0, GROUPS), 0.002, 1.0, 0)[0]["control"] == {}


def test_turned_keeps_lengths_and_angles() -> None:
    rows = torch.randn(5, 32, generator=torch.Generator().manual_seed(1))
    rows[1] = -rows[0]
    found = turned(rows, torch.Generator().manual_seed(2))
    torch.testing.assert_close(found @ found.T, rows @ rows.T, rtol=1e-4, atol=1e-4)
    assert float((found @ rows.T).abs().max() / (rows @ rows.T).abs().max()) < 0.8


def test_the_variance_of_a_set_knows_of_mirror_images() -> None:
    random = torch.Generator().manual_seed(4)
    signal = torch.randn(5000, dtype=torch.float64, generator=random)
    acts = torch.stack([signal.clamp(min=0), (-signal).clamp(min=0)], 1)
    decoder = torch.zeros(2, D)
    decoder[0, 0], decoder[1, 0] = 1.0, -1.0
    totals = Totals(acts.sum(0), 5000, acts.sum(0), acts.square().sum(0), acts.T @ acts, 5000)
    taken = ((acts - acts.mean(0)) @ decoder.double()).square().sum(1).mean()
    assert totals.variance_of_set(decoder, [0, 1]) == pytest.approx(float(taken))
    assert float(totals.variance(decoder).sum()) < 0.75 * float(taken)
