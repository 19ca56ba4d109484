"""Garbage is collected again after loading, whatever came of it."""

from __future__ import annotations

import gc

import pytest

from analysis.process.loading import loading


def test_nothing_is_collected_while_loading_and_all_is_again_afterwards() -> None:
    with loading():
        assert not gc.isenabled()
        with loading():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.unfreeze()


def test_a_loading_that_fails_is_over() -> None:
    with pytest.raises(ValueError, match="broken"), loading():
        raise ValueError("broken")
    assert gc.isenabled()
    gc.unfreeze()
