"""What the page says, read from the OpenAPI document: calls in groups, answers, fields of types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from openapi.page.samples import LANGUAGES, Request

Json = dict[str, Any]

# The first part of a path, and what the calls under it are about.
_GROUPS = {
    "recordings": "Recordings",
    "play": "Playing a link",
    "auto-record": "Channels that record themselves",
    "rtc-notifications": "Agora's webhooks",
    "notifications": "Agora's webhooks",
    "openapi.json": "The description itself",
}
_METHODS = ("get", "post", "put", "patch", "delete")
# A field that is sent only for show would make the first try fail or wait.
_LEFT_OUT = ("Prefer",)


class Field(NamedTuple):
    """A parameter of a call, or a field of a type."""

    name: str
    where: str  # of a parameter: path, query or header
    is_needed: bool
    schema: Json
    about: str


class Answer(NamedTuple):
    """An answer: its status, when it comes, headers, and an example of its body, or None."""

    status: str
    about: str
    headers: tuple[tuple[str, str], ...]
    media_type: str
    schema: Json
    example: Any

    @property
    def sentence(self) -> str:
        """The words of an error for people: the problem's detail, or API Gateway's message."""
        example = self.example if isinstance(self.example, dict) else {}
        return str(example.get("detail") or example.get("message") or "")


class Call(NamedTuple):
    """One call: what is sent, what is answered, and the same in each language by its slug."""

    id: str
    method: str
    path: str
    summary: str
    about: str
    signer: str
    fields: list[Field]
    body: Json | None  # the schema
    bodies: list[Any]  # examples
    answers: list[Answer]
    errors: list[Answer]
    samples: dict[str, str]


class Type(NamedTuple):
    """A schema of the document."""

    name: str
    about: str
    schema: Json
    fields: list[Field]


def groups(document: Json) -> list[tuple[str, list[Call]]]:
    """Return the calls in groups, both in the order of the document.

    Raises KeyError for a path of no group.
    """
    found: dict[str, list[Call]] = {}
    for path, item in document["paths"].items():
        for method in (each for each in item if each in _METHODS):
            made = _call(document, path, method)
            found.setdefault(_GROUPS[path.split("/")[1]], []).append(made)
    return list(found.items())


def shared_errors(document: Json) -> list[Answer]:
    """Return the errors that every call may answer, by status."""
    first, *others = [
        item[method]["responses"]
        for item in document["paths"].values()
        for method in _METHODS
        if method in item
    ]
    return [
        _answer(document, status, found)
        for status, found in first.items()
        if status >= "400" and all(other.get(status) == found for other in others)
    ]


def schemas(document: Json) -> list[Type]:
    """Return every type that has fields or choices, by name."""
    found = document["components"]["schemas"]
    return [
        Type(name, each.get("description", ""), each, list(_fields(document, each)))
        for name, each in found.items()
    ]


def prose(text: str) -> Markup:
    """Return a description as HTML: paragraphs of one line each, `code` as code."""
    parts = re.split(r"`([^`]+)`", " ".join(text.split()))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part)
        for number, part in enumerate(parts)
    )


def breakable(path: str) -> Markup:
    """Return a path as HTML that may go on in the next line before each of its parts."""
    return Markup("<wbr>/").join(path.split("/"))


def kind(schema: Json) -> Markup:
    """Return in words, as HTML, which values a schema takes."""
    if "$ref" in schema:
        name = _name(schema["$ref"])
        return Markup('<a href="#type-{0}">{0}</a>').format(name)
    if "enum" in schema:
        choices = Markup(", ").join(Markup("<code>{}</code>").format(x) for x in schema["enum"])
        return (Markup("one of ") if len(schema["enum"]) > 1 else Markup("")) + choices
    if "anyOf" in schema:
        told = (kind(each) for each in schema["anyOf"] if each.get("type") != "null")
        return Markup(" or ").join(dict.fromkeys(told))
    return escape(_plain(schema)) + _of(schema)


# --- the calls ----------------------------------------------------------------------------------


def _call(document: Json, path: str, method: str) -> Call:
    item = document["paths"][path]
    operation = item[method]
    fields = [
        Field(
            each["name"],
            each["in"],
            each.get("required", False),
            {**each["schema"], "example": each.get("example")},
            each.get("description", ""),
        )
        for each in (
            _resolved(document, part)
            for part in (*item.get("parameters", ()), *operation.get("parameters", ()))
        )
    ]
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    bodies = [each["value"] for each in content.get("examples", {}).values()]
    answers = [_answer(document, status, found) for status, found in operation["responses"].items()]
    shared = {each.status for each in shared_errors(document)}
    signer = _signer(document, operation, path)
    request = Request(
        method.upper(),
        _address(path, fields),
        {
            each.name: str(each.schema["example"])
            for each in fields
            if each.where == "header" and each.schema["example"] and each.name not in _LEFT_OUT
        },
        bodies[0] if bodies else None,
        signer,
        is_file="302" in operation["responses"],
    )
    return Call(
        operation["operationId"],
        request.method,
        path,
        operation["summary"],
        operation.get("description", ""),
        signer,
        fields,
        content.get("schema"),
        bodies,
        [each for each in answers if each.status < "400"],
        [each for each in answers if each.status >= "400" and each.status not in shared],
        {each.slug: each.sample(request) for each in LANGUAGES},
    )


def _signer(document: Json, operation: Json, path: str) -> str:
    if operation.get("security", document["security"]):
        return "aws"
    return "agora" if path.endswith("notifications") else "nobody"


def _address(path: str, fields: Iterable[Field]) -> str:
    """Return a path with the examples of its parameters in their places, and with a query."""
    query = {}
    for each in fields:
        if (example := each.schema["example"]) is None:
            continue
        if each.where == "path":
            path = path.replace(f"{{{each.name}}}", quote(str(example), safe=""))
        elif each.where == "query":
            query[each.name] = example
    return path + (f"?{urlencode(sorted(query.items()))}" if query else "")


def _answer(document: Json, status: str, response: Json) -> Answer:
    found = _resolved(document, response)
    headers = tuple(
        (name, _resolved(document, each)["description"])
        for name, each in found.get("headers", {}).items()
    )
    media = found.get("content", {})
    media_type = next((each for each in media if _example(media[each]) is not None), "")
    media_type = media_type or next(iter(media), "")
    content = media.get(media_type, {})
    return Answer(
        status,
        found["description"],
        headers,
        media_type,
        content.get("schema", {}),
        _example(content),
    )


def _example(content: Mapping[str, Any]) -> Any:
    first: Json = next(iter(content.get("examples", {}).values()), {})
    return content.get("example", first.get("value"))


# --- the types ----------------------------------------------------------------------------------


def _fields(document: Json, schema: Json) -> Iterator[Field]:
    needed = schema.get("required", ())
    for name, each in schema.get("properties", {}).items():
        about = each.get("description") or _resolved(document, each).get("description", "")
        yield Field(name, "", name in needed, each, about)


def _plain(schema: Json) -> str:
    """Return a type and its bounds in words; of a list or an object only its bounds."""
    low, high = schema.get("minimum"), schema.get("maximum")
    match schema.get("type"):
        case "integer" | "number" as name:
            words = "whole number" if name == "integer" else "number"
            if high is not None:
                return f"{words} from {low} to {high}"
            return words if low is None else f"{words}, {low} or more"
        case "string" if schema.get("format") == "date-time":
            return "date and time (RFC 3339)"
        case "string":
            most, least = schema.get("maxLength"), schema.get("minLength")
            if most is not None:
                return f"string of {least or 0} to {most} characters"
            return "string" if least is None else "string, not empty"
        case "boolean":
            return "true or false"
        case "array":
            return "list"
        case "object":
            return "object"
        case _:
            return "anything"


def _of(schema: Json) -> Markup:
    """Return what a list or a map holds, as the end of a sentence."""
    if schema.get("type") == "array" and schema.get("items"):
        most = schema.get("maxItems")
        bound = f" of at most {most}: " if most is not None else " of "
        return escape(bound) + kind(schema["items"])
    more = schema.get("additionalProperties")
    if isinstance(more, dict) and more:
        return Markup(" of any names, each ") + kind(more)
    return Markup("")


def _resolved(document: Json, part: Json) -> Json:
    if "$ref" not in part:
        return part
    _, *names = part["$ref"].split("/")
    found: Json = document
    for name in names:
        found = found[name]
    return found


def _name(reference: str) -> str:
    return reference.rpartition("/")[2]
