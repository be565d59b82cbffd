"""What API Gateway refuses before a function runs: the second table of docs/mistakes.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from botocore import auth
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import get_current_datetime
from botocore.credentials import Credentials

from local.api import Response, send
from local.template import ROOT
from tests.e2e.conftest import Stage

PAGE = (ROOT / "docs" / "mistakes.md").read_text()
BODY = {"cname": "mistakes", "clientRequest": {"recordingConfig": {"channelType": 1}}}


def signed(
    stage: Stage,
    *,
    service: str = "execute-api",
    region: str = "",
    key: str = "",
    secret: str = "",
    api_url: str = "",
    sent: str = "",
    minutes: int = 0,
    body: bytes | None = None,
) -> Response:
    """Read the list with a signature that somebody made wrongly; `sent` is another query.

    `minutes`: how much the clock that signs is ahead. `body` is sent, and not signed.
    """
    keys = stage.facts["api_credentials"]
    credentials = Credentials(key or keys["access_key_id"], secret or keys["secret_access_key"])
    url = f"{api_url or stage.api.url}/recordings"
    method = "POST" if body else "GET"
    request = AWSRequest(method, f"{url}?limit=5")
    signer = SigV4Auth(credentials, service, region or stage.facts["region"])
    with clock_ahead(minutes):
        signer.add_auth(request)
    where = f"{url}?{sent or 'limit=5'}"
    return send(method, where, body, dict(request.headers.items()))


@contextmanager
def clock_ahead(minutes: int) -> Iterator[None]:
    """Let botocore sign at a time that is so many minutes ahead."""
    ahead = get_current_datetime() + timedelta(minutes=minutes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(auth, "get_current_datetime", lambda **_: ahead)
        yield


def as_a_stranger(stage: Stage) -> Response:
    """Call as a user of the account who has no right to it."""
    iam = stage.stack.client("iam")
    iam.create_user(UserName="stranger")
    key = iam.create_access_key(UserName="stranger")["AccessKey"]
    return signed(stage, key=key["AccessKeyId"], secret=key["SecretAccessKey"])


# By what somebody did, as the page has it.
MISTAKES: dict[str, Callable[[Stage], Response]] = {
    "no signature": lambda it: it.api.call("POST", "/recordings", BODY, signed=False),
    "the wrong method": lambda it: it.api.call("PUT", "/recordings", BODY),
    "a path that no call has": lambda it: it.api.call("POST", "/recording", BODY),
    "a path without the stage": lambda it: signed(it, api_url=it.api.url.removesuffix("/v1")),
    "signed for another service": lambda it: signed(it, service="s3"),
    "signed for another region": lambda it: signed(it, region="eu-west-1"),
    "a query changed after signing": lambda it: signed(it, sent="limit=6"),
    "a body that was not signed (`curl -F`)": lambda it: signed(it, body=b"--form"),
    "a clock that is 20 minutes slow": lambda it: signed(it, minutes=-20),
    "a clock that is 20 minutes fast": lambda it: signed(it, minutes=20),
    "the wrong secret key": lambda it: signed(it, secret="wrong"),
    "an access key that nobody has": lambda it: signed(it, key="AKIAIOSFODNN7EXAMPLE"),
    "no right to call the API": as_a_stranger,
}


def told() -> dict[str, tuple[int, str]]:
    """Return the rows of the page: what somebody did, the status, and how the message begins."""
    table = PAGE.partition("<!-- gateway -->")[2].partition("<!-- end of gateway -->")[0]
    rows = re.findall(r"^\| (.+?) \| (\d{3}) \| `(.+?)` \|", table, re.MULTILINE)
    return {did: (int(status), message) for did, status, message in rows}


def test_the_page_tells_every_one_of_them() -> None:
    assert told().keys() == MISTAKES.keys()


@pytest.mark.parametrize("did", MISTAKES)
def test_what_api_gateway_refuses_has_the_words_of_the_page(stage: Stage, did: str) -> None:
    answer = MISTAKES[did](stage)
    status, message = told()[did]
    assert answer.status == status
    begin, _, end = message.partition("…")
    assert answer.body["message"].startswith(begin)
    assert end.strip() in answer.body["message"]
