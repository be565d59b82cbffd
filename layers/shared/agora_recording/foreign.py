"""Reads JSON that Agora writes, tolerantly: its answers and its notifications.

Agora's documents and its real JSON differ. So the case of a name never matters, numbers and
booleans may be text, instants may be seconds or milliseconds, and objects and lists may be JSON
text inside JSON. A field that is missing or makes no sense is None, or empty: nothing here raises.
"""

from __future__ import annotations

from typing import Any, Self

import msgspec

LAST_INSTANT_MS = 253_402_300_799_999
"""9999-12-31: the last instant that can be stored and printed."""

_SECONDS_END = 100_000_000_000  # below it an instant is in seconds, from there in milliseconds
_MOST = 2**63 - 1  # no number of Agora's needs more, and DynamoDB keeps 38 digits
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}


def load(text: bytes | str) -> Any:
    """Return the value of a JSON text; None if it is not JSON."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def members(value: object) -> dict[str, Any]:
    """Return a JSON object, also if it is written as JSON text; {} for any other value."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        value = load(value)
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    """Return a whole number that was sent as text or as a float (3.0); None for other values."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    digits = value.strip() if isinstance(value, str) else ""
    unsigned = digits[1:] if digits[:1] in ("+", "-") else digits
    is_number = unsigned.isascii() and unsigned.isdigit() and len(unsigned) < 20
    return int(digits) if is_number else None


class Fields:
    """The fields of a JSON object, by their names in any case.

    A field with exactly the requested name comes first; of other spellings, the last that has a
    value.
    """

    __slots__ = ("_given", "_lower")

    def __init__(self, value: object) -> None:
        self._given = members(value)
        self._lower: dict[str, Any] | None = None

    def __bool__(self) -> bool:
        return bool(self._given)

    def __or__(self, other: Fields) -> Self:
        """Return the fields of both; of a field that both have, the other's value."""
        return type(self)({**self._by_lower_name(), **other._by_lower_name()})

    def _by_lower_name(self) -> dict[str, Any]:
        # Made only when it is needed: most names come as they are documented.
        if self._lower is None:
            given = self._given.items()
            self._lower = {name.lower(): value for name, value in given if value is not None}
        return self._lower

    def value(self, name: str) -> Any:
        """Return a field as it was sent."""
        value = self._given.get(name)
        return self._by_lower_name().get(name.lower()) if value is None else value

    def whole(self, name: str, least: int = -_MOST) -> int | None:
        """Return a whole number (signed 64 bits) of at least `least`; None for true and false."""
        value = self.value(name)
        number = value if type(value) is int else _whole(value)
        return number if number is not None and least <= number <= _MOST else None

    def text(self, name: str) -> str | None:
        """Return text that is not empty; a whole number becomes its digits (uid: 123)."""
        value = self.value(name)
        if isinstance(value, str):
            return value or None
        number = self.whole(name)
        return None if number is None else str(number)

    def truth(self, name: str) -> bool | None:
        """Return true or false, which may also be sent as 1 or 0."""
        value = self.value(name)
        if isinstance(value, str):
            return _TRUTHS.get(value.strip().lower())
        return bool(value) if isinstance(value, int) and value in (0, 1) else None

    def instant_ms(self, name: str) -> int | None:
        """Return an instant in epoch milliseconds; its size shows if it was sent in seconds."""
        number = self.whole(name)
        if number is None or number <= 0:
            return None
        ms = number * 1000 if number < _SECONDS_END else number
        return ms if ms <= LAST_INSTANT_MS else None

    def fields(self, name: str) -> Self:
        """Return the fields of an object inside this one; no fields if it is not an object."""
        return type(self)(self.value(name))

    def items(self, name: str) -> list[Any]:
        """Return the values of a list; any other value counts as a list of one."""
        value = self.value(name)
        if isinstance(value, str) and value.lstrip().startswith(("[", "{")):
            value = load(value)
        if isinstance(value, list):
            return value
        return [] if value is None else [value]
