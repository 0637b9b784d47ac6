"""Where a server is: what its URL says about the socket, the Host header and the paths. Resolves no name."""

from dataclasses import dataclass
from typing import Self
from urllib.parse import quote, urlsplit

PORTS = {"http": 80, "https": 443}
# What RFC 3986 (3.3) allows in a path beside letters and digits, and the % of what is escaped already.
PATH_CHARACTERS = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Address:
    """`authority` is the Host header (RFC 9110, 7.2), `prefix` what comes before each path, without a last slash."""

    host: str
    port: int
    tls: bool
    authority: str
    prefix: str = ""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read `http[s]://host[:port][/prefix]`. Raises ValueError, which quotes no part of the URL."""
        try:
            parts = urlsplit(url)
            scheme, port = parts.scheme, parts.port
        except ValueError as error:
            raise ValueError("the URL of a backend needs a port from 0 to 65535 and IPv6 hosts in brackets") from error
        if scheme not in PORTS or not parts.hostname or parts.username is not None or parts.query or parts.fragment:
            raise ValueError("the URL of a backend must be http[s]://host[:port][/prefix] and nothing more")
        host = _ascii(parts.hostname)
        shown = f"[{host}]" if ":" in host else host
        authority = shown if port in (None, PORTS[scheme]) else f"{shown}:{port}"
        prefix = quote(parts.path.rstrip("/"), safe=PATH_CHARACTERS)
        return cls(host, PORTS[scheme] if port is None else port, scheme == "https", authority, prefix)


def _ascii(host: str) -> str:
    """The host as DNS and headers know it."""
    try:
        name = host if ":" in host else host.encode("idna").decode("ascii")
        if not name.isascii() or any(character <= " " for character in name):
            raise ValueError
    except ValueError as error:  # UnicodeError is one: a label that is empty or too long
        raise ValueError("the host in the URL of a backend is no host name") from error
    return name
