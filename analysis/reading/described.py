"""What an SAE is, from its configuration alone, and why it cannot be read: asked before anything is loaded. No torch.

`refusal` is the one place that decides; loading, `inspect` and the walk over sae-lens' registry all ask it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.errors import UserError
from analysis.reading.hook_names import parse, place_of

CROSS_LAYER, CROSSCODER, TEMPORAL = "cross-layer transcoder", "crosscoder", "temporal"
SKIP = frozenset({"skip_transcoder", "jumprelu_skip_transcoder"})
TRANSCODERS = frozenset({"transcoder", "jumprelu_transcoder"}) | SKIP
SAES = frozenset({"standard", "gated", "topk", "abstopk", "jumprelu", "matching_pursuit"})
AFTER_TRAINING = {"batchtopk": "jumprelu", "matryoshka_batchtopk": "jumprelu"}
"""What sae-lens makes of these when training ends: one threshold for all."""

_NOT_READ = {
    CROSS_LAYER: "a cross-layer transcoder: its latents write to many layers at once",
    CROSSCODER: "a crosscoder: its latents read several layers or models at once",
    TEMPORAL: "a temporal SAE: it encodes a token together with those before it",
}
_UNSCALED = ("expected_average_only_in", "covariance_whitening")
_AT_RUN_TIME = ("none", "layer_norm", "constant_norm_rescale")


@dataclass(frozen=True)
class Described:
    """An SAE, as far as its configuration tells; None is what it does not tell."""

    source: str
    layout: str
    architecture: str | None
    hook_point: str | None
    hook_out: str | None  # where a transcoder writes; of an SAE the hook point itself
    model: str | None = None
    d_in: int | None = None
    d_out: int | None = None
    n_latents: int | None = None
    l0: float | None = None
    normalisation: str = "none"
    head: int | None = None
    bottleneck: int | None = None  # rank of the linear part beside it

    @property
    def transcodes(self) -> bool:
        """Whether it predicts another place's activations from those it reads."""
        return self.architecture in TRANSCODERS


def describe(source: str, layout: str, config: Mapping[str, Any], l0: float | None = None) -> Described:
    """Of a configuration in sae-lens' present form; its `metadata` may lie beside or within it."""
    about = {**config, **(config.get("metadata") or {})}
    hook = about.get("hook_name")
    read = place_of(hook, about.get("hf_hook_name")) if hook else None
    architecture = config.get("architecture")
    out, d_in = read, config.get("d_in")
    if architecture in TRANSCODERS:
        name = about.get("hook_name_out")
        out = place_of(name, about.get("hf_hook_name_out")) if name else None
    k = config.get("k")
    return Described(
        source=source,
        layout=layout,
        architecture=architecture,
        hook_point=read,
        hook_out=out,
        model=about.get("model_name"),
        d_in=d_in,
        d_out=config.get("d_out", d_in) if architecture in TRANSCODERS else d_in,
        n_latents=config.get("d_sae"),
        l0=float(k) if isinstance(k, int | float) else l0,
        normalisation=config.get("normalize_activations") or "none",
        head=about.get("hook_head_index"),
        bottleneck=(about.get("bottleneck") or {}).get("rank"),
    )


def refusal(found: Described) -> str | None:
    """Why it cannot be read: what was expected and what was found, in one line; None where it can."""
    kind = found.architecture
    if kind in _NOT_READ:
        return f"expected an SAE or transcoder that reads one place, one token at a time; found {_NOT_READ[kind]}"
    if kind is not None and kind not in SAES | TRANSCODERS | set(AFTER_TRAINING):
        known = ", ".join(sorted(SAES | TRANSCODERS | set(AFTER_TRAINING)))
        return f"expected an architecture of {known}; found '{kind}'"
    return _unknown_place(found) or _unscaled(found)


def _unknown_place(found: Described) -> str | None:
    if not found.hook_point:
        return "expected metadata with a hook_name; found none, so it is unknown where to read"
    if not found.hook_out:
        return "expected metadata with a hook_name_out; found none, so it is unknown what the transcoder predicts"
    if found.head is not None:
        return f"expected an SAE of all heads side by side; found one of head {found.head} alone (hook_head_index)"
    for name in (found.hook_point, found.hook_out):
        try:
            parse(name)
        except UserError as error:
            return str(error)
    return None


def _unscaled(found: Described) -> str | None:
    how = found.normalisation
    if how in _UNSCALED:
        return (
            f"it was trained on scaled activations (normalize_activations: {how}), and the scale is neither folded"
            " into its weights nor stored beside them, so every activation would be wrong: expected 'none'; fold it"
            " with sae-lens' fold_activation_norm_scaling_factor, or put the training's activation_scaler.json beside"
        )
    if how not in _AT_RUN_TIME:
        return f"expected normalize_activations of {', '.join(_AT_RUN_TIME)}; found '{how}'"
    return None


def check(found: Described) -> Described:
    """The same, where it can be read.

    Raises:
        UserError: it cannot; the message names the SAE.
    """
    if reason := refusal(found):
        raise UserError(f"{found.source}: {reason}")
    return found
