"""The shared token of a team: it is asked for once, and a session cookie is given for it."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from itsdangerous import BadSignature, TimestampSigner
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from app.http.errors import ServeError
from app.shared.language import _

SHORTEST, LONGEST = 16, 200
SESSION_S = 30 * 24 * 3600
CLOCKS_S = 60
"""Two servers' clocks may differ by this much."""
WAIT_S = 1.0
"""A wrong token is answered this much later."""
MOST_WAITING = 50
"""So many wrong tokens of one peer may wait for their answer; its further ones get 429 at once."""
_MAKE = 'python3 -c "import secrets; print(secrets.token_urlsafe())"'


class TooManyTries(HTTPException):
    """A peer tries tokens one after another."""

    def __init__(self) -> None:
        super().__init__(429, _("Too many wrong tokens at once; try again in a moment."), {"Retry-After": "2"})


class TokenAuth:
    """Knows the token, and the session cookies given for it.

    A cookie holds the time it was given, signed with a key made from the token: nothing is stored, sessions outlive
    a restart, and a new token ends all of them. The token cannot be read out of one.
    """

    def __init__(self, token: str) -> None:
        self.required = bool(token)
        self._token = _digest(token)
        # slow to make, so that a stolen cookie is of little use for guessing a poor token
        key = hashlib.scrypt(token.encode(), salt=b"dense-latents session", n=2**14, r=8, p=1) if token else b""
        self._signer = TimestampSigner(key, digest_method=hashlib.sha256)
        # a browser sends a host's cookies to all of its ports: servers with other tokens must not take ours for theirs
        self.cookie = f"dense_latents_{hashlib.sha256(key).hexdigest()[:8]}"
        self._waiting = Counter[str]()

    async def accepts(self, token: str, peer: str) -> bool:
        """Whether this is the token. A wrong one waits, and holds up neither others nor a right one: that is looked
        at first, whatever else waits. What keeps guessing out is the token's length, not the wait.

        Raises:
            TooManyTries: too many wrong ones of `peer` wait already.
        """
        if not self.required:
            return False
        if hmac.compare_digest(_digest(token), self._token):
            return True
        if self._waiting[peer] >= MOST_WAITING:
            raise TooManyTries
        self._waiting[peer] += 1
        try:
            await asyncio.sleep(WAIT_S)
        finally:
            self._waiting -= Counter((peer,))  # drops those at zero: peers may be many
        return False

    def new_session(self) -> str:
        """The cookie's value."""
        return self._signer.sign("in").decode()

    def is_session(self, cookie: str) -> bool:
        """Whether we gave this cookie, and not too long ago."""
        try:
            _value, given = self._signer.unsign(cookie, return_timestamp=True)
        except (BadSignature, ValueError):  # ValueError: text that is no ASCII
            return False
        return self.required and -CLOCKS_S <= (datetime.now(UTC) - given).total_seconds() < SESSION_S

    def has_session(self, request: Request) -> bool:
        """Whether a request brings a cookie of ours."""
        return self.is_session(request.cookies.get(self.cookie, ""))

    def start_session(self, response: Response, request: Request) -> None:
        """Put a session cookie into an answer."""
        response.set_cookie(
            self.cookie,
            self.new_session(),
            max_age=SESSION_S,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        response.headers["Cache-Control"] = "no-store"


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
            _(
                "the token has %(token)s characters; expected %(shortest)s to %(longest)s. %(make)s prints a good one",
                token=len(token),
                shortest=SHORTEST,
                longest=LONGEST,
                make=_MAKE,
            )
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ServeError(
            _("the token may have ASCII letters, digits and signs, and no space: it goes into links and headers")
        )
    return token
