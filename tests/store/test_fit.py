"""Whether an SAE fits: names of models as people write them, and where the bounds lie."""

from __future__ import annotations

from typing import Any

import pytest

from store.fit import FITS, MISFIT, NOTE, Read, Seen, fit, fit_bos, fit_model, same_model


@pytest.mark.parametrize(
    ("made_for", "read", "found"),
    [
        ("gpt2", "gpt2", "same"),
        ("gpt2-small", "openai-community/gpt2", "same"),
        ("openai-community/gpt2", "gpt2", "same"),
        ("gpt2-medium", "gpt2", "other"),
        ("google/gemma-2-2b", "gemma-2-2b", "same"),
        ("google/gemma-2-2b", "/models/gemma-2-2b", "same"),
        ("google/gemma-2-2b", "unsloth/gemma-2-2b", "copy"),
        ("google/gemma-2-2b", "google/gemma-2-2b-it", "tuned"),
        ("google/gemma-3-270m-pt", "google/gemma-3-270m", "same"),
        ("google/gemma-2b", "google/gemma-2-2b", "other"),
        ("google/gemma-2-2b", "google/gemma-2-9b", "other"),
        ("Qwen/Qwen3-8B-Base", "Qwen/Qwen3-8B", "same"),
        ("meta-llama/Llama-3.1-8B", "meta-llama/Meta-Llama-3.1-8B-Instruct", "tuned"),
        ("SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct-Q8_0.gguf", "same"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_K_M.gguf", "same"),
        ("SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-360M-Instruct", "other"),
        ("mistral-7b", "mistralai/Mistral-7B-v0.1", "version"),
        ("mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-v0.1", "other"),
        ("pythia-70m-deduped", "EleutherAI/pythia-70m-deduped", "same"),
        ("EleutherAI/pythia-70m", "EleutherAI/pythia-70m-deduped", "other"),
    ],
)
def test_names_of_models(made_for: str, read: str, found: str) -> None:
    assert same_model(made_for, read) == found
    assert same_model(read, made_for) == found


def read(details: dict[str, Any], training: dict[str, Any] | None = None, **more: Any) -> Read:
    named = {"source": "folder", "model": "org/name", "model_source": "org/name", "fingerprint": "f"} | more
    return Read(details, training, **named)


def test_a_hub_id_with_an_organisation_is_no_mismatch() -> None:
    assert fit_model(read({"metadata": {"model_name": "name"}}))["level"] == FITS
    assert fit_model(read({"metadata": {"model_name": "org/name"}}))["level"] == FITS
    assert fit_model(read({"model_name": "org/other"}))["level"] == MISFIT
    assert fit_model(read({}))["level"] == NOTE


def test_the_models_identity_says_more_than_its_name() -> None:
    about = {"metadata": {"model_name": "smol", "model_fingerprint": "f"}}
    assert fit_model(read(about, model="checkpoint-500", model_source="/runs/checkpoint-500"))["level"] == FITS


@pytest.mark.parametrize(
    ("details", "training", "source", "expected"),
    [
        ({"k": 32}, None, "folder", 32),
        ({"activation_fn_kwargs": {"k": 64}}, None, "folder", 64),
        ({"metadata": {"training_architecture_details": {"k": 20.0}, "l0": 21.0}}, None, "folder", 20),
        ({}, {"recipe": {"architecture": "batchtopk", "k": 16}}, "folder", 16),
        ({}, {"recipe": {"architecture": "jumprelu", "k": 16}, "held_out": {"l0": 50.0}}, "folder", 50),
        ({}, None, "gemma-scope-2b-pt-res:layer_12/width_16k/average_l0_82", 82),
        ({}, None, "folder", None),
    ],
)
def test_where_the_expected_l0_stands(
    details: dict[str, Any], training: dict[str, Any] | None, source: str, expected: float | None
) -> None:
    found = fit(read(details, training, source=source), Seen(1.0, 0.1, 0.0))[1]
    assert found["expected"] == expected


@pytest.mark.parametrize(("l0", "level"), [(15.9, MISFIT), (16, FITS), (32, FITS), (64, FITS), (64.1, MISFIT)])
def test_an_l0_may_differ_by_a_factor_of_two_either_way(l0: float, level: str) -> None:
    assert fit(read({"k": 32}), Seen(l0, 0.1, 0.0))[1]["level"] == level


@pytest.mark.parametrize(
    ("fvu", "report", "code"),
    [
        (0.39, None, "fvu_low"),
        (0.41, None, "fvu_high"),
        (0.41, 0.3, "fvu_high"),
        (0.33, 0.16, "fvu_worse"),
        (0.31, 0.16, "fvu_near"),
        (0.06, 0.02, "fvu_near"),
        (1.2, 0.16, "fvu_useless"),
        (None, 0.16, "fvu_unknown"),
    ],
)
def test_an_fvu_is_held_against_the_report_and_a_bound(fvu: float | None, report: float | None, code: str) -> None:
    training = None if report is None else {"held_out": {"fvu": report}}
    assert fit(read({"k": 1}, training), Seen(1.0, fvu, 0.0))[2]["code"] == code


def test_many_massive_tokens_are_said() -> None:
    assert fit(read({}), Seen(1.0, 0.1, 0.02))[3]["code"] == "massive_many"
    assert fit(read({}), Seen(1.0, 0.1, 0.004))[3]["level"] == FITS


@pytest.mark.parametrize(
    ("trained", "bos", "codes"),
    [
        (False, True, ["bos_more"]),
        (True, False, ["bos_less"]),
        (True, True, ["bos_same"]),
        (None, True, []),
        (False, None, []),
    ],
)
def test_contexts_may_begin_otherwise_than_in_training(
    trained: bool | None, bos: bool | None, codes: list[str]
) -> None:
    found = fit_bos(read({"metadata": {"prepend_bos": trained}}, bos=bos))
    assert [one["code"] for one in found] == codes


def test_an_approximate_partner_search_says_what_it_finds() -> None:
    """Of the strictest sort of mirror image that the sample has at all; an exact search says nothing."""
    recall = {"sampled": 1024, "mirror": [[0.8, 0, 0], [0.2, 9, 10], [0.0, 100, 1000]], "same": []}
    told = fit(read({}), Seen(1.0, 0.1, 0.0, recall))[-1]
    assert (told["code"], told["level"]) == ("partners_index", NOTE)
    assert (told["found"], told["hit"], told["of_all"], told["least"]) == (0.9, 9, 10, 0.2)
    assert fit(read({}), Seen(1.0, 0.1, 0.0))[-1]["of"] == "massive"
    nothing = {**recall, "mirror": [[0.8, 0, 0], [0.2, 0, 0], [0.0, 0, 0]]}
    assert fit(read({}), Seen(1.0, 0.1, 0.0, nothing))[-1]["code"] == "partners_none"
