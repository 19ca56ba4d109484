"""Texts one at a time: who waits, for how long, and what is answered.

Standard library alone until the first text is asked for: a process that nobody asks holds no torch and no model.
"""

from __future__ import annotations

import base64
import faulthandler
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.live.refusals import Refused

if TYPE_CHECKING:
    from analysis.live.loading import Held, Name, Shelf

DENSEST = 512
"""Latents of an SAE that are answered, the densest first, where none are named."""


@dataclass(frozen=True)
class Limits:
    """What one text may cost."""

    characters: int = 20_000
    tokens: int = 512
    seconds: float = 30.0
    """For reading one text; past it the process ends, and another takes its place."""
    wait: float = 20.0
    """That somebody waits for others' texts, and for the model to be loaded."""
    waiting: int = 16
    """Who may wait at once."""
    failed: float = 30.0
    """A model that could not be loaded is not tried again for so long."""


@dataclass
class _Loading:
    wanted: list[Name]
    begun: float = field(default_factory=time.monotonic)
    done: threading.Event = field(default_factory=threading.Event)
    problem: str = ""


class Desk:
    """Answers requests of several threads, one after another.

    Args:
        db: the store.
        limits: see there.
    """

    def __init__(self, db: str, limits: Limits) -> None:
        self.db, self.limits = db, limits
        self._shelf: Shelf | None = None
        self._turn, self._places = threading.Lock(), threading.Semaphore(limits.waiting)
        self._loading: _Loading | None = None

    def answer(self, asked: Any) -> dict[str, Any]:
        """What is sent back for a request; see `docs/formats.md`."""
        try:
            text, wanted, keep, latents = _parsed(asked)
            if len(text) > self.limits.characters:
                raise Refused("characters", found=len(text), most=self.limits.characters)
            with self._place() as until:
                held = self._held(wanted, keep, until)
                with self._watched():
                    return self._read(held, text, latents)
        except Refused as refused:
            return refused.answer
        except Exception as error:  # its message may hold a part of the text: neither said nor logged
            _log(f"a text could not be read: {type(error).__name__} {_where(error)}")
            return {"error": "failed"}

    @contextmanager
    def _place(self) -> Iterator[float]:
        """A turn; until when it may wait for the model."""
        until = time.monotonic() + self.limits.wait
        if not self._places.acquire(blocking=False):
            raise self._busy()
        try:
            if not self._turn.acquire(timeout=self.limits.wait):
                raise self._busy()
            try:
                yield until
            finally:
                self._turn.release()
        finally:
            self._places.release()

    def _busy(self) -> Refused:
        loading = self._loading
        busy = loading is None or loading.done.is_set()
        return Refused("busy") if busy else Refused("loading", seconds=self._loaded_for())

    def _loaded_for(self) -> float:
        return 0.0 if self._loading is None else round(time.monotonic() - self._loading.begun, 1)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Ends the process where a text takes too long; the clock needs no Python, which may be what hangs."""
        with open("/dev/null", "w") as nothing:
            faulthandler.dump_traceback_later(self.limits.seconds, exit=True, file=nothing)
            try:
                yield
            finally:
                faulthandler.cancel_dump_traceback_later()

    def _held(self, wanted: list[Name], keep: list[Name], until: float) -> list[Held]:
        """The SAEs, loaded if need be, by a thread that goes on where nobody waits any more."""
        now = self._loading
        if now is not None and not now.done.wait(max(0.0, until - time.monotonic())):
            raise Refused("loading", seconds=self._loaded_for())
        if now is not None and now.problem and now.wanted == wanted:
            if time.monotonic() - now.begun < self.limits.failed:
                raise Refused("failed")
            self._loading = now = None
        if self._shelf is None or self._shelf.missing(wanted):
            self._loading = now = _Loading(wanted)
            threading.Thread(target=self._load, args=(now, keep), daemon=True).start()
            if not now.done.wait(max(0.0, until - time.monotonic())):
                raise Refused("loading", seconds=self._loaded_for())
            if now.problem:
                raise Refused("failed")
        assert self._shelf is not None
        return [self._shelf.held[name] for name in wanted]

    def _load(self, loading: _Loading, keep: list[Name]) -> None:
        try:
            from analysis.live.loading import Shelf

            self._shelf = self._shelf or Shelf(self.db)
            new = self._shelf.missing(loading.wanted)
            _log(f"loading the model and {len(new)} SAE{'s' * (len(new) != 1)}")
            self._shelf.load(loading.wanted, keep)
            _log(f"loaded in {time.monotonic() - loading.begun:.1f} s")
        except BaseException as error:
            loading.problem = f"{type(error).__name__}: {error}"
            _log(f"cannot load: {error}")
        finally:
            loading.done.set()

    def _read(self, held: list[Held], text: str, latents: dict[str, list[int]]) -> dict[str, Any]:
        from analysis.live.reading import Wanted, read_text

        begun = time.monotonic()
        first = held[0]
        wanted = [Wanted(one.sae, _chosen(one, latents)) for one in held]
        groups: dict[int, list[int]] = {}
        for place, one in enumerate(held):
            groups.setdefault(id(one.model), []).append(place)
        found: dict[int, Any] = {}
        tokens, counted = list[str](), list[bool]()
        for places in groups.values():
            mine = [wanted[place] for place in places]
            read = read_text(held[places[0]].model, first.stored.context, mine, text, self.limits.tokens)
            if tokens and read.tokens != tokens:  # models with tokenizers of their own share no columns
                raise Refused("request")
            tokens, counted = read.tokens, read.counted
            found |= dict(zip(places, read.activations, strict=True))
        return {
            "tokens": tokens,
            "counted": counted,
            "room": first.stored.context - (first.model.bos_id is not None),
            "seconds": round(time.monotonic() - begun, 3),
            "saes": [_packed(one, wanted[place].latents, found[place]) for place, one in enumerate(held)],
        }


def _chosen(held: Held, latents: dict[str, list[int]]) -> list[int]:
    named = latents.get(held.stored.slug)
    if named is None:
        return held.stored.dense[:DENSEST]
    if any(not 0 <= index < held.sae.n_latents for index in named):
        raise Refused("request")
    return named


def _packed(held: Held, latents: list[int], activations: Any) -> dict[str, Any]:
    data = activations.numpy().astype("<f4").tobytes()
    return {
        "run": held.stored.run_id,
        "sae": held.stored.slug,
        "dense": len(held.stored.dense),
        "latents": latents,
        "activations": base64.b64encode(data).decode("ascii"),
    }


def _parsed(asked: Any) -> tuple[str, list[Name], list[Name], dict[str, list[int]]]:
    try:
        text = asked["text"].encode("utf-8", "replace").decode("utf-8")  # halves of letters are no text
        wanted = [(int(run), str(slug)) for run, slug in asked["saes"]]
        keep = [(int(run), str(slug)) for run, slug in asked.get("keep", ())]
        latents = {str(slug): [int(one) for one in some] for slug, some in asked.get("latents", {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise Refused("request") from None
    if not wanted or not text:
        raise Refused("empty" if wanted else "request")
    return text, wanted, keep, latents


def _where(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    return f"in {frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename}" if frames else ""


def _log(words: str) -> None:
    with suppress(OSError):
        print(f"dense-latents live: {words}", file=sys.stderr, flush=True)  # noqa: T201 - the server's log
