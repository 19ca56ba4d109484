"""A small corpus with labels and signals whose associations are known; several tests reuse it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from analysis.labels import Association, LabelColumn, associate, label_columns
from analysis.reading.batches import Sample
from analysis.reading.corpus import group_of
from analysis.reading.documents import Document
from tests.seeds import seeds

DOCUMENTS, TOKENS, WIDTH = 60, 80, 40  # two contexts of 40 tokens a document
SHUFFLES = 200
VOCAB = 200
each_seed = seeds(5)
Labels = list[dict[str, Any]]


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


def three_labels(random: np.random.Generator) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """A true/false, a category and a number column, and what a signal that follows each adds."""
    flag = random.permutation(np.arange(DOCUMENTS) % 3 == 0)
    party = random.permutation(np.arange(DOCUMENTS) % 4)
    year = random.permutation(np.arange(1900, 1900 + DOCUMENTS))
    named = {"flag": flag.tolist(), "party": [f"party {p}" for p in party], "year": year.tolist()}
    follows = np.array([0.9, 0.3, -0.3, -0.9])[party]
    return named, {"flag": 1.2 * flag, "party": follows, "year": (year - 1930) / 25}


def slow_auc(values: Tensor, positive: Tensor) -> float:
    """Every pair compared; a tie is half."""
    ones, zeros = values[positive], values[~positive]
    return float(((ones[:, None] > zeros).double() + 0.5 * (ones[:, None] == zeros).double()).mean())
