"""An SAE beside a bottleneck through a whole run: what goes past its latents is in the store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.reading.bottleneck import Bottleneck, save_bottleneck
from analysis.run.analyze import analyze
from store.session import make_engine
from store.tables import Analysis
from tests.analysis.conftest import Parts
from tests.planted import sae_folder

RANK, D = 3, 32


def beside(folder: Path) -> Path:
    """A random SAE after layer 0 with a random bottleneck."""
    random = torch.Generator().manual_seed(3)
    rows = torch.nn.functional.normalize(torch.randn(24, D, generator=random), dim=1)
    sae_folder(folder, rows, rows, kind="TopK", k=6, hook="blocks.0.hook_resid_post")
    w_in, w_out, b = (torch.randn(*shape, generator=random) / 3 for shape in ((RANK, D), (D, RANK), (D,)))
    config = json.loads((folder / "cfg.json").read_text())
    config["metadata"]["bottleneck"] = save_bottleneck(Bottleneck(w_in, w_out, b), folder, "learned")
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder


def test_what_goes_past_the_latents_is_stored(parts: Parts, tmp_path: Path) -> None:
    db = tmp_path / "run.db"
    saes = [str(beside(tmp_path / "beside")), str(parts.saes[1])]
    analyze(parts.config(db, saes=saes, random_directions=16), Console(quiet=True))
    with Session(make_engine(db)) as session:
        with_it, without = session.scalars(select(Analysis).order_by(Analysis.id)).all()
        found = with_it.summary["beside"]
        assert "beside" not in without.summary
    assert [axis["share"] for axis in found["axes"]] == sorted((axis["share"] for axis in found["axes"]), reverse=True)
    assert sum(axis["share"] for axis in found["axes"]) == pytest.approx(1.0, abs=1e-3)
    assert len(found["axes"]) == RANK
    assert found["chance"] == pytest.approx(RANK / D, abs=1e-4)
    assert found["variance"] > 0
    for name in ("dense", "components"):
        assert 0 <= found[name] <= 1
    for axis in found["axes"]:
        assert sum(axis["added"].values()) == pytest.approx(axis["total"][0], abs=2e-3)
