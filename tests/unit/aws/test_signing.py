"""Signed addresses: the same as botocore's own, for any key."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.config import Config
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.aws import clients
from agora_recording.aws.signing import Keys, bucket_url, signer
from tests.world.webhook import NOW_MS

KEYS = Keys("AKIDEXAMPLE", "wJalr/secret+key", "session/token+with=signs")
REGIONAL = "https://s3.eu-west-1.amazonaws.com"


@pytest.fixture(scope="module")
def botocore_sign() -> Iterator[Any]:
    """Return a function that signs as botocore does, at NOW_MS."""
    client = boto3.client(
        "s3",
        region_name="eu-west-1",
        aws_access_key_id=KEYS.access_key,
        aws_secret_access_key=KEYS.secret_key,
        aws_session_token=KEYS.token,
        config=Config(signature_version="s3v4", s3={"addressing_style": "virtual"}),
    )

    def sign(key: str, content_type: str, expires_s: int) -> str:
        url: str = client.generate_presigned_url(
            "get_object",
            Params={"Bucket": "films", "Key": key, "ResponseContentType": content_type},
            ExpiresIn=expires_s,
        )
        return url

    now = datetime.fromtimestamp(NOW_MS / 1000, UTC).replace(tzinfo=None)
    with _botocore_at(now):
        yield sign


def _botocore_at(now: datetime) -> Any:
    """Let botocore sign at this time, also one as old as requirements/floor.in."""
    if hasattr(botocore.auth, "get_current_datetime"):
        return patch("botocore.auth.get_current_datetime", return_value=now)
    return patch("botocore.auth.datetime", SimpleNamespace(datetime=_At(now)))


class _At:
    """The class `datetime` at one instant."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def utcnow(self) -> datetime:
        return self._now

    def __getattr__(self, name: str) -> Any:
        return getattr(datetime, name)


@given(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1).filter(
        # botocore would normalise such a path; none of ours begins with a slash or has dots.
        lambda key: not key.startswith("/") and "./" not in key and "//" not in key
    ),
    st.integers(1, 3600),
)
def test_an_address_is_the_one_that_botocore_makes(
    botocore_sign: Any, key: str, expires_s: int
) -> None:
    sign = signer(bucket_url(REGIONAL, "films"), "eu-west-1", KEYS, NOW_MS, expires_s)
    ours = urlsplit(sign(f"recordings/{key}", "video/MP2T"))
    theirs = urlsplit(botocore_sign(f"recordings/{key}", "video/MP2T", expires_s))
    assert parse_qs(ours.query) == parse_qs(theirs.query)
    assert (ours.scheme, ours.netloc, ours.path) == (theirs.scheme, theirs.netloc, theirs.path)


def test_one_signer_signs_files_of_every_type(botocore_sign: Any) -> None:
    sign = signer(bucket_url(REGIONAL, "films"), "eu-west-1", KEYS, NOW_MS, 60)
    for kind in ("video/MP2T", "video/mp4", "video/MP2T"):
        ours, theirs = sign("recordings/a", kind), botocore_sign("recordings/a", kind, 60)
        assert parse_qs(urlsplit(ours).query) == parse_qs(urlsplit(theirs).query)


def test_keys_that_last_have_no_token() -> None:
    sign = signer("https://films/", "eu-west-1", KEYS._replace(token=None), NOW_MS, 60)
    assert "Security-Token" not in sign("a", "b")


def test_the_secret_is_in_no_address() -> None:
    sign = signer("https://films/", "eu-west-1", KEYS, NOW_MS, 60)
    assert "wJalr" not in sign("a", "b")


@pytest.mark.parametrize(
    ("endpoint", "bucket", "url"),
    [
        (REGIONAL, "films", "https://films.s3.eu-west-1.amazonaws.com/"),
        ("https://s3.amazonaws.com", "films", "https://films.s3.amazonaws.com/"),
        (
            "https://s3.cn-north-1.amazonaws.com.cn",
            "films",
            "https://films.s3.cn-north-1.amazonaws.com.cn/",
        ),
        (REGIONAL, "my.films", f"{REGIONAL}/my.films/"),
        ("http://127.0.0.1:4566", "films", "http://127.0.0.1:4566/films/"),
        ("http://127.0.0.1:4566/", "films", "http://127.0.0.1:4566/films/"),
    ],
)
def test_a_bucket_is_found_where_its_certificate_holds(
    endpoint: str, bucket: str, url: str
) -> None:
    assert bucket_url(endpoint, bucket) == url


def test_the_clients_credentials_are_signed_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token")
    assert clients.keys() == Keys("AKID", "secret", "token")
