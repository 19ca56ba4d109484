"""TransformerLens' names for places in a model -> reading and writing there in a Hugging Face model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

from analysis.errors import UserError
from analysis.reading.families import FAMILIES, Family
from analysis.reading.hook_names import STREAM, parse

Side = Literal["input", "output", "normalised"]


class HookSite(NamedTuple):
    """Where to read: a module's input, its output or, of a norm, what it has before its gain; and in which block."""

    module: nn.Module
    side: Side
    layer: int


class Hooks:
    """Several hooks of torch that are removed together."""

    def __init__(self, *handles: Any) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Take them all off."""
        for handle in self._handles:
            handle.remove()


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
    if kind == "embed":
        return HookSite(model.get_input_embeddings(), "output", 0)  # type: ignore[operator]
    layers = blocks(model)
    if layer >= len(layers):
        raise UserError(f"hook point '{name}': the model has blocks 0 to {len(layers) - 1}")
    block, family = layers[layer], _family(model)
    if kind in ("z", "attn_out") and not hasattr(block, family.attn):
        there = ", ".join(str(n) for n, each in enumerate(layers) if hasattr(each, family.attn)) or "none"
        raise UserError(
            f"hook point '{name}': block {layer} has linear attention, which has no such place; blocks with attention"
            f" of heads: {there}"
        )
    if kind == "resid_mid" and getattr(model.config, "use_parallel_residual", False):
        raise UserError(f"hook point '{name}': this model adds attention and MLP to the stream at once; there is none")
    module, side = _place(block, family, kind)
    return HookSite(module, side, layer)


def _place(block: nn.Module, family: Family, kind: str) -> tuple[nn.Module, Side]:
    if kind in ("resid_pre", "resid_post"):
        return block, "input" if kind == "resid_pre" else "output"
    if kind in ("ln1", "ln2"):
        return block.get_submodule(family.ln1 if kind == "ln1" else family.ln2), "normalised"
    if kind in ("resid_mid", "mlp_in"):
        return block.get_submodule(family.ln2), "input"
    if kind in ("mlp_out", "mlp.hook_in"):
        out = kind == "mlp_out"
        return block.get_submodule((out and family.mlp_out) or family.mlp), "output" if out else "input"
    attention = block.get_submodule(family.attn)
    if kind == "attn_out":
        return (block.get_submodule(family.attn_out) if family.attn_out else attention), "output"
    return attention.get_submodule(family.heads_out), "input"


def on_read(model: nn.Module, name: str, keep: Callable[[str, Tensor], None]) -> Hooks:
    """Call `keep(name, activation)` when the model gets to a hook point; [batch, ctx, width].

    All heads of `attn.hook_z` lie side by side, as SAEs read them. `ln1.hook_normalized` and `ln2.hook_normalized`
    are what the norm has before its gain, as TransformerLens' are with or without folded norms.

    Raises:
        UserError: as `resolve`.
    """
    site = resolve(model, name)
    if site.side == "output":
        return Hooks(site.module.register_forward_hook(lambda _module, _args, output: keep(name, _tensor(output))))
    seen = _normalised(model) if site.side == "normalised" else _as_it_is

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        keep(name, seen(module, _first_input(args, kwargs)))

    return Hooks(site.module.register_forward_pre_hook(before, with_kwargs=True))


def on_write(model: nn.Module, name: str, change: Callable[[Tensor], Tensor]) -> Hooks:
    """Replace the activation at a hook point by `change(activation)`, in its own dtype.

    At `resid_mid` the stream itself changes; at `mlp_in` only what the MLP's norm reads of it.

    Args:
        model: the model.
        name: the hook point.
        change: gets and gives [batch, ctx, width] float32.

    Raises:
        UserError: as `resolve`.
    """
    site = resolve(model, name)

    def changed(tensor: Tensor) -> Tensor:
        return change(tensor.float()).to(tensor.dtype)

    if site.side == "normalised":
        return Hooks(_change_normalised(model, site.module, change))
    if site.side == "output":
        return Hooks(_change_output(site.module, changed))
    if parse(name)[1] == "resid_mid":
        return _change_middle(blocks(model)[site.layer], site.module, changed)
    return Hooks(_change_input(site.module, changed))


def _change_input(module: nn.Module, changed: Callable[[Tensor], Tensor]) -> Any:
    def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            return (changed(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": changed(kwargs["hidden_states"])}

    return module.register_forward_pre_hook(before, with_kwargs=True)


def _change_output(module: nn.Module, changed: Callable[[Tensor], Tensor]) -> Any:
    def after(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> Any:
        return (changed(output[0]), *output[1:]) if isinstance(output, tuple) else changed(output)

    return module.register_forward_hook(after)


def _change_middle(block: nn.Module, norm: nn.Module, changed: Callable[[Tensor], Tensor]) -> Hooks:
    """The norm reads the changed stream; what the block gives gets the same difference, since it holds the old one."""
    difference: list[Tensor] = []

    def before(x: Tensor) -> Tensor:
        new = changed(x)
        difference[:] = [new - x]
        return new

    return Hooks(_change_input(norm, before), _change_output(block, lambda x: x + difference.pop()))


def _change_normalised(model: nn.Module, norm: nn.Module, change: Callable[[Tensor], Tensor]) -> Any:
    seen, offset = _normalised(model), gain_offset(model)

    def after(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Tensor) -> Tensor:
        normalised = seen(module, _first_input(args, kwargs))
        gain = cast(Tensor, module.weight).float() + offset
        return output + ((change(normalised) - normalised) * gain).to(output.dtype)

    return norm.register_forward_hook(after, with_kwargs=True)


def _as_it_is(_module: nn.Module, x: Tensor) -> Tensor:
    return x


def _normalised(model: nn.Module) -> Callable[[nn.Module, Tensor], Tensor]:
    """What a norm of this model makes of its input before gain and bias, in float32."""
    centre = has_layer_norm(model)

    def normalised(norm: nn.Module, x: Tensor) -> Tensor:
        x = x.float()
        x = x - x.mean(-1, keepdim=True) if centre else x
        eps = cast(float, norm.variance_epsilon if hasattr(norm, "variance_epsilon") else norm.eps)
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)

    return normalised


def width(model: nn.Module, name: str, d_model: int) -> int:
    """How many numbers a token has at a hook point: d_model, but for the heads' results all heads' widths.

    Raises:
        UserError: as `resolve`.
    """
    module = resolve(model, name).module
    return _heads_to_stream(module).shape[0] if parse(name)[1] == "z" else d_model


def to_stream(model: nn.Module, name: str) -> Tensor | None:
    """[width, d_model] float32: which directions of the residual stream the directions at a hook point stand for.

    The heads' results by the projection that adds them (in Gemma 2 and 3, by the gain of the norm after it too); what
    the MLP takes in, without the gain it was multiplied by. None where they are the stream's own. The scale of norms,
    which differs by token, is left out.

    Raises:
        UserError: as `resolve`.
    """
    layer, kind = parse(name)
    if kind in STREAM or kind in ("ln1", "ln2"):
        return None
    family, site = _family(model), resolve(model, name)
    block = blocks(model)[layer]
    if kind == "z":
        weight = _heads_to_stream(site.module)
        return weight * _gain(model, block.get_submodule(family.attn_out)) if family.attn_out else weight
    gain = _gain(model, block.get_submodule(family.ln2))
    return torch.diag(torch.where(gain != 0, 1 / gain, torch.zeros_like(gain)))


def _heads_to_stream(projection: nn.Module) -> Tensor:
    """[all heads, d_model] of a Linear, or of GPT-2's Conv1D, which holds it the other way."""
    weight = cast(Tensor, projection.weight).detach().float()
    return weight.T if isinstance(projection, nn.Linear) else weight


def _gain(model: nn.Module, norm: nn.Module) -> Tensor:
    return cast(Tensor, norm.weight).detach().float() + gain_offset(model)


def final_gain(model: nn.Module) -> Tensor:
    """The gain of the norm before the unembedding, [d_model] float32; Gemma's is 1 + weight.

    Raises:
        UserError: a family that is not in `FAMILIES`.
    """
    return _gain(model, final_norm(model))


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
