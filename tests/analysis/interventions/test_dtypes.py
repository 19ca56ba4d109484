"""A run in one dtype, interventions in another: the identity does not know of it, and what is stored says it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session

from analysis.errors import UserError
from analysis.interventions.ablate.command import ablate
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.prune.command import prune
from analysis.interventions.prune.config import PruneConfig
from analysis.interventions.prune.folder import PRUNING
from analysis.interventions.steer.command import steer
from analysis.interventions.steer.config import SteerConfig
from analysis.interventions.subject import open_subject
from analysis.run.analyze import analyze
from store.session import make_engine
from store.tables import Intervention, Model, Run
from tests.analysis.conftest import Parts

QUIET = Console(quiet=True)
DTYPES = ("float32", "bfloat16", "float16")


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def run(parts: Parts, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A store, and the dtype of its only run."""
    base = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_LATENTS_CACHE", str(base / "cache"))
        config = parts.config(base / "run.db", saes=[str(parts.saes[0])], tokens=1500, dtype=request.param)
        analyze(config, QUIET)
    return config.db, request.param


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))


def stored_dtype(db: str, kind: str) -> str:
    """What the store says of the intervention."""
    with Session(make_engine(db, read_only=True)) as session:
        return str(session.scalars(select(Intervention.settings).where(Intervention.kind == kind)).one()["model_dtype"])


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_of_any_dtype_is_ablated_in_any(run: tuple[str, str], dtype: str) -> None:
    ablate(AblateConfig(sae="0", db=run[0], tokens=200, controls=0, sets=0, dtype=dtype), QUIET)
    assert stored_dtype(run[0], "ablate") == dtype


@pytest.mark.parametrize("asked", [False, True])
def test_without_a_word_the_model_has_the_dtype_of_the_run(run: tuple[str, str], asked: bool) -> None:
    db, dtype = run
    plain = AblateConfig(sae="0", db=db, tokens=200, controls=0, sets=0)
    ablate(replace(plain, dtype="run") if asked else plain, QUIET)
    assert stored_dtype(db, "ablate") == dtype


def test_pruning_and_steering_say_their_dtype_too(run: tuple[str, str], tmp_path: Path) -> None:
    db, _dtype = run
    for dtype in ("bfloat16", "float32"):
        out = tmp_path / dtype
        prune(PruneConfig(sae="0", db=db, out=out, latents="4,6", tokens=300, dtype=dtype, fold_mean=False), QUIET)
        assert json.loads((out / PRUNING).read_text())["model_dtype"] == dtype
        steer(SteerConfig(sae="0", db=db, dtype=dtype, latents=[6], length=6, controls=1), QUIET)
        assert stored_dtype(db, "steer") == dtype


def test_the_models_identity_knows_no_dtype(run: tuple[str, str]) -> None:
    subjects = [open_subject(run[0], "0", dtype=dtype) for dtype in (*DTYPES, "run")]
    assert len({subject.model.fingerprint for subject in subjects}) == 1
    with Session(make_engine(run[0], read_only=True)) as session:
        assert session.scalars(select(Model.fingerprint)).one() == subjects[0].model.fingerprint


def test_a_run_that_does_not_say_its_dtype_is_opened_all_the_same(parts: Parts, run: tuple[str, str]) -> None:
    """Of an older version."""
    with Session(make_engine(run[0])) as session:
        known = session.scalars(select(Run)).one()
        kept = dict(known.settings)
        known.settings = {name: value for name, value in kept.items() if name != "model_dtype"}
        session.commit()
        assert open_subject(run[0], "0", dtype="run").model.dtype_name in DTYPES
        known.settings = kept
        session.commit()


def test_another_word_is_refused_with_those_there_are(run: tuple[str, str]) -> None:
    with pytest.raises(UserError, match="unknown dtype 'double'; choose one of auto, bfloat16, float32, float16"):
        open_subject(run[0], "0", dtype="double")
