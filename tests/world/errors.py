"""The errors of AWS that the fakes raise, as botocore would."""
# ruff: noqa: N818 - the names of the errors are AWS's

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError


class ConditionalCheckFailedException(ClientError):
    """A condition did not hold."""


class TransactionCanceledException(ClientError):
    """A condition of a transaction did not hold."""


class TransactionConflictException(ClientError):
    """Another transaction holds the item."""


class ExecutionAlreadyExists(ClientError):
    """The name was used for another execution."""


class ExecutionDoesNotExist(ClientError):
    """No execution has this ARN."""


class TaskTimedOut(ClientError):
    """The token's task is closed."""


class TaskDoesNotExist(ClientError):
    """The token belongs to no task."""


class InvalidToken(ClientError):
    """The token is none."""


class ConflictException(ClientError):
    """The name is taken."""


class NoSuchKey(ClientError):
    """There is no such object."""


class ResourceNotFoundException(ClientError):
    """There is no such secret, or version of it, or schedule."""


def error(kind: type[ClientError] | str, **more: Any) -> ClientError:
    """Return an error as botocore would raise it."""
    code = kind if isinstance(kind, str) else kind.__name__
    response: Any = {"Error": {"Code": code, "Message": code}, **more}
    return (ClientError if isinstance(kind, str) else kind)(response, "Operation")
