"""Writes the descriptions that come from the types of the code (`make openapi`).

These are openapi.json (openapi.yaml with schemas and limits), in the folder of the room
`serve_openapi`; the page that shows it to people, docs/api.html; and the JSON Schema of the
manifest, in docs/. Tests check that they are current.
"""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import yaml

from agora_recording.files.manifest import Manifest
from openapi import page

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "openapi" / "openapi.yaml"
TARGET = ROOT / "functions" / "serve_openapi" / "openapi.json"
MANIFEST_SCHEMA = ROOT / "docs" / "manifest.schema.json"

Json = dict[str, Any]

_VALUE = re.compile(r"\$\{([\w.]+)\}")


def document() -> Json:
    """Return the whole document."""
    written = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
    del written["x-parts"]
    schemas: Json = {}
    filled: Json = _filled(written, schemas)
    schemas |= filled["components"]["schemas"]
    filled["components"]["schemas"] = dict(sorted(schemas.items()))
    return filled


def text() -> str:
    """Return the document as its file has it."""
    return json.dumps(document(), indent=2, ensure_ascii=False) + "\n"


def manifest_schema() -> str:
    """Return the JSON Schema (2020-12) of `manifest.json`; a part is an array of its items."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Manifest of a recording",
        **_dedented(msgspec.json.schema(Manifest)),
    }
    return json.dumps(schema, indent=2) + "\n"


def _filled(part: Any, schemas: Json) -> Any:
    """Return a part of the document with its markers replaced by values of the code.

    The schemas of types that it refers to are added to `schemas`.
    """
    if isinstance(part, str):
        whole = _VALUE.fullmatch(part)
        return _of_code(whole[1]) if whole else _VALUE.sub(lambda m: str(_of_code(m[1])), part)
    if isinstance(part, list):
        return [_filled(each, schemas) for each in part]
    if not isinstance(part, dict):
        return part
    filled = {name: _filled(each, schemas) for name, each in part.items()}
    kind = filled.pop("$schemaOf", None)
    if kind:
        return _merged(_schema(_of_code(kind), schemas), filled)
    if all(re.fullmatch("[1-5][0-9]{2}", name) for name in filled):  # answers, by status
        return dict(sorted(filled.items()))
    return filled


def _of_code(name: str) -> Any:
    """Return the library's object of this name, such as `api.gateway.MAX_BODY_BYTES`."""
    module, _, last = name.rpartition(".")
    return getattr(import_module(f"agora_recording.{module}"), last)


def _merged(schema: Json, more: Mapping[str, Any]) -> Json:
    """Return a schema with members added or replaced; objects in it are merged in turn."""
    merged = dict(schema)
    for name, each in more.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, each) if isinstance(inner, dict) else each
    return merged


# --- schemas of types ---------------------------------------------------------------------------


def _schema(kind: Any, schemas: Json) -> Json:
    """Return the schema of a type; add to `schemas` those of the types that it refers to."""
    (schema,), found = msgspec.json.schema_components(
        [kind], ref_template="#/components/schemas/{name}"
    )
    schema, found = _dedented(schema), _dedented(found)
    if "$ref" in schema:
        schema = found.pop(kind.__name__)
    for name, each in found.items():
        tidy = _tidy(each)
        if schemas.setdefault(_shown(name), tidy) != tidy:
            raise ValueError(f"two types are shown as {_shown(name)}")
    tidied: Json = _tidy(schema)
    return tidied


def _dedented(schema: Any) -> Any:
    """Return a schema whose descriptions are the same on every Python: 3.13 strips docstrings."""
    if isinstance(schema, list | tuple):
        return [_dedented(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: inspect.cleandoc(each)
        if name == "description" and isinstance(each, str)
        else _dedented(each)
        for name, each in schema.items()
    }


def _shown(name: str) -> str:
    """Return a type's name in the document: `FileView` is `File`."""
    return name.removesuffix("View")


def _tidy(schema: Any) -> Any:
    """Return a schema whose optional fields are absent, never null, and names have no `View`."""
    if isinstance(schema, list | tuple):
        return [_tidy(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    tidy = {name: _tidy(each) for name, each in schema.items()}
    if tidy.get("default", 0) is None:
        del tidy["default"]
        choices = [each for each in tidy.pop("anyOf", ()) if each != {"type": "null"}]
        if len(choices) == 1:
            tidy = {**choices[0], **tidy}
        elif choices:
            tidy["anyOf"] = choices
    for name in ("$ref", "title"):
        if isinstance(tidy.get(name), str):
            tidy[name] = _shown(tidy[name])
    return tidy


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
    page.TARGET.write_text(page.html(document()), encoding="utf-8")
    MANIFEST_SCHEMA.write_text(manifest_schema(), encoding="utf-8")
