"""Every kind of SAE at every kind of place in a tiny model: it encodes as sae-lens does, and a run measures the same.

`pytest -s` prints the table.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import sae_lens
import torch
from rich.console import Console
from sqlalchemy import select
from sqlalchemy.orm import Session
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.ablate.command import ablate
from analysis.interventions.ablate.config import AblateConfig
from analysis.interventions.prune.command import prune
from analysis.interventions.prune.config import PruneConfig
from analysis.interventions.prune.folder import PRUNING
from analysis.interventions.retrain.command import retrain
from analysis.interventions.retrain.config import RetrainConfig
from analysis.interventions.subject import open_subject
from analysis.reading.described import SKIP, TRANSCODERS
from analysis.reading.hook_names import parse
from analysis.reading.model import LanguageModel
from analysis.reading.model_loading import load_model
from analysis.reading.sae import LoadedSae, load_sae
from analysis.run.analyze import analyze
from analysis.run.pipeline import prepare
from analysis.statistics.geometry import promoted_tokens
from store.session import make_engine
from store.tables import Analysis, Effect, Profile, Sae
from tests.analysis.conftest import Parts
from tests.analysis.tiny_models import PLACES

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore")  # sae-lens' own

LENS: Any = sae_lens
QUIET = Console(quiet=True)
N = 24
HOOKS = ["hook_embed", *(f"blocks.1.{place}" for place in PLACES)]
SAES: dict[str, tuple[str, dict[str, Any]]] = {
    "standard": ("StandardSAE", {}),
    "gated": ("GatedSAE", {}),
    "topk": ("TopKSAE", {"k": 5}),
    "abstopk": ("AbsTopKSAE", {"k": 5}),
    "jumprelu": ("JumpReLUSAE", {}),
    "matching_pursuit": ("MatchingPursuitSAE", {"residual_threshold": 1e-2, "max_iterations": 5}),
}
CODERS = {
    "transcoder": "Transcoder",
    "skip_transcoder": "SkipTranscoder",
    "jumprelu_transcoder": "JumpReLUTranscoder",
    "jumprelu_skip_transcoder": "JumpReLUSkipTranscoder",
}
READ_BY_CODERS = ["blocks.1.mlp.hook_in", "blocks.1.ln2.hook_normalized", "blocks.1.hook_mlp_in"]
OUT = "blocks.1.hook_mlp_out"
CASES = [(kind, hook) for kind in SAES for hook in HOOKS] + [(kind, hook) for kind in CODERS for hook in READ_BY_CODERS]


def made(kind: str, hook: str, width: int, seed: int = 0) -> Any:
    """An SAE or transcoder of random weights, saved nowhere yet."""
    metadata = {"hook_name": hook, "model_name": "tiny-llama"}
    size: dict[str, Any] = {"d_in": width, "d_sae": N}
    more: dict[str, Any]
    if kind in CODERS:
        name, more = CODERS[kind], {"d_out": width, "apply_b_dec_to_input": False}
        metadata["hook_name_out"] = OUT
    else:
        name, more = SAES[kind]
        more = more | ({"reshape_activations": "hook_z"} if hook.endswith("hook_z") else {})
    config = getattr(LENS.saes.transcoder if kind in CODERS else LENS, f"{name}Config")(**size, **more)
    config.metadata = LENS.saes.sae.SAEMetadata(**metadata)
    module = getattr(LENS.saes.transcoder if kind in CODERS else LENS, name)(config)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight_name, weight in sorted(module.named_parameters()):
            drawn = torch.randn(weight.shape, generator=random)
            weight.copy_(drawn.abs() * 0.2 if weight_name == "threshold" else drawn * 0.3)
        if kind == "matching_pursuit":
            module.W_dec.copy_(torch.nn.functional.normalize(module.W_dec, dim=1))
    return module


@pytest.fixture(scope="module")
def model(parts: Parts) -> LanguageModel:
    return load_model(str(parts.model), dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def activations(model: LanguageModel) -> dict[str, Tensor]:
    ids = torch.randint(3, 300, (4, 16), generator=torch.Generator().manual_seed(1))
    return {hook: x.flatten(0, 1) for hook, x in model.read(ids, torch.ones_like(ids) > 0, HOOKS).items()}


def as_sae_lens(module: Any, hook: str, x: Tensor) -> tuple[Tensor, Tensor]:
    """What sae-lens itself makes of activations as TransformerLens gives them: its heads stacked, its forward whole."""
    stacked = x.reshape(len(x), -1, 8) if hook.endswith("hook_z") else x
    with torch.no_grad():
        acts = module.encode(stacked)
        return acts, module(stacked).flatten(1) if hook.endswith("hook_z") else module(stacked)


def test_every_kind_encodes_as_sae_lens_at_every_place(
    model: LanguageModel, activations: dict[str, Tensor], tmp_path: Path
) -> None:
    lines = ["", f"{'kind':26}{'reads':32}{'L0':>7}{'L0 of sae-lens':>16}  encode  decode"]
    for number, (kind, hook) in enumerate(CASES):
        module = made(kind, hook, model.width(hook))
        module.save_model(tmp_path / str(number))
        found, x = load_sae(str(tmp_path / str(number))), activations[hook]
        acts, rebuilt = as_sae_lens(module, hook, x)
        mine = found.encode(x)
        same = torch.equal(mine, acts), torch.allclose(found.decode(mine), rebuilt, rtol=1e-5, atol=1e-5)
        l0, expected = (float((each != 0).sum(1).double().mean()) for each in (mine, acts))
        said = "equal" if same[0] else "OTHER", "equal" if same[1] else "OTHER"
        lines.append(f"{kind:26}{hook:32}{l0:7.2f}{expected:16.2f}  {said[0]:8}{said[1]}")
        assert same == (True, True), (kind, hook)
        assert 0 < l0 == expected
        assert (found.hook_point, found.hook_out) == (hook, OUT if kind in CODERS else hook)
    sys.stdout.write("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def saes(model: LanguageModel, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """One at each place, and all transcoders."""
    base = tmp_path_factory.mktemp("saes")
    kinds = list(SAES)
    pairs = [(kinds[place % len(kinds)], hook) for place, hook in enumerate(HOOKS)]
    pairs += [(kind, READ_BY_CODERS[place % 3]) for place, kind in enumerate(CODERS)]
    for number, (kind, hook) in enumerate(pairs):
        made(kind, hook, model.width(hook), seed=number).save_model(base / f"{number:02d}")
    return [base / f"{number:02d}" for number in range(len(pairs))]


@pytest.fixture(scope="module")
def db(parts: Parts, saes: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them in one run; the folder of folders stands for all."""
    path = tmp_path_factory.mktemp("store") / "kinds.db"
    analyze(parts.config(path, saes=[str(saes[0].parent)], tokens=1500, pilot_tokens=500, classes=False), QUIET)
    return path


def slow(parts: Parts, sae: LoadedSae, db: Path) -> tuple[float, float]:
    """L0, and the share of the target's variance that is missed, all tokens at once in float64."""
    reading = prepare(parts.config(db, saes=[sae.source], tokens=1500))
    acts, error, target = [], [], []
    for batch in reading.stream().batches():
        read = reading.model.read(batch.ids, batch.attention, sae.hooks)
        x, y = (read[hook][batch.mask] for hook in (sae.hook_point, sae.hook_out))
        found = sae.encode(x)
        acts.append(found)
        if (batch.cursor - 1) // 8 % 8 == 0:
            skipped = x @ sae.module.module.W_skip.T if sae.architecture in SKIP else 0.0
            keep = y.norm(dim=1) <= 1e9
            error.append((y - sae.decode(found))[keep].double())
            if sae.architecture in TRANSCODERS:
                by_hand = found @ sae.decoder + skipped + (0.0 if sae.bias is None else sae.bias)
                torch.testing.assert_close(y - by_hand, error[-1].float(), rtol=1e-4, atol=1e-4)
            target.append(y.double())
    l0 = float((torch.cat(acts) != 0).sum(1).double().mean())
    y = torch.cat(target)
    return l0, float(torch.cat(error).square().sum() / (y - y.mean(0)).square().sum())


def test_a_run_measures_l0_and_fvu_against_what_each_is_to_give(parts: Parts, saes: list[Path], db: Path) -> None:
    with Session(make_engine(db)) as session:
        stored = {sae.source: analysis for analysis, sae in session.execute(
            select(Analysis, Sae).join(Sae, Sae.id == Analysis.sae_id)).tuples()}  # fmt: skip
    assert len(stored) == len(saes)
    for folder in saes:
        sae, found = load_sae(str(folder)), stored[str(folder)]
        l0, fvu = slow(parts, sae, db)
        assert found.l0 == pytest.approx(l0, rel=1e-5)
        if found.massive_share == 0:
            assert found.fvu == pytest.approx(fvu, rel=1e-3), (sae.architecture, sae.hook_point)


def test_promoted_tokens_go_through_what_adds_a_direction_to_the_stream(
    parts: Parts, saes: list[Path], db: Path, model: LanguageModel
) -> None:
    """For the heads that is their projection; a transcoder's directions are the MLP's output."""
    for folder in saes:
        sae = load_sae(str(folder))
        if parse(sae.hook_out)[1] not in ("z", "mlp_out"):
            continue
        layer: Any = model.module.model.layers[1]  # type: ignore[union-attr,index]
        through = layer.self_attn.o_proj.weight.T if sae.hook_out.endswith("hook_z") else torch.eye(sae.d_out)
        directions = torch.nn.functional.normalize(sae.decoder) @ through.detach().float()
        logits = directions @ model.unembedding()
        allowed = torch.ones(model.vocab_size, dtype=torch.bool)
        found = promoted_tokens(sae.decoder, model.unembedding(sae.hook_out), allowed, 1)
        assert found.promoted[:, 0].tolist() == (logits - logits.mean(1, keepdim=True)).argmax(1).tolist()
    with Session(make_engine(db)) as session:
        assert session.scalars(select(Profile).where(Profile.name == "promoted")).first() is not None


def test_a_transcoder_is_ablated_where_it_writes(parts: Parts, saes: list[Path], db: Path) -> None:
    with Session(make_engine(db)) as session:
        slugs = [sae.slug for sae in session.scalars(select(Sae).order_by(Sae.id)) if sae.architecture in TRANSCODERS]
    assert all("l1-mlp-transcoder" in slug for slug in slugs)
    slug = slugs[1]
    ablate(AblateConfig(db=str(db), sae=slug, tokens=300, controls=2, sets=1), QUIET)
    subject = open_subject(str(db), slug)
    assert subject.sae.transcodes
    with Session(make_engine(db)) as session:
        effects = session.scalars(select(Effect)).all()
    assert effects


def test_a_transcoder_is_pruned_and_measured_where_it_writes(parts: Parts, db: Path, tmp_path: Path) -> None:
    with Session(make_engine(db)) as session:
        rows = session.scalars(select(Sae).order_by(Sae.id)).all()
        slugs = [sae.slug for sae in rows if sae.architecture == "skip_transcoder"]
    prune(PruneConfig(db=str(db), sae=slugs[0], latents="0,3", tokens=400, out=tmp_path / "pruned"), QUIET)
    report = json.loads((tmp_path / "pruned" / PRUNING).read_text())["held_out"]
    subject = open_subject(str(db), slugs[0])
    for side, sae in (("before", subject.sae), ("after", load_sae(str(tmp_path / "pruned")))):
        assert sae.transcodes
        read, wanted, losses = [], [], []
        for batch in subject.stream(400, 8, held_out=0.1, only_held_out=True).batches():
            found = subject.model.read(batch.ids, batch.attention, sae.hooks)
            read.append(found[sae.hook_point][batch.mask])
            wanted.append(found[OUT][batch.mask])
            with torch.no_grad():
                made = sae.core(read[-1])  # sae-lens' own forward

            def put(x: Tensor, made: Tensor = made, mask: Tensor = batch.mask) -> Tensor:
                return x.masked_scatter(mask[..., None], made)

            told = subject.model.token_losses(batch.ids, batch.attention, {OUT: put})
            losses.append(told[batch.mask[:, 1:]])
        x, target = torch.cat(read), torch.cat(wanted).double()
        with torch.no_grad():
            missed = (target - sae.core(x).double()).square().sum()
        fvu = float(missed / (target - target.mean(0)).square().sum())
        assert report[side]["fvu"] == pytest.approx(fvu, rel=1e-5)
        assert report[side]["loss"] == pytest.approx(float(torch.cat(losses).double().mean()), rel=1e-6)
    assert report["after"]["latents"] == report["before"]["latents"] - 2


def test_a_transcoder_is_not_trained_anew_and_that_is_said_before_a_model_is_loaded(db: Path) -> None:
    with Session(make_engine(db)) as session:
        slug = next(sae.slug for sae in session.scalars(select(Sae)) if sae.architecture in TRANSCODERS)
    with pytest.raises(UserError, match=r"found a transcoder, which predicts blocks\.1\.hook_mlp_out from") as told:
        retrain(RetrainConfig(db=str(db), saes=[slug], model="nowhere/at-all"), QUIET)
    assert str(told.value).startswith(f"--sae {slug}: expected an SAE, which gives back what it reads")
    assert "\n" not in str(told.value)
