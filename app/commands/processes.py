"""Several processes at one address. Loaded when they are wanted: it loads uvicorn."""

from __future__ import annotations

from collections.abc import Callable
from socket import socket

import uvicorn
from uvicorn.supervisors import Multiprocess


class Processes(Multiprocess):
    """Each listens by itself, and Linux deals connections out to them: at a shared socket, the first that wakes takes
    all that wait, and the others stand idle.

    Args:
        listen: makes a socket that shares its port; asked once for each process, and again where one must be replaced.
    """

    def __init__(self, config: uvicorn.Config, listen: Callable[[], socket]) -> None:
        self._listen = listen
        self._made = [listen() for _process in range(config.workers)]
        super().__init__(config, [])

    @property
    def sockets(self) -> list[socket]:
        """Of the next process. Ours is closed once it has its own: the kernel would deal to it, too."""
        return [self._made.pop() if self._made else self._listen()]

    @sockets.setter
    def sockets(self, _none: list[socket]) -> None:
        """What a supervisor of one socket would keep."""
