"""The decision table: every row that Agora documents, and every combination that it does not."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.agora.outcomes import TABLE, Handling, Outcome, decide, error_for
from agora_recording.errors import (
    AgoraError,
    AgoraRefusedError,
    AgoraUnavailableError,
    RateLimitedError,
    ResourceExpiredError,
    ServiceFullError,
    SidUnknownError,
    TaskNotFoundError,
    TokenRejectedError,
    UidTakenError,
)

HANDLINGS = get_args(Handling)
ALL = ("acquire", "start", "query", "update", "updateLayout", "stop")
SESSION = ("query", "update", "updateLayout", "stop")
RESOURCE = ("start", *SESSION)


class Documented(NamedTuple):
    """One row of Agora's documents. A status of None: the documents name no HTTP status."""

    endpoints: tuple[str, ...]
    status: int | None
    code: int | None
    says: str
    handling: Handling
    then: Handling | None = None


DOCUMENTED = [
    # Response status codes, general
    Documented(ALL, 400, None, "appid is invalid", "permanent"),
    Documented(ALL, 401, None, "Unauthorized", "permanent"),
    Documented(ALL, 401, None, "Invalid authentication credentials", "permanent"),
    Documented(ALL, 404, None, "no Route matched with those values", "permanent"),
    Documented(ALL, 429, None, "API rate limit exceeded", "back_off"),
    # Response status codes, acquire
    Documented(("acquire",), 400, 2, "", "permanent"),
    Documented(("acquire",), 400, 400, "invalid_appid", "permanent"),
    Documented(("acquire",), 400, 401, "invalid_channel_name", "permanent"),
    Documented(("acquire",), 400, 405, "no_active_status", "permanent"),
    Documented(("acquire",), 400, 406, "vendor_over_load", "back_off_long"),
    Documented(("acquire",), 500, 500, "internal_error", "back_off"),
    Documented(("acquire",), 500, 501, "no_worker_manager_available", "back_off"),
    Documented(("acquire",), 500, 504, "allocate_timeout", "back_off"),
    # Response status codes, start
    Documented(("start",), 201, 7, "already started", "already_running"),
    Documented(("start",), 206, 65, "request not completed", "retry_same", "acquire_again"),
    Documented(("start",), 400, 2, "", "permanent"),
    Documented(("start",), 400, 53, "task conflict", "new_uid"),
    Documented(("start",), 500, 502, "Failed to allocate worker", "acquire_again"),
    Documented(("start",), 500, 62, "request timeout", "retry_same", "acquire_again"),
    Documented(("start",), 500, 15, "", "retry_same", "new_uid"),
    # Response status codes, the calls that need a sid
    Documented(SESSION, 206, 65, "request not completed", "retry_same"),
    Documented(SESSION, 400, 2, "", "permanent"),
    Documented(SESSION, 404, 404, "failed to find worker", "confirm_gone"),
    Documented(SESSION, 504, 62, "request timeout", "retry_same"),
    Documented(("stop",), 206, 435, "no recorded data", "nothing_recorded"),
    Documented(("stop",), 400, 49, "invalid operation", "ended"),
    Documented(("stop",), None, 50, "", "upload_pending"),
    # Common errors, as older pages have them
    Documented(ALL, None, 8, "", "permanent"),
    Documented(("acquire",), None, 62, "", "retry_same", "permanent"),
    Documented(("start",), None, 109, "", "token_rejected"),
    Documented(("start",), None, 110, "", "token_rejected"),
    Documented(RESOURCE, None, 432, "", "permanent"),
    Documented(("start",), None, 433, "", "acquire_again"),
    Documented(("query",), None, 501, "", "ended"),
    Documented(RESOURCE, None, 1001, "", "acquire_again"),
    Documented(RESOURCE, None, 1003, "", "permanent"),
    Documented(("acquire", "start"), None, 1013, "", "permanent"),
    Documented(("updateLayout",), None, 1028, "", "permanent"),
]
# Where the documents name no HTTP status, the code decides whatever the status is.
ANY_STATUS = (200, 206, 400, 500, 504)


@pytest.mark.parametrize("row", DOCUMENTED, ids=lambda row: f"{row.status}-{row.code}-{row.says}")
def test_a_documented_answer_is_handled_as_documented(row: Documented) -> None:
    for endpoint in row.endpoints:
        for status in ANY_STATUS if row.status is None else (row.status,):
            outcome = decide(endpoint, status, row.code, row.says)

            assert (outcome.handling, outcome.then) == (row.handling, row.then), endpoint


def test_every_row_of_the_table_is_documented_or_named_here() -> None:
    documented = {(e, row.code or 0) for row in DOCUMENTED for e in (*row.endpoints, "ncsIp")}
    # ended is also told to a stop, an update and a layout; a 206 without a code; a bare 404.
    extra = {("update", 501), ("updateLayout", 501), ("stop", 501)}

    for row in TABLE:
        for endpoint in row.endpoints:
            assert (endpoint, row.code or 0) in documented | extra, row


@pytest.mark.parametrize("endpoint", [*ALL, "ncsIp"])
@pytest.mark.parametrize("status", [None, 200, 302, 400, 403, 404, 429, 500, 503])
def test_a_code_of_unknown_meaning_is_judged_by_its_http_status(
    endpoint: str, status: int | None
) -> None:
    with_code = decide(endpoint, status, 113, has_sid=True, has_resource_id=True)

    assert with_code == decide(endpoint, status, None, has_sid=True, has_resource_id=True)


@pytest.mark.parametrize(
    ("endpoint", "status", "handling"),
    [
        ("query", 200, "ok"),
        ("update", 200, "ok"),
        ("updateLayout", 200, "ok"),
        ("stop", 200, "ok"),
        ("ncsIp", 200, "ok"),
        ("query", 206, "ok"),
        ("stop", 206, "upload_pending"),
        ("acquire", 200, "retry_same"),
        ("start", 200, "retry_same"),
        ("query", 404, "confirm_gone"),
        ("stop", 404, "confirm_gone"),
        ("update", 404, "confirm_gone"),
        ("acquire", 404, "permanent"),
        ("start", 404, "permanent"),
        ("query", 403, "permanent"),
        ("start", 301, "permanent"),
        ("query", 408, "retry_same"),
        ("query", 502, "retry_same"),
        ("start", 503, "retry_same"),
        ("stop", None, "retry_same"),
        ("query", 100, "retry_same"),
        ("query", 999, "retry_same"),
        ("elsewhere", 200, "ok"),
        ("elsewhere", 404, "permanent"),
    ],
)
def test_an_answer_without_a_code_is_judged_by_its_http_status(
    endpoint: str, status: int | None, handling: str
) -> None:
    assert decide(endpoint, status, None).handling == handling


@pytest.mark.parametrize("code", [None, 0, 200])
def test_a_success_that_carries_what_it_is_for_is_ok(code: int | None) -> None:
    assert decide("acquire", 200, code, has_resource_id=True).handling == "ok"
    assert decide("start", 200, code, has_sid=True).handling == "ok"
    assert decide("start", 201, code, has_sid=True).handling == "ok"


@pytest.mark.parametrize("endpoint", SESSION)
def test_a_success_with_an_unknown_code_and_no_sid_is_not_believed(endpoint: str) -> None:
    assert decide(endpoint, 200, 99).handling == "retry_same"


def test_a_start_that_fails_time_after_time_gets_another_uid() -> None:
    for status in (None, 500, 503):
        assert decide("start", status, None).then == "new_uid"
    assert decide("query", 500, None).then is None


@pytest.mark.parametrize("endpoint", ["query", "start"])
@pytest.mark.parametrize(
    ("status", "told"),
    [
        (None, Outcome("retry_same", "there was no answer")),
        (199, Outcome("retry_same", "an error inside Agora")),
        (299, Outcome("retry_same", "the answer lacks the needed value")),
        (300, Outcome("permanent", "Agora refuses the call")),
        (
            400,
            Outcome(
                "slow_down",
                "a refusal of no known meaning, perhaps of too many calls a second",
                "permanent",
            ),
        ),
        (402, Outcome("permanent", "Agora refuses the call")),
        (408, Outcome("retry_same", "an error inside Agora")),
        (499, Outcome("permanent", "Agora refuses the call")),
        (500, Outcome("retry_same", "an error inside Agora")),
    ],
)
def test_an_answer_of_no_known_code_is_told_by_the_class_of_its_status(
    endpoint: str, status: int | None, told: Outcome
) -> None:
    """A start that is to be repeated gets another uid when that does not help."""
    then: Handling | None = "new_uid" if told.handling == "retry_same" else told.then
    wanted = told._replace(then=then) if endpoint == "start" else told
    assert decide(endpoint, status, 99) == wanted


@pytest.mark.parametrize("status", [200, 299])
def test_a_success_is_accepted_in_so_many_words(status: int) -> None:
    assert decide("start", status, None, has_sid=True) == Outcome("ok", "accepted")


@pytest.mark.parametrize("code", [None, 0, 200])
def test_a_code_that_is_none_does_not_hide_what_the_status_says(code: int | None) -> None:
    assert decide("stop", 206, code).handling == "upload_pending"
    assert decide("stop", 206, 201).handling == "retry_same"


def test_a_wrong_url_is_not_taken_for_a_recording_that_is_gone() -> None:
    for endpoint in SESSION:
        wrong = decide(endpoint, 404, None, "No Route matched with those values")

        assert wrong.handling == "permanent"


def test_the_reason_carries_agoras_words_in_bounds() -> None:
    outcome = decide("start", 400, 2, "bad  vendor\n" + "x" * 1000)

    assert outcome.reason.startswith('a parameter is wrong: Agora says "bad vendor x')
    assert len(outcome.reason) < 300


@given(
    endpoint=st.sampled_from([*ALL, "ncsIp", "", "elsewhere"]),
    status=st.none() | st.integers() | st.sampled_from([200, 201, 206, 400, 404, 429, 500, 504]),
    code=st.none() | st.integers() | st.sampled_from([row.code for row in TABLE]),
    message=st.text(max_size=30) | st.sampled_from(["appid is invalid", "no Route matched"]),
    has_sid=st.booleans(),
    has_resource_id=st.booleans(),
)
def test_there_is_an_outcome_and_an_error_or_none_for_everything(**given_: Any) -> None:
    endpoint, status, code = given_["endpoint"], given_["status"], given_["code"]

    outcome = decide(**given_)
    error = error_for(outcome, endpoint, status, code)

    assert outcome.handling in HANDLINGS
    assert outcome.reason
    assert error is None or (error.endpoint, error.status, error.code) == (endpoint, status, code)
    assert outcome.handling != "ok" or error is None


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "status", "code", "kind"),
    [
        ("start", 201, 7, SidUnknownError),
        ("start", 206, 65, AgoraUnavailableError),
        ("start", None, None, AgoraUnavailableError),
        ("start", 200, 433, ResourceExpiredError),
        ("start", 400, 53, UidTakenError),
        ("start", 429, None, RateLimitedError),
        ("acquire", 500, 501, AgoraUnavailableError),
        ("acquire", 400, 406, ServiceFullError),
        ("query", 404, 404, TaskNotFoundError),
        ("stop", 404, 404, TaskNotFoundError),
        ("update", 200, 501, TaskNotFoundError),
        ("start", 200, 109, TokenRejectedError),
        ("start", 400, 2, AgoraRefusedError),
        ("query", 401, None, AgoraRefusedError),
    ],
)
def test_an_answer_that_one_cannot_go_on_with_is_an_error(
    endpoint: str, status: int | None, code: int | None, kind: type[AgoraError]
) -> None:
    error = error_for(decide(endpoint, status, code), endpoint, status, code)

    assert type(error) is kind
    assert (error.endpoint, error.status, error.code) == (endpoint, status, code)


@pytest.mark.parametrize(
    ("endpoint", "status", "code"),
    [
        ("query", 200, None),
        ("stop", 200, None),
        ("stop", 206, None),
        ("stop", 206, 435),
        ("stop", 400, 49),
        ("stop", 200, 50),
        ("stop", 200, 501),
        ("query", 200, 501),
    ],
)
def test_an_answer_that_one_can_go_on_with_is_no_error(
    endpoint: str, status: int, code: int | None
) -> None:
    assert error_for(decide(endpoint, status, code), endpoint, status, code) is None


def test_a_start_that_ran_before_is_no_error_where_its_sid_is_known() -> None:
    outcome = decide("start", 201, 7)

    assert error_for(outcome, "start", 201, 7, has_sid=True) is None


@pytest.mark.parametrize(
    ("status", "code", "what"),
    [(None, None, "no answer"), (503, None, "HTTP 503"), (400, 2, "HTTP 400, code 2")],
)
def test_an_error_says_what_was_answered(status: int | None, code: int | None, what: str) -> None:
    error = error_for(Outcome("permanent", "because"), "start", status, code)
    assert str(error) == f"Agora start: because ({what})."


@pytest.mark.parametrize("handling", HANDLINGS)
def test_every_handling_has_its_error_or_needs_none(handling: Handling) -> None:
    error = error_for(Outcome(handling, "because"), "start", 500, 1)

    needs_none = handling in ("ok", "nothing_recorded", "upload_pending")
    assert (error is None) == needs_none
    assert error is None or "because (HTTP 500, code 1)" in str(error)
