"""What a library warns of is shown in our words, once."""

from __future__ import annotations

import ast
import logging
import warnings
from pathlib import Path

import pytest

from analysis.process.library import library_warnings, unfollowed
from tests.root import ROOT


def test_a_warning_is_said_once_with_what_it_is_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), library_warnings("my/sae"):
        for _again in range(3):
            warnings.warn("\nThis is\n  odd.", UserWarning, stacklevel=1)
        warnings.warn("norm_scaling_factor not found for x and y, but ...", UserWarning, stacklevel=1)
        warnings.warn("call it otherwise", DeprecationWarning, stacklevel=1)
    assert caplog.messages == [
        "my/sae: sae-lens warns: This is odd.",
        "my/sae has no norm_scaling_factor, though its activations were scaled to a mean length; it is read without",
    ]


def test_it_is_said_though_loading_fails_and_others_warn_as_before(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(ValueError, match="broken"):
        _warn_and_fail()
    assert caplog.messages == ["my/sae: sae-lens warns: look out"]
    with pytest.warns(RuntimeWarning, match="afterwards"):
        warnings.warn("afterwards", RuntimeWarning, stacklevel=1)


def _warn_and_fail() -> None:
    with library_warnings("my/sae"):
        warnings.warn("look out", RuntimeWarning, stacklevel=1)
        raise ValueError("broken")


def test_what_is_followed_of_a_models_settings_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        unfollowed("my/sae", {"center_writing_weights": True, "fold_ln": False})
        assert caplog.messages == []
        unfollowed("my/sae", {"center_writing_weights": True, "fold_ln": True})
    assert caplog.messages == ["my/sae was trained on a model loaded with fold_ln = True, which is not followed here"]


def test_no_library_is_silenced_and_none_runs_a_models_own_code() -> None:
    calls = [(path, node) for path in sorted((ROOT / "analysis").rglob("*.py")) for node in _calls(path)]
    silent = [f"{path}: {ast.unparse(node)}" for path, node in calls if _silences(node)]
    assert silent == []
    loads = [(path, node) for path, node in calls if ast.unparse(node.func).startswith("Auto")]
    assert loads
    for path, node in loads:
        source = path.read_text()
        given = {each.arg: each.value for each in node.keywords}
        spread = None in given and '"trust_remote_code": False' in source
        assert spread or ast.unparse(given["trust_remote_code"]) == "False", f"{path}: {ast.unparse(node)}"


def _calls(path: Path) -> list[ast.Call]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]


def _silences(node: ast.Call) -> bool:
    return ast.unparse(node.func).endswith(("simplefilter", "filterwarnings")) and "'ignore'" in ast.unparse(node)
