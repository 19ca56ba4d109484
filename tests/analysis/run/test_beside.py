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
from analysis.reading.corpus import ContextStream
from analysis.reading.documents import Corpus
from analysis.reading.model_loading import load_model
from analysis.reading.sae import load_sae
from analysis.run.analyze import analyze
from store.session import make_engine
from store.tables import Analysis
from tests.analysis.conftest import Parts
from tests.planted import sae_folder

RANK, D, HOOK = 3, 32, "blocks.0.hook_resid_post"


def beside(folder: Path) -> Path:
    """A random SAE after layer 0 with a random bottleneck."""
    random = torch.Generator().manual_seed(3)
    rows = torch.nn.functional.normalize(torch.randn(24, D, generator=random), dim=1)
    sae_folder(folder, rows, rows, kind="TopK", k=6, hook=HOOK)
    w_in, w_out, b = (torch.randn(*shape, generator=random) / 3 for shape in ((RANK, D), (D, RANK), (D,)))
    config = json.loads((folder / "cfg.json").read_text())
    config["metadata"]["bottleneck"] = save_bottleneck(Bottleneck(w_in, w_out, b), folder, "learned")
    (folder / "cfg.json").write_text(json.dumps(config))
    return folder


def activations(parts: Parts) -> torch.Tensor:
    """[n, D]: of all that the run reads."""
    model = load_model(str(parts.model), dtype="float32")
    stream = ContextStream(
        Corpus(parts.corpus), model.tokenizer, bos=model.bos_id, special=model.special_ids, context=48, batch=8,
        tokens=6000,
    )  # fmt: skip
    read = (model.read(batch.ids, batch.attention, [HOOK])[HOOK][batch.mask] for batch in stream.batches())
    return torch.cat(list(read))


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
    sae, x = load_sae(saes[0]), activations(parts)
    part = sae.bottleneck
    assert part is not None
    assert found["variance"] == pytest.approx(float(part(x).var(0).sum() / x.var(0).sum()), rel=0.02)
    written = torch.linalg.svd((part.w_out @ part.w_in).double()).U[:, :RANK]
    top = torch.linalg.eigh(torch.cov(x.T.double())).eigenvectors[:, -RANK:]
    assert found["components"] == pytest.approx(float((written.T @ top).square().sum()) / RANK, abs=0.02)
    for axis in found["axes"]:
        assert sum(axis["added"].values()) == pytest.approx(axis["total"][0], abs=2e-3)
