"""Labels of the user's own: planted associations are found, shuffled, confounded and word-list ones are told apart."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from analysis.labels import associate, conditional_values, label_columns
from analysis.labels.conditional import document_means
from analysis.labels.spans import inside, read_spans
from app.labels.sentences import association_said
from tests.planted_labels import (
    DOCUMENTS,
    SHUFFLES,
    TOKENS,
    VOCAB,
    Labels,
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


@each_seed
def test_a_planted_label_is_found_and_only_by_its_own_signal(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns, effects = three_labels(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 5)
    for place, effect in enumerate(effects.values()):
        noise[..., place] += torch.from_numpy(effect).float()[:, None]
    found = told(rows(columns), sample, in_order(sample, noise))
    for place, name in enumerate(columns):
        assert found[name][place].verdict == "yes", association_said(found[name][place].statement)
        assert association_said(found[name][place].statement).endswith("yes.")
        assert abs(found[name][place].conditional - found[name][place].effect) < 0.15
    wrong = [f"{name} {n}" for name in columns for n, of in enumerate(found[name]) if of.verdict == "yes"]
    assert len(wrong) <= 4, f"three planted, at most one of the 12 others by chance: {wrong}"
    assert found["year"][2].effect > 0.5
    assert found["year"][2].held_out > 0.3
    assert found["flag"][0].effect > 0.7
    assert found["party"][1].held_out > 0.2


@each_seed
def test_the_other_way_round_reads_as_itself(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns, effects = three_labels(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 2) - torch.from_numpy(np.stack([effects["flag"], effects["year"]], 1)).float()[:, None]
    found = told(rows(columns), sample, in_order(sample, noise))
    flag, year = found["flag"][0], found["year"][1]
    assert (flag.verdict, year.verdict) == ("yes", "yes")
    assert max(flag.effect, flag.held_out, flag.conditional) < 0.35
    assert max(year.effect, year.held_out, year.conditional) < -0.3
    assert association_said(flag.statement).startswith("Lower in documents where flag is true")
    assert association_said(year.statement).startswith("Lower in documents with a larger year")


def wilson(hits: int, total: int) -> tuple[float, float]:
    share, z = hits / total, 1.96
    middle, wide = share + z**2 / (2 * total), z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2))
    return (middle - wide) / (1 + z**2 / total), (middle + wide) / (1 + z**2 / total)


def test_shuffled_labels_are_not_found_at_the_stated_rate() -> None:
    """Stated: by Benjamini-Hochberg at 5 %, at most 5 % of shuffles have any false yes; p < 0.05 in at most 5 %."""
    yes = small = tests = any_yes = 0
    for shuffle in range(SHUFFLES):
        random = np.random.default_rng([7, shuffle])
        if shuffle % 20 == 0:  # a new world for every 20 shuffles: one world's oddities are not a rate
            sample = sample_of(words(random)[:40])
            values = in_order(sample, slow_noise(random, 6, 40, level=0.8))
        columns, _effects = three_labels(random)
        found = told(rows({name: of[:40] for name, of in columns.items()}), sample, values, shuffle)
        flat = list(itertools.chain.from_iterable(found.values()))
        verdicts = [one.verdict == "yes" for one in flat]
        yes, any_yes, tests = yes + sum(verdicts), any_yes + any(verdicts), tests + len(flat)
        small += sum(one.p < 0.05 for one in flat)
    low, high = wilson(any_yes, SHUFFLES)
    said = (
        f"{any_yes} of {SHUFFLES} shuffles with a false yes (95 % {low:.3f} to {high:.3f}); {yes} of {tests} tests a "
        f"false yes (95 % {wilson(yes, tests)}); p < 0.05 in {small / tests:.3f} (95 % {wilson(small, tests)})"
    )
    print(said)  # noqa: T201 - the rate, for `pytest -s`
    assert tests == SHUFFLES * 18
    assert low <= 0.05, said
    assert yes / tests <= 0.05, said
    assert small / tests <= 0.05 + 0.015, said


@each_seed
def test_a_word_list_has_a_raw_effect_and_no_conditional_one(seed: int) -> None:
    """Documents of one party use other words; the first signal fires on those words alone, the second has noise too."""
    random = np.random.default_rng(seed)
    party = random.permutation(np.arange(DOCUMENTS) % 2 == 0)
    token = words(random)
    listed = torch.from_numpy(random.random(token.shape) < 0.1 + 0.2 * party[:, None]) & (token % 2 == 0)
    token = torch.where(listed, VOCAB + token % 30, token)
    fires = (token >= VOCAB).float()
    sample = sample_of(token)
    values = in_order(sample, torch.stack([fires, 8 * fires + slow_noise(random, 1, level=0.2)[..., 0] / 2], -1))
    for one in told(rows({"party": [f"p{p}" for p in party]}), sample, values)["party"]:
        assert one.effect > 0.2
        assert one.low > one.data["chance"]
        assert one.verdict == "no", association_said(one.statement)
        assert one.conditional < one.effect / 2
    exact = told(rows({"party": party.tolist()}), sample, values)["party"][0]
    assert "no: once words and position are out, no better than shuffled labels" in association_said(exact.statement)
    assert (exact.conditional, exact.p, exact.verdict) == (0.5, 1.0, "no"), "nothing is left, and no rounding errors"


@each_seed
def test_a_word_of_one_document_does_not_explain_it_away(seed: int) -> None:
    """Every second token of each document of the label is a type that no other document has."""
    random = np.random.default_rng(seed)
    flag = random.permutation(np.arange(DOCUMENTS) % 3 == 0)
    token = words(random)
    own = torch.from_numpy(flag)[:, None] & (torch.arange(TOKENS) % 2 == 0)
    token = torch.where(own, VOCAB + torch.arange(DOCUMENTS)[:, None], token)
    sample = sample_of(token)
    noise = slow_noise(random, 1) + 1.2 * torch.from_numpy(flag).float()[:, None, None]
    values = in_order(sample, noise)
    one = told(rows({"flag": flag.tolist()}), sample, values)["flag"][0]
    assert one.verdict == "yes", association_said(one.statement)
    assert one.conditional > one.effect - 0.05
    have = torch.from_numpy(flag)
    means = [document_means(sample, v)[1][0] for v in (values, conditional_values(sample, values))]
    gap = [float(mean[have].mean() - mean[~have].mean()) for mean in means]
    assert gap[1] > 0.9 * gap[0]


@each_seed
def test_position_is_taken_out(seed: int) -> None:
    """Documents of the label have short sentences, and the signal is the place in the sentence."""
    random = np.random.default_rng(seed)
    flag = torch.from_numpy(random.permutation(np.arange(DOCUMENTS) % 2 == 0))
    sample = sample_of(words(random))
    short = flag[sample.document[sample.context] // 3]
    sample = sample._replace(sentence=torch.where(short, sample.begin // 5 % 4, sample.begin // 5 % 16))
    values = (sample.sentence + 1).log2().floor()[:, None] + in_order(sample, slow_noise(random, 1))
    one = told(rows({"flag": flag.tolist()}), sample, values)["flag"][0]
    assert one.effect < 0.1
    assert abs(one.conditional - 0.5) < 0.25
    assert one.verdict == "no"


@each_seed
def test_a_confounded_label_is_said_so_and_the_driver_is_told_from_it(seed: int) -> None:
    random = np.random.default_rng([3, seed])
    documents = 120
    year = random.permutation(np.linspace(0, 1, documents))
    party = year + 0.3 * random.standard_normal(documents) > 0.5
    sample = sample_of(words(random, documents))
    noise = slow_noise(random, 2, documents, level=0.3)
    noise[..., 0] += 1.5 * torch.from_numpy(year).float()[:, None]
    noise[..., 1] += 1.0 * torch.from_numpy(party).float()[:, None]
    labels = rows({"year": (1800 + 200 * year).tolist(), "party": party.tolist()})
    columns = label_columns(sample, corpus(labels))
    for column, other in zip(columns, ("party", "year"), strict=True):
        assert [one.name for one in column.confounds] == [other]
        assert column.confounds[0].strength > 0.3
        assert column.confounds[0].measure == "|2 AUC - 1|"
    of_year, of_party = associate(columns, sample, in_order(sample, noise), seed)
    assert of_year[0].data["adjusted"]["for"] == "party"
    assert "yes; still there after party." in association_said(of_year[0].statement)
    assert "yes; still there after year." in association_said(of_party[1].statement)
    if of_party[0].verdict == "yes":
        assert of_party[0].data["adjusted"]["p"] > of_year[0].data["adjusted"]["p"]
    assert abs(of_party[0].data["adjusted"]["effect"] - 0.5) < abs(of_party[0].conditional - 0.5)
    assert abs(of_year[1].data["adjusted"]["effect"]) < abs(of_year[1].conditional)


def test_confounded_labels_are_gone_after_their_driver() -> None:
    """Over 40 worlds, with the driver held fixed, the label that only goes with it has p < 0.05 in few."""
    before = small = 0
    for seed in range(40):
        random = np.random.default_rng([5, seed])
        party = random.permutation(np.arange(DOCUMENTS) % 4)
        rank = np.where(random.random(DOCUMENTS) < 0.6, party, random.integers(0, 4, DOCUMENTS))
        sample = sample_of(words(random))
        noise = slow_noise(random, 1) + torch.from_numpy(party).float()[:, None, None]
        labels = rows({"party": [f"p{p}" for p in party], "rank": [f"r{r}" for r in rank]})
        one = told(labels, sample, in_order(sample, noise), seed)["rank"][0]
        before += one.p < 0.05
        small += one.data["adjusted"]["p"] < 0.05
    assert before >= 36, "it does go with the signal"
    assert small <= 6, f"{small} of 40 (5 % expected; 95 % {wilson(small, 40)})"


def test_labels_that_are_one_cannot_be_told_apart() -> None:
    random = np.random.default_rng(0)
    year = np.arange(DOCUMENTS)
    sample = sample_of(words(random))
    noise = slow_noise(random, 1) + torch.from_numpy(year / 20).float()[:, None, None]
    labels = rows({"year": year.tolist(), "president": [f"president {y // 2}" for y in year]})
    one = told(labels, sample, in_order(sample, noise))["year"][0]
    assert association_said(one.statement).endswith("yes; cannot be told apart from president.")
    assert one.data["adjusted"] == {"for": None, "p": None, "effect": None, "inseparable": ["president"]}


def span_world(random: np.random.Generator) -> tuple[Labels, Tensor]:
    """Each document has a stretch of 20 to 30 tokens that is marked, as objects or as triples: labels, marked."""
    labels: Labels = []
    marked = torch.zeros(DOCUMENTS, TOKENS, dtype=torch.bool)
    for n in range(DOCUMENTS):
        start = int(random.integers(0, TOKENS - 30))
        end = start + int(random.integers(20, 31))
        marked[n, start:end] = True
        edges = {"start": start * 5, "end": end * 5 - 1, "label": "quote"}  # without the space behind the last word
        labels.append({"tag": [list(edges.values()) if n % 2 else edges]})
    return labels, marked


@each_seed
def test_marked_text_is_found_and_documents_levels_are_not_evidence(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, marked = span_world(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 4)
    noise[..., 0] += 1.5 * marked.float()
    found = told(labels, sample, in_order(sample, noise))
    assert list(found) == ["tag: quote"]
    first, *others = found["tag: quote"]
    assert first.verdict == "yes", association_said(first.statement)
    assert association_said(first.statement).startswith("Higher on text marked tag: quote (AUC 0.")
    assert first.held_out > 0.7
    outside, within = first.data["means"]
    assert (outside["value"], within["value"]) == ("outside", "inside")
    assert outside["mean"] < 0 < within["mean"]
    assert outside["low"] < outside["mean"] < outside["high"]
    assert sum(one.verdict == "yes" for one in others) <= 1


def test_moved_spans_are_not_found_at_the_stated_rate() -> None:
    small = tests = 0
    for shuffle in range(40):
        random = np.random.default_rng([11, shuffle])
        labels, _marked = span_world(random)
        sample = sample_of(words(random))
        found = told(labels, sample, in_order(sample, slow_noise(random, 8)), shuffle)["tag: quote"]
        small, tests = small + sum(one.p < 0.05 for one in found), tests + len(found)
    low, high = wilson(small, tests)
    assert low <= 0.05 + 0.01, f"p < 0.05 in {small} of {tests} (95 % {low:.3f} to {high:.3f})"


def test_auc_over_tokens_is_the_slow_one() -> None:
    random = np.random.default_rng(0)
    labels, marked = span_world(random)
    sample = sample_of(words(random))
    values = in_order(sample, slow_noise(random, 2).round(decimals=1))
    there = in_order(sample, marked[..., None])[:, 0]
    found = told(labels, sample, values)["tag: quote"]
    for n, one in enumerate(found):
        assert one.effect == pytest.approx(slow_auc(values[:, n], there), abs=1e-5)


def test_spans_hold_the_tokens_that_begin_in_them() -> None:
    spans = read_spans({0: [[4, 9, "a"], [8, 12, "a"], (30, 99, "a"), [3, 3, "a"]], 7: [[-5, 2, "a"]]},
                       {0: "The whale was a fish in the sea and so", 7: "Sea"})["a"]  # fmt: skip
    assert spans.tolist() == [[0, 3, 12], [0, 30, 38], [7, 0, 2]]
    document, begin = torch.tensor([0, 0, 0, 0, 0, 7, 7, 9]), torch.tensor([0, 3, 11, 12, 37, 0, 2, 0])
    assert inside(document, begin, spans).tolist() == [False, True, True, False, True, True, False, False]
