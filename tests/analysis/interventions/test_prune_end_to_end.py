"""Prune from end to end: chosen by verdict, cut, written, loaded by sae-lens, measured, analysed again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import typer
from rich.console import Console
from safetensors.torch import load_file, save_file
from sqlalchemy import delete, select
from typer.testing import CliRunner

from analysis.commands.cli import COMMANDS
from analysis.config import AnalyzeConfig
from analysis.interventions.prune.command import prune
from analysis.interventions.prune.config import PruneConfig
from analysis.interventions.prune.folder import PRUNING
from analysis.interventions.subject import open_subject
from analysis.reading.sae import HASH, WEIGHTS, load_sae
from analysis.run.analyze import analyze
from analysis.training.report import evaluate
from store.session import make_engine, session_factory
from store.tables import Analysis, Latent, Sae, Verdict
from tests.analysis.conftest import Parts
from tests.analysis.interventions.test_prune import made, refused
from tests.analysis.tiny_models import D_MODEL
from tests.planted import sae_folder

torch.set_num_threads(1)

JUMP, TOP = "tiny-llama/l1-resid", "tiny-llama/l0-resid"


class Store:
    """An analysed tiny model: a JumpReLU SAE on layer 1, a TopK one on layer 0."""

    def __init__(self, parts: Parts, base: Path) -> None:
        self.parts, self.db = parts, base / "run.db"
        random = torch.Generator().manual_seed(5)
        rows = torch.nn.functional.normalize(torch.randn(24, D_MODEL, generator=random), dim=1)
        rows[1], rows[3] = -rows[0], -rows[2]
        shift = 0.2 * torch.randn(D_MODEL, generator=random)
        self.jump = sae_folder(base / "jump", rows, rows, torch.zeros(24), kind="JumpReLU", b_dec=shift)
        tensors = load_file(self.jump / WEIGHTS)
        save_file(tensors | {"threshold": torch.full((24,), 0.3)}, self.jump / WEIGHTS)
        self.analyse([str(self.jump), str(parts.saes[0])])

    def analyse(self, saes: list[str]) -> None:
        config: AnalyzeConfig = self.parts.config(self.db, saes=saes, classes=False, tokens=4000)
        analyze(config, Console(quiet=True))

    def config(self, out: Path, **changes: Any) -> PruneConfig:
        values: dict[str, Any] = {"sae": JUMP, "out": out, "db": str(self.db), "tokens": 1500, "run": 1}
        return PruneConfig(**(values | changes))

    def densities(self, sha256: str) -> dict[int, float]:
        with session_factory(make_engine(self.db, read_only=True))() as session:
            wanted = select(Latent.index, Latent.density).join(Analysis, Analysis.id == Latent.analysis_id)
            wanted = wanted.join(Sae, Sae.id == Analysis.sae_id).where(Sae.sha256 == sha256)
            return {int(index): float(density) for index, density in session.execute(wanted)}

    def judge(self, verdicts: dict[int, str]) -> None:
        """In the place of the rule's own verdicts on the JumpReLU SAE."""
        with session_factory(make_engine(self.db))() as session, session.begin():
            wanted = select(Analysis.id).join(Sae, Sae.id == Analysis.sae_id).where(Sae.slug == JUMP)
            mine = session.scalars(wanted.order_by(Analysis.id)).first()
            session.execute(delete(Verdict).where(Verdict.analysis_id == mine))
            for index, verdict in verdicts.items():
                session.add(Verdict(analysis_id=mine, index=index, verdict=verdict, grounds=[], missing=[]))


@pytest.fixture(scope="module")
def store(parts: Parts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    base = tmp_path_factory.mktemp("prune")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DENSE_LATENTS_CACHE", str(base / "cache"))
        yield Store(parts, base)


def typed(*arguments: str) -> str:
    """What the command prints."""
    app = typer.Typer()
    app.command("prune")(COMMANDS["prune"])
    found = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output


def test_pruned_by_verdict_loaded_and_analysed_again(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    store.judge({4: "prune", 9: "prune", 1: "prune", 0: "keep", 6: "investigate"})
    said = typed(
        "--db", str(store.db), "--sae", JUMP, "--run", "1", "--verdict", "prune", "--out", str(out), "--tokens", "1500"
    )  # fmt: skip
    report = json.loads((out / PRUNING).read_text())
    assert sorted(path.name for path in out.iterdir()) == ["cfg.json", PRUNING, WEIGHTS, HASH]
    assert report["removed"] == [1, 4, 9]
    assert report["old_index"] == [index for index in range(24) if index not in (1, 4, 9)]
    assert "1 goes without its mirror image 0" in said
    assert "The other latents fire as before." in said
    assert "latents" in said
    assert "21" in said
    metadata = json.loads((out / "cfg.json").read_text())["metadata"]
    origin = metadata["pruned_from"]
    assert origin["sha256"] == load_sae(str(store.jump)).sha256
    assert (origin["slug"], origin["removed"], origin["mean_folded"]) == (JUMP, [1, 4, 9], True)
    assert str(tmp_path) not in (out / "cfg.json").read_text(), "no folder of this machine in what is passed on"
    left = load_sae(str(out))
    store.analyse([str(out)])
    before, after = store.densities(load_sae(str(store.jump)).sha256), store.densities(left.sha256)
    assert len(after) == 21
    assert after == {new: before[old] for new, old in enumerate(report["old_index"])}
    assert max(after.values()) > 0.1


def test_the_report_says_what_a_plain_evaluation_says(store: Store, tmp_path: Path) -> None:
    for sae, folder in ((JUMP, store.jump), (TOP, store.parts.saes[0])):
        out = tmp_path / sae
        prune(store.config(out, sae=sae, latents="0,2,8", contexts=4), Console(quiet=True))
        report = json.loads((out / PRUNING).read_text())["held_out"]
        subject = open_subject(str(store.db), sae, run=1)
        for side, source in (("before", folder), ("after", out)):
            stream = subject.stream(1500, 4, held_out=0.1, only_held_out=True)
            plain = evaluate(subject.model, load_sae(str(source)), stream)
            assert report["tokens"] == plain["held_out_tokens"]
            for name, other in (("loss", "loss_spliced"), ("fvu", "fvu"), ("l0", "l0")):
                assert report[side][name] == pytest.approx(plain[other], rel=1e-6), (sae, side, name)
            assert report["loss_clean"] == pytest.approx(plain["loss_clean"], rel=1e-6)
        for name, change in report["change"].items():
            assert change["value"] == pytest.approx(report["after"][name] - report["before"][name], abs=1e-9)
            assert change["low"] <= change["value"] <= change["high"]
        assert report["documents"] > 2
        assert report["before"]["dense"] > report["after"]["dense"] or sae == TOP


def test_the_mean_is_taken_over_all_tokens_of_the_other_documents(store: Store, tmp_path: Path) -> None:
    removed, found = [0, 2, 8], {}
    for fold in (True, False):
        config = store.config(tmp_path / str(fold), latents="0,2,8", fold_mean=fold, held_out=0.4)
        prune(config, Console(quiet=True))
        found[fold] = load_file(tmp_path / str(fold) / WEIGHTS)
    tensors = load_file(store.jump / WEIGHTS)
    assert torch.equal(found[False]["b_dec"], tensors["b_dec"])
    subject = open_subject(str(store.db), JUMP, run=1)
    read, documents = [], set()
    for batch in subject.stream(1500, 8, held_out=0.4).batches():
        whole = subject.model.read(batch.ids, batch.attention, ["blocks.1.hook_resid_post"])
        read.append(whole["blocks.1.hook_resid_post"][batch.mask])
        documents |= set(batch.document.tolist())
    held_out = subject.stream(1500, 8, held_out=0.4, only_held_out=True)
    assert not documents & {int(n) for batch in held_out.batches() for n in batch.document}
    pre = (torch.cat(read).double() - tensors["b_dec"]) @ tensors["W_enc"][:, removed].double()
    means = torch.where(pre > 0.3, pre, 0.0).mean(0)
    assert (means > 0).all()
    shift = means @ tensors["W_dec"][removed].double()
    torch.testing.assert_close((found[True]["b_dec"] - tensors["b_dec"]).double(), shift, rtol=1e-4, atol=1e-6)


def test_the_note_on_top_k_says_that_others_take_over(store: Store, tmp_path: Path) -> None:
    said = typed(
        "--db", str(store.db), "--sae", TOP, "--run", "1", "--latents", "0,1", "--out", str(tmp_path / "out"),
        "--tokens", "800", "--no-fold-mean",
    )  # fmt: skip
    assert "k stays 6: at each token other latents take the place of those removed." in said
    report = json.loads((tmp_path / "out" / PRUNING).read_text())
    for side in ("before", "after"):  # a negative pre-activation among the six largest is not on
        assert report["held_out"][side]["l0"] == pytest.approx(6, abs=0.1)
    assert not report["mean_folded"]


def test_refused_before_the_model_is_loaded_and_nothing_written(store: Store, tmp_path: Path) -> None:
    out = tmp_path / "out"
    quiet = Console(quiet=True)
    store.judge({})
    message = refused("no latent of .* has been judged", lambda: prune(store.config(out, verdict="prune"), quiet))
    assert "dense-latents ablate" in message
    store.judge({0: "keep", 4: "investigate", 6: "investigate"})
    message = refused("nothing is to be done", lambda: prune(store.config(out, verdict="prune"), quiet))
    assert "investigate 2, keep 1" in message
    everything = ",".join(map(str, range(24)))
    refused("from 0 to 23", lambda: prune(store.config(out, latents="24"), quiet))
    refused("all 24 latents", lambda: prune(store.config(out, latents=everything), quiet))
    assert not out.exists()
    out.mkdir()
    (out / "theirs").write_text("kept")
    refused("found theirs in it", lambda: prune(store.config(out, latents="3"), quiet))
    (tmp_path / "file").write_text("kept")
    refused("found a file", lambda: prune(store.config(tmp_path / "file", latents="3"), quiet))
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "out", "theirs"]


def test_refused_with_the_model_loaded_and_nothing_written(store: Store, tmp_path: Path) -> None:
    quiet = Console(quiet=True)
    crowd = ",".join(map(str, range(19)))
    refused("6 latents are on per token", lambda: prune(store.config(tmp_path / "out", sae=TOP, latents=crowd), quiet))
    few = store.config(tmp_path / "out", latents="3", held_out=1e-6)
    refused("none of 90 documents is held out", lambda: prune(few, quiet))
    other = made(tmp_path / "other", "Standard", d=D_MODEL)
    moved = store.config(tmp_path / "out", latents="3", weights=str(other))
    refused("SHA-256", lambda: prune(moved, quiet))
    assert [path.name for path in tmp_path.iterdir()] == ["other"]
