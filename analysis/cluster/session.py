"""Connecting to a Ray cluster, or starting one here. Ray's own messages do not reach the screen; ours do."""

from __future__ import annotations

import logging
import os
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from rich.console import Console

from analysis.errors import UserError
from analysis.process.cache import cache_folder

HERE = "here"
"""The address of no cluster: one is started on this machine, and ends with the command."""
_PATIENCE = 10.0  # seconds in which a machine must answer
_LISTENERS = "ray_"  # Ray's own threads in the driver; all they do is print


class Cluster(NamedTuple):
    """What is there for a crew."""

    actors: int
    threads: int  # of torch in each actor
    gpus: float  # of each actor: 1 where the cluster has any, else 0

    def room(self) -> float:
        """Bytes that an actor may fill."""
        import ray

        if self.gpus:
            return float(ray.get(ray.remote(num_gpus=self.gpus)(_free_on_gpu).remote()))
        return float(ray.cluster_resources().get("memory", 0.0)) / self.actors


@contextmanager
def cluster(address: str, actors: int, threads: int, console: Console) -> Iterator[Cluster]:
    """A cluster for the time of the block.

    Args:
        address: `HERE`, `auto` (the one that runs on this machine), HOST:PORT or ray://HOST:PORT.
        actors: how many; 0: one for each GPU, or for as many threads as torch has here.
        threads: of torch in each actor.

    Raises:
        ModuleNotFoundError: ray is not installed.
        UserError: no cluster at the address, or none of its size.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    os.environ.setdefault("RAY_worker_niceness", "0")  # of a cluster begun here: its actors are the command itself
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # an actor without a GPU leaves them alone
    import ray

    with _hushed():
        _connect(ray, address, actors, threads)
        try:
            found = _size(ray.cluster_resources(), actors, threads)
            where = "on this machine" if address == HERE else f"of the cluster at {address}"
            console.print(f"reading with {found.actors} actor{'s' * (found.actors > 1)} {where}")
            yield found
        finally:
            ray.shutdown()


def _connect(ray: Any, address: str, actors: int, threads: int) -> None:
    # every actor counts with as many threads as this process would: the last bits of a product may depend on it
    variables = {"OMP_NUM_THREADS": str(threads), "DENSE_LATENTS_CACHE": str(cache_folder().resolve())}
    common = {
        "log_to_driver": False,
        "logging_level": logging.CRITICAL,
        "runtime_env": {"env_vars": variables},
        "namespace": f"dense-latents-{os.getpid()}",
    }
    with _kept_errors() as said:
        try:
            if address == HERE:
                cores = max(os.cpu_count() or 1, actors * threads)
                ray.init(address="local", num_cpus=cores, include_dashboard=False, **common)
            else:
                _knock(address)
                ray.init(address=address, **common)
        except (OSError, RuntimeError, ValueError, TimeoutError, ray.exceptions.RayError) as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            if "InvalidAuthToken" in said() + str(error):
                first = "it asks for a token: RAY_AUTH_MODE=token and the cluster's ~/.ray/auth_token are wanted here"
            raise UserError(
                f"--ray {address}: expected a Ray cluster (`ray start --head` begins one); {first}"
            ) from error


def _knock(address: str) -> None:
    """See whether somebody listens there: Ray itself tries for five minutes, and says so all the while.

    Raises:
        OSError: nobody does.
    """
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host, int(port)), _PATIENCE).close()


def _size(resources: dict[str, float], actors: int, threads: int) -> Cluster:
    gpus, cores = int(resources.get("GPU", 0)), int(resources.get("CPU", 0))
    most = gpus or cores // threads
    if actors > most or not most:
        has = f"{gpus} GPUs" if gpus else f"{cores} cores, {threads} threads an actor (OMP_NUM_THREADS)"
        raise UserError(f"--actors {actors or 1}: expected at most {most}; the cluster has {has}")
    return Cluster(actors or most, threads, 1.0 if gpus else 0.0)


def everywhere(source: str) -> str:
    """A path that holds in every folder; what is none stays as it is. An actor begins in a folder of its own."""
    path = Path(source)
    return str(path.resolve()) if path.exists() else source


def _free_on_gpu() -> int:
    import torch

    return int(torch.cuda.mem_get_info()[0])


@contextmanager
def _kept_errors() -> Iterator[Callable[[], str]]:
    """Keep what is written to the process' own standard error: Ray writes there past Python, line by line."""
    with tempfile.TemporaryFile() as kept:
        before = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield lambda: os.pread(kept.fileno(), 1 << 20, 0).decode(errors="replace")
        finally:
            os.dup2(before, 2)
            os.close(before)


class _WithoutRay:
    """A stream that takes nothing from Ray's own threads, which repeat in many words what the crew says in few."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        if threading.current_thread().name.startswith(_LISTENERS):
            return len(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _hushed() -> Iterator[None]:
    out: Any = _WithoutRay(sys.stdout)
    err: Any = _WithoutRay(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err):
        yield
