"""Web page recording: pausing, the CDN, what can be wrong with a page."""

from __future__ import annotations

import re
from typing import Any

import pytest

PAGE = {
    "url": "https://example.com/page",
    "audioProfile": 0,
    "videoWidth": 1280,
    "videoHeight": 720,
    "maxRecordingHour": 1,
}


def _web(agora: Any, *, cname: str = "room", cdn: str | None = None, **page: Any) -> Any:
    services: list[dict[str, Any]] = [
        {"serviceName": "web_recorder_service", "serviceParam": {**PAGE, **page}}
    ]
    if cdn:
        param = {"outputs": [{"rtmpUrl": cdn}]}
        services.append({"serviceName": "rtmp_publish_service", "serviceParam": param})
    return agora.record(
        "web",
        cname=cname,
        scene=1,
        recordingFileConfig={"avFileType": ["hls", "mp4"]},
        extensionServiceConfig={"extensionServices": services},
    )


def _services(answer: Any) -> dict[str, Any]:
    states = answer.body["serverResponse"]["extensionServiceState"]
    return {state["serviceName"]: state["payload"] for state in states}


def test_query_tells_the_state_of_the_page(agora: Any) -> None:
    task = _web(agora)
    early = _services(task.query())["web_recorder_service"]
    agora.advance(20)
    later = _services(task.query())["web_recorder_service"]

    assert early == {"fileList": [], "onhold": False, "state": "init"}
    assert later["state"] == "inProgress"
    assert later["fileList"][0]["filename"].endswith(f"{task.sid}_room.m3u8")


def test_a_page_is_announced_and_closed_by_its_own_events(agora: Any, receiver: Any) -> None:
    task = _web(agora)
    agora.advance(20)
    answer = task.stop()
    agora.advance(1)

    assert set(receiver.types()) == {4, 11, 30, 31, 33, 70, 71}
    stopped = receiver.details(71)
    assert (stopped["code"], stopped["message"]) == (0, "ok")
    assert len(stopped["fileList"]) == 2
    assert receiver.details(31) == {"msgName": "uploaded", "status": 0}
    assert _services(answer)["upload_service"] == {"uploadingStatus": "uploaded"}
    assert _services(answer)["web_recorder_service"]["state"] == "exit"


def test_special_characters_of_the_cname_become_hyphens(agora: Any, bucket: Any) -> None:
    task = _web(agora, cname="https://a.b/c?d=1")
    agora.advance(20)

    assert bucket.names(".m3u8") == [f"{task.sid}_https---a-b-c-d-1.m3u8"]


def test_a_paused_page_makes_no_slices(agora: Any, bucket: Any) -> None:
    task = _web(agora, onhold=True)
    agora.advance(20)
    paused = dict(bucket.objects)
    task.call("update", {"webRecordingConfig": {"onhold": False}})
    agora.advance(20)
    task.call("update", {"webRecordingConfig": {"onhold": True}})
    agora.advance(20)
    onhold = _services(task.query())["web_recorder_service"]["onhold"]

    assert paused == {}
    assert re.findall("#EXTINF:(.*)", bucket.text(".m3u8")) == ["15.000000", "5.000000"]
    assert onhold is True


def test_the_cdn_connects_pauses_and_changes_its_address(agora: Any, receiver: Any) -> None:
    task = _web(agora, cdn="rtmp://one")
    agora.advance(5)
    publishing = _services(task.query())["rtmp_publish_service"]["outputs"]
    task.call("update", {"webRecordingConfig": {"onhold": True}})
    agora.advance(1)
    task.call("update", {"webRecordingConfig": {"onhold": False}})
    task.call("update", {"rtmpPublishConfig": {"outputs": [{"rtmpUrl": "rtmp://two"}]}})
    agora.advance(2)

    assert publishing == [{"rtmpUrl": "rtmp://one", "status": "publishing"}]
    story = [e["payload"]["details"] for e in receiver.of(100)]
    assert [(d["rtmpUrl"][7:], d["status"]) for d in story] == [
        ("one", "connecting"),
        ("one", "publishing"),
        ("one", "onhold"),
        ("one", "publishing"),
        ("two", "connecting"),
        ("two", "publishing"),
    ]


def test_the_page_stops_when_its_time_is_up(make_agora: Any, receiver: Any) -> None:
    agora = make_agora(speed=500, slice_s=900)
    task = _web(agora)
    agora.advance(3630)

    assert task.query().status == 404
    stopped = receiver.details(71)
    assert (stopped["code"], stopped["message"]) == (1, "max_recording_hour")


def test_nobody_in_the_channel_does_not_end_a_page(agora: Any) -> None:
    agora.control("POST", "channel", {"cname": "room", "users": []})
    task = _web(agora)
    agora.advance(120)

    assert task.query().status == 200


def test_mp4_of_a_page_is_split_by_max_video_duration(make_agora: Any, bucket: Any) -> None:
    agora = make_agora(speed=500, slice_s=600)
    task = _web(agora, maxVideoDuration=30)
    agora.advance(3000)
    task.stop()

    assert len(bucket.names(".mp4")) == 2


@pytest.mark.parametrize(
    ("plan", "event", "details"),
    [
        ({"web_stop": {"code": 4, "after_s": 5}}, 71, {"code": 4, "message": "page_load_timeout"}),
        ({"web_limit": {"limit_type": "WebGL", "after_s": 5}}, 72, {"limitType": "WebGL"}),
        ({"web_reload": {"after_s": 5}}, 73, {"reason": "audio_silence"}),
        ({"cdn_status": {"after_s": 5}}, 100, {"status": "disconnected"}),
    ],
)
def test_what_can_be_wrong_with_a_page_is_scripted(
    agora: Any, receiver: Any, plan: dict[str, Any], event: int, details: dict[str, Any]
) -> None:
    agora.faults({"match": {"endpoint": "start"}, "action": plan})
    _web(agora, cdn="rtmp://one")
    agora.advance(8)

    last = receiver.of(event)[-1]["payload"]["details"]
    assert details.items() <= last.items()


def test_a_page_beyond_its_capability_stops(agora: Any, receiver: Any) -> None:
    agora.faults({"match": {"endpoint": "start"}, "action": {"web_limit": {"after_s": 5}}})
    task = _web(agora)
    agora.advance(8)

    assert task.query().status == 404
    assert receiver.details(71)["code"] == 2
