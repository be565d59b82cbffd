"""The mistakes that callers make: each is answered with a status and a sentence that says what to
change. docs/mistakes.md shows them all, and is written from here (WRITE_DOCS=1).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from functions.create_recording import app as create_app
from functions.delete_recording import app as delete_app
from functions.get_recordings import app as get_app
from functions.update_layout import app as layout_app
from functions.update_recording import app as update_app
from tests.world.api import Context, Response, read, request
from tests.world.builders import RECORDING_ID, recording, uploading
from tests.world.world import World

PAGE = Path(__file__).parents[2] / "docs" / "mistakes.md"
BODY: dict[str, Any] = {
    "cname": "standup",
    "clientRequest": {"recordingConfig": {"channelType": 1}},
}
ONE = "/recordings/{recordingId}"


class Caller(World):
    """Somebody who makes mistakes: the rooms of the API, with a recording that runs."""

    def __init__(self) -> None:
        super().__init__(recording())

    def random_bytes(self, count: int) -> bytes:
        return bytes([7] * count)

    def post(self, body: Any, **headers: str) -> Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        event = request(body, resource="/recordings", recording_id=None, headers=named)
        return read(create_app.lambda_handler(event, Context(), creator=self.parts.creator))

    def patch(self, body: Any) -> Response:
        event = request(body, resource=ONE)
        return read(update_app.lambda_handler(event, Context(), updater=self.parts.updater))

    def put(self, body: Any) -> Response:
        event = request(body, resource=f"{ONE}/layout")
        updater = self.parts.layout_updater
        return read(layout_app.lambda_handler(event, Context(), updater=updater))

    def get(self, recording_id: str | None = None, **query: str) -> Response:
        event = request(recording_id=recording_id, query=query)
        return read(get_app.lambda_handler(event, Context(), lister=self.parts.lister))

    def delete(self) -> Response:
        event = request(resource=ONE)
        return read(delete_app.lambda_handler(event, Context(), deleter=self.parts.deleter))


class Mistake(NamedTuple):
    """What somebody did, how, and what they are told."""

    did: str
    how: Callable[[Caller], Response]
    status: int
    detail: str


def _twice(caller: Caller) -> Response:
    caller.post(BODY, Idempotency_Key="standup-1")
    return caller.post({**BODY, "cname": "another"}, Idempotency_Key="standup-1")


def _too_late(caller: Caller) -> Response:
    caller.add(uploading())
    return caller.patch({"streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["1"]}}})


def _with(**more: Any) -> Callable[[Caller], Response]:
    return lambda caller: caller.post({**BODY, **more})


NAMES = (
    "must be 1 to 64 characters, each a letter (a to z, A to Z), a digit, a space or one of "
    "! # $ % & ( ) + , - . : ; < = > ? @ [ ] ^ _ { } | ~"
)
DELETED = (
    "Only a recording that has ended can be deleted; the status of this one is recording. Stop it "
    "first."
)
AT = "body: is not JSON: line 1, column"
MISTAKES = [
    Mistake(
        "a comma too many",
        lambda it: it.post('{"cname": "standup",}'),
        400,
        f"{AT} 20: a comma with nothing after it; leave it out.",
    ),
    Mistake(
        "single quotes",
        lambda it: it.post("{'cname': 'standup'}"),
        400,
        f"{AT} 2: a single quote; JSON puts strings and names in double quotes.",
    ),
    Mistake(
        "a form instead of JSON (`curl -d cname=standup`)",
        lambda it: it.post("cname=standup", Content_Type="application/x-www-form-urlencoded"),
        400,
        f"{AT} 1: this is a form (name=value); send JSON.",
    ),
    Mistake(
        "no body", lambda it: it.post(None), 400, "body: is empty; this call needs a JSON object."
    ),
    Mistake(
        "an array", lambda it: it.post([BODY]), 400, "body: must be a JSON object, not an array."
    ),
    Mistake("a field is missing", lambda it: it.post({"mode": "mix"}), 400, "cname: is required."),
    Mistake(
        "a number for a string",
        _with(uid=7),
        400,
        'uid: must be a string, such as "12345", not a whole number.',
    ),
    Mistake(
        "a string for a number",
        _with(maxDurationSeconds="60"),
        400,
        "maxDurationSeconds: must be a whole number from 1 to 2592000 without quotes, not a "
        "string.",
    ),
    Mistake(
        "a number out of range",
        _with(maxDurationSeconds=0),
        400,
        "maxDurationSeconds: must be a whole number from 1 to 2592000.",
    ),
    Mistake(
        "a word that is not one of the words",
        _with(mode="composite"),
        400,
        "mode: must be one of individual, mix, raw, web.",
    ),
    Mistake(
        "a character that Agora does not take",
        _with(cname="a/b"),
        400,
        f"cname: {NAMES}; character 2 is none of these.",
    ),
    Mistake(
        "a name in the wrong case",
        _with(maxdurationseconds=60),
        400,
        "maxdurationseconds: is not a field of this call; did you mean maxDurationSeconds? Upper "
        "and lower case matter.",
    ),
    Mistake(
        "a name in snake case",
        _with(max_duration_seconds=60),
        400,
        "max_duration_seconds: is not a field of this call; did you mean maxDurationSeconds?",
    ),
    Mistake(
        "a time in epoch milliseconds",
        _with(startAt=1_798_135_200_000),
        400,
        'startAt: must be a string, such as "2026-12-24T18:00:00Z", not a whole number.',
    ),
    Mistake(
        "a time without its time zone",
        _with(startAt="2026-12-24T18:00:00"),
        400,
        "startAt: must be a date and time with its time zone, such as 2026-12-24T18:00:00Z or "
        "2026-12-24T19:00:00+01:00.",
    ),
    Mistake(
        "a field in the wrong place",
        _with(recordingConfig={"channelType": 1}),
        400,
        "recordingConfig: is not a field of this call; it belongs in clientRequest.",
    ),
    Mistake(
        "a storage of the caller's own",
        _with(clientRequest={"storageConfig": {"vendor": 1}}),
        400,
        "clientRequest.storageConfig: must be left out: the stack adds the storage itself.",
    ),
    Mistake(
        "several at once",
        lambda it: it.post({"uid": 7, "mode": "both"}),
        400,
        "3 things in the request must change; see `problems`.",
    ),
    Mistake(
        "a body that is too large",
        lambda it: it.post('{"cname": "' + "x" * 262_144 + '"}'),
        413,
        "The body has 262157 bytes, and at most 262144 are allowed.",
    ),
    Mistake(
        "one key for two requests",
        _twice,
        422,
        "This Idempotency-Key was used for another request; use a new key for a new request.",
    ),
    Mistake(
        "an id that is not there",
        lambda it: it.get("01M8CTNMX9QQQ6MQZJGF62HGD3"),
        404,
        "There is no recording 01M8CTNMX9QQQ6MQZJGF62HGD3.",
    ),
    Mistake(
        "what is no id",
        lambda it: it.get("RECORDING_ID"),
        404,
        "There is no recording 'RECORDING_ID': an id has 26 digits and capital letters.",
    ),
    Mistake(
        "a parameter that is misspelt",
        lambda it: it.get(channel="standup"),
        400,
        "channel: is not a parameter of this call; it takes status, cname, limit, cursor.",
    ),
    Mistake(
        "a limit that is too large",
        lambda it: it.get(limit="1000"),
        400,
        "limit: must be a whole number from 1 to 100.",
    ),
    Mistake(
        "a cursor that was changed",
        lambda it: it.get(cursor="page2"),
        400,
        "cursor: must be the cursor of an earlier answer to this call, unchanged.",
    ),
    Mistake(
        "a field of the start in a change",
        lambda it: it.patch({"recordingConfig": {"maxIdleTime": 60}}),
        400,
        "recordingConfig: is set at the start, and cannot be changed later; this call takes "
        "streamSubscribe, webRecordingConfig, rtmpPublishConfig, startAt, stopAt.",
    ),
    Mistake(
        "a layout in the wrong call",
        lambda it: it.patch({"mixedVideoLayout": 1}),
        400,
        "mixedVideoLayout: is a field of a layout: send it with PUT "
        "/recordings/{recordingId}/layout.",
    ),
    Mistake(
        "an empty change",
        lambda it: it.patch({}),
        400,
        "body: is empty; it must hold at least one of streamSubscribe, webRecordingConfig, "
        "rtmpPublishConfig, startAt, stopAt.",
    ),
    Mistake(
        "a change that comes too late",
        _too_late,
        409,
        "A recording can be changed only while its status is recording; the status of this one is "
        "uploading.",
    ),
    Mistake("a recording is deleted while it runs", lambda it: it.delete(), 409, DELETED),
]


@pytest.mark.parametrize("row", MISTAKES, ids=lambda row: row.did)
def test_a_mistake_is_answered_with_what_to_change(row: Mistake) -> None:
    answer = row.how(Caller())
    assert (answer.status, answer.body["detail"]) == (row.status, row.detail)


def test_the_page_of_mistakes_shows_each_as_it_is_answered() -> None:
    lines = ["| what somebody did | status | the sentence |", "|---|---|---|"]
    for row in MISTAKES:
        sentence = row.detail.replace("|", "\\|")
        lines.append(f"| {row.did} | {row.status} | {sentence} |")
    head, _, rest = PAGE.read_text().partition("<!-- mistakes -->\n")
    _, _, tail = rest.partition("<!-- end of mistakes -->")
    wanted = f"{head}<!-- mistakes -->\n\n" + "\n".join(lines)
    wanted += f"\n\n<!-- end of mistakes -->{tail}"
    if "WRITE_DOCS" in os.environ:
        PAGE.write_text(wanted)
    assert PAGE.read_text() == wanted


def test_the_last_of_two_fields_with_one_name_counts() -> None:
    answer = Caller().post('{"cname": "first", "cname": "last"}')
    assert (answer.status, answer.body["cname"]) == (202, "last")


def test_json_is_read_whatever_its_content_type_says() -> None:
    assert Caller().post(BODY, Content_Type="text/plain").status == 202
    assert RECORDING_ID not in Caller().post(BODY).body["recordingId"]
