"""The secrets of a request to Agora: taken out for the row, put back for Agora, never shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Names of fields whose values are secrets, wherever they stand: tokens, keys, and URLs that carry
# them (a page's address, a CDN's stream key).
_SECRET_NAMES = frozenset(
    {"token", "secret", "salt", "rtmpurl", "url", "accesskey", "secretkey", "ststoken"}
)


def redact(client_request: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the request without its secrets, and the secrets by their JSON Pointer.

    `restore` joins them again. Only for requests that `check` accepted, since it limits nesting.
    """
    secrets: dict[str, Any] = {}
    return _without_secrets(client_request, "", secrets), secrets


def restore(public: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the request that `redact` took apart."""
    whole: dict[str, Any] = _copy(public)
    for pointer, secret in secrets.items():
        *parents, name = (_unescaped(part) for part in pointer.split("/")[1:])
        at: Any = whole
        for step in parents:
            at = at[int(step)] if isinstance(at, list) else at[step]
        at[name] = secret
    return whole


def hide_secrets(text: str, body: Mapping[str, Any] | None) -> str:
    """Return Agora's text without the secrets of the request's body, which it may repeat."""
    secrets: dict[str, Any] = {}
    _without_secrets(body or {}, "", secrets)
    for secret in secrets.values():
        if isinstance(secret, str) and secret:
            text = text.replace(secret, "…")
    return text


def _without_secrets(value: Any, pointer: str, secrets: dict[str, Any]) -> Any:
    if isinstance(value, Mapping):
        kept = {}
        for name, each in value.items():
            here = f"{pointer}/{_escaped(name)}"
            if name.lower() in _SECRET_NAMES:
                secrets[here] = each
            else:
                kept[name] = _without_secrets(each, here, secrets)
        return kept
    if isinstance(value, list):
        return [_without_secrets(each, f"{pointer}/{n}", secrets) for n, each in enumerate(value)]
    return value


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(each) for name, each in value.items()}
    return [_copy(each) for each in value] if isinstance(value, list) else value


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")
