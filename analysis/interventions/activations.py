"""The activations that SAEs are trained anew on, and those of the documents that are held out, on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from rich.console import Console

from analysis.errors import UserError
from analysis.interventions.retrain.held_out import note_groups
from analysis.interventions.subject import Subject
from analysis.process.cache import cache_folder
from analysis.process.progress import progress_bar
from analysis.reading.corpus import ContextStream
from analysis.training.activations import ActivationCache, cache_for, fill_together

_CONTEXTS = 8  # a forward pass


class SplitText(NamedTuple):
    """The run's text in contexts of so many tokens, a share of its documents held out."""

    subject: Subject
    context: int
    held_out: float

    def stream(self, tokens: int, *, only_held_out: bool) -> ContextStream:
        """The text less the documents that are held out, or those alone."""
        subject = replace(self.subject, stored=replace(self.subject.stored, context=self.context))
        return subject.stream(tokens, _CONTEXTS, held_out=self.held_out, only_held_out=only_held_out)


def filled(
    text: SplitText, hooks: Sequence[str], tokens: int, console: Console, *, only_held_out: bool
) -> dict[str, ActivationCache]:
    """The activations of every hook point; those that are missing are read in one forward.

    Raises:
        UserError: the text ended before so many tokens.
    """
    model, option = text.subject.model, "--eval-tokens" if only_held_out else "--tokens"
    stream = text.stream(tokens, only_held_out=only_held_out)
    base = cache_folder() / "activations" / model.dtype_name
    caches = {hook: cache_for(base, model, stream, [hook], console.print) for hook in dict.fromkeys(hooks)}
    missing: dict[tuple[int, int], list[ActivationCache]] = {}
    for cache in caches.values():
        if cache.progress()[0] < tokens:
            missing.setdefault(cache.progress(), []).append(cache)
    for (done, _cursor), together in missing.items():
        what = "held-out activations" if only_held_out else "activations"
        try:
            with progress_bar(console, what, tokens, "tokens", done) as progress:
                progress(done) if done else None
                fill_together(together, model, stream, progress)
        except UserError as error:
            raise UserError(str(error).replace("--tokens", option)) from None
    if only_held_out:
        for cache in caches.values():
            note_groups(cache, stream)
    return caches
