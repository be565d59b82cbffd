"""Individual recording v2 (`raw`): one index for each user, MP4, MP3, DASH, stranded files."""

from __future__ import annotations

import re
from typing import Any

import pytest

from local.agora.webm import pictures, segment, sounds

HLS_AND_MP4 = {"avFileType": ["hls", "mp4"]}
MP3 = {"avFileType": ["mp3"]}


def _stems(bucket: Any, sid: str, ending: str = "") -> list[str]:
    return [name.removeprefix(f"{sid}_room__uid_s_") for name in bucket.names(ending)]


def _let_102_send_vp8(agora: Any) -> None:
    users = {"cname": "room", "users": ["101", "102"], "codecs": {"102": "vp8"}}
    assert agora.control("POST", "channel", users)


def test_each_user_has_one_index_for_sound_and_picture(agora: Any, bucket: Any) -> None:
    task = agora.record("raw")
    agora.advance(20)

    assert _stems(bucket, task.sid, ".m3u8") == ["101__uid_e_h264.m3u8", "102__uid_e_h264.m3u8"]
    assert all(
        re.fullmatch(r"10[12]__uid_e_\d{17}_h264\.ts", stem)
        for stem in _stems(bucket, task.sid, ".ts")
    )
    index = bucket.text("101__uid_e_h264.m3u8")
    assert "TRACK_TYPE=AUDIO" in index
    assert "TRACK_TYPE=VIDEO" in index


def test_its_files_are_listed_by_user(agora: Any) -> None:
    task = agora.record("raw")
    agora.advance(20)
    server = task.query().body["serverResponse"]

    assert server["fileListMode"] == "json"
    assert [(f["uid"], f["trackType"], f["mixedAllUser"]) for f in server["fileList"]] == [
        ("101", "audio_and_video", False),
        ("102", "audio_and_video", False),
    ]


@pytest.mark.parametrize(
    ("mode", "request_", "scene"),
    [
        ("raw", {}, "rtsc/raw-recording"),
        ("mix", {}, "rtc_record"),
        ("individual", {"recordingConfig": {"subscribeUidGroup": 0}}, "rtc_record"),
    ],
)
def test_an_event_names_the_kind_of_recording(
    agora: Any, receiver: Any, mode: str, request_: dict[str, Any], scene: str
) -> None:
    agora.record(mode, **request_)
    agora.advance(2)

    assert {one.body["payload"]["serviceScene"] for one in receiver.received} == {scene}


def test_vp8_becomes_webm_with_an_mpd(agora: Any, bucket: Any) -> None:
    _let_102_send_vp8(agora)
    task = agora.record("raw")
    agora.advance(31)
    task.stop()

    assert _stems(bucket, task.sid, ".m3u8") == ["101__uid_e_h264.m3u8"]
    assert _stems(bucket, task.sid, ".mpd") == ["102__uid_e_vp8.mpd"]
    webm = _stems(bucket, task.sid, ".webm")
    assert webm == [f"102__uid_e_{kind}_{n}_vp8.webm" for kind in (0, 1) for n in range(2)]
    mpd = bucket.text(".mpd")
    assert 'type="static"' in mpd
    assert re.findall(r'media="[^"]*__uid_s_([^"]*)"', mpd) == webm


def test_an_mpd_is_dynamic_while_it_grows(agora: Any, bucket: Any) -> None:
    _let_102_send_vp8(agora)
    agora.record("raw")
    agora.advance(20)

    assert 'type="dynamic"' in bucket.text(".mpd")


def test_a_webm_segment_is_a_whole_file() -> None:
    film, tone = segment(0, 15_000, video=True), segment(0, 15_000, video=False)

    for data, codec in ((film, b"V_VP8"), (tone, b"A_OPUS")):
        assert data.startswith(b"\x1a\x45\xdf\xa3")
        assert codec in data
    assert [n for n, each in enumerate(pictures(0, 15_000)) if each.key] == [0, 25, 50]
    both = [*sounds(0, 15_010), *sounds(15_010, 30_000)]
    assert [each.at_ms for each in both] == list(range(0, 30_000, 20))


def test_mp4_files_have_the_codec_in_their_name_and_hold_no_vp8(agora: Any, bucket: Any) -> None:
    _let_102_send_vp8(agora)
    task = agora.record("raw", recordingFileConfig=HLS_AND_MP4)
    agora.advance(20)
    task.stop()

    assert _stems(bucket, task.sid, ".mp4") == ["101__uid_e_0_h264.mp4"]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        ("index", r"10[12]__uid_e_0\.mp3"),
        ("index_codec", r"10[12]__uid_e_0_h264\.mp3"),
        ("utc", r"10[12]__uid_e_\d{17}\.mp3"),
    ],
)
def test_mp3_is_all_there_is(make_agora: Any, bucket: Any, names: str, pattern: str) -> None:
    agora = make_agora(mp3_names=names)
    task = agora.record("raw", recordingConfig={"streamTypes": 0}, recordingFileConfig=MP3)
    agora.advance(20)
    answer = task.stop()

    stems = _stems(bucket, task.sid)
    assert len(stems) == 2
    assert all(re.fullmatch(pattern, stem) for stem in stems)
    assert answer.status == 200
    assert len(answer.body["serverResponse"]["fileList"]) == 2


def test_a_screenshot_has_no_kind_in_its_name(agora: Any, bucket: Any) -> None:
    task = agora.record("raw", snapshotConfig={"captureInterval": 5, "fileType": ["jpg"]})
    agora.advance(12)

    stems = _stems(bucket, task.sid)
    assert len(stems) == 4
    assert all(re.fullmatch(r"10[12]__uid_e_\d{17}\.jpg", stem) for stem in stems)


def test_a_user_whose_picture_goes_keeps_the_index(agora: Any, bucket: Any) -> None:
    task = agora.record("raw")
    agora.advance(20)
    change = {"streamSubscribe": {"videoUidList": {"subscribeVideoUids": ["101"]}}}
    assert task.call("update", change).status == 200
    agora.advance(20)

    assert len(bucket.names(".m3u8")) == 2
    assert len(re.findall("#EXTINF", bucket.text("101__uid_e_h264.m3u8"))) == 2


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"extensionServiceConfig": {"extensionServices": []}}, "extensionService"),
        ({"recordingConfig": {"streamMode": "default"}}, "streamMode"),
        ({"recordingFileConfig": {"avFileType": ["mp4"]}}, "avFileType"),
        ({"recordingFileConfig": {"avFileType": ["hls", "mp3"]}}, "avFileType"),
    ],
)
def test_what_raw_mode_does_not_have_is_refused(
    agora: Any, request_: dict[str, Any], named: str
) -> None:
    answer = agora.start(agora.acquire().body["resourceId"], "raw", **request_)

    assert (answer.status, answer.code) == (400, 2)
    assert named in answer.body["reason"]


def test_mp3_is_refused_in_other_modes(agora: Any) -> None:
    resource_id = agora.acquire().body["resourceId"]

    assert agora.start(resource_id, "mix", recordingFileConfig=MP3).code == 2


@pytest.mark.parametrize("scene", [0, 1, 2])
def test_the_scene_has_no_effect(agora: Any, scene: int) -> None:
    assert agora.record("raw", scene=scene).query().status == 200


def test_stranded_files_come_later_and_then_31(agora: Any, bucket: Any, receiver: Any) -> None:
    plan = {"stranded": {"first": 1, "after_s": 300}}
    agora.faults({"match": {"endpoint": "start"}, "action": plan})
    task = agora.record("raw")
    agora.advance(40)
    answer = task.stop()
    agora.advance(100)
    early = len(bucket.names(".ts"))
    before = receiver.types()
    agora.advance(250)

    assert answer.body["serverResponse"]["uploadingStatus"] == "stranded"
    assert not {31, 32} & set(before)
    assert len(bucket.names(".ts")) == early + 2
    assert receiver.types()[-1] == 31


@pytest.mark.parametrize(("told", "status"), [(True, "stranded"), (False, "unknown")])
def test_an_asynchronous_stop_may_know_that_files_are_stranded(
    agora: Any, told: bool, status: str
) -> None:
    plan = {"stranded": {"told": told, "told_later": False}}
    agora.faults({"match": {"endpoint": "start"}, "action": plan})
    task = agora.record("raw")
    agora.advance(20)

    answer = task.call("stop", {"async_stop": True})
    assert answer.body["serverResponse"]["uploadingStatus"] == status


def test_a_codec_that_nobody_sends_is_refused_by_the_control_api(agora: Any) -> None:
    users = {"cname": "room", "users": ["1"], "codecs": {"1": "theora"}}
    answer = agora.http("POST", "/_control/channel", users)
    assert answer.status == 400
    assert "theora" in answer.body["error"]
