"""What an error of AWS means: somebody was faster, AWS could not for now, or it never will."""

from __future__ import annotations

from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError

Meaning = Literal["overtaken", "passing", "for good", "other"]

# DynamoDB's codes when the condition of a write, or of one write of a transaction, did not hold.
OVERTAKEN = frozenset(
    {
        "ConditionalCheckFailed",
        "ConditionalCheckFailedException",
        "TransactionConflict",
        "TransactionConflictException",
    }
)
# The request itself is wrong: an item larger than 400 KB, a key that is too long, a wrong value.
_FOR_GOOD = frozenset(
    {
        "ItemCollectionSizeLimitExceeded",
        "ItemCollectionSizeLimitExceededException",
        "SerializationException",
        "ValidationError",
        "ValidationException",
    }
)
# Of the services that the rooms use; an answer with an HTTP status from 500 on passes, too.
_PASSING = frozenset(
    {
        "DependencyTimeoutException",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "KMSInternalException",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
        "TransactionInProgressException",
    }
)


def codes(error: ClientError) -> tuple[str, ...]:
    """Return the code of an error; of a cancelled transaction, the reason of each of its writes."""
    response: Any = error.response
    code = response["Error"]["Code"]
    reasons = tuple(each.get("Code", "None") for each in response.get("CancellationReasons", ()))
    return reasons if reasons and code == "TransactionCanceledException" else (code,)


def meaning(error: BotoCoreError | ClientError) -> Meaning:
    """Return what an error means for the same call.

    overtaken: read again, then write; passing: the same call may work in a moment; for good: it
    never will; other: AWS refuses it (a missing right, a missing resource).
    """
    if isinstance(error, BotoCoreError):
        return "for good" if isinstance(error, ParamValidationError) else "passing"
    found = frozenset(codes(error))
    if found & _FOR_GOOD:
        return "for good"
    if found & OVERTAKEN:
        return "overtaken"
    status: int = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if found & _PASSING or status >= 500:
        return "passing"
    # A transaction that is cancelled without a reason: another one holds its rows.
    return "overtaken" if "TransactionCanceledException" in found else "other"
