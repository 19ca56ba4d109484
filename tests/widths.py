"""What an analysis costs by the width of the SAE: peak memory and seconds by phase, each in a process of its own.

    python -m tests.widths 2304 16384 131072                  # on the demo's model, d = 576
    python -m tests.widths 1000000 --d 256 --approximate      # on a random model of width 256

The SAEs are TopK ones (k = 32) with random directions, one in fifty a mirror image of another: what they find is
nothing, what they cost is what a trained one would.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import torch
import typer

DEMO_WIDTH, HOOK = 576, "blocks.1.hook_resid_post"
PHASES = {
    "loading": r"^loading",
    "partners": r"^partners in",
    "reading": r"^analysing",
    "classes": r"^classes",
    "promoted tokens": r"^promoted",
    "writing": r"^writing",
}


def sae(folder: Path, latents: int, d: int) -> Path:
    """Written to disk and let go."""
    from tests.planted import sae_folder

    random = torch.Generator().manual_seed(0)
    decoder = torch.nn.functional.normalize(torch.randn(latents, d, generator=random), dim=1)
    pairs = latents // 100
    decoder[pairs : 2 * pairs] = -decoder[:pairs]
    return sae_folder(folder, decoder, decoder, kind="TopK", hook=HOOK, k=32)


def model(folder: Path, d: int) -> str:
    """The demo's, or a random one of this width with its tokenizer."""
    if d == DEMO_WIDTH:
        return "demo"
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from analysis.reading.demo_parts import demo_model_file

    file = demo_model_file()
    tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    torch.manual_seed(0)
    sizes = {"hidden_size": d, "intermediate_size": 2 * d, "num_hidden_layers": 3, "num_attention_heads": 4}
    made = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), max_position_embeddings=512, **sizes))
    made.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def cache(folder: Path) -> str:
    """An empty one, but for the demo's model."""
    from analysis.process.cache import cache_folder

    (folder / "cache").mkdir()
    os.symlink(cache_folder() / "models", folder / "cache" / "models")
    return str(folder / "cache")


def measured(latents: int, d: int, tokens: int, approximate: bool) -> tuple[float, dict[str, float], str]:
    """Peak GB, seconds from the first line of each phase to the next one's, and the last line."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "dense_latents", "analyze", "--model", model(folder / "model", d)]
        command += ["--sae", str(sae(folder / "sae", latents, d)), "--tokens", str(tokens), "--db", f"{name}/wide.db"]
        command += ["--approximate-partners"] * approximate
        environment = os.environ | {"DENSE_LATENTS_CACHE": cache(folder)}
        began, marks, line, peak = time.monotonic(), [("start", 0.0)], "", 0.0
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
            assert process.stdout is not None
            for line in process.stdout:
                peak = max(peak, high_water(process.pid))
                phase = next((phase for phase, told in PHASES.items() if re.search(told, line)), None)
                if phase is not None and phase != marks[-1][0]:
                    marks.append((phase, time.monotonic() - began))
                typer.echo(f"{time.monotonic() - began:8.1f} {peak:6.2f} GB {line}", nl=False, err=True)
        if process.returncode:
            raise SystemExit(f"analyze ended with {process.returncode}")
        marks.append(("end", time.monotonic() - began))
    seconds = {phase: later - at for (phase, at), (_, later) in pairwise(marks)}
    return peak, seconds, line.strip()


def high_water(process: int) -> float:
    """GB of resident memory that a running process had at most so far; what it was forked from is not in it."""
    held = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    return int(held[1]) * 1024 / 1e9 if held else 0.0


def main() -> None:
    """Print a table."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("latents", type=int, nargs="+")
    asked.add_argument("--d", type=int, default=DEMO_WIDTH)
    asked.add_argument("--tokens", type=int, default=8192)
    asked.add_argument("--approximate", action="store_true")
    given = asked.parse_args()
    for latents in sorted(given.latents):
        peak, seconds, last = measured(latents, given.d, given.tokens, given.approximate)
        phases = ", ".join(f"{phase} {value:,.0f} s" for phase, value in seconds.items())
        typer.echo(f"{latents:,} latents, d = {given.d}: peak {peak:.2f} GB; {phases}\n  {last}")


if __name__ == "__main__":
    main()
