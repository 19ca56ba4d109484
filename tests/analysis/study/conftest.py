"""Studies' files over the tiny world of texts, and over rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.analysis.conftest import Parts

ABLATE = '[ablate]\ntokens = 300\ndtype = "float32"\ncheckpoint_seconds = 0.0\ncontexts = 1\n'


def texts(parts: Parts, folder: Path, more: str = ABLATE, corpus: Path | None = None) -> Path:
    """One SAE; a checkpoint after every batch."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "tiny.toml"
    path.write_text(f"""
name = "tiny"
db = "tiny.db"
[texts]
model = "{parts.model}"
corpus = "{corpus or parts.corpus}"
sae = "{parts.saes[1]}"
tokens = 3000
context = 48
pilot_tokens = 1500
dtype = "float32"
checkpoint_seconds = 0.0
{more}
""")
    return path


ROWS = """
name = "line 3"
db = "line3.db"
[activations]
matrix = "hidden.npy"
table = "parts.csv"
group = "machine"
order = "time"
[steps]
ablate = true
retrain = false
[attention]
lost = true
drift = 0.1
"""


def rows(folder: Path, share: float = 0.5, follows: bool = True, shift: str = "shift") -> Path:
    """400 rows of three units: 0 is on in `share` of them, 1 where the shift is late (or in half of all rows, whatever
    the shift), 2 hardly ever."""
    draw = np.random.default_rng(0)
    late = np.arange(400) % 2
    units = np.zeros((400, 3), dtype=np.float32)
    units[: round(400 * share), 0] = 1
    units[:, 1] = late if follows else np.arange(400) < 200
    units[:4, 2] = 1
    np.save(folder / "hidden.npy", units * (1 + draw.random((400, 1), dtype=np.float32)))
    lines = [f"{n % 8},{n},{'late' if late[n] else 'early'}" for n in range(400)]
    (folder / "parts.csv").write_text("\n".join([f"machine,time,{shift}", *lines]))
    path = folder / "line3.toml"
    path.write_text(ROWS)
    return path


@pytest.fixture
def line3(tmp_path: Path) -> Path:
    return rows(tmp_path)
