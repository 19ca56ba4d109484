"""What transformers warns of while it loads a model is said once, with the model's name; nothing of it is hushed."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from logging import ERROR, WARNING
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from analysis.reading.model_loading import load_model
from tests.analysis.tiny_models import save_tiny


def load(folder: Path) -> None:
    load_model(str(folder), dtype="float32", device="cpu", centred=False)


@pytest.fixture(params=[WARNING, ERROR])
def level(request: pytest.FixtureRequest) -> Iterator[int]:
    """What the library's logger lets through: TransformerLens, once imported, leaves errors only."""
    logger = logging.get_logger("transformers")
    before = logger.level
    logger.setLevel(request.param)
    yield request.param
    logger.setLevel(before)


def test_a_warning_is_said_once_and_in_our_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, level: int
) -> None:
    folder, real = save_tiny("llama", tmp_path / "tiny"), AutoModelForCausalLM.from_pretrained

    def warns(*given: Any, **more: Any) -> Any:
        for _ in range(2):
            logging.get_logger("transformers.modeling_utils").warning("rope is odd")
        warnings.warn("weights are odd, too", UserWarning, stacklevel=1)
        return real(*given, **more)

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", warns)
    load(folder)
    said = [record.getMessage() for record in caplog.records if record.name == "dense_latents"]
    assert sorted(said) == [
        f"{folder}: transformers warns: rope is odd",
        f"{folder}: transformers warns: weights are odd, too",
    ]
    assert logging.get_logger("transformers").level == level


def test_a_sound_model_is_loaded_in_silence(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load(save_tiny("llama", tmp_path / "tiny"))
    assert [record for record in caplog.records if record.name == "dense_latents"] == []
