"""FAULTS 49 on the console: what an SAE does not fit is said when it is read, before and after."""

from __future__ import annotations

import io
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

from analysis.errors import UserError
from analysis.reading.sae import load_sae
from analysis.run.analyze import analyze
from tests.analysis.conftest import Parts
from tests.analysis.tiny_models import D_MODEL
from tests.planted import sae_folder


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))


def said(parts: Parts, folder: Path, **changes: Any) -> str:
    printed = io.StringIO()
    config = parts.config(folder / "run.db", saes=[str(folder)], **changes)
    analyze(config, Console(file=printed, soft_wrap=True))
    return printed.getvalue()


def sae(folder: Path, metadata: dict[str, Any], report: dict[str, Any]) -> Path:
    """Two latents on for about every token, of an SAE that says it has a fraction of that."""
    rows = torch.nn.functional.normalize(torch.randn(8, D_MODEL, generator=torch.Generator().manual_seed(3)), dim=1)
    sae_folder(folder, rows, rows, torch.full((8,), 0.5))
    config = json.loads((folder / "cfg.json").read_text())
    config["metadata"] |= metadata
    (folder / "cfg.json").write_text(json.dumps(config))
    (folder / "training_report.json").write_text(json.dumps({"held_out": report}))
    return folder


def test_a_misfit_is_told_of(parts: Parts, tmp_path: Path) -> None:
    metadata = {"model_name": "openai-community/gpt2", "training_architecture_details": {"k": 1}}
    folder = sae(tmp_path / "sae", metadata, {"fvu": 0.01})
    text = said(parts, folder)
    assert f"{folder}: made for openai-community/gpt2, as its metadata say; reading tiny-llama" in text
    assert text.index("made for") < text.index("tokens/s")  # before it is read
    assert f"{folder}: L0 " in text
    assert " x its k of 1; another model" in text
    assert f"{folder}: FVU " in text


def test_another_organisation_is_no_other_model(parts: Parts, tmp_path: Path) -> None:
    folder = sae(tmp_path / "sae", {"model_name": "maker/tiny-llama", "l0": 4.0}, {})
    text = said(parts, folder)
    assert "made for" not in text
    assert ": L0 " not in text


def test_classes_that_could_not_be_measured_are_named(parts: Parts, tmp_path: Path) -> None:
    folder = sae(tmp_path / "sae", {"model_name": "tiny-llama"}, {})
    text = said(parts, folder, tokens=1500)
    assert re.search(
        r"position was not measured: \d+ documents were read and 64 are needed, since in few of them slow noise", text
    )
    assert "_" not in "".join(line for line in text.splitlines() if "was not measured" in line).replace(str(folder), "")
    assert "unexplained was not measured" not in text
    assert " of the 90 documents, 1 SAE, " in text


@pytest.mark.parametrize(
    "wrong", [{"k": None}, {"sae_lens_version": None, "architecture": "standard", "activation_fn_str": "topk"}]
)
def test_a_topk_sae_without_its_k_is_refused(parts: Parts, tmp_path: Path, wrong: dict[str, Any]) -> None:
    """sae-lens takes 100 for it, or reads the SAE as a ReLU's."""
    folder = tmp_path / "sae"
    shutil.copytree(parts.saes[0], folder)
    config = json.loads((folder / "cfg.json").read_text()) | wrong
    config.pop("k", None)
    (folder / "cfg.json").write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
    with pytest.raises(UserError, match=r"cfg\.json: expected k, how many latents fire on a token.*found none"):
        load_sae(str(folder))
