"""A folder in sae-lens' format, there whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import save_file

from analysis import __version__
from analysis.errors import UserError
from analysis.hashing import sha256_file
from analysis.interventions.prune.cut import Tensors
from analysis.reading.bottleneck import save_bottleneck
from analysis.reading.sae import CONFIG, HASH, WEIGHTS, LoadedSae

PRUNING = "pruning_report.json"


def check_out(out: Path) -> None:
    """Refuse a folder that holds anything.

    Raises:
        UserError: what is there.
    """
    if out.is_dir() and (there := sorted(path.name for path in out.iterdir())):
        raise UserError(f"--out {out}: expected a new or empty folder; found {', '.join(there[:4])} in it")
    if out.exists() and not out.is_dir():
        raise UserError(f"--out {out}: expected a new or empty folder; found a file")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill near `out`, which takes its name once all is in it; gone if anything fails.

    Raises:
        UserError: it cannot be made, or the disk is full.
    """
    near = next(path for path in out.absolute().parents if path.exists())
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=near))
    except OSError as error:
        raise UserError(f"--out {out}: cannot be made: {error.strerror}") from error
    try:
        yield folder
        folder.chmod(0o755)
        check_out(out)  # somebody may have put something there meanwhile
        out.parent.mkdir(parents=True, exist_ok=True)
        os.replace(folder, out)
    except (OSError, SafetensorError) as error:
        if getattr(error, "errno", None) != errno.ENOSPC and "No space left" not in str(error):
            raise
        raise UserError(f"--out {out}: no space left on this disk") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_sae(folder: Path, sae: LoadedSae, tensors: Tensors, dtype: str, origin: dict[str, Any]) -> None:
    """Weights, configuration and hash.

    Args:
        sae: what it was made from.
        dtype: of the weights, as cfg.json names it.
        origin: goes into the metadata, as `pruned_from`.
    """
    weights = folder / WEIGHTS
    save_file(tensors, weights)
    weights.chmod(0o644)
    metadata = {name: value for name, value in sae.details["metadata"].items() if name != "neuronpedia_id"}
    metadata["pruned_from"] = origin | {"by": f"dense-latents {__version__}"}
    cfg = sae.details | {"d_sae": len(tensors["W_dec"]), "dtype": dtype, "device": "cpu", "metadata": metadata}
    if sae.bottleneck is not None:
        metadata["bottleneck"] = save_bottleneck(sae.bottleneck, folder, metadata["bottleneck"]["kind"])
    (folder / CONFIG).write_text(json.dumps(cfg, indent=1, sort_keys=True) + "\n")
    (folder / HASH).write_text(f"{sha256_file(weights)}  {WEIGHTS}\n")
