"""Names of places in a model: TransformerLens', and the module paths that some SAEs give beside. Takes no torch."""

from __future__ import annotations

import re

from analysis.errors import UserError

_NAME = re.compile(
    r"blocks\.(\d+)\.(?:hook_(resid_pre|resid_mid|resid_post|mlp_out|attn_out|mlp_in)"
    r"|attn\.hook_(z)|(mlp\.hook_in)|(ln[12])\.hook_normalized)"
)
EMBED = "hook_embed"
KNOWN = (
    "hook_embed, or blocks.LAYER. followed by one of hook_resid_pre, hook_resid_mid, hook_resid_post, hook_mlp_out,"
    " hook_attn_out, hook_mlp_in, mlp.hook_in, attn.hook_z, ln1.hook_normalized, ln2.hook_normalized"
)
SHORT = {
    "resid_pre": "resid-pre", "resid_mid": "resid-mid", "resid_post": "resid", "mlp_out": "mlp", "attn_out": "attn",
    "mlp_in": "mlp-in", "mlp.hook_in": "mlp-hook-in", "z": "attn-z", "ln1": "ln1", "ln2": "ln2", "embed": "embed",
}  # fmt: skip
# where what is read is the residual stream or added to it: its directions are the stream's own
STREAM = frozenset({"embed", "resid_pre", "resid_mid", "resid_post", "mlp_out", "attn_out", "mlp_in"})

# a Hugging Face module, and whether its input or output is meant -> the same place in TransformerLens' words
_MODULES = {
    "": "hook_resid_post",
    "output": "hook_resid_post",
    "self_attn.o_proj.input": "attn.hook_z",
    "pre_feedforward_layernorm.output": "mlp.hook_in",
    "post_feedforward_layernorm.output": "hook_mlp_out",
}
_MODULE = re.compile(r"model\.(?:language_model\.)?layers\.(\d+)\.?(.*)")


def parse(name: str) -> tuple[int, str]:
    """`blocks.7.hook_resid_post` -> (7, "resid_post"); `hook_embed` -> (0, "embed").

    Raises:
        UserError: another kind of name.
    """
    if name == EMBED:
        return 0, "embed"
    match = _NAME.fullmatch(name)
    if not match:
        raise UserError(f"unknown hook point '{name}'; expected {KNOWN}")
    return int(match.group(1)), next(kind for kind in match.groups()[1:] if kind)


def of_module(path: str) -> str | None:
    """`model.layers.7.self_attn.o_proj.input` -> `blocks.7.attn.hook_z`; None for a path not known."""
    match = _MODULE.fullmatch(path)
    place = _MODULES.get(match.group(2)) if match else None
    return f"blocks.{match.group(1)}.{place}" if match and place else None


def place_of(name: str, module: str | None) -> str:
    """Where an SAE reads or writes, of the two names it may give.

    The module wins: sae-lens calls what Gemma Scope 2's transcoders read `hook_mlp_in`, which in TransformerLens is
    the stream *before* the norm, while the module they name gives what comes *after* it.
    """
    return (of_module(module) if module else None) or name
