"""What `retrain` was asked for, and what its arms are."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from analysis.errors import UserError

HEADLINE = ("original", "dense", "dimension")
ARMS = {
    "original": "nothing removed",
    "dense": "the span of the dense latents' decoder directions removed",
    "dimension": "a span of sparse latents of as many dimensions removed",
    "count": "the span of as many sparse latents as there are dense ones removed",
    "variance": "the span of sparse latents that hold as much variance removed",
    "components": "as many top principal components removed",
    "abstopk": "nothing removed, AbsTopK",
    "abstopk_half": "nothing removed, AbsTopK at half the width",
}


@dataclass(frozen=True)
class RetrainConfig:
    """What `retrain` was asked for; None: as the SAE whose dense latents are removed, or as its run."""

    db: str
    """The store."""
    saes: list[str]
    """Slugs or layers; an experiment each."""
    run: int | None = None
    """The newest complete one where None."""
    arms: list[str] = field(default_factory=lambda: list(ARMS))
    """Of `ARMS`."""
    seeds: int = 3
    """SAEs of each headline arm."""
    other_seeds: int = 1
    """SAEs of each other arm."""
    architecture: str | None = None
    """One of `analysis.training.train.ARCHITECTURES`."""
    width: int | None = None
    """Number of latents."""
    k: float | None = None
    """Latents on per token."""
    learning_rate: float | None = None
    """Peak of Adam's rate."""
    batch: int | None = None
    """Tokens per training step."""
    train_tokens: int = 7_000_000
    """Token-steps of each SAE."""
    tokens: int = 600_000
    """Different tokens that are cached and trained on."""
    eval_tokens: int = 60_000
    """Held-out tokens on which everything is measured."""
    context: int | None = None
    """Tokens per context, BOS included."""
    held_out: float = 0.1
    """Share of documents that are never trained on."""
    energy: float = 0.99
    """Share of the decoder directions' squared length that their span keeps."""
    mean: bool = False
    """Put the removed part at its mean instead of at zero."""
    found_cosine: float = 0.7
    """|cosine| from which a latent counts as found again under another seed."""
    jobs: int = 1
    """SAEs trained at the same time, each on its share of the cores."""
    out: Path | None = None
    """Folder of the arms' SAE folders; in the cache folder where None."""
    model: str | None = None
    """Where the model is now."""
    weights: list[str] = field(default_factory=list)
    """Where the SAEs are now, in the order of `saes`."""
    corpus: str | None = None
    """Where the texts are now."""
    dtype: str = "auto"
    """Of the model."""
    device: str = "auto"
    """auto, cpu, cuda."""

    def __post_init__(self) -> None:
        if not self.saes:
            raise UserError("retrain: expected at least one --sae, e.g. --sae 15")
        for arm in self.arms:
            if arm not in ARMS:
                raise UserError(f"unknown arm '{arm}'; choose one of {', '.join(ARMS)}")
        object.__setattr__(self, "arms", [arm for arm in ARMS if arm in self.arms])  # each once, in order
        _at_least(1, jobs=self.jobs, seeds=self.seeds, other_seeds=self.other_seeds)
        _at_least(1, tokens=self.tokens, eval_tokens=self.eval_tokens)
        for name, share in (("held-out", self.held_out), ("found-cosine", self.found_cosine)):
            if not 0 < share < 1:
                raise UserError(f"--{name} {share}: expected a number between 0 and 1")
        if not 0 < self.energy <= 1:
            raise UserError(f"--energy {self.energy}: expected a share above 0, at most 1")
        if self.weights and len(self.weights) != len(self.saes):
            raise UserError(f"--weights: expected one for each of {len(self.saes)} --sae; found {len(self.weights)}")

    def seeds_of(self, arm: str) -> int:
        """How many SAEs an arm has."""
        return self.seeds if arm in HEADLINE else self.other_seeds


def _at_least(least: int, **values: int) -> None:
    for name, value in values.items():
        if value < least:
            raise UserError(f"--{name.replace('_', '-')} {value}: expected at least {least}")
