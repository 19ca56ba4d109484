"""What `ablate` was asked for."""

from __future__ import annotations

from dataclasses import dataclass

from analysis import __version__
from analysis.errors import UserError
from analysis.hashing import hash_of
from analysis.interventions.subject import Asked, Subject
from store.vocabulary import EPSILON


@dataclass(frozen=True)
class AblateConfig(Asked):
    """One SAE of a store."""

    tokens: int = 20_000
    """Counted tokens of text to ablate on."""
    controls: int = 1
    """Random directions, and sparse latents' directions, for each dense latent and each pair."""
    sets: int = 3
    """Controls of each kind for the whole dense set."""
    epsilon: float = EPSILON
    """Nats per token: a loss whose interval lies within +- epsilon is equivalent to none."""
    seed: int = 0
    """Of controls and bootstrap."""
    contexts: int = 2
    """Contexts per forward pass, each in all its versions."""
    rows: int = 16_384
    """Tokens x ablations per forward pass."""
    checkpoint_seconds: float = 60.0
    """Time between checkpoints."""

    def __post_init__(self) -> None:
        for name, least in (("tokens", 1), ("controls", 0), ("sets", 0), ("contexts", 1), ("rows", 1)):
            if getattr(self, name) < least:
                raise UserError(f"--{name} {getattr(self, name)}: expected at least {least}")
        if not self.epsilon > 0:
            raise UserError(f"--epsilon {self.epsilon}: expected a number of nats above 0")

    def key(self, subject: Subject) -> str:
        """Hash of all that fixes the numbers: the same key, the same rows."""
        stored = subject.stored
        parts: list[object] = [
            __version__,
            stored.sha256,
            subject.sae.settings,
            stored.model_fingerprint,
            stored.corpus_sha256,
        ]
        parts += [stored.context, stored.seed, sorted(stored.densities.items()), stored.pairs, stored.dense]
        parts += [self.tokens, self.controls, self.sets, self.epsilon, self.seed, self.contexts]
        parts += [subject.model.dtype_name, stored.analysis_id]
        return hash_of(parts)
