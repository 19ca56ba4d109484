"""SAE files that are not what they should be are refused before anything runs, and the message says why."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from analysis.errors import UserError
from analysis.hashing import sha256_file
from analysis.reading.sae import HASH, WEIGHTS, check_fits, load_sae, slug_part, slugify
from tests.planted import sae_folder

torch.set_num_threads(1)

N, D = 6, 4


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A sound SAE."""
    random = torch.Generator().manual_seed(0)
    encoder, decoder = torch.randn(2, N, D, generator=random)
    return sae_folder(tmp_path / "sae", encoder, decoder, torch.ones(N), b_dec=torch.arange(D).float())


def rewrite(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the tensors of the file."""
    tensors = load_file(folder / WEIGHTS)
    change(tensors)
    save_file(tensors, folder / WEIGHTS)


def reconfigure(folder: Path, **values: Any) -> None:
    """Change cfg.json."""
    path = folder / "cfg.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def refused(source: Path | str, *words: str) -> None:
    """Loading fails with all these words in the message."""
    with pytest.raises(UserError) as error:
        load_sae(str(source))
    message = str(error.value)
    assert all(word in message for word in words), message
    assert "expected" in message


def with_header(folder: Path, header: bytes, data: bytes = b"") -> None:
    """A file of this header and this data."""
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(header)) + header + data)


def test_a_sound_folder_is_read_as_it_is(folder: Path) -> None:
    sae = load_sae(str(folder))
    tensors = load_file(folder / WEIGHTS)
    assert (sae.n_latents, sae.d_in, sae.layer, sae.architecture, sae.signed) == (N, D, 1, "standard", False)
    assert sae.former == [sha256_file(folder / WEIGHTS)]
    assert sae.encoder is not None
    assert sae.bias is not None
    torch.testing.assert_close(sae.encoder, tensors["W_enc"].T)
    torch.testing.assert_close(sae.decoder, tensors["W_dec"])
    torch.testing.assert_close(sae.bias, tensors["b_dec"])
    x = torch.randn(5, D)
    by_hand = ((x - tensors["b_dec"]) @ tensors["W_enc"] + tensors["b_enc"]).relu()
    torch.testing.assert_close(sae.encode(x), by_hand)
    torch.testing.assert_close(sae.decode(sae.encode(x)), by_hand @ tensors["W_dec"] + tensors["b_dec"])
    assert slug_part(sae) == "l1-resid"


@pytest.mark.parametrize("left", [0, 1, 7, 8, 9, 40, -200, -1])
def test_a_truncated_file_is_refused(folder: Path, left: int) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    cut = whole[:left]
    (folder / WEIGHTS).write_bytes(cut)
    refused(folder, WEIGHTS, f"{len(cut)} bytes")


@pytest.mark.parametrize("more", [b"\0", b"junk" * 1000])
def test_trailing_bytes_are_refused(folder: Path, more: bytes) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(whole + more)
    refused(folder, WEIGHTS, f"{len(whole)} bytes", f"{len(whole) + len(more)} bytes")


@pytest.mark.parametrize("length", [1 << 20, 1 << 40, (1 << 64) - 1])
def test_a_header_larger_than_the_file_is_refused(folder: Path, length: int) -> None:
    whole = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", length) + whole[8:])
    refused(folder, WEIGHTS, f"header length {length}")


def test_a_header_over_the_limit_is_refused_unread(folder: Path) -> None:
    """A sparse file of 200 MB: its size is no reason to read it."""
    with (folder / WEIGHTS).open("r+b") as stream:
        stream.write(struct.pack("<Q", 150_000_000))
        os.truncate(stream.fileno(), 200_000_000)
    refused(folder, WEIGHTS, "header length 150000000")


SHAPE = f'"dtype":"F32","shape":[{N},{D}]'
HEADERS = {
    "not JSON": b"not json at all!",
    "a list": b'["W_dec"]',
    "no offsets": b'{"W_dec":{"dtype":"F32"}}',
    "a word for an offset": b'{"W_dec":{"dtype":"F32","shape":[1],"data_offsets":["a","b"]}}',
    "three offsets": b'{"W_dec":{"dtype":"F32","shape":[1],"data_offsets":[0,1,2]}}',
    "deep": b"[" * 100_000,
    "backwards": f'{{"W_dec":{{{SHAPE},"data_offsets":[96,0]}}}}'.encode(),
    "an overlap": f'{{"W_dec":{{{SHAPE},"data_offsets":[0,96]}},"b":{{{SHAPE},"data_offsets":[48,144]}}}}'.encode(),
    "a gap": f'{{"W_dec":{{{SHAPE},"data_offsets":[0,96]}},"b":{{{SHAPE},"data_offsets":[100,196]}}}}'.encode(),
}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_makes_no_sense_is_refused(folder: Path, header: bytes) -> None:
    with_header(folder, header, b"\0" * 96)
    refused(folder, WEIGHTS)


@pytest.mark.parametrize(
    "header",
    [
        b'{"W_dec":{"dtype":"F99","shape":[6,4],"data_offsets":[0,96]}}',
        b'{"W_dec":{"dtype":"F32","shape":[6,5],"data_offsets":[0,96]}}',
    ],
    ids=["unknown type", "shape that does not hold the bytes"],
)
def test_a_header_that_safetensors_refuses_is_refused(folder: Path, header: bytes) -> None:
    with_header(folder, header + b" " * (-len(header) % 8), b"\0" * 96)
    refused(folder, WEIGHTS, "safetensors")


@pytest.mark.parametrize("name", ["W_enc", "W_dec", "b_enc", "b_dec"])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder: Path, name: str, value: float) -> None:
    """safetensors and sae-lens load them without a word, and every statistic would be NaN."""
    rewrite(folder, lambda tensors: tensors[name].view(-1)[1].fill_(value))
    refused(folder, str(folder), f"finite numbers in {name}", "1 NaN or infinite")


@pytest.mark.parametrize("bit", range(0, 8, 3))
def test_one_flipped_bit_is_noticed(folder: Path, bit: int) -> None:
    right = sha256_file(folder / WEIGHTS)
    (folder / HASH).write_text(f"{right.upper()}  {WEIGHTS}\n")
    assert load_sae(str(folder)).former == [right]
    whole = bytearray((folder / WEIGHTS).read_bytes())
    whole[-5] ^= 1 << bit
    (folder / WEIGHTS).write_bytes(whole)
    refused(folder, WEIGHTS, right, sha256_file(folder / WEIGHTS), HASH)


@pytest.mark.parametrize("text", ["", "\n", "not a hash", "abc123  sae_weights.safetensors"])
def test_a_recorded_hash_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / HASH).write_text(text)
    refused(folder, HASH, "64 hexadecimal digits")


def test_a_width_unlike_the_configs_is_refused(folder: Path) -> None:
    reconfigure(folder, d_in=D + 1)
    refused(folder, WEIGHTS, f"W_dec of shape [{N}, {D + 1}]", f"found [{N}, {D}]")
    reconfigure(folder, d_in=D, d_sae=N - 1)
    refused(folder, WEIGHTS, f"[{N - 1}, {D}]", f"found [{N}, {D}]")


def test_an_encoder_of_another_shape_is_refused(folder: Path) -> None:
    rewrite(folder, lambda tensors: tensors.update(W_enc=tensors["W_enc"].T.contiguous()))
    refused(folder, WEIGHTS, f"W_enc of shape [{D}, {N}]", f"found [{N}, {D}]")


@pytest.mark.parametrize("name", ["W_dec", "W_enc", "b_enc", "b_dec"])
def test_a_missing_tensor_is_refused_and_named(folder: Path, name: str) -> None:
    rewrite(folder, lambda tensors: tensors.pop(name))
    refused(folder, str(folder), name)


@pytest.mark.parametrize("dtype", [torch.int32, torch.bool])
def test_weights_of_whole_numbers_are_refused(folder: Path, dtype: torch.dtype) -> None:
    rewrite(folder, lambda tensors: tensors.update(W_dec=tensors["W_dec"].to(dtype)))
    refused(folder, WEIGHTS, "W_dec of a floating-point type")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_any_float_is_read_and_encodes_in_float32(folder: Path, dtype: torch.dtype) -> None:
    rewrite(folder, lambda tensors: tensors.update({name: t.to(dtype) for name, t in tensors.items()}))
    sae = load_sae(str(folder))
    assert sae.encode(torch.ones(1, D)).dtype == sae.decoder.dtype == torch.float32


@pytest.mark.parametrize("hook", ["", None])
def test_an_sae_that_does_not_say_where_it_reads_is_refused(folder: Path, hook: str | None) -> None:
    reconfigure(folder, metadata={"hook_name": hook})
    refused(folder, str(folder), "hook_name")


def test_an_unknown_hook_point_is_refused_with_the_folder(folder: Path) -> None:
    metadata = json.loads((folder / "cfg.json").read_text())["metadata"]
    reconfigure(folder, metadata=metadata | {"hook_name": "blocks.0.attn.hook_q"})
    refused(folder, str(folder), "'blocks.0.attn.hook_q'", "resid_post")


def test_an_sae_of_another_model_is_refused(folder: Path) -> None:
    sae = load_sae(str(folder))
    check_fits(sae, lambda _hook: D, 2)
    with pytest.raises(UserError, match=r"expected d_in = 576 .*; found 4") as error:
        check_fits(sae, lambda _hook: 576, 2)
    assert str(folder) in str(error.value)
    with pytest.raises(UserError, match=r"blocks\.1\.hook_resid_post; the model has blocks 0 to 0"):
        check_fits(sae, lambda _hook: D, 1)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"d_in": "4"}', '{"d_in": 4}', "[" * 100_000])
def test_a_config_that_is_none_is_refused(folder: Path, text: str) -> None:
    (folder / "cfg.json").write_text(text)
    refused(folder, "cfg.json")


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    reconfigure(folder, architecture="telepathic")
    refused(folder, str(folder), "telepathic")


def test_a_folder_without_config_or_weights_says_what_is_there(folder: Path, tmp_path: Path) -> None:
    (folder / "cfg.json").unlink()
    refused(folder, "cfg.json")
    (folder / WEIGHTS).rename(folder / "weights.safetensors")
    refused(folder, WEIGHTS, "weights.safetensors")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "nothing")
    refused(tmp_path / "no such folder", "no such folder", "release:sae_id")


class Canary:
    """Unpickled, it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (str(self.path), "w")


@pytest.mark.parametrize("name", ["sae.pt", "sae_weights.pkl", "pytorch_model.bin", WEIGHTS])
@pytest.mark.parametrize("how", ["pickle 0", "pickle 4", "torch", "torch, old"])
@pytest.mark.parametrize("as_folder", [True, False])
def test_a_pickle_is_refused_and_never_opened(tmp_path: Path, name: str, how: str, as_folder: bool) -> None:
    canary = tmp_path / "canary"
    bad = tmp_path / "bad"
    bad.mkdir()
    (bad / "cfg.json").write_text(json.dumps({"d_in": D, "d_sae": N, "architecture": "standard", "metadata": {}}))
    if how.startswith("torch"):
        torch.save({"W_dec": Canary(canary)}, bad / name, _use_new_zipfile_serialization=how == "torch")
    else:
        (bad / name).write_bytes(pickle.dumps({"W_dec": Canary(canary)}, protocol=int(how[-1])))
    refused(bad if as_folder else bad / name, name)
    assert not canary.exists()
    pickle.loads(pickle.dumps(Canary(canary)))
    assert canary.exists(), "the canary would have sung"


@pytest.mark.parametrize("name", ["sae.pt", "sae.bin", "sae.pkl"])
def test_the_message_says_that_pickles_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(pickle.dumps([1]))
    refused(tmp_path, "refused", name)
    refused(tmp_path / name, "refused", name)


@pytest.mark.parametrize(
    ("text", "slug"),
    [("SmolLM2-135M Instruct", "smollm2-135m-instruct"), ("../../etc", "etc"), ("Üßé", "model"), ("a_b/c", "a-b-c")],
)
def test_a_slug_is_safe_in_a_link(text: str, slug: str) -> None:
    assert slugify(text) == slug
