"""The bodies of the calls to Agora, made of a request that `request.check` accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agora_recording.agora.requests import ACQUIRE_FIELDS

# An asynchronous stop answers at once, before the files are uploaded.
STOP_FIELDS = {"async_stop": True}


def body(cname: str, uid: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return a call's body: the channel, the recorder's uid and the clientRequest."""
    return {"cname": cname, "uid": uid, "clientRequest": dict(fields)}


def split(client_request: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of acquire and those of start. Undocumented fields go to start."""
    acquire = {name: each for name, each in client_request.items() if name in ACQUIRE_FIELDS}
    start = {name: each for name, each in client_request.items() if name not in ACQUIRE_FIELDS}
    return acquire, start


def acquire_fields(
    client_request: Mapping[str, Any], storage: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return acquire's clientRequest; `startParameter` is replaced by exactly what start gets."""
    acquire, _ = split(client_request)
    if "startParameter" in acquire:
        acquire["startParameter"] = start_fields(client_request, storage)
    return acquire


def start_fields(
    client_request: Mapping[str, Any], storage: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Return start's clientRequest; `storage` is the storageConfig, None leaves it out."""
    _, start = split(client_request)
    return start if storage is None else {**start, "storageConfig": dict(storage)}
