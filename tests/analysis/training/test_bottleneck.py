"""A bottleneck beside an SAE: trained with it, saved beside it, read with it, and refused where it is broken."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis.errors import BadFile, UserError
from analysis.hashing import sha256_file
from analysis.interventions.prune.cut import latent_axes, tensors_of, without
from analysis.interventions.prune.folder import write_sae
from analysis.reading.bottleneck import BOTTLENECK
from analysis.reading.sae import LoadedSae, load_sae
from analysis.run.inspect import inspected, lines
from analysis.training.activations import ActivationCache
from analysis.training.config import Recipe
from analysis.training.train import train
from tests.analysis.training.dense_world import DENSE, HOOK, D, DenseWorld, cosines
from tests.analysis.training.test_train import Stopped, StoppingCache

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> DenseWorld:
    """A signal of rank two that is always on, and two hundred sparse ones; an SAE with and without a bottleneck."""
    return DenseWorld(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def beside(world: DenseWorld) -> LoadedSae:
    return world.sae("beside", bottleneck=DENSE)


@pytest.fixture(scope="module")
def plain(world: DenseWorld) -> LoadedSae:
    return world.sae("plain")


def test_the_dense_latents_are_gone_with_a_bottleneck(world: DenseWorld, beside: LoadedSae, plain: LoadedSae) -> None:
    counts = [int((world.density(sae) > 0.15).sum()) for sae in (plain, beside)]
    assert counts[0] >= 2 * DENSE
    assert counts[1] == 0


def test_its_span_is_the_planted_one(world: DenseWorld, beside: LoadedSae) -> None:
    assert beside.bottleneck is not None
    shared = torch.linalg.svdvals(beside.bottleneck.span().T @ world.dense_basis())
    assert shared.min() > 0.98


def test_sparse_signals_are_found_at_least_as_well(world: DenseWorld, beside: LoadedSae, plain: LoadedSae) -> None:
    found = [float((cosines(world.sparse_directions(), sae.decoder) > 0.9).double().mean()) for sae in (plain, beside)]
    assert found[1] > 0.9
    assert found[1] >= found[0]
    assert world.fvu(beside) < world.fvu(plain)


def test_both_parts_are_read_as_by_hand(world: DenseWorld, beside: LoadedSae) -> None:
    """sae-lens loads the SAE's own files as they are; the reconstruction is the sum of two written-out parts."""
    from sae_lens import SAE

    x = world.held_out()[:50]
    part = {name: tensor.double() for name, tensor in load_file(Path(beside.source) / BOTTLENECK).items()}
    through = torch.stack([part["W_out"] @ (part["W_in"] @ (row.double() - part["b"])) for row in x])
    own = SAE.load_from_disk(beside.source, device="cpu", dtype="float32")
    rest = (x - through).float()
    acts = own.encode(rest)
    torch.testing.assert_close(beside.encode(x), acts, rtol=1e-4, atol=1e-4)
    slow = own.decode(acts).double() + through
    torch.testing.assert_close(beside.decode(beside.encode(x)).double(), slow, rtol=1e-4, atol=1e-4)
    listed = beside.fire(x)
    whole = torch.zeros(len(x), beside.n_latents)
    whole[listed.token, listed.latent] = listed.value
    torch.testing.assert_close(whole, beside.encode(x))
    torch.testing.assert_close(beside.decode(whole).double(), slow, rtol=1e-4, atol=1e-4)


def test_its_encoder_is_what_latents_read_of_the_input(world: DenseWorld, beside: LoadedSae) -> None:
    """Moving x along an encoder row's complement leaves the pre-activation alone; sae-lens' own row would not."""
    assert beside.encoder is not None
    x, random = world.held_out()[:1].double(), torch.Generator().manual_seed(0)
    step = torch.randn(1, D, generator=random, dtype=torch.float64)
    bottleneck = beside.bottleneck
    assert bottleneck is not None
    weights = beside.core.W_enc.double()
    change = (bottleneck.rest((x + step).float()) - bottleneck.rest(x.float())).double() @ weights
    torch.testing.assert_close(change[0], beside.encoder.double() @ step[0], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(beside.encoder, beside.core.W_enc.T)


def test_the_identity_holds_the_bottleneck(beside: LoadedSae, tmp_path: Path) -> None:
    """Without it, or with another, the same files of sae-lens are another SAE."""
    alone = _copy(beside, tmp_path / "alone")
    (alone / BOTTLENECK).unlink()
    _restate(alone, None)
    other = _copy(beside, tmp_path / "other")
    tensors = load_file(other / BOTTLENECK)
    save_file(tensors | {"b": tensors["b"] + 1}, other / BOTTLENECK)
    _restate(other, {"rank": DENSE, "kind": "learned", "sha256": sha256_file(other / BOTTLENECK)})
    loaded = [load_sae(str(folder)) for folder in (alone, other)]
    assert len({beside.sha256, *(sae.sha256 for sae in loaded)}) == 3
    assert loaded[0].bottleneck is None
    assert beside.former == []
    assert load_sae(str(_copy(beside, tmp_path / "same"))).sha256 == beside.sha256


def test_inspect_says_it(beside: LoadedSae, plain: LoadedSae) -> None:
    assert lines(inspected(beside.source, None))["is"] == (
        f"SAE (topk) beside a linear bottleneck of rank {DENSE}, sae-lens"
    )
    assert "bottleneck" not in lines(inspected(plain.source, None))["is"]


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-8])


def _turned(path: Path) -> None:
    tensors = load_file(path)
    save_file({"W_in": tensors["W_out"], "W_out": tensors["W_in"], "b": tensors["b"]}, path)


def _infinite(path: Path) -> None:
    tensors = load_file(path)
    tensors["b"][0] = torch.inf
    save_file(tensors, path)


@pytest.mark.parametrize(
    ("break_it", "restated", "message"),
    [
        (Path.unlink, False, "expected the bottleneck of rank 2 that cfg.json speaks of; found no such file"),
        (_cut, False, "bytes, as its header says"),
        (_turned, False, r"expected SHA-256 [0-9a-f]{64} \(from cfg.json\); found"),
        (_turned, True, r"expected tensors .*'W_in': \[2, 64\].*; found .*'W_in': \[64, 2\]"),
        (_infinite, True, "expected finite numbers in b; found 1 NaN or infinite"),
    ],
)
def test_a_broken_bottleneck_is_refused_in_one_line(
    beside: LoadedSae, tmp_path: Path, break_it: Callable[[Path], None], restated: bool, message: str
) -> None:
    folder = _copy(beside, tmp_path / "broken")
    break_it(folder / BOTTLENECK)
    if restated:
        _restate(folder, {"rank": DENSE, "kind": "learned", "sha256": sha256_file(folder / BOTTLENECK)})
    with pytest.raises(BadFile, match=message) as error:
        load_sae(str(folder))
    assert "\n" not in str(error.value)


def test_one_that_the_configuration_does_not_know_is_refused(beside: LoadedSae, tmp_path: Path) -> None:
    folder = _copy(beside, tmp_path / "unsaid")
    _restate(folder, None)
    with pytest.raises(BadFile, match=r"expected a bottleneck's rank in cfg\.json"):
        load_sae(str(folder))


@pytest.mark.parametrize("kind", ["principal", "random"])
def test_a_fixed_bottleneck_stays_what_it_was(world: DenseWorld, kind: str) -> None:
    """The controls: the directions of most variance, which here are the planted ones, and random ones."""
    sae = world.sae(kind, bottleneck=DENSE, bottleneck_kind=kind, train_tokens=20 * 256)
    assert sae.bottleneck is not None
    torch.testing.assert_close(sae.bottleneck.w_in, sae.bottleneck.w_out.T)
    shared = torch.linalg.svdvals(sae.bottleneck.span().T @ world.dense_basis())
    assert (shared.min() > 0.98) == (kind == "principal")
    mean = torch.from_numpy(world.training.rows(HOOK)[:].astype("float32")).mean(0)
    torch.testing.assert_close(sae.bottleneck.b, mean, rtol=0, atol=0.02)


@pytest.mark.parametrize("architecture", ["batchtopk", "topk", "jumprelu", "abstopk"])
def test_resumed_training_gives_the_same_bottleneck(world: DenseWorld, architecture: str, tmp_path: Path) -> None:
    chosen = Recipe(architecture, 64, 4, batch=64, train_tokens=60 * 64, bottleneck=2)
    about = {"hook_name": HOOK, "model_name": "planted"}
    train(chosen, world.training, HOOK, tmp_path / "whole", about)
    with pytest.raises(Stopped):
        train(chosen, _Stopping(world.training), HOOK, tmp_path / "stopped", about)
    report = train(chosen, world.training, HOOK, tmp_path / "stopped", about)
    assert report["resumed_at_step"] > 0
    whole, resumed = (load_file(tmp_path / name / BOTTLENECK) for name in ("whole", "stopped"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert load_sae(str(tmp_path / "whole")).sha256 == load_sae(str(tmp_path / "stopped")).sha256


class _Stopping(StoppingCache):
    """Fails after three quarters of the steps, but not while the mean is taken."""

    def __init__(self, cache: ActivationCache) -> None:
        super().__init__(cache, 50 + 45)
        self.looked = False

    def rows(self, hook: str, mode: str = "r") -> Any:
        looked, self.looked = self.looked, True
        return super().rows(hook, mode) if looked else ActivationCache.rows(self, hook, mode)


def test_a_bottleneck_that_leaves_nothing_is_refused(world: DenseWorld, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"--bottleneck {D}: expected less than the {D} numbers"):
        train(Recipe("topk", 64, 4, bottleneck=D), world.training, HOOK, tmp_path, {})


@pytest.mark.parametrize(
    ("architecture", "steps"),
    [("batchtopk", 300), ("jumprelu", 150), pytest.param("abstopk", 150, marks=pytest.mark.long)],
)
def test_a_frequency_penalty_lowers_what_is_above(world: DenseWorld, architecture: str, steps: int) -> None:
    """BatchTopK's running threshold begins at 0, and takes its time."""
    above, found = 0.15, []
    for weight in (0.0, 10.0):
        sae = world.sae(
            f"{architecture}-{weight}", frequency_penalty=weight, frequency_above=above,
            architecture=architecture, train_tokens=steps * 256,
        )  # fmt: skip
        found.append(world.density(sae))
    before, after = (float((density - above).clamp(min=0).sum()) for density in found)
    assert before > 0.2
    assert after < 0.7 * before


def test_penalised_latents_keep_l0_and_the_rare_ones(world: DenseWorld, plain: LoadedSae) -> None:
    penalised = world.sae("penalised", frequency_penalty=3.0, frequency_above=0.15)
    density = world.density(penalised)
    assert float(density.sum()) == pytest.approx(6, abs=0.01)
    assert float(density.max()) < 0.6 * float(world.density(plain).max())
    assert float((cosines(world.sparse_directions(), penalised.decoder) > 0.9).double().mean()) > 0.6


def _copy(sae: LoadedSae, folder: Path) -> Path:
    return Path(shutil.copytree(sae.source, folder))


def _restate(folder: Path, stated: dict[str, object] | None) -> None:
    path = folder / "cfg.json"
    cfg = json.loads(path.read_text())
    del cfg["metadata"]["bottleneck"]
    cfg["metadata"] |= {} if stated is None else {"bottleneck": stated}
    path.write_text(json.dumps(cfg))


def test_a_pruned_sae_keeps_its_bottleneck(world: DenseWorld, beside: LoadedSae, tmp_path: Path) -> None:
    tensors, dtype = tensors_of(beside)
    left, _kept = without(tensors, latent_axes(beside), [0], beside.n_latents)
    write_sae(tmp_path, beside, left, dtype, {"removed": [0]})
    pruned, x = load_sae(str(tmp_path)), world.held_out()[:50]
    acts = beside.encode(x)
    quiet = acts[:, 0] == 0
    assert quiet.any()
    torch.testing.assert_close(pruned.decode(pruned.encode(x))[quiet], beside.decode(beside.encode(x))[quiet])
