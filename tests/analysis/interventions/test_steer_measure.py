"""One signal, measured: a planted direction is found, an idle one is not, and choosing a dose costs nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from analysis.interventions.steer.config import DOSES, SteerConfig
from analysis.interventions.steer.flips import Rate
from analysis.interventions.steer.measure import Control, Dose, Steered, Steering, best, planned
from analysis.interventions.steer.outcome import judged
from analysis.interventions.steer.pool import Places, Pool, halves, poles
from analysis.interventions.steer.score import Scorer
from analysis.interventions.steer.signals import Controls, Signal
from app.interventions.sentences import steering_said
from tests.analysis.interventions.steer_world import CASE, HOOK, KIND, D, planted_language_model, planted_pool
from tests.seeds import seeds

torch.set_num_threads(1)
CONFIG = SteerConfig(sae="x", length=12, examples=0)
each_seed = seeds(3)


def measured(seed: int, number: int = 0, pool: Pool | None = None, config: SteerConfig = CONFIG) -> Steered:
    draw = torch.Generator().manual_seed(seed)
    lines = torch.nn.functional.normalize(torch.randn(6, D, generator=draw), dim=1)
    scorer = Scorer(planted_language_model(seed), HOOK, lambda _n: None)
    steering = Steering(scorer, pool or planted_pool(seed), config)
    signal, controls = Signal(2 * number, 2 * number + 1), Controls(lines[:3], lines[3:], [4, 5, 6])
    return steering.measure(number, signal, (KIND, CASE)[number], controls)


@each_seed
def test_a_direction_that_makes_a_kind_of_text_likelier_is_found(seed: int) -> None:
    found = measured(seed)
    assert found.rate is not None
    assert found.rate.value > 0.9
    assert found.chosen == 1
    assert found.moves == 1
    assert found.pairs == 12
    assert all(control.flips <= 0.7 for control in found.controls if control.of != "foreign")
    assert max(control.flips for control in found.controls if control.of == "foreign") > 0.9, "here no context decides"
    label, statement = judged(found)
    words = steering_said(json.loads(json.dumps(statement)))
    assert label == "yes"
    assert f"in {round(found.rate.value * 12)} of 12 pairs" in words


@each_seed
def test_a_direction_the_output_does_not_know_is_not(seed: int) -> None:
    found = measured(seed, 1)
    assert found.rate is not None
    assert found.rate.value <= 0.35
    assert judged(found)[0] == "no"
    assert judged(found)[1]["code"] == "rare"


@each_seed
def test_a_dose_that_breaks_the_model_is_refused(seed: int) -> None:
    doses = measured(seed).doses
    assert [dose.dose for dose in doses] == list(DOSES)
    for dose in doses:
        assert dose.refused == (dose.cost > 1)
        assert (dose.flips is None) == dose.refused
    assert doses[-1].refused
    assert not doses[0].refused


def add(push: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x + push


def test_costs_are_those_of_the_loss_on_ordinary_text() -> None:
    """The dearer of the two directions, against cross-entropy through plain hooks."""
    pool = planted_pool(0)
    model = planted_language_model(0)
    ids = torch.cat([torch.ones(8, 1, dtype=torch.int64), pool.token[:8, :4].flatten(1)], 1)
    attention = torch.ones_like(ids, dtype=torch.bool)
    clean = float(model.token_losses(ids, attention).mean())
    for dose in measured(0, pool=pool).doses:
        push = dose.dose * float(pool.sd[0]) * KIND
        both = [float(model.token_losses(ids, attention, {HOOK: add(sign * push)}).mean()) for sign in (1, -1)]
        assert dose.cost == pytest.approx(max(both) - clean, abs=1e-4)


def test_where_every_dose_is_refused_nothing_is_said() -> None:
    pool = planted_pool(0)
    found = measured(0, pool=pool._replace(sd=pool.sd * 50))
    assert all(dose.refused for dose in found.doses)
    label, statement = judged(found)
    words = steering_said(json.loads(json.dumps(statement)))
    assert label == "unmeasured"
    assert "every dose costs the model more than 1 nat per token" in words


def scrambled(pool: Pool, places: Places) -> Pool:
    """The texts of some pairs take each other's place, so that every preference turns round."""
    token = pool.token.clone()
    token[places.text, places.positive], token[places.text, places.negative] = (
        pool.token[places.text, places.negative],
        pool.token[places.text, places.positive],
    )
    return pool._replace(token=token)


def test_the_dose_is_chosen_on_other_texts_than_the_rate_is_measured_on() -> None:
    """A search for the best of four doses must not make the rate better: what it sees is not what is counted."""
    pool = planted_pool(0)._replace(sd=planted_pool(0).sd / 4)  # several doses are allowed
    as_is = measured(0, pool=pool)
    assert sum(not dose.refused for dose in as_is.doses) >= 2
    choosing, measuring = halves(poles(pool, 0, CONFIG.texts))
    other = measured(0, pool=scrambled(pool, measuring))
    assert [dose.flips for dose in other.doses] == [dose.flips for dose in as_is.doses]
    assert other.chosen == as_is.chosen
    assert other.rate is not None
    assert as_is.rate is not None
    assert other.rate.value < 0.2 < 0.8 < as_is.rate.value
    turned = measured(0, pool=scrambled(pool, choosing))
    assert max(dose.flips or 0 for dose in turned.doses) < 0.2
    assert turned.rate is not None
    assert turned.rate.value > 0.8 or turned.chosen != as_is.chosen


def test_the_dose_with_most_flips_is_taken_the_smaller_of_equals() -> None:
    def dose(size: float, flips: float | None) -> Dose:
        return Dose(size, 0.1, flips is None, flips, flips, 12)

    assert best([dose(1, 0.2), dose(2, 0.5), dose(4, 0.5), dose(8, None)]) == 2
    assert best([dose(1, 0.0), dose(2, 0.0)]) == 1
    assert best([dose(1, None)]) is None


def test_few_texts_or_a_signal_that_does_not_vary_are_not_measured() -> None:
    assert judged(measured(0, pool=planted_pool(0, contexts=15)))[0] == "unmeasured"
    pool = planted_pool(0)
    label, statement = judged(measured(0, pool=pool._replace(sd=pool.sd * 0)))
    words = steering_said(statement)
    assert label == "unmeasured"
    assert "does not vary" in words


def plain(rate: float, low: float, **controls: float) -> Steered:
    found = [Control(of, None, flips, 12) for of, flips in controls.items()]
    return Steered([], 2.0, Rate(rate, low, 1.0), 1.0, 12, found, [], [], 1.0)


@pytest.mark.parametrize(
    ("rate", "low", "controls", "label"),
    [
        (0.75, 0.5, {"random": 0.4, "sparse": 0.3, "swapped": 0.2}, "yes"),
        (0.74, 0.5, {"random": 0.4, "sparse": 0.3, "swapped": 0.2}, "no"),
        (1.0, 0.7, {"random": 0.7, "sparse": 0.3, "swapped": 0.2}, "no"),
        (1.0, 0.7, {"random": 0.2, "sparse": 0.8, "swapped": 0.2}, "no"),
        (1.0, 0.7, {"random": 0.2, "sparse": 0.2, "swapped": 0.8}, "no"),
        (1.0, 0.7, {"random": 0.2, "sparse": 0.2, "swapped": 0.2, "foreign": 1.0}, "yes"),
    ],
)
def test_a_label_takes_the_cut_and_beats_every_control(
    rate: float, low: float, controls: dict[str, float], label: str
) -> None:
    assert judged(plain(rate, low, **controls))[0] == label


def test_the_cost_is_known_before() -> None:
    told: list[int] = []
    config = replace(CONFIG, examples=2)
    scorer = Scorer(planted_language_model(0), HOOK, told.append)
    pool = planted_pool(0)
    steering = Steering(scorer, pool._replace(sd=pool.sd / 100), config)
    told.clear()
    lines = torch.eye(D)[4:10]
    steering.measure(0, Signal(0, 1), KIND, Controls(lines[:3], lines[3:], [4, 5, 6]))
    assert sum(told) == planned(config, 1)
