"""Loading an SAE as another library saved it gives no warning about our own calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.planted import sae_folder
from tests.root import ROOT


@pytest.mark.parametrize("kind", ["TopK", "AbsTopK"])
def test_nothing_is_said_of_a_sound_sae(tmp_path: Path, kind: str) -> None:
    """In a process of its own: torch warns of some things once a process."""
    rows = torch.nn.functional.normalize(torch.randn(20, 8, generator=torch.Generator().manual_seed(0)), dim=1)
    folder = sae_folder(tmp_path / "sae", rows, 2 * rows, kind=kind, k=3, rescale_acts_by_decoder_norm=True)
    load = f"from analysis.reading.sae import load_sae; load_sae({str(folder)!r})"
    told = subprocess.run([sys.executable, "-c", load], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stderr == ""
