"""A language model and what is read from it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from analysis.errors import UserError
from analysis.reading import hook_points
from analysis.reading.hook_names import STREAM, parse
from analysis.reading.vocabulary import sayable, special_ids, token_strings

Replace = Callable[[Tensor], Tensor]


_LOGITS = 1 << 25  # held at once: 128 MB in float32


class _Done(Exception):  # noqa: N818 - no error: it ends the pass early
    """The last wanted module has run; the rest of the forward pass is not needed."""


class LanguageModel:
    """A causal language model, read at named hook points in one forward pass.

    Args:
        module: a Hugging Face `...ForCausalLM` in eval mode.
        tokenizer: its fast tokenizer.
        name: what people call it.
        source: where it came from.
        fingerprint: hex SHA-256 that identifies it; see `identity`.
        former: gives what older versions called it.
        licence: if known.
        centred: subtract each token's mean over d_model, as TransformerLens' centred writing
            weights do (for SAEs trained on such activations).
        prepend_bos: whether contexts begin with BOS (not for SAEs that were trained without).
    """

    def __init__(
        self,
        module: nn.Module,
        tokenizer: Any,
        *,
        name: str,
        source: str,
        fingerprint: str,
        former: Callable[[], str] | None = None,
        licence: str | None = None,
        centred: bool = False,
        prepend_bos: bool = True,
    ) -> None:
        self.module, self.tokenizer, self.name, self.source = module.eval(), tokenizer, name, source
        self.fingerprint, self.licence, self.centred = fingerprint, licence, centred
        self.prepend_bos = prepend_bos
        self._former = former
        self.config = module.config.get_text_config()  # type: ignore[union-attr,operator]
        self.family: str = self.config.model_type
        self.n_layers = len(hook_points.blocks(module))
        if centred and not hook_points.has_layer_norm(module):
            raise UserError(
                f"{name}: the SAE was trained on centred writing weights, which leave the outputs alone only where"
                f" LayerNorm subtracts the mean; found a '{self.family}' model, whose RMSNorm does not: expected an"
                " SAE of uncentred activations"
            )
        self.d_model: int = self.config.hidden_size
        self.vocab_size: int = self.config.vocab_size

    @cached_property
    def former(self) -> list[str]:
        """What older versions would have called it; takes as long as reading its weights."""
        return [self._former()] if self._former else []

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.module.parameters()).device

    @property
    def dtype_name(self) -> str:
        """bfloat16, float32 ..."""
        return str(next(self.module.parameters()).dtype).removeprefix("torch.")

    @property
    def special_ids(self) -> set[int]:
        """Ids that are no text: in no numerator and no denominator."""
        return special_ids(self.tokenizer)

    @property
    def bos_id(self) -> int | None:
        """What stands before each context, if anything; EOS where the model has no BOS of its own (GPT-2, NeoX)."""
        if not self.prepend_bos:
            return None
        tokenizer = self.tokenizer
        found: int | None = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
        return found

    def words(self) -> list[str]:
        """The readable string of every vocabulary id; made once."""
        return self._words

    @cached_property
    def _words(self) -> list[str]:
        return token_strings(self.tokenizer, self.vocab_size)

    def sayable(self) -> Tensor:
        """[vocab] bool: ids that stand for text by themselves; made once."""
        return self._sayable

    @cached_property
    def _sayable(self) -> Tensor:
        return torch.tensor(sayable(self.tokenizer, self.vocab_size))

    @torch.no_grad()
    def read(self, ids: Tensor, attention: Tensor, hooks: Sequence[str]) -> dict[str, Tensor]:
        """Activations at `hooks` for one batch; the pass stops after the last of them.

        Args:
            ids: [B, T] int64. attention: [B, T] bool, False at padding (right side).
            hooks: hook point names.

        Returns:
            name -> [B, T, width] float32; the width is d_model, but for the heads' results.
        """
        kept: dict[str, Tensor] = {}
        with self._reading(hooks, kept), suppress(_Done):
            self._forward(ids, attention)
        return {hook: self.as_read(kept[hook], hook) for hook in hooks}

    @torch.no_grad()
    def token_losses(self, ids: Tensor, attention: Tensor, replace: dict[str, Replace] | None = None) -> Tensor:
        """Next-token cross-entropy, optionally with activations replaced at hook points.

        Args:
            ids: [B, T]. attention: [B, T] bool.
            replace: hook point -> function of the activation [B, T, d_model] as `read` gives it; where
                the model is centred, the mean over d_model is taken off before and put back after.

        Returns:
            [B, T-1] float32, in nats; 0 where the target is padding.
        """
        with self._replacing(replace or {}), self._last_hidden() as kept, suppress(_Done):
            self._forward(ids, attention)
        target = ids[:, 1:].to(self.device)
        rows = max(1, _LOGITS // (target.shape[1] * self.vocab_size))
        pieces = torch.split(kept[0][:, :-1], rows)
        losses = [
            nn.functional.cross_entropy(self._logits(hidden).transpose(1, 2), wanted, reduction="none")
            for hidden, wanted in zip(pieces, torch.split(target, rows), strict=True)
        ]
        return torch.cat(losses) * attention[:, 1:].to(self.device)

    @contextmanager
    def _last_hidden(self) -> Iterator[list[Tensor]]:
        """What the unembedding is given, in place of the logits: of a large vocabulary they would fill the memory."""
        kept: list[Tensor] = []

        def stop(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
            kept.append(given[0])
            raise _Done

        handle = self.module.get_output_embeddings().register_forward_pre_hook(stop)  # type: ignore[operator]
        try:
            yield kept
        finally:
            handle.remove()

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.module.get_output_embeddings()(hidden).float()  # type: ignore[operator]
        cap = getattr(self.config, "final_logit_softcapping", None)
        return logits if not cap else cap * torch.tanh(logits / cap)

    def width(self, hook: str) -> int:
        """How many numbers a token has at a hook point."""
        return hook_points.width(self.module, hook, self.d_model)

    def unembedding(self, hook: str | None = None) -> Tensor:
        """W_U with the final norm's gain folded in: [d_model, vocab] float32.

        With a hook point, for the directions there: [width, vocab]; see `hook_points.to_stream`.
        """
        stream = self._unembedding()
        there = None if hook is None else hook_points.to_stream(self.module, hook)
        return stream if there is None else there @ stream

    def _unembedding(self) -> Tensor:
        weight = self.module.get_output_embeddings().weight.detach().float()  # type: ignore[operator]
        folded: Tensor = (weight * hook_points.final_gain(self.module)).T[:, : self.vocab_size]
        # LayerNorm takes a direction's mean off before the gain, so it must not reach the logits here either
        return folded - folded.mean(0) if hook_points.has_layer_norm(self.module) else folded

    def embedding(self, ids: Tensor) -> Tensor:
        """What the model puts in for token ids [n]: [n, d_model] float32."""
        table = self.module.get_input_embeddings().weight.detach()  # type: ignore[operator]
        found: Tensor = table[ids.to(table.device)].float()
        return found

    def _forward(self, ids: Tensor, attention: Tensor) -> Any:
        return self.module(input_ids=ids.to(self.device), attention_mask=attention.to(self.device), use_cache=False)

    def as_read(self, activation: Tensor, hook: str) -> Tensor:
        """What the model has at a hook point, [..., width], as `read` gives it."""
        activation = activation.float()
        # centred writing weights centre what is written to the stream, not what stays inside a module
        inside = parse(hook)[1] not in STREAM
        return activation if inside or not self.centred else activation - activation.mean(-1, keepdim=True)

    def _seen(self, change: Replace, hook: str) -> Replace:
        """`change` on activations as `read` gives them."""

        def changed(activation: Tensor) -> Tensor:
            seen = self.as_read(activation, hook)
            return change(seen) + (activation - seen)

        return changed if self.centred else change

    @contextmanager
    def _reading(self, hooks: Sequence[str], kept: dict[str, Tensor]) -> Iterator[None]:
        waiting = set(hooks)

        def keep(hook: str, activation: Tensor) -> None:
            kept[hook] = activation
            waiting.discard(hook)
            if not waiting:
                raise _Done

        handles = [hook_points.on_read(self.module, hook, keep) for hook in hooks]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def _replacing(self, replace: dict[str, Replace]) -> Iterator[None]:
        handles = [
            hook_points.on_write(self.module, hook, self._seen(change, hook)) for hook, change in replace.items()
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
