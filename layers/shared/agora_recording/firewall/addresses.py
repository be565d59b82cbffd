"""The addresses from which Agora sends notifications: asked for, and accepted only if plausible.

The answer (Agora REST: get-ncs-ip) is `{"data":{"service":{"hosts":[{"primaryIP": …}]}}}`; all
other fields are ignored, and the case of a name does not matter (prose writes `PrimaryIP`). It
changes every 24 hours. An address that is refused here never reaches a firewall.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from agora_recording.errors import (
    AddressesRefusedError,
    AgoraRefusedError,
    AgoraUnavailableError,
    RateLimitedError,
)
from agora_recording.foreign import Fields, load

Get = Callable[[str], tuple[int | None, bytes]]  # url → (HTTP status, None: no answer; body)
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Agora documents both, on different pages (Agora REST: get-ncs-ip; Agora: query IP address).
ENDPOINTS = ("https://api.sd-rtn.com/v1/ncs/ip", "https://api.agora.io/v2/ncs/ip")
_AGORA_HOSTS = (".agora.io", ".sd-rtn.com")

MAX_ADDRESSES = 1000
WIDEST = {4: 16, 6: 32}  # shortest prefix that is accepted: /16 of IPv4, /32 of IPv6
_GLOBAL_IPV6 = ipaddress.IPv6Network("2000::/3")

# Written out (IANA special-purpose registries, RFC 6890) because `is_private` and `is_reserved` of
# ipaddress changed their meaning within Python 3.11, 3.12 and 3.13.
_SPECIAL: tuple[tuple[str, Network], ...] = tuple(
    (rule, ipaddress.ip_network(network))
    for rule, networks in (
        ("unspecified", ("0.0.0.0/8", "::/128")),
        ("loopback", ("127.0.0.0/8", "::1/128")),
        ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")),
        ("shared by a carrier", ("100.64.0.0/10",)),
        ("link-local", ("169.254.0.0/16", "fe80::/10")),
        ("multicast", ("224.0.0.0/4", "ff00::/8")),
        ("for benchmarks", ("198.18.0.0/15",)),
        ("reserved", ("192.0.0.0/24", "192.88.99.0/24", "240.0.0.0/4", "2001::/23", "2002::/16")),
    )
    for network in networks
)
_DOCUMENTATION = tuple(
    ipaddress.ip_network(network)
    for network in (
        *("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"),
        *("2001:db8::/32", "3fff::/20"),
    )
)


def parse(body: bytes, *, allow_documentation: bool = False) -> frozenset[str]:
    """Return the CIDR blocks of an answer, in canonical form: an address becomes /32 or /128.

    `allow_documentation` lets the blocks of RFC 5737, 3849 and 9637 pass: Agora's own examples and
    the embedded run use them, the internet does not. Raises AddressesRefusedError, which names the
    rule, if the answer is empty or malformed, or if a single entry cannot be a notification server:
    one wrong entry makes the whole answer wrong.
    """
    hosts = Fields(load(body)).fields("data").fields("service").value("hosts")
    if not isinstance(hosts, list):
        raise AddressesRefusedError("The answer is not the documented JSON: it has no hosts")
    if not hosts:
        raise AddressesRefusedError("The answer names no address")
    if len(hosts) > MAX_ADDRESSES:
        raise AddressesRefusedError(f"The answer names {len(hosts)} addresses: too many")
    return frozenset(_judge(_address(host), allow_documentation) for host in hosts)


def _address(host: object) -> str:
    address = Fields(host).value("primaryIP")
    if not isinstance(address, str):
        raise AddressesRefusedError(
            "The answer is not the documented JSON: a host has no text primaryIP"
        )
    return address


def _judge(text: str, allow_documentation: bool) -> str:
    shown = repr(text[:64])
    try:
        if "%" in text:
            raise ValueError("a zone is valid on one host only")
        network = ipaddress.ip_network(text)
    except ValueError as error:
        raise AddressesRefusedError(f"{shown} is not an address") from error
    if network.prefixlen < WIDEST[network.version]:
        raise AddressesRefusedError(f"{shown} is wider than /{WIDEST[network.version]}")
    if any(_overlap(network, special) for special in _DOCUMENTATION):
        if not allow_documentation:
            raise AddressesRefusedError(f"{shown} is for documentation only")
        return str(network)
    for rule, special in _SPECIAL:
        if _overlap(network, special):
            raise AddressesRefusedError(f"{shown} is {rule}")
    if isinstance(network, ipaddress.IPv6Network) and not network.subnet_of(_GLOBAL_IPV6):
        raise AddressesRefusedError(f"{shown} is not global unicast")
    return str(network)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def canonical(cidr: str) -> str:
    """Return the spelling used for comparing. Raises ValueError if it is not a CIDR block."""
    return str(ipaddress.ip_network(cidr, strict=False))


def endpoints(base_url: str) -> tuple[str, ...]:
    """Return the URLs to ask, in order.

    They are the two documented ones. If `base_url` is set and is not a host of Agora's (the
    simulator, a proxy), they are both paths there.
    """
    host = "." + (urlsplit(base_url).hostname or "")
    if host == "." or host.endswith(_AGORA_HOSTS):
        return ENDPOINTS
    return tuple(base_url.rstrip("/") + urlsplit(url).path for url in ENDPOINTS)


def fetch(
    get: Get, urls: tuple[str, ...] = ENDPOINTS, *, allow_documentation: bool = False
) -> frozenset[str]:
    """Ask each of `urls` in turn until one answers; return its addresses, by `parse`.

    After 404, 5xx or no answer (also an OSError of `get`), the next one is asked; not after an
    answer that is refused. Raises AgoraUnavailableError when none answered, RateLimitedError on 429
    (the other host shares the quota), AgoraRefusedError on any other status, AddressesRefusedError
    as `parse` does.
    """
    failures: list[str] = []
    for url in urls:
        try:
            status, body = get(url)
        except (OSError, AgoraUnavailableError) as error:
            failures.append(f"{url}: {error}")
            continue
        if status == 200:
            return parse(body, allow_documentation=allow_documentation)
        if status == 429:
            raise RateLimitedError("Agora's quota is used up", endpoint="ncs/ip", status=status)
        if status is not None and status != 404 and status < 500:
            raise AgoraRefusedError(f"{url}: HTTP {status}", endpoint="ncs/ip", status=status)
        failures.append(f"{url}: no answer" if status is None else f"{url}: HTTP {status}")
    raise AgoraUnavailableError("; ".join(failures), endpoint="ncs/ip")
