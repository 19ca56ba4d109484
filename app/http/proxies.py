"""What a proxy in front of us says: who asks, and whether they came by https. Only a listed one is believed."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from app.http.errors import ServeError
from app.settings import Settings
from app.shared.people import MAX_NAME, plain_text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HEADER = re.compile(r"[A-Za-z0-9-]{1,60}")
_WIDEST = {4: 16, 6: 32}
"""Bits of the shortest prefix by which a range of public addresses may be trusted, by version of IP."""
_PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8"),
        *("fc00::/7", "fe80::/10", "::1/128"),
    )
]
"""Addresses inside one organisation or machine. In Python 3.11 `is_private` is true of 0.0.0.0/0."""


class NotBelieved(Exception):  # noqa: N818 -- an answer (401), no fault
    """A name was given, and not by one who may; the words say so."""


@dataclass(frozen=True)
class Proxies:
    """Those that are listed."""

    networks: tuple[Network, ...]
    header: str = field(default="X-Forwarded-User")

    @classmethod
    def of(cls, settings: Settings) -> Proxies:
        """As the server was started."""
        return cls(tuple(network_of(text) for text in settings.trusted_proxies), settings.user_header)

    def listed(self, scope: Scope) -> bool:
        """Whether the connection comes from one of them. What it says of itself is no matter."""
        try:
            peer: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(peer_of(scope))
        except ValueError:
            return False
        return any(peer in network for network in self.networks)

    def user(self, scope: Scope) -> str | None:
        """The name a listed proxy gives; None where nobody gives one.

        Raises:
            NotBelieved: the name is from another, is empty, or there are two.
        """
        given = Headers(scope=scope).getlist(self.header)
        if not given:
            return None
        if not self.listed(scope):
            raise NotBelieved(
                f"{self.header} came from {peer_of(scope) or 'an unknown peer'}, which is no listed proxy; "
                "a server behind one is started with --trusted-proxy."
            )
        if len(given) > 1:
            raise NotBelieved(f"{self.header} came {len(given)} times; the proxy must replace what its clients send.")
        name = " ".join(plain_text(_text(given[0])).split())[:MAX_NAME].strip()
        if not name:
            raise NotBelieved(f"{self.header} came without a name.")
        return name


def peer_of(scope: Scope) -> str:
    """The address at the other end of the connection; an IPv4 one as such where it comes in IPv6's clothes."""
    client = scope.get("client")
    text = str(client[0]) if client else ""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


def network_of(text: str) -> Network:
    """An address or a range, as 10.0.0.5 or 10.0.0.0/24.

    Raises:
        ServeError: it is neither.
    """
    try:
        return ipaddress.ip_network(text.strip())
    except ValueError as error:
        raise ServeError(f"--trusted-proxy {text[:80]}: {error}; give an address or a range, as 10.0.0.0/24") from error


def check_width(network: Network) -> None:
    """A range may be a whole private network; of public addresses it holds at most a /16 or /32.

    Raises:
        ServeError: it is wider: strangers could name themselves in the header.
    """
    inside = any(network.version == one.version and network.subnet_of(one) for one in _PRIVATE)  # type: ignore[arg-type]
    if not inside and network.prefixlen < _WIDEST[network.version]:
        raise ServeError(
            f"--trusted-proxy {network} has {network.num_addresses:.2g} addresses, and each could say who it is; "
            "name the proxy's own address, or trust all of them with --insecure"
        )


def header_name(text: str) -> str:
    """The name of a header.

    Raises:
        ServeError: it is none.
    """
    if _HEADER.fullmatch(text) is None:
        raise ServeError(f"--user-header '{text[:80]}' is no name of a header; give one as X-Forwarded-User")
    return text


def _text(value: str) -> str:
    """Headers come as latin-1; proxies mostly mean UTF-8."""
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value


class Forwarded:
    """ASGI middleware, the outermost: a listed proxy's word for the scheme, which cookies and Origin hang on."""

    def __init__(self, app: ASGIApp, proxies: Proxies) -> None:
        self.app, self.proxies = app, proxies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, with the scheme people used."""
        if scope["type"] == "http" and self.proxies.networks and self.proxies.listed(scope):
            said = Headers(scope=scope).get("x-forwarded-proto", "").strip().lower()
            if said in {"http", "https"}:
                scope["scheme"] = said
        await self.app(scope, receive, send)
