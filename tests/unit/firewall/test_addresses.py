"""Agora's addresses: what is believed, what is refused, and who is asked."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.errors import (
    AddressesRefusedError,
    AgoraRefusedError,
    AgoraUnavailableError,
    RateLimitedError,
)
from agora_recording.firewall import addresses


def answer(*ips: Any) -> bytes:
    return json.dumps({"data": {"service": {"hosts": [{"primaryIP": ip} for ip in ips]}}}).encode()


class Agora:
    """Answers by URL; None is a connection that fails."""

    def __init__(self, *answers: tuple[int | None, bytes] | None) -> None:
        self.asked: list[str] = []
        self._answers = dict(zip(addresses.ENDPOINTS, answers, strict=False))

    def __call__(self, url: str) -> tuple[int | None, bytes]:
        self.asked.append(url)
        found = self._answers[url]
        if found is None:
            raise ConnectionError("no route to host")
        return found


# --- what is believed ---


def test_an_ipv4_address_becomes_a_block_of_one() -> None:
    assert addresses.parse(answer("8.8.8.8", "8.8.4.4")) == {"8.8.8.8/32", "8.8.4.4/32"}


def test_an_ipv6_address_becomes_a_block_of_one_in_its_short_spelling() -> None:
    assert addresses.parse(answer("2600:0:0:0:0:0:0:0001")) == {"2600::1/128"}


def test_an_address_named_twice_counts_once() -> None:
    assert addresses.parse(answer("2600::1", "2600:0::1", "8.8.8.8", "8.8.8.8/32")) == {
        "2600::1/128",
        "8.8.8.8/32",
    }


@pytest.mark.parametrize("block", ["8.8.0.0/16", "8.8.8.0/24", "2600:1f18::/32"])
def test_a_block_that_is_not_too_wide_is_believed(block: str) -> None:
    assert addresses.parse(answer(block)) == {block}


def test_other_fields_do_not_matter() -> None:
    host = {"primaryIP": "8.8.8.8", "secondaryIP": "10.0.0.1", "region": 3}
    body = {"status": "ok", "data": {"service": {"hosts": [host], "name": "ncs"}, "more": []}}
    assert addresses.parse(json.dumps(body).encode()) == {"8.8.8.8/32"}


@given(st.lists(st.ip_addresses(), min_size=1, max_size=20))
def test_what_is_believed_is_public_and_narrow(found: list[ipaddress.IPv4Address]) -> None:
    try:
        believed = addresses.parse(answer(*map(str, found)))
    except AddressesRefusedError:
        return
    for cidr in believed:
        network = ipaddress.ip_network(cidr)
        assert network.num_addresses == 1
        assert not any((network.is_multicast, network.is_loopback, network.is_link_local))
        assert not cidr.startswith(("0.", "10.", "127.", "192.168.", "::", "fc", "fd"))
        assert addresses.canonical(cidr) == cidr


# --- what is refused ---


@pytest.mark.parametrize(
    ("ip", "rule"),
    [
        ("10.1.2.3", "private"),
        ("172.31.0.1", "private"),
        ("192.168.1.1", "private"),
        ("fd12::1", "private"),
        ("100.64.0.9", "carrier"),
        ("127.0.0.1", "loopback"),
        ("::1", "loopback"),
        ("169.254.169.254", "link-local"),
        ("fe80::1", "link-local"),
        ("224.0.0.251", "multicast"),
        ("ff02::1", "multicast"),
        ("0.0.0.0", "unspecified"),
        ("::", "unspecified"),
        ("198.18.0.1", "benchmarks"),
        ("255.255.255.255", "reserved"),
        ("240.0.0.1", "reserved"),
        ("192.0.0.8", "reserved"),
        ("2002:0a00:0001::1", "reserved"),
        ("2001::1", "reserved"),
        ("::ffff:8.8.8.8", "not global unicast"),
        ("64:ff9b::808:808", "not global unicast"),
        ("203.0.113.10", "documentation"),
        ("2001:db8::1", "documentation"),
        ("0.0.0.0/0", "wider than /16"),
        ("8.0.0.0/15", "wider than /16"),
        ("::/0", "wider than /32"),
        ("2600::/31", "wider than /32"),
        ("8.8.8.8/24", "not an address"),
        ("8.8.8.8.", "not an address"),
        ("08.8.8.8", "not an address"),
        (" 8.8.8.8", "not an address"),
        ("agora.io", "not an address"),
        ("", "not an address"),
        ("8.8.8.8:443", "not an address"),
        ("2600::1%eth0", "not an address"),
        ("8.8.8.8/ 32", "not an address"),
    ],
)
def test_one_suspicious_entry_spoils_the_whole_answer(ip: str, rule: str) -> None:
    with pytest.raises(AddressesRefusedError, match=rule):
        addresses.parse(answer("8.8.8.8", ip))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>maintenance</html>",
        b"[]",
        b"{}",
        b'{"data":null}',
        b'{"data":{"service":{}}}',
        b'{"data":{"service":{"hosts":{}}}}',
        b'{"data":{"service":{"hosts":[{}]}}}',
        b'{"data":{"service":{"hosts":[null]}}}',
        b'{"data":{"service":{"hosts":["8.8.8.8"]}}}',
        b'{"data":{"service":{"hosts":[{"primaryIP":134744072}]}}}',
        b'{"data":{"service":{"hosts":[{"primaryIP":"8.8.8.8"}]}}} x',
        b'{"data":{"service":{"hosts":[{"primaryIP":"\xff"}]}}}',
        b'{"x":' + b"[" * 100_000,
    ],
)
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(AddressesRefusedError, match="documented JSON"):
        addresses.parse(body)


def test_an_empty_answer_is_refused() -> None:
    with pytest.raises(AddressesRefusedError, match="no address"):
        addresses.parse(answer())


def test_an_answer_beyond_belief_is_refused() -> None:
    many = [f"8.8.{number // 256}.{number % 256}" for number in range(addresses.MAX_ADDRESSES + 1)]
    with pytest.raises(AddressesRefusedError, match="1001 addresses"):
        addresses.parse(answer(*many))


@given(st.binary(max_size=200))
def test_no_bytes_get_past_the_rules_unjudged(body: bytes) -> None:
    with pytest.raises(AddressesRefusedError):
        addresses.parse(body)


@given(st.text(max_size=40))
def test_no_text_in_the_place_of_an_address_does_other_than_pass_or_be_refused(text: str) -> None:
    try:
        believed = addresses.parse(answer(text))
    except AddressesRefusedError:
        return
    assert all(ipaddress.ip_network(cidr) for cidr in believed)


def test_documentation_addresses_pass_where_they_are_expected() -> None:
    body = answer("203.0.113.10", "198.51.100.1", "192.0.2.1", "2001:db8::1", "3fff::1")
    assert len(addresses.parse(body, allow_documentation=True)) == 5


def test_documentation_addresses_open_no_door_for_others() -> None:
    with pytest.raises(AddressesRefusedError, match="private"):
        addresses.parse(answer("203.0.113.10", "10.0.0.1"), allow_documentation=True)


# --- who is asked ---


def test_the_first_address_that_answers_is_enough() -> None:
    agora = Agora((200, answer("8.8.8.8")), None)
    assert addresses.fetch(agora) == {"8.8.8.8/32"}
    assert agora.asked == ["https://api.sd-rtn.com/v1/ncs/ip"]


@pytest.mark.parametrize("first", [(404, b""), (500, b""), (503, b"busy"), (None, b""), None])
def test_the_second_address_is_asked_when_the_first_has_no_answer(
    first: tuple[int | None, bytes] | None,
) -> None:
    agora = Agora(first, (200, answer("8.8.8.8")))
    assert addresses.fetch(agora) == {"8.8.8.8/32"}
    assert agora.asked == list(addresses.ENDPOINTS)


def test_it_is_said_of_each_address_why_it_did_not_answer() -> None:
    with pytest.raises(AgoraUnavailableError, match=r"v1/ncs/ip: HTTP 502; .*no route to host"):
        addresses.fetch(Agora((502, b""), None))


def test_a_refused_answer_is_not_asked_for_elsewhere() -> None:
    agora = Agora((200, answer()), (200, answer("8.8.8.8")))
    with pytest.raises(AddressesRefusedError):
        addresses.fetch(agora)
    assert len(agora.asked) == 1


def test_a_wrong_credential_is_not_tried_elsewhere() -> None:
    agora = Agora((401, b"Invalid authentication"), (200, answer("8.8.8.8")))
    with pytest.raises(AgoraRefusedError, match="HTTP 401"):
        addresses.fetch(agora)
    assert len(agora.asked) == 1


def test_a_used_up_quota_is_not_used_further() -> None:
    agora = Agora((429, b""), (200, answer("8.8.8.8")))
    with pytest.raises(RateLimitedError):
        addresses.fetch(agora)
    assert len(agora.asked) == 1


@pytest.mark.parametrize(
    "base_url",
    ["", "https://api.agora.io", "https://api.sd-rtn.com", "https://api-eu-west-1.agora.io"],
)
def test_agoras_own_hosts_mean_the_documented_addresses(base_url: str) -> None:
    assert addresses.endpoints(base_url) == addresses.ENDPOINTS


@pytest.mark.parametrize("base_url", ["http://127.0.0.1:8099/", "https://evil-agora.io"])
def test_another_host_is_asked_for_both_paths(base_url: str) -> None:
    host = base_url.rstrip("/")
    assert addresses.endpoints(base_url) == (f"{host}/v1/ncs/ip", f"{host}/v2/ncs/ip")
