"""Composite recording, from acquire to the last webhook."""

from __future__ import annotations

import re
import threading
from typing import Any


def test_the_status_rises_from_initialised_to_in_progress(agora: Any) -> None:
    task = agora.record()
    seen = [task.query().body["serverResponse"]["status"]]
    for _ in range(4):
        agora.advance(0.4)
        seen.append(task.query().body["serverResponse"]["status"])
    agora.advance(15)
    seen.append(task.query().body["serverResponse"]["status"])

    assert seen == [1, 2, 3, 4, 4, 5]


def test_query_names_the_playlist_once_there_is_one(agora: Any) -> None:
    task = agora.record()
    agora.advance(5)
    before = task.query().body["serverResponse"]
    agora.advance(15)
    after = task.query().body["serverResponse"]

    assert (before["fileListMode"], before["fileList"]) == ("string", "")
    assert after["fileList"] == f"recordings/R1/{task.sid}_room.m3u8"
    assert after["sliceStartTime"] > 10**12


def test_slices_of_fifteen_seconds_arrive_with_a_growing_playlist(agora: Any, bucket: Any) -> None:
    task = agora.record()
    agora.advance(20)
    one = bucket.text(".m3u8")
    agora.advance(15)
    two = bucket.text(".m3u8")

    assert re.findall(r"#EXTINF:(.*)", one) == ["15.000000"]
    assert re.findall(r"#EXTINF:(.*)", two) == ["15.000000", "15.000000"]
    assert "#EXT-X-ENDLIST" not in two
    slices = re.findall(r"^[^#].*$", two, re.MULTILINE)
    assert slices == bucket.names(".ts")
    assert all(re.fullmatch(rf"{task.sid}_room_\d{{17}}\.ts", name) for name in slices)
    assert all(key.startswith("films/recordings/R1/") for key in bucket.objects)


def test_speed_shortens_slices_and_says_so_in_the_playlist(make_agora: Any, bucket: Any) -> None:
    agora = make_agora(speed=20)
    agora.record()
    agora.advance(20)

    assert "#EXTINF:0.750000\n" in bucket.text(".m3u8")


def test_a_synchronous_stop_answers_when_all_is_uploaded(agora: Any, bucket: Any) -> None:
    task = agora.record()
    agora.advance(20)
    answer = task.stop()

    assert answer.status == 200
    assert answer.body["serverResponse"] == {
        "fileListMode": "string",
        "fileList": f"recordings/R1/{task.sid}_room.m3u8",
        "uploadingStatus": "uploaded",
    }
    text = bucket.text(".m3u8")
    assert text.endswith("#EXT-X-ENDLIST\n")
    assert re.findall(r"#EXTINF:(.*)", text) == ["15.000000", "3.800000"]


def test_a_playlist_never_overtakes_its_slices(agora: Any, bucket: Any) -> None:
    task = agora.record()
    agora.advance(50)
    task.stop()

    kinds = [name.rsplit(".", 1)[1] for name in bucket.order]
    assert kinds == ["ts", "m3u8"] * 4


def test_an_asynchronous_stop_answers_at_once_and_knows_nothing(agora: Any) -> None:
    agora.faults({"match": {"endpoint": "start"}, "action": {"upload_delay_s": 30}})
    task = agora.record()
    agora.advance(20)
    answer = task.stop(async_stop=True)

    assert answer.status == 200
    assert answer.body["serverResponse"] == {"uploadingStatus": "unknown"}
    assert task.query().body["serverResponse"]["status"] == 6


def test_a_synchronous_stop_gives_up_after_twenty_seconds(make_agora: Any) -> None:
    agora = make_agora(speed=200, hold=False)
    agora.faults({"match": {"endpoint": "start"}, "action": {"upload_delay_s": 30}})
    task = agora.record()
    agora.advance(20)
    answer = task.stop()

    assert (answer.status, answer.code) == (206, 50)
    assert "fileList" not in answer.body["serverResponse"]


def test_a_query_during_the_stop_takes_the_file_list_from_its_answer(make_agora: Any) -> None:
    agora = make_agora()
    agora.faults({"match": {"endpoint": "start"}, "action": {"upload_delay_s": 10}})
    task = agora.record()
    agora.advance(20)
    answers: list[Any] = []
    stopping = threading.Thread(target=lambda: answers.append(task.stop()))
    stopping.start()
    while task.query().body["serverResponse"]["status"] != 6:
        pass
    agora.advance(11)
    stopping.join()

    assert answers[0].status == 206
    assert "fileList" not in answers[0].body["serverResponse"]


def test_stopping_twice_is_refused_while_leaving_and_unknown_after(agora: Any) -> None:
    agora.faults({"match": {"endpoint": "start"}, "action": {"upload_delay_s": 5}})
    task = agora.record()
    agora.advance(20)
    task.stop(async_stop=True)
    again = task.stop()
    agora.advance(6)
    later = task.stop()

    assert (again.status, again.code) == (400, 49)
    assert (later.status, later.code) == (404, 404)
    assert later.body["reason"] == "failed to find worker"


def test_query_after_the_end_finds_no_worker(agora: Any) -> None:
    task = agora.record()
    agora.advance(20)
    task.stop()

    assert (task.query().status, task.query().code) == (404, 404)


def test_stop_says_435_when_nobody_published(agora: Any, bucket: Any, receiver: Any) -> None:
    agora.faults({"match": {"endpoint": "start"}, "action": {"nobody_published": True}})
    task = agora.record()
    agora.advance(40)
    answer = task.stop()
    agora.advance(2)

    assert (answer.status, answer.code) == (206, 435)
    assert bucket.objects == {}
    assert receiver.types() == [30, 40, 41, 11]


def test_events_come_in_the_order_of_a_real_session(agora: Any, receiver: Any) -> None:
    task = agora.record()
    agora.advance(70)
    task.stop()
    agora.advance(2)

    types = receiver.types()
    first = {event_type: types.index(event_type) for event_type in types}
    assert first[30] < first[40] < first[42] < first[4] < first[33] < first[41]
    assert first[11] < first[31]
    assert types[-4:] == [43, 44, 43, 44]
    assert types.count(4) == 2
    assert receiver.details(41)["leaveCode"] == 24
    assert receiver.details(33)["progress"] == 10_000


def test_sequence_counts_from_zero_without_holes(agora: Any, receiver: Any) -> None:
    task = agora.record()
    agora.advance(70)
    task.stop()
    agora.advance(2)

    sequences = sorted(one.body["payload"]["sequence"] for one in receiver.received)
    assert sequences == list(range(len(sequences)))


def test_event_31_lists_the_files(agora: Any, receiver: Any) -> None:
    task = agora.record(recordingFileConfig={"avFileType": ["hls", "mp4"]})
    agora.advance(20)
    task.stop()
    agora.advance(2)

    mp4, m3u8 = receiver.details(31)["fileList"]
    assert mp4["fileName"].endswith(f"{task.sid}_room_0.mp4")
    assert m3u8["fileName"].endswith(f"{task.sid}_room.m3u8")
    assert m3u8 | {"fileName": "", "sliceStartTime": 0} == {
        "fileName": "",
        "trackType": "audio_and_video",
        "uid": "0",
        "mixedAllUser": True,
        "isPlayable": True,
        "sliceStartTime": 0,
    }


def test_mp4_is_made_after_the_stop_and_split_by_length(make_agora: Any, bucket: Any) -> None:
    agora = make_agora(mp4_part_s=30)
    task = agora.record(recordingFileConfig={"avFileType": ["hls", "mp4"]})
    agora.advance(50)
    assert bucket.names(".mp4") == []
    answer = task.stop()

    assert bucket.names(".mp4") == [f"{task.sid}_room_0.mp4", f"{task.sid}_room_1.mp4"]
    assert answer.body["serverResponse"]["fileListMode"] == "json"
    assert len(answer.body["serverResponse"]["fileList"]) == 3


def test_extinf_has_its_comma_when_private_params_ask(agora: Any, bucket: Any) -> None:
    agora.record(recordingConfig={"privateParams": '{"correctEXTINF":true}'})
    agora.advance(20)

    assert "#EXTINF:15.000000,\n" in bucket.text(".m3u8")


def test_users_who_go_and_come_back_leave_a_discontinuity(
    agora: Any, bucket: Any, receiver: Any
) -> None:
    agora.record(recordingConfig={"maxIdleTime": 300})
    agora.advance(20)
    agora.control("POST", "channel", {"cname": "room", "users": []})
    agora.advance(10)
    agora.control("POST", "channel", {"cname": "room", "users": ["7"]})
    agora.advance(20)

    text = bucket.text(".m3u8")
    assert text.count("#EXT-X-DISCONTINUITY") == 1
    assert re.findall(r"#EXTINF:(.*)", text) == ["15.000000", "3.800000", "15.000000"]
    first, second = (event["payload"]["details"] for event in receiver.of(42))
    assert first["startUtcMs"] == first["discontinueUtcMs"]
    assert second["startUtcMs"] - second["discontinueUtcMs"] == 10_000


def test_an_idle_channel_ends_the_recording_after_max_idle_time(agora: Any, receiver: Any) -> None:
    task = agora.record(recordingConfig={"maxIdleTime": 60})
    agora.advance(20)
    agora.control("POST", "channel", {"cname": "room", "users": []})
    agora.advance(59)
    alive = task.query().status
    agora.advance(3)

    assert alive == 200
    assert task.query().status == 404
    assert receiver.details(41)["leaveCode"] & 4
    assert receiver.details(11)["exitStatus"] == 0


def test_company_that_returns_in_time_prevents_the_idle_exit(agora: Any) -> None:
    task = agora.record()
    agora.advance(5)
    agora.control("POST", "channel", {"cname": "room", "users": []})
    agora.advance(25)
    agora.control("POST", "channel", {"cname": "room", "users": ["7"]})
    agora.advance(25)

    assert task.query().status == 200


def test_a_live_channel_without_broadcasters_is_idle(agora: Any) -> None:
    agora.control("POST", "channel", {"cname": "room", "users": ["7"], "publishing": False})
    live = agora.record(recordingConfig={"channelType": 1})
    talk = agora.record(uid="10", recordingConfig={"channelType": 0})
    agora.advance(40)

    assert live.query().status == 404
    assert talk.query().status == 200


def test_update_layout_is_remembered(agora: Any) -> None:
    task = agora.record()
    answer = task.call("updateLayout", {"mixedVideoLayout": 1, "backgroundColor": "#FF0000"})

    assert answer.status == 200
    assert answer.body == {
        "cname": "room",
        "uid": "9",
        "resourceId": task.resource_id,
        "sid": task.sid,
    }


def test_uploads_carry_encryption_and_tag(agora: Any, bucket: Any) -> None:
    storage = agora.storage(extensionParams={"sse": "aes256", "tag": "class=film"})
    agora.record(storageConfig=storage)
    agora.advance(20)

    headers = next(iter(bucket.headers.values()))
    assert headers["x-amz-server-side-encryption"] == "AES256"
    assert headers["x-amz-tagging"] == "class=film"


def test_uploads_are_signed_with_the_session_token_and_region(agora: Any, bucket: Any) -> None:
    expires_s = agora.control("GET", "clock")["now_ms"] // 1000 + 4 * 3600
    storage = agora.storage(region=7, stsToken="TOKEN", stsExpiration=expires_s)
    agora.record(storageConfig=storage)
    agora.advance(20)

    headers = next(iter(bucket.headers.values()))
    assert headers["x-amz-security-token"] == "TOKEN"
    assert "/eu-central-1/s3/" in headers["authorization"]


def test_update_refreshes_the_storage_credentials(agora: Any, bucket: Any) -> None:
    task = agora.record()
    agora.advance(20)
    task.call("update", {"storageConfig": agora.storage(accessKey="NEWKEY")})
    agora.advance(15)

    used = [headers["authorization"] for headers in bucket.headers.values()]
    assert "Credential=NEWKEY/" in used[-1]


def test_a_bucket_that_refuses_the_first_file_ends_the_recording(
    agora: Any, bucket: Any, receiver: Any
) -> None:
    bucket.refusing = True
    task = agora.record()
    agora.advance(10)
    alive = task.query().status
    agora.advance(10)

    assert alive == 200
    assert task.query().status == 404
    error = receiver.details(1)
    assert (error["module"], error["errorLevel"], error["errorCode"]) == (1, 5, 32)
    assert receiver.details(11)["exitStatus"] == 1


def test_what_the_bucket_refuses_later_goes_to_the_backup_and_comes_back(
    agora: Any, bucket: Any, receiver: Any
) -> None:
    task = agora.record()
    agora.advance(20)
    bucket.refusing = True
    agora.advance(15)
    bucket.refusing = False
    answer = task.stop()
    missing = len(bucket.names(".ts"))
    agora.advance(61)

    assert answer.body["serverResponse"]["uploadingStatus"] == "backuped"
    assert [e["payload"]["details"]["warnCode"] for e in receiver.of(2)][:2] == [31, 32]
    assert receiver.of(32)
    assert (missing, len(bucket.names(".ts"))) == (2, 3)


def test_a_token_that_expires_sends_files_to_the_backup_until_it_is_renewed(
    make_agora: Any, bucket: Any
) -> None:
    agora = make_agora(sts_min_validity_s=0)
    now_s = agora.control("GET", "clock")["now_ms"] // 1000
    task = agora.record(storageConfig=agora.storage(stsToken="T", stsExpiration=now_s + 20))
    agora.advance(33)
    stalled = len(bucket.names(".ts"))
    fresh = agora.storage(stsToken="U", stsExpiration=now_s + 900)
    task.call("update", {"storageConfig": fresh})
    agora.advance(15)
    answer = task.stop()
    agora.advance(61)

    assert stalled == 1
    assert answer.body["serverResponse"]["uploadingStatus"] == "backuped"
    assert len(bucket.names(".ts")) == 4


def test_status_8_may_linger(make_agora: Any) -> None:
    agora = make_agora(exit_linger_s=5)
    task = agora.record()
    agora.advance(20)
    task.stop()
    lingering = task.query().body["serverResponse"]["status"]
    agora.advance(6)

    assert lingering == 8
    assert task.query().code == 404


def test_lists_may_leave_out_the_prefix_and_count_in_seconds(make_agora: Any) -> None:
    agora = make_agora(file_list_prefix=False, slice_time_in_seconds=True)
    task = agora.record(recordingFileConfig={"avFileType": ["hls", "mp4"]})
    agora.advance(20)
    (entry,) = task.query().body["serverResponse"]["fileList"]

    assert entry["fileName"] == f"{task.sid}_room.m3u8"
    assert entry["sliceStartTime"] < 10**11
