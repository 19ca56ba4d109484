"""The hub path for real: processes against a server that speaks its protocol, with what goes wrong there."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from sqlalchemy import select
from sqlalchemy.orm import Session

from store.session import make_engine
from store.tables import Annotation, Corpus, Model, Run, Sae
from store.tables.team import ALONE
from tests.analysis.hub_world import (
    CODE,
    MODEL,
    NEW_CODE,
    OLD_GPT2,
    OLD_LLAMA,
    SAES,
    SCOPE,
    SCOPE_2,
    SCOPE_SAE,
    WIDE,
    gemma_scope,
    repositories,
    save_in,
    texts,
)
from tests.analysis.tiny_models import tiny
from tests.forked import Ended, Forked, forking
from tests.hub import BROKEN, CUT, MISSING, OTHER_BYTES, REVISION, TOO_LONG, Hub

MIRROR = "someone/gemma-scope-2b-pt-res"
WEIGHTS = "layer0/sae_weights.safetensors"


@dataclass(frozen=True)
class World:
    """A hub, and a process that has nothing but it."""

    hub: Hub
    forked: Forked
    folder: Path
    corpus: Path
    canary: Path

    def analyze(self, model: str | Path, sae: str | Path, db: Path, *more: str, said: str = "") -> Ended:
        """One SAE, few tokens."""
        given = ["--model", model, "--sae", sae, "--corpus", self.corpus, "--db", db]
        return self.forked.run("analyze", *given, "--tokens", "3000", "--context", "64", *more, said=said)

    def broken(self, name: str, of: str, faults: dict[str, str]) -> str:
        """A repository like another, but for what goes wrong with files of it."""
        self.hub.repositories[name] = self.hub.repositories[of]
        self.hub.faults |= {(name, file): fault for file, fault in faults.items()}
        return name

    def mend(self, name: str) -> None:
        """All is well with it again."""
        self.hub.faults = {key: fault for key, fault in self.hub.faults.items() if key[0] != name}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Made once; tests of faults take a repository each."""
    folder = tmp_path_factory.mktemp("hub")
    hub = Hub(repositories(folder, folder / "canary"))
    corpus = texts(folder / "texts.jsonl")
    folders = {"HF_HOME": str(folder / "hf"), "DENSE_LATENTS_CACHE": str(folder / "cache")}
    with hub.running(), forking(folder, **folders, HF_ENDPOINT=hub.url, HF_HUB_OFFLINE="0") as forked:
        yield World(hub, forked, folder, corpus, folder / "canary")


@pytest.fixture(scope="module")
def analysed(world: World) -> Path:
    """A store made by hub id in bfloat16."""
    db = world.folder / "hub.db"
    found = world.analyze(MODEL, f"{SAES}:layer0", db, "--dtype", "bfloat16")
    assert found.status == 0, found.err
    assert found.err == ""
    return db


def test_what_is_fetched_is_what_is_needed(world: World, analysed: Path) -> None:
    of_model = {name.removeprefix(MODEL + "/") for name in world.hub.fetched() if name.startswith(MODEL)}
    assert of_model == {
        "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
    }  # fmt: skip
    of_saes = {name.removeprefix(SAES + "/") for name in world.hub.fetched() if name.startswith(SAES)}
    assert of_saes == {"layer0/cfg.json", WEIGHTS}


@pytest.mark.parametrize(
    "command",
    [
        "ablate --tokens 300",
        "steer --limit 1 --texts 16 --length 6",
        "prune --latents 3,4 --tokens 600 --out",
        pytest.param(
            "retrain --arms original --arms dense --seeds 1 --train-tokens 1000 --tokens 1000 --eval-tokens 400"
            " --batch 200",
            marks=pytest.mark.long,  # its processes import torch anew
        ),
    ],
)
def test_interventions_need_no_further_options(world: World, analysed: Path, tmp_path: Path, command: str) -> None:
    """FAULTS 41: after an analysis in bfloat16 by hub id."""
    words = command.split() + ([str(tmp_path / "pruned")] if command.endswith("--out") else [])
    found = world.forked.run(words[0], "--sae", "0", "--db", analysed, *words[1:])
    assert found.status == 0, found.err


@pytest.mark.long  # its process imports torch anew
def test_saes_are_trained_on_a_model_of_the_hub(world: World, tmp_path: Path) -> None:
    hook = ["--hook", "blocks.1.hook_resid_post", "--width", "48", "--k", "4"]
    few = ["--tokens", "2000", "--train-tokens", "2000", "--batch", "200", "--context", "48"]
    found = world.forked.run(
        "train-sae", "--model", MODEL, "--corpus", world.corpus, *hook, *few, "--out", tmp_path / "out"
    )
    assert found.status == 0, found.err
    assert list((tmp_path / "out").glob("*/sae_weights.safetensors"))


def test_a_data_set_of_the_hub_is_analysed_and_ablated_with_its_revision(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    shutil.copy(world.corpus, folder / "train.jsonl")
    world.hub.repositories["someone/texts"] = folder
    db = tmp_path / "set.db"
    found = world.analyze(MODEL, f"{SAES}:layer0", db, "--corpus", "someone/texts", "--no-classes")
    assert (found.status, found.err) == (0, "")
    with Session(make_engine(db, read_only=True)) as session:
        run = session.scalars(select(Run)).one()
        assert run.settings["corpus"] == f"someone/texts@{REVISION}"
        assert session.scalars(select(Corpus)).one().name == f"someone/texts@{REVISION[:12]}"
    found = world.forked.run("ablate", "--sae", "0", "--db", db, "--tokens", "300", "--controls", "0", "--sets", "0")
    assert found.status == 0, found.err


def test_the_same_from_a_folder_is_the_same_and_keeps_its_annotations(
    world: World, analysed: Path, tmp_path: Path
) -> None:
    """FAULTS 40: a folder for the hub, bfloat16 for float32 in the SAE's file and the reverse for the model's run."""
    db = tmp_path / "both.db"
    for path in analysed.parent.glob("hub.db*"):  # what was written last may lie beside it
        shutil.copy(path, tmp_path / path.name.replace("hub.db", "both.db"))
    with Session(make_engine(db)) as session, session.begin():
        identity = session.scalars(select(Sae)).one().sha256
        session.add(
            Annotation(
                sae_sha256=identity, index=3, other=ALONE, version=1, latest=True, verdict="keep",
                note="said of the hub's", author="Ada", created=datetime(2026, 11, 30),
            )
        )  # fmt: skip
    folder = Path(shutil.copytree(world.hub.repositories[SAES] / "layer0", tmp_path / "local"))
    save_in(folder, torch.bfloat16)
    found = world.analyze(world.hub.repositories[MODEL], folder, db, "--dtype", "float32")
    assert found.status == 0, found.err
    with Session(make_engine(db, read_only=True)) as session:
        assert session.scalars(select(Sae)).one().sha256 == identity
        assert len(session.scalars(select(Model)).all()) == 1
        assert len(session.scalars(select(Run)).all()) == 2
    said = world.forked.run("annotations", "export", "--db", db).out
    assert "said of the hub's" in said
    assert identity in said


@pytest.mark.parametrize(
    ("file", "fault", "words"),
    [
        (WEIGHTS, MISSING, "expected this file in the repository; found no such file"),
        (WEIGHTS, OTHER_BYTES, "the download was damaged and is deleted"),
        pytest.param("layer0/cfg.json", OTHER_BYTES, "the download was damaged", marks=pytest.mark.long),
        (WEIGHTS, CUT, "found RemoteProtocolError: peer closed connection"),
        pytest.param(WEIGHTS, TOO_LONG, "found RemoteProtocolError: peer closed", marks=pytest.mark.long),
        pytest.param(WEIGHTS, BROKEN, "found status 500", marks=pytest.mark.long),  # the client tries for 23 s
        pytest.param("layer0/cfg.json", TOO_LONG, "expected a whole file; found", marks=pytest.mark.long),
    ],
)
def test_a_broken_download_of_an_sae_is_one_line_and_the_next_try_works(
    world: World, tmp_path: Path, file: str, fault: str, words: str
) -> None:
    name = world.broken(f"someone/broken-{file.split('.')[-1]}-{fault.replace(' ', '-')}", SAES, {file: fault})
    line = world.analyze(world.hub.repositories[MODEL], f"{name}:layer0", tmp_path / "new.db").line
    assert f"{name}: {file}: " in line
    assert words in line
    assert not (tmp_path / "new.db").exists()
    world.mend(name)
    found = world.analyze(world.hub.repositories[MODEL], f"{name}:layer0", tmp_path / "new.db", "--no-classes")
    assert found.status == 0, found.err


@pytest.mark.parametrize(
    ("file", "fault"),
    [
        ("model.safetensors", OTHER_BYTES),
        pytest.param("model.safetensors", MISSING, marks=pytest.mark.long),
        pytest.param("model.safetensors", CUT, marks=pytest.mark.long),
    ],
)
def test_a_broken_download_of_a_model_is_one_line_and_the_next_try_works(
    world: World, tmp_path: Path, file: str, fault: str
) -> None:
    name = world.broken(f"someone/broken-model-{fault.replace(' ', '-')}", MODEL, {file: fault})
    sae = world.hub.repositories[SAES] / "layer0"
    line = world.analyze(name, sae, tmp_path / "new.db").line
    assert f"{name}: {file}: " in line
    assert not (tmp_path / "new.db").exists()
    world.mend(name)
    assert world.analyze(name, sae, tmp_path / "new.db", "--no-classes").status == 0


def test_a_hub_that_is_ill_is_one_line(world: World, tmp_path: Path) -> None:
    name = world.broken("someone/ill", MODEL, {"": BROKEN})
    line = world.analyze(name, world.hub.repositories[SAES] / "layer0", tmp_path / "new.db").line
    assert f"{name}: expected a list of its files; found status 500" in line


@pytest.mark.parametrize("model", ["someone/nothing", "no such name", "./nowhere"])
def test_a_model_that_is_nowhere_is_one_line(world: World, tmp_path: Path, model: str) -> None:
    line = world.analyze(model, world.hub.repositories[SAES] / "layer0", tmp_path / "new.db").line
    assert f"model '{model}': expected a local folder, a .gguf file or a hub id" in line


def test_a_model_without_safetensors_is_refused_before_anything_large_is_fetched(world: World, tmp_path: Path) -> None:
    world.hub.repositories["someone/pickled"] = shutil.copytree(world.hub.repositories[MODEL], tmp_path / "pickled")
    (tmp_path / "pickled" / "model.safetensors").unlink()
    line = world.analyze("someone/pickled", world.hub.repositories[SAES] / "layer0", tmp_path / "new.db").line
    assert "pickled weights are refused" in line
    assert "pytorch_model.bin" in line
    assert "someone/pickled/pytorch_model.bin" not in world.hub.fetched()


@pytest.mark.parametrize("model", [OLD_LLAMA, OLD_GPT2])
def test_old_configurations(world: World, tmp_path: Path, model: str) -> None:
    found = world.analyze(model, f"{SAES}:layer2", tmp_path / "old.db")
    assert found.status == 0, found.err
    # what transformers says of them is said once each, and nothing else
    assert all(f"{model}: transformers warns: " in line for line in found.err.splitlines()), found.err
    assert len(set(found.err.splitlines())) == len(found.err.splitlines())


def test_a_models_own_code_is_never_asked_about_never_fetched_never_run(world: World, tmp_path: Path) -> None:
    """FAULTS 29: with `yes` on standard input, from the hub and from a folder."""
    sae = world.hub.repositories[SAES] / "layer0"
    for known, own in ((CODE, NEW_CODE), (world.hub.repositories[CODE], world.hub.repositories[NEW_CODE])):
        found = world.analyze(known, sae, tmp_path / f"{Path(known).name}.db", "--no-classes", said="yes\n" * 100)
        assert found.status == 0, found.err  # a family that transformers has, read by its code
        line = world.analyze(own, sae, tmp_path / "own.db", said="yes\n" * 100).line
        assert "found one that needs code of its own (auto_map), which is never run" in line
        assert "[y/N]" not in found.out + found.err + line
    assert not world.canary.exists()
    assert not any(name.endswith(".py") for name in world.hub.fetched())
    exec(compile((world.hub.repositories[CODE] / "evil.py").read_text(), "evil.py", "exec"))
    assert world.canary.exists(), "the canary would have sung"


@pytest.mark.long  # 4,096 latents of 2,304 numbers
def test_an_sae_of_gemma_scope_by_its_name_in_the_registry_and_from_a_copy(world: World, tmp_path: Path) -> None:
    world.hub.repositories |= gemma_scope(tmp_path)
    world.hub.repositories[MIRROR] = world.hub.repositories[SCOPE]
    for release in ("gemma-scope-2b-pt-res", MIRROR):
        found = world.analyze(WIDE, f"{release}:{SCOPE_SAE}", tmp_path / "scope.db", "--no-classes")
        assert found.status == 0, found.err
    with Session(make_engine(tmp_path / "scope.db", read_only=True)) as session:
        sae = session.scalars(select(Sae)).one()  # the same numbers
        assert (sae.hook_point, sae.n_latents, sae.architecture) == ("hook_embed", 4096, "jumprelu")


def test_an_sae_in_another_layout_outside_the_registry(world: World, tmp_path: Path) -> None:
    source = f"{SCOPE_2}:resid_post/layer_1"
    found = world.analyze(MODEL, source, tmp_path / "scope.db", "--no-classes")
    assert found.status == 0, found.err
    with Session(make_engine(tmp_path / "scope.db", read_only=True)) as session:
        sae = session.scalars(select(Sae)).one()
        assert (sae.hook_point, sae.source) == ("blocks.1.hook_resid_post", source)
    assert not any(name.endswith(".pt") for name in world.hub.fetched())
    line = world.analyze(MODEL, f"{SCOPE_2}:resid_post/layer_9", tmp_path / "new.db").line
    assert f"{SCOPE_2}: expected a folder 'resid_post/layer_9' with an SAE; found resid_post/layer_1/ae.pt" in line


def test_a_model_is_the_same_in_shards_and_beside_weights_that_are_not_loaded(world: World, tmp_path: Path) -> None:
    """Mistral's repositories have all weights twice: the hub path fetches one, a copy of the repository has both."""
    folder = Path(shutil.copytree(world.hub.repositories[MODEL], tmp_path / "copy"))
    save_file({"other": torch.ones(3)}, folder / "consolidated.safetensors")
    shards = Path(shutil.copytree(world.hub.repositories[MODEL], tmp_path / "shards"))
    (shards / "model.safetensors").unlink()
    tiny("llama").save_pretrained(shards, max_shard_size="20KB")
    assert len(list(shards.glob("model-*.safetensors"))) > 1
    world.hub.repositories |= {"someone/twice": folder, "someone/shards": shards}
    for model in (folder, "someone/twice", "someone/shards"):
        found = world.analyze(model, world.hub.repositories[SAES] / "layer0", tmp_path / "one.db", "--no-classes")
        assert found.status == 0, found.err
    assert "someone/twice/consolidated.safetensors" not in world.hub.fetched()
    with Session(make_engine(tmp_path / "one.db", read_only=True)) as session:
        assert len(session.scalars(select(Model)).all()) == 1


def test_inspect_fetches_configurations_alone(world: World) -> None:
    before = len(world.hub.asked)
    found = world.forked.run("inspect", f"{SAES}:layer2", "--model", OLD_GPT2)
    assert found.status == 0, found.err
    assert not any(line.endswith(".safetensors") for line in world.hub.asked[before:])


def test_without_a_hub_what_was_fetched_is_used_and_the_rest_is_one_line(
    world: World, analysed: Path, tmp_path: Path
) -> None:
    with world.hub.gone():
        again = world.analyze(MODEL, f"{SAES}:layer0", tmp_path / "again.db", "--dtype", "bfloat16")
        began = time.monotonic()
        nobody = f"expected an answer of {world.hub.url}; found Connect"
        for model, sae, words in (
            (MODEL, "someone/else:layer0", f"someone/else: {nobody}"),
            ("someone/else", f"{SAES}:layer0", f"someone/else: {nobody}"),
            (MODEL, f"{SAES}:layer1", f"{SAES}: expected a folder 'layer1' with an SAE; found layer0/"),
        ):
            line = world.analyze(model, sae, tmp_path / "new.db").line
            assert words in line
        assert time.monotonic() - began < 60  # the client would try for 23 s, each of the three times
    assert (again.status, again.err) == (0, "")
    assert not (tmp_path / "new.db").exists()


def test_an_sae_at_the_top_of_its_repository(world: World) -> None:
    world.hub.repositories["someone/one-sae"] = world.hub.repositories[SAES] / "layer2"
    found = world.forked.run("inspect", "someone/one-sae:.")
    assert found.status == 0, found.err
    assert "blocks.2.hook_resid_post" in found.out
