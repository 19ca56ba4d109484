"""An SAE without some latents is the old one with those held at nothing, or at their mean; and a folder like any."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sae_lens
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from analysis.errors import UserError
from analysis.interventions.prune.chosen import checked, read_list
from analysis.interventions.prune.config import PruneConfig
from analysis.interventions.prune.cut import (
    check_foldable,
    check_room,
    contribution,
    folded,
    latent_axes,
    tensors_of,
    without,
)
from analysis.interventions.prune.folder import new_folder, write_sae
from analysis.reading.sae import WEIGHTS, LoadedSae, load_sae

torch.set_num_threads(1)

N, D, K = 12, 5, 4
REMOVED = [2, 7, 11]
KEPT = [index for index in range(N) if index not in REMOVED]
SLUG = "tiny/l1-resid"
THRESHOLD = ("Standard", "JumpReLU", "Gated")  # what a latent does depends on itself alone
CHOOSING = ("TopK", "AbsTopK")
PER_LATENT = {"W_enc", "W_dec", "b_enc", "threshold", "b_gate", "b_mag", "r_mag"}


def made(folder: Path, kind: str, n: int = N, d: int = D, dtype: str = "float32", **settings: Any) -> Path:
    """An SAE of that kind with random weights, biases and thresholds, in sae-lens' own format."""
    name = kind if hasattr(sae_lens, f"{kind}Config") else f"{kind}SAE"
    config = getattr(sae_lens, f"{name}Config")(d_in=d, d_sae=n, dtype=dtype, **settings)
    config.metadata.hook_name = "blocks.1.hook_resid_post"
    config.metadata.neuronpedia_id = "tiny/1-res"
    sae = getattr(sae_lens, name)(config)
    random = torch.Generator().manual_seed(n + d)
    with torch.no_grad():
        for name, tensor in sorted(sae.state_dict().items()):
            noise = torch.randn(tensor.shape, generator=random)
            scale = 0.2 if tensor.dim() == 1 else 0.7
            tensor.copy_(scale * (noise.abs() if name == "threshold" else noise))
    sae.save_model(str(folder))
    return folder


def settings_of(kind: str) -> dict[str, Any]:
    return {"k": K} if kind in CHOOSING else {}


def pruned(source: LoadedSae, folder: Path, removed: list[int] = REMOVED, means: Tensor | None = None) -> LoadedSae:
    """Cut, folded where means [removed] are given, written and loaded again."""
    tensors, dtype = tensors_of(source)
    left, kept = without(tensors, latent_axes(source), removed, source.n_latents)
    assert kept == [index for index in range(source.n_latents) if index not in removed]
    if means is not None:
        left = folded(source, left, contribution(source, removed, means))
    folder.mkdir()
    write_sae(folder, source, left, dtype, {"removed": removed})
    return load_sae(str(folder))


def some_tokens(d: int = D, count: int = 400) -> Tensor:
    return 1.5 * torch.randn(count, d, generator=torch.Generator().manual_seed(3)) + 0.4


# --- the arithmetic -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*THRESHOLD, *CHOOSING])
@pytest.mark.parametrize("n", [N, D], ids=["wider", "as many latents as dimensions"])
@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_what_is_left_is_the_same_bit_for_bit(tmp_path: Path, kind: str, n: int, dtype: str) -> None:
    settings = {"k": 2} if kind in CHOOSING else {}
    source = load_sae(str(made(tmp_path / "source", kind, n=n, dtype=dtype, **settings)))
    removed = [1, 3]
    left = pruned(source, tmp_path / "left", removed)
    before, after = (load_file(tmp_path / name / WEIGHTS) for name in ("source", "left"))
    kept = [index for index in range(n) if index not in removed]
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        wanted = tensor
        if name in PER_LATENT:
            wanted = tensor[:, kept] if name == "W_enc" else tensor[kept]
        assert torch.equal(after[name], wanted), name
        assert after[name].dtype == getattr(torch, dtype)
    assert (left.n_latents, left.architecture, left.dtype) == (n - 2, source.architecture, dtype)
    assert sae_lens.SAE.load_from_disk(str(tmp_path / "left")).cfg.d_sae == n - 2


@pytest.mark.parametrize("kind", THRESHOLD)
@pytest.mark.parametrize("input_bias", [True, False])
@pytest.mark.parametrize("normalisation", ["none", "layer_norm"])
@pytest.mark.parametrize("fold", [True, False])
def test_it_rebuilds_as_the_old_one_with_the_removed_latents_held_fixed(
    tmp_path: Path, kind: str, input_bias: bool, normalisation: str, fold: bool
) -> None:
    source = load_sae(
        str(made(tmp_path / "source", kind, apply_b_dec_to_input=input_bias, normalize_activations=normalisation))
    )
    x = some_tokens()
    acts = source.encode(x)
    means = acts[:, REMOVED].double().mean(0) if fold else None
    held = acts.clone()
    held[:, REMOVED] = 0.0 if means is None else means.float()
    expected = source.decode(held)
    assert (acts[:, REMOVED] > 0).any(0).all(), "else nothing would be shown"
    left = pruned(source, tmp_path / "left", means=means)
    found = left.encode(x)
    assert torch.equal(found > 0, acts[:, KEPT] > 0)
    torch.testing.assert_close(found, acts[:, KEPT], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(left.decode(found), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", CHOOSING)
@pytest.mark.parametrize("rescaled", [True, False])
def test_under_top_k_others_take_their_place(tmp_path: Path, kind: str, rescaled: bool) -> None:
    folder = made(tmp_path / "source", kind, k=K, rescale_acts_by_decoder_norm=rescaled)
    source = load_sae(str(folder))
    x = some_tokens()
    acts = source.encode(x)
    means = acts[:, REMOVED].double().mean(0)
    left = pruned(source, tmp_path / "left", means=means)
    found = left.encode(x)
    tensors = load_file(folder / WEIGHTS)
    plain = (x - tensors["b_dec"]) @ tensors["W_enc"][:, KEPT] + tensors["b_enc"][KEPT]
    norms = tensors["W_dec"].norm(dim=1)
    plain = plain * norms[KEPT] if rescaled else plain
    largest = (plain.abs() if kind == "AbsTopK" else plain).topk(K).indices
    expected = torch.zeros_like(plain).scatter(1, largest, plain.gather(1, largest))
    expected = expected if kind == "AbsTopK" else expected.relu()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert (found != 0).sum() > (acts[:, KEPT] != 0).sum(), "some took the place of those removed"
    shift = means.float() @ (tensors["W_dec"] / (norms[:, None] if rescaled else 1.0))[REMOVED]
    bias = left.decode(torch.zeros(1, len(KEPT)))[0]
    torch.testing.assert_close(bias, tensors["b_dec"] + shift, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_in_half_precision_too_the_others_fire_as_before(tmp_path: Path, dtype: str) -> None:
    """The encoder's bias takes back what b_dec takes off: rounded to 11 bits, it would not."""
    source = load_sae(str(made(tmp_path / "source", "JumpReLU", n=200, d=24, dtype=dtype)))
    x = some_tokens(24, 3000)
    acts = source.encode(x)
    removed = list(range(40))
    left = pruned(source, tmp_path / "left", removed, acts[:, removed].double().mean(0))
    found = left.encode(x)
    assert int(((found > 0) != (acts[:, 40:] > 0)).sum()) <= 2  # of 480,000: pre-activations on the very threshold
    torch.testing.assert_close(found.sum(), acts[:, 40:].sum(), rtol=1e-5, atol=0.0)
    assert load_file(tmp_path / "left" / WEIGHTS)["W_enc"].dtype == getattr(torch, dtype)
    assert sae_lens.SAE.load_from_disk(str(tmp_path / "left")).W_dec.dtype == getattr(torch, dtype)


def test_a_batch_top_k_sae_is_cut_as_the_jumprelu_it_is_saved_as(tmp_path: Path) -> None:
    config = sae_lens.BatchTopKTrainingSAEConfig(d_in=D, d_sae=N, k=3.0)
    config.metadata.hook_name = "blocks.1.hook_resid_post"
    trained = sae_lens.BatchTopKTrainingSAE(config)
    trained.topk_threshold.fill_(0.4)
    trained.save_inference_model(str(tmp_path / "source"))
    source = load_sae(str(tmp_path / "source"))
    assert source.architecture == "jumprelu"
    x = some_tokens()
    left = pruned(source, tmp_path / "left")
    torch.testing.assert_close(left.encode(x), source.encode(x)[:, KEPT])
    assert left.details["metadata"]["training_architecture"] == "batchtopk"


def test_a_file_that_sae_lens_converts_is_cut_as_converted(tmp_path: Path) -> None:
    """Old files hold a scaling factor that sae-lens leaves out."""
    folder = made(tmp_path / "source", "Standard")
    tensors = load_file(folder / WEIGHTS)
    config = json.loads((folder / "cfg.json").read_text())
    source = load_sae(str(folder))
    source.module.W_dec.data *= 2  # as if it had been converted: not what the file holds
    save_file({name: tensor for name, tensor in tensors.items() if name != "b_enc"}, folder / WEIGHTS)
    found, dtype = tensors_of(source)
    assert dtype == config["dtype"] == "float32"
    torch.testing.assert_close(found["W_dec"], 2 * tensors["W_dec"])


def test_a_name_elsewhere_that_no_longer_fits_is_left_out(tmp_path: Path) -> None:
    """Neuronpedia's latents are the old ones: every link would lead to another latent."""
    source = load_sae(str(made(tmp_path / "source", "Standard")))
    assert source.neuronpedia_id == "tiny/1-res"
    left = pruned(source, tmp_path / "left")
    assert left.neuronpedia_id is None
    assert (left.hook_point, left.details["metadata"]["pruned_from"]["removed"]) == (source.hook_point, REMOVED)


@pytest.mark.parametrize("kind", ["Transcoder", "SkipTranscoder", "JumpReLUTranscoder", "JumpReLUSkipTranscoder"])
def test_a_transcoder_predicts_as_before_with_those_latents_at_nothing_or_at_their_mean(
    tmp_path: Path, kind: str
) -> None:
    """Another width out than in; what skips the latents stays."""
    source = load_sae(str(coder(tmp_path / "source", kind)))
    x = some_tokens()
    acts = source.encode(x)
    means = acts[:, REMOVED].double().mean(0)
    for name, held in (("nothing", None), ("mean", means)):
        left = pruned(source, tmp_path / name, means=held)
        assert (left.d_in, left.d_out, left.n_latents, left.transcodes) == (D, D + 2, len(KEPT), True)
        assert (left.hook_point, left.hook_out) == (source.hook_point, source.hook_out)
        assert torch.equal(left.encode(x) > 0, acts[:, KEPT] > 0)
        torch.testing.assert_close(left.encode(x), acts[:, KEPT], rtol=1e-5, atol=1e-5)
        changed = acts.clone()
        changed[:, REMOVED] = 0.0 if held is None else held.float()
        source.encode(x)  # what skips is of the tokens that were encoded last
        expected = source.decode(changed)
        torch.testing.assert_close(left.decode(left.encode(x)), expected, rtol=1e-5, atol=1e-5)


def coder(folder: Path, kind: str) -> Path:
    """A transcoder of that kind, in sae-lens' own format."""
    module: Any = getattr(sae_lens.saes.transcoder, kind)
    config = getattr(sae_lens.saes.transcoder, f"{kind}Config")(
        d_in=D, d_sae=N, d_out=D + 2, apply_b_dec_to_input=False
    )
    config.metadata.hook_name, config.metadata.hook_name_out = "blocks.1.mlp.hook_in", "blocks.1.hook_mlp_out"
    made = module(config)
    random = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for name, tensor in sorted(made.state_dict().items()):
            noise = torch.randn(tensor.shape, generator=random)
            tensor.copy_(0.2 * noise.abs() if name == "threshold" else 0.5 * noise)
    made.save_model(str(folder))
    return folder


# --- what is refused ------------------------------------------------------------------------------


def refused(words: str, call: Callable[[], Any]) -> str:
    with pytest.raises(UserError, match=words) as error:
        call()
    return str(error.value)


def test_fewer_latents_than_are_on_per_token_are_refused(tmp_path: Path) -> None:
    source = load_sae(str(made(tmp_path / "sae", "TopK", k=K)))
    check_room(source, list(range(N - K)))
    message = refused("4 latents are on per token", lambda: check_room(source, list(range(N - K + 1))))
    assert "would leave 3" in message


def test_matching_pursuit_is_cut_but_not_folded(tmp_path: Path) -> None:
    source = load_sae(str(made(tmp_path / "source", "MatchingPursuit")))
    left = pruned(source, tmp_path / "left")
    assert torch.equal(left.decoder, source.decoder[KEPT])
    refused("found matching_pursuit: use --no-fold-mean", lambda: check_foldable(source))


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([], "at least one index; found none"),
        (range(N), "all 12 latents of tiny/l1-resid would go"),
        ([3, N], "from 0 to 11, as tiny/l1-resid has; found 12"),
        ([-1], "found -1"),
    ],
)
def test_nothing_everything_and_what_is_not_there_are_refused(found: list[int], words: str) -> None:
    refused(words, lambda: checked(found, N, SLUG))
    assert checked([7, 2, 7], N, SLUG) == [2, 7]


LISTS = {
    "a.txt": "3\n17\n\n40\n",
    "b.txt": "\ufeff3\r\n17\r\n40",
    "c.csv": "sae,index,density\ntiny/l1-resid,3,0.5\ntiny/l1-resid,17,0.1\ntiny/l1-resid,40,0.1\n",
    "d.csv": "index\n3\n17\n40\n",
    "e.csv": '\ufeff"index","top tokens"\n3,"a\nb"\n17,","\n40,"index"\n',
    "f.json": "[3, 17, 40]",
    "g.json": '[{"index": 3}, {"index": 17}, {"index": 40, "sae": null}]',
    "h.json": '{"items": [{"sae": "tiny/l1-resid", "index": 3}, {"index": 17}, {"index": 40}], "next": null}',
    "no suffix": "3,17,40",
}
BAD_LISTS = {
    "3,x": "as in 3,17,40; found 'x'",
    "no such file.csv": "a file or a whole number; found 'no such file.csv'",
    "-3": "found '-3'",
    "1.5": "found '1.5'",
    "³": "found '³'",
}
BAD_FILES = {
    "a.csv": ("sae,index\ntiny/l2-resid,3\n", "latents of tiny/l1-resid; found some of tiny/l2-resid"),
    "b.json": ('{"items": [{"sae": "tiny/l2-resid", "index": 3}]}', "found some of tiny/l2-resid"),
    "c.json": ('{"latents": 3}', "a list `items`"),
    "d.json": ("[3,", "JSON"),
    "e.json": ('[{"number": 3}]', "`index` in every row"),
    "f.json": ('{"items": [{"index": 3}], "next": "abc"}', "one page of them, with more to come"),
    "g.json": ("[true]", "found 'True'"),
    "h.txt": ("3\nfour\n", "found 'four'"),
    "i.csv": ("latent,density\n3,0.5\n", "found 'latent'"),
}


@pytest.mark.parametrize("name", LISTS)
def test_a_list_is_read_in_every_form(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(LISTS[name], encoding="utf-8")
    assert read_list(str(tmp_path / name), SLUG) == [3, 17, 40]


def test_a_list_can_be_typed() -> None:
    assert read_list("3,17, 40,", SLUG) == [3, 17, 40]
    assert read_list("3", SLUG) == [3]


@pytest.mark.parametrize("given", BAD_LISTS)
def test_what_is_no_list_is_refused(given: str) -> None:
    refused(BAD_LISTS[given], lambda: read_list(given, SLUG))


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_is_no_list_of_this_sae_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(BAD_FILES[name][0])
    message = refused(BAD_FILES[name][1], lambda: read_list(str(tmp_path / name), SLUG))
    assert name in message


def test_a_folder_is_there_whole_or_not_at_all(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"

    def fail() -> None:
        with new_folder(out) as folder:
            (folder / "half").write_text("of it")
            raise UserError("half way")

    refused("half way", fail)
    assert list(tmp_path.iterdir()) == []
    with new_folder(out) as folder:
        (folder / "all").write_text("of it")
        assert not out.exists()
    assert [path.name for path in out.iterdir()] == ["all"]
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]
    assert out.stat().st_mode & 0o777 == 0o755


def test_somebody_elses_file_is_not_written_over(tmp_path: Path) -> None:
    out = tmp_path / "out"

    def fill() -> None:
        with new_folder(out):
            out.mkdir()
            (out / "theirs").write_text("kept")

    refused("found theirs in it", fill)
    assert (out / "theirs").read_text() == "kept"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "either --verdict or --latents"),
        ({"verdict": "prune", "latents": "3"}, "either --verdict or --latents"),
        ({"verdict": "drop"}, "choose one of keep, investigate, prune"),
        ({"latents": "3", "held_out": 1.0}, "--held-out 1.0"),
        ({"latents": "3", "tokens": 0}, "--tokens 0"),
    ],
)
def test_what_was_asked_for_is_checked(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    refused(words, lambda: PruneConfig(sae=SLUG, out=tmp_path / "out", **changes))
