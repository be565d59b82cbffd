"""Agora's hosts, and which to try next when one cannot be reached (Agora docs: switch domain name).

The order: the same host again, the same host with the other suffix, the neighbour region's host.
The next one is tried only if a host cannot be reached: an answer, even an error, is no reason to
switch.
"""

from __future__ import annotations

from urllib.parse import urlsplit

SUFFIXES = ("agora.io", "sd-rtn.com")
# Seconds between the tries (Agora docs: switch domain name).
GAPS_S = (1.0, 3.0, 6.0)

_NEIGHBOURS = {
    "api-us-west-1": "api-us-east-1",
    "api-us-east-1": "api-us-west-1",
    "api-ap-southeast-1": "api-ap-northeast-1",
    "api-ap-northeast-1": "api-ap-southeast-1",
    "api-eu-west-1": "api-eu-central-1",
    "api-eu-central-1": "api-eu-west-1",
    "api-cn-east-1": "api-cn-north-1",
    "api-cn-north-1": "api-cn-east-1",
}
# DNS decides where `api.` leads; its neighbour is chosen here, by the AWS region.
_NEAREST = {
    "us-east": "api-us-east-1",
    "us-west": "api-us-west-1",
    "us-gov": "api-us-east-1",
    "ca": "api-us-east-1",
    "sa": "api-us-east-1",
    "eu-west": "api-eu-west-1",
    "eu": "api-eu-central-1",
    "me": "api-eu-central-1",
    "af": "api-eu-central-1",
    "il": "api-eu-central-1",
    "ap-northeast": "api-ap-northeast-1",
    "ap": "api-ap-southeast-1",
    "cn": "api-cn-north-1",
}


def candidates(base_url: str, aws_region: str) -> tuple[str, ...]:
    """Return base URLs in the order to try them; the first is always `base_url`.

    For a host that is not Agora's own (a proxy, a simulator), all of them are `base_url`.
    """
    parts = urlsplit(base_url)
    name, _, suffix = (parts.hostname or "").partition(".")
    if suffix not in SUFFIXES or parts.port is not None:
        return (base_url,) * (len(GAPS_S) + 1)
    other = SUFFIXES[1 - SUFFIXES.index(suffix)]
    neighbour = _NEIGHBOURS.get(name) or _nearest(aws_region)
    hosts = (f"{name}.{suffix}", f"{name}.{suffix}", f"{name}.{other}", f"{neighbour}.{suffix}")
    return tuple(f"{parts.scheme}://{host}" for host in hosts)


def _nearest(aws_region: str) -> str:
    matches = [prefix for prefix in _NEAREST if aws_region.startswith(prefix)]
    return _NEAREST[max(matches, key=len)] if matches else "api-us-west-1"
