"""WAF IP sets, on moto where it is faithful and on stubbed answers where it is not."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from agora_recording.errors import QuotaError, SettingsError, WriteConflictError
from agora_recording.firewall.plan import IPV4, IPV6
from agora_recording.firewall.target import carry_out
from agora_recording.firewall.waf import WafIpSetTarget
from tests.world.firewall import HOUR_MS, NOW, FakeMemories, decide, ips

if TYPE_CHECKING:
    from mypy_boto3_wafv2 import WAFV2Client


_numbers = count()


def create_set(
    wafv2: WAFV2Client, *addresses: str, family: Any = "IPV4", description: str = "callers"
) -> str:
    summary = wafv2.create_ip_set(
        Name=f"ncs-{next(_numbers)}",
        Scope="REGIONAL",
        IPAddressVersion=family,
        Addresses=list(addresses),
        Description=description,
    )["Summary"]
    return f"{summary['Name']}|{summary['Id']}|REGIONAL"


def addresses_of(wafv2: WAFV2Client, reference: str) -> set[str]:
    name, set_id, _ = reference.split("|")
    return set(wafv2.get_ip_set(Name=name, Id=set_id, Scope="REGIONAL")["IPSet"]["Addresses"])


def test_a_set_cannot_tell_whose_its_addresses_are(wafv2: WAFV2Client) -> None:
    reference = create_set(wafv2, "9.9.9.9/32")
    state = WafIpSetTarget(reference, wafv2).read()
    assert state.present == {"9.9.9.9/32"}
    assert state.marked is None
    assert state.capacity == {IPV4: 10_000}


def test_a_set_of_ipv6_compares_by_the_short_spelling(wafv2: WAFV2Client) -> None:
    long = "2600:0000:0000:0000:0000:0000:0000:0001/128"
    target = WafIpSetTarget(create_set(wafv2, long, family="IPV6"), wafv2)
    assert target.read().present == {"2600::1/128"}
    assert target.read().capacity == {IPV6: 10_000}


def test_one_write_replaces_the_whole_set_and_keeps_the_rest(wafv2: WAFV2Client) -> None:
    reference = create_set(wafv2, "9.9.9.9/32")
    target = WafIpSetTarget(reference, wafv2)
    target.add(ips(1, 2))
    assert addresses_of(wafv2, reference) == {"9.9.9.9/32"} | ips(1, 2)
    target.remove(ips(1))
    assert addresses_of(wafv2, reference) == {"9.9.9.9/32"} | ips(2)
    name, set_id, _ = reference.split("|")
    found = wafv2.get_ip_set(Name=name, Id=set_id, Scope="REGIONAL")["IPSet"]
    assert found["Description"] == "callers"


def test_a_set_changed_by_somebody_else_is_read_again(wafv2: WAFV2Client) -> None:
    found = {"Name": "n", "Id": "i", "ARN": "a" * 20, "IPAddressVersion": "IPV4"}
    with Stubber(wafv2) as stub:
        stub.add_response("get_ip_set", {"IPSet": {**found, "Addresses": []}, "LockToken": "one"})
        stub.add_client_error("update_ip_set", "WAFOptimisticLockException")
        theirs = {**found, "Addresses": ["9.9.9.9/32"]}
        stub.add_response("get_ip_set", {"IPSet": theirs, "LockToken": "two"})
        stub.add_response(
            "update_ip_set",
            {"NextLockToken": "three"},
            {
                "Name": "n",
                "Id": "i",
                "Scope": "REGIONAL",
                "Addresses": ["8.8.8.1/32", "9.9.9.9/32"],
                "LockToken": "two",
            },
        )
        WafIpSetTarget("n|i|REGIONAL", wafv2).add(ips(1))
        stub.assert_no_pending_responses()


def test_a_set_that_is_changed_all_the_time_is_given_up(wafv2: WAFV2Client) -> None:
    found = {"Name": "n", "Id": "i", "ARN": "a" * 20, "IPAddressVersion": "IPV4", "Addresses": []}
    with Stubber(wafv2) as stub:
        for _ in range(6):
            stub.add_response("get_ip_set", {"IPSet": found, "LockToken": "one"})
            stub.add_client_error("update_ip_set", "WAFOptimisticLockException")
        with pytest.raises(WriteConflictError):
            WafIpSetTarget("n|i|REGIONAL", wafv2).add(ips(1))


def test_a_full_set_is_a_matter_of_quota(wafv2: WAFV2Client) -> None:
    found = {"Name": "n", "Id": "i", "ARN": "a" * 20, "IPAddressVersion": "IPV4", "Addresses": []}
    with Stubber(wafv2) as stub:
        stub.add_response("get_ip_set", {"IPSet": found, "LockToken": "one"})
        stub.add_client_error("update_ip_set", "WAFLimitsExceededException")
        with pytest.raises(QuotaError):
            WafIpSetTarget("n|i|REGIONAL", wafv2).add(ips(1))


def test_addresses_of_others_in_a_set_outlive_every_rotation(wafv2: WAFV2Client) -> None:
    reference = create_set(wafv2, "9.9.9.9/32", "8.8.8.2/32")
    target, memories = WafIpSetTarget(reference, wafv2), FakeMemories()
    for day in range(6):
        wanted = ips(1, 2) if day == 0 else ips(3, 4)
        carry_out(target, memories, decide(wanted, NOW + day * 24 * HOUR_MS))
    assert addresses_of(wafv2, reference) == {"9.9.9.9/32", "8.8.8.2/32"} | ips(3, 4)


def test_a_reference_of_another_form_is_an_error_that_names_it() -> None:
    with pytest.raises(SettingsError, match=r"name\|id\|scope, not 'arn:aws"):
        WafIpSetTarget("arn:aws:wafv2:eu-west-1:1:regional/ipset/n/i")
