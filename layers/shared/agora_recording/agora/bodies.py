"""The bodies of the calls to Agora, made of a request that `request.check` accepted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agora_recording.agora.requests import ACQUIRE_FIELDS

# --- the bodies Agora gets ----------------------------------------------------------------------


def split(client_request: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return acquire's fields and start's. Fields that nobody documents go to start."""
    acquire = {name: each for name, each in client_request.items() if name in ACQUIRE_FIELDS}
    start = {name: each for name, each in client_request.items() if name not in ACQUIRE_FIELDS}
    return acquire, start


def acquire_body(
    cname: str,
    uid: str,
    client_request: Mapping[str, Any],
    storage: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return acquire's body. A startParameter becomes exactly what start will get."""
    acquire, _ = split(client_request)
    if "startParameter" in acquire:
        acquire["startParameter"] = _start_fields(client_request, storage)
    return {"cname": cname, "uid": uid, "clientRequest": acquire}


def start_body(
    cname: str,
    uid: str,
    client_request: Mapping[str, Any],
    storage: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Return start's body."""
    fields = _start_fields(client_request, storage)
    return {"cname": cname, "uid": uid, "clientRequest": fields}


def update_body(
    cname: str,
    uid: str,
    changes: Mapping[str, Any],
    storage: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return update's body; `storage` only where its credentials are renewed."""
    fields = {**changes} if storage is None else {**changes, "storageConfig": dict(storage)}
    return {"cname": cname, "uid": uid, "clientRequest": fields}


def layout_body(cname: str, uid: str, layout: Mapping[str, Any]) -> dict[str, Any]:
    """Return updateLayout's body."""
    return {"cname": cname, "uid": uid, "clientRequest": dict(layout)}


def stop_body(cname: str, uid: str, async_stop: bool = True) -> dict[str, Any]:
    """Return stop's body. An asynchronous stop answers at once, before the files are uploaded."""
    return {"cname": cname, "uid": uid, "clientRequest": {"async_stop": async_stop}}


def _start_fields(
    client_request: Mapping[str, Any], storage: Mapping[str, Any] | None
) -> dict[str, Any]:
    _, start = split(client_request)
    return start if storage is None else {**start, "storageConfig": dict(storage)}
