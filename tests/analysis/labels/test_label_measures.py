"""Effects, intervals and p-values of labels against slow references."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor

from analysis.labels import STATISTICS, associate, conditional_values, label_columns, measures
from analysis.labels.confounds import cramers_v
from analysis.labels.permutation import draws_for, group_null, permutation_p, rank_null
from analysis.run.rows.labels import association_row, label_row
from store.tables import Association as AssociationTable
from store.tables import Label as LabelTable
from tests.planted_labels import (
    DOCUMENTS,
    VOCAB,
    corpus,
    each_seed,
    in_order,
    rows,
    sample_of,
    slow_auc,
    slow_noise,
    three_labels,
    told,
    words,
)

torch.set_num_threads(1)


def slow_eta2(values: Tensor, group: Tensor) -> float:
    parts = [values[group == level] for level in sorted(set(group.tolist()))]
    between = sum(len(part) * float(part.mean() - values.mean()) ** 2 for part in parts)
    return between / float((values - values.mean()).square().sum())


def tied(seed: int, documents: int = 30, signals: int = 4) -> tuple[Tensor, dict[str, Tensor]]:
    random = torch.Generator().manual_seed(seed)
    x = (torch.randn(signals, documents, generator=random, dtype=torch.float64) * 2).round(decimals=0)
    x[0] = torch.randn(documents, generator=random, dtype=torch.float64)
    pick = torch.rand(documents, generator=random, dtype=torch.float64)
    return x, {"spearman": (pick * 9).floor(), "auc": (pick > 0.6).double(), "eta2": (pick * 4).floor()}


SLOW = {
    "spearman": lambda x, y: float(scipy.stats.spearmanr(x.numpy(), y.numpy()).statistic),
    "auc": lambda x, y: slow_auc(x, y > 0),
    "eta2": slow_eta2,
}


@each_seed
@pytest.mark.parametrize("name", SLOW)
def test_measures_are_the_slow_ones(seed: int, name: str) -> None:
    x, labels = tied(seed)
    found = measures.OF[name].value(x, labels[name])
    assert found.tolist() == pytest.approx([SLOW[name](row, labels[name]) for row in x], abs=1e-6)


def test_near_one_an_interval_is_near_one() -> None:
    """One pair of documents is the wrong way round, and without either AUC is 1, or nearly."""
    x = torch.arange(40, dtype=torch.float64)[None]
    y = (x[0] >= 20).double()
    y[19:21] = torch.tensor([1.0, 0.0], dtype=torch.float64)
    low, high = measures.interval(measures.OF["auc"], x, y)
    assert 0.9 < float(low) < 1 - 1 / 400 < float(high) <= 1
    assert all(0.99 < bound <= 1 for bound in map(float, measures.interval(measures.OF["spearman"], x, x[0])))


@each_seed
@pytest.mark.parametrize("name", SLOW)
def test_values_without_a_document_are_those_of_the_others(seed: int, name: str) -> None:
    x, labels = tied(seed)
    y = labels[name]
    found = measures.OF[name].without(x, y)
    for out in range(x.shape[1]):
        keep = torch.arange(x.shape[1]) != out
        again = [SLOW[name](row[keep], y[keep]) for row in x]
        # Spearman keeps the ranks among all documents, which is off by about the distance of two ranks
        assert found[:, out].tolist() == pytest.approx(again, abs=0.03 if name == "spearman" else 1e-9)


@pytest.mark.parametrize(("name", "planted"), itertools.product(SLOW, (0.0, 0.6, 1.2)))
def test_intervals_hold_the_truth_about_as_often_as_they_say(name: str, planted: float) -> None:
    """200 draws of 40 documents; the truth is the measure on 20,000."""
    random = torch.Generator().manual_seed(3)

    def draw(documents: int, signals: int) -> tuple[Tensor, Tensor]:
        pick = torch.rand(documents, generator=random, dtype=torch.float64)
        y = {"spearman": pick, "auc": (pick > 0.6).double(), "eta2": (pick * 3).floor()}[name]
        noise = torch.randn(signals, documents, generator=random, dtype=torch.float64)
        return planted * y + noise * (0.3 if name == "spearman" else 1.0), y

    x, y = draw(20_000, 1)
    truth = float(measures.OF[name].value(x, y))
    hits = 0
    for _draw in range(200):
        low, high = measures.interval(measures.OF[name], *draw(40, 1))
        hits += bool(low[0] <= truth <= high[0])
    if name == "eta2" and planted == 0:
        return  # its truth, 0, is the edge of what it can be
    assert hits >= 200 * 0.88, hits


@pytest.mark.parametrize("seed", [0, 1])
def test_p_values_are_scipys(seed: int) -> None:
    x, labels = tied(seed, 24, 3)
    one = torch.zeros(24, dtype=torch.int64)
    y = labels["auc"]
    p = permutation_p(*rank_null(x, y, one), random=np.random.default_rng(seed), draws=9_999)
    slow = [scipy.stats.permutation_test((row[y > 0].numpy(), row[y <= 0].numpy()), lambda a, b: abs(slow_auc(
        torch.from_numpy(np.concatenate([a, b])), torch.arange(24) < len(a)) - 0.5),
        n_resamples=999, alternative="greater", rng=seed).pvalue for row in x]  # fmt: skip
    assert p.tolist() == pytest.approx(slow, abs=0.09)
    group = labels["eta2"]
    p = permutation_p(*group_null(x, group, one), random=np.random.default_rng(seed), draws=999)
    slow = [_slow_group_p(row, group, seed) for row in x]
    assert p.tolist() == pytest.approx(slow, abs=0.09)


def _slow_group_p(x: Tensor, group: Tensor, seed: int) -> float:
    random = torch.Generator().manual_seed(seed)
    seen = slow_eta2(x, group)
    draws = [slow_eta2(x, group[torch.randperm(len(group), generator=random)]) for _draw in range(400)]
    return (1 + sum(value >= seen - 1e-9 for value in draws)) / 401


def test_labels_are_dealt_out_within_strata_only() -> None:
    """All of the label's variation is between the strata: every draw is as good as what was seen."""
    x = torch.randn(3, 30, dtype=torch.float64)
    stratum = torch.arange(30) % 3
    for null in (rank_null, group_null):
        p = permutation_p(*null(x, stratum.double(), stratum), random=np.random.default_rng(0), draws=99)
        assert p.tolist() == [1.0] * 3


def test_enough_draws_for_the_correction() -> None:
    assert draws_for(10) == 9_999
    assert all(tests / (draws_for(tests) + 1) < 0.05 for tests in (1, 500, 2000))


def test_cramers_v_is_scipys_less_chance() -> None:
    random = np.random.default_rng(0)
    a, b = random.integers(0, 3, 300), random.integers(0, 4, 300)
    both = np.where(random.random(300) < 0.5, a, b)
    v = scipy.stats.contingency.association(scipy.stats.contingency.crosstab(a, both).count, correction=False)
    assert cramers_v(torch.from_numpy(a), torch.from_numpy(both)) == pytest.approx(v, abs=0.03)
    many = torch.from_numpy(random.integers(0, 30, 100)), torch.from_numpy(random.integers(0, 20, 100))
    assert cramers_v(*many) < 0.3
    assert cramers_v(many[0], many[0]) == pytest.approx(1.0)


def test_conditional_values_are_the_slow_ones_for_a_pure_word_signal() -> None:
    """k is 0 then: what is left is the value less the mean over other documents, which is the value itself."""
    random = np.random.default_rng(0)
    sample = sample_of(words(random))
    weight = torch.from_numpy(random.standard_normal(VOCAB)).float()
    left = conditional_values(sample, weight[sample.token][:, None])
    document = sample.document[sample.context]
    alone = torch.tensor([len(set(document[sample.token == t].tolist())) == 1 for t in sample.token.tolist()])
    assert left[~alone].abs().max() < 0.05
    assert left[~alone].abs().median() < 1e-3


def test_the_same_seed_gives_the_same_numbers_and_columns_do_not_touch_one_another() -> None:
    random = np.random.default_rng(0)
    columns, _effects = three_labels(random)
    sample = sample_of(words(random))
    values = in_order(sample, slow_noise(random, 3))
    one, again = (told(rows(columns), sample, values, 5) for _time in range(2))
    assert one == again
    alone = told(rows({"year": columns["year"]}), sample, values, 5)["year"]
    assert [a.p for a in alone] == [a.p for a in one["year"]]


def test_rows_fit_the_tables_and_are_plain() -> None:
    random = np.random.default_rng(0)
    columns, effects = three_labels(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 1) + torch.from_numpy(effects["party"]).float()[:, None, None]
    found = label_columns(sample, corpus(rows(columns)))
    for column in found:
        row = label_row(column)
        assert set(row) == set(LabelTable.__table__.columns.keys()) - {"id", "run_id"}
        json.dumps(row, allow_nan=False)
    for of in associate(found, sample, in_order(sample, noise), 0):
        row = association_row(of[0])
        assert set(row) == set(AssociationTable.__table__.columns.keys()) - {"analysis_id", "index", "label_id"}
        json.dumps(row, allow_nan=False)
        assert sum(mean["documents"] for mean in row["data"]["means"]) == DOCUMENTS


def test_every_value_has_its_definition() -> None:
    assert all((s.kind, s.of, s.grade) == ("label", "label", "O") and s.definition for s in STATISTICS)
    assert len({s.name for s in STATISTICS}) == len(STATISTICS)
