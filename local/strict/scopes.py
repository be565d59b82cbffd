"""The HTTP API takes a signature for `execute-api` and its own region alone, as API Gateway does.

The emulator checks a signature by its own scope, whichever service that names. So a client that
signs for `apigateway` or `lambda` would work here, and get 403 on AWS; and one that signs for
another region would be told of a missing right, where AWS names the region.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from ministack import app

from local.emulator import REGION

SERVICE = "execute-api"
_SIGNED = re.compile(r"AWS4-HMAC-SHA256 .*?Credential=([^,\s]+)")
Answer = tuple[int, dict[str, str], bytes]


def refuse_other_scopes() -> None:
    """Answer 403 to a call of the HTTP API that is signed for another service or region."""
    enforce: Any = app._enforce_execute_api

    def enforce_with_scope(
        api_id: str,
        stage: str,
        method: str,
        execute_path: str,
        headers: Mapping[str, str],
        query: Mapping[str, Sequence[str]],
        **named: Any,
    ) -> Any:
        kind = app._execute_api_authorization_type(api_id, stage, method, execute_path)
        refused = refusal(headers, query) if kind == "AWS_IAM" else None
        return refused or enforce(api_id, stage, method, execute_path, headers, query, **named)

    app._enforce_execute_api = enforce_with_scope


def refusal(headers: Mapping[str, str], query: Mapping[str, Sequence[str]]) -> Answer | None:
    """Return API Gateway's answer to a signature for another service or another region.

    None if it fits, or if there is none.

    `headers` have names in lower case.
    """
    signed = _SIGNED.match(headers.get("authorization", ""))
    scope = signed[1] if signed else (query.get("X-Amz-Credential") or [""])[0]
    parts = scope.replace("%2F", "/").split("/")
    if len(parts) != 5 or parts[2:4] == [REGION, SERVICE]:
        return None
    message = f"Credential should be scoped to correct service: '{SERVICE}'. "
    if parts[3] == SERVICE:
        message = f"Credential should be scoped to a valid region, not '{parts[2]}'. "
    answered = {
        "Content-Type": "application/json",
        "x-amzn-ErrorType": "InvalidSignatureException",
    }
    return 403, answered, json.dumps({"message": message}).encode()
