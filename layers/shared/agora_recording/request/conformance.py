"""Compares a plain JSON value with a type, and finds all problems at once.

msgspec itself stops at the first error, and its messages are for programmers. Here each finding has
the full path and the rule in words; a value is never repeated, since it may be a secret. Problems
come in this order: what is missing, what has a wrong type, what breaks any other rule. Fields that
a type of Agora's does not know are warnings: Agora adds fields, and they are passed on. Types of
our own forbid them (`forbid_unknown_fields`).

A known field that is null counts as absent: typed clients write null for each field that was not
set.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
from msgspec import inspect

from agora_recording.errors import Problem

# The answer must stay readable (and small) whatever was sent: no list is longer than this.
MOST_FINDINGS = 100
# A row of the table holds the request: these are its limits, with room for the row's own fields.
MOST_LEVELS = 24  # DynamoDB: 32 levels
TOO_DEEP = f"must not be nested more than {MOST_LEVELS} levels deep"
MOST_BYTES = 131_072  # DynamoDB: 400 KB in a row
_NUMBERS = (1e-100, 1e100)  # DynamoDB: 1e-130 to 1e126
_MOST_NAME = 64  # characters of an unknown name that are repeated

# A rule that begins with these words comes before all others.
IS_REQUIRED = "is required"


class Checked(NamedTuple):
    """The result: a request with problems is refused; warnings are passed on to the caller."""

    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


class Findings:
    """Collects problems and warnings, each once. The empty path is the whole body."""

    def __init__(self) -> None:
        self._absent: dict[Problem, None] = {}
        self._mistyped: dict[Problem, None] = {}
        self._broken: dict[Problem, None] = {}
        self._warnings: dict[Problem, None] = {}

    def problem(self, path: str, rule: str) -> None:
        """Note a rule that is broken."""
        group = self._absent if rule.startswith(IS_REQUIRED) else self._broken
        _note(group, path, rule)

    def wrong_type(
        self, path: str, wanted: str, given: object, bounds: str = "", example: str = ""
    ) -> None:
        """Note a value of a wrong type; `wanted` names the right type, such as `a whole number`.

        `bounds` are words about its size; `example` is a value of it, as JSON has it.
        """
        met = _type_of(given)
        more = f", such as {example}" if example else bounds + _QUOTES.get((wanted, met), "")
        _note(self._mistyped, path, f"must be {wanted}{more}, not {met}")

    def warning(self, path: str, rule: str) -> None:
        """Note something that is allowed, but perhaps not intended."""
        _note(self._warnings, path, rule)

    def checked(self) -> Checked:
        """Return what was collected: see the module's docstring for the order."""
        problems = (*self._absent, *self._mistyped, *self._broken)
        return Checked(problems[:MOST_FINDINGS], tuple(self._warnings))


def _note(group: dict[Problem, None], path: str, rule: str) -> None:
    if len(group) < MOST_FINDINGS:
        group[Problem(path or "body", rule)] = None


def conform(value: Any, kind: Any, path: str, found: Findings) -> None:
    """Compare `value` with a type (a Struct or an annotated type); `path` is its place."""
    _walk(value, _shape(kind), path, found)


def present(value: Any, kind: Any) -> Any:
    """Return a value of a type (see `conform`) without the known fields that are null.

    What the type does not know stays as it is, also where the value does not fit the type.
    """
    return _present(value, _shape(kind))


def storable(value: Any, path: str, found: Findings) -> None:
    """Note values that a row of the table cannot hold, in known and unknown fields.

    Iterative, so that it works with any depth.
    """
    waiting = [(value, path, 1)]
    size = 0
    for at, where, level in waiting:  # grows as it goes
        if isinstance(at, str):
            size += _bytes_of(at) + 3
            if not _is_text(at):
                found.problem(where, "must be valid Unicode (it has half of a surrogate pair)")
        elif isinstance(at, dict | list):
            if level > MOST_LEVELS:
                found.problem(where, TOO_DEEP)
                continue
            inner = at.items() if isinstance(at, dict) else enumerate(at)
            for name, each in inner:
                size += 3 + (_bytes_of(name) if isinstance(name, str) else 0)
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


def _bytes_of(text: str) -> int:
    return len(text.encode(errors="surrogatepass"))


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


def _present(value: Any, shape: inspect.Type | None) -> Any:
    match shape:
        case inspect.Metadata():
            return _present(value, shape.type)
        case inspect.UnionType():
            return _present(value, _member(value, _others(shape)))
        case inspect.StructType() if isinstance(value, dict):
            known = {field.encode_name: field.type for field in shape.fields}
            return {
                name: _present(each, known.get(name))
                for name, each in value.items()
                if each is not None or name not in known
            }
        case inspect.ListType() if isinstance(value, list):
            return [_present(each, shape.item_type) for each in value]
    return value


class _Words(NamedTuple):
    """What the `extra` of a type has for people.

    `rule` takes the place of the words that are made from its bounds; `example` is a value of it,
    as JSON has it; `character` is a pattern that each character of it must match.
    """

    rule: str = ""
    example: str = ""
    character: str = ""


_NO_WORDS = _Words()


def _walk(
    value: Any, shape: inspect.Type, path: str, found: Findings, words: _Words = _NO_WORDS
) -> None:
    match shape:
        case inspect.Metadata():
            _walk(value, shape.type, path, found, words._replace(**shape.extra or {}))
        case inspect.UnionType():
            _walk_union(value, shape, path, found, words)
        case inspect.StructType():
            _walk_struct(value, shape, path, found)
        case inspect.ListType():
            _walk_list(value, shape, path, found, words)
        case inspect.DictType():
            _walk_dict(value, shape, path, found)
        case _:
            wanted = _type_name(shape)
            if not _is_of_type(value, shape):
                found.wrong_type(path, wanted, value, _bounds(shape), words.example)
            elif not _fits(value, shape):
                rule = words.rule or _must(shape, wanted)
                found.problem(path, rule + _misfit(value, words.character))


def _walk_struct(value: Any, shape: inspect.StructType, path: str, found: Findings) -> None:
    if not isinstance(value, dict):
        found.wrong_type(path, "an object", value)
        return
    known = {field.encode_name: field for field in shape.fields}
    for name, field in known.items():
        if value.get(name) is not None:
            _walk(value[name], field.type, child(path, name), found)
        elif field.required:
            found.problem(child(path, name), IS_REQUIRED)
    for name in value:
        if name in known or name == shape.tag_field:
            continue
        hint = _hint(name, known)
        if shape.forbid_unknown_fields:
            hint = hint or f"; it takes {', '.join(known)}"
            found.problem(child(path, name), f"is not a field of this call{hint}")
            continue
        found.warning(
            child(path, name), f"is not in Agora's documents; it is passed on unchanged{hint}"
        )


def _hint(name: object, known: Mapping[str, inspect.Field]) -> str:
    """Say what was meant with an unknown name: the name in another case, or a place further in."""
    for meant in known:
        if meant.lower() == str(name).lower():
            return f"; did you mean {meant}? Upper and lower case matter"
        if meant.lower() == str(name).lower().replace("_", "").replace("-", ""):
            return f"; did you mean {meant}?"
    for outer, field in known.items():
        if name in _names(field.type):
            return f"; it belongs in {outer}"
    return ""


def _names(shape: inspect.Type) -> Collection[str]:
    """Return the names of the fields of an object's type; none for another type."""
    match shape:
        case inspect.Metadata():
            return _names(shape.type)
        case inspect.UnionType():
            return [name for each in shape.types for name in _names(each)]
        case inspect.StructType():
            return [field.encode_name for field in shape.fields]
    return ()


def _walk_list(
    value: Any, shape: inspect.ListType, path: str, found: Findings, words: _Words
) -> None:
    if not isinstance(value, list):
        found.wrong_type(path, "an array", value, example=words.example)
        return
    least, most = shape.min_length or 0, shape.max_length
    if len(value) < least or (most is not None and len(value) > most):
        found.problem(path, f"must have {_count(least, most, 'item')}")
    for index, each in enumerate(value[:most]):
        _walk(each, shape.item_type, child(path, index), found)


def _walk_dict(value: Any, shape: inspect.DictType, path: str, found: Findings) -> None:
    """Compare the names and the values of an object with their types; any name may occur."""
    if not isinstance(value, dict):
        found.wrong_type(path, "an object", value)
        return
    most = shape.max_length
    if most is not None and len(value) > most:
        found.problem(path, f"must be an object with at most {most} entries")
        return
    for name, each in value.items():
        _walk(name, shape.key_type, child(path, name), found)
        _walk(each, shape.value_type, child(path, name), found)


def _walk_union(
    value: Any, shape: inspect.UnionType, path: str, found: Findings, words: _Words
) -> None:
    others = _others(shape)
    if value is None and len(others) < len(shape.types):
        return
    member = _member(value, others)
    if member is not None:
        _walk(value, member, path, found, words)
        return
    structs = [each for each in others if isinstance(each, inspect.StructType)]
    tag_field, tags = structs[0].tag_field or "", ", ".join(_quoted(each.tag) for each in structs)
    given = value.get(tag_field)
    if given is None:
        found.problem(child(path, tag_field), f"{IS_REQUIRED}: one of {tags}")
    elif not isinstance(given, str):
        found.wrong_type(child(path, tag_field), _TEXT, given)
    else:
        found.problem(child(path, tag_field), f"must be one of {tags}")


def _others(shape: inspect.UnionType) -> list[inspect.Type]:
    """Return the members of a union except None."""
    return [each for each in shape.types if not isinstance(each, inspect.NoneType)]


def _member(value: Any, others: Sequence[inspect.Type]) -> inspect.Type | None:
    """Return the member of a union that a value is to be compared with.

    It is found by the tag, or because the value is an array or an object; None: no tag fits.
    """
    structs = [each for each in others if isinstance(each, inspect.StructType)]
    lists = [each for each in others if isinstance(each, inspect.ListType)]
    if len(others) == 1:
        return others[0]
    if not isinstance(value, dict):
        return lists[0] if lists else structs[0]
    if len(structs) == 1:
        return structs[0]
    tag = value.get(structs[0].tag_field or "")
    return next((each for each in structs if isinstance(tag, str) and tag == each.tag), None)


# --- types by name ------------------------------------------------------------------------------

_TEXT, _WHOLE, _TRUTH = "a string", "a whole number", "true or false"
_NUMBER, _DECIMAL = "a number", "a decimal number"
# What to do about a value that has quotes and needs none, or the other way round.
_QUOTES = {
    **{(_TEXT, each): " in double quotes" for each in (_WHOLE, _DECIMAL, _TRUTH)},
    **{(each, _TEXT): " without quotes" for each in (_WHOLE, _NUMBER, _TRUTH)},
}
# In this order: True is an int, too.
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, _TRUTH),
    (int, _WHOLE),
    (float, _DECIMAL),
    (str, _TEXT),
    (list, "an array"),
    (dict, "an object"),
)


def _type_of(value: object) -> str:
    return next((name for kind, name in _TYPES if isinstance(value, kind)), "null")


def _type_name(shape: inspect.Type) -> str:
    """Return the name of a scalar's type."""
    match shape:
        case inspect.BoolType():
            return _TRUTH
        case inspect.IntType():
            return _WHOLE
        case inspect.FloatType():
            return _NUMBER
        case inspect.StrType():
            return _TEXT
        case inspect.LiteralType():
            return _type_of(shape.values[0])
    raise TypeError(f"{shape} is not a kind of value that requests have")


def _is_of_type(value: Any, shape: inspect.Type) -> bool:
    match shape:
        case inspect.FloatType():
            return isinstance(value, int | float) and not isinstance(value, bool)
        case _:
            # By name: True is not 1, and 1.0 is not 1.
            return _type_of(value) == _type_name(shape)


def _fits(value: Any, shape: inspect.Type) -> bool:
    """Tell whether a value of the right type is one that the type allows."""
    match shape:
        case inspect.IntType() | inspect.FloatType():
            return _within(value, shape)
        case inspect.StrType():
            return (
                len(value) >= (shape.min_length or 0)
                and (shape.max_length is None or len(value) <= shape.max_length)
                and (shape.pattern is None or _pattern(shape.pattern).fullmatch(value) is not None)
            )
        case inspect.LiteralType():
            return value in shape.values
    return True


def _misfit(value: object, character: str) -> str:
    """Say which character of a text does not match a pattern; nothing if all do."""
    if not isinstance(value, str) or not character:
        return ""
    wrong = (at for at, each in enumerate(value, 1) if not _pattern(character).fullmatch(each))
    at = next(wrong, None)
    return (
        f"; it has {len(value)} characters" if at is None else f"; character {at} is none of these"
    )


def _within(value: float, shape: inspect.IntType | inspect.FloatType) -> bool:
    # NaN is within nothing; every number in Agora's requests has a bound.
    return (shape.ge is None or value >= shape.ge) and (shape.le is None or value <= shape.le)


def _bounds(shape: inspect.Type) -> str:
    """Say between which bounds a number must be; nothing of any other type."""
    match shape:
        case inspect.IntType() | inspect.FloatType() if shape.ge is not None:
            high = shape.le
            return f" of {shape.ge} or more" if high is None else f" from {shape.ge} to {high}"
    return ""


def _must(shape: inspect.Type, wanted: str) -> str:
    """Say what a value of the right type must be."""
    match shape:
        case inspect.LiteralType():
            values = ", ".join(_quoted(each) for each in shape.values)
            return f"must be {values}" if len(shape.values) == 1 else f"must be one of {values}"
        case inspect.StrType():
            return (
                f"must be {_TEXT} of {_count(shape.min_length or 0, shape.max_length, 'character')}"
            )
    return f"must be {wanted}{_bounds(shape)}"


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
