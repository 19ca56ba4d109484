"""SAEDashboard's `run()` on one SAE: seconds, CPU seconds and peak memory as JSON. For `beside_saedashboard.py`.

It runs in SAEDashboard's own environment and imports nothing of ours. Its best configuration known to us: all features
in one minibatch, so that the model reads the tokens once. Loading is not in the seconds.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch


def main(paths: list[str], features: int, dtype: str) -> None:
    """Load, run once, print; `paths` are model, SAE and tokens, and the hook point."""
    model_folder, sae_folder, tokens_file, hook = paths
    from sae_dashboard.sae_vis_data import SaeVisConfig  # type: ignore[import-not-found]
    from sae_dashboard.sae_vis_runner import SaeVisRunner  # type: ignore[import-not-found]
    from sae_lens import SAE

    model = _model(Path(model_folder), dtype)
    sae = SAE.load_from_disk(sae_folder, dtype="float32")
    tokens = torch.load(tokens_file, weights_only=True)
    config = SaeVisConfig(
        hook_point=hook, features=list(range(features)), minibatch_size_features=features, minibatch_size_tokens=8,
        device="cpu", dtype=dtype,
    )  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    SaeVisRunner(config).run(encoder=sae, model=model, tokens=tokens)
    found = {
        "seconds": time.perf_counter() - wall,
        "cpu_seconds": time.process_time() - cpu,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(found))


def _model(folder: Path, dtype: str) -> Any:
    """The same weights in TransformerLens; its older transformers wants the configuration in its own words."""
    from safetensors.torch import load_file
    from transformer_lens import HookedTransformer, loading_from_pretrained
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with tempfile.TemporaryDirectory() as temporary:
        for file in folder.iterdir():
            (Path(temporary) / file.name).symlink_to(file.resolve())
        config = json.loads((folder / "config.json").read_text())
        config |= {"architectures": ["LlamaForCausalLM"], "torch_dtype": dtype}
        config["rope_theta"] = config["rope_parameters"]["rope_theta"]
        target = Path(temporary) / "config.json"
        target.unlink()
        target.write_text(json.dumps(config))
        told = json.loads((folder / "tokenizer_config.json").read_text())
        told["tokenizer_class"] = "PreTrainedTokenizerFast"
        target = Path(temporary) / "tokenizer_config.json"
        target.unlink()
        target.write_text(json.dumps(told))
        loading_from_pretrained.OFFICIAL_MODEL_NAMES.append(temporary)  # else no local folder is taken
        module = AutoModelForCausalLM.from_pretrained(temporary, dtype=getattr(torch, dtype))
        # the embedding is tied to the unembedding and saved under its name alone, which an older transformers misses
        weight = torch.nn.Parameter(load_file(folder / "model.safetensors")["lm_head.weight"].to(getattr(torch, dtype)))
        module.model.embed_tokens.weight = module.lm_head.weight = weight
        return HookedTransformer.from_pretrained_no_processing(
            temporary, hf_model=module, tokenizer=AutoTokenizer.from_pretrained(temporary), dtype=dtype, device="cpu"
        )


if __name__ == "__main__":
    *paths, features, dtype = sys.argv[1:]
    main(paths, int(features), dtype)
