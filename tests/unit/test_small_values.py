"""Ids, instants, attributes, settings, domains, thresholds, sealed secrets: the small values."""

from __future__ import annotations

import math
from base64 import b64decode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording import clock
from agora_recording.agora.hosts import candidates
from agora_recording.aws.dynamodb import from_item, to_attribute, to_item
from agora_recording.aws.sealing import Sealer
from agora_recording.errors import SettingsError
from agora_recording.recording.ids import is_recording_id, new_recording_id
from agora_recording.recording.timings import Timings, nth_wait
from agora_recording.settings import Settings
from tests.world.kms import FakeKms

instants = st.integers(0, 253_402_300_799_999)


# --- ids and instants ---


@given(instants, st.binary(min_size=10, max_size=10))
def test_an_id_is_legal_in_a_file_name_prefix(ms: int, random: bytes) -> None:
    made = new_recording_id(ms, random)
    assert is_recording_id(made)
    assert len(made) == 26
    assert made.isalnum()


@given(instants, instants, st.binary(min_size=10, max_size=10), st.binary(min_size=10, max_size=10))
def test_ids_sort_by_time(one: int, other: int, a: bytes, b: bytes) -> None:
    if one < other:
        assert new_recording_id(one, a) < new_recording_id(other, b)


@pytest.mark.parametrize("text", ["", "x", "01arz3ndektsv4rrffq69g5fav", "0" * 27, "I" * 26])
def test_what_is_not_an_id_is_known(text: str) -> None:
    assert not is_recording_id(text)


@given(instants)
def test_an_instant_survives_its_text(ms: int) -> None:
    assert clock.from_iso(clock.iso(ms)) == ms


@given(instants, instants)
def test_instants_sort_as_text_as_they_do_as_numbers(a: int, b: int) -> None:
    assert (clock.iso(a) < clock.iso(b)) == (a < b)


# --- attributes ---

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), plain))
def test_plain_values_survive_a_row(values: dict[str, Any]) -> None:
    kept = {name: value for name, value in values.items() if value is not None}
    assert from_item(to_item(values)) == kept


def test_what_has_no_place_in_a_row_is_refused() -> None:
    with pytest.raises(TypeError, match="object cannot be stored"):
        to_attribute(object())


# --- settings ---


class RoomSettings(Settings, frozen=True, kw_only=True):
    """Settings of a room that does not exist."""

    table_name: str
    speed: float = 1
    strict: bool = True


def test_settings_are_read_by_name_and_typed() -> None:
    read = RoomSettings.from_env({"TABLE_NAME": "t", "SPEED": "2.5", "STRICT": "false"})
    assert read == RoomSettings(table_name="t", speed=2.5, strict=False)


def test_a_missing_variable_is_one_sentence() -> None:
    with pytest.raises(SettingsError, match=r"^Missing environment variable: TABLE_NAME$"):
        RoomSettings.from_env({"SPEED": "1"})


def test_an_unreadable_variable_is_one_sentence() -> None:
    with pytest.raises(SettingsError, match=r"^Unreadable environment variable: .*speed"):
        RoomSettings.from_env({"TABLE_NAME": "t", "SPEED": "fast"})


# --- domains ---


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "cn-north-1", "xx-new-1"])
@pytest.mark.parametrize("suffix", ["agora.io", "sd-rtn.com"])
def test_the_first_host_is_always_the_one_asked_for(region: str, suffix: str) -> None:
    hosts = candidates(f"https://api.{suffix}", region)
    assert hosts[0] == hosts[1] == f"https://api.{suffix}"
    assert len(set(hosts)) == 3


def test_a_regional_host_has_its_neighbour() -> None:
    hosts = candidates("https://api-us-west-1.agora.io", "us-west-2")
    assert hosts[2:] == ("https://api-us-west-1.sd-rtn.com", "https://api-us-east-1.agora.io")


# --- thresholds ---


def test_speed_divides_every_threshold() -> None:
    real, fast = Timings(), Timings().at_speed(10)
    for name in Timings.__struct_fields__:
        slow, quick = getattr(real, name), getattr(fast, name)
        if isinstance(slow, tuple):
            assert [each / 10 for each in slow] == list(quick)
        else:
            assert math.isclose(slow / 10, quick)
    assert real.at_speed(1) is real


def test_the_last_wait_repeats() -> None:
    assert [nth_wait((1, 2, 3), number) for number in range(5)] == [1, 2, 3, 3, 3]


# --- sealing ---


def test_secrets_survive_sealing_however_long_they_are() -> None:
    sealer = Sealer("key", FakeKms())  # type: ignore[arg-type]
    secrets = ["t" * 9000, "s"]
    sealed = sealer.seal("R1", secrets)
    assert len(sealed) == 3
    assert sealer.unseal("R1", sealed) == secrets
    assert b"ttt" not in b64decode(sealed[0])[:2]


def test_no_secrets_need_no_key() -> None:
    sealer = Sealer("key", None)
    assert sealer.seal("R1", []) == []
    assert sealer.unseal("R1", []) == []


def test_what_was_sealed_for_one_recording_opens_for_no_other() -> None:
    sealer = Sealer("key", FakeKms())  # type: ignore[arg-type]
    sealed = sealer.seal("R1", ["t"])
    with pytest.raises(ValueError, match="InvalidCiphertext"):
        sealer.unseal("R2", sealed)
