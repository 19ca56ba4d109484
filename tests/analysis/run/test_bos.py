"""An SAE trained without BOS (prepend_bos: false) reads contexts without one, in runs and in interventions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from sae_lens import SAE
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.interventions.ablate.command import ablate
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.subject import open_subject
from analysis.reading.sae import load_sae
from analysis.run.analyze import analyze
from analysis.run.pipeline import prepare
from store.session import make_engine
from store.tables import Analysis, Latent, Run
from tests.analysis.conftest import Parts
from tests.analysis.tiny_models import BOS

QUIET = Console(quiet=True)


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))


def without_bos(sae: Path, to: Path, said: bool = False) -> Path:
    """A copy whose metadata say `prepend_bos`."""
    shutil.copytree(sae, to)
    config = json.loads((to / "cfg.json").read_text())
    config["metadata"]["prepend_bos"] = said
    (to / "cfg.json").write_text(json.dumps(config))
    return to


@torch.no_grad()
def counted_by_hand(parts: Parts, config: Any, folder: Path) -> tuple[torch.Tensor, int]:
    """Firing tokens of each latent by sae-lens on the tiny model's own states, and how many tokens there are."""
    reading = prepare(config)
    module: Any = SAE.load_from_disk(folder, dtype="float32")
    fired, tokens = torch.zeros(24), 0
    for batch in reading.stream().batches():
        lengths = batch.attention.sum(1).tolist()
        for row, length in zip(batch.ids, lengths, strict=True):
            states = reading.model.module(input_ids=row[None, :length], output_hidden_states=True, use_cache=False)
            fired += (module.encode(states.hidden_states[1][0]) != 0).sum(0)
            tokens += length
            assert BOS not in row[:length]
    return fired, tokens


def test_every_token_of_its_contexts_counts_as_sae_lens_encodes_it(parts: Parts, tmp_path: Path) -> None:
    folder = without_bos(parts.saes[0], tmp_path / "sae")
    config = parts.config(tmp_path / "run.db", saes=[str(folder)], tokens=1500, classes=False)
    fired, tokens = counted_by_hand(parts, config, folder)
    analyze(config, QUIET)
    with Session(make_engine(config.db, read_only=True)) as session:
        run = session.scalars(select(Run)).one()
        density = list(session.scalars(select(Latent.density).order_by(Latent.index)))
    assert run.tokens == tokens == 1500
    assert run.masks
    assert run.masks["bos"] == run.masked_tokens == 0
    assert run.settings["prepend_bos"] is False
    torch.testing.assert_close(torch.tensor(density), fired / tokens, rtol=0, atol=1e-6)


def test_contexts_are_as_long_and_positions_begin_with_the_text(parts: Parts, tmp_path: Path) -> None:
    folder = without_bos(parts.saes[0], tmp_path / "sae")
    given: dict[str, Any] = {"tokens": 800, "classes": False}
    batch = next(prepare(parts.config(tmp_path / "a.db", saes=[str(folder)], **given)).stream().batches())
    usual = next(prepare(parts.config(tmp_path / "b.db", **given)).stream().batches())
    assert (batch.lead, usual.lead) == (0, 1)
    assert batch.ids.shape[1] == usual.ids.shape[1] == 48
    assert bool(batch.mask[:, 0].all())
    assert not bool(usual.mask[:, 0].any())
    assert bool((batch.begin[:, 0] == batch.start).all())  # the first token is the text's own


def test_saes_that_disagree_are_refused_in_one_line(parts: Parts, tmp_path: Path) -> None:
    folder = without_bos(parts.saes[0], tmp_path / "sae")
    config = parts.config(tmp_path / "run.db", saes=[str(folder), str(parts.saes[1])])
    with pytest.raises(
        UserError, match=r"disagree about contexts that begin with BOS \(prepend_bos\): .*sae-2"
    ) as told:
        analyze(config, QUIET)
    assert f"{folder} was not; analyze them in separate runs" in str(told.value)
    assert "\n" not in str(told.value)
    assert not (tmp_path / "run.db").exists()


def test_what_says_nothing_or_true_is_read_with_bos(parts: Parts, tmp_path: Path) -> None:
    assert load_sae(str(parts.saes[0])).prepend_bos
    assert load_sae(str(without_bos(parts.saes[0], tmp_path / "sae", said=True))).prepend_bos


def test_the_same_weights_with_and_without_are_two_runs(parts: Parts, tmp_path: Path) -> None:
    """One key would take the one for the other."""
    folder = without_bos(parts.saes[0], tmp_path / "sae")
    keys = {prepare(parts.config(tmp_path / "x.db", saes=[str(sae)])).key for sae in (folder, parts.saes[0])}
    assert len(keys) == 2


def test_interventions_read_as_their_run_did(parts: Parts, tmp_path: Path) -> None:
    folder = without_bos(parts.saes[0], tmp_path / "sae")
    config = parts.config(tmp_path / "run.db", saes=[str(folder)], tokens=1500, classes=False)
    analyze(config, QUIET)
    batch = next(open_subject(config.db, "0").stream(200, 2).batches())
    assert batch.lead == 0
    ablate(AblateConfig(sae="0", db=config.db, tokens=300, controls=0, sets=0), QUIET)
    # a run of a version that knew nothing of it had BOS
    with Session(make_engine(config.db)) as session, session.begin():
        run = session.scalars(select(Run)).one()
        run.settings = {name: value for name, value in run.settings.items() if name != "prepend_bos"}
        assert session.scalars(select(Analysis)).one().run_id == run.id
    assert next(open_subject(config.db, "0").stream(200, 2).batches()).lead == 1
