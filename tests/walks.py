"""What a walk through the house costs: the start page, a latent's, a pair's, a list, a note.

    python -m tests.walks demo.db [--files]

- queries: SQL statements of one first visit, without BEGIN and PRAGMA.
- python, templates: the project's files of which something runs in it. Counted in this process, by a profile of every
  thread, after two visits to others, so that what is loaded once is not in it.
- min, median: CPU ms of first visits to `VISITS` different ones, of a real server process that has been asked before.
- kB: of the body before compression, the median.

It works on a copy of the store, since it writes.
"""

from __future__ import annotations

import inspect
import json
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from fastapi.testclient import TestClient
from sqlalchemy import Engine, event

from app.main import create_app
from app.settings import Settings
from tests.costs import Measured, machine_ms, measured
from tests.multiply_store import copy_store

VISITS = 20
WARMING = 3
"""Visits before those that are measured."""
ROOT = Path(inspect.getfile(Settings)).resolve().parents[1]
NOTE = {"note": "seen again", "verdict": "keep", "category": "", "version": "0", "name": "Ada"}


@dataclass(frozen=True)
class Walk:
    """One kind of request, and many addresses of it."""

    name: str
    method: str
    addresses: list[str]

    @property
    def data(self) -> dict[str, str] | None:
        """What is sent."""
        return NOTE if self.method == "POST" else None


@dataclass(frozen=True)
class Trace:
    """What ran for one request."""

    queries: list[str]
    files: list[str]
    """Relative to the project's root."""


def walks(client: TestClient) -> list[Walk]:
    """The walks, over the densest latents of all SAEs. A note goes to those that have none."""
    latents, pairs, unsaid = list[str](), list[str](), list[str]()
    for sae in client.get("/api/v1/saes").json():
        place = f"/saes/{sae['slug']}"
        for one in _latents(client, place, "dense=true"):
            latents.append(f"{place}/latents/{one['index']}")
            if one["annotation"] is None:
                unsaid.append(f"{latents[-1]}/annotation")
        found = _latents(client, place, "pair=true")
        ends = dict.fromkeys(tuple(sorted((one["index"], one["partner"]))) for one in found)
        pairs += [f"{place}/pairs/{first}/{second}" for first, second in ends]
    some = VISITS + WARMING
    lists = [f"/latents?visit={number}" for number in range(some)]
    return [
        Walk("GET home", "GET", [f"/?visit={number}" for number in range(some)]),
        Walk("GET a latent", "GET", latents[:: max(1, len(latents) // some)][:some]),
        Walk("GET a pair", "GET", pairs[-some:]),
        Walk("GET browse", "GET", lists),
        Walk("POST a note", "POST", unsaid[:: max(1, len(unsaid) // some)][:some]),
    ]


def _latents(client: TestClient, place: str, query: str) -> list[dict[str, Any]]:
    return list(client.get(f"/api/v1{place}/latents?{query}&limit=100").json()["items"])


def trace(client: TestClient, walk: Walk) -> Trace:
    """What the third address of a walk runs, after the first two."""
    for address in walk.addresses[:2]:
        _ask(client, walk, address)
    with _queries() as queries, _files() as files:
        _ask(client, walk, walk.addresses[2])
    return Trace(queries, sorted(files))


def _ask(client: TestClient, walk: Walk, address: str) -> None:
    answer = client.request(walk.method, address, data=walk.data, follow_redirects=False)
    assert answer.status_code in {200, 303}, (address, answer.status_code, answer.text[:300])


@contextmanager
def _queries() -> Iterator[list[str]]:
    found: list[str] = []

    def seen(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if statement.split()[0].upper() not in {"BEGIN", "PRAGMA"}:
            found.append(statement)

    event.listen(Engine, "before_cursor_execute", seen)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", seen)


@contextmanager
def _files() -> Iterator[set[str]]:
    """Files of which a function is called; the client answers in threads that it starts anew."""
    found: set[str] = set()
    names: dict[str, str | None] = {}

    def called(frame: FrameType, what: str, _argument: object) -> None:
        if what == "call" and (name := frame.f_code.co_filename) not in names:
            names[name] = _own(name)
            found.update(filter(None, [names[name]]))

    threading.setprofile(called)
    sys.setprofile(called)
    try:
        yield found
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def _own(name: str) -> str | None:
    path = Path(name)
    if not path.is_absolute() or not path.is_relative_to(ROOT):
        return None
    inside = path.relative_to(ROOT)
    return str(inside) if inside.parts[0] in {"app", "store", "templates", "analysis", "migrations"} else None


def costs(server: Measured, walk: Walk) -> tuple[list[float], float]:
    """CPU ms of each first visit, and the median of the bytes read."""
    found = [server.ask(walk.method, address, data=walk.data) for address in walk.addresses]
    assert {one.status for one in found} <= {200, 303}, found
    kept = found[WARMING:]
    return [one.cpu_ms for one in kept], statistics.median(one.size for one in kept)


def report(store: Path, files: bool, echo: Callable[[str], None]) -> None:
    """Print the table of a store that may be written to."""
    client = TestClient(create_app(Settings(db=str(store))), base_url="http://127.0.0.1")
    made = walks(client)
    traces = [trace(client, walk) for walk in made]
    echo(f"{'':14}  queries  python  templates   min ms  median ms       kB   visits")
    with measured(str(store)) as server:
        for walk, ran in zip(made, traces, strict=True):
            rest = Walk(walk.name, walk.method, walk.addresses if walk.method == "GET" else walk.addresses[3:])
            spent, size = costs(server, rest)
            python = sum(name.endswith(".py") for name in ran.files)
            echo(
                f"{walk.name:14}  {len(ran.queries):7}  {python:6}  {len(ran.files) - python:9} {min(spent):8.1f}"
                f"  {statistics.median(spent):9.1f} {size / 1e3:8.1f}   {len(spent):6}"
            )
    if files:
        echo(json.dumps({walk.name: ran.files for walk, ran in zip(made, traces, strict=True)}, indent=1))


def main(
    store: Annotated[Path, typer.Argument(help="A store (SQLite).")],
    files: Annotated[bool, typer.Option("--files", help="Name the files.")] = False,
) -> None:
    """Measure the walks on a store."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy.db"
        copy_store(store, copy)
        report(copy, files, typer.echo)
    typer.echo(f"a loop of a million steps takes {machine_ms():.1f} ms of CPU")


if __name__ == "__main__":
    typer.run(main)
