"""`inspect` says what an SAE is, whether it fits and what it costs, and loads nothing."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console
from safetensors.torch import load_file
from typer.testing import CliRunner

from analysis.errors import UserError
from analysis.reading.model import LanguageModel
from analysis.run.inspect import inspected, lines
from dense_latents import cli
from tests.analysis.conftest import Parts
from tests.analysis.run.test_every_kind import made
from tests.analysis.tiny_models import D_MODEL, save_tiny

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore")  # sae-lens' own


@pytest.fixture(autouse=True)
def nothing_heavy(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is loaded, no SAE, nobody asked."""

    def heavy(*_args: Any, **_given: Any) -> None:
        raise AssertionError("loaded or asked")

    monkeypatch.setattr(socket.socket, "connect", heavy)
    monkeypatch.setattr(LanguageModel, "__init__", heavy)
    for name in ("load_from_disk", "from_pretrained"):
        monkeypatch.setattr(f"sae_lens.SAE.{name}", heavy)
    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", heavy)


def asked(*arguments: str) -> tuple[int, Any]:
    found = CliRunner().invoke(cli, ["inspect", *arguments, "--json"])
    return found.exit_code, json.loads(found.stdout)


def test_an_sae_that_fits_is_told_with_what_it_costs(parts: Parts) -> None:
    code, found = asked(str(parts.saes[0]), "--model", str(parts.model))
    assert (code, found["fits"], found["refused"]) == (0, True, None)
    assert (found["sae"]["hook_point"], found["sae"]["n_latents"], found["sae"]["l0"]) == (
        "blocks.0.hook_resid_post", 24, 6)  # fmt: skip
    assert found["bytes_sae"] == 4 * 24 * (2 * D_MODEL + 2)
    weights = sum(tensor.numel() for tensor in load_file(parts.model / "model.safetensors").values())
    assert found["bytes_model"] in (2 * weights, 4 * weights)
    assert 0 < found["seconds"] < 60
    assert {"memory", "time", "tokens"} == set(found["rules"])


def test_a_transcoder_says_what_it_predicts(parts: Parts, tmp_path: Path) -> None:
    made("skip_transcoder", "blocks.1.mlp.hook_in", D_MODEL).save_model(tmp_path)
    said = lines(inspected(str(tmp_path), str(parts.model)))
    assert "transcoder (skip_transcoder) with a skip connection" in said["is"]
    assert "blocks.1.mlp.hook_in, 32 numbers a token; predicts blocks.1.hook_mlp_out" in said["reads"]
    assert said["fits"].endswith(": yes")
    assert "for 1,000,000 tokens" in said["time"]


def test_widths_that_names_do_not_tell_are_the_models(parts: Parts) -> None:
    found = inspected("mwhanna-qwen3-4b-transcoders:layer_1", str(parts.model))
    assert (found.fits, found.sae.d_in, found.sae.d_out) == (True, D_MODEL, D_MODEL)


@pytest.mark.parametrize(
    ("hook", "width", "words"),
    [
        ("blocks.9.hook_resid_post", D_MODEL, "expected a block 0 to 2; found blocks.9.hook_resid_post"),
        ("blocks.1.hook_resid_post", 40, "expected 32 numbers a token at blocks.1.hook_resid_post; found 40"),
    ],
)
def test_an_sae_that_does_not_fit_says_why(parts: Parts, tmp_path: Path, hook: str, width: int, words: str) -> None:
    made("standard", hook, width).save_model(tmp_path)
    code, found = asked(str(tmp_path), "--model", str(parts.model))
    assert (code, found["fits"], found["misfit"], found["seconds"]) == (1, False, words, None)


def test_a_place_the_family_does_not_have_is_no_fit(tmp_path: Path) -> None:
    made("standard", "blocks.1.hook_resid_mid", D_MODEL).save_model(tmp_path / "sae")
    found = inspected(str(tmp_path / "sae"), str(save_tiny("gpt_neox", tmp_path / "model")))
    assert found.fits is False
    assert "adds attention and MLP to the stream at once" in str(found.misfit)


def test_an_entry_of_the_registry_is_told_from_its_names() -> None:
    code, found = asked("gemma-scope-2-4b-pt-transcoders-all:layer_10_width_16k_l0_big")
    assert (code, found["sae"]["hook_point"], found["sae"]["l0"]) == (0, "blocks.10.mlp.hook_in", 112)
    code, found = asked("temporal-sae-gemma-2-2b:blocks.12.hook_resid_post")
    assert code == 1
    assert "a temporal SAE" in found["refused"]


def test_what_is_not_there_is_an_error(parts: Parts) -> None:
    with pytest.raises(UserError, match="found neither"):
        inspected("/nowhere", None)
    with pytest.raises(UserError, match="expected the configuration of a causal language model"):
        inspected(str(parts.saes[0]), str(parts.saes[0]))


def test_people_read_a_line_for_each_thing(parts: Parts) -> None:
    found = CliRunner().invoke(cli, ["inspect", str(parts.saes[0])])
    assert found.exit_code == 0
    names = [line.split()[0] for line in found.stdout.splitlines()]
    assert names == ["SAE", "is", "reads", "made", "size", "read", "memory"]
    assert Console().width  # rich wraps nothing: one line each
