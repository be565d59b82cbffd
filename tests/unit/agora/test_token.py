"""RTC tokens: the bytes of Agora's own builders."""

from __future__ import annotations

import base64
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.agora.token import SALTS, Service, build, is_hex32, rtc
from local.agora.rules import RefusalError
from local.agora.tokens import check

APP_ID = "970CA35de60c44645bbae8a215061b33"
CERTIFICATE = "5CFd2fd1755d40ecb72977518be15d3b"
CHANNEL = "7d72365eb983485397e3e3f9d460bdda"
RTM = 2
UID = "2882341273"
ALL = (1, 2, 3, 4)

# Agora's builders' own vectors: the token of the Python builder, that of the Go builder, and the
# signature.
V1 = (
    "007eJxTYBBbsMMnKq7p9Hf/HcIX5kce9b518kCiQgSr5Zrp4X1Tu6UUGCzNDZwdjU1TUs0Mkk1MzExMk5ISUy0SjQxNDcw"
    "Mk4yN3b8IMEQwMTAwMoAwBIL4CgzmKeZGxmamqUmWFsYmFqbGluapxqnGaZYpJmYGSSkpiVwMRhYWRsYmhkbmxgDCaiTj",
    "007eJxSYBBbsMMnKq7p9Hf/HcIX5kce9b518kCiQgSr5Zrp4X1Tu6UUGCzNDZwdjU1TUs0Mkk1MzExMk5ISUy0SjQxNDcw"
    "Mk4yN3b8IMEQwMTAwMoAwBIL4CgzmKeZGxmamqUmWFsYmFqbGluapxqnGaZYpJmYGSSkpiVwMRhYWRsYmhkbmxoAAAAD//8"
    "JqJOM=",
    "16a0b84c5a5e82cbf74fb813d09f59c54bdac9c06120580539ac97578e958b1a",
)
V2 = (
    "007eJxTYLhzZP08Lxa1Pg57+TcXb/3cZ3wi4V6kbpbOog0G2dOYk20UGCzNDZwdjU1TUs0Mkk1MzExMk5ISUy0SjQxNDcw"
    "Mk4yN3b8IMEQwMTAwMoAwBIL4CgzmKeZGxmamqUmWFsYmFqbGluapxqnGaZYpJmYGSSkpiQwMADacImo=",
    "007eJxSYLhzZP08Lxa1Pg57+TcXb/3cZ3wi4V6kbpbOog0G2dOYk20UGCzNDZwdjU1TUs0Mkk1MzExMk5ISUy0SjQxNDcw"
    "Mk4yN3b8IMEQwMTAwMoAwBIL4CgzmKeZGxmamqUmWFsYmFqbGluapxqnGaZYpJmYGSSkpiQwMgAAAAP//Npwiag==",
    "dcc4af9e4a04268e083f1fecd1daf9be33c860de592d6a2ca2b0306b9603633c",
)
V3 = (
    "007eJxTYOAQsrQ5s3TfH+1tvy8zZZ46EpCc0V43JXdGd2jS8porKo4KDJbmBs6OxqYpqWYGySYmZiamSUmJqRaJRoamBma"
    "GScbG7l8EGCKYGBgYGRgYmIAkCxCD+ExgkhlMsoBJBQbzFHMjYzPT1CRLC2MTC1NjS/NU41TjNMsUEzODpJSURC4GIwsLI2"
    "MTQyNzY5BZEJM4GUpSi0viS4tTiwAipyp4",
    None,
    "0812393ccca5befc2bb6fbd30269cac4506368877e946d988b5562a77cd42441",
)
# Made with Agora's builder, and recomputed.
S1 = (
    "007eJxTYBAW4DcQX55uy5R5Re70DPttzwQ2L1ywrmhH2JbzkdFpC1coMFiaGzg7GpumpJoZJJuYmJmYJiUlplokGhmaGpg"
    "ZJhkbN1hvzGoIZGTwS9zDwAiFID47Q3FJYl5KaQEXg4mRAQQYAgBGlCDX",
    None,
    "13100f3017a7673d0269d41ecb983fb6e610b3a1a0ae72b856b4cf595b66a1a8",
)
S2 = (
    "007eJxTYDj9Tty7vEsnUf+Q2nJRtz9udQvaBPSDLl9mvyXoGe/hWqLAYGlu4OxobJqSamaQbGJiZmKalJSYapFoZGhqYGa"
    "YZGzcYL0xS4CPgeH/g6+sjAyMDCxADOIzgUlmMMkCJgUYUhIzcyoViksS81J0SwviDbkYTIwsTSzNzI0sTQFT9SNx",
    None,
    "cbee174b778a2c612fc226a71546fc467ea086102f52d3d307da11495f484574",
)
V3_PLAIN = (
    "20000812393ccca5befc2bb6fbd30269cac4506368877e946d988b5562a77cd42441200039373043413335646536306334"
    "34363435626261653861323135303631623333"
    "47f410005802000001000000020001000400010058020000020058020000030058020000040058020000"
    "2000376437323336356562393833343835333937653365336639643436306264646"
    "10a0032383832333431323733020001000100580200000900746573745f75736572"
)


def plain(token: str) -> bytes:
    """Return the bytes of a token: compressors of other languages write them otherwise."""
    assert token[:3] == "007"
    return zlib.decompress(base64.b64decode(token[3:], validate=True))


OFFICIAL = {"issued_s": 1_111_111, "expires_s": 600, "salt": 1}


@pytest.mark.parametrize(
    ("vector", "services", "when"),
    [
        (V1, [rtc(CHANNEL, UID, {1: 600})], OFFICIAL),
        (V2, [rtc(CHANNEL, "0", {1: 600})], OFFICIAL),
        (
            V3,
            [
                Service(RTM, {1: 600}, ("test_user",)),
                rtc(CHANNEL, UID, dict.fromkeys(ALL, 600)),
            ],
            OFFICIAL,
        ),
        (
            S1,
            [rtc("standup", "4200000001", {1: 86_400})],
            {"issued_s": 1_790_000_000, "expires_s": 86_400, "salt": 12_345_678},
        ),
        (
            S2,
            [rtc("daily stand-up_1", "4294967295", dict.fromkeys(reversed(ALL), 3600))],
            {"issued_s": 1_790_000_000, "expires_s": 3600, "salt": 99_999_999},
        ),
    ],
    ids=["one uid", "any uid", "every privilege and a messaging user", "a day", "four privileges"],
)
def test_a_token_has_the_bytes_that_agoras_builders_make(
    vector: tuple[str, str | None, str], services: list[Service], when: dict[str, int]
) -> None:
    made = plain(build(APP_ID, CERTIFICATE, services, **when))
    of_python, of_go, signature = vector
    assert made == plain(of_python)
    assert of_go is None or made == plain(of_go)
    assert made[2:34].hex() == signature


def test_the_plain_bytes_are_those_that_were_recomputed() -> None:
    assert plain(V3[0]).hex() == V3_PLAIN


@pytest.mark.parametrize(
    ("text", "good"),
    [
        (APP_ID, True),
        (CERTIFICATE, True),
        (APP_ID[:-1], False),
        (APP_ID + "0", False),
        ("g" * 32, False),
        ("", False),
        (APP_ID + "\n", False),
    ],
)
def test_app_ids_and_certificates_have_32_hexadecimal_digits(text: str, good: bool) -> None:
    assert is_hex32(text) is good


names = st.text(min_size=1, max_size=20)
uids = st.integers(1, 2**32 - 1).map(str)


@given(names, uids, st.integers(0, 2**31), st.integers(1, 86_400), st.integers(*SALTS))
def test_every_token_lets_its_uid_into_its_channel_until_it_ends(
    channel: str, uid: str, issued_s: int, valid_s: int, salt: int
) -> None:
    services = [rtc(channel, uid, {1: valid_s})]
    token = build(APP_ID, CERTIFICATE, services, issued_s=issued_s, expires_s=valid_s, salt=salt)
    until_ms = (issued_s + valid_s) * 1000
    asked = {"app_id": APP_ID, "certificate": CERTIFICATE, "channel": channel, "uid": uid}
    assert check(token, **asked, now_ms=until_ms - 1).until_ms == until_ms
    with pytest.raises(RefusalError) as refusal:
        check(token, **asked, now_ms=until_ms)
    assert refusal.value.code == 109


@given(st.data(), names, uids)
def test_a_token_of_which_anything_was_changed_opens_nothing(
    data: st.DataObject, channel: str, uid: str
) -> None:
    token = build(APP_ID, CERTIFICATE, [rtc(channel, uid, {1: 600})], **OFFICIAL)
    bytes_ = bytearray(plain(token))
    at = data.draw(st.integers(0, len(bytes_) - 1))
    bytes_[at] ^= data.draw(st.integers(1, 255))
    forged = "007" + base64.b64encode(zlib.compress(bytes(bytes_))).decode()
    with pytest.raises(RefusalError) as refusal:
        check(
            forged,
            app_id=APP_ID,
            certificate=CERTIFICATE,
            channel=channel,
            uid=uid,
            now_ms=1_111_112_000,
        )
    assert refusal.value.code == 110


def test_a_token_of_uid_0_is_for_any_uid_of_its_channel() -> None:
    assert rtc("room", "0", {1: 60}).names == ("room", "")
    assert rtc("room", "10", {1: 60}).names == ("room", "10")


def test_every_number_of_a_token_has_room_for_all_its_bits() -> None:
    """Its instants do not end in 2038."""
    most, many, name = 2**32 - 1, 2**16 - 1, "n" * (2**16 - 1)
    services = [Service(many, {many: most}, (name,))]
    token = build(APP_ID, CERTIFICATE, services, issued_s=most, expires_s=most, salt=most)
    raw = zlib.decompress(base64.b64decode(token.removeprefix("007")))
    info = raw[2 + int.from_bytes(raw[:2], "little") :]
    app_id, rest = info[2 : 2 + len(APP_ID)], info[2 + len(APP_ID) :]
    assert app_id.decode() == APP_ID
    assert rest[:14] == most.to_bytes(4, "little") * 3 + b"\x01\x00"
    assert rest[14:24] == b"\xff\xff\x01\x00\xff\xff" + most.to_bytes(4, "little")
    assert rest[24:] == b"\xff\xff" + name.encode()
