"""Evidence with planted truths: signals on a small text whose words, sections and subjects are known."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from analysis.classes import default_thresholds
from analysis.classes.base import Evidence, Finding, Lens
from analysis.classes.null_space import sensitive_directions
from analysis.reading.batches import Sample
from analysis.reading.tags import UNIVERSAL, Tags
from analysis.statistics.covariance import Covariance
from analysis.statistics.geometry import unit_rows
from analysis.statistics.mixture import Mixture
from analysis.statistics.signals import Signals
from app.classes.sentences import score_said
from tests.planted import World, text_world

D = 64
RANDOM = 16  # directions that stand for chance
NOUN, DET = UNIVERSAL.index("NOUN"), UNIVERSAL.index("DET")


def sample_of(world: World, keep: Tensor | None = None) -> Sample:
    """All counted tokens of a world, contexts in its order."""
    batch = world.batch
    mask = batch.mask if keep is None else batch.mask & keep
    context, column = torch.nonzero(mask, as_tuple=True)
    paragraph, sentence, begin = (part[mask] for part in (batch.paragraph, batch.sentence, batch.begin))
    return Sample(batch.ids[mask], context, column, paragraph, sentence, begin, batch.document, batch.group)


def long_world(seed: int, documents: int = 96, chunks: int = 2) -> World:
    """Contexts of 256 tokens: eight stretches each."""
    return text_world(seed, 2, documents, chunks, width=257)


def slow_noise(sample: Sample, count: int, seed: int, half_life: float = 40.0) -> Tensor:
    """[n, count] AR(1) noise that runs on through each context, and knows nothing of the text."""
    random = torch.Generator().manual_seed(seed + 1000)
    keep = 0.5 ** (1 / half_life)
    noise = torch.randn(len(sample.token), count, generator=random)
    fresh = torch.ones(len(sample.token), dtype=torch.bool)
    fresh[1:] = sample.context[1:] != sample.context[:-1]
    out = torch.empty_like(noise)
    for token in range(len(noise)):
        out[token] = noise[token] if fresh[token] else keep * out[token - 1] + (1 - keep**2) ** 0.5 * noise[token]
    return out


def evidence(sample: Sample, values: Tensor, seed: int = 0, **changes: Any) -> Evidence:
    """Evidence with these signals [n, m]; everything else is plain and empty unless changed.

    Chance comes from RANDOM signals of white noise.
    """
    count = values.shape[1]
    random = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(values), RANDOM, generator=random)
    directions = unit_rows(torch.randn(count + RANDOM, D, generator=random))
    signals = Signals(
        sample,
        torch.arange(count),
        torch.cat([values.float(), noise], 1),
        values > values.quantile(0.7, dim=0) if len(values) < 2**20 else values > 0,
        torch.ones(len(values), dtype=torch.bool),
        directions,
        values.clamp(min=0).to(torch.float16),
        torch.ones(len(values)),
    )
    made = Evidence(
        layer=3,
        signals=signals,
        tags=Tags(torch.zeros(len(values), dtype=torch.int64), "planted"),
        covariance=Covariance(torch.zeros(D)),
        mixture=Mixture(torch.zeros(0, dtype=torch.int64), directions[:count], torch.zeros(D)).summarise(),
        pool=torch.zeros(0, dtype=torch.int64),
        lens=plain_lens(seed),
        embedding=embedding_of(seed),
        thresholds=default_thresholds(),
    )
    return replace(made, **changes)


def embedding_of(seed: int, vocab: int = 2000) -> Callable[[Tensor], Tensor]:
    """A random vector for each token id."""
    table = torch.randn(vocab, D, generator=torch.Generator().manual_seed(seed + 7))
    return lambda ids: table[ids]


def plain_lens(seed: int, words: list[str] | None = None, unembedding: Tensor | None = None) -> Lens:
    """An output end whose unembedding is random unless given."""
    words = [f" w{number}" for number in range(600)] if words is None else words
    random = torch.Generator().manual_seed(seed + 3)
    table = torch.randn(D, len(words), generator=random) if unembedding is None else unembedding
    return Lens(table, sensitive_directions(table, False), words, torch.ones(len(words), dtype=torch.bool), 4)


def said(name: str, finding: Finding) -> str:
    """What the server says of it, once it was in the store."""
    return score_said(name, json.loads(json.dumps(finding.statement, allow_nan=False)))


def labels(findings: list[Finding]) -> list[str]:
    """Just the labels."""
    return [finding.label for finding in findings]


def subjects(world: World, seed: int, fixed: bool = False) -> tuple[Tensor, Tensor]:
    """Token ids [C, T] and side [C, T] of a text whose documents go to and fro between two subjects.

    A subject is 30 words, said half of the time. Which words make a subject differs from document to document,
    and which of the two is on the positive side is a coin's choice; if `fixed`, all documents share both.
    """
    random = np.random.default_rng(seed)
    ids, side = world.batch.ids.clone(), torch.zeros_like(world.batch.ids)
    for document in torch.unique(world.batch.document).tolist():
        rows = torch.nonzero(world.batch.document == document).flatten()
        words = np.arange(100, 160) if fixed else random.choice(np.arange(100, 2000), 60, replace=False)
        signs = (1, -1) if fixed else tuple(random.permutation((1, -1)))
        place = _blocks(random, len(rows) * (ids.shape[1] - 1))
        for number, row in enumerate(rows.tolist()):
            mine = place[number * (ids.shape[1] - 1) : (number + 1) * (ids.shape[1] - 1)]
            spoken = words[mine * 30 + random.integers(0, 30, len(mine))]
            said = random.random(len(mine)) < 0.5
            common = random.integers(2, 60, len(mine))
            ids[row, 1:] = torch.from_numpy(np.where(said, spoken, common))
            side[row, 1:] = torch.from_numpy(np.where(mine == 0, signs[0], signs[1]))
    return ids, side


def _blocks(random: np.random.Generator, tokens: int) -> np.ndarray[Any, Any]:
    """0s and 1s in blocks of 60 to 120."""
    out: list[int] = []
    now = int(random.integers(0, 2))
    while len(out) < tokens:
        out += [now] * int(random.integers(60, 121))
        now = 1 - now
    return np.array(out[:tokens])
