"""Where Agora uploads to, in Agora's terms, with no more rights than it needs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from agora_recording.agora.storage import (
    REGION_NUMBERS,
    Storage,
    StorageKeys,
    region_number,
    session_policy,
    storage_config,
)
from agora_recording.aws.secrets import SecretStore
from agora_recording.errors import SecretUnavailableError, StorageRegionError
from tests.world.examples import stored
from tests.world.secrets import FakeSecretsManager

PREFIX = "recordings/01ARZ3NDEKTSV4RRFFQ69G5FAV/"
KEYS = StorageKeys("AKIAEXAMPLE", "hush")


class FakeSts:
    """Makes federation tokens, and remembers what for."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def get_federation_token(self, **request: Any) -> dict[str, Any]:
        self.asked.append(request)
        return {
            "Credentials": {
                "AccessKeyId": "ASIATEMP",
                "SecretAccessKey": "hush too",
                "SessionToken": "token",
                "Expiration": datetime(2026, 11, 21, tzinfo=UTC),
            }
        }


def storage(secrets: FakeSecretsManager, sts: FakeSts | None = None, **more: Any) -> Storage:
    """Return a Storage over fakes."""
    return Storage(
        bucket="bucket",
        aws_region="eu-west-1",
        secret_id="storage",
        secrets=SecretStore(secrets),  # type: ignore[arg-type]
        sts=lambda keys: sts,  # type: ignore[arg-type, return-value]
        **more,
    )


def filled() -> FakeSecretsManager:
    """Return a manager whose storage secret is filled in."""
    return FakeSecretsManager(storage=json.dumps({"accessKey": "AKIA", "secretKey": "hush"}))


def test_the_config_is_what_agora_wants() -> None:
    config = storage(filled()).config(PREFIX)
    assert config == {
        "vendor": 1,
        "region": 4,
        "bucket": "bucket",
        "accessKey": "AKIA",
        "secretKey": "hush",
        "fileNamePrefix": ["recordings", "01ARZ3NDEKTSV4RRFFQ69G5FAV"],
    }
    assert stored(config).problems == ()


def test_encryption_and_tags_ride_along() -> None:
    config = storage_config(
        bucket="b", aws_region="us-east-1", prefix=PREFIX, keys=KEYS, sse="kms", tag="team=a"
    )
    assert config["extensionParams"] == {"sse": "kms", "tag": "team=a"}
    assert stored(config).problems == ()


def test_temporary_credentials_are_limited_to_the_prefix_and_live_twelve_hours() -> None:
    sts = FakeSts()
    config = storage(filled(), sts, credentials="temporary").config(PREFIX)
    assert config["stsToken"] == "token"
    assert config["stsExpiration"] == 1_795_219_200
    assert config["accessKey"] == "ASIATEMP"
    asked = sts.asked[0]
    assert asked["DurationSeconds"] >= 4 * 3600
    policy = json.loads(asked["Policy"])
    assert policy["Version"] == "2012-10-17"
    statement = policy["Statement"][0]
    assert statement["Resource"] == f"arn:aws:s3:::bucket/{PREFIX}*"
    assert "s3:GetObject" not in statement["Action"]
    assert stored(config).problems == ()


def test_the_session_policy_fits_into_what_sts_takes() -> None:
    key = "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/" + "0" * 36
    prefix = "p" * 79 + "/" + PREFIX
    assert len(session_policy("aws-us-gov", "b" * 63, prefix, key)) < 2048


def test_temporary_credentials_may_use_the_key_of_the_bucket_and_no_other() -> None:
    policy = json.loads(session_policy("aws", "bucket", PREFIX, "arn:key"))
    _, key = policy["Statement"]
    assert key["Resource"] == "arn:key"
    assert set(key["Action"]) == {"kms:GenerateDataKey", "kms:Decrypt"}


@pytest.mark.parametrize("region", ["eu-central-2", "me-central-1", "mx-central-1"])
def test_a_region_without_a_number_is_refused_in_a_sentence(region: str) -> None:
    with pytest.raises(StorageRegionError, match=f"no number for the AWS region {region}"):
        region_number(region)


def test_no_two_regions_share_a_number() -> None:
    assert len(set(REGION_NUMBERS.values())) == len(REGION_NUMBERS)


@pytest.mark.parametrize("text", ["{}", "not json", '{"accessKey": 1, "secretKey": "hush"}'])
def test_a_secret_that_is_not_filled_in_is_named_but_never_shown(text: str) -> None:
    with pytest.raises(SecretUnavailableError) as caught:
        storage(FakeSecretsManager(storage=text)).config(PREFIX)
    assert "storage" in str(caught.value)
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_secret_is_read_once_in_five_minutes() -> None:
    manager, now = filled(), [0.0]
    store = SecretStore(manager, monotonic=lambda: now[0])  # type: ignore[arg-type]
    for second in (0, 100, 299):
        now[0] = second
        store.read("storage", StorageKeys)
    assert manager.reads == 1
    now[0] = 301
    store.read("storage", StorageKeys)
    assert manager.reads == 2
    store.forget("storage")
    store.read("storage", StorageKeys)
    assert manager.reads == 3
