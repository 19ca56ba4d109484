"""What answers cost a real server process: CPU time, bytes, memory. The measuring side of `scale` and `walks`.

CPU time is that of the process and its children by the kernel's clock of it (nanoseconds, ended threads included), so
what else the machine does hardly matters, and it is read when it has stood still. It depends on the processor: beside
it goes `machine_ms`, the CPU time of a fixed loop.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.app.servers import Server, serving

_STILL_S = 0.003
_IDLE_S = 0.0005
"""Less CPU time than this in `_STILL_S` is a server that waits."""


@dataclass(frozen=True)
class Cost:
    """What one answer cost."""

    status: int
    cpu_ms: float
    wall_ms: float
    size: int
    """Bytes of the body as it is read."""
    sent: int
    """Bytes of the body as it is sent."""
    peak_mb: float
    """The largest resident memory of the server while it answered, 1e6 bytes."""
    cut: bool = False
    """It was not waited for to its end."""


class Measured:
    """A server that is asked one thing at a time."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.client = server.client(headers={"Accept-Encoding": "gzip"})

    def get(self, address: str, limit_s: float = 600) -> Cost:
        """The cost of reading an address to its end, or for `limit_s`."""
        return self.ask("GET", address, limit_s)

    def ask(self, method: str, address: str, limit_s: float = 600, data: Mapping[str, str] | None = None) -> Cost:
        """The same of any request."""
        self._forget_peak()
        before, begun, size, sent, status, cut = self.cpu_s(), time.monotonic(), 0, 0, 0, False
        try:
            with self.client.stream(method, address, data=data, timeout=limit_s) as answer:
                status = answer.status_code
                for part in answer.iter_bytes():
                    size += len(part)
                    if cut := time.monotonic() - begun > limit_s:
                        break
                sent = answer.num_bytes_downloaded
        except httpx.TimeoutException:
            cut = True
        wall = time.monotonic() - begun
        return Cost(status, (self.still(limit_s) - before) * 1e3, wall * 1e3, size, sent, self._peak(), cut)

    def text(self, address: str) -> str:
        """The body of an answer."""
        return self.client.get(address, timeout=600).raise_for_status().text

    def still(self, limit_s: float) -> float:
        """CPU seconds so far, once no more are spent: what is left of an answer may end after it was read."""
        end, now = time.monotonic() + limit_s, self.cpu_s()
        while time.monotonic() < end:
            time.sleep(_STILL_S)
            before, now = now, self.cpu_s()
            if now - before < _IDLE_S:
                break
        return now

    def cpu_s(self) -> float:
        """CPU seconds of the server's processes so far."""
        return sum(time.clock_gettime((~pid << 3) | 2) for pid in self.pids())  # CPUCLOCK_SCHED of a process

    def pids(self) -> list[int]:
        """The server's processes."""
        waiting, found = [self.server.process.pid], list[int]()
        while waiting:
            found.append(pid := waiting.pop())
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                waiting += map(int, task.read_text().split())
        return found

    def _forget_peak(self) -> None:
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _peak(self) -> float:
        found = [Path(f"/proc/{pid}/status").read_text() for pid in self.pids()]
        return sum(int(text.split("VmHWM:")[1].split()[0]) for text in found) * 1024 / 1e6


@contextmanager
def measured(store: str, *options: str) -> Iterator[Measured]:
    """A server over a store, warm enough that no page pays for what is loaded once for all."""
    with tempfile.TemporaryDirectory() as folder, serving(store, Path(folder) / "log", *options) as server:
        made = Measured(server)
        for address in ("/healthz", "/api/docs"):
            made.get(address)
        yield made


def machine_ms() -> float:
    """CPU milliseconds of a fixed loop of plain Python, the median of seven: how fast this machine is now."""
    found = []
    for _ in range(7):
        begun, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number * number % 7
        found.append((time.process_time() - begun) * 1e3)
    return statistics.median(found)
