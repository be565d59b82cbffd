"""Individual recording: a file for each user and kind, screenshots, postponed work."""

from __future__ import annotations

import re
from typing import Any

import pytest

INDIVIDUAL = {"subscribeUidGroup": 0}


def _stems(bucket: Any, sid: str, ending: str) -> list[str]:
    return [name.removeprefix(f"{sid}_room__uid_s_") for name in bucket.names(ending)]


def test_each_user_has_a_playlist_for_sound_and_one_for_picture(agora: Any, bucket: Any) -> None:
    task = agora.record("individual", recordingConfig=INDIVIDUAL)
    agora.advance(20)

    assert _stems(bucket, task.sid, ".m3u8") == [
        "101__uid_e_audio.m3u8",
        "101__uid_e_video.m3u8",
        "102__uid_e_audio.m3u8",
        "102__uid_e_video.m3u8",
    ]
    assert all(
        re.fullmatch(r"10[12]__uid_e_(audio|video)_\d{17}\.ts", stem)
        for stem in _stems(bucket, task.sid, ".ts")
    )


def test_a_playlist_announces_only_its_own_kind(agora: Any, bucket: Any) -> None:
    agora.record("individual", recordingConfig=INDIVIDUAL)
    agora.advance(20)

    audio = bucket.text("101__uid_e_audio.m3u8")
    assert "TRACK_TYPE=AUDIO" in audio
    assert "TRACK_TYPE=VIDEO" not in audio
    assert "AGORA-ROTATE" not in audio


def test_query_lists_every_track(agora: Any) -> None:
    task = agora.record("individual", recordingConfig=INDIVIDUAL)
    agora.advance(20)
    server = task.query().body["serverResponse"]

    assert server["fileListMode"] == "json"
    assert [(f["uid"], f["trackType"], f["mixedAllUser"]) for f in server["fileList"]] == [
        ("101", "audio", False),
        ("101", "video", False),
        ("102", "audio", False),
        ("102", "video", False),
    ]


def test_standard_mode_adds_an_index_that_joins_both(agora: Any, bucket: Any) -> None:
    config = {**INDIVIDUAL, "streamMode": "standard"}
    task = agora.record("individual", recordingConfig=config)
    agora.advance(20)

    merged = bucket.text("101__uid_e_av.m3u8")
    assert f'URI="{task.sid}_room__uid_s_101__uid_e_audio.m3u8"' in merged
    assert merged.endswith(f"{task.sid}_room__uid_s_101__uid_e_video.m3u8\n")


@pytest.mark.parametrize(
    ("config", "tracks"),
    [
        ({"streamTypes": 0}, {"101 audio", "102 audio"}),
        ({"streamTypes": 1}, {"101 video", "102 video"}),
        ({"subscribeAudioUids": ["101"]}, {"101 audio"}),
        ({"subscribeVideoUids": ["777"]}, {"777 video"}),
        ({"unsubscribeAudioUids": ["101"]}, {"102 audio", "101 video", "102 video"}),
        (
            {"subscribeAudioUids": ["#allstream#"], "subscribeVideoUids": ["102"]},
            {"101 audio", "102 audio", "102 video"},
        ),
    ],
)
def test_only_what_is_subscribed_to_is_recorded(
    agora: Any, config: dict[str, Any], tracks: set[str]
) -> None:
    task = agora.record("individual", recordingConfig={**INDIVIDUAL, **config})
    agora.advance(20)
    files = task.query().body["serverResponse"]["fileList"]

    assert {f"{f['uid']} {f['trackType']}" for f in files} == tracks


def test_update_changes_who_is_recorded(agora: Any, bucket: Any, receiver: Any) -> None:
    task = agora.record("individual", recordingConfig={**INDIVIDUAL, "streamTypes": 0})
    agora.advance(20)
    change = {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["102"]}}}
    answer = task.call("update", change)
    agora.advance(20)

    assert answer.status == 200
    assert len(re.findall("#EXTINF", bucket.text("101__uid_e_audio.m3u8"))) == 2
    assert len(re.findall("#EXTINF", bucket.text("102__uid_e_audio.m3u8"))) == 2
    gone = [e["payload"]["details"] for e in receiver.of(43)][-1]
    assert (gone["streamUid"], gone["state"]) == ("101", 1)


def test_nobody_of_those_subscribed_to_is_there(agora: Any) -> None:
    agora.control("POST", "channel", {"cname": "room", "users": ["5"]})
    config = {**INDIVIDUAL, "subscribeAudioUids": ["101"]}
    task = agora.record("individual", recordingConfig=config)
    agora.advance(20)

    assert task.stop().code == 435


def test_screenshots_alone_make_no_other_file(agora: Any, bucket: Any, receiver: Any) -> None:
    task = agora.record(
        "individual",
        recordingConfig={**INDIVIDUAL, "streamTypes": 1, "subscribeVideoUids": ["101"]},
        snapshotConfig={"captureInterval": 5, "fileType": ["jpg"]},
    )
    agora.advance(17)
    server = task.query().body["serverResponse"]
    answer = task.stop()
    agora.advance(1)

    names = bucket.names()
    assert len(names) == 3
    assert all(
        re.fullmatch(rf"{task.sid}_room__uid_s_101__uid_e_video_\d{{17}}\.jpg", n) for n in names
    )
    assert {e["payload"]["details"]["fileName"] for e in receiver.of(45)} == {
        f"recordings/R1/{name}" for name in names
    }
    assert set(server) == {"status", "sliceStartTime"}
    assert answer.body["serverResponse"] == {"uploadingStatus": "uploaded"}
    assert "fileList" not in receiver.details(31)


def test_screenshots_beside_a_recording_make_both(agora: Any, bucket: Any) -> None:
    agora.record(
        "individual",
        recordingConfig=INDIVIDUAL,
        recordingFileConfig={"avFileType": ["hls"]},
        snapshotConfig={"fileType": ["jpg"]},
    )
    agora.advance(20)

    assert len(bucket.names(".jpg")) == 2
    assert len(bucket.names(".m3u8")) == 4


def test_mp4_files_of_a_user_have_no_kind_in_their_name(agora: Any, bucket: Any) -> None:
    task = agora.record(
        "individual",
        recordingConfig=INDIVIDUAL,
        recordingFileConfig={"avFileType": ["hls", "mp4"]},
    )
    agora.advance(20)
    task.stop()

    assert _stems(bucket, task.sid, ".mp4") == ["101__uid_e_0.mp4", "102__uid_e_0.mp4"]


def _postponed(agora: Any, mode: str = "postponeTranscoding", **config: Any) -> Any:
    return agora.record(
        "individual",
        scene=2,
        recordingConfig={**INDIVIDUAL, **config},
        appsCollection={"combinationPolicy": "postpone_transcoding"},
        transcodeOptions={"transConfig": {"transMode": mode}},
    )


def test_postponed_transcoding_delivers_mp4_later(agora: Any, bucket: Any, receiver: Any) -> None:
    task = _postponed(agora)
    agora.advance(20)
    task.stop()
    agora.advance(100)
    early = bucket.names(".mp4")
    agora.advance(30)

    assert early == []
    assert _stems(bucket, task.sid, ".mp4") == ["101__uid_e_0.mp4", "102__uid_e_0.mp4"]
    assert receiver.types()[-3:] == [80, 81, 1001]
    assert receiver.details(81)["result"] == "all_success"
    final = receiver.details(1001)
    assert final["result"] == "total_success"
    assert len(final["fileList"]) == 2


def test_postponed_mixing_makes_one_file_of_all(agora: Any, bucket: Any) -> None:
    task = _postponed(agora, "audioMix", streamTypes=0, streamMode="original")
    agora.advance(20)
    task.stop()
    agora.advance(130)

    assert bucket.names(".mp3") == [f"{task.sid}_room_0.mp3"]


@pytest.mark.parametrize(
    ("result", "made", "final"),
    [("partial_success", 1, "partial_success"), ("failed", 0, "failed")],
)
def test_postponed_transcoding_may_fail(
    agora: Any, bucket: Any, receiver: Any, result: str, made: int, final: str
) -> None:
    plan = {"transcoding": {"delay_s": 5, "result": result}}
    agora.faults({"match": {"endpoint": "start"}, "action": plan})
    task = _postponed(agora)
    agora.advance(20)
    task.stop()
    agora.advance(7)

    assert len(bucket.names(".mp4")) == made
    assert receiver.details(1001)["result"] == final


def test_postponed_transcoding_may_not_find_its_input(agora: Any, receiver: Any) -> None:
    plan = {"transcoding": {"delay_s": 5, "result": "download_failed"}}
    agora.faults({"match": {"endpoint": "start"}, "action": plan})
    task = _postponed(agora)
    agora.advance(20)
    task.stop()
    agora.advance(7)

    failed = receiver.details(90)
    assert failed["bucket"] == "films"
    assert len(failed["fileName"].split(";")) == 4
    assert receiver.details(1001)["result"] == "failed"
