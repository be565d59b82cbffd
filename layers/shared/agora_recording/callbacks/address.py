"""Where a call may go: the address that an app gives, and the addresses that its name has.

An app's address must not lead into the account's own network, nor to the services beside a function
(SSRF). So the name must be on the stack's list, the port is 443, and the address that is connected
to must be a public one.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from typing import NamedTuple
from urllib.parse import urlsplit

MAX_URL = 1024  # characters
_HOST = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z][a-z0-9-]{0,62}")
_PATH = re.compile(r"[\x21-\x7e]*")
# Of IPv6, only what the registries give out (RFC 4291); in it, addresses that hold one of IPv4.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_TUNNELS = (ipaddress.IPv6Network("2001::/32"), ipaddress.IPv6Network("2002::/16"))


class Place(NamedTuple):
    """Where to connect to, and which path to ask for. `is_local`: the embedded run's own host."""

    host: str
    port: int
    path: str
    is_local: bool = False


def problem_of(url: str, hosts: Collection[str], local_origin: str = "") -> str | None:
    """Return the rule that an app's address breaks; None if a call may go there.

    `hosts` are the names that the stack allows, in lower case. `local_origin`
    (`http://127.0.0.1:8123`) is what the embedded run allows besides; on AWS it is empty.
    """
    place = place_of(url, local_origin)
    if place is None:
        rule = (
            "must be https:// with a host name and a path: without a port, a user, a query or a #"
        )
        return f"{rule}, and at most {MAX_URL} characters"
    if place.is_local or place.host in hosts:
        return None
    if not hosts:
        return "cannot be used: the stack's parameter CallbackHosts allows no host"
    return "must have a host that the stack's parameter CallbackHosts allows"


def place_of(url: str, local_origin: str = "") -> Place | None:
    """Return where an address leads; None if it has a form that is not allowed.

    A query is refused, since it often holds a secret; the signature proves who calls. So is an
    address in numbers.
    """
    if len(url) > MAX_URL or not _PATH.fullmatch(url) or "?" in url or "#" in url or "\\" in url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    path = parts.path or "/"
    if local_origin and f"{parts.scheme}://{parts.netloc}" == local_origin:
        return Place(host, port or 80, path, is_local=True)
    if parts.scheme.lower() != "https" or port not in (None, 443) or "@" in parts.netloc:
        return None
    return Place(host, 443, path) if _HOST.fullmatch(host) else None


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public Internet.

    Not private, shared, loopback, link-local (169.254.169.254: metadata), multicast or reserved; of
    IPv6 neither what holds an address of IPv4 (mapped, NAT64, 6to4, Teredo).
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (
        found not in _GLOBAL_V6 or any(found in each for each in _TUNNELS)
    ):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved
