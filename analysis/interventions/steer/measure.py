"""One signal: what each dose costs and turns round, which dose is taken, and what that one does beside its controls."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.steer.config import DOSES, FEWEST, MOST_COST, PREFIX, SteerConfig
from analysis.interventions.steer.flips import Preferences, Rate, either_way, mean, preferences, preferred, rate
from analysis.interventions.steer.pool import Places, Pool, beginnings, foreign, halves, poles, swapped, token_rows
from analysis.interventions.steer.score import LENGTH, Scorer, Texts, continuations, readable
from analysis.interventions.steer.signals import Controls, Signal
from store.vocabulary import RANDOM, SPARSE, SWAPPED, Statement

COST_CONTEXTS = 8  # of ordinary text
COST_PIECES = 4  # of each of these
SHOWN = 3  # pairs of texts that are kept to be shown


@dataclass(frozen=True)
class Dose:
    """One size of push, in standard deviations; rates are of the pairs the dose is chosen on."""

    dose: float
    cost: float
    """Nats per token of ordinary text, the dearer of the two directions."""
    refused: bool
    flips: float | None
    moves: float | None
    pairs: int


@dataclass(frozen=True)
class Control:
    """What something that should not flip preferences does at the same dose, on the measured pairs."""

    of: str
    """random, sparse, swapped; foreign decides nothing."""
    latent: int | None
    flips: float
    pairs: int


@dataclass(frozen=True)
class Steered:
    """All of one signal."""

    doses: list[Dose]
    chosen: float | None
    """None where nothing could be measured: `reason` says why."""
    rate: Rate | None
    moves: float | None
    pairs: int
    controls: list[Control]
    examples: list[dict[str, str]]
    texts: list[dict[str, Any]]
    sd: float
    reason: Statement | None = None

    def largest(self, of: str) -> float | None:
        """What the largest control of a kind reaches."""
        found = [control.flips for control in self.controls if control.of == of]
        return max(found) if found else None

    def data(self) -> dict[str, Any]:
        """The evidence, for the page."""
        return {
            "doses": [asdict(dose) for dose in self.doses],
            "controls": [asdict(control) for control in self.controls],
            "moves": self.moves,
            "sd": self.sd,
            "texts": self.texts,
            "examples": self.examples,
        }


class Steering:
    """Measures signals on one pool of texts.

    Args:
        scorer: the model.
        pool: the texts.
        config: what was asked for.
    """

    def __init__(self, scorer: Scorer, pool: Pool, config: SteerConfig) -> None:
        self.scorer, self.pool, self.config = scorer, pool, config
        self.ordinary = self._ordinary()

    def _ordinary(self) -> Texts:
        """The beginnings of a few contexts, whatever the signals say of them."""
        pieces = min(COST_PIECES, self.pool.token.shape[1])
        whole = torch.nonzero(self.pool.whole[:, :pieces].all(1)).flatten()[:COST_CONTEXTS]
        if not len(whole):
            raise UserError(
                f"expected a context that begins with {COST_PIECES * self.config.length} tokens of ordinary"
                " text, to measure what a push costs; found none: try another --length"
            )
        text = self.pool.token[whole, :pieces].flatten(1)
        lead = torch.tensor(self.pool.bos, dtype=torch.int64).expand(len(text), -1)
        rows = torch.cat([lead, text], 1)
        # without BOS the first token is not predicted
        return self.scorer.read(rows, text.shape[1] - (not self.pool.bos))

    @property
    def clean_loss(self) -> float:
        """Nats per token of ordinary text, the model left alone."""
        return -float(self.ordinary.clean.mean()) / self.ordinary.scored

    def measure(self, number: int, signal: Signal, direction: Tensor, controls: Controls) -> Steered:
        """All of one signal, which is the pool's `number`-th."""
        sd = float(self.pool.sd[number])
        pairs = poles(self.pool, number, self.config.texts)
        choosing, measuring = halves(pairs)
        if not sd > 0:
            return _nothing({"code": "constant"}, sd)
        if len(choosing.text) < FEWEST:
            return _nothing({"code": "few_pairs", "found": len(pairs.text), "needed": 2 * FEWEST}, sd)
        doses = self._doses(choosing, direction, sd)
        chosen = best(doses)
        if chosen is None:
            return _nothing({"code": "dear", "cost": MOST_COST}, sd, doses)
        return self._measured(measuring, signal, direction, controls, doses, chosen, sd)

    def _doses(self, choosing: Places, direction: Tensor, sd: float) -> list[Dose]:
        texts = self._read(choosing)
        return [self._dose(texts, direction, dose, sd) for dose in DOSES]

    def _dose(self, texts: Texts, direction: Tensor, dose: float, sd: float) -> Dose:
        push = direction * (dose * sd)
        loss = -self.ordinary.pushed(torch.stack([push, -push])).mean(1) / self.ordinary.scored
        cost = float(loss.max()) - self.clean_loss
        pairs = len(texts.clean) // 2
        if not cost <= MOST_COST:
            return Dose(dose, cost, True, None, None, pairs)
        found = preferences(texts, direction, dose * sd)
        return Dose(dose, cost, False, mean(found.flips), mean(found.moves), pairs)

    def _measured(
        self, places: Places, signal: Signal, direction: Tensor, controls: Controls, doses: list[Dose],
        chosen: float, sd: float,
    ) -> Steered:  # fmt: skip
        size = chosen * sd
        texts = self._read(places)
        own = preferences(texts, direction, size)
        document = self.pool.document[places.text]
        return Steered(
            doses,
            chosen,
            rate(own.flips, document, self.config.seed),
            mean(own.moves),
            len(places.text),
            self._controls(places, texts, direction, controls, size),
            self._examples(places, direction * size) if signal.is_pair else [],
            self._shown(places, texts, own),
            sd,
        )

    def _controls(
        self, places: Places, texts: Texts, direction: Tensor, controls: Controls, size: float
    ) -> list[Control]:
        found = []
        for of, lines, latents in (
            (RANDOM, controls.random, [None] * len(controls.random)),
            (SPARSE, controls.sparse, controls.latents),
        ):
            for line, latent in zip(lines, latents, strict=True):
                found.append(Control(of, latent, either_way(preferences(texts, line, size)), len(places.text)))
        for of, moved in ((SWAPPED, swapped(self.pool, places)), ("foreign", foreign(self.pool, places))):
            if len(moved.text):
                flips = preferences(self._read(moved), direction, size).flips
                found.append(Control(of, None, mean(flips), len(moved.text)))
        return found

    def _read(self, places: Places) -> Texts:
        return self.scorer.read(token_rows(self.pool, places), self.pool.token.shape[2])

    def _examples(self, places: Places, push: Tensor) -> list[dict[str, str]]:
        few = beginnings(self.pool, places.at(torch.arange(min(self.config.examples, len(places.text)))))
        return continuations(self.scorer.model, self.scorer.tail.hook_point, few, push, self.scorer.progress)

    def _shown(self, places: Places, texts: Texts, own: Preferences) -> list[dict[str, Any]]:
        """A few pairs of texts as they are, and by how much the positive one is preferred, in nats per token."""
        clean = preferred(texts.clean, texts.scored)
        found = []
        for number in range(min(SHOWN, len(places.text))):
            one = places.at(torch.tensor([number]))
            words = {"prefix": beginnings(self.pool, one)[0]}
            words |= {"positive": self.pool.token[one.text[0], one.positive[0]]}
            words |= {"negative": self.pool.token[one.text[0], one.negative[0]]}
            prefers = {"minus": own.minus, "zero": clean, "plus": own.plus}
            found.append(
                {name: readable(self.scorer.model, ids) for name, ids in words.items()}
                | {name: round(float(part[number]), 4) for name, part in prefers.items()}
            )
        return found


def best(doses: list[Dose]) -> float | None:
    """The dose with most flips, the smaller one of equals; None where all are refused."""
    allowed = [dose for dose in doses if not dose.refused]
    return max(allowed, key=lambda dose: (dose.flips or 0.0, -dose.dose)).dose if allowed else None


def _nothing(reason: Statement, sd: float, doses: list[Dose] | None = None) -> Steered:
    return Steered(doses or [], None, None, None, 0, [], [], [], sd, reason)


def planned(config: SteerConfig, lead: int) -> int:
    """Tokens that go through the model for one signal, at most: passes x texts x tokens."""
    before = lead + PREFIX * config.length
    row = config.texts * (before + config.length)  # both texts of half of the pairs
    choosing = row * (1 + 2 * len(DOSES))
    measuring = row * (1 + 2 * (1 + 2 * config.controls) + 2 * (1 + 2))
    costs = 2 * len(DOSES) * COST_CONTEXTS * (lead + COST_PIECES * config.length)
    examples = 3 * config.examples * (before + LENGTH - 1)
    return choosing + measuring + costs + examples
