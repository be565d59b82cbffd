"""Requests and answers of AWS, held against botocore's models of the services.

A model says of each member what type it has, whether it is required, its least and greatest length
or value, its pattern and its enumeration. botocore itself checks a part of this in requests (no
maximum, no pattern, no enumeration), and nothing of it in answers.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

import botocore.session
from botocore.parsers import ResponseParserFactory

_KEYWORD_LISTS = ("list", "map")
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "list": (list,),
    "map": (dict,),
    "structure": (dict,),
}


class UnreadableError(Exception):
    """A request that belongs to no operation of the service's model."""


@cache
def service_model(name: str) -> Any:
    """Return botocore's model of a service, by the name of its client."""
    return botocore.session.get_session().get_service_model(name)


# --- reading a request ---


def read(
    service: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query: Mapping[str, Sequence[str]],
) -> tuple[Any, dict[str, Any]]:
    """Return (operation's model, its parameters) of a request; raise UnreadableError.

    Blobs are bytes, numbers are numbers. Header names are in lower case.
    """
    model = service_model(service)
    protocol = model.metadata["protocol"]
    if protocol == "json":
        operation = _named(model, headers.get("x-amz-target", "").rpartition(".")[2])
        return operation, _from_json(operation.input_shape, json.loads(body or b"{}"))
    if protocol in ("query", "ec2"):
        form = _form(body, query)
        operation = _named(model, form.pop("Action", ""))
        form.pop("Version", None)
        is_ec2 = protocol == "ec2"
        return operation, _from_form(operation.input_shape, form, "", is_ec2) or {}
    if protocol in ("rest-json", "rest-xml"):
        return _read_rest(model, protocol, method, path, headers, body, query)
    raise UnreadableError(f"{service} speaks {protocol}")


def _named(model: Any, name: str) -> Any:
    if name not in model.operation_names:
        raise UnreadableError(f"{model.service_name} has no operation {name or 'in this request'}")
    return model.operation_model(name)


def _from_json(shape: Any, value: Any) -> Any:
    """Turn JSON into the shape's values: blobs into bytes. What does not fit stays as it is."""
    if shape is None:
        return {}
    kind = shape.type_name
    if kind == "structure" and isinstance(value, dict):
        names = {
            member.serialization.get("name", name): name for name, member in shape.members.items()
        }
        return {
            names.get(key, key): _from_json(shape.members[names[key]], each)
            if key in names
            else each
            for key, each in value.items()
            if each is not None
        }
    if kind == "map" and isinstance(value, dict):
        return {key: _from_json(shape.value, each) for key, each in value.items()}
    if kind == "list" and isinstance(value, list):
        return [_from_json(shape.member, each) for each in value]
    if kind == "blob" and isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            return value
    return value


def _form(body: bytes, query: Mapping[str, Sequence[str]]) -> dict[str, str]:
    found = {name: values[0] for name, values in query.items() if values}
    return found | dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))


def _from_form(shape: Any, form: Mapping[str, str], prefix: str, is_ec2: bool) -> Any:
    """Turn the fields of a form under a prefix into the shape's values; None if there are none."""
    if shape is None:
        return {}
    kind = shape.type_name
    if kind == "structure":
        found = {}
        for name, member in shape.members.items():
            key = _form_name(name, member, is_ec2)
            value = _from_form(member, form, f"{prefix}.{key}" if prefix else key, is_ec2)
            if value is not None:
                found[name] = value
        return found if found or not prefix else None
    if kind in _KEYWORD_LISTS:
        return _from_form_list(shape, form, prefix, is_ec2)
    text = form.get(prefix)
    return None if text is None else _scalar(shape, text)


def _form_name(name: str, member: Any, is_ec2: bool) -> str:
    said: str = member.serialization.get("queryName") if is_ec2 else ""
    if said:
        return said
    name = member.serialization.get("name", name)
    if member.type_name == "list" and member.serialization.get("flattened") and not is_ec2:
        name = member.member.serialization.get("name", name)
    return name[:1].upper() + name[1:] if is_ec2 else name


def _from_form_list(shape: Any, form: Mapping[str, str], prefix: str, is_ec2: bool) -> Any:
    flat = is_ec2 or shape.serialization.get("flattened")
    if shape.type_name == "list":
        place = prefix if flat else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        if prefix in form and not form[prefix]:
            return []
    else:
        place = prefix if flat else f"{prefix}.entry"
    numbers = sorted(
        {
            int(rest.partition(".")[0])
            for name in form
            if name.startswith(f"{place}.")
            and (rest := name.removeprefix(f"{place}.")).partition(".")[0].isdigit()
        }
    )
    if not numbers:
        return None
    if shape.type_name == "list":
        return [_from_form(shape.member, form, f"{place}.{each}", is_ec2) for each in numbers]
    return {
        form.get(f"{place}.{each}.key", ""): _from_form(
            shape.value, form, f"{place}.{each}.value", is_ec2
        )
        for each in numbers
    }


def _scalar(shape: Any, text: str) -> Any:
    kind = shape.type_name
    try:
        if kind in ("integer", "long"):
            return int(text)
        if kind in ("float", "double"):
            return float(text)
    except ValueError:
        return text
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind == "blob":
        return text.encode()
    return text


def _read_rest(
    model: Any,
    protocol: str,
    method: str,
    path: str,
    headers: Mapping[str, str],
    body: bytes,
    query: Mapping[str, Sequence[str]],
) -> tuple[Any, dict[str, Any]]:
    found: list[tuple[int, str, dict[str, Any]]] = []
    for name, (verb, pattern, fixed) in _routes(model.service_name).items():
        match = pattern.fullmatch(path) if verb == method else None
        if not match or not all(
            key in query and value in (None, query[key][0]) for key, value in fixed.items()
        ):
            continue
        operation = model.operation_model(name)
        given = {key: unquote(value) for key, value in match.groupdict().items() if value}
        parameters = _located(operation.input_shape, given, headers, query)
        outside = [
            each
            for each in (operation.input_shape.required_members if operation.input_shape else ())
            if operation.input_shape.members[each].serialization.get("location")
        ]
        if all(each in parameters for each in outside):
            found.append((len(fixed) * 10 + len(outside), name, parameters))
    if not found:
        raise UnreadableError(f"{model.service_name} has no operation for {method} {path}")
    _, name, parameters = max(found, key=lambda each: each[:2])
    operation = model.operation_model(name)
    return operation, parameters | _from_body(operation.input_shape, protocol, body)


@cache
def _routes(service: str) -> dict[str, tuple[str, re.Pattern[str], dict[str, str | None]]]:
    """Return (method, pattern of the path, fixed query) of each operation."""
    model, found = service_model(service), {}
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, fixed = http["requestUri"].partition("?")
        parts = re.split(r"\{(\w+)(\+?)\}", path.rstrip("/") or "/")
        pattern = re.escape(parts[0])
        for label, plus, rest in zip(parts[1::3], parts[2::3], parts[3::3], strict=True):
            pattern += f"(?P<{label}>{'.+' if plus else '[^/]+'})" + re.escape(rest)
        queries: dict[str, str | None] = {}
        for each in filter(None, fixed.split("&")):
            key, equals, value = each.partition("=")
            if key != "x-id":
                queries[key] = value if equals else None
        found[name] = (http["method"], re.compile(pattern + "/?"), queries)
    return found


def _located(
    shape: Any,
    labels: Mapping[str, str],
    headers: Mapping[str, str],
    query: Mapping[str, Sequence[str]],
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, member in (shape.members if shape else {}).items():
        place, key = member.serialization.get("location"), member.serialization.get("name", name)
        if place == "uri" and key in labels:
            found[name] = _scalar(member, labels[key])
        elif place == "querystring" and key in query:
            values = [_scalar(getattr(member, "member", member), each) for each in query[key]]
            found[name] = values if member.type_name == "list" else values[0]
        elif place == "header" and (text := headers.get(key.lower())) is not None:
            found[name] = text if member.type_name == "timestamp" else _scalar(member, text)
        elif place == "headers":
            start = key.lower()
            found[name] = {
                each[len(start) :]: text for each, text in headers.items() if each.startswith(start)
            }
    return found


def _from_body(shape: Any, protocol: str, body: bytes) -> dict[str, Any]:
    payload = shape.serialization.get("payload") if shape else None
    if shape is None or not body:
        return {}
    if payload and shape.members[payload].type_name in ("blob", "string"):
        return {payload: body}
    inner = shape.members[payload] if payload else shape
    try:
        if protocol == "rest-json":
            value = _from_json(inner, json.loads(body))
        else:
            value = _from_xml(inner, ElementTree.fromstring(body))
    except (ValueError, ElementTree.ParseError) as error:
        raise UnreadableError(f"the body of {shape.name} cannot be read") from error
    return {payload: value} if payload else value


def _from_xml(shape: Any, node: ElementTree.Element) -> Any:
    kind = shape.type_name
    if kind == "structure":
        found = {}
        for name, member in shape.members.items():
            flat = member.type_name == "list" and member.serialization.get("flattened")
            key = member.serialization.get("name", name)
            if member.type_name == "list" and flat:
                key = member.serialization.get("name") or member.member.serialization.get(
                    "name", name
                )
            nodes = [each for each in node if _tag(each) == key]
            if flat and nodes:
                found[name] = [_from_xml(member.member, each) for each in nodes]
            elif nodes:
                found[name] = _from_xml(member, nodes[0])
        return found
    if kind == "list":
        return [_from_xml(shape.member, each) for each in node]
    return node.text or "" if kind == "timestamp" else _scalar(shape, node.text or "")


def _tag(node: ElementTree.Element) -> str:
    return node.tag.rpartition("}")[2]


# --- reading an answer ---


def read_answer(operation: Any, status: int, headers: Mapping[str, str], body: bytes) -> Any:
    """Return what botocore makes of an answer."""
    parser = ResponseParserFactory().create_parser(operation.service_model.metadata["protocol"])
    answer = {
        "status_code": status,
        "headers": {name.lower(): str(value) for name, value in headers.items()},
        # What is streamed is not text, and botocore gives it as it comes.
        "body": b"" if operation.has_streaming_output else body,
    }
    found = parser.parse(answer, operation.output_shape)
    found.pop("ResponseMetadata", None)
    if operation.has_streaming_output:
        found[operation.output_shape.serialization["payload"]] = body
    return found


# --- judging values ---


def problems(shape: Any, value: Any, place: str = "") -> Iterator[str]:
    """Yield a sentence for everything in a value that its shape does not allow."""
    if shape is None:
        return
    kind, what = shape.type_name, place or "the request"
    expected = _TYPES.get(kind)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if expected and not (isinstance(value, expected) and (bool in expected or value is not True)):
        yield f"{what} is not of type {kind}"
        return
    limits = shape.metadata
    if kind == "structure":
        yield from _members(shape, value, place)
    elif kind == "list":
        yield from _size(len(value), limits, f"{what} has %d members")
        for index, each in enumerate(value):
            yield from problems(shape.member, each, f"{place}[{index}]")
    elif kind == "map":
        yield from _size(len(value), limits, f"{what} has %d entries")
        for key, each in value.items():
            yield from problems(shape.key, key, f"{place} key")
            yield from problems(shape.value, each, f"{place}.{key}")
    elif kind in ("string", "blob"):
        yield from _size(len(value), limits, f"{what} has a length of %d")
        if kind == "string":
            yield from _text(shape, value, what)
    elif is_number:
        yield from _size(value, limits, f"{what} is %s")


def _members(shape: Any, value: dict[str, Any], place: str) -> Iterator[str]:
    start = f"{place}." if place else ""
    for name in shape.required_members:
        if name not in value:
            yield f"{start}{name} is required"
    for name, each in value.items():
        if name in shape.members:
            yield from problems(shape.members[name], each, f"{start}{name}")
        elif name != "SDK_UNKNOWN_MEMBER":
            yield f"{start}{name} is unknown"


def _size(size: float, limits: Mapping[str, Any], said: str) -> Iterator[str]:
    if "min" in limits and size < limits["min"]:
        yield said % size + f", and must have {limits['min']} or more"
    if "max" in limits and size > limits["max"]:
        yield said % size + f", and may have {limits['max']} at most"


def _text(shape: Any, value: str, what: str) -> Iterator[str]:
    enumeration = shape.metadata.get("enum")
    if enumeration and value not in enumeration:
        yield f"{what} is none of {', '.join(enumeration)}"
    pattern = _compiled(shape.metadata.get("pattern", ""))
    if pattern and not pattern.fullmatch(value):
        yield f"{what} does not match {pattern.pattern}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """Return a model's pattern, or None: some are written for other dialects than Python's."""
    try:
        if pattern.startswith("^") and not pattern.endswith("$"):
            pattern += ".*"
        return re.compile(pattern, re.DOTALL) if pattern else None
    except re.error:
        return None
