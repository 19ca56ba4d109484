"""What `steer` was asked for, and the rules it measures by."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from analysis import __version__
from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.interventions.subject import Asked, Subject

DOSES = (1.0, 2.0, 4.0, 8.0)  # standard deviations of the projection
MOST_COST = 1.0  # nats per token of ordinary text: a dose that costs more breaks the model, and is refused
CUT = 0.75  # flip rate (reported about the paper)
PREFIX = 2  # pieces of text before what is scored
FEWEST = 8  # pairs of texts, in each half: with fewer, even a rate of 1 is no better than 0.68
FEWEST_TEXTS = 2 * FEWEST


@dataclass(frozen=True)
class SteerConfig(Asked):
    """One SAE of a store."""

    pairs: list[tuple[int, int]] = field(default_factory=list)
    """Antipodal pairs, either way round."""
    latents: list[int] = field(default_factory=list)
    """Latents without a mirror image. Without pairs and latents: candidates of context binding, then other pairs."""
    limit: int = 8
    """Signals at most, where none is named."""
    texts: int = 24
    """Pairs of texts for each signal: one half chooses the dose, the other measures."""
    controls: int = 3
    """Random directions, and sparse latents, each tried both ways round."""
    length: int = 24
    """Tokens of each text; what stands before it is twice as long."""
    examples: int = 3
    """Beginnings that are continued with and without steering, for each pair."""
    seed: int = 0
    """Of the controls and the bootstrap."""

    def __post_init__(self) -> None:
        least = {"limit": 1, "texts": FEWEST_TEXTS, "controls": 1, "length": 4, "examples": 0}
        for name, number in least.items():
            if getattr(self, name) < number:
                raise UserError(f"--{name} {getattr(self, name)}: expected at least {number}")
        if self.texts % 2:
            raise UserError(f"--texts {self.texts}: expected an even number: one half chooses, the other measures")

    @property
    def pool(self) -> int:
        """Documents to look for poles in: twice as many as pairs are taken from."""
        return 2 * self.texts

    def key(self, subject: Subject) -> str:
        """Hash of all that fixes a signal's numbers; not which signals: they do not depend on each other."""
        stored = subject.stored
        parts: list[Any] = [__version__, stored.sha256, subject.sae.settings, stored.model_fingerprint]
        parts += [stored.corpus_sha256, stored.context, stored.seed, stored.settings["tokens"], stored.controls]
        parts += [self.texts, self.controls, self.length, self.examples, self.seed]
        parts += [subject.model.dtype_name, stored.analysis_id, DOSES, MOST_COST, CUT]
        return hash_of(parts)

    def settings(self) -> dict[str, Any]:
        """What it was asked for, and the rules; not where it is stored, since a database URL may hold a password."""
        found = asdict(self)
        del found["db"]
        return found | {"doses": DOSES, "most_cost": MOST_COST, "cut": CUT}


def parse_pairs(items: list[str]) -> list[tuple[int, int]]:
    """`591:1042` -> (591, 1042).

    Raises:
        UserError: another form.
    """
    found = []
    for item in items:
        one, _, other = item.partition(":")
        try:
            found.append((int(one), int(other)))
        except ValueError:
            raise UserError(f"--pair {item}: expected POS:NEG, two latents, e.g. 591:1042") from None
    return found
