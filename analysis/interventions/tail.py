"""The part of a model after a hook point, run alone: what comes before it is computed once and never again.

The later blocks are the model's own. The earlier ones are passed over by letting each give back what it got,
so that positions, masks and whatever else a family prepares are prepared as always; the stored activations go
in where the first block that matters takes its input. Cost: the embedding is looked up in vain.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from analysis.reading import hook_points
from analysis.reading.hook_names import parse
from analysis.reading.model import LanguageModel

_ADDED = ("embed", "resid_pre", "resid_post", "mlp_out")  # a change there is one of what a block takes in


class _Done(Exception):  # noqa: N818 - no error: it ends the pass early
    """The final norm's input is known."""


class Clean(NamedTuple):
    """One batch as the model leaves it alone; B contexts of T tokens, in the model's dtype."""

    x: Tensor  # [B, T, D] float32: at the hook point, as an SAE reads it
    entry: Tensor  # [B, T, D]: what the first re-run module takes in
    final: Tensor  # [B, T, D]: what the final norm takes in
    seen: Tensor | None = None  # [B, T, d_in]: what a transcoder reads, where that is another place than `x`


class Tail:
    """Re-runs a model from a hook point on.

    Args:
        model: the model.
        hook_point: where it is changed.
        read: where a transcoder reads, if elsewhere.
    """

    def __init__(self, model: LanguageModel, hook_point: str, read: str | None = None) -> None:
        layer, kind = parse(hook_point)
        self.model, self.hook_point, self.read = model, hook_point, None if read == hook_point else read
        self._blocks = hook_points.blocks(model.module)
        self._norm = hook_points.final_norm(model.module)
        # what else is read before the block ends reaches its own MLP, so that block runs again as a whole
        self._inside = kind not in _ADDED
        self.start = layer + 1 if kind in ("resid_post", "mlp_out") else layer
        self._tuples: bool | None = None  # whether blocks give tuples; seen on the first whole pass

    @property
    def blocks(self) -> int:
        """How many blocks are run again."""
        return len(self._blocks) - self.start

    @torch.no_grad()
    def clean(self, ids: Tensor, attention: Tensor) -> Clean:
        """One whole forward pass.

        Args:
            ids: [B, T] int64. attention: [B, T] bool.
        """
        found: dict[str, Tensor] = {}
        with ExitStack() as stack:
            enter = stack.enter_context
            enter(_keeping(self._entrance, found, "entry"))
            enter(self._watching_tuples())
            enter(_ending(self._norm, found))
            handle = hook_points.on_read(self.model.module, self.hook_point, lambda _n, x: found.update(x=x))
            stack.callback(handle.remove)
            if self.read is not None:
                handle = hook_points.on_read(self.model.module, self.read, lambda _n, x: found.update(seen=x))
                stack.callback(handle.remove)
            stack.enter_context(suppress(_Done))
            self._forward(ids, attention)
        x = self.model.as_read(found["x"], self.hook_point)
        seen = None if self.read is None else self.model.as_read(found["seen"], self.read)
        return Clean(x, found.get("entry", found["final"]), found["final"], seen)

    @torch.no_grad()
    def run(self, ids: Tensor, attention: Tensor, entry: Tensor, change: Tensor) -> Tensor:
        """The final norm's input after `change` was added at the hook point.

        Args:
            ids: [B, T] int64; attention: [B, T] bool; entry: [B, T, D], of `clean`.
            change: [V, B, T, width of the hook point], V changes tried at once.

        Returns:
            [V, B, T, D].
        """
        versions, (b, t, d) = change.shape[0], entry.shape
        if not self.blocks:
            return entry + change.to(entry.dtype)
        if self._tuples is None:
            self.clean(ids[:1], attention[:1])
        flat = change.reshape(versions * b, t, -1)
        start = entry.expand(versions, b, t, d).reshape(versions * b, t, d)
        start = start if self._inside else start + flat.to(start.dtype)
        found: dict[str, Tensor] = {}
        with ExitStack() as stack:
            stack.enter_context(self._passing_over())
            stack.enter_context(_feeding(self._entrance, start))
            stack.enter_context(_ending(self._norm, found))
            if self._inside:
                stack.callback(hook_points.on_write(self.model.module, self.hook_point, lambda x: x + flat).remove)
            stack.enter_context(suppress(_Done))
            self._forward(ids.repeat(versions, 1), attention.repeat(versions, 1))
        return found["final"].reshape(versions, b, t, d)

    @property
    def _entrance(self) -> nn.Module:
        return self._blocks[self.start] if self.blocks else self._norm

    def _forward(self, ids: Tensor, attention: Tensor) -> None:
        self.model._forward(ids, attention)

    @contextmanager
    def _watching_tuples(self) -> Iterator[None]:
        """Blocks of some families give a tuple, and one that is passed over must too."""

        def watch(_module: nn.Module, _args: Any, output: Any) -> None:
            self._tuples = isinstance(output, tuple)

        handle = self._blocks[0].register_forward_hook(watch)
        try:
            yield
        finally:
            handle.remove()

    @contextmanager
    def _passing_over(self) -> Iterator[None]:
        def through(hidden_states: Tensor, *_args: Any, **_kwargs: Any) -> Any:
            return (hidden_states,) if self._tuples else hidden_states

        skipped = list(self._blocks[: self.start])
        for block in skipped:
            block.forward = through  # an attribute of the instance hides the class's method
        try:
            yield
        finally:
            for block in skipped:
                del block.forward


def _on_input(module: nn.Module, change: Callable[[Tensor], Tensor | None]) -> Any:
    """Call `change` with the module's first input; what it gives, if anything, takes the input's place."""

    def before(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            made = change(args[0])
            return None if made is None else ((made, *args[1:]), kwargs)
        made = change(kwargs["hidden_states"])
        return None if made is None else (args, {**kwargs, "hidden_states": made})

    return module.register_forward_pre_hook(before, with_kwargs=True)


@contextmanager
def _keeping(module: nn.Module, found: dict[str, Tensor], name: str) -> Iterator[None]:
    handle = _on_input(module, lambda x: found.update({name: x}))
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _feeding(module: nn.Module, start: Tensor) -> Iterator[None]:
    handle = _on_input(module, lambda _x: start)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _ending(norm: nn.Module, found: dict[str, Tensor]) -> Iterator[None]:
    def end(x: Tensor) -> None:
        found["final"] = x
        raise _Done

    handle = _on_input(norm, end)
    try:
        yield
    finally:
        handle.remove()
