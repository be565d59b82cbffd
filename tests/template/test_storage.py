"""What becomes of files: which ones are told of, how long they are kept, which pages play them."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from agora_recording.agora.storage import REGION_NUMBERS
from agora_recording.files import names
from local.template import functions, template

TEMPLATE = template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
SID = "0123456789abcdef0123456789abcdef"
BUCKET = {"Fn::If": ["MakeBucket", {"Ref": "Bucket"}, {"Ref": "ExistingBucketName"}]}
OBJECTS = "arn:${AWS::Partition}:s3:::${Name}/${KeyPrefix}"


def pattern(*, playlists: bool = False) -> dict[str, Any]:
    """Return the rule's pattern; `playlists`: where those that grow are signs of life."""
    found: dict[str, Any] = RESOURCES["FileArrivalsRule"]["Properties"]["EventPattern"]
    chosen = [
        each["Fn::If"][1 if playlists else 2] if "Fn::If" in each else each
        for each in found["detail"]["object"]["key"]
    ]
    ends = [each for each in chosen if "suffix" in each]
    return {**found, "detail": {**found["detail"], "object": {"key": ends}}}


def told_of(name: str, *, playlists: bool = False) -> bool:
    """Return whether the rule picks an object of this name."""
    ends = pattern(playlists=playlists)["detail"]["object"]["key"]
    return any(name.endswith(each["suffix"]) for each in ends)


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
        f"{SID}_class_1.m3u8",
        f"{SID}_my_class_1.m3u8",
        f"bak0_{SID}_class_1.m3u8",
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


def test_the_pattern_is_no_longer_than_eventbridge_takes() -> None:
    named = {**pattern(), "detail": {**pattern()["detail"], "bucket": {"name": ["b" * 63]}}}
    assert len(json.dumps(named)) < 2048


def test_the_pattern_has_no_wildcards() -> None:
    """A bus takes 30 rules with wildcards, and none that are as complex as these would be."""
    assert "wildcard" not in str(RESOURCES["FileArrivalsRule"])


def test_agora_may_only_write_unless_transcoding_is_asked_for() -> None:
    assert PARAMETERS["PostponedTranscoding"]["Default"] == "false"
    always = [each for each in _statements() if "Fn::If" not in each]
    allowed = [each["Action"] for each in always if each["Effect"] == "Allow"]
    assert allowed == ["s3:PutObject", "s3:AbortMultipartUpload"]


def test_agora_may_not_write_what_the_stack_writes_itself() -> None:
    """The same places as in the policies of the rooms that write them."""
    (denied,) = [each for each in _statements() if each.get("Effect") == "Deny"]
    assert denied["Action"] == "s3:PutObject"
    written = {
        place
        for room in functions().values()
        for policy in room.get("Policies", ())
        for each in policy["Statement"]
        if each.get("Action") == "s3:PutObject"
        for place in _places(each)
    }
    assert (
        set(_places(denied))
        == written
        == {
            "recordings/*/manifest*",
            "recordings/*/events/*",
        }
    )


def _places(statement: dict[str, Any]) -> list[str]:
    resources = statement["Resource"]
    listed = resources if isinstance(resources, list) else [resources]
    assert all(each["Fn::Sub"][1] == {"Name": BUCKET} for each in listed)
    return [each["Fn::Sub"][0].removeprefix(OBJECTS) for each in listed]


@pytest.mark.parametrize("name", ["manifest.json", "manifest/segments-00001.json", "events/x.json"])
def test_no_file_of_agoras_has_a_name_that_it_may_not_write(name: str) -> None:
    assert names.parse(name, None, ()) is None


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [("https://api.agora.io", 1), ("http://api.agora.io", 0), ("http://127.0.0.1:8000", 0)],
)
def test_agora_is_called_over_https_alone(url: str, is_allowed: int) -> None:
    pattern = PARAMETERS["AgoraBaseUrl"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, url)) == bool(is_allowed)


def test_agora_may_read_what_it_is_to_transcode() -> None:
    (reads,) = [
        each["Fn::If"]
        for each in _statements()
        if "Fn::If" in each and each["Fn::If"][1]["Action"] == "s3:GetObject"
    ]
    assert reads[0] == "TranscodeAfterwards"
    assert _places(reads[1]) == ["recordings/*"]
    assert TEMPLATE["Conditions"]["TranscodeAfterwards"] == {
        "Fn::Equals": [{"Ref": "PostponedTranscoding"}, "true"]
    }
    room = functions()["CreateRecordingFunction"]["Environment"]["Variables"]
    assert room["POSTPONED_TRANSCODING"] == {"Ref": "PostponedTranscoding"}


def _statements() -> list[dict[str, Any]]:
    (policy,) = RESOURCES["StorageUser"]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def test_a_stack_that_agora_cannot_upload_to_is_refused_before_anything_is_made() -> None:
    (rule,) = TEMPLATE["Rules"]["AgoraCanUploadIntoThisRegion"]["Assertions"]
    regions, here = rule["Assert"]["Fn::Contains"]
    assert here == {"Ref": "AWS::Region"}
    assert regions == sorted(REGION_NUMBERS)


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


def test_a_page_of_any_origin_may_read_what_a_signed_address_opens() -> None:
    (rule,) = RESOURCES["Bucket"]["Properties"]["CorsConfiguration"]["CorsRules"]
    assert rule["AllowedOrigins"] == ["*"]  # after a redirect, browsers send `Origin: null`
    assert rule["AllowedMethods"] == ["GET", "HEAD"]
