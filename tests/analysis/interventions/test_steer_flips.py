"""What a flip is, and how sure a flip rate is."""

from __future__ import annotations

import pytest
import torch

from analysis.interventions.steer.flips import Preferences, either_way, preferred, rate

torch.set_num_threads(1)


def test_a_flip_goes_with_the_push_both_ways() -> None:
    found = Preferences(torch.tensor([0.2, 0.2, -0.1, -0.2, 0.3]), torch.tensor([-0.1, 0.1, -0.2, 0.4, 0.0]))
    assert found.flips.tolist() == [True, False, False, False, False]
    assert found.moves.tolist() == [True, True, True, False, True]
    assert found.reversed.flips.tolist() == [False, False, False, True, False]
    assert either_way(found) == either_way(found.reversed) == pytest.approx(0.2)


def test_a_preference_is_of_the_positive_text_in_nats_per_token() -> None:
    log_probability = torch.tensor([-10.0, -30.0, -14.0, -20.0])  # two positive texts, two negative ones
    assert preferred(log_probability, 4).tolist() == [1.0, -2.5]


def test_few_documents_that_agree_leave_room_for_doubt() -> None:
    """A bootstrap alone would say 100 % to 100 %."""
    all_of_them = rate(torch.ones(12, dtype=torch.bool), torch.arange(12))
    assert all_of_them.value == 1
    assert all_of_them.low == pytest.approx(0.757, abs=0.001)  # Wilson's, 12 of 12
    assert all_of_them.high == 1
    none = rate(torch.zeros(12, dtype=torch.bool), torch.arange(12))
    assert none.low == 0
    assert none.high == pytest.approx(0.243, abs=0.001)


def test_pairs_of_one_document_are_no_independent_tries() -> None:
    flips = torch.arange(40) % 40 < 20
    apart = rate(flips, torch.arange(40))
    together = rate(flips, torch.arange(40) // 10)  # four documents, each of one mind
    assert apart.value == together.value == 0.5
    assert apart.high - apart.low < 0.35
    assert together.high - together.low > 0.6


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    """And it is wide enough at rates near one, where the label is given."""
    draw = torch.Generator().manual_seed(0)
    for truth in (0.25, 0.5, 0.9):
        held = 0
        for _ in range(200):
            found = rate(torch.rand(12, generator=draw) < truth, torch.arange(12))
            held += found.low <= truth <= found.high
        assert held >= 186  # 93 %
