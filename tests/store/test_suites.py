"""What makes two runs stand side by side, and what does not."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from store.suites import suite_key

migration: Any = importlib.import_module("migrations.versions.0017_know_which_suite_a_run_belongs_to")
SETTINGS: dict[str, Any] = {
    "saes": ["a"], "tokens": 4000, "dense_threshold": 0.1, "context": 256, "contexts": 8, "seed": 0,
    "pilot_tokens": 8192, "controls": 32, "classes": True, "class_tokens": 65_536, "random_directions": 64,
    "pool": 512, "cuts": {"q": 0.05, "position_rho": 0.4}, "chance_directions": 512, "model_dtype": "bfloat16",
    "device": "cpu", "detail": {}, "corpus": "/here", "model": "/there", "resume": False, "checkpoint_seconds": 60.0,
}  # fmt: skip
VERSIONS = {"dense-latents": "0.5.0.dev0", "torch": "2.13.0"}


def key(**changed: Any) -> str:
    return suite_key("m", "c", SETTINGS | changed, VERSIONS)


@pytest.mark.parametrize(
    "changed",
    [
        {"saes": ["b", "c"]}, {"detail": {"3": [1]}}, {"corpus": "/moved"}, {"model": "hub/id"}, {"device": "cuda"},
        {"resume": True}, {"checkpoint_seconds": 1.0}, {"cuts": {"position_rho": 0.4, "q": 0.05}},
        {"prepend_bos": True},
    ],
)  # fmt: skip
def test_what_differs_from_layer_to_layer_and_machine_to_machine_does_not_part(changed: dict[str, Any]) -> None:
    assert key(**changed) == key()
    assert suite_key("m", "c", SETTINGS, {"dense-latents": "0.5.3", "torch": "3"}) == key()


@pytest.mark.parametrize(
    "changed",
    [
        {"tokens": 5000}, {"seed": 1}, {"context": 128}, {"dense_threshold": 0.2}, {"model_dtype": "float32"},
        {"classes": False}, {"class_tokens": 1}, {"cuts": {"q": 0.01}}, {"controls": 8}, {"prepend_bos": False},
    ],
)  # fmt: skip
def test_what_changes_the_numbers_parts(changed: dict[str, Any]) -> None:
    assert key(**changed) != key()


def test_model_corpus_and_release_part() -> None:
    assert len({key(), suite_key("n", "c", SETTINGS, VERSIONS), suite_key("m", "d", SETTINGS, VERSIONS)}) == 3
    assert suite_key("m", "c", SETTINGS, {"dense-latents": "0.6.0"}) != key()


def test_without_classes_their_settings_say_nothing() -> None:
    assert key(classes=False, pool=1) == key(classes=False)


@pytest.mark.parametrize("settings", [SETTINGS, SETTINGS | {"classes": False}, {}])
def test_stored_runs_get_what_new_ones_get(settings: dict[str, Any]) -> None:
    assert migration._suite("m", "c", settings, VERSIONS) == suite_key("m", "c", settings, VERSIONS)
