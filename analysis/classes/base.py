"""What a class is: evidence -> score, cut, chance, control, label and what is to be said of it, as a code with numbers.

A class is a file with `STATISTIC` (its declaration, for /methods), `THRESHOLDS` (what it must reach, by name),
`ORDER` (its place among the others) and `judge(evidence) -> list[Finding]`, one finding for each detail latent.
What holds for all: a label needs the score to reach its cut *and* to
exceed what random directions reach on the same text, as many as there are latents (`chance_level`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from analysis.decomposition.follow import Followed
from analysis.reading.tags import Tags
from analysis.statistics.covariance import Covariance
from analysis.statistics.declaration import Statistic
from analysis.statistics.mixture import MixtureSummary
from analysis.statistics.ranks import Order
from analysis.statistics.signals import Signals
from analysis.statistics.tails import chance_level
from store.vocabulary import HOLDS, UNMEASURED, Statement


@dataclass(frozen=True)
class Finding:
    """What one class says of one latent; numbers are NaN where there are none."""

    label: str
    statement: Statement
    score: float = math.nan
    cut: float = math.nan
    chance: float = math.nan
    control: float = math.nan
    p: float = math.nan
    q: float = math.nan
    data: dict[str, Any] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """The latent has this class, as far as it was measured."""
        return self.label in HOLDS


def unmeasured(why: Statement, count: int) -> list[Finding]:
    """The same reason for every latent."""
    return [Finding(UNMEASURED, why) for _ in range(count)]


CONSTANT: Statement = {"code": "constant"}
"""Why a signal that does not vary is not measured."""


class Lens(NamedTuple):
    """What the model's output end is, shared by all layers."""

    unembedding: Tensor  # [D, vocab] float32, the final norm's gain folded in
    quiet: Tensor  # [D, D] float64: directions of the residual stream by falling effect on the logits, columns
    words: list[str]  # of every vocabulary id
    sayable: Tensor  # [vocab] bool: neither special, byte, unused nor empty
    layers: int  # of the model


Thresholds = Mapping[str, float]
"""By name, of all classes and `SHARED`: set before anything was measured, never tuned to find more."""
SHARED: Thresholds = {
    "documents": 64,  # with fewer, nothing that rests on text can be labelled: slow noise looks like an effect
    "q": 0.05,  # false discovery rate (Benjamini-Hochberg) of the classes that make a test
}
Embedding = Callable[[Tensor], Tensor]  # token ids [n] -> what the model puts in for them [n, D]


@dataclass(frozen=True)
class Crowd:
    """Many random directions on a part of the sample, massive tokens left out."""

    signals: Signals
    tags: Tags

    @cached_property
    def order(self) -> Order:
        """Of the directions' signals."""
        return Order(self.signals.values.T.contiguous())

    def ranks_of(self, keep: Tensor) -> Tensor:
        """[r, kept] float32: average ranks within the tokens of `keep` [n] bool."""
        return self.order.ranks() if bool(keep.all()) else self.order.ranks(keep)[:, keep]


@dataclass(frozen=True)
class Evidence:
    """All that the classes may look at, for one SAE. m latents with detail, r random directions, q = m + r.

    `signals` is without massive tokens; `tags` has one entry for each of its tokens.
    """

    layer: int
    signals: Signals
    tags: Tags
    covariance: Covariance
    mixture: MixtureSummary
    pool: Tensor  # [c] int64: latents of `mixture`
    lens: Lens
    embedding: Embedding
    thresholds: Thresholds
    crowd: Crowd | None = None
    compared: int | None = None
    """Latents that a chance level is for, where they are not all those of `signals`."""
    sparse: Tensor = field(default_factory=lambda: torch.zeros(0, 0), repr=False)
    """[c, D]: decoder directions of the SAE's sparse latents, for what rests on the weights alone."""
    followed: Followed | None = None
    """What the activations of the latents follow; None where the sample has too few documents."""
    _memory: list[Tensor] = field(default_factory=list, repr=False, compare=False)

    @property
    def count(self) -> int:
        """m."""
        return len(self.signals.latents)

    @property
    def tests(self) -> int:
        """Latents that are compared with a chance level."""
        return self.count if self.compared is None else self.compared

    def level(self, values: Tensor) -> float:
        """What |value| of the random directions' [r] the latents of this SAE must exceed."""
        return chance_level(values, self.tests)

    @cached_property
    def chance(self) -> Crowd:
        """Random directions for what rests on text: many on a part of it, where there are such."""
        return self.crowd or Crowd(self.signals.randoms(), self.tags)

    @property
    def documents(self) -> int:
        """Documents in the sample."""
        return self.signals.sample.documents

    @cached_property
    def rows(self) -> Tensor:
        """[q, n] float32: the signals, one a row."""
        return self.signals.values.T.contiguous()

    @cached_property
    def order(self) -> Order:
        """The signals sorted, for ranks within parts of the sample."""
        return Order(self.rows)

    @cached_property
    def ranks(self) -> Tensor:
        """[q, n] float32: average ranks of the signals."""
        return self.order.ranks()

    def ranks_of(self, keep: Tensor) -> Tensor:
        """[q, kept] float32: average ranks within the tokens of `keep` [n] bool. The last answer is remembered."""
        if bool(keep.all()):
            return self.ranks
        if not (self._memory and torch.equal(self._memory[0], keep)):
            self._memory[:] = keep, self.order.ranks(keep)[:, keep]
        return self._memory[1]

    @cached_property
    def group(self) -> Tensor:
        """[n] int64: group of documents of each token."""
        return self.signals.sample.group[self.signals.sample.context]

    def too_few_documents(self) -> Statement | None:
        """Why nothing that rests on text can be labelled; None where it can."""
        if not len(self.signals.values):
            return {"code": "no_tokens"}
        found, needed = self.documents, self.thresholds["documents"]
        return None if found >= needed else {"code": "few_documents", "found": found, "needed": needed}

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """[q, ...] -> of the latents [m, ...], of the random directions [r, ...]."""
        return values[: self.count], values[self.count :]


def beats(score: float, cut: float, chance: float) -> bool:
    """Reaches the cut and exceeds chance, where chance is known."""
    return score >= cut and not score <= chance


def rounded(values: Any, digits: int = 4) -> Any:
    """Tensor -> nested lists of rounded numbers, None where not finite."""
    if isinstance(values, Tensor):
        values = values.tolist()
    if isinstance(values, list | tuple):
        return [rounded(value, digits) for value in values]
    if isinstance(values, float):
        return float(f"{values:.{digits}g}") if math.isfinite(values) else None
    return values


Judge = Callable[[Evidence], list[Finding]]


class Class(NamedTuple):
    """A class and how it is decided."""

    statistic: Statistic
    judge: Judge
    thresholds: Thresholds

    @property
    def name(self) -> str:
        """As the store has it."""
        return self.statistic.name


def declared(name: str, title: str, definition: str, grade: str, source: str) -> Statistic:
    """A class's declaration."""
    return Statistic(name, title, "", "class", "class", definition, grade, source)
