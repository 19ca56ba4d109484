"""What a library warns of, said once and in our words: never silenced, and no stack of ours in it."""

from __future__ import annotations

import logging
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

log = logging.getLogger("dense_latents")

_OF_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, FutureWarning)
"""About our calls, not about anybody's files: the version is pinned, and Python hides most of them, too."""
FOLLOWED = {"center_writing_weights"}
"""Settings of a model's loading that reading follows."""
_KNOWN = {
    r"norm_scaling_factor not found": (
        "has no norm_scaling_factor, though its activations were scaled to a mean length; it is read without"
    ),
    r"CLT layer as a single layer": (
        "is one layer of a cross-layer transcoder, with all its decoders added up: its reconstruction means nothing"
    ),
    r"repo_id '.*' directly": "was loaded by its repository; its release in sae-lens' registry has more about it",
}
"""Part of what sae-lens says -> what we say of the SAE."""


_SAID_ELSEWHERE = "model_from_pretrained_kwargs"
"""By `unfollowed`, which knows them."""
_OF_OUR_CALLS = "Sparse CSR tensor support is in beta"
"""Of what we call, not of anybody's files: the version is pinned, and the laws hold its results to a dense way."""


@contextmanager
def library_warnings(source: str, library: str = "sae-lens") -> Iterator[None]:
    """Within it, what a library warns of is logged once, with what it is about.

    Args:
        source: what is being loaded or made, as the user named it.
        library: whose warnings they are.
    """
    told = set[str]()

    def tell(message: Warning | str, category: type[Warning], *_where: Any, **_more: Any) -> None:
        said = in_our_words(str(message), source, library)
        if said not in told and not issubclass(category, _OF_DEVELOPERS) and not _known(str(message)):
            told.add(said)
            log.warning(said)

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = tell  # its last arguments are of no use here
        yield


def _known(message: str) -> bool:
    return _SAID_ELSEWHERE in message or _OF_OUR_CALLS in message


class Heard(logging.Handler):
    """What a library warns of by its logger, each thing once; `tell` says it in our words, when nothing is hushed."""

    def __init__(self, library: str) -> None:
        super().__init__(logging.WARNING)
        self.library, self.said = library, dict[str, None]()

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        self.said[record.getMessage()] = None

    def tell(self, source: str) -> None:
        """All of it, about what was loaded."""
        for message in self.said:
            log.warning(in_our_words(message, source, self.library))


def in_our_words(message: str, source: str, library: str) -> str:
    """One line; what we have no words for is the library's own."""
    for part, words in _KNOWN.items():
        if re.search(part, message):
            return f"{source} {words}"
    return f"{source}: {library} warns: {' '.join(message.split())}"


def unfollowed(source: str, settings: Mapping[str, Any]) -> None:
    """Say which settings an SAE's model was loaded with when it was trained, of those that reading does not follow."""
    other = ", ".join(f"{name} = {value}" for name, value in settings.items() if value and name not in FOLLOWED)
    if other:
        log.warning(f"{source} was trained on a model loaded with {other}, which is not followed here")
