"""The signature of calls to the app, held against the vectors and against the reference package."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from agora_recording.callbacks.signing import SigningSecrets, headers, key_of, signature
from agora_recording.errors import SecretUnavailableError

OFFICIAL = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OWN = "whsec_" + base64.b64encode(bytes(range(32))).decode()
keys = st.binary(min_size=24, max_size=64)


@pytest.mark.parametrize(
    ("secret", "message_id", "timestamp_s", "body", "expected"),
    [
        (
            OFFICIAL,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            b'{"test": 2432232314}',
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        (
            OWN,
            "msg_rec1",
            1_790_000_000,
            b'{"type":"recording.completed"}',
            "v1,AcNDXBZa6OBcC1UHAZRd5v8oST9XlCj3hdOy7EXiheA=",
        ),
    ],
)
def test_the_vectors_hold(
    secret: str, message_id: str, timestamp_s: int, body: bytes, expected: str
) -> None:
    assert signature(message_id, timestamp_s, body, [key_of(secret)]) == expected


def told(body: bytes, *signing: bytes) -> dict[str, str]:
    now_s = int(datetime.now(UTC).timestamp())
    return headers("01KAG-completed", now_s, body, signing)


@given(body=st.text(), current=keys, previous=keys)
def test_a_receiver_with_either_live_secret_accepts(
    body: str, current: bytes, previous: bytes
) -> None:
    """A lone surrogate cannot be sent: JSON of ours is valid UTF-8."""
    raw = b'{"text": "' + base64.b64encode(body.encode(errors="replace")) + b'"}'
    for key in (current, previous):
        receiver = Webhook(base64.b64encode(key).decode())
        assert receiver.verify(raw, told(raw, current, previous))


@given(place=st.integers(min_value=0), current=keys, other=keys)
def test_what_was_tampered_with_is_refused(place: int, current: bytes, other: bytes) -> None:
    raw = b'{"type": "recording.completed", "data": {}}'
    sent = told(raw, current)
    receiver = Webhook(base64.b64encode(current).decode())
    at = place % len(raw)
    changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
    with pytest.raises(WebhookVerificationError):
        receiver.verify(changed, sent)
    with pytest.raises(WebhookVerificationError):
        receiver.verify(raw, {**sent, "webhook-id": "01KAG-failed"})
    if other != current:
        with pytest.raises(WebhookVerificationError):
            Webhook(base64.b64encode(other).decode()).verify(raw, sent)


def test_a_secret_may_be_written_with_its_prefix_or_without() -> None:
    bare = OFFICIAL.removeprefix("whsec_")
    assert SigningSecrets(current=bare, previous=OFFICIAL).keys == [key_of(OFFICIAL)] * 2


def test_a_secret_may_have_white_space_around_it_but_not_inside() -> None:
    assert key_of(f" {OFFICIAL}\n") == key_of(OFFICIAL)
    with pytest.raises(SecretUnavailableError, match="24 to 64 bytes in base64; docs"):
        key_of(OFFICIAL[:20] + " " + OFFICIAL[20:])


def test_a_call_is_json_and_says_who_calls() -> None:
    told = headers("m", 1, b"{}", [bytes(24)])
    assert (told["content-type"], told["user-agent"]) == ("application/json", "agora-recording")
    others = {"webhook-id", "webhook-timestamp", "webhook-signature"}
    assert told.keys() == {"content-type", "user-agent", *others}


def test_without_a_previous_secret_one_signs() -> None:
    assert len(SigningSecrets(current=OWN).keys) == 1


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "not base64!", "a" * 100])
def test_a_secret_of_another_form_is_named_but_never_shown(secret: str) -> None:
    with pytest.raises(SecretUnavailableError) as caught:
        key_of(secret)
    assert caught.value.__cause__ is None
    assert secret.removeprefix("whsec_") not in str(caught.value) or secret == "whsec_"
