"""A function of a custom runtime gets its layers, which MiniStack unpacks only for its own ones.

On AWS, all layers of a function are unpacked into /opt, in their order. Here, the variable
LAMBDA_OPT names a folder in its place.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import Any

from ministack.services import lambda_svc

_unpacking = threading.Lock()


def give_layers() -> None:
    """Name the folder with a function's layers in its environment, if it has any."""
    describe = lambda_svc._provided_worker_env

    def describe_with_layers(function: dict[str, Any], code_dir: str, port: int) -> dict[str, str]:
        environment: dict[str, str] = describe(function, code_dir, port)
        contents = [lambda_svc._resolve_layer_zip(each) for each in function.get("Layers") or ()]
        if contents:
            environment["LAMBDA_OPT"] = str(_unpacked([each for each in contents if each]))
        return environment

    lambda_svc._provided_worker_env = describe_with_layers


def _unpacked(contents: list[bytes]) -> Path:
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    folder = Path(tempfile.gettempdir()) / f"opt-{digest.hexdigest()[:16]}"
    with _unpacking:
        if not folder.exists():
            draft = Path(tempfile.mkdtemp())
            for content in contents:
                zipfile.ZipFile(io.BytesIO(content)).extractall(draft)
            draft.rename(folder)
    return folder
