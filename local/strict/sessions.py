"""Functions get session tokens as long as AWS's, so that what carries them is as long as there."""

from __future__ import annotations

from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc, sts

TOKEN_LENGTH = 1_200  # a role's token on AWS has 600 to 1,400 characters


def give_long_tokens() -> None:
    """Make the session token of each function's role 1,200 characters long."""
    credentials = lambda_runtime.execution_credentials

    def with_a_long_token(config: dict[str, Any]) -> dict[str, str]:
        found: dict[str, str] = credentials(config)
        short = found["AWS_SESSION_TOKEN"]
        token = (short * (TOKEN_LENGTH // len(short) + 1))[:TOKEN_LENGTH]
        sts._sessions[found["AWS_ACCESS_KEY_ID"]]["SessionToken"] = token
        return {**found, "AWS_SESSION_TOKEN": token}

    lambda_runtime.execution_credentials = with_a_long_token
    lambda_svc.execution_credentials = with_a_long_token
