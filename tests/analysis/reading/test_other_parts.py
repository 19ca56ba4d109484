"""The same worker on other families and other SAEs: GPT-2, which has no BOS of its own, and signed latents."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.run.analyze import analyze
from store.arrays import unpack
from store.session import make_engine
from store.tables import Analysis, Latent, Profile, Run
from tests.analysis.conftest import Parts
from tests.analysis.tiny_models import D_MODEL, FAMILIES, save_tiny
from tests.planted import sae_folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_analysed(parts: Parts, tmp_path: Path, family: str) -> None:
    model = save_tiny(family, tmp_path / family)
    analyze(parts.config(tmp_path / "run.db", model=str(model), tokens=700, pilot_tokens=300), Console(quiet=True))
    with Session(make_engine(tmp_path / "run.db")) as session:
        assert session.scalars(select(Run)).one().tokens == 700
        assert all(0 < found.l0 <= 6 for found in session.scalars(select(Analysis)))


def test_signed_latents_are_counted_on_both_sides(parts: Parts, tmp_path: Path) -> None:
    rows = torch.nn.functional.normalize(torch.randn(12, D_MODEL, generator=torch.Generator().manual_seed(1)), dim=1)
    folder = sae_folder(tmp_path / "signed", rows, rows, kind="AbsTopK", k=4, hook="blocks.1.hook_resid_post")
    analyze(parts.config(tmp_path / "run.db", saes=[str(folder)]), Console(quiet=True))
    with Session(make_engine(tmp_path / "run.db")) as session:
        latents = {latent.index: latent for latent in session.scalars(select(Latent))}
        histograms = list(session.scalars(select(Profile).where(Profile.name == "histogram")))
        assert session.scalars(select(Analysis)).one().l0 == pytest.approx(4)
    both_sides = 0
    for row in histograms:
        assert row.values is not None
        counts, edges = unpack(row.values), row.data["edges"]
        assert len(edges) == len(counts) + 1
        assert sum(counts) == round(latents[row.index].density * 6000)
        assert all(count == 0 for count, low, high in zip(counts, edges, edges[1:], strict=False) if low < 0 < high)
        both_sides += edges[0] < 0 < edges[-1]
    assert both_sides > 3
    assert any((latent.max or 0) < 0 for latent in latents.values())


def test_latents_that_never_vary_have_no_shape_and_say_why(parts: Parts, tmp_path: Path) -> None:
    rows = torch.zeros(4, D_MODEL)
    rows[:, 0] = 1.0
    encoder, bias = rows.clone(), torch.tensor([1.0, 2.0, -1e6, 0.0])  # always on, always on twice as far, never, ties
    encoder[:3] = 0
    decoder = torch.nn.functional.normalize(torch.randn(4, D_MODEL, generator=torch.Generator().manual_seed(2)), dim=1)
    decoder[3] = 0
    folder = sae_folder(tmp_path / "flat", encoder, decoder, bias, hook="blocks.1.hook_resid_post")
    analyze(parts.config(tmp_path / "run.db", saes=[str(folder)], tokens=2000), Console(quiet=True))
    with Session(make_engine(tmp_path / "run.db")) as session:
        first, second, dead, lost = session.scalars(select(Latent).order_by(Latent.index))
        named = {row.name for row in session.scalars(select(Profile).where(Profile.index == 3))}
    assert (first.density, first.density_low, first.density_high) == (1, 1, 1)
    assert (first.mean, first.std, second.max) == (1, 0, 2)
    assert first.skewness is None
    assert first.reasons["skewness"] == {"code": "rare_or_constant"}
    assert (dead.density, dead.mean, dead.mass_share) == (0, None, 0)
    assert lost.antipodality is None
    assert "antipodality" in lost.reasons
    assert not named & {"promoted", "suppressed"}, "a latent that writes nothing promotes nothing"
