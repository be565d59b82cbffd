"""Builds the simulator's wheel (PEP 517): what pip and uv call when they install this folder.

The simulator needs only the standard library, and so does this: an installation downloads nothing.
The package is named `agora_simulator`; the modules are those of this folder, as they are.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PACKAGE = "agora_simulator"
HERE = Path(__file__).parent
_LEFT_OUT = ("wheel_builder.py",)


def build_wheel(
    wheel_directory: str,
    config_settings: Mapping[str, Any] | None = None,
    metadata_directory: str | None = None,
) -> str:
    """Write the wheel into a folder; return its name."""
    del config_settings, metadata_directory  # there is nothing to choose
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    release = f"{project['name'].replace('-', '_')}-{project['version']}"
    contents = {**_modules(), **_metadata(project, f"{release}.dist-info")}
    record = f"{release}.dist-info/RECORD"
    lines = [f"{name},{_digest(raw)},{len(raw)}" for name, raw in contents.items()]
    contents[record] = "\n".join([*lines, f"{record},,", ""]).encode()
    name = f"{release}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / name, "w", zipfile.ZIP_DEFLATED) as wheel:
        for inner, raw in contents.items():
            # A fixed time: the same sources make the same wheel.
            wheel.writestr(zipfile.ZipInfo(inner, (1980, 1, 1, 0, 0, 0)), raw)
    return name


def _modules() -> dict[str, bytes]:
    found = [*sorted(HERE.glob("*.py")), *sorted((HERE / "media").iterdir())]
    return {
        f"{PACKAGE}/{each.relative_to(HERE).as_posix()}": each.read_bytes()
        for each in found
        if each.name not in _LEFT_OUT
    }


def _metadata(project: Mapping[str, Any], folder: str) -> dict[str, bytes]:
    about = {
        "Metadata-Version": "2.1",
        "Name": project["name"],
        "Version": project["version"],
        "Summary": project["description"],
        "Requires-Python": project["requires-python"],
        "License": project["license"],
    }
    points = {"console_scripts": project["scripts"], **project["entry-points"]}
    return {
        f"{folder}/METADATA": _lines(about, ": "),
        f"{folder}/WHEEL": _lines(
            {
                "Wheel-Version": "1.0",
                "Generator": "wheel_builder",
                "Root-Is-Purelib": "true",
                "Tag": "py3-none-any",
            },
            ": ",
        ),
        f"{folder}/entry_points.txt": b"\n".join(
            f"[{group}]\n".encode() + _lines(each, " = ") for group, each in points.items()
        ),
    }


def _lines(fields: Mapping[str, str], between: str) -> bytes:
    return "".join(f"{name}{between}{value}\n" for name, value in fields.items()).encode()


def _digest(raw: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()
    return f"sha256={digest}"
