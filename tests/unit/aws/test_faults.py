"""What an error of AWS means for the same call."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    ParamValidationError,
)

from agora_recording.aws.faults import Meaning, meaning
from tests.world.errors import error


def answer(code: str, **more: Any) -> ClientError:
    return error(code, **more)


@pytest.mark.parametrize(
    ("problem", "means"),
    [
        (answer("ConditionalCheckFailedException"), "overtaken"),
        (answer("TransactionConflictException"), "overtaken"),
        (answer("TransactionCanceledException"), "overtaken"),
        (answer("ThrottlingException"), "passing"),
        (answer("KMSInternalException"), "passing"),
        (answer("Unknown", ResponseMetadata={"HTTPStatusCode": 503}), "passing"),
        (answer("Unknown", ResponseMetadata={"HTTPStatusCode": 400}), "other"),
        (answer("AccessDeniedException"), "other"),
        (answer("ValidationException"), "for good"),
        (ConnectTimeoutError(endpoint_url="https://aws"), "passing"),
        (EndpointConnectionError(endpoint_url="https://aws"), "passing"),
        (ParamValidationError(report="x"), "for good"),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_an_error_is_passing_or_for_good(
    problem: BotoCoreError | ClientError, means: Meaning
) -> None:
    assert meaning(problem) == means
