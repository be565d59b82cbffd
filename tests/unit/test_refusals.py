"""The one table from errors to HTTP."""

from __future__ import annotations

import inspect
from http import HTTPStatus

import pytest

from agora_recording import errors
from agora_recording.refusals import REFUSALS, problem_json, refusal
from functions.receive_notification import app as receive_notification


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.SignatureError("x"), 401),
        (errors.StaleNotificationError("x"), 401),
        (errors.SourceNotAllowedError("x"), 401),
        (errors.NotificationInvalidError("x"), 413),
        (errors.StoreUnavailableError("x"), 503),
        (errors.SecretUnavailableError("x"), 503),
    ],
)
def test_each_error_of_the_webhook_has_its_status(error: Exception, status: int) -> None:
    assert refusal(error).status == status
    assert type(error) in receive_notification._METRICS


def test_every_error_that_the_webhook_counts_has_a_status() -> None:
    for kind in receive_notification._METRICS:
        assert refusal(kind("x")).status >= 400


def test_an_error_that_has_no_row_is_told_by_its_nearest_base_that_has_one() -> None:
    class SpecialError(errors.StaleNotificationError):
        pass

    assert refusal(SpecialError("x")) == REFUSALS[errors.SignatureError]


def test_only_what_may_work_later_says_when() -> None:
    for status, retry_s in REFUSALS.values():
        assert not retry_s or status in (HTTPStatus.CONFLICT, HTTPStatus.SERVICE_UNAVAILABLE)


def test_no_error_of_the_table_is_the_base_of_all() -> None:
    ours = {each for _, each in inspect.getmembers(errors, inspect.isclass)}
    assert REFUSALS.keys() <= ours - {errors.RecordingError, errors.AgoraError}


def test_titles_are_those_of_rfc_9110_in_every_python() -> None:
    problem = problem_json(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "x")
    assert (problem["title"], problem["status"]) == ("Content Too Large", 413)
    assert problem_json(HTTPStatus(422), "x")["title"] == "Unprocessable Content"
    assert problem_json(HTTPStatus(503), "x")["title"] == "Service Unavailable"
