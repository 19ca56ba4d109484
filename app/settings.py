"""What a server needs to know, fixed when it is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Settings:
    """Settings of one server; tests make their own."""

    db: str
    """Path of a SQLite file, or a SQLAlchemy URL."""

    allowed_hosts: tuple[str, ...] = ()
    """Names the Host header may carry besides the loopback ones, without port."""

    any_address: bool = False
    """Accept every IP address as Host. A name rebound by DNS is no address, so this opens no rebinding."""

    read_only: bool = False
    """Nobody may write."""

    token: str = field(default="", repr=False)
    """What everybody must know; empty: nobody is asked for one."""

    trusted_proxies: tuple[str, ...] = ()
    """Addresses and ranges of the proxies whose word is believed."""

    user_header: str = "X-Forwarded-User"
    """The header in which they name who asks."""

    embed_origins: tuple[str, ...] = ()
    """Origins whose pages may frame the panels under /embed/, as https://notes.example.org."""

    public_url: str = ""
    """Origin by which people reach the server, for addresses that leave it; empty: the one a request came by."""

    live: str = ""
    """Socket of the process that holds a model for readers' texts; empty: there is none."""
    images: Path | None = None
    """Folder of the pictures that rows of activations name; None: they are named, not shown."""

    templates: Path = ROOT / "templates"
    """Folder of the page templates."""

    static: Path = ROOT / "static"
    """Folder of stylesheet, scripts and vendored bundles."""

    max_body: int = 256 * 1024
    """Largest request body, bytes."""

    max_url: int = 8 * 1024
    """Longest path and query together, bytes."""

    max_text_url: int = 48 * 1024
    """The same where an address carries a text for the model: a letter may take twelve bytes."""
