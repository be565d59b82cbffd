"""The secrets of a request to Agora: taken out for the row, put back for Agora, never shown.

Where a secret stood, the row has a placeholder with its number; equal secrets have one number. So
what is sealed is not larger than the secrets themselves, and a part of the request may be replaced
without knowing its secrets: a secret that no placeholder names any more is not put back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from agora_recording.hiding import is_secret_name, names_a_secret, without_query

# Our own limits, so that one request costs few calls of KMS: one for each 4 KB, to unseal or to
# seal. An RTC token has at most 2 KB, an address some hundred bytes.
MOST_SECRETS = 64
MOST_SECRET_BYTES = 8_192
MOST_SEALED_BYTES = 16_384

_PLACEHOLDER = re.compile(r"\{sealed ([0-9]{1,9})\}")
_LEFT_OUT = object()
_SHORTEST_NUMBER = 4  # digits: a smaller number is no secret that an answer could be searched for


def redact(client_request: Mapping[str, Any]) -> tuple[dict[str, Any], list[Any]]:
    """Return the request with placeholders for its secrets, and the secrets by their numbers.

    `restore` joins them again. Only for requests that `check` accepted, since it limits nesting.
    """
    numbers: dict[str, int] = {}
    secrets: list[Any] = []

    def seal(secret: Any) -> str:
        number = numbers.setdefault(repr(secret), len(secrets))
        if number == len(secrets):
            secrets.append(secret)
        return f"{{sealed {number}}}"

    return _members(client_request, seal), secrets


def restore(public: Mapping[str, Any], secrets: Sequence[Any]) -> dict[str, Any]:
    """Return the request that `redact` took apart."""
    whole: dict[str, Any] = _restored(public, secrets)
    return whole


def without_secrets(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields without their secrets, for a room that cannot seal.

    A secret is left out; of an address with a query, what stands before the query is kept.
    """
    return {
        name: shown
        for name, each in fields.items()
        if not _is_secret(name, each) and (shown := _without_secrets(each)) is not _LEFT_OUT
    }


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Mapping):
        return without_secrets(value)
    if isinstance(value, list):
        items = [_without_secrets(each) for each in value]
        return [each for each in items if each is not _LEFT_OUT]
    if isinstance(value, str) and (_PLACEHOLDER.fullmatch(value) or names_a_secret(value)):
        bare = without_query(value) if "://" in value else ""
        return bare if bare and not names_a_secret(bare) else _LEFT_OUT
    return value


def excess(secrets: Sequence[Any]) -> list[str]:
    """Return the rules that the secrets of a request break by their number or their size."""
    broken = []
    if len(secrets) > MOST_SECRETS:
        broken.append(f"must not have more than {MOST_SECRETS} different secrets")
    sizes = [len(msgspec.json.encode(each)) for each in secrets]
    if any(size > MOST_SECRET_BYTES for size in sizes):
        kinds = "a token, key or address"
        broken.append(f"must not have a secret ({kinds}) of more than {MOST_SECRET_BYTES} bytes")
    if sum(sizes) + len(sizes) + 1 > MOST_SEALED_BYTES:
        broken.append(f"must not have more than {MOST_SEALED_BYTES} bytes of secrets altogether")
    return broken


def values(body: object) -> list[str]:
    """Return the texts of the secrets in a call's body: what Agora's answer must not show."""
    if not isinstance(body, Mapping):
        return []
    _, secrets = redact(body)
    return [text for secret in secrets for text in _texts(secret)]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif not isinstance(value, bool) and value is not None and len(str(value)) >= _SHORTEST_NUMBER:
        yield str(value)


def _members(value: Mapping[str, Any], seal: Callable[[Any], str]) -> dict[str, Any]:
    return {
        name: seal(each) if _is_secret(name, each) else _redacted(each, seal)
        for name, each in value.items()
    }


def _is_secret(name: str, value: Any) -> bool:
    return is_secret_name(name) and not isinstance(value, bool) and value not in (None, "")


def _redacted(value: Any, seal: Callable[[Any], str]) -> Any:
    if isinstance(value, Mapping):
        return _members(value, seal)
    if isinstance(value, list):
        return [_redacted(each, seal) for each in value]
    if isinstance(value, str) and (_PLACEHOLDER.fullmatch(value) or names_a_secret(value)):
        return seal(value)
    return value


def _restored(value: Any, secrets: Sequence[Any]) -> Any:
    if isinstance(value, Mapping):
        return {name: _restored(each, secrets) for name, each in value.items()}
    if isinstance(value, list):
        return [_restored(each, secrets) for each in value]
    found = _PLACEHOLDER.fullmatch(value) if isinstance(value, str) else None
    return secrets[int(found[1])] if found else value
