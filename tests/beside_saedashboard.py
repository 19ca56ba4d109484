"""SAEDashboard 0.8.0 beside us, on one SAE of the demo, in one table: `make beside`.

Both get the same tokens and weights, one after the other, on the same machine; loading is left out of both. Theirs is
`SaeVisRunner.run()` for so many latents; ours is `analyze` from the first batch to the rows in the store, with so many
latents in detail (dense ones, partners and controls are always among them, so 64 are more). What the weights alone say
(partners, promoted tokens) we keep from an earlier run: the first one pays for it. The environment is made once
(several GB):

    python -m tests.beside_saedashboard --venv /tmp/saedashboard
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from analysis.config import AnalyzeConfig
from analysis.hashing import sha256_file
from analysis.reading import gguf_cache
from analysis.reading.demo_parts import demo_corpus, demo_model_file, demo_saes
from analysis.run.analyze import _migrate, _run
from analysis.run.pipeline import prepare
from store.session import make_engine
from store.tables import Latent

PACKAGES = ("torch==2.13.0", "sae-dashboard==0.8.0", "pyarrow==20.*", "numpy<2")
PEER = Path(__file__).with_name("peer_dashboard.py")
LAYER, CONTEXT = 15, 256
QUIET = Console(quiet=True)


def installed(folder: Path) -> Path:
    """The interpreter of SAEDashboard's environment, made where it is not."""
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], check=True)
        (folder / "made").touch()
    return python


def config(tokens: int, dtype: str, detail: int, db: Path) -> AnalyzeConfig:
    """Our run with the first `detail` latents in detail."""
    sae = next(folder for folder in demo_saes() if f"l{LAYER}-" in folder.name)
    return AnalyzeConfig(
        saes=[str(sae)], corpus=str(demo_corpus()), tokens=tokens, dtype=dtype, context=CONTEXT, classes=False,
        detail={LAYER: list(range(detail))}, db=str(db),
    )  # fmt: skip


def ours(tokens: int, dtype: str, detail: int) -> dict[str, Any]:
    """In this process, which does nothing else: from the first batch to the rows."""
    with tempfile.TemporaryDirectory() as folder:
        asked = config(tokens, dtype, detail, Path(folder) / "run.db")
        reading = prepare(asked)
        _migrate(asked.db)
        wall, cpu = time.perf_counter(), time.process_time()
        engine = make_engine(asked.db)
        _run(reading, engine, make_engine(asked.db, read_only=True), QUIET)
        seconds, cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu
        bare = time.perf_counter(), time.process_time()
        for batch in reading.stream().batches():
            reading.saes[0].encode(reading.read(batch)[reading.saes[0].hook_point])
        return {
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "bare": time.perf_counter() - bare[0],
            "bare_cpu": time.process_time() - bare[1],
            "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            "detailed": _detailed(engine),
        }


def _detailed(engine: Engine) -> int:
    with Session(engine) as session:
        return session.scalar(select(func.count()).where(Latent.detail.is_not(None))) or 0


def _fresh(*arguments: object) -> dict[str, Any]:
    """`ours` in a process of its own."""
    command = [sys.executable, "-m", "tests.beside_saedashboard", "--ours", json.dumps(arguments)]
    found: dict[str, Any] = json.loads(_last_line(command, dict(os.environ)))
    return found


def _last_line(command: list[str], env: dict[str, str]) -> str:
    done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


def theirs(python: Path, tokens: int, dtype: str, features: int) -> dict[str, Any]:
    """SAEDashboard on the very contexts that we read; the last is left out where it is shorter."""
    with tempfile.TemporaryDirectory() as folder:
        asked = config(tokens, dtype, 1, Path(folder) / "none.db")
        reading = prepare(asked)
        rows = [row for batch in reading.stream().batches() for row, own in zip(batch.ids, batch.attention, strict=True)
                if len(row) == CONTEXT and bool(own.all())]  # fmt: skip
        torch.save(torch.stack(rows), Path(folder) / "tokens.pt")
        path = demo_model_file()
        model = gguf_cache.folder_of(path, sha256_file(path), getattr(torch, dtype))
        assert model is not None
        where = [str(model), asked.saes[0], f"{folder}/tokens.pt", reading.saes[0].hook_point]
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        found: dict[str, Any] = json.loads(_last_line([str(python), str(PEER), *where, str(features), dtype], env))
        return found | {"tokens": len(rows) * CONTEXT}


def main() -> None:
    """Measure all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--venv", type=Path, default=Path(tempfile.gettempdir()) / "saedashboard")
    parser.add_argument("--tokens", type=int, default=16_384)
    parser.add_argument("--latents", type=int, nargs="+", default=[64, 256, 2304])
    parser.add_argument("--dtype", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--ours", type=json.loads, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.ours:
        print(json.dumps(ours(*given.ours)))
        return
    python = installed(given.venv)
    table = Table(
        title=f"layer {LAYER}, {given.tokens:,} tokens, {torch.get_num_threads()} threads: CPU seconds (wall)"
    )
    for name in ("dtype", "latents", "SAEDashboard", "ours", "ours / theirs, CPU", "ours / bare loop, CPU", "peak MiB"):
        table.add_column(name, justify="right")
    for dtype in given.dtype:
        for latents in given.latents:
            peer, mine = theirs(python, given.tokens, dtype, latents), _fresh(given.tokens, dtype, latents)
            table.add_row(
                dtype, f"{latents} ({mine['detailed']})", *(f"{each['cpu_seconds']:.1f} ({each['seconds']:.1f})"
                for each in (peer, mine)), f"{mine['cpu_seconds'] / peer['cpu_seconds']:.2f}",
                f"{mine['cpu_seconds'] / mine['bare_cpu']:.2f}", f"{peer['peak_mib']:.0f} / {mine['peak_mib']:.0f}",
            )  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
