"""What is kept of a GGUF file is what reading it gave, or nothing; and it is what the next loading reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from analysis.reading import model_loading
from analysis.reading.gguf_cache import folder_of, keep, tokenizer_folder
from analysis.reading.model_loading import load_model, load_tokenizer
from tests.analysis.tiny_models import tiny, tiny_tokenizer

torch.set_num_threads(1)

SHA = "ab" * 32
Load = Callable[[Path], tuple[Any, Any]]


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that begins as a GGUF does and has nothing in it, in a folder of its own; the cache is empty."""
    monkeypatch.setenv("DENSE_LATENTS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(model_loading, "sha256_file", lambda _path: SHA)
    folder = tmp_path / "file"
    folder.mkdir()
    (folder / "model.gguf").write_bytes(b"GGUF" + bytes(60))
    return folder / "model.gguf"


@pytest.fixture
def load() -> Load:
    return partial(model_loading._load_pretrained, "model.gguf", dtype=torch.float32)


def folder(path: Path) -> Path:
    found = folder_of(path, SHA, torch.float32)
    assert found is not None
    return found


def test_the_next_loading_is_from_what_was_kept(gguf: Path, load: Load) -> None:
    module, tokenizer = tiny("llama"), tiny_tokenizer()
    keep(folder(gguf), module, tokenizer, load)
    again = load_model(str(gguf), dtype="float32")  # the file itself could not be read
    ids = torch.arange(3, 40)[None]
    assert torch.equal(module(ids).logits, again.module(ids).logits)
    assert again.fingerprint == SHA
    text = "The cat sat on the mat, 42 times."
    assert load_tokenizer(str(gguf))(text).input_ids == tokenizer(text).input_ids


def test_nothing_is_kept_that_does_not_load_as_the_same(gguf: Path, load: Load) -> None:
    def with_a_weight_changed(where: Path) -> tuple[Any, Any]:
        module, tokenizer = load(where)
        module.lm_head.weight.data[0, 0] += 1
        return module, tokenizer

    def with_another_rope(where: Path) -> tuple[Any, Any]:
        module, tokenizer = load(where)
        module.config.rms_norm_eps *= 2
        return module, tokenizer

    for changed in (with_a_weight_changed, with_another_rope):
        keep(folder(gguf), tiny("llama"), tiny_tokenizer(), changed)
        assert tokenizer_folder(gguf, SHA) is None


def test_where_there_is_no_room_nothing_is_kept_and_nothing_fails(gguf: Path, load: Load) -> None:
    (gguf.parent.parent / "cache").write_text("a file in its place")
    keep(folder(gguf), tiny("llama"), tiny_tokenizer(), load)
    assert not folder(gguf).exists()


def test_a_file_with_a_configuration_beside_it_is_read_itself(gguf: Path, load: Load) -> None:
    """transformers lets it have a say, and the file's hash does not know it."""
    keep(folder(gguf), tiny("llama"), tiny_tokenizer(), load)
    (gguf.parent / "tokenizer_config.json").write_text("{}")
    assert folder_of(gguf, SHA, torch.float32) is None
    assert tokenizer_folder(gguf, SHA) is None
