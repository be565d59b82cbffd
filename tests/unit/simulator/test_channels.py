"""Channels with people who come and go: their events, and who is there by the channel query."""

from __future__ import annotations

from typing import Any


def come_and_go(agora: Any, receiver: Any, users: list[str], **more: Any) -> list[dict[str, Any]]:
    """Put users into the channel `room`; return the bodies of the events that were sent."""
    before = len(receiver.received)
    agora.control("POST", "/channel", {"cname": "room", "users": users, **more})
    agora.advance(1)
    return [one.body for one in receiver.received[before:]]


def test_who_comes_and_goes_is_told_with_a_sequence_that_grows(
    make_agora: Any, receiver: Any
) -> None:
    agora = make_agora(rtc_webhook_url=receiver.url, webhook_url=None)
    told = come_and_go(agora, receiver, ["7", "8"])
    told += come_and_go(agora, receiver, ["8"])
    told += come_and_go(agora, receiver, [])
    assert {each["productId"] for each in told} == {1}
    about = {(each["eventType"], each["payload"].get("uid")) for each in told}
    assert about == {(101, None), (103, 7), (103, 8), (104, 7), (104, 8), (102, None)}
    sequences = {
        (each["eventType"], each["payload"]["uid"]): each["payload"]["clientSeq"]
        for each in told
        if "uid" in each["payload"]
    }
    assert sequences[103, 7] < sequences[103, 8] < sequences[104, 7] < sequences[104, 8]


def test_a_call_and_an_audience_have_events_of_their_own(make_agora: Any, receiver: Any) -> None:
    agora = make_agora(rtc_webhook_url=receiver.url, webhook_url=None)
    call = come_and_go(agora, receiver, ["7"], profile="communication")
    assert sorted(each["eventType"] for each in call) == [101, 107]
    come_and_go(agora, receiver, [])
    live = come_and_go(agora, receiver, ["7"], audience=["9"])
    assert sorted(each["eventType"] for each in live) == [101, 103, 105]


def users(agora: Any) -> Any:
    path = f"/dev/v1/channel/user/{agora.simulator.options.app_id}/room"
    answer = agora.http("GET", path)
    assert answer.status == 200
    return answer.body["data"]


def test_the_channel_query_names_who_is_there_recorders_too(make_agora: Any, receiver: Any) -> None:
    agora = make_agora(rtc_webhook_url=receiver.url, webhook_url=None)
    assert users(agora) == {"channel_exist": False}
    come_and_go(agora, receiver, ["7"], audience=["9"])
    task = agora.record(cname="room", uid="4200000001")
    agora.advance(5)
    found = users(agora)
    assert found["broadcasters"] == [7, 4200000001]
    assert (found["audience"], found["audience_total"]) == ([9], 1)
    (recorder,) = [
        one.body for one in receiver.received if one.body["payload"].get("clientType") == 10
    ]
    assert recorder["payload"]["uid"] == 4200000001
    come_and_go(agora, receiver, [])
    agora.control("POST", f"/recordings/{task.sid}/kill", {})
    assert users(agora) == {"channel_exist": False}


def test_events_of_channels_are_lost_by_plan(make_agora: Any, receiver: Any) -> None:
    agora = make_agora(rtc_webhook_url=receiver.url, webhook_url=None)
    rule = {"match": {"endpoint": "rtc-webhook", "event_types": [103]}, "action": {"lose": True}}
    agora.control("POST", "/faults", [rule])
    assert [each["eventType"] for each in come_and_go(agora, receiver, ["7"])] == [101]


def test_the_channel_query_has_a_limit_of_its_own(make_agora: Any) -> None:
    agora = make_agora(channel_qps=2, qps=1)
    path = f"/dev/v1/channel/user/{agora.simulator.options.app_id}/room"
    statuses = [agora.http("GET", path).status for _ in range(3)]
    assert statuses == [200, 200, 429]
