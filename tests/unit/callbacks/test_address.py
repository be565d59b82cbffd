"""Where a call may go, and where never."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.callbacks.address import is_public, place_of, problem_of

HOSTS = frozenset({"app.example.com"})
LOCAL = "http://127.0.0.1:8123"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("https://app.example.com", "/"),
        ("https://app.example.com/hooks/recording", "/hooks/recording"),
        ("https://app.example.com:443/hooks", "/hooks"),
        ("HTTPS://App.Example.COM/Hooks", "/Hooks"),
    ],
)
def test_an_address_on_the_list_is_taken(url: str, path: str) -> None:
    assert problem_of(url, HOSTS) is None
    place = place_of(url)
    assert place == ("app.example.com", 443, path, False)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example.com",
        "http://app.example.com/",
        "https://app.example.com:8443/",
        "https://app.example.com:0/",
        "https://app.example.com:99999/",
        "https://user@app.example.com/",
        "https://app.example.com/?token=1",
        "https://app.example.com/#here",
        "https://app.example.com\\@evil.example.com/",
        "https://evil.example.com/",
        "https://app.example.com.evil.example.com/",
        "https://app.example.com./",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/latest/meta-data",
        "https://app.example.com/a b",
        "https://app.example.com/\r\nhost: evil",
        "https://app.example.com/" + "a" * 1024,
        "https://",
        "file:///etc/passwd",
        LOCAL,
    ],
)
def test_any_other_address_is_refused(url: str) -> None:
    assert problem_of(url, HOSTS)


def test_a_refusal_says_what_an_address_must_be() -> None:
    rule = "must have a host that the stack's parameter CallbackHosts allows"
    assert problem_of("https://evil.example.com/", HOSTS) == rule
    assert str(problem_of("http://x/", HOSTS)).startswith("must be https:// ")


def test_an_address_may_be_of_1024_characters() -> None:
    url = "https://app.example.com/"
    assert problem_of(url + "a" * (1024 - len(url)), HOSTS) is None
    assert problem_of(url + "a" * (1025 - len(url)), HOSTS)


def test_a_name_that_is_none_has_no_place_though_a_connection_could_be_tried() -> None:
    for url in ("https://[::1]/", "https:///hook", "https://_x/", "https://app.example.com/a\\b"):
        assert place_of(url) is None


def test_an_origin_without_a_port_is_that_of_plain_http() -> None:
    assert place_of("http://localhost/hook", "http://localhost") == ("localhost", 80, "/hook", True)


def test_without_hosts_the_refusal_names_the_parameter() -> None:
    problem = problem_of("https://app.example.com/", frozenset())
    assert problem == "cannot be used: the stack's parameter CallbackHosts allows no host"


def test_only_the_one_origin_of_the_embedded_run_is_local() -> None:
    assert problem_of(f"{LOCAL}/hook", frozenset(), LOCAL) is None
    assert place_of(f"{LOCAL}/hook", LOCAL) == ("127.0.0.1", 8123, "/hook", True)
    for url in ("http://127.0.0.1:8124/", "http://127.0.0.2:8123/", "http://x@127.0.0.1:8123/"):
        assert problem_of(url, frozenset(), LOCAL)


@given(st.text())
def test_any_text_gets_an_answer(url: str) -> None:
    assert problem_of(url, HOSTS) is not None or place_of(url)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"]
)
def test_public_addresses_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "100.64.0.1"),
        *("169.254.169.254", "169.254.170.2", "224.0.0.1", "255.255.255.255", "240.0.0.1"),
        *("192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1"),
        *("fd00:ec2::254", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8"),
        *("64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2001:0:4136:e378::1"),
        *("2001:db8::1", "::127.0.0.1", "", "localhost", "1.2.3", "0177.0.0.1"),
    ],
)
def test_all_others_are_not(address: str) -> None:
    assert not is_public(address)


@given(st.ip_addresses(v=4, network="10.0.0.0/8") | st.ip_addresses(v=4, network="169.254.0.0/16"))
def test_no_way_to_write_a_private_address_makes_it_public(
    address: ipaddress.IPv4Address,
) -> None:
    mapped = [f"::ffff:{address}", f"64:ff9b::{address}", f"2002:{int(address) >> 16:x}::1"]
    assert not any(is_public(each) for each in (str(address), *mapped))
