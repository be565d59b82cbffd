"""What Agora notifies of beyond its documents, one row each: what it says about a recording."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from agora_recording.api import timeline
from agora_recording.files.expectation import expectation
from agora_recording.firewall import addresses
from agora_recording.notifications import envelope
from agora_recording.notifications.effects import merge
from agora_recording.notifications.events import UnknownEvent, WebRecorderStarted, decode
from agora_recording.notifications.facts import NOTHING
from agora_recording.recording.due import due
from agora_recording.recording.hearing import applied
from agora_recording.recording.looking import choose_look
from tests.world.builders import TIMINGS, after, heard, record, recording, uploading
from tests.world.webhook import NOW_MS, SID, body, event
from tests.world.world import World


class Row(NamedTuple):
    """A notification, where it was seen, and whether it says something about a session."""

    source: str
    event_type: int
    envelope: dict[str, Any]
    is_ours: bool


ROWS = [
    Row("cloud recording", 11, {"productId": 3}, True),
    Row("a client of another language writes text", 11, {"productId": "3"}, True),
    Row("envelopes before 1.3 name no product", 11, {"productId": None}, True),
    Row("RTC: 101, channel created", 101, {"productId": 1}, False),
    Row("RTC: 102, channel destroyed", 102, {"productId": 1}, False),
    Row("RTC with a number of ours", 11, {"productId": 1}, False),
    Row("Real-time STT v7: 101", 101, {"productId": 20}, False),
    Row("Real-time STT v7: 102", 102, {"productId": 20}, False),
    Row("Media Push: 1", 1, {"productId": 5}, False),
    Row("Media Pull: 4", 4, {"productId": 4}, False),
    Row("conversational AI: 11", 11, {"productId": 17}, False),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.source)
def test_only_cloud_recordings_notifications_say_something_about_a_session(row: Row) -> None:
    world = World(recording())
    raw = body(row.event_type, {"exitStatus": 1}, sid=SID, **row.envelope)
    assert world.parts.applier.apply([record(raw)]) == []
    assert (world.row.session_end is not None) == row.is_ours
    assert bool(world.parts.sessions.get(SID).facts.uids) == row.is_ours


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.source)
def test_another_products_notification_takes_no_place_among_a_sessions(row: Row) -> None:
    raw = body(row.event_type, sid=SID, **row.envelope)
    partition, _ = envelope.key(envelope.read(raw), raw)
    assert partition.startswith("SID#" if row.is_ours else "NOTICE#")
    found = decode(envelope.read(raw), NOW_MS)
    assert found.is_foreign != row.is_ours
    assert row.is_ours or isinstance(found.details, UnknownEvent)


@pytest.mark.parametrize("event_type", [46, 47, 101, 102, 110, 111, 112, 113])
def test_an_event_of_unknown_meaning_changes_no_recording(event_type: int) -> None:
    world = World(recording())
    before = world.row
    assert world.parts.applier.apply([heard(event_type, {"status": 1}, sid=SID)]) == []
    assert world.row == before


def test_the_consoles_test_of_a_channel_that_nobody_records_is_harmless() -> None:
    world = World(recording())
    before = world.row
    raw = json.loads(body(40, {"status": 0}, sid="0" * 32, uid="12121212"))
    raw["payload"]["cname"] = "test_webhook"
    assert world.parts.applier.apply([record(json.dumps(raw).encode())]) == []
    assert world.row == before


# --- 34: the storage's temporary credentials have expired ----------------------------------------


def test_what_agora_says_of_an_upload_with_expired_credentials_is_in_doubt() -> None:
    """31 alone would end the wait for files; after 34 only the bucket is believed."""
    row = uploading()
    sure = merge(NOTHING, event(31, {"status": 0}))
    doubted = merge(sure, event(34))
    assert expectation(row, {SID: sure}, TIMINGS).sessions[0].upload == "uploaded"
    assert expectation(row, {SID: doubted}, TIMINGS).sessions[0].upload == "unknown"


def test_expired_credentials_are_renewed_at_the_next_look_and_only_once() -> None:
    told = merge(NOTHING, event(34, at_ms=after(1000)))
    row = recording(storage_token_ms=after(900), last_seen_ms=after(1000))
    heard_of = applied(row, SID, told, after(1001), gap=False)
    look = due(heard_of, TIMINGS)
    assert look is not None
    assert look[1] <= after(1001)
    assert choose_look(heard_of, after(1001), TIMINGS) == "renew storage token"
    renewed = recording(storage_token_ms=after(1002), last_seen_ms=after(1000))
    assert applied(renewed, SID, told, after(1003), gap=True).storage_token_ms == after(1002)


def test_expired_credentials_change_nothing_where_the_storage_has_keys() -> None:
    told = merge(NOTHING, event(34))
    assert applied(recording(), SID, told, after(1), gap=False).storage_token_ms is None


# --- one tolerance --------------------------------------------------------------------------------

HOSTS = [
    {"data": {"service": {"hosts": [{"primaryIP": "8.8.8.8"}]}}},
    {"data": {"service": {"hosts": [{"PrimaryIP": "8.8.8.8"}]}}},
    {"Data": {"Service": {"Hosts": [{"primaryIp": "8.8.8.8"}]}}},
]


@pytest.mark.parametrize("answer", HOSTS)
def test_the_case_of_a_name_does_not_matter_for_addresses_either(answer: Any) -> None:
    assert addresses.parse(json.dumps(answer).encode()) == {"8.8.8.8/32"}


def test_the_page_load_is_read_where_a_web_recording_has_a_time_out() -> None:
    details = {"recorderStartTime": NOW_MS, "pageLoadSuccessTime": NOW_MS // 1000}
    assert event(70, details).details == WebRecorderStarted(
        recorderStartTime=NOW_MS, pageLoadSuccessTime=NOW_MS
    )
    words = timeline.entry(event(70, details))["text"]
    assert words == "Web page recording started; loaded at 2023-11-14T22:13:20.000Z."
