"""A link: its token, its views, and its end."""

from __future__ import annotations

import hashlib
from typing import Any

from msgspec.structs import replace

from agora_recording.recording.link import (
    MAX_SERIES,
    Link,
    new_token,
    revoked,
    token_hash,
    viewed,
)
from tests.world.webhook import NOW_MS


def link(**changes: Any) -> Link:
    fields = {"link_id": "l", "token_hash": "h", "recording_id": "r", "created_ms": NOW_MS}
    return Link(**{**fields, "until_ms": NOW_MS + 60_000, **changes})


def test_a_token_is_32_bytes_as_an_address_can_hold_them() -> None:
    assert new_token(b"\xff" * 40) == "_" * 42 + "8"


def test_any_text_has_a_hash_by_which_no_link_is_found() -> None:
    assert token_hash("é") == hashlib.sha256("é".encode()).hexdigest()
    half = "\ud800"
    assert token_hash(half) == hashlib.sha256(half.encode("utf-8", "surrogatepass")).hexdigest()


def test_openings_within_a_minute_are_one_view() -> None:
    once = viewed(link(), NOW_MS)
    assert (once.views, once.first_viewed_ms, once.last_viewed_ms) == (1, NOW_MS, NOW_MS)
    assert viewed(once, NOW_MS + 59_999) == once
    twice = viewed(once, NOW_MS + 60_000)
    assert (twice.views, twice.first_viewed_ms) == (2, NOW_MS)
    assert twice.last_viewed_ms == NOW_MS + 60_000


def test_the_series_of_a_link_are_only_ever_added() -> None:
    some = viewed(link(series=("a", "b")), NOW_MS, ("b", "c", "a"))
    assert some.series == ("a", "b", "c")
    many = viewed(link(), NOW_MS, tuple(f"{n}" for n in range(MAX_SERIES + 1)))
    assert len(many.series) == MAX_SERIES
    # A row that has more, of an earlier version, is not cut when nothing is new.
    full = link(series=tuple(f"{n}" for n in range(MAX_SERIES + 1)))
    assert viewed(full, NOW_MS, ("7",)).series == full.series


def test_a_link_is_open_until_it_expires_or_is_revoked() -> None:
    assert link().is_open(NOW_MS + 59_999)
    assert not link().is_open(NOW_MS + 60_000)
    assert not revoked(link(), NOW_MS).is_open(NOW_MS)


def test_of_several_revocations_the_first_counts() -> None:
    once = revoked(link(), NOW_MS)
    assert once == replace(link(), revoked_ms=NOW_MS)
    assert revoked(once, NOW_MS + 1) == once
