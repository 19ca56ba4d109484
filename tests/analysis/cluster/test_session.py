"""What is said where there is no cluster, or too small a one."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from analysis.cluster.session import _size, _WithoutRay, cluster
from analysis.commands.cli import with_addresses
from analysis.errors import UserError


def test_an_address_may_lack() -> None:
    assert with_addresses(["analyze", "--ray", "--tokens", "5"]) == ["analyze", "--ray", "here", "--tokens", "5"]
    assert with_addresses(["analyze", "--ray"]) == ["analyze", "--ray", "here"]
    assert with_addresses(["analyze", "--ray", "head:6379", "--resume"]) == [
        "analyze",
        "--ray",
        "head:6379",
        "--resume",
    ]


def test_nobody_at_the_address_is_said_at_once() -> None:
    pytest.importorskip("ray")
    with (
        pytest.raises(UserError, match=r"--ray 127\.0\.0\.1:1: expected a Ray cluster .*refused"),
        cluster("127.0.0.1:1", 1, 1, Console(quiet=True)),
    ):
        pass


def test_as_many_actors_as_there_are_gpus_or_room_for_threads() -> None:
    assert _size({"CPU": 8.0}, 0, 2)[:2] == (4, 2)
    assert _size({"CPU": 8.0}, 3, 2)[:2] == (3, 2)
    assert _size({"CPU": 64.0, "GPU": 8.0}, 0, 16) == (8, 16, 1.0)
    with pytest.raises(UserError, match="--actors 9: expected at most 8; the cluster has 8 GPUs"):
        _size({"CPU": 64.0, "GPU": 8.0}, 9, 1)
    with pytest.raises(UserError, match="--actors 1: expected at most 0; the cluster has 2 cores, 4 threads an actor"):
        _size({"CPU": 2.0}, 0, 4)


def test_rays_threads_are_not_heard_and_all_others_are() -> None:
    heard = io.StringIO()
    stream = _WithoutRay(heard)
    for name in ("ray_listen_error_messages", "mine"):
        thread = threading.Thread(target=stream.write, args=(name,), name=name)
        thread.start()
        thread.join()
    assert heard.getvalue() == "mine"
