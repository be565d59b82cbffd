"""Converts plain values to DynamoDB's attributes and back, without boto3's Decimals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]  # {"name": {"S": "text"}, …}


def to_attribute(value: Any) -> dict[str, Any]:
    """Return one value as an attribute. Raises TypeError for a type that rows do not hold."""
    if isinstance(value, str):
        return {"S": value}
    if isinstance(value, bool):
        return {"BOOL": value}
    if isinstance(value, int | float):
        return {"N": repr(value)}
    if value is None:
        return {"NULL": True}
    if isinstance(value, Mapping):
        return {"M": {key: to_attribute(each) for key, each in value.items()}}
    if isinstance(value, list | tuple):
        return {"L": [to_attribute(each) for each in value]}
    if isinstance(value, bytes):
        return {"B": value}
    raise TypeError(f"{type(value).__name__} cannot be stored in a row")


def from_attribute(attribute: Mapping[str, Any]) -> Any:
    """Return the plain value of one attribute."""
    ((kind, value),) = attribute.items()
    match kind:
        case "N":
            return int(value) if value.lstrip("-").isdigit() else float(value)
        case "NULL":
            return None
        case "M":
            return from_item(value)
        case "L":
            return [from_attribute(each) for each in value]
        case _:
            return value


def to_item(values: Mapping[str, Any]) -> Item:
    """Return a row without the fields that are None, so that `attribute_not_exists` works."""
    return {name: to_attribute(value) for name, value in values.items() if value is not None}


def from_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a row."""
    return {name: from_attribute(attribute) for name, attribute in item.items()}


def size_of(item: Mapping[str, Any]) -> int:
    """Return the bytes that a row counts for, or somewhat more (AWS: item sizes and formats).

    A number takes a byte for each two digits, and one more; text, UTF-8; an object or a list, three
    bytes, and one more for each member.
    """
    return sum(len(name.encode()) + _size(attribute) for name, attribute in item.items())


def _size(attribute: Mapping[str, Any]) -> int:
    ((kind, value),) = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return len(value)
        case "N":
            return len(value) // 2 + 2
        case "M":
            return 3 + size_of(value) + len(value)
        case "L":
            return 3 + sum(1 + _size(each) for each in value)
        case _:
            return 1
