"""The fault plan: every way in which Agora can let a caller down."""

from __future__ import annotations

import http.client
import re
import time
from typing import Any

import pytest

from local.agora.faults import Rule
from local.agora.plan import PlanError


def _plan(agora: Any, **action: Any) -> None:
    agora.faults({"match": {"endpoint": "start"}, "action": action})


# --- answers ------------------------------------------------------------------------------------


def test_a_call_fails_so_many_times_and_then_works(agora: Any) -> None:
    agora.faults(
        {
            "match": {"endpoint": "start", "times": 3},
            "action": {"answer": {"http": 500, "code": 62, "reason": "request timeout"}},
        }
    )
    resource_id = agora.acquire().body["resourceId"]
    answers = [agora.start(resource_id) for _ in range(4)]

    assert [answer.status for answer in answers] == [500, 500, 500, 200]
    assert answers[0].body == {"code": 62, "reason": "request timeout"}


def test_nth_begins_later_and_holds_once(agora: Any) -> None:
    agora.faults(
        {
            "match": {"endpoint": "acquire", "nth": 2},
            "action": {"answer": {"http": 504, "code": 62}},
        }
    )

    assert [agora.acquire(uid=str(n)).status for n in (1, 2, 3)] == [200, 504, 200]


def test_a_rule_may_be_for_one_channel_and_uid(agora: Any) -> None:
    agora.faults(
        {
            "match": {"endpoint": "query", "cname": "room", "uid": "1"},
            "action": {"answer": {"http": 404, "code": 404}},
        }
    )
    one, two = agora.record(uid="1"), agora.record(uid="2")

    assert [one.query().status, two.query().status, one.query().status] == [404, 200, 404]


def test_an_answer_may_have_any_body(agora: Any) -> None:
    agora.faults(
        {
            "match": {"endpoint": "ncs"},
            "action": {"answer": {"http": 200, "body": {"data": {"service": {"hosts": []}}}}},
        }
    )

    assert agora.http("GET", "/v1/ncs/ip").body["data"]["service"]["hosts"] == []


def test_a_connection_dropped_before_the_effect_leaves_nothing(agora: Any) -> None:
    agora.faults({"match": {"endpoint": "start", "times": 1}, "action": {"drop": "before"}})
    resource_id = agora.acquire().body["resourceId"]
    with pytest.raises(http.client.RemoteDisconnected):
        agora.start(resource_id)

    assert agora.control("GET", "recordings")["recordings"] == []
    assert agora.start(resource_id).status == 200


def test_a_connection_dropped_after_the_effect_leaves_a_running_task(agora: Any) -> None:
    agora.faults({"match": {"endpoint": "start", "times": 1}, "action": {"drop": "after"}})
    resource_id = agora.acquire().body["resourceId"]
    with pytest.raises(http.client.RemoteDisconnected):
        agora.start(resource_id)

    assert agora.control("GET", "recordings")["recordings"][0]["live"] is True
    assert agora.start(resource_id).code == 7


def test_an_answer_may_be_late(make_agora: Any) -> None:
    agora = make_agora(speed=100, hold=False)
    agora.faults({"match": {"endpoint": "acquire"}, "action": {"delay_s": 5}})
    began = time.monotonic()
    answer = agora.acquire()

    assert answer.status == 200
    assert time.monotonic() - began > 0.045


def test_a_start_may_answer_without_a_sid(agora: Any) -> None:
    _plan(agora, sid_lost=True)
    answer = agora.start(agora.acquire().body["resourceId"])

    assert answer.status == 200
    assert "sid" not in answer.body


# --- a recording's fate -------------------------------------------------------------------------


def test_a_silent_death_leaves_only_404(agora: Any, bucket: Any, receiver: Any) -> None:
    _plan(agora, kill={"after_s": 40})
    task = agora.record()
    agora.advance(39)
    heard = len(receiver.received)
    alive = task.query().status
    agora.advance(200)

    assert alive == 200
    assert task.query().code == 404
    assert task.stop().code == 404
    assert len(receiver.received) == heard
    assert "#EXT-X-ENDLIST" not in bucket.text(".m3u8")


def test_a_kill_by_command_frees_the_uid(agora: Any) -> None:
    task = agora.record()
    agora.advance(5)
    seen = task.command("kill")

    assert (seen["live"], seen["phase"]) == (False, "ended")
    assert agora.record().query().status == 200


def test_a_failover_hides_the_task_and_brings_it_back_under_another_uid(
    agora: Any, bucket: Any, receiver: Any
) -> None:
    _plan(agora, failover={"after_s": 40, "window_s": 60, "new_uid": 777})
    task = agora.record()
    agora.advance(50)
    window = [task.query().code, task.stop().code, task.call("updateLayout", {}).code]
    agora.advance(70)
    back = task.query()
    answer = task.stop()
    agora.advance(1)

    assert window == [404, 404, 404]
    assert back.body["serverResponse"]["status"] == 5
    assert answer.status == 200
    assert receiver.details(12) == {"msgName": "session_failover", "newUid": 777}
    after = [e for e in receiver.of(40) if e["payload"]["uid"] == "777"]
    assert after[0]["payload"]["sequence"] <= 1
    assert set(bucket.names(".m3u8")) == {f"{task.sid}_room.m3u8", f"bak0_{task.sid}_room.m3u8"}
    old, new = (bucket.objects[k].decode() for k in sorted(bucket.objects) if k.endswith("m3u8"))
    if "bak0_" in old:
        old, new = new, old
    assert "#EXT-X-ENDLIST" not in old
    assert new.endswith("#EXT-X-ENDLIST\n")
    slices = re.findall(r"^[^#].*$", old + new, re.MULTILINE)
    assert sorted(slices) == bucket.names(".ts")


def test_files_of_the_second_failover_are_numbered_on(agora: Any, bucket: Any) -> None:
    _plan(agora, failover=[{"after_s": 20, "window_s": 5}, {"after_s": 50, "window_s": 5}])
    agora.record()
    agora.advance(80)

    prefixes = {name.split("_")[0] for name in bucket.names(".m3u8") if name.startswith("bak")}
    assert prefixes == {"bak0", "bak1"}


def test_the_fourth_failover_ends_the_task(agora: Any, receiver: Any) -> None:
    task = agora.record()
    agora.advance(5)
    for _ in range(4):
        task.command("failover", window_s=1)
        agora.advance(3)

    assert task.seen()["live"] is False
    assert task.seen()["failovers"] == 3
    assert receiver.details(11)["exitStatus"] == 1


@pytest.mark.parametrize("status", [2, 3])
def test_a_task_may_never_get_ready(agora: Any, receiver: Any, status: int) -> None:
    _plan(agora, never_ready={"status": status})
    task = agora.record()
    agora.advance(120)

    assert task.query().body["serverResponse"]["status"] == status
    assert 40 not in receiver.types()
    assert task.stop().code == 435


def test_an_abnormal_exit_shows_status_20_and_then_nothing(agora: Any, receiver: Any) -> None:
    _plan(agora, abnormal_exit={"after_s": 30})
    task = agora.record()
    agora.advance(31)
    seen = task.query().body["serverResponse"]["status"]
    agora.advance(60)

    assert seen == 20
    assert task.query().code == 404
    assert receiver.details(1)["errorLevel"] == 5
    assert receiver.details(11)["exitStatus"] == 1


def test_an_error_may_come_and_end_nothing(agora: Any, receiver: Any) -> None:
    _plan(agora, error={"after_s": 5, "level": 2, "module": 0, "code": 19})
    task = agora.record()
    agora.advance(6)

    assert receiver.details(1)["errorCode"] == 19
    assert task.query().status == 200


def test_idle_by_command_is_an_exit_without_users(agora: Any, receiver: Any) -> None:
    task = agora.record()
    agora.advance(20)
    task.command("idle")
    agora.advance(1)

    assert receiver.details(41)["leaveCode"] & 4
    assert receiver.of(31)


def test_crash_by_command_is_an_abnormal_exit(agora: Any) -> None:
    task = agora.record()
    agora.advance(5)

    assert task.command("crash")["status"] == 20


# --- files that come late -----------------------------------------------------------------------


def test_the_backup_brings_missing_slices_later(agora: Any, bucket: Any, receiver: Any) -> None:
    _plan(agora, backup={"first": 1, "slices": 1, "after_s": 30})
    task = agora.record()
    agora.advance(50)
    answer = task.stop()
    agora.advance(1)
    named = re.findall(r"^[^#].*$", bucket.text(".m3u8"), re.MULTILINE)
    missing = set(named) - set(bucket.names(".ts"))
    agora.advance(30)

    assert missing == {named[1]}
    assert answer.body["serverResponse"]["uploadingStatus"] == "backuped"
    assert receiver.of(32)
    assert not receiver.of(31)
    assert bucket.names(".ts") == named


def test_a_short_recording_has_its_last_slice_in_the_backup(agora: Any, bucket: Any) -> None:
    _plan(agora, backup={"first": 5, "after_s": 30})
    task = agora.record()
    agora.advance(10)
    task.stop()
    early = bucket.names(".ts")
    agora.advance(31)

    assert early == []
    assert len(bucket.names(".ts")) == 1


def test_what_is_to_come_late_comes_by_command_and_only_once(agora: Any, bucket: Any) -> None:
    _plan(agora, backup={"first": 0, "after_s": 3600}, mp4_delay_s=3600)
    task = agora.record(recordingFileConfig={"avFileType": ["hls", "mp4"]})
    agora.advance(10)
    task.stop()
    agora.advance(1)
    early = bucket.names(".ts") + bucket.names(".mp4")
    task.command("deliver")
    agora.advance(1)
    written = len(bucket.order)
    agora.advance(3600)

    assert early == []
    assert (len(bucket.names(".ts")), len(bucket.names(".mp4"))) == (1, 1)
    assert len(bucket.order) == written


def test_a_re_upload_brings_the_whole_playlist_under_another_name(agora: Any, bucket: Any) -> None:
    _plan(agora, reupload={"after_s": 10, "times": 2})
    task = agora.record()
    agora.advance(50)
    task.stop()
    agora.advance(21)

    plain = f"{task.sid}_room.m3u8"
    first, second = [name for name in bucket.names(".m3u8") if name != plain]
    pattern = rf"{task.sid}_room_\d{{8,16}}_([01])\.m3u8"
    assert [re.fullmatch(pattern, name)[1] for name in (first, second)] == ["0", "1"]  # type: ignore[index]
    texts = {key.rsplit("/", 1)[1]: value for key, value in bucket.objects.items()}
    assert b"ENDLIST" not in texts[plain]
    assert b"ENDLIST" not in texts[first]
    assert texts[second].count(b"#EXTINF") == 4
    assert texts[second].endswith(b"#EXT-X-ENDLIST\n")


def test_mp4_may_come_after_event_31(agora: Any, bucket: Any, receiver: Any) -> None:
    _plan(agora, mp4_delay_s=60)
    task = agora.record(recordingFileConfig={"avFileType": ["hls", "mp4"]})
    agora.advance(20)
    task.stop()
    agora.advance(1)
    early = bucket.names(".mp4")
    agora.advance(60)

    assert receiver.of(31)
    assert early == []
    assert bucket.names(".mp4") == [f"{task.sid}_room_0.mp4"]


# --- webhooks -----------------------------------------------------------------------------------


def test_webhooks_of_a_type_may_be_lost_doubled_or_late(agora: Any, receiver: Any) -> None:
    def about(event_type: int, **action: Any) -> dict[str, Any]:
        return {"match": {"endpoint": "webhook", "event_types": [event_type]}, "action": action}

    agora.faults(about(40, lose=True), about(30, duplicate=2), about(42, delay_s=10))
    agora.record()
    agora.advance(8)
    early = receiver.types()
    agora.advance(5)

    assert 40 not in receiver.types()
    assert early.count(30) == 3
    assert 42 not in early
    assert 42 in receiver.types()


# --- rules --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"match": {"endpoint": "begin"}, "action": {}},
        {"match": {"endpoint": "start", "when": 1}, "action": {}},
        {"match": {"endpoint": "query"}, "action": {"kill": True}},
        {"match": {"endpoint": "start"}, "action": {"kil": True}},
        {"match": {"endpoint": "start"}, "action": {"kill": {"after": 1}}},
        {"match": {"endpoint": "start"}, "action": {"kill": 3}},
        {"match": {"endpoint": "start"}, "action": {"drop": "now"}},
        {"match": {"endpoint": "webhook"}, "action": {"answer": {"http": 500}}},
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(rule: dict[str, Any]) -> None:
    with pytest.raises(PlanError):
        Rule.of(rule)


def test_rules_report_how_often_they_applied(agora: Any) -> None:
    agora.faults(
        {"match": {"endpoint": "acquire", "times": 1}, "action": {"answer": {"http": 500}}}
    )
    agora.acquire()
    agora.acquire()
    (rule,) = agora.control("GET", "faults")["rules"]

    assert (rule["matched"], rule["applied"]) == (2, 1)
