"""Which partitions of the table a room may touch, where that is fixed, against what it touches."""

from __future__ import annotations

import fnmatch
from typing import Any

from agora_recording.agora import limiter
from agora_recording.auto_record import rule_store
from agora_recording.auto_record.channel import Channel
from agora_recording.auto_record.channel_store import _places, row_of
from agora_recording.aws import lease
from agora_recording.firewall import refresh, target
from agora_recording.life import callbacks, links, sessions
from agora_recording.life.store import RecordingStore, claim_of
from agora_recording.notifications.envelope import Notification, key
from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.timings import Timings
from local.template import functions, template
from tests.world.builders import attempt, requested
from tests.world.machine import definition

ROOMS = functions()
RECORDING = f"REC#{new_recording_id(0, bytes(10))}"
SESSION = sessions.key("0123")["PK"]["S"]
LINK = links.link_key("0123")["PK"]["S"]
CLAIM = claim_of(requested(), attempt())["PK"]
LIMITER = limiter.PARTITION
SWEEPER = lease.SWEEPER[0]
FIREWALL = target.PARTITION
RULES = rule_store.RULES
CHANNEL = row_of(Channel(cname="lesson"), Timings())["PK"]
PLACES = _places("lessons")["PK"]["S"]
ENDPOINT = callbacks._off("https://app.example.com/")["PK"]["S"]
TAKES_SLOTS = {
    f"{verb}Function"
    for verb in (
        "UpdateRecording",
        "UpdateLayout",
        "StartRecording",
        "QueryRecording",
        "StopRecording",
        "WatchRecordings",
        "RefreshNcsAddresses",
        "WatchChannels",
    )
}


def partitions(room: str, action: str) -> list[str] | None:
    """Return the partitions that an action is confined to, None where it is not."""
    (found,) = [
        statement.get("Fn::If", [None, statement])[1]
        for policy in ROOMS[room]["Policies"]
        for statement in policy["Statement"]
        if f"'dynamodb:{action}'" in str(statement)
    ]
    return _leading_keys(found)


def _leading_keys(statement: dict[str, Any]) -> list[str] | None:
    if "Condition" not in statement:
        return None
    ((operator, about),) = statement["Condition"].items()
    # The form that DynamoDB asks for. An empty set would pass, but these calls all name a key.
    assert operator in ("ForAllValues:StringEquals", "ForAllValues:StringLike")
    named = about["dynamodb:LeadingKeys"]
    found: list[str] = [named] if isinstance(named, str) else named
    assert operator.endswith("Like") or not any("*" in each for each in found)
    return found


def may(room: str, action: str, partition: str) -> bool:
    """Return whether a room's policy lets it touch a partition."""
    confined = partitions(room, action)
    assert confined is not None, room
    return any(fnmatch.fnmatchcase(partition, each) for each in confined)


def test_every_update_is_confined_to_what_the_room_takes_turns_on() -> None:
    updates = {
        name
        for name, each in ROOMS.items()
        if "dynamodb:UpdateItem" in str(each.get("Policies", []))
    }
    takes_places = {"ApplyChannelEventsFunction", "WatchChannelsFunction"}
    assert updates == TAKES_SLOTS | {"RecordFileArrivalFunction"} | takes_places
    for room in updates:
        assert may(room, "UpdateItem", LIMITER) == (room in TAKES_SLOTS), room
        assert may(room, "UpdateItem", PLACES) == (room in takes_places), room
        assert may(room, "UpdateItem", SWEEPER) == (room == "WatchRecordingsFunction"), room
        assert may(room, "UpdateItem", FIREWALL) == (room == "RefreshNcsAddressesFunction"), room
        assert not may(room, "UpdateItem", "SID#0123"), room


# Which kinds of rows a room may put or delete, all others being out of its reach.
_KINDS = {
    "recording": RECORDING,
    "session": SESSION,
    "notification": "SID#0123",
    "notice": "NOTICE#3#n",
    "claim": CLAIM,
    "key": "IDEM#0123",
    "limiter": LIMITER,
    "sweeper": SWEEPER,
    "firewall": FIREWALL,
    "channel": CHANNEL,
    "rule": RULES,
    "places": PLACES,
    "endpoint": ENDPOINT,
    "link": LINK,
}
_WRITES = {
    "CreateRecordingFunction": {"recording", "key"},
    "RequestStopFunction": {"recording"},
    "UpdateRecordingFunction": {"recording"},
    "UpdateLayoutFunction": {"recording"},
    "DeleteRecordingFunction": {"recording", "session"},
    "FollowScheduleFunction": {"recording"},
    "SendCallbackFunction": {"recording", "endpoint"},
    "StartRecordingFunction": {"recording", "session", "claim"},
    "QueryRecordingFunction": {"recording"},
    "StopRecordingFunction": {"recording", "session"},
    "AwaitUploadFunction": {"recording"},
    "PublishRecordingFunction": {"recording"},
    "RecordFileArrivalFunction": {"recording"},
    "ReceiveNotificationFunction": {"notification", "notice"},
    "ApplyNotificationsFunction": {"recording", "session"},
    "WatchRecordingsFunction": {"recording", "session"},
    "PutAutoRecordRuleFunction": {"rule"},
    "ApplyChannelEventsFunction": {"recording", "key", "channel", "places"},
    "WatchChannelsFunction": {"recording", "key", "channel", "places"},
    "ManageLinksFunction": {"recording", "link"},
    "PlayRecordingFunction": {"link"},
}
_DELETES = {
    ("DeleteRecordingFunction", "DeleteItem"): {"recording"},
    ("DeleteRecordingFunction", "BatchWriteItem"): {"recording", "notification", "claim", "link"},
    ("StartRecordingFunction", "DeleteItem"): {"claim"},
    ("DeleteAutoRecordRuleFunction", "DeleteItem"): {"rule"},
}


def _having(action: str) -> set[str]:
    wanted = f"'dynamodb:{action}'"
    return {name for name, each in ROOMS.items() if wanted in str(each.get("Policies", []))}


def _reach(room: str, action: str) -> set[str]:
    return {kind for kind, partition in _KINDS.items() if may(room, action, partition)}


def test_every_put_is_confined_to_the_kinds_of_rows_that_the_room_writes() -> None:
    assert {room: _reach(room, "PutItem") for room in _having("PutItem")} == _WRITES


def test_every_deletion_is_confined_to_the_kinds_of_rows_that_the_room_deletes() -> None:
    found = {
        (room, action): _reach(room, action)
        for action in ("DeleteItem", "BatchWriteItem")
        for room in _having(action)
    }
    assert found == _DELETES


def test_every_query_of_the_table_itself_names_partitions() -> None:
    assert _reach("ApplyNotificationsFunction", "Query") == {"claim"}
    for room in ("DeleteRecordingFunction", "GetRecordingEventsFunction"):
        assert _reach(room, "Query") == {"recording", "notification"}
    assert _reach("ManageLinksFunction", "Query") == {"recording"}


def test_a_condition_is_checked_on_recordings_alone() -> None:
    checking = _having("ConditionCheckItem")
    assert checking == {
        "RecordFileArrivalFunction",
        "ManageLinksFunction",
        "SendCallbackFunction",
    }
    for room in checking - {"ManageLinksFunction"}:
        assert _reach(room, "ConditionCheckItem") == {"recording"}
    # A transaction is judged with the keys of all its items, so the link's is named, too.
    assert _reach("ManageLinksFunction", "ConditionCheckItem") == {"recording", "link"}


def test_the_open_room_reads_a_link_its_recording_and_its_sessions_alone() -> None:
    assert _reach("PlayRecordingFunction", "GetItem") == {"link", "recording", "session"}


def test_leases_on_a_recording_are_within_reach_of_those_who_take_them() -> None:
    store = RecordingStore("table", timings=Timings())
    for made in (store.update_lease, store.late_lease):
        taken = made(RECORDING.removeprefix("REC#"), lambda: 0)
        assert taken._key["PK"] == {"S": RECORDING}
    takers = {name for name in ROOMS if _updates(name) and may(name, "UpdateItem", RECORDING)}
    assert takers == {
        "UpdateRecordingFunction",  # one update at a time
        "UpdateLayoutFunction",
        "WatchRecordingsFunction",  # renews credentials by an update
        "RecordFileArrivalFunction",  # one late look at a time
    }


def _updates(room: str) -> bool:
    return "dynamodb:UpdateItem" in str(ROOMS[room].get("Policies", []))


def test_the_refresh_reads_and_writes_the_firewalls_rows_alone() -> None:
    assert partitions("RefreshNcsAddressesFunction", "GetItem") == [FIREWALL]
    assert refresh.LEASE[0] == FIREWALL


def test_the_webhook_can_write_notifications_and_nothing_else() -> None:
    room = "ReceiveNotificationFunction"
    for told in (
        Notification(sid="0123", uid="7", eventType=31, sequence=1),
        Notification(noticeId="n", productId=3),
        Notification(),
    ):
        assert may(room, "PutItem", key(told, b"{}")[0])
    for other in (RECORDING, SESSION, CLAIM, LIMITER, SWEEPER, FIREWALL, "IDEM#0123"):
        assert not may(room, "PutItem", other)
    assert partitions(room, "GetItem") == [FIREWALL]


def test_the_machine_parks_on_recordings_alone() -> None:
    machine = template()["Resources"]["RecordingStateMachine"]["Properties"]["Policies"][0]
    (parks,) = [each for each in machine["Statement"] if "dynamodb" in each["Action"]]
    assert _leading_keys(parks) == ["REC#*"]
    for state in definition()["States"].values():
        if "aws-sdk:dynamodb" in state.get("Resource", ""):
            partition = state["Parameters"]["Key"]["PK"]["S.$"]
            assert partition == "States.Format('REC#{}', $.recordingId)"
