"""What becomes of files: which ones are told of, how long they are kept, which pages play them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from agora_recording.file_arrival import LEASE_S
from tests.template.machine import functions, template

RESOURCES: dict[str, dict[str, Any]] = template()["Resources"]
PARAMETERS: dict[str, dict[str, Any]] = template()["Parameters"]
SID = "0123456789abcdef0123456789abcdef"


def told_of(name: str, *, playlists: bool = False) -> bool:
    """Return whether the rule picks an object of this name."""
    pattern = RESOURCES["FileArrivalsRule"]["Properties"]["EventPattern"]
    ends = [each["suffix"] for each in pattern["detail"]["object"]["key"]]
    chosen = [
        end["Fn::If"][1 if playlists else 2] if isinstance(end, dict) else end for end in ends
    ]
    return any(name.endswith(end) for end in chosen)


@pytest.mark.parametrize(
    "name",
    [
        f"{SID}_room_0.mp4",
        f"{SID}_room__uid_s_7__uid_e_12.mp4",
        f"{SID}_room_0.mp3",
        f"{SID}_room_0.m4a",
        f"{SID}_room_0.aac",
        f"{SID}_room_22194679897_0.m3u8",
        f"{SID}_room__uid_s_7__uid_e_video_22194679897_3.m3u8",
    ],
)
def test_what_comes_late_is_told_of(name: str) -> None:
    assert told_of(f"recordings/01ARZ3NDEKTSV4RRFFQ69G5FAV/{name}")


@pytest.mark.parametrize(
    "name",
    [
        f"{SID}_room_20260131120000000.ts",
        f"{SID}_room__uid_s_7__uid_e_video_20260131120000000.jpg",
        f"{SID}_room.m3u8",
        f"{SID}_room__uid_s_7__uid_e_audio.m3u8",
        "manifest.json",
        "manifest/segments-00001.json",
        "events/recording-ended.json",
    ],
)
def test_what_comes_all_the_time_is_not(name: str) -> None:
    assert not told_of(f"recordings/01ARZ3NDEKTSV4RRFFQ69G5FAV/{name}")


def test_growing_playlists_are_told_of_where_they_are_signs_of_life() -> None:
    assert told_of(f"{SID}_room.m3u8", playlists=True)
    assert PARAMETERS["FilesAreSignsOfLife"]["Default"] == "false"


def test_a_message_stays_hidden_while_its_room_may_run() -> None:
    timeout = functions()["RecordFileArrivalFunction"]["Timeout"]
    assert RESOURCES["FileArrivals"]["Properties"]["VisibilityTimeout"] >= timeout
    assert timeout <= LEASE_S


def _lifecycle() -> tuple[list[str], dict[str, str]]:
    """Return the ids of rules that always hold, and by id the conditions that switch others off."""
    always, unless = [], {}
    for rule in RESOURCES["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]:
        if "Fn::If" in rule:
            condition, nothing, chosen = rule["Fn::If"]
            assert nothing == {"Ref": "AWS::NoValue"}
            unless[chosen["Id"]] = condition
        else:
            always.append(rule["Id"])
    return always, unless


def test_recordings_are_kept_for_ever_unless_a_parameter_says_how_long() -> None:
    always, unless = _lifecycle()
    assert always == ["AbortIncompleteUploads", "ForgetEarlierVersions"]
    assert unless == {
        "DeleteOldRecordings": "KeepForEver",
        "MoveRecordingsToInfrequentAccess": "KeepInStandard",
    }
    assert PARAMETERS["RetentionDays"]["Default"] == 0
    assert PARAMETERS["TransitionToIaDays"]["Default"] == "0"


@pytest.mark.parametrize(("days", "is_allowed"), [("0", 1), ("29", 0), ("30", 1), ("365", 1)])
def test_no_file_moves_sooner_than_s3_allows(days: str, is_allowed: int) -> None:
    pattern = PARAMETERS["TransitionToIaDays"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, days)) == bool(is_allowed)


def test_no_page_may_play_recordings_unless_it_is_named() -> None:
    condition, rules, nothing = RESOURCES["Bucket"]["Properties"]["CorsConfiguration"]["Fn::If"]
    assert condition == "PlayInPages"
    assert nothing == {"Ref": "AWS::NoValue"}
    (rule,) = rules["CorsRules"]
    assert rule["AllowedOrigins"] == {"Ref": "PlaybackOrigins"}
    assert rule["AllowedMethods"] == ["GET", "HEAD"]
    assert PARAMETERS["PlaybackOrigins"]["Default"] == ""
