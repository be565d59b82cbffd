"""What the template says of calls to the app."""

from __future__ import annotations

import base64
import re

import pytest

from local.template import ROOT, functions, template

RESOURCES = template()["Resources"]


def test_no_deploy_can_allow_a_call_to_loopback() -> None:
    assert "CALLBACK_LOOPBACK" not in (ROOT / "template.yaml").read_text()
    assert "CALLBACK_LOOPBACK" in (ROOT / "local" / "stack.py").read_text()


def test_the_secret_that_is_made_is_base64_of_as_many_bytes_as_a_key_may_have() -> None:
    made = RESOURCES["CallbackSecret"]["Properties"]["GenerateSecretString"]
    assert made["GenerateStringKey"] == "current"
    assert made["ExcludePunctuation"]
    assert len(base64.b64decode("a" * made["PasswordLength"], validate=True)) in range(24, 65)


@pytest.mark.parametrize(("count", "is_allowed"), [(0, True), (1, True), (10, True), (11, False)])
def test_a_stack_has_ten_addresses_of_its_own_at_most(count: int, is_allowed: bool) -> None:
    pattern = template()["Parameters"]["CallbackEndpoints"]["AllowedPattern"]
    text = ", ".join(f"https://app{number}.example.com/hook" for number in range(count))
    assert bool(re.fullmatch(pattern, text)) is is_allowed


def test_a_slow_address_delays_no_other_message() -> None:
    mapping = RESOURCES["SendCallbackFunctionAsked"]["Properties"]
    assert mapping["BatchSize"] == 1
    assert mapping["ScalingConfig"]["MaximumConcurrency"] >= 10


def test_the_room_that_calls_out_may_do_nothing_else() -> None:
    text = str(functions()["SendCallbackFunction"]["Policies"])
    for service in ("s3:", "states:", "events:", "dynamodb:DeleteItem", "dynamodb:UpdateItem"):
        assert service not in text, service
