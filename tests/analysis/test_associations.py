"""Labels of the user's own: planted associations are found, shuffled, confounded and word-list ones are told apart."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.corpus import group_of
from analysis.documents import Document
from analysis.labels import STATISTICS, Association, LabelColumn, associate, conditional_values, label_columns, measures
from analysis.labels.conditional import document_means
from analysis.labels.confounds import cramers_v
from analysis.labels.permutation import draws_for, group_null, permutation_p, rank_null
from analysis.labels.spans import inside, read_spans
from analysis.rows.labels import association_row, label_row
from analysis.signals import Sample
from store.tables import Association as AssociationTable
from store.tables import Label as LabelTable

torch.set_num_threads(1)

SEEDS = range(5)
DOCUMENTS, TOKENS, WIDTH = 60, 80, 40  # two contexts of 40 tokens a document
SHUFFLES = 200
VOCAB = 200
seeds = pytest.mark.parametrize("seed", SEEDS)
Labels = list[dict[str, Any]]


# --- worlds ---------------------------------------------------------------------------------------


def sample_of(token: Tensor) -> Sample:
    """A sample of the tokens [documents, per document]; contexts in an order that is not the documents'."""
    documents, size = token.shape
    contexts = documents * size // WIDTH
    order = torch.randperm(contexts, generator=torch.Generator().manual_seed(9))
    context = torch.arange(contexts).repeat_interleave(WIDTH)
    start = order % (size // WIDTH) * WIDTH
    column = torch.arange(WIDTH).repeat(contexts)
    place = start[context] + column
    document = order // (size // WIDTH)
    return Sample(
        token=token[document[context], place],
        context=context,
        column=column + 1,
        paragraph=place % 23,
        sentence=place % 7,
        begin=place * 5,
        document=document * 3,  # the corpus holds others
        group=torch.tensor([group_of(int(d) * 3) for d in document]),
    )


def in_order(sample: Sample, by_document: Tensor) -> Tensor:
    """[documents, per document, m] laid out as the sample's tokens [n, m]."""
    return by_document[sample.document[sample.context] // 3, sample.begin // 5]


def slow_noise(random: np.random.Generator, signals: int, documents: int = DOCUMENTS, level: float = 0.4) -> Tensor:
    """AR(1) along each document, and a random level per document: [documents, TOKENS, signals]."""
    steps = random.standard_normal((documents, TOKENS, signals))
    noise = np.empty_like(steps)
    noise[:, 0] = steps[:, 0]
    for t in range(1, TOKENS):
        noise[:, t] = 0.9 * noise[:, t - 1] + 0.19**0.5 * steps[:, t]
    noise += level * random.standard_normal((documents, 1, signals))
    return torch.from_numpy(noise).float()


def words(random: np.random.Generator, documents: int = DOCUMENTS) -> Tensor:
    """Token ids, common ones and rare ones."""
    return torch.from_numpy((random.random((documents, TOKENS)) ** 3 * VOCAB).astype(np.int64))


def corpus(labels: Labels) -> dict[int, Document]:
    text = "word " * TOKENS
    return {3 * n: Document(3 * n, f"text:{n}", text, row) for n, row in enumerate(labels)}


def rows(columns: dict[str, Any]) -> Labels:
    """One object a document from one list a column."""
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def told(labels: Labels, sample: Sample, values: Tensor, seed: int = 0) -> dict[str, list[Association]]:
    columns = label_columns(sample, corpus(labels))
    found = associate(columns, sample, values, seed)
    return {column.name: of for column, of in zip(columns, found, strict=True)}


def columns_of(values: list[Any]) -> list[LabelColumn]:
    """What is made of one column called x."""
    token = torch.zeros(len(values), TOKENS, dtype=torch.int64)
    return label_columns(sample_of(token), corpus([{} if v == "absent" else {"x": v} for v in values]))


# --- planted truths -------------------------------------------------------------------------------


def three_labels(random: np.random.Generator) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """A true/false, a category and a number column, and what a signal that follows each adds."""
    flag = random.permutation(np.arange(DOCUMENTS) % 3 == 0)
    party = random.permutation(np.arange(DOCUMENTS) % 4)
    year = random.permutation(np.arange(1900, 1900 + DOCUMENTS))
    named = {"flag": flag.tolist(), "party": [f"party {p}" for p in party], "year": year.tolist()}
    follows = np.array([0.9, 0.3, -0.3, -0.9])[party]
    return named, {"flag": 1.2 * flag, "party": follows, "year": (year - 1930) / 25}


@seeds
def test_a_planted_label_is_found_and_only_by_its_own_signal(seed: int) -> None:
    random = np.random.default_rng(seed)
    columns, effects = three_labels(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 5)
    for place, effect in enumerate(effects.values()):
        noise[..., place] += torch.from_numpy(effect).float()[:, None]
    found = told(rows(columns), sample, in_order(sample, noise))
    for place, name in enumerate(columns):
        assert found[name][place].verdict == "yes", found[name][place].words
        assert found[name][place].words.endswith("yes.")
        assert abs(found[name][place].conditional - found[name][place].effect) < 0.15
    wrong = [f"{name} {n}" for name in columns for n, of in enumerate(found[name]) if of.verdict == "yes"]
    assert len(wrong) <= 4, f"three planted, at most one of the 12 others by chance: {wrong}"
    assert found["year"][2].effect > 0.5
    assert found["year"][2].held_out > 0.3
    assert found["flag"][0].effect > 0.7
    assert found["party"][1].held_out > 0.2


@seeds
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
    assert flag.words.startswith("Lower in documents where flag is true")
    assert year.words.startswith("Lower in documents with a larger year")


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


@seeds
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
        assert one.verdict == "no", one.words
        assert one.conditional < one.effect / 2
    exact = told(rows({"party": party.tolist()}), sample, values)["party"][0]
    assert "no: once words and position are out, no more than labels dealt out anew would give" in exact.words
    assert (exact.conditional, exact.p, exact.verdict) == (0.5, 1.0, "no"), "nothing is left, and no rounding errors"


@seeds
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
    assert one.verdict == "yes", one.words
    assert one.conditional > one.effect - 0.05
    have = torch.from_numpy(flag)
    means = [document_means(sample, v)[1][0] for v in (values, conditional_values(sample, values))]
    gap = [float(mean[have].mean() - mean[~have].mean()) for mean in means]
    assert gap[1] > 0.9 * gap[0]


@seeds
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


@seeds
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
        assert column.confounds[0].words.startswith(f"{column.name} goes with {other} (|2 AUC - 1| ")
    of_year, of_party = associate(columns, sample, in_order(sample, noise), seed)
    assert of_year[0].data["adjusted"]["for"] == "party"
    assert "yes; still there after party." in of_year[0].words
    assert "yes; still there after year." in of_party[1].words
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
    assert one.words.endswith("yes; cannot be told apart from president.")
    assert one.data["adjusted"] == {"for": None, "p": None, "effect": None, "inseparable": ["president"]}


# --- spans ----------------------------------------------------------------------------------------


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


@seeds
def test_marked_text_is_found_and_documents_levels_are_not_evidence(seed: int) -> None:
    random = np.random.default_rng(seed)
    labels, marked = span_world(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 4)
    noise[..., 0] += 1.5 * marked.float()
    found = told(labels, sample, in_order(sample, noise))
    assert list(found) == ["tag: quote"]
    first, *others = found["tag: quote"]
    assert first.verdict == "yes", first.words
    assert first.words.startswith("Higher on text marked tag: quote (AUC 0.")
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


# --- columns --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        ([1] * 10 + [2] * 5, "number", "15 of the documents read have a value; at least 20 are needed"),
        ([f"title {n}" for n in range(40)], "category", "40 of 40 documents have a value that no other has"),
        ([str(n) for n in range(40)], "category", "stand without quotes"),
        (["same"] * 40, "category", "every document has the same value"),
        (["same"] * 39 + ["other"], "category", "only one value is shared by two documents"),
        ([3.5] * 40, "number", "every document has the same value"),
        ([*range(39), math.inf], "number", "a number that is not finite in 1 documents"),
        ([*range(39), 10**400], "number", "a number that is not finite in 1 documents"),
        ([math.nan, *range(39)], "number", "a number that is not finite in 1 documents"),
        ([{"a": 1}] * 40, "other", "its values are objects"),
        ([1, "unknown"] * 20, "other", "of different kinds: numbers in 20, text in 20 documents"),
        ([True] + [1] * 39, "other", "of different kinds: numbers in 39, true/false in 1 documents"),
        ([True] * 38 + [False] * 2, "boolean", "38 documents are true and 2 false; at least 5 of each"),
        ([["a", "b"]] * 40, "other", "something other than spans"),
        ([[[0, 4, "a"], [0, True, "a"]]] * 40, "other", "something other than spans"),
        ([[]] * 40, "boolean", "no span in the documents read"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_says_why(values: list[Any], kind: str, reason: str) -> None:
    (column,) = columns_of(values)
    assert column.kind == kind
    assert column.reason is not None
    assert reason in column.reason
    assert associate([column], sample_of(torch.zeros(40, TOKENS).long()), torch.randn(40 * TOKENS, 2), 0) == [[]]


def test_missing_blank_and_null_are_no_values() -> None:
    (column,) = columns_of(["absent", None, "", "  ", *["a", "b"] * 15])
    assert (column.reason, column.documents, len(column.which)) == (None, 30, 30)
    assert column.groups == [{"value": "a", "documents": 15}, {"value": "b", "documents": 15}]
    assert columns_of([None] * 30) == columns_of(["absent"] * 30) == []


def test_few_numbers_are_still_numbers_and_lone_values_are_left_out() -> None:
    assert columns_of([0, 1] * 20)[0].kind == "number"
    assert columns_of([True, False] * 20)[0].kind == "boolean"
    (column,) = columns_of([*["a", "b"] * 15, "only"])
    assert (column.documents, len(column.which)) == (31, 30)
    assert column.groups[-1] == {"value": "only", "documents": 1}


def test_hostile_names_and_values_are_text() -> None:
    name = "<script>alert(1)</script>" + "x" * 200
    token = torch.zeros(40, TOKENS).long()
    value = "\u202e<b>" * 200
    labels: Labels = [{name: n % 7, name + "2": n % 5, "v": f"{n % 2}{value}", "": n % 2} for n in range(40)]
    columns = label_columns(sample_of(token), corpus(labels))
    assert columns[0].name == name[:120]
    assert columns[1].name == name[:116] + " (2)"
    assert len({column.name for column in columns}) == 4
    assert all(len(group["value"]) == 200 for group in columns[2].groups)
    assert columns[3].name == "(no name)"


def test_thousands_of_columns_are_cut_and_the_most_frequent_spans_taken() -> None:
    token = torch.zeros(40, TOKENS).long()
    labels: Labels = [{f"c{k}": (n * (k + 3)) % 11 for k in range(3000)} for n in range(40)]
    columns = label_columns(sample_of(token), corpus(labels))
    assert sum(column.reason is None for column in columns) == 40
    assert len(columns) == 200
    assert columns[-1].reason == "only the first 40 columns are measured"
    spans = columns_of([[[5 * k, 5 * k + 4, f"l{k:02}"] for k in range(30 - n // 8)] for n in range(40)])
    assert len(spans) == 21
    assert spans[0].name == "x: l00"
    assert spans[-1].reason == "only the 20 most frequent of its 30 labels are measured"


def test_a_signal_that_does_not_vary_is_unmeasured_and_the_others_are_not_touched() -> None:
    random = np.random.default_rng(0)
    columns, _effects = three_labels(random)
    sample = sample_of(words(random))
    noise = slow_noise(random, 2)
    noise[..., 1] = 0.25
    found = told(rows(columns), sample, in_order(sample, noise))
    for of in found.values():
        assert of[1].verdict == "unmeasured"
        assert of[1].words == "Not measured: the signal is the same in all these documents."
        assert not math.isnan(of[0].q)
        assert association_row(of[1])["p"] is None


# --- measures against slow references -------------------------------------------------------------


def slow_auc(values: Tensor, positive: Tensor) -> float:
    ones, zeros = values[positive], values[~positive]
    return float(((ones[:, None] > zeros).double() + 0.5 * (ones[:, None] == zeros).double()).mean())


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


@seeds
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


@seeds
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
