"""The process: answers JSON lines on a socket that the server made, and ends when the server does.

Its first argument is the number of the listening socket, which it inherits: while one process is replaced by another,
who asks waits in that socket and is not refused. The first line of its input says where the store is (no argument:
others on the machine could read a password in it); the end of its input is the server's end, however it came.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import threading
from typing import Any

from analysis.live.answering import Desk, Limits

LINE = 1 << 18
"""Bytes of a request: 20,000 characters, each as two escapes."""
DRAINED = 1 << 23
"""Bytes of a longer one that are read before it is refused: who still writes hears no answer."""
PATIENCE = 5.0
"""Seconds to send a request, and to take an answer."""


def main() -> None:
    """Answer until the server ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal's processes: the server ends us
    listening = socket.socket(fileno=int(sys.argv[1]))
    listening.setblocking(True)
    settings = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_server, args=(settings.get("folder"),), daemon=True).start()
    desk = Desk(settings["db"], Limits(**settings.get("limits", {})))
    while True:
        connection, _peer = listening.accept()
        threading.Thread(target=_serve, args=(connection, desk), daemon=True).start()


def _end_with_the_server(folder: str | None) -> None:
    while sys.stdin.buffer.read(1):
        pass
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def _serve(connection: socket.socket, desk: Desk) -> None:
    try:
        with connection:
            connection.settimeout(PATIENCE)
            line = _line(connection)
            answer = {"error": "characters", "most": desk.limits.characters} if line is None else _answer(line, desk)
            connection.settimeout(PATIENCE)
            connection.sendall(json.dumps(answer, separators=(",", ":")).encode() + b"\n")
    except OSError:
        return  # who asked has gone


def _answer(line: bytes, desk: Desk) -> dict[str, Any]:
    try:
        asked = json.loads(line)
    except ValueError:
        return {"error": "request"}
    return desk.answer(asked)


def _line(connection: socket.socket) -> bytes | None:
    """The request; None where it is too long."""
    parts, size = list[bytes](), 0
    while part := connection.recv(1 << 16):
        size += len(part)
        if size <= LINE:
            parts.append(part)
        if part.endswith(b"\n") or size > DRAINED:
            break
    return b"".join(parts) if size <= LINE else None


if __name__ == "__main__":
    main()
