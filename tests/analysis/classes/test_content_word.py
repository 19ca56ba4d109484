"""Content word: a detector is found on either side; a word list, a leaning direction and noise are not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from analysis.classes import content_word
from analysis.classes.base import Crowd, Evidence, Finding
from analysis.reading.batches import Sample
from analysis.reading.taggers import CONTENT, UNIVERSAL
from analysis.reading.tags import Tags
from tests.planted import text_world
from tests.planted_classes import evidence, labels, said, sample_of, slow_noise
from tests.seeds import seeds

torch.set_num_threads(1)
each_seed = seeds(5)
FUNCTION = [name for name in UNIVERSAL if name not in CONTENT and name != "X"]


def text(seed: int, documents: int = 96) -> tuple[Sample, Tensor]:
    """Words by Zipf's law; the frequent are function words, the rest half and half. Returns their tags too."""
    random = np.random.default_rng(seed)
    sample = sample_of(text_world(seed, 2, documents))
    weight = 1 / np.arange(5, 1505)
    token = torch.from_numpy(random.choice(1500, len(sample.token), p=weight / weight.sum()))
    content, function = ([UNIVERSAL.index(name) for name in names] for names in (CONTENT, FUNCTION))
    of_type = torch.tensor([
        random.choice(function if n < 40 or random.random() < 0.3 else content) for n in range(1500)
    ])  # fmt: skip
    return sample._replace(token=token), of_type[token]


def is_content(tag: Tensor) -> Tensor:
    return torch.isin(tag, torch.tensor([UNIVERSAL.index(name) for name in CONTENT]))


def judged(sample: Sample, tag: Tensor, values: Tensor, on: Tensor | None = None, **changes: Any) -> list[Finding]:
    made: Evidence = evidence(sample, values, tags=Tags(tag, "planted", None), **changes)
    if on is not None:
        made = evidence(
            sample, values, tags=made.tags, signals=made.signals._replace(side=on.to(torch.int8)), **changes
        )
    return content_word.judge(made)


def noise(like: Tensor, seed: int) -> Tensor:
    return torch.randn(len(like), generator=torch.Generator().manual_seed(seed))


@each_seed
def test_a_detector_of_content_words_is_found_on_either_side(seed: int) -> None:
    sample, tag = text(seed)
    detector = 2 * is_content(tag) + noise(tag, seed)
    found = judged(sample, tag, torch.stack([detector, -detector], 1))
    assert labels(found) == ["yes", "yes"]
    assert said("content_word", found[0]).startswith("Higher on content words")
    assert said("content_word", found[1]).startswith("Higher on function words")
    assert found[0].data["auc"] > 0.85
    assert found[1].data["auc"] < 0.15
    assert found[0].q < 1e-4


@each_seed
def test_a_word_list_is_not_grammar(seed: int) -> None:
    """Low on the sixty most frequent words, which are mostly function words: every second token."""
    sample, tag = text(seed)
    listed = -2.0 * (sample.token < 60) + 0.5 * noise(tag, seed)
    (found,) = judged(sample, tag, listed[:, None])
    assert found.score >= 0.75
    assert found.control < 0.625
    assert found.label == "no"
    assert "a list of frequent words" in said("content_word", found)


@each_seed
def test_where_every_direction_leans_on_content_none_of_them_is_found(seed: int) -> None:
    """A loud dimension that follows content words: 0.75 does not bind, and the largest of 16 lets many pass."""
    sample, tag = text(seed)
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(len(tag), 24, generator=random)
    x[:, 0] += 3 * is_content(tag)
    directions = torch.nn.functional.normalize(torch.randn(200 + 512, 24, generator=random), dim=1)
    values = x @ directions.T
    crowd = evidence(sample, values[:, 200:]).signals
    crowd = crowd._replace(
        latents=crowd.latents[:0], values=values[:, 200:], side=crowd.side[:, :0], acts=crowd.acts[:, :0]
    )._replace(directions=directions[200:])
    plain = judged(sample, tag, values[:, :200])
    made = judged(sample, tag, values[:, :200], crowd=Crowd(crowd, Tags(tag, "planted", None)))
    assert labels(plain).count("yes") >= 5
    assert labels(made).count("yes") <= 1
    assert all(0.75 < each.chance <= 1 for each in made)


@each_seed
def test_noise_is_nothing(seed: int) -> None:
    sample, tag = text(seed)
    found = judged(sample, tag, slow_noise(sample, 20, seed))
    assert labels(found) == ["no"] * 20
    assert max(each.score for each in found) < 0.55


def test_a_direction_that_leans_on_content_without_firing_on_it_is_not() -> None:
    sample, tag = text(0)
    values = (2 * is_content(tag) + noise(tag, 0))[:, None]
    rare = torch.rand(len(tag), 1, generator=torch.Generator().manual_seed(0)) < 0.02
    (found,) = judged(sample, tag, values, rare)
    assert found.label == "no"
    assert "only its direction" in said("content_word", found)


def test_one_tag_shows_in_its_own_area() -> None:
    sample, tag = text(1)
    noun = UNIVERSAL.index("NOUN")
    (found,) = judged(sample, tag, (3 * (tag == noun) + noise(tag, 1))[:, None])
    areas = {row["tag"]: row for row in found.data["tags"]}
    assert max(areas, key=lambda name: areas[name]["auc"]) == "NOUN"
    assert areas["NOUN"]["low"] > 0.9
    assert areas["NOUN"]["q"] < 0.01
    assert sum(row["share"] for row in areas.values()) == pytest.approx(1, abs=1e-3)


def test_areas_are_mann_and_whitneys() -> None:
    sample, tag = text(2)
    values = torch.stack([(is_content(tag) + noise(tag, 2)).mul(3).round(), noise(tag, 3)], 1)
    found = judged(sample, tag, values)
    for column, each in enumerate(found):
        ones, zeros = values[is_content(tag), column].numpy(), values[~is_content(tag), column].numpy()
        true = stats.mannwhitneyu(ones, zeros).statistic / (len(ones) * len(zeros))
        assert each.data["auc"] == pytest.approx(true, abs=1e-4)
        assert each.data["low"] <= true <= each.data["high"]
    fpr, tpr = (np.array(found[0].data["roc"][name]) for name in ("fpr", "tpr"))
    assert np.trapezoid(tpr, fpr) == pytest.approx(found[0].data["auc"], abs=0.02)


def test_firing_is_the_mean_of_both_rates() -> None:
    sample, tag = text(3)
    on = torch.rand(len(tag), 1, generator=torch.Generator().manual_seed(3)) < 0.3
    (found,) = judged(sample, tag, noise(tag, 3)[:, None], on)
    content = is_content(tag)
    true = (on[content].double().mean() + (~on[~content]).double().mean()) / 2
    assert found.data["firing"] == pytest.approx(float(true), abs=1e-3)


@each_seed
def test_a_latent_with_two_sides_fires_on_content_by_its_sign(seed: int) -> None:
    """AbsTopK: on for content words on one side, for the others on the other, hence on nearly everywhere."""
    sample, tag = text(seed)
    signal = 2 * is_content(tag) - 1 + 0.7 * noise(tag, seed)
    side = torch.where(signal.abs() > 0.2, signal.sign(), 0)[:, None]
    for turned, said_side in ((1, "content"), (-1, "function")):
        (found,) = judged(sample, tag, turned * signal[:, None], turned * side)
        assert float((side != 0).double().mean()) > 0.85
        assert found.label == "yes"
        assert found.statement["side"] == said_side
        ones, zeros = (turned * side[part, 0] for part in (is_content(tag), ~is_content(tag)))
        true = stats.mannwhitneyu(ones.numpy(), zeros.numpy()).statistic / (len(ones) * len(zeros))
        assert found.data["firing"] == pytest.approx(true, abs=1e-3)


def test_text_that_cannot_be_tagged_is_not_measured() -> None:
    sample, tag = text(0)
    foreign = Tags(torch.full_like(tag, -1), "planted", {"code": "not_english", "share": 0.02, "needed": 0.15})
    made = evidence(sample, noise(tag, 0)[:, None], tags=foreign)
    (found,) = content_word.judge(made)
    assert found.label == "unmeasured"
    assert "not English" in said("content_word", found)


def test_few_documents_are_not_measured() -> None:
    sample, tag = text(0, documents=40)
    assert labels(judged(sample, tag, noise(tag, 0)[:, None])) == ["unmeasured"]
