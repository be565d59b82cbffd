"""The OpenAPI document: valid, up to date, and true of what the rooms say."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from openapi_spec_validator import validate

from agora_recording.api import gateway
from agora_recording.api.links import read_link_request
from agora_recording.recording.model import Recording
from agora_recording.recording.view import detailed
from agora_recording.refusals import REFUSALS, title
from agora_recording.request.check import check_layout, check_recording, check_times, check_update
from agora_recording.request.reading import Limits, read_request
from functions.get_auto_record_rules import app as get_rules
from functions.serve_openapi import app
from local.template import template
from openapi import build
from tests.unit.api.test_get_recording_events import Room as EventsRoom
from tests.unit.api.test_get_recording_files import Room as FilesRoom
from tests.unit.api.test_get_recordings import Room as ListingRoom
from tests.unit.api.test_links import Cinema, cinema
from tests.world.api import Context, Response, read, request
from tests.world.builders import RECORDING_ID, recording, recordings
from tests.world.webhook import NOW_MS
from tests.world.world import World

DOCUMENT = build.document()
SCHEMAS = DOCUMENT["components"]["schemas"]
METHODS = {"get", "put", "post", "delete", "patch"}
OPERATIONS = {
    (method, route): operation
    for route, item in DOCUMENT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}


def conforms(value: Any, schema: dict[str, Any]) -> None:
    """Fail unless a value is what a schema of the document says."""
    Draft202012Validator({**schema, "components": DOCUMENT["components"]}).validate(value)


def strict(name: str) -> dict[str, Any]:
    """Return the schema of an answer that has no field which the document leaves out."""
    return {"$ref": f"#/components/schemas/{name}", "unevaluatedProperties": False}


def contents() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every media type object of the document, and where it is."""
    for (method, route), operation in OPERATIONS.items():
        places = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for place, found in places.items():
            for content in found.get("content", {}).values():
                yield f"{method} {route} {place}", content
    for name, response in DOCUMENT["components"]["responses"].items():
        for content in response["content"].values():
            yield name, content


def resolved(response: dict[str, Any]) -> dict[str, Any]:
    name = response.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = DOCUMENT["components"]["responses"][name] if name else response
    return found


def parameters(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in operation.get("parameters", ()) if each["in"] == "query"]


# --- the document ---


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_the_file_is_what_the_source_and_the_types_say() -> None:
    assert build.TARGET.read_text() == build.text(), "run: make openapi"


def test_no_marker_is_left_in_it() -> None:
    assert not re.search(r"\$schemaOf|\$\{|x-parts", build.text())


def test_a_type_is_put_in_with_what_it_refers_to_and_what_stands_beside_it() -> None:
    schemas: dict[str, Any] = {}
    part = {"$schemaOf": "agora.requests.AppsCollection", "title": "Apps", "properties": {"x": {}}}
    filled = build._filled(part, schemas)
    assert (filled["title"], set(filled["properties"])) == ("Apps", {"combinationPolicy", "x"})
    assert schemas == {}
    build._filled({"$schemaOf": "agora.requests.TranscodeOptions"}, schemas)
    assert set(schemas) == {"TransConfig", "Container", "MixedAudio"}


def test_a_number_is_put_in_as_a_number_and_in_a_sentence() -> None:
    name = "${request.limits.MAX_RESTARTS}"
    assert build._filled([name, f"At most {name}."], {}) == [20, "At most 20."]


@pytest.mark.parametrize("part", ["${request.limits.NONE}", {"$schemaOf": "request.none.Type"}])
def test_a_name_that_the_code_does_not_have_is_an_error(part: Any) -> None:
    with pytest.raises((AttributeError, ImportError)):
        build._filled(part, {})


def test_two_types_cannot_be_shown_by_one_name() -> None:
    with pytest.raises(ValueError, match="two types are shown as TransConfig"):
        build._filled({"$schemaOf": "agora.requests.TranscodeOptions"}, {"TransConfig": {}})


def test_it_describes_every_route_and_no_other() -> None:
    routes = {
        (event["Properties"]["Method"].lower(), event["Properties"]["Path"])
        for resource in template()["Resources"].values()
        for event in resource.get("Properties", {}).get("Events", {}).values()
        if event["Type"] == "Api"
    }
    assert set(OPERATIONS) == routes


def test_every_operation_has_a_name_of_its_own() -> None:
    names = [operation["operationId"] for operation in OPERATIONS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=lambda each: each["operationId"])
def test_every_operation_tells_how_it_may_fail(operation: dict[str, Any]) -> None:
    assert {"403", "429", "500", "503", "504"} <= set(operation["responses"])
    for status, response in operation["responses"].items():
        assert resolved(response)["description"]
        if int(status) >= 400:
            assert "content" in resolved(response)


def test_every_status_that_an_error_means_is_described() -> None:
    described = {status for each in OPERATIONS.values() for status in each["responses"]}
    assert {str(status.value) for status, _ in REFUSALS.values()} <= described


def test_every_problem_has_the_status_and_the_title_that_it_is_answered_with() -> None:
    for operation in OPERATIONS.values():
        for status, response in operation["responses"].items():
            content = resolved(response).get("content", {}).get("application/problem+json")
            if content:
                example = content["example"]
                assert example["status"] == int(status)
                assert example["title"] == title(HTTPStatus(int(status)))


def test_only_the_webhooks_and_what_links_play_are_open() -> None:
    assert DOCUMENT["security"] == [{"sigv4": []}]
    opened = [key for key, operation in OPERATIONS.items() if operation.get("security") == []]
    assert sorted(opened) == [
        ("get", "/play/{token}/index.m3u8"),
        ("get", "/play/{token}/{name}"),
        ("post", "/notifications"),
        ("post", "/rtc-notifications"),
    ]


def test_no_answer_has_a_null() -> None:
    asked = {"CreateRecording"}
    told = {name: schema for name, schema in SCHEMAS.items() if name not in asked}
    assert "'null'" not in str(told)


def test_there_is_no_schema_that_nothing_uses() -> None:
    text = build.text()
    unused = [name for name in SCHEMAS if f'"#/components/schemas/{name}"' not in text]
    assert unused == []


def test_the_fields_of_a_request_are_those_that_are_taken() -> None:
    asked = SCHEMAS["CreateRecording"]
    assert asked["additionalProperties"] is False
    stray = "is not a field of this call"
    problems = check_recording(dict.fromkeys([*asked["properties"], "other"])).problems
    assert [each.path for each in problems if each.rule.startswith(stray)] == ["other"]


# --- the examples ---


def examples() -> list[Any]:
    found = []
    for where, content in contents():
        given = content.get("examples", {"example": {"value": content.get("example")}})
        for name, example in given.items():
            if example["value"] is not None:
                found.append(
                    pytest.param(example["value"], content["schema"], id=f"{where} {name}")
                )
    return found


@pytest.mark.parametrize(("value", "schema"), examples())
def test_every_example_is_what_its_schema_says(value: Any, schema: dict[str, Any]) -> None:
    conforms(value, schema)


def bodies(method: str, route: str) -> list[Any]:
    content = OPERATIONS[method, route]["requestBody"]["content"]["application/json"]
    return [pytest.param(each["value"], id=name) for name, each in content["examples"].items()]


@pytest.mark.parametrize("body", bodies("post", "/recordings"))
def test_every_example_of_a_request_is_taken_without_a_warning(body: dict[str, Any]) -> None:
    assert read_request(body, Limits(3600, 300, 3, transcodes=True), NOW_MS).warnings == ()


@pytest.mark.parametrize("body", bodies("patch", "/recordings/{recordingId}"))
def test_every_example_of_an_update_is_taken(body: dict[str, Any]) -> None:
    if "startAt" in body:
        assert check_times(body) == ((), ())
        return
    mode = "mix" if "streamSubscribe" in body else "web"
    assert check_update(mode, body) == ((), ())


@pytest.mark.parametrize("body", bodies("put", "/recordings/{recordingId}/layout"))
def test_every_example_of_a_layout_is_taken(body: dict[str, Any]) -> None:
    assert check_layout("mix", body) == ((), ())


# --- the rooms ---


@given(recordings())
def test_any_recording_is_shown_as_described(row: Recording) -> None:
    conforms(detailed(row), strict("Recording"))


def test_files_are_shown_as_described() -> None:
    room = FilesRoom()
    names = room.slices(3)
    del room.bucket.objects[f"{room.row.prefix}{names[0]}"]
    conforms(room.files(limit="2").body, strict("Files"))
    room.publish()
    conforms(room.files(limit="2").body, strict("Files"))


def test_events_are_shown_as_described() -> None:
    room = EventsRoom()
    room.hear(40, 1_700_000_000_000)
    room.note(1_700_000_000_001, "query")
    conforms(room.get(limit="1").body, strict("Events"))


def test_a_problem_is_told_as_described() -> None:
    answer = FilesRoom().files(limit="x")
    conforms(answer.body, strict("Problem"))


def test_whatever_the_document_lets_through_the_checks_let_through() -> None:
    # The document bounds one field at a time; it must not be stricter than the checks.
    asked = {"scene": 0, "region": "EU", "resourceExpiredHour": 720, "newField": {}}
    conforms(asked, {"$ref": "#/components/schemas/ClientRequest"})
    assert check_recording({"cname": "standup", "clientRequest": asked}).problems == ()


def rules(route: str, **query: str) -> Response:
    """Ask for rules."""
    event = request(resource=route, query=query)
    return read(get_rules.lambda_handler(event, Context(), store=World().parts.rule_store))


def _play(name: str, **given: str) -> Response:
    room, _ = cinema()
    url = room.link()
    return room.get(f"{url.replace('index.m3u8', name)}?{urlencode(given)}")


def test_links_are_shown_as_described() -> None:
    room, _ = cinema()
    made = room.manage("POST", {"expiresInSeconds": 60, "uid": "0", "to": "2030-01-01T00:00:00Z"})
    conforms(made.body, strict("Link"))
    room.get(made.body["url"])
    conforms(room.manage("GET").body, strict("Links"))


@pytest.mark.parametrize("body", bodies("post", "/recordings/{recordingId}/links"))
def test_every_example_of_a_link_is_taken(body: dict[str, Any]) -> None:
    read_link_request(body)


def test_every_room_knows_the_parameters_that_are_described_and_no_other() -> None:
    listing = ListingRoom()
    listing.add(recording())
    rooms: dict[str, Callable[..., Response]] = {
        "/recordings": listing.get,
        "/recordings/{recordingId}": partial(listing.get, RECORDING_ID),
        "/recordings/{recordingId}/events": EventsRoom().get,
        "/recordings/{recordingId}/files": FilesRoom().files,
        "/recordings/{recordingId}/playlist": FilesRoom().playlist,
        "/auto-record": partial(rules, "/auto-record"),
        "/auto-record/{name}": partial(rules, "/auto-record/{name}"),
        "/recordings/{recordingId}/links": lambda **given: Cinema().manage("GET", query=given),
        "/play/{token}/index.m3u8": partial(_play, "index.m3u8"),
        "/play/{token}/{name}": partial(_play, "media.m3u8"),
    }
    described = {route for method, route in OPERATIONS if method == "get"} - {"/openapi.json"}
    assert rooms.keys() == described
    for route, get in rooms.items():
        names = [each["name"] for each in parameters(OPERATIONS["get", route])]
        answer = get(misspelt="1")
        assert answer.status == 400, route
        (problem,) = answer.body["problems"]
        assert problem["path"] == "misspelt"
        assert problem["rule"].endswith(f"it takes {', '.join(names) or 'none'}"), route


def test_a_body_that_is_too_large_is_refused_as_described() -> None:
    def room(event: Any, _: Any) -> Any:
        return gateway.json_body(event)

    answer = read(gateway.door(room)(request(" " * (gateway.MAX_BODY_BYTES + 1)), Context()))
    with_body = [each for each in OPERATIONS.values() if "requestBody" in each]
    assert len(with_body) == 7
    for operation in with_body:
        content = resolved(operation["responses"][str(answer.status)])["content"]
        assert content["application/problem+json"]["example"]["title"] == answer.body["title"]
        conforms(answer.body, strict("Problem"))


def test_the_document_is_served() -> None:
    answer = read(app.lambda_handler(request(resource="/openapi.json"), Context()))
    assert answer.status == 200
    assert answer.body == DOCUMENT
