"""How fast latent pages come: readers over the pages of all dense latents of a store, by wrk.

    sh tests/load.sh demo.db

Speeds of a shared machine say little, so each line has a plain page beside it: a Jinja template without a single
expression, as long as a latent's page and as hard to compress, answered by the same server with the same settings.
`x plain` is how many plain pages the machine makes in the time of one of ours: that carries over to other machines.

First visits ask each page under an address of its own, so nothing that was made before answers them; `again` asks for
pages that are kept. Processor times are the server's own. wrk needs a core, too: on two cores, two processes share them
with it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import httpx
import typer

from app.settings import ROOT
from tests.app.servers import serving

AGAIN = 40
"""Pages that are asked for again."""


class Speed(NamedTuple):
    """What wrk found in one measurement."""

    pages: int
    seconds: float
    p50: float
    p99: float
    """Milliseconds."""
    faults: int
    cpu: float
    """Milliseconds of processor time of the server, a page."""

    @property
    def rate(self) -> float:
        """Pages/s."""
        return self.pages / self.seconds

    def __str__(self) -> str:
        faults = f", {self.faults} FAULTS" if self.faults else ""
        times = f"p50 {self.p50:.0f} ms, p99 {self.p99:.0f} ms, {self.cpu:.1f} ms of processor"
        return f"{self.rate:7.1f} pages/s ({times}{faults})"


def cpu_seconds(process: int) -> float:
    """What a process and those it started have used so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") + sum(
        cpu_seconds(int(one)) for one in children
    )


def measure(address: str, process: int, paths: Path, readers: int, seconds: float, fresh: str = "") -> Speed:
    """Let wrk ask for so long."""
    command = ["wrk", "-t1", f"-c{readers}", f"-d{seconds:.0f}s", "--timeout", "60s", "-s", "tests/load.lua", address]
    surroundings = {**os.environ, "PATHS": str(paths)} | ({"FRESH": fresh} if fresh else {})
    before = cpu_seconds(process)
    said = subprocess.run(command, cwd=ROOT, env=surroundings, capture_output=True, text=True, check=True).stdout
    pages, took, p50, p99, faults = map(float, said.splitlines()[-1].split())
    used = cpu_seconds(process) - before
    return Speed(int(pages), took, p50, p99, int(faults), 1e3 * used / max(pages, 1))


PLAIN = """
import sys
from functools import partial
from app.commands.serve import listen, run
from tests.plain_page import application
host, page, processes = "127.0.0.1", sys.argv[1], int(sys.argv[2])
run(partial(application, page), listen(host, 0), host, processes)
"""


@contextmanager
def plain(page: Path, processes: int) -> Iterator[tuple[str, int]]:
    """A server of one plain page."""
    command = [sys.executable, "-c", PLAIN, str(page), str(processes)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        address = server.stdout.readline().split()[2]
        wait(address)
        yield address, server.pid
        server.terminate()


def wait(address: str) -> None:
    """Until it answers, and a moment more: of several processes one may be later."""
    for _try in range(300):
        try:
            httpx.get(f"{address}/healthz", trust_env=False)
            time.sleep(2)
            return
        except httpx.TransportError:
            time.sleep(0.1)


def pages_of(address: str, folder: Path) -> tuple[list[str], Path]:
    """Addresses of all dense latents, and the middle one of their pages by length, as a file."""
    lines = httpx.get(f"{address}/latents.csv", trust_env=False, timeout=600).text.splitlines()
    paths = [line.split(",")[2] for line in lines if line.count(",/saes/")]
    some = [httpx.get(address + path, trust_env=False, timeout=60).text for path in paths[:: max(len(paths) // 25, 1)]]
    some.sort(key=len)
    (folder / "page.html").write_text(some[len(some) // 2])
    return paths, folder / "page.html"


def visit(address: str, paths: list[str], processes: int) -> None:
    """So that each process has made each page: a connection is dealt out to one of them."""
    for path in paths * (1 if processes == 1 else 4 * processes):
        httpx.get(address + path, trust_env=False, timeout=60, headers={"Accept-Encoding": "gzip"})


def listed(folder: Path, name: str, paths: list[str]) -> Path:
    """A list for wrk."""
    (folder / name).write_text("\n".join(paths) + "\n")
    return folder / name


def compare(db: str, folder: Path, readers: list[int], processes: int, seconds: float) -> None:
    """Print a block of lines."""
    with serving(db, folder / "log", "--processes", str(processes)) as server:
        wait(server.address)
        paths, page = pages_of(server.address, folder)
        every, some = listed(folder, "every", paths), listed(folder, "some", paths[:AGAIN])
        one = listed(folder, "one", ["/"])
        visit(server.address, paths[:AGAIN], processes)
        with plain(page, processes) as (address, plain_process):
            typer.echo(
                f"\n{processes} process(es), {len(paths)} pages, plain page of {page.stat().st_size / 1e3:.0f} kB"
            )
            for count in readers:
                plainly = measure(address, plain_process, one, count, seconds)
                typer.echo(f"{count:3} readers   plain {plainly}")
                first = measure(server.address, server.process.pid, every, count, seconds, f"{count}-")
                typer.echo(f"              first {first}  x plain {plainly.rate / first.rate:.1f}")
                again = measure(server.address, server.process.pid, some, count, seconds)
                typer.echo(f"              again {again}  x plain {plainly.rate / again.rate:.2f}")


def main(
    db: Annotated[str, typer.Argument(help="SQLite file or URL of a filled store.")],
    seconds: Annotated[float, typer.Option(help="Of each measurement.")] = 10,
    readers: Annotated[str, typer.Option(help="How many at once, with commas.")] = "1,4,16",
    processes: Annotated[str, typer.Option(help="How many answer, with commas.")] = "1,2",
) -> None:
    """Measure pages/s."""
    if shutil.which("wrk") is None:
        raise SystemExit("needs wrk: apt-get install wrk")
    load = os.getloadavg()[0]
    typer.echo(f"{socket.gethostname()}: {os.cpu_count()} cores, {load:.1f} processes ran before this one")
    with tempfile.TemporaryDirectory() as folder:
        for count in map(int, processes.split(",")):
            compare(db, Path(folder), [int(one) for one in readers.split(",")], count, seconds)


if __name__ == "__main__":
    typer.run(main)
