"""`retrain` from a store to a store: a tiny model, real files, processes of its own."""

from __future__ import annotations

import io
import json
import os
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from analysis.errors import BadFile, UserError
from analysis.hashing import sha256_file
from analysis.interventions.exported import save, take_folder
from analysis.interventions.retrain.command import retrain
from analysis.interventions.retrain.config import ARMS, ASKED_FOR, RetrainConfig
from analysis.interventions.retrain.exchange import export_experiment, import_experiment
from analysis.interventions.shipped import FORMATS
from analysis.reading.sae import WEIGHTS, load_sae
from analysis.run.analyze import analyze
from store.session import make_engine
from store.tables import Analysis, Arm, Experiment, Latent, Sae, Stability
from tests.analysis.conftest import Parts
from tests.stored_words import sentences

torch.set_num_threads(1)

THRESHOLD = 0.5  # of 24 latents with k = 6 at layer 2, four are above, and some far below
SETTINGS: dict[str, Any] = {
    "saes": ["2"], "seeds": 2, "batch": 64, "train_tokens": 64 * 30, "tokens": 1500, "eval_tokens": 300,
    "held_out": 0.2, "dtype": "float32", "device": "cpu",
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("retrain")


@pytest.fixture(autouse=True, scope="module")
def _own_cache(base: Path) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_LATENTS_CACHE", str(base / "cache"))
        yield


@pytest.fixture(scope="module")
def db(base: Path, parts: Parts) -> Path:
    """One analysed run."""
    analyze(parts.config(base / "run.db", dense_threshold=THRESHOLD, classes=False), Console(quiet=True))
    return base / "run.db"


@pytest.fixture(scope="module")
def config(base: Path, db: Path) -> RetrainConfig:
    return RetrainConfig(db=str(db), out=base / "out", **SETTINGS)


@pytest.fixture(scope="module")
def printed(base: Path, config: RetrainConfig) -> str:
    """What the command said; after it, the store has an experiment and `one.json` is there."""
    screen = io.StringIO()
    assert retrain(replace(config, json=base / "one.json"), Console(file=screen, width=160)) == [1]
    return screen.getvalue()


@pytest.fixture
def store(printed: str, db: Path) -> Engine:
    assert printed
    return make_engine(db)


def test_no_sentence_is_stored(store: Engine) -> None:
    assert sentences(store) == []


def test_the_rows_are_what_was_trained(store: Engine, config: RetrainConfig) -> None:
    with Session(store) as session:
        experiment = session.scalars(select(Experiment)).one()
        arms = session.scalars(select(Arm).order_by(Arm.name, Arm.seed)).all()
        sae = session.scalars(select(Sae).where(Sae.layer == 2)).one()
        assert session.get_one(Analysis, experiment.analysis_id).sae_id == experiment.sae_id == sae.id
    assert (experiment.tokens, experiment.eval_tokens, experiment.dense_threshold) == (1500, 300, THRESHOLD)
    recipe = experiment.recipe
    assert (recipe["architecture"], recipe["width"], recipe["k"], recipe["batch"]) == ("topk", 24, 6, 64)
    assert {arm.name: arm.seed + 1 for arm in arms} == {
        name: 2 if name in ("original", "dense", "dimension") else 1 for name in ARMS if name not in ASKED_FOR
    }
    by_name = {arm.name: arm for arm in arms}
    assert by_name["dense"].removed_dimensions == by_name["dimension"].removed_dimensions > 0
    assert by_name["abstopk_half"].width == 12
    assert by_name["abstopk"].signed_share is not None
    assert by_name["original"].signed_share is None
    for arm in arms:
        assert len(arm.density_curve) == arm.width
        assert sum(arm.density_curve) == pytest.approx(arm.l0, rel=1e-4)
        assert sum(value > THRESHOLD for value in arm.density_curve) == arm.n_dense
    assert config.out is not None
    folders = {
        sha256_file(folder / "sae_weights.safetensors"): folder for folder in config.out.iterdir() if folder.is_dir()
    }
    assert set(folders) == {arm.sha256 for arm in arms}
    assert load_sae(str(folders[by_name["dense"].sha256])).hook_point == "blocks.2.hook_resid_post"


def test_every_dense_latent_has_its_stability(store: Engine) -> None:
    with Session(store) as session:
        experiment = session.scalars(select(Experiment)).one()
        dense = session.scalars(
            select(Latent.index).where(Latent.analysis_id == experiment.analysis_id, Latent.is_dense)
        ).all()
        rows = session.scalars(select(Stability)).all()
    assert sorted(row.index for row in rows) == sorted(dense)
    for row in rows:
        assert len(row.cosines) == 2
        assert row.found == sum(value >= 0.7 for value in row.cosines)
        assert row.stable == (row.found == 2)


def test_the_command_says_what_it_did(printed: str) -> None:
    assert "training 11" in printed
    assert "blocks.2 dense, seed 1: " in printed
    assert "dimension less dense: " in printed
    assert "experiment 1 stored in " in printed
    assert "of 4 dense latents are found again in at least two thirds of 2 seeds" in printed


def test_a_second_time_trains_nothing_and_leaves_one_experiment(store: Engine, config: RetrainConfig) -> None:
    assert config.out is not None
    before = {path: path.stat().st_mtime_ns for path in config.out.rglob("*.safetensors")}
    screen = io.StringIO()
    retrain(config, Console(file=screen))
    assert "training" not in screen.getvalue()
    assert {path: path.stat().st_mtime_ns for path in config.out.rglob("*.safetensors")} == before
    with Session(store) as session:
        assert len(session.scalars(select(Experiment)).all()) == 1
        assert len(session.scalars(select(Arm)).all()) == 11


def test_held_out_documents_are_trained_on_by_no_arm(store: Engine, base: Path) -> None:
    """The activations of the two caches have no twelve tokens on end in common."""
    caches = (base / "cache" / "activations").rglob("blocks.2.hook_resid_post.f16")
    found = {path.stat().st_size // 64: np.fromfile(path, dtype="<f2").reshape(-1, 32) for path in caches}
    assert set(found) == {1500, 300}
    trained, held_out = (
        {rows[start : start + 12].tobytes() for start in range(len(rows) - 11)} for rows in (found[1500], found[300])
    )
    assert len(held_out) > 280
    assert not trained & held_out


def test_an_experiment_goes_out_and_comes_in_unchanged(store: Engine, base: Path) -> None:
    found = export_experiment(store, 1)
    written = json.loads((base / "one.json").read_text())
    assert written["arms"] == found["arms"]
    text = json.dumps(found)
    assert not import_experiment(store, json.loads(text))  # it is there
    with Session(store) as session, session.begin():
        session.execute(delete(Experiment))
        assert session.scalars(select(Arm)).all() == []
    folder = base / "experiments"
    folder.mkdir()
    save(folder / "l2.json.gz", found)
    assert take_folder(store, folder, FORMATS) == 1
    save(folder / "l2.json", found)
    assert take_folder(store, folder, FORMATS) == 0
    with Session(store) as session:
        again = session.scalars(select(Experiment.id)).one()
    assert json.loads(json.dumps(export_experiment(store, again))) == json.loads(text)


def test_an_experiment_of_another_sae_is_refused(store: Engine, base: Path, tmp_path: Path) -> None:
    found = export_experiment(store, 1) | {"sae_sha256": "ab" * 32}
    with pytest.raises(UserError, match=r"expected a store with the SAE of SHA-256 abababab.*analyse that SAE first"):
        import_experiment(store, found)
    (tmp_path / "strange.json").write_text(json.dumps(found))
    with pytest.raises(UserError, match=r"strange\.json: experiment .* expected a store with the SAE"):
        take_folder(store, tmp_path, FORMATS)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"format": "dense-latents experiment 1"}'])
def test_a_file_that_is_no_experiment_is_named(store: Engine, tmp_path: Path, text: str) -> None:
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises((BadFile, UserError), match=r"bad\.json"):
        take_folder(store, tmp_path, FORMATS)
    (tmp_path / "bad.json").rename(tmp_path / "bad.json.gz")  # not gzipped
    with pytest.raises(BadFile, match=r"bad\.json\.gz"):
        take_folder(store, tmp_path, FORMATS)


def test_an_experiment_that_is_not_there_is_told(store: Engine) -> None:
    with pytest.raises(UserError, match="experiment 99: expected one of the store; found none"):
        export_experiment(store, 99)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"saes": ["5"]}, "--sae 5: is no SAE of run 1; choose one of tiny-llama/l0-resid, tiny-llama/l2-resid"),
        ({"saes": ["2", "tiny-llama/l2-resid"]}, "expected each SAE once"),
        ({"saes": ["2"], "tokens": 10**6}, r"the corpus gave [\d,]+ tokens; expected 1,000,000: lower --tokens"),
        ({"saes": ["2"], "eval_tokens": 10**6}, "expected 1,000,000: lower --eval-tokens"),
        ({"saes": ["2"], "width": 4}, r"--k 6\.0: expected more than 0 and less than the width, 4"),
        ({"saes": ["2"], "weights": ["nowhere"]}, "nowhere"),
        ({"saes": ["2"], "run": 7}, "expected complete run 7; found none"),
    ],
)
def test_what_cannot_be_done_is_told_in_words(
    config: RetrainConfig, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        retrain(replace(config, out=tmp_path, **changes), Console(quiet=True))


def test_several_saes_are_an_experiment_each(parts: Parts, base: Path, config: RetrainConfig) -> None:
    """Layer 0 and layer 2, two at a time, their activations read in one forward."""
    db = base / "two.db"
    analyze(parts.config(db, dense_threshold=0.4, classes=False), Console(quiet=True))
    screen = io.StringIO()
    both = replace(
        config, db=str(db), saes=["0", "tiny-llama/l2-resid"], arms=["original", "dense"], seeds=1, jobs=2,
        tokens=1600, out=base / "two", json=base / "two.json",
    )  # fmt: skip
    assert retrain(both, Console(file=screen, width=160)) == [1, 2]
    assert screen.getvalue().count("activations: 1,600 of 1,600 tokens") == 1
    with Session(make_engine(db)) as session:
        layers = session.scalars(select(Sae.layer).join(Experiment).order_by(Experiment.id)).all()
        assert layers == [0, 2]
        assert session.scalars(select(Stability)).all() == []  # one seed says nothing of stability
    written = [json.loads((base / f"two-l{layer}-resid.json").read_text()) for layer in layers]
    assert [[arm["name"] for arm in one["arms"]] for one in written] == [["dense", "original"]] * 2
    assert written[0]["sae_sha256"] != written[1]["sae_sha256"]


def test_an_sae_without_dense_latents_is_told(parts: Parts, base: Path, config: RetrainConfig) -> None:
    analyze(parts.config(base / "none.db", dense_threshold=0.99, classes=False), Console(quiet=True))
    with pytest.raises(
        UserError, match=r"expected dense latents to remove; none is above the run's threshold of 0\.99"
    ):
        retrain(replace(config, db=str(base / "none.db")), Console(quiet=True))


@pytest.mark.long  # Ray begins anew, or many processes do
def test_arms_that_actors_train_are_those_that_are_trained_here(
    config: RetrainConfig, db: Path, printed: str, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    copy = tmp_path / "run.db"
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    few = replace(config, db=str(copy), arms=["original", "dense"], seeds=1)
    trained = []
    for name, further in (("here", {"jobs": os.cpu_count()}), ("there", {"ray": "here", "actors": 2})):
        retrain(replace(few, out=tmp_path / name, **further), Console(quiet=True))  # a process has one thread in both
        folders = sorted((tmp_path / name).glob("*/"))
        trained.append([(folder.name, sha256_file(folder / WEIGHTS)) for folder in folders])
    assert len(trained[0]) == 2
    assert trained[0] == trained[1]
