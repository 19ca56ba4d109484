"""The shared token of a team: it is asked for once, and a ticket is given for it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.http.errors import ServeError

SHORTEST, LONGEST = 16, 200
TICKET_AGE = 30 * 24 * 3600
WAIT_S = 1.0
"""A wrong token is answered this much later."""
MOST_WAITING = 50
"""So many wrong tokens may wait for their answer; while they do, no other is looked at."""
_MAKE = 'python3 -c "import secrets; print(secrets.token_urlsafe())"'


class TooManyTries(HTTPException):
    """Somebody tries tokens one after another."""

    def __init__(self) -> None:
        super().__init__(429, "Too many wrong tokens at once; try again in a moment.", {"Retry-After": "2"})


class Door:
    """Knows the token, and the tickets given for it.

    A ticket is the time it was given, signed with a key made from the token: nothing is stored, tickets outlive
    a restart, and a new token ends all of them. The token cannot be read out of one.
    """

    def __init__(self, token: str) -> None:
        self.locked = bool(token)
        self._token = _digest(token)
        # slow to make, so that a stolen ticket is of little use for guessing a poor token
        self._key = hashlib.scrypt(token.encode(), salt=b"dense-latents ticket", n=2**14, r=8, p=1) if token else b""
        # a browser sends a host's cookies to all of its ports: servers with other tokens must not take ours for theirs
        self.cookie = f"dense_latents_{hashlib.sha256(self._key).hexdigest()[:8]}"
        self._waiting = 0

    async def opens(self, token: str) -> bool:
        """Whether this is the token. A wrong one waits, and holds nothing up meanwhile.

        Raises:
            TooManyTries: too many wrong ones wait already.
        """
        if not self.locked:
            return False
        if self._waiting >= MOST_WAITING:
            raise TooManyTries
        if hmac.compare_digest(_digest(token), self._token):
            return True
        self._waiting += 1
        try:
            await asyncio.sleep(WAIT_S)
        finally:
            self._waiting -= 1
        return False

    def ticket(self, now: float | None = None) -> str:
        """A new one."""
        given = str(int(time.time() if now is None else now))
        return f"{given}.{self._signature(given)}"

    def admits(self, ticket: str, now: float | None = None) -> bool:
        """Whether we gave this ticket, and not too long ago."""
        given, _, signature = ticket.partition(".")
        if not (self.locked and signature.isascii() and given.isascii() and given.isdecimal() and len(given) < 12):
            return False
        if not hmac.compare_digest(signature, self._signature(given)):
            return False
        return 0 <= (time.time() if now is None else now) - int(given) + 60 < TICKET_AGE  # clocks may go back a little

    def knows(self, request: Request) -> bool:
        """Whether a request brings a ticket of ours."""
        return self.admits(request.cookies.get(self.cookie, ""))

    def give(self, response: Response, request: Request) -> None:
        """Put a ticket into an answer."""
        response.set_cookie(
            self.cookie,
            self.ticket(),
            max_age=TICKET_AGE,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        response.headers["Cache-Control"] = "no-store"

    def _signature(self, given: str) -> str:
        return hmac.new(self._key, given.encode(), "sha256").hexdigest()


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def token_of(token: str | None, file: Path | None) -> str:
    """The token as it was given; empty where none was. A file goes before the environment's.

    Raises:
        ServeError: it cannot be read, is too short, or would not survive a link or a header.
    """
    if file is not None:
        try:
            token = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ServeError(
                f"--token-file {file} cannot be read: {getattr(error, 'strerror', None) or 'no text'}"
            ) from error
    if token is None:
        return ""
    if not SHORTEST <= len(token) <= LONGEST:
        raise ServeError(
            f"the token has {len(token)} characters; expected {SHORTEST} to {LONGEST}. {_MAKE} prints a good one"
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ServeError(
            "the token may have ASCII letters, digits and signs, and no space: it goes into links and headers"
        )
    return token
