"""A client of the HTTP API: requests signed for AWS_IAM, as any AWS tool signs them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Response(NamedTuple):
    """An answer: HTTP status, headers, and the JSON body (or text where it is not JSON)."""

    status: int
    headers: dict[str, str]
    body: Any


class Api:
    """Calls the API that local/stack.json describes."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self.url = facts["api_url"]
        self._region = facts["region"]
        keys = facts["api_credentials"]
        self._credentials = Credentials(keys["access_key_id"], keys["secret_access_key"])

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        signed: bool = True,
    ) -> Response:
        """Call `api_url + path`, with `body` as JSON."""
        data = b"" if body is None else json.dumps(body).encode()
        request = AWSRequest(
            method,
            self.url + path,
            data=data,
            headers={"Content-Type": "application/json", **(headers or {})},
        )
        if signed:
            SigV4Auth(self._credentials, "execute-api", self._region).add_auth(request)
        return send(method, self.url + path, data or None, dict(request.headers.items()))


def send(method: str, url: str, data: bytes | None, headers: Mapping[str, str]) -> Response:
    """Send one request with exactly these headers."""
    try:
        with urlopen(
            Request(url, data=data, method=method, headers=dict(headers)), timeout=60
        ) as got:
            return _response(got.status, dict(got.headers), got.read())
    except HTTPError as error:
        return _response(error.code, dict(error.headers), error.read())


def _response(status: int, headers: dict[str, str], raw: bytes) -> Response:
    try:
        body = json.loads(raw) if raw else None
    except ValueError:
        body = raw.decode(errors="replace")
    return Response(status, headers, body)
