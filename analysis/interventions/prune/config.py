"""What `prune` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.errors import UserError
from analysis.interventions.subject import Asked
from store.vocabulary import VERDICTS


@dataclass(frozen=True, kw_only=True)
class PruneConfig(Asked):
    """One SAE of a store, and which of its latents are to go."""

    out: Path
    """Folder of the new SAE; made, or empty."""
    verdict: str | None = None
    """All latents with this verdict by rule."""
    latents: str | None = None
    """Or these: `3,17,40`, or a file, see `read_list`."""
    fold_mean: bool = True
    """Put what the latents add on average into b_dec: what ablation found to be the same is a latent at its mean."""
    tokens: int = 20_000
    """Held-out tokens of the report; the means are taken over as many others."""
    held_out: float = 0.1
    """Share of documents kept for the report, by the same draw as in train-sae."""
    contexts: int = 8
    """Contexts per batch."""

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.latents is None):
            raise UserError("prune: expected either --verdict or --latents, to say which latents are to go")
        if self.verdict is not None and self.verdict not in VERDICTS:
            raise UserError(f"--verdict {self.verdict}: unknown verdict; choose one of {', '.join(VERDICTS)}")
        if not 0 < self.held_out < 0.9:
            raise UserError(f"--held-out {self.held_out}: expected a share between 0 and 0.9")
        for name, least in (("tokens", 1), ("contexts", 1)):
            if getattr(self, name) < least:
                raise UserError(f"--{name} {getattr(self, name)}: expected at least {least}")
