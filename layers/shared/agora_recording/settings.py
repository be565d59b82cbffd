"""The environment of each room: read once, by name, into a frozen value.

A room declares exactly the variables it needs as a `Settings` subclass, one field for each variable
(`table_name` is `TABLE_NAME`). If a variable is missing or cannot be read, the error says so in one
sentence.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Self, TypeVar

import msgspec

from agora_recording.errors import SettingsError

S = TypeVar("S", bound="Settings")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Base: subclasses add fields of type str, int, float or bool."""

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Return the settings; read the process's environment once and keep the result.

        Raises SettingsError when a variable without a default is missing, or has a wrong type.
        """
        return _read(cls, environ) if environ is not None else _read_once(cls)


def _read(cls: type[S], environ: Mapping[str, str]) -> S:
    names = {field.name: field.name.upper() for field in msgspec.structs.fields(cls)}
    found = {name: environ[variable] for name, variable in names.items() if variable in environ}
    try:
        return msgspec.convert(found, cls, strict=False)
    except msgspec.ValidationError as error:
        missing = [
            variable
            for name, variable in names.items()
            if name not in found and f"`{name}`" in str(error)
        ]
        if missing:
            raise SettingsError(f"Missing environment variable: {missing[0]}") from error
        raise SettingsError(f"Unreadable environment variable: {error}") from error


@lru_cache
def _read_once(cls: type[S]) -> S:
    return _read(cls, os.environ)
