"""What a command was asked for: one dataclass per command, checked as a whole."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field

from analysis import __version__
from analysis.errors import UserError


@dataclass(frozen=True)
class AnalyzeConfig:
    """What `analyze` was asked for."""

    model: str
    """Local folder, .gguf file, hub id or `demo`."""
    saes: list[str]
    """SAE folders in sae-lens' format, or release:sae_id."""
    corpus: str
    """.jsonl, .txt, gzipped or not, or a folder of those."""
    tokens: int
    """Counted tokens to read; fewer if the text ends."""
    db: str = "dense-latents.db"
    """SQLite path or database URL."""
    dense_threshold: float = 0.1
    """A latent is dense above this density."""
    context: int = 256
    """Tokens per context, BOS included."""
    contexts: int = 8
    """Contexts per batch."""
    seed: int = 0
    """Of the sample of contexts and examples."""
    pilot_tokens: int = 8192
    """Tokens that decide which latents get detail."""
    detail: dict[int, list[int]] = field(default_factory=dict)
    """Layer -> further latents that get examples and profiles."""
    text_field: str = "text"
    """Column of a .jsonl that holds the text."""
    dtype: str = "auto"
    """Of the model; SAEs always encode in float32."""
    device: str = "auto"
    """auto, cpu or cuda."""
    resume: bool = False
    """Go on from the last checkpoint of the same run."""
    checkpoint_seconds: float = 60.0
    """Time between checkpoints."""
    tag: str = ""
    """Stored with the run; the demo finds its own run by it."""

    def __post_init__(self) -> None:
        if not self.saes:
            raise UserError("analyze: expected at least one --sae")
        if len(set(self.saes)) != len(self.saes):
            raise UserError("analyze: the same --sae is given twice")
        if self.tokens < 1:
            raise UserError(f"--tokens {self.tokens}: expected a positive number")
        if not 0 < self.dense_threshold < 1:
            raise UserError(f"--dense-threshold {self.dense_threshold}: expected a share between 0 and 1")
        if self.contexts < 1:
            raise UserError(f"--contexts {self.contexts}: expected a positive number")
        if self.context < 8:
            raise UserError(f"--context {self.context}: expected at least 8 tokens")

    def key(self, model: str, corpus: str, saes: list[tuple[str, str]], dtype: str) -> str:
        """Hash of all that fixes the numbers: the same key, the same rows.

        Args:
            model, corpus: their SHA-256.
            saes: SHA-256 of the weights and of the configuration of each.
            dtype: of the model as loaded.
        """
        parts = [__version__, model, corpus, saes, dtype, self.tokens, self.dense_threshold, self.context]
        parts += [self.contexts, self.seed, self.pilot_tokens, sorted(self.detail.items()), self.text_field]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def parse_detail(items: list[str]) -> dict[int, list[int]]:
    """`15:1024,7` -> {15: [1024, 7]}; several items add up.

    Raises:
        UserError: another form.
    """
    wanted: dict[int, list[int]] = {}
    for item in items:
        layer, _, indices = item.partition(":")
        try:
            wanted.setdefault(int(layer), []).extend(int(index) for index in indices.split(","))
        except ValueError:
            raise UserError(f"--detail {item}: expected LAYER:INDEX[,INDEX ...], e.g. 15:1024") from None
    return wanted
