"""The door of the API: what comes in is text or a clear refusal, what goes out is an answer."""

from __future__ import annotations

import base64
import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from agora_recording import errors
from agora_recording.api import gateway
from agora_recording.api.get_recording_events import Cursor
from agora_recording.api.paging import page, read_cursor, read_number, write_cursor
from agora_recording.errors import BodyTooLargeError, Problem, RequestInvalidError
from tests.world.api import Context, read, request
from tests.world.errors import error

anything = st.one_of(
    st.none(),
    st.text(alphabet=st.characters(codec=None, exclude_categories=())),
    st.binary().map(lambda raw: base64.b64encode(raw).decode()),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ).map(json.dumps),
)


def refused(room: Any, event: dict[str, Any] | None = None) -> Any:
    return read(gateway.door(room)(event or request(), Context()))


# --- in ---


@given(anything, st.booleans())
def test_any_body_is_an_object_or_a_clear_refusal(body: str | None, encoded: bool) -> None:
    def room(event: Any, _: Any) -> Any:
        return gateway.answer(200, {"is": isinstance(gateway.json_body(event), dict)})

    answer = refused(room, {"body": body, "isBase64Encoded": encoded})
    assert answer.body == {"is": True} or answer.body["problems"][0]["path"] == "body"


def test_a_body_that_is_nested_without_end_is_refused() -> None:
    with pytest.raises(RequestInvalidError, match="must not be nested more than 24 levels deep"):
        gateway.json_body({"body": '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"})


def test_a_body_may_be_as_large_as_the_limit_and_no_larger() -> None:
    wrapped = len('{"a":""}')
    fits = json.dumps({"a": "x" * (gateway.MAX_BODY_BYTES - wrapped)}, separators=(",", ":"))
    assert gateway.json_body({"body": fits})
    answer = refused(lambda event, _: gateway.json_body(event), {"body": fits + " "})
    assert answer.status == 413
    assert answer.body["title"] == "Content Too Large"
    assert answer.body["detail"] == "The body has 262145 bytes, and at most 262144 are allowed."


def test_a_base64_body_is_decoded() -> None:
    assert gateway.json_body(request({"é": 1}, encoded=True)) == {"é": 1}


def test_a_header_is_found_in_any_case() -> None:
    assert gateway.header(request(headers={"idempotency-KEY": "1"}), "Idempotency-Key") == "1"
    assert gateway.header({"headers": None}, "Idempotency-Key") is None


@pytest.mark.parametrize(
    ("place", "read_it"),
    [
        ("headers", gateway.header),
        ("queryStringParameters", gateway.query),
        ("pathParameters", gateway.path),
    ],
)
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(place: str, read_it: Any) -> None:
    with pytest.raises(RequestInvalidError, match="name: must be valid Unicode"):
        read_it({place: {"name": "\ud800"}}, "name")


def test_what_is_not_there_is_nothing() -> None:
    event: dict[str, Any] = {"queryStringParameters": None, "pathParameters": None}
    assert gateway.query(event, "limit") == {}
    assert gateway.path(event, "recordingId") == ""
    assert gateway.caller(event) is None


def test_a_parameter_that_nobody_reads_is_refused_with_those_that_there_are() -> None:
    event = request(query={"limit": "1", "Cursor": "x", "\ud800": "1"})
    answer = refused(lambda event, _: gateway.query(event, "limit", "cursor"), event)
    rule = "is not a parameter of this call; it takes limit, cursor"
    assert answer.status == 400
    assert answer.body["problems"] == [
        {"path": "Cursor", "rule": rule},
        {"path": "\\ud800", "rule": rule},
    ]


def test_parameters_without_end_do_not_make_an_answer_without_end() -> None:
    event = request(query={f"p{number}": "1" for number in range(1000)})
    answer = refused(lambda event, _: gateway.query(event), event)
    assert len(answer.body["problems"]) == 100
    assert answer.body["problems"][0]["rule"].endswith("it takes none")


def test_a_signature_may_be_in_the_query_string() -> None:
    event = request(query={"X-Amz-Signature": "0", "X-Amz-Credential": "1", "limit": "5"})
    assert gateway.query(event, "limit") == {"limit": "5"}


def test_the_caller_is_known_by_its_arn() -> None:
    assert gateway.caller(request()) == "arn:aws:iam::123456789012:user/app"


# --- out ---


def test_an_answer_is_json_that_nobody_caches() -> None:
    answer = read(gateway.answer(200, {"é": 1}, {"Location": "/v1"}))
    assert answer.body == {"é": 1}
    assert answer.headers == {
        "Content-Type": "application/json",
        "Cache-Control": "no-store",
        "Location": "/v1",
    }


def test_one_problem_is_told_in_the_sentence_itself() -> None:
    def room(*_: Any) -> Any:
        raise RequestInvalidError([Problem("cname", "is required")])

    answer = refused(room)
    assert answer.status == 400
    assert answer.body["detail"] == "cname: is required."
    assert answer.body["problems"] == [{"path": "cname", "rule": "is required"}]


def test_several_problems_are_counted_and_all_of_them_told() -> None:
    def room(*_: Any) -> Any:
        raise RequestInvalidError([Problem("a", "x"), Problem("b", "y")])

    answer = refused(room)
    assert answer.body["detail"] == "2 things in the request must change; see `problems`."
    assert len(answer.body["problems"]) == 2


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [
        (errors.RecordingNotFoundError("x"), 404, None),
        (errors.MediaNotFoundError("x"), 404, None),
        (errors.RecordingStateError("x"), 409, None),
        (errors.RecordingBusyError("x"), 409, "2"),
        (errors.IdempotencyConflictError("x"), 422, None),
        (errors.AgoraRefusedError("x"), 422, None),
        (errors.ResourceExpiredError("x"), 422, None),
        (errors.PlaylistTooLargeError("x"), 400, None),
        (BodyTooLargeError("x"), 413, None),
        (errors.WriteConflictError("x"), 503, "1"),
        (errors.StoreUnavailableError("x"), 503, "1"),
        (errors.RateLimitedError("x"), 503, "2"),
        (errors.AgoraUnavailableError("x"), 503, "3"),
        (errors.TaskNotFoundError("x"), 503, "15"),
    ],
)
def test_each_error_has_its_status(error: Exception, status: int, retry_after: str | None) -> None:
    def room(*_: Any) -> Any:
        raise error

    answer = refused(room)
    assert (answer.status, answer.headers.get("Retry-After")) == (status, retry_after)
    assert answer.body["detail"] == "x"


@pytest.mark.parametrize(
    "problem",
    [
        error("ThrottlingException"),
        error("ServiceUnavailable", ResponseMetadata={"HTTPStatusCode": 503}),
        error("TransactionCanceledException"),
        ConnectTimeoutError(endpoint_url="https://dynamodb"),
    ],
    ids=lambda each: type(each).__name__,
)
def test_while_aws_is_away_the_caller_hears_when_to_come_again(problem: Exception) -> None:
    def room(*_: Any) -> Any:
        raise problem

    answer = refused(room)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("code", ["ValidationException", "AccessDeniedException"])
def test_what_aws_refuses_for_good_is_no_passing_fault(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    def room(*_: Any) -> Any:
        raise error(code)

    with caplog.at_level(logging.CRITICAL):
        assert refused(room).status == 500


def test_an_error_of_ours_tells_nothing_but_where_to_look(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def room(*_: Any) -> Any:
        raise RuntimeError("secret")

    with caplog.at_level(logging.CRITICAL):
        answer = refused(room)
    assert answer.status == 500
    assert "secret" not in json.dumps(answer.body)
    assert "6f1c8a52" in answer.body["detail"]


def test_a_secret_that_is_missing_is_an_error_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    def room(*_: Any) -> Any:
        raise errors.SecretUnavailableError("agora/credentials")

    with caplog.at_level(logging.CRITICAL):
        answer = refused(room)
    assert answer.status == 500
    assert "credentials" not in answer.body["detail"]


# --- pages ---


def test_a_page_ends_at_its_limit_or_its_bytes() -> None:
    assert page(range(10), 3) == [0, 1, 2]
    assert page(["x" * 10] * 10, 100, max_bytes=30) == ["x" * 10] * 2
    assert page(["x" * 100], 100, max_bytes=30) == ["x" * 100]
    assert page(iter(()), 5) == []


@pytest.mark.parametrize("text", ["", "0", "-1", "1.0", "x", "101", "0000000001999", "٣", "1e1"])
def test_a_number_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalidError, match="limit: must be a whole number from 1 to 100"):
        read_number("limit", {"limit": text}, 25, 1, 100)


def test_a_number_has_a_default() -> None:
    assert read_number("limit", {}, 25, 1, 100) == 25
    assert read_number("limit", {"limit": "007"}, 25, 1, 100) == 7


def test_a_cursor_comes_back_as_it_was() -> None:
    cursor = Cursor(1_700_000_000_000, {"1/527841": "3:33"})
    assert read_cursor({"cursor": write_cursor(cursor)}, Cursor) == cursor
    assert read_cursor({}, Cursor) is None


@given(st.text())
def test_any_other_cursor_is_refused(text: str) -> None:
    with pytest.raises(RequestInvalidError, match="cursor: must be the cursor of an earlier"):
        read_cursor({"cursor": text}, Cursor)
