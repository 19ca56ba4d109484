"""Asking the process that holds the model; what it answers, or why not in a sentence."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from app.shared.language import _
from app.shared.numbers import count

MOST_CHARACTERS = 4_000
"""Of a text in an address."""
_PATIENCE = 70.0
"""Seconds: waiting and reading are bounded by the process itself; this is for one that hangs before it looks."""
_AT_ONCE = 24
_LARGEST = 64 * 1024 * 1024

Name = tuple[int, str]
"""An SAE as one run saw it: the run's id, the SAE's slug."""


class Activations(NamedTuple):
    """Of some latents of an SAE."""

    dense: int
    """Dense latents that it has."""
    by_latent: dict[int, Sequence[float]]
    """By index: on each token."""


class LiveText(NamedTuple):
    """A text as the model read it."""

    tokens: list[str]
    """Joined, the text; an empty one ends the character that the one before it began."""
    counted: list[bool]
    """False: a special token."""
    room: int
    """Tokens of a context."""
    seconds: float
    saes: dict[Name, Activations]

    @property
    def n_counted(self) -> int:
        """Tokens that count."""
        return sum(self.counted)


class Unread(Exception):  # noqa: N818 - an answer, no error
    """A text was not read: status and sentence, and when to come again."""

    def __init__(self, status: int, detail: str, retry: int = 0) -> None:
        super().__init__(detail)
        self.status, self.detail, self.retry = status, detail, retry


class LiveClient:
    """Asks over a socket; one connection a text."""

    def __init__(self, path: str) -> None:
        self._path, self._places = path, asyncio.Semaphore(_AT_ONCE)

    async def read(
        self, text: str, saes: Sequence[Name], keep: Sequence[Name], latents: Mapping[str, Sequence[int]] | None = None
    ) -> LiveText:
        """Activations of latents of these SAEs on the tokens of a text.

        Args:
            keep: SAEs that may be asked for next.
            latents: by slug; of an SAE that is not named, its dense ones.

        Raises:
            Unread: says why not.
        """
        asked: dict[str, Any] = {"text": text, "saes": saes, "keep": keep, "latents": latents or {}}
        if self._places.locked():
            raise _unread({"error": "busy"})
        async with self._places:
            answer = await self._asked(json.dumps(asked).encode() + b"\n")
        if "error" in answer:
            raise _unread(answer)
        return _live_text(answer)

    async def _asked(self, line: bytes) -> dict[str, Any]:
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await asyncio.open_unix_connection(self._path, limit=_LARGEST)
                try:
                    writer.write(line)
                    await writer.drain()
                    found = await reader.readline()
                finally:
                    writer.close()
        except TimeoutError:
            raise _unread({"error": "busy"}) from None
        except OSError:
            found = b""
        if not found.endswith(b"\n"):
            raise _unread({"error": "restarted"})
        answer: dict[str, Any] = json.loads(found)
        return answer


def _live_text(answer: dict[str, Any]) -> LiveText:
    tokens = answer["tokens"]
    found = {(sae["run"], sae["sae"]): _activations(sae, len(tokens)) for sae in answer["saes"]}
    return LiveText(tokens, answer["counted"], answer["room"], answer["seconds"], found)


def _activations(sae: dict[str, Any], tokens: int) -> Activations:
    values = array("f", base64.b64decode(sae["activations"]))
    if sys.byteorder == "big":
        values.byteswap()
    rows = (values[place * tokens : (place + 1) * tokens] for place in range(len(sae["latents"])))
    return Activations(sae["dense"], dict(zip(sae["latents"], rows, strict=True)))


def too_long(characters: int) -> Unread:
    """More than an address carries."""
    most = count(MOST_CHARACTERS)
    return Unread(
        414,
        _(
            "The text has %(characters)s characters; at most %(most)s can be tried. Take a part of it.",
            characters=count(characters),
            most=most,
        ),
    )


def _unread(answer: dict[str, Any]) -> Unread:
    code, found, most = answer["error"], answer.get("found"), answer.get("most")
    if code == "loading":
        waited = _(" for %(seconds)s s", seconds=f"{answer['seconds']:.0f}") if answer.get("seconds") else ""
        words = _(
            "The model is being loaded%(waited)s, as the first text asks for it. Try again in a moment.", waited=waited
        )
        return Unread(503, words, 5)
    known = {
        "busy": (503, _("Others are trying texts, one after another, and too many wait. Try again in a moment."), 5),
        "restarted": (503, _("The model process was restarted; try again."), 2),
        "failed": (
            503,
            _(
                "The model could not read this, or could not be loaded: it may have moved since the analysis."
                " The server's log says why."
            ),
            30,
        ),
        "tokens": (
            422,
            _(
                "The text has %(value)s tokens; at most %(most)s are read. Take a part of it.",
                value=count(found),
                most=count(most),
            ),
            0,
        ),
        "characters": (422, _("The text is longer than %(most)s characters. Take a part of it.", most=count(most)), 0),
        "empty": (422, _("The text has no token. Type a few words."), 0),
    }
    return Unread(*known.get(code, (422, "The model process did not understand what it was asked.", 0)))
