"""Compares a plain JSON value with a type, and finds all problems at once.

msgspec itself stops at the first error, and its messages are for programmers. Here each finding has
the full path and the rule in words; a value is never repeated, since it may be a secret. Fields
that a type of Agora's does not know are warnings: Agora adds fields, and they are passed on. Types
of our own forbid them (`forbid_unknown_fields`).
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from agora_recording.errors import Problem

# The answer must stay readable (and small) whatever was sent: no list is longer than this.
MOST_FINDINGS = 100
# A row of the table holds the request: these are its limits, with room for the row's own fields.
MOST_LEVELS = 24  # DynamoDB: 32 levels
MOST_BYTES = 131_072  # DynamoDB: 400 KB in a row
_NUMBERS = (1e-100, 1e100)  # DynamoDB: 1e-130 to 1e126
_MOST_NAME = 64  # characters of an unknown name that are repeated


class Checked(NamedTuple):
    """The result: a request with problems is refused; warnings are passed on to the caller."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Findings:
    """Collects problems and warnings, each once. The empty path is the whole body."""

    def __init__(self) -> None:
        self._problems: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}

    def problem(self, path: str, rule: str) -> None:
        """Note a rule that is broken."""
        if len(self._problems) < MOST_FINDINGS:
            self._problems[Problem(path or "body", rule)] = None

    def warning(self, path: str, rule: str) -> None:
        """Note something that is allowed, but perhaps not intended."""
        if len(self._warnings) < MOST_FINDINGS:
            self._warnings[Problem(path or "body", rule)] = None

    def checked(self) -> Checked:
        """Return what was collected, in the order in which it was found."""
        return Checked(tuple(self._problems), tuple(self._warnings))


def conform(value: Any, kind: Any, path: str, found: Findings) -> None:
    """Compare `value` with a type (a Struct or an annotated type); `path` is its place."""
    _walk(value, _shape(kind), path, found)


def storable(value: Any, path: str, found: Findings) -> None:
    """Note values that a row of the table cannot hold, in known and unknown fields.

    Iterative, so that it works with any depth.
    """
    waiting = [(value, path, 1)]
    size = 0
    for at, where, level in waiting:  # grows as it goes
        if isinstance(at, str):
            size += len(at.encode(errors="surrogatepass")) + 3
            if not _is_text(at):
                found.problem(where, "must be valid Unicode (it has half of a surrogate pair)")
        elif isinstance(at, dict | list):
            if level > MOST_LEVELS:
                found.problem(where, f"must not be nested more than {MOST_LEVELS} levels deep")
                continue
            inner = at.items() if isinstance(at, dict) else enumerate(at)
            for name, each in inner:
                size += 3 + (len(name) if isinstance(name, str) else 0)
                here = child(where, name)
                if name == "" or (isinstance(name, str) and not _is_text(name)):
                    found.problem(here, "must have a name: valid Unicode, and not empty")
                waiting.append((each, here, level + 1))
        else:
            size += 6
            if not _is_number_of_rows(at):
                found.problem(where, "must be a finite number (64 bits if it is whole)")
    if size > MOST_BYTES:
        found.problem(path, f"must be at most {MOST_BYTES} bytes of JSON")


def child(path: str, name: object) -> str:
    """Return the path of a member (`a.b`) or an item (`a[0]`), fit to be printed."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    text = str(name).encode("ascii", "backslashreplace").decode()
    if len(text) > _MOST_NAME:
        text = f"{text[:_MOST_NAME]}..."
    return f"{path}.{text}" if path else text


@cache
def _shape(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


@cache
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def _walk(value: Any, shape: inspect.Type, path: str, found: Findings, rule: str = "") -> None:
    match shape:
        case inspect.Metadata():
            words = (shape.extra or {}).get("rule", rule)
            _walk(value, shape.type, path, found, words)
        case inspect.UnionType():
            _walk_union(value, shape, path, found, rule)
        case inspect.StructType():
            _walk_struct(value, shape, path, found)
        case inspect.ListType():
            _walk_list(value, shape, path, found)
        case inspect.DictType():
            _walk_dict(value, shape, path, found)
        case _:
            if not _fits(value, shape):
                found.problem(path, rule or _words(shape))


def _walk_struct(value: Any, shape: inspect.StructType, path: str, found: Findings) -> None:
    if not isinstance(value, dict):
        found.problem(path, "must be an object")
        return
    known = {field.encode_name: field for field in shape.fields}
    for name, field in known.items():
        if name in value:
            _walk(value[name], field.type, child(path, name), found)
        elif field.required:
            found.problem(child(path, name), "is required")
    alike = {name.lower(): name for name in known}
    for name in value:
        if name in known or name == shape.tag_field:
            continue
        if shape.forbid_unknown_fields:
            found.problem(child(path, name), "is not a field of this call")
            continue
        meant = alike.get(str(name).lower())
        hint = f"; did you mean {meant}? Upper and lower case matter" if meant else ""
        found.warning(
            child(path, name), f"is not in Agora's documents; it is passed on unchanged{hint}"
        )


def _walk_list(value: Any, shape: inspect.ListType, path: str, found: Findings) -> None:
    if not isinstance(value, list):
        found.problem(path, "must be an array")
        return
    least, most = shape.min_length or 0, shape.max_length
    if len(value) < least or (most is not None and len(value) > most):
        found.problem(path, f"must have {_count(least, most, 'item')}")
    for index, each in enumerate(value[:most]):
        _walk(each, shape.item_type, child(path, index), found)


def _walk_dict(value: Any, shape: inspect.DictType, path: str, found: Findings) -> None:
    """Compare the names and the values of an object with their types; any name may occur."""
    most = shape.max_length
    if not isinstance(value, dict) or (most is not None and len(value) > most):
        room = "" if most is None else f" with at most {most} entries"
        found.problem(path, f"must be an object{room}")
        return
    for name, each in value.items():
        _walk(name, shape.key_type, child(path, name), found)
        _walk(each, shape.value_type, child(path, name), found)


def _walk_union(
    value: Any, shape: inspect.UnionType, path: str, found: Findings, rule: str
) -> None:
    """Go on with the member of the union that fits: by the tag, or as an array or an object."""
    others = [each for each in shape.types if not isinstance(each, inspect.NoneType)]
    if value is None and len(others) < len(shape.types):
        return
    structs = [each for each in others if isinstance(each, inspect.StructType)]
    lists = [each for each in others if isinstance(each, inspect.ListType)]
    if len(others) == 1:
        _walk(value, others[0], path, found, rule)
    elif lists and not isinstance(value, dict):
        _walk(value, lists[0], path, found)
    elif not isinstance(value, dict) or len(structs) == 1:
        _walk(value, structs[0], path, found)
    else:
        tag_field = structs[0].tag_field or ""
        tag = value.get(tag_field)
        for struct in structs:
            if isinstance(tag, str) and tag == struct.tag:
                _walk(value, struct, path, found)
                return
        names = ", ".join(_quoted(struct.tag) for struct in structs)
        found.problem(child(path, tag_field), f"must be one of {names}")


def _fits(value: Any, shape: inspect.Type) -> bool:
    match shape:
        case inspect.BoolType():
            return isinstance(value, bool)
        case inspect.IntType():
            return isinstance(value, int) and not isinstance(value, bool) and _within(value, shape)
        case inspect.FloatType():
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return number and _within(value, shape)
        case inspect.StrType():
            return (
                isinstance(value, str)
                and len(value) >= (shape.min_length or 0)
                and (shape.max_length is None or len(value) <= shape.max_length)
                and (shape.pattern is None or _pattern(shape.pattern).fullmatch(value) is not None)
            )
        case inspect.LiteralType():
            # By type too: True is not 1.
            return any(type(value) is type(each) and value == each for each in shape.values)
    raise TypeError(f"{shape} is not a kind of value that requests have")


def _within(value: float, shape: inspect.IntType | inspect.FloatType) -> bool:
    # NaN is within nothing; every number in Agora's requests has a bound.
    return (shape.ge is None or value >= shape.ge) and (shape.le is None or value <= shape.le)


def _words(shape: inspect.Type) -> str:
    """Say what a value must be."""
    match shape:
        case inspect.BoolType():
            return "must be true or false"
        case inspect.IntType() | inspect.FloatType():
            kind = "a whole number" if isinstance(shape, inspect.IntType) else "a number"
            if shape.ge is not None and shape.le is not None:
                return f"must be {kind} from {shape.ge} to {shape.le}"
            return f"must be {kind}" + ("" if shape.ge is None else f", at least {shape.ge}")
        case inspect.LiteralType():
            values = ", ".join(_quoted(each) for each in shape.values)
            return f"must be {values}" if len(shape.values) == 1 else f"must be one of {values}"
        case inspect.StrType():
            least, most = shape.min_length or 0, shape.max_length
            if not least and most is None:
                return "must be a string"
            return f"must be a string of {_count(least, most, 'character')}"
    raise TypeError(f"{shape} is not a kind of value that requests have")


def _count(least: int, most: int | None, noun: str) -> str:
    if most is None:
        return f"at least {least} {noun}{'' if least == 1 else 's'}"
    if least == most:
        return f"exactly {most} {noun}{'' if most == 1 else 's'}"
    return f"{least} to {most} {noun}s" if least else f"at most {most} {noun}s"


def _quoted(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_number_of_rows(value: object) -> bool:
    """Tell whether a value other than text can be kept: true, false, null and most numbers."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    least, most = _NUMBERS
    return isinstance(value, float) and (value == 0 or least <= abs(value) <= most)
