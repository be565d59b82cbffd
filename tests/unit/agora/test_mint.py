"""Tokens of the stack's own: made if the secret has a certificate, and of no use elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agora_recording.agora.mint import Mint
from agora_recording.aws.secrets import SecretStore
from agora_recording.errors import SecretUnavailableError
from local.agora.rules import RefusalError
from local.agora.tokens import check
from tests.world.secrets import FakeSecretsManager
from tests.world.webhook import NOW_MS

APP_ID, CERTIFICATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2
ASKED = {"app_id": APP_ID, "certificate": CERTIFICATE, "channel": "standup", "uid": "7"}


def mint(app_id: str = APP_ID, **more: str) -> Mint:
    keys = {"customerId": "id", "customerSecret": "hush", **more}
    manager: Any = FakeSecretsManager(agora=json.dumps(keys))
    return Mint(
        app_id=app_id,
        secret_id="agora",
        valid_s=86_400,
        secrets=SecretStore(manager),
        randomness=lambda: 2**63 + 5,
    )


def test_a_token_is_for_one_uid_of_one_channel_and_for_a_day() -> None:
    minted = mint(appCertificate=CERTIFICATE).token("standup", "7", NOW_MS)
    assert minted is not None
    assert minted.until_ms == (NOW_MS // 1000 + 86_400) * 1000
    read = check(minted.token, **ASKED, now_ms=NOW_MS)
    assert (read.expires_s, read.join_s) == (86_400, 86_400)
    for other in ({"uid": "8"}, {"channel": "other"}, {"app_id": CERTIFICATE}):
        with pytest.raises(RefusalError) as refusal:
            check(minted.token, **{**ASKED, **other}, now_ms=NOW_MS)
        assert refusal.value.code == 110


@pytest.mark.parametrize("keys", [{}, {"appCertificate": ""}, {"appCertificate": " "}])
def test_a_project_without_a_certificate_needs_no_token(keys: dict[str, str]) -> None:
    assert mint(**keys).token("standup", "7", NOW_MS) is None


def test_a_certificate_may_be_pasted_with_spaces_around_it() -> None:
    minted = mint(appCertificate=f" {CERTIFICATE}\n").token("standup", "7", NOW_MS)
    assert minted
    check(minted.token, **ASKED, now_ms=NOW_MS)


def test_what_is_no_certificate_is_named_and_never_shown() -> None:
    with pytest.raises(SecretUnavailableError, match="appCertificate") as failure:
        mint(appCertificate="hush" * 4).token("standup", "7", NOW_MS)
    assert "hushhush" not in str(failure.value)


def test_an_app_id_that_cannot_be_signed_is_named() -> None:
    with pytest.raises(SecretUnavailableError, match="AgoraAppId"):
        mint("app", appCertificate=CERTIFICATE).token("standup", "7", NOW_MS)
