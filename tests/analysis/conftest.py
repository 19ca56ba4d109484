"""Parts on disk for tests that run the worker from end to end: a tiny model, two SAEs, a small corpus."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from analysis.config import AnalyzeConfig
from tests.analysis.tiny_models import D_MODEL, save_tiny
from tests.planted import sae_folder

WORDS = (
    *("the", "sea", "and", "sky", "of", "whales", "we", "sailed", "on", "under"),
    *("stars", "that", "night;", "no", "wind", "came.", "All", "hands", "slept"),
)


@dataclass(frozen=True)
class Parts:
    """Paths of what a run needs."""

    model: Path
    saes: list[Path]
    corpus: Path

    def config(self, db: Path, **changes: object) -> AnalyzeConfig:
        """A run over everything: 6,000 tokens in contexts of 48."""
        values: dict[str, object] = {
            "model": str(self.model),
            "saes": [str(path) for path in self.saes],
            "corpus": str(self.corpus),
            "tokens": 6000,
            "db": str(db),
            "context": 48,
            "contexts": 8,
            "pilot_tokens": 1500,
            "dtype": "float32",
        }
        return AnalyzeConfig(**(values | changes))  # type: ignore[arg-type]

    def arguments(self, db: Path, *more: str) -> list[str]:
        """The same as a command line."""
        saes = [word for path in self.saes for word in ("--sae", str(path))]
        named = {"--model": self.model, "--corpus": self.corpus, "--db": db}
        given = [word for name, value in named.items() for word in (name, str(value))]
        rest = ["--tokens", "6000", "--context", "48", "--dtype", "float32"]
        return ["analyze", *given, *saes, *rest, *more]


@pytest.fixture(scope="session")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Parts:
    """Made once; tests only read them."""
    base = tmp_path_factory.mktemp("parts")
    model = save_tiny("llama", base / "tiny-llama")
    saes = [_sae(base / f"sae-{layer}", layer) for layer in (0, 2)]
    return Parts(model, saes, _corpus(base / "texts.jsonl"))


def _sae(folder: Path, layer: int) -> Path:
    """24 latents, k = 6: two antipodal pairs, one duplicate, one that is never on, the rest random."""
    generator = torch.Generator().manual_seed(layer)
    rows = torch.nn.functional.normalize(torch.randn(24, D_MODEL, generator=generator), dim=1)
    rows[1], rows[3], rows[5] = -rows[0], -rows[2], rows[4]
    bias = torch.zeros(24)
    bias[23] = -1e6
    return sae_folder(folder, rows, rows, bias, kind="TopK", k=6, hook=f"blocks.{layer}.hook_resid_post")


def _corpus(path: Path) -> Path:
    draw = random.Random(0)
    lines = []
    for number in range(90):
        paragraphs = [" ".join(draw.choices(WORDS, k=draw.randint(20, 60))) for _ in range(draw.randint(1, 4))]
        lines.append({"text": "\n\n".join(paragraphs), "title": f"Log {number}", "year": 1840 + number % 20})
    path.write_text("\n".join(json.dumps(line) for line in lines))
    return path
