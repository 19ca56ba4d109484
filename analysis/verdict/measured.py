"""What is known of one latent when it is judged."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from store.vocabulary import EPSILON, LIKELY, LITTLE, NO, OFTEN, STEERED, UNMEASURED, YES, Statement

NEEDED, HARMFUL, EQUIVALENT, UNCLEAR, BEYOND = "needed", "harmful", "equivalent", "unclear", "beyond"
PUSH = "push"  # beyond epsilon, and its matched controls reach it as often as not
ALONE = "alone"  # beyond epsilon, and no matched control was measured
BEATS = 0.95  # share of the controls
TRAINED = 0.2  # share of the sparse latents found again, below which retraining says nothing of the dense ones


@dataclass(frozen=True)
class ClassFound:
    """What one class says of the latent."""

    name: str
    label: str
    """yes, likely, no, unmeasured."""
    statement: Statement


@dataclass(frozen=True)
class LabelFound:
    """What one label of the corpus says of the latent."""

    name: str
    verdict: str
    """yes, no, unmeasured."""
    statement: Statement


@dataclass(frozen=True)
class Change:
    """What mean-ablating the latent, or its pair, does: changed less clean, nats per token, 95 % over documents."""

    of: str
    """latent, pair."""
    loss: float
    low: float | None
    high: float | None
    kl: float
    kl_low: float | None
    kl_high: float | None
    equivalent: bool | None
    """The interval of the loss lies within the ablation's ±epsilon."""
    control: dict[str, Any] = field(default_factory=dict)
    """Measure -> what matched controls reach."""

    def status(self, epsilon: float) -> str:
        """needed (the loss rises by more), harmful (it falls by more), push, alone, equivalent, unclear."""
        needed = self.low is not None and self.low > epsilon
        if needed or (self.high is not None and self.high < -epsilon):
            if not self.is_matched:
                return ALONE
            return PUSH if self.is_push else NEEDED if needed else HARMFUL
        return EQUIVALENT if self.equivalent else UNCLEAR

    @property
    def is_matched(self) -> bool:
        """Matched controls were measured."""
        band = self.control.get("loss") or {}
        return bool(band.get("n")) and band.get("beats") is not None

    @property
    def is_push(self) -> bool:
        """Random directions of its length change the loss as much as often as not."""
        return self.is_matched and self.control["loss"]["beats"] <= OFTEN

    def moves(self, epsilon: float) -> bool:
        """The KL's interval lies beyond epsilon: what the model says changes, whether better or worse."""
        return self.kl_low is not None and self.kl_low > epsilon

    def stands_out(self, epsilon: float) -> bool:
        """It moves what the model says, and more than pushes of its length in other directions do."""
        return self.moves(epsilon) and (self.control.get("kl") or {}).get("beats", 0.0) >= BEATS

    def still(self, epsilon: float) -> bool:
        """The KL's interval lies below epsilon."""
        return self.kl_high is not None and self.kl_high < epsilon


@dataclass(frozen=True)
class Found:
    """Whether SAEs trained from other seeds have the latent too."""

    cosines: tuple[float, ...]
    """The largest |cosine| of its decoder direction with a latent of each."""
    found: int
    stable: bool
    chance: float | None = None
    """What random directions reach, 95 %."""
    sparse: float | None = None
    """Share of the sparse latents that are found again: with little training, hardly any is."""


@dataclass(frozen=True)
class Measured:
    """All that the rule looks at; None: not measured. Density and antipodality are not in it, on purpose."""

    index: int
    is_dense: bool
    has_detail: bool
    partner: int | None
    """The other of its antipodal pair, where it has one."""
    classes: tuple[ClassFound, ...] | None
    labels: tuple[LabelFound, ...] | None
    """Empty where the corpus has none that could be measured."""
    latent: Change | None
    pair: Change | None
    stability: Found | None
    epsilon: float = EPSILON
    tokens: int = 0
    """Of the ablation."""
    followed: float | None = None
    """Share of the variance of its activation that all that was looked for predicts."""

    @property
    def holding(self) -> list[ClassFound]:
        """Classes with their controls passed."""
        return [one for one in self.classes or () if one.label == YES]

    @property
    def open_classes(self) -> list[ClassFound]:
        """Classes of which a part, or all, is not measured."""
        return [one for one in self.classes or () if one.label not in (YES, NO)]

    @property
    def associated(self) -> list[LabelFound]:
        """Labels it goes with."""
        return [one for one in self.labels or () if one.verdict == YES]

    @property
    def labels_known(self) -> bool:
        """At least one label was measured, or there is none to measure."""
        return self.labels is not None and (not self.labels or any(one.verdict != UNMEASURED for one in self.labels))

    @property
    def explained(self) -> bool:
        """A class holds with its controls passed, or a label goes with it."""
        return bool(self.holding or self.associated)

    @property
    def unexplained(self) -> bool:
        """Everything that could explain it was measured, and nothing does."""
        known = self.classes is not None and not self.open_classes and self.labels_known
        return known and not self.explained and self.followed is not None and self.followed < LITTLE

    @property
    def changes(self) -> list[Change]:
        """Effects that were measured: its own, its pair's."""
        return [one for one in (self.latent, self.pair) if one is not None]

    @property
    def moves(self) -> bool:
        """What the model says changes without it, or without its pair."""
        return any(one.moves(self.epsilon) for one in self.changes)

    @property
    def still(self) -> bool:
        """It is shown that what the model says stays the same without it, and without its pair."""
        return bool(self.changes) and all(one.still(self.epsilon) for one in self.changes)

    @property
    def unstable(self) -> bool:
        """Other seeds lack it, though they were trained well enough to have sparse latents in common."""
        held = self.stability
        return held is not None and not held.stable and (held.sparse is None or held.sparse >= TRAINED)

    @property
    def causal(self) -> str:
        """beyond, push, alone, equivalent, unclear, unmeasured: latent and pair taken together."""
        status = [(one.status(self.epsilon), one.stands_out(self.epsilon)) for one in self.changes]
        if any(found in (NEEDED, HARMFUL) or (found in (UNCLEAR, PUSH, ALONE) and moves) for found, moves in status):
            return BEYOND
        if any(found == ALONE for found, _ in status):
            return ALONE
        if self.latent is None or (self.partner is not None and self.pair is None):
            return UNMEASURED
        if all(found == EQUIVALENT for found, _ in status):
            return EQUIVALENT
        return UNCLEAR if any(found == UNCLEAR for found, _ in status) else PUSH


def completed(found: ClassFound, steered: tuple[str, Statement] | None) -> ClassFound:
    """A class that is likely until steering moves the text, with what steering said, if it was asked.

    Where the text does not follow, the class does not hold: steering is a part of it.
    """
    if steered is None or found.name != STEERED or found.label != LIKELY or steered[0] not in (YES, NO):
        return found
    return replace(found, label=steered[0], statement=found.statement | {"steering": steered[1]})
