"""TransformerLens' names for places in a model -> modules of a Hugging Face model.

Each family is one row of `FAMILIES`: where its blocks, its final norm and the modules whose output is
added to the residual stream are. The choice costs a row a family, and a test of parity with it; reading
modules by name keeps Hugging Face's own (tested, quantised, sharded) forward pass.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, cast

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from analysis.errors import UserError

_NAME = re.compile(r"blocks\.(\d+)\.hook_(resid_pre|resid_post|mlp_out|attn_out)")


@dataclass(frozen=True)
class Family:
    """Where things are in the causal models of one Hugging Face `model_type`.

    Args:
        blocks: path from the model to its list of blocks.
        final_norm: path from the model to the norm before the unembedding.
        attn_out: path in a block to the module whose output attention adds to the residual stream.
        mlp_out: the same for the MLP.
        gain_offset: what the norm adds to its weight before it multiplies.
        layer_norm: whether its norms subtract the mean over d_model, as LayerNorm does and RMSNorm does not.
    """

    blocks: str = "model.layers"
    final_norm: str = "model.norm"
    attn_out: str = "self_attn"
    mlp_out: str = "mlp"
    gain_offset: float = 0.0
    layer_norm: bool = False


_LLAMA = Family()
# Gemma 2 and 3 norm what attention and the MLP give before they add it; TransformerLens reads after that.
_GEMMA = Family(attn_out="post_attention_layernorm", mlp_out="post_feedforward_layernorm", gain_offset=1.0)

FAMILIES: dict[str, Family] = {
    "gemma2": _GEMMA,
    "gemma3": replace(_GEMMA, blocks="model.language_model.layers", final_norm="model.language_model.norm"),
    "gemma3_text": _GEMMA,
    "gpt2": Family("transformer.h", "transformer.ln_f", attn_out="attn", layer_norm=True),
    "gpt_neox": Family("gpt_neox.layers", "gpt_neox.final_layer_norm", attn_out="attention", layer_norm=True),
    "llama": _LLAMA,
    "mistral": _LLAMA,
    "qwen2": _LLAMA,
    "qwen3": _LLAMA,
}


class HookSite(NamedTuple):
    """Where to read: the input or the output of a module, and in which block it is."""

    module: nn.Module
    side: Literal["input", "output"]
    layer: int


def parse(name: str) -> tuple[int, str]:
    """`blocks.7.hook_resid_post` -> (7, "resid_post").

    Raises:
        UserError: another kind of name.
    """
    match = _NAME.fullmatch(name)
    if not match:
        raise UserError(
            f"unknown hook point '{name}'; expected blocks.LAYER.hook_ followed by one of"
            " resid_pre, resid_post, mlp_out, attn_out"
        )
    return int(match.group(1)), match.group(2)


def blocks(model: nn.Module) -> nn.ModuleList:
    """The list of transformer blocks of a Hugging Face causal model.

    Raises:
        UserError: a family that is not in `FAMILIES`.
    """
    return cast(nn.ModuleList, model.get_submodule(_family(model).blocks))


def resolve(model: nn.Module, name: str) -> HookSite:
    """The module behind a hook point.

    Raises:
        UserError: no such hook point, a block the model does not have, or a family not in `FAMILIES`.
    """
    layer, kind = parse(name)
    layers = blocks(model)
    if layer >= len(layers):
        raise UserError(f"hook point '{name}': the model has blocks 0 to {len(layers) - 1}")
    block = layers[layer]
    if kind == "resid_pre":
        return HookSite(block, "input", layer)
    if kind == "resid_post":
        return HookSite(block, "output", layer)
    family = _family(model)
    path = family.attn_out if kind == "attn_out" else family.mlp_out
    return HookSite(block.get_submodule(path), "output", layer)


def on_read(model: nn.Module, name: str, keep: Callable[[str, Tensor], None]) -> RemovableHandle:
    """Call `keep(name, activation)` when the model gets to a hook point; [batch, ctx, d_model].

    Raises:
        UserError: as `resolve`.
    """
    site = resolve(model, name)
    if site.side == "input":
        return site.module.register_forward_pre_hook(
            lambda _module, args, kwargs: keep(name, _first_input(args, kwargs)), with_kwargs=True
        )
    return site.module.register_forward_hook(lambda _module, _args, output: keep(name, _tensor(output)))


def on_write(model: nn.Module, name: str, change: Callable[[Tensor], Tensor]) -> RemovableHandle:
    """Replace the activation at a hook point by `change(activation)`, in its own dtype.

    Args:
        model: the model.
        name: the hook point.
        change: gets and gives [batch, ctx, d_model] float32.

    Raises:
        UserError: as `resolve`.
    """
    site = resolve(model, name)

    def changed(tensor: Tensor) -> Tensor:
        return change(tensor.float()).to(tensor.dtype)

    if site.side == "input":

        def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (changed(args[0]), *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": changed(kwargs["hidden_states"])}

        return site.module.register_forward_pre_hook(before, with_kwargs=True)

    def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        return (changed(output[0]), *output[1:]) if isinstance(output, tuple) else changed(output)

    return site.module.register_forward_hook(after)


def final_gain(model: nn.Module) -> Tensor:
    """The gain of the norm before the unembedding, [d_model] float32; Gemma's is 1 + weight.

    Raises:
        UserError: a family that is not in `FAMILIES`.
    """
    return cast(Tensor, final_norm(model).weight).detach().float() + gain_offset(model)


def gain_offset(model: nn.Module) -> float:
    """What the norms add to their weight before they multiply: 1 in Gemma, else 0.

    Raises:
        UserError: a family that is not in `FAMILIES`.
    """
    return _family(model).gain_offset


def final_norm(model: nn.Module) -> nn.Module:
    """The norm before the unembedding.

    Raises:
        UserError: a family that is not in `FAMILIES`.
    """
    return model.get_submodule(_family(model).final_norm)


def has_layer_norm(model: nn.Module) -> bool:
    """Whether the model's norms subtract the mean, so that a constant added over d_model changes nothing.

    Raises:
        UserError: a family that is not in `FAMILIES`.
    """
    return _family(model).layer_norm


def _family(model: nn.Module) -> Family:
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if kind not in FAMILIES:
        raise UserError(f"unsupported model family '{kind}'; expected one of {', '.join(FAMILIES)}")
    return FAMILIES[kind]


def _first_input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    return cast(Tensor, args[0] if args else kwargs["hidden_states"])


def _tensor(output: Any) -> Tensor:
    return cast(Tensor, output[0] if isinstance(output, tuple) else output)
