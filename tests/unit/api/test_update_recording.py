"""Changing a recording while it runs; and the two rooms that do it."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.agora.bodies import start_fields
from agora_recording.agora.redaction import redact, restore
from agora_recording.api.update_recording import running, with_layout, with_update, words
from agora_recording.aws.lease import UPDATE_LEASE_S
from agora_recording.errors import RateLimitedError, RecordingBusyError, RecordingStateError
from agora_recording.recording.model import TERMINAL, Recording
from agora_recording.request.check import check_recording
from functions.update_layout import app as layout_app
from functions.update_recording import app as update_app
from tests.unit.api.test_gateway import anything
from tests.world import builders
from tests.world.api import Context, Response, read, request
from tests.world.builders import (
    HOST,
    RECORDING_ID,
    RESOURCE_ID,
    gone,
    recording,
    reply,
    silence,
)
from tests.world.webhook import NOW_MS, SID, UID
from tests.world.world import World

KEY = "a-stream-key-nobody-may-see"
OTHER_KEY = "another-stream-key"
SUBSCRIBE = {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["1", "2"]}}}
LAYOUT = {"mixedVideoLayout": 1, "backgroundColor": "#101820"}
CDN = {"rtmpPublishConfig": {"outputs": [{"rtmpUrl": f"rtmp://live.example.com/app/{KEY}"}]}}
PAGE = {
    "serviceName": "web_recorder_service",
    "serviceParam": {
        "url": "https://example.com/tour?secret=1",
        "audioProfile": 0,
        "videoWidth": 1280,
        "videoHeight": 720,
        "maxRecordingHour": 2,
    },
}
WEB = {"extensionServiceConfig": {"extensionServices": [PAGE]}}


class Room(World):
    """The two rooms that change recordings."""

    def __init__(self, *rows: Recording) -> None:
        super().__init__(*(rows or (recording(),)))

    def patch(self, body: Any) -> Response:
        return read(update_app.lambda_handler(request(body), Context(), updater=self.parts.updater))

    def put(self, body: Any) -> Response:
        event = request(body, resource="/recordings/{recordingId}/layout")
        return read(layout_app.lambda_handler(event, Context(), updater=self.parts.layout_updater))

    @property
    def told(self) -> list[Any]:
        """What Agora was told, change by change."""
        return [call["body"]["clientRequest"] for _, call in self.agora.calls]


def web(outputs: list[str] | None = None) -> Room:
    """Return a room in which a page is being recorded, its addresses sealed."""
    services: list[Any] = [PAGE]
    if outputs is not None:
        param = {"outputs": [{"rtmpUrl": each} for each in outputs]}
        services.append({"serviceName": "rtmp_publish_service", "serviceParam": param})
    whole = {"extensionServiceConfig": {"extensionServices": services}}
    room = Room()
    shown, secrets = redact(whole)
    sealed = room.parts.sealer.seal(RECORDING_ID, secrets)
    room.add(recording(mode="web", client_request=shown, sealed=sealed))
    room.kms.calls.clear()
    return room


def accepted(endpoint: Any = "update") -> Any:
    return reply(endpoint, resourceId=RESOURCE_ID, sid=SID)


# --- what Agora is told ---


def test_an_update_is_passed_on_as_it_is() -> None:
    room = Room()
    room.agora.then(accepted())
    answer = room.patch(SUBSCRIBE)
    assert answer.status == 200
    assert answer.body["recordingId"] == RECORDING_ID
    ((endpoint, call),) = room.agora.calls
    assert endpoint == "update"
    assert (call["resource_id"], call["sid"], call["base_url"]) == (RESOURCE_ID, SID, HOST)
    assert call["body"] == {"cname": "consultation-7", "uid": UID, "clientRequest": SUBSCRIBE}


@pytest.mark.parametrize("uid", [{}, {"uid": "17"}])
def test_agoras_own_body_of_an_update_is_understood_too(uid: dict[str, str]) -> None:
    room = Room()
    room.agora.then(accepted())
    answer = room.patch({"cname": "consultation-7", **uid, "clientRequest": SUBSCRIBE})
    assert answer.status == 200
    assert [each["path"] for each in answer.body.get("warnings", ())] == list(uid)
    assert room.told == [SUBSCRIBE]
    assert room.row.client_request["recordingConfig"]["subscribeAudioUids"] == ["1", "2"]


def test_agoras_own_body_of_a_layout_is_understood_too() -> None:
    room = Room()
    room.agora.then(accepted("updateLayout"))
    assert room.put({"clientRequest": LAYOUT}).status == 200
    assert room.told == [LAYOUT]


def test_what_is_wrong_in_or_beside_a_wrapped_change_is_told_by_its_whole_path() -> None:
    room = Room()
    inner = {"streamSubscribe": [], "recordingConfig": {"maxIdleTime": 5}}
    answer = room.patch({"cname": "another", "mode": "mix", "clientRequest": inner})
    assert answer.status == 400
    assert {each["path"]: each["rule"] for each in answer.body["problems"]} == {
        "cname": "is not this recording's channel; leave it out",
        "mode": "must be inside clientRequest, not beside it",
        "clientRequest.streamSubscribe": "must be an object, not an array",
        "clientRequest.recordingConfig": "is set at the start, and cannot be changed later; this "
        "call takes streamSubscribe, webRecordingConfig, rtmpPublishConfig, startAt, stopAt",
    }
    assert room.patch({"clientRequest": {}}).body["problems"][0]["path"] == "clientRequest"
    assert room.told == []


def test_the_answer_to_a_change_shows_the_subscription_and_the_layout_that_hold_now() -> None:
    room = Room()
    room.agora.then(accepted("updateLayout"), accepted())
    assert "subscription" not in room.put({"mixedVideoLayout": 0}).body
    shown = room.patch(SUBSCRIBE).body
    assert shown["subscription"] == {"subscribeAudioUids": ["1", "2"]}
    assert shown["layout"] == {"mixedVideoLayout": 0}


def test_a_layout_is_passed_on_as_it_is() -> None:
    room = Room()
    room.agora.then(accepted("updateLayout"))
    assert room.put(LAYOUT).status == 200
    assert room.agora.endpoints == ["updateLayout"]
    assert room.told == [LAYOUT]


def test_what_is_doubtful_is_passed_on_with_a_warning() -> None:
    room = Room()
    room.agora.then(accepted())
    answer = room.patch({**SUBSCRIBE, "newField": 1})
    assert [each["path"] for each in answer.body["warnings"]] == ["newField"]
    assert room.told[0]["newField"] == 1


def test_a_change_is_on_the_timeline_and_a_sign_of_life() -> None:
    room = Room()
    room.clock.advance(100)
    room.agora.then(accepted())
    room.patch(SUBSCRIBE)
    (note,) = room.notes
    assert (note["kind"], note["data"]) == ("update", {"fields": ["streamSubscribe"]})
    assert note["text"] == "The app changed the subscriptions."
    assert room.row.last_seen_ms == room.clock()


@pytest.mark.parametrize(
    ("endpoint", "body", "text"),
    [
        ("updateLayout", LAYOUT, "The app changed the layout."),
        ("update", {"webRecordingConfig": {"onhold": True}}, "The app paused the recording."),
        ("update", {"webRecordingConfig": {"onhold": False}}, "The app resumed the recording."),
        ("update", CDN, "The app set 1 CDN output."),
        ("update", {"rtmpPublishConfig": {"outputs": []}}, "The app set 0 CDN outputs."),
        (
            "update",
            {"webRecordingConfig": {"onhold": False}, **CDN},
            "The app resumed the recording and set 1 CDN output.",
        ),
        (
            "update",
            {"webRecordingConfig": {}},
            "The app sent an update that changes nothing.",
        ),
    ],
)
def test_a_change_is_told_in_words(endpoint: Any, body: dict[str, Any], text: str) -> None:
    assert words(endpoint, body) == text


# --- what is refused before Agora is asked ---


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "body"),
        ({"webRecordingConfig": {"onhold": True}}, "webRecordingConfig"),
        ({**SUBSCRIBE, "storageConfig": {}}, "storageConfig"),
        ({"streamSubscribe": {"audioUidList": {"subscribeAudioUids": [1]}}}, "streamSubscribe"),
    ],
)
def test_what_agora_would_refuse_is_refused(body: dict[str, Any], path: str) -> None:
    room = Room()
    answer = room.patch(body)
    assert answer.status == 400
    assert answer.body["problems"][0]["path"].startswith(path)
    assert not room.agora.calls


def test_only_a_mix_recording_has_a_layout() -> None:
    room = web()
    assert room.put(LAYOUT).status == 400
    assert not room.agora.calls


@given(anything, st.booleans())
def test_no_body_breaks_either_room(body: str | None, encoded: bool) -> None:
    room = Room()
    room.agora.answers.extend([accepted(), accepted("updateLayout")])
    event = {**request(), "body": body, "isBase64Encoded": encoded}
    update = update_app.lambda_handler(event, Context(), updater=room.parts.updater)
    assert read(update).status in (200, 400)
    room.agora.answers.clear()
    room.agora.then(accepted("updateLayout"))
    layout = layout_app.lambda_handler(event, Context(), updater=room.parts.layout_updater)
    assert read(layout).status in (200, 400)


@pytest.mark.parametrize("recording_id", ["x", "0" * 26])
def test_what_is_not_there_cannot_be_changed(recording_id: str) -> None:
    room = Room()
    event = request(SUBSCRIBE, recording_id=recording_id)
    answer = read(update_app.lambda_handler(event, Context(), updater=room.parts.updater))
    assert answer.status == 404


@pytest.mark.parametrize(
    "status", ["requested", "starting", "stopping", "uploading", *sorted(TERMINAL)]
)
def test_only_what_records_can_be_changed(status: Any) -> None:
    room = Room(recording(status=status))
    answer = room.patch(SUBSCRIBE)
    assert answer.status == 409
    assert answer.body["detail"].endswith(f"the status of this one is {status}.")
    assert "Retry-After" not in answer.headers


def test_what_is_being_stopped_can_be_changed_no_more() -> None:
    with pytest.raises(RecordingStateError, match="being stopped"):
        running(recording(stop_reason="STOP_REQUESTED"))


@pytest.mark.parametrize(
    "row",
    [
        recording(session_end="DIED"),
        recording(attempt=builders.attempt(2)),
        recording(attempt=builders.acquired(2)),
        recording(attempt=None),
    ],
)
def test_between_two_sessions_a_change_is_to_be_tried_again(row: Recording) -> None:
    with pytest.raises(RecordingBusyError, match="being restarted"):
        running(row)
    answer = Room(row).patch(SUBSCRIBE)
    assert (answer.status, answer.headers["Retry-After"]) == (409, "2")


# --- what Agora refuses ---


def test_a_refusal_has_agoras_reason_and_changes_nothing() -> None:
    room = Room()
    room.agora.then(reply("updateLayout", 400, code=1028, reason="bad layout"))
    answer = room.put(LAYOUT)
    assert answer.status == 422
    assert "bad layout" in answer.body["detail"]
    assert room.row.client_request == recording().client_request
    assert [note["kind"] for note in room.notes] == ["refused"]


def test_agoras_words_stay_out_of_the_timeline_since_they_may_repeat_an_address(
    caplog: pytest.LogCaptureFixture,
) -> None:
    room = web()
    room.agora.then(reply("update", 400, code=2, reason=f"invalid rtmp://x/{KEY}"))
    with caplog.at_level(logging.DEBUG):
        assert room.patch(CDN).status == 422
    assert KEY not in json.dumps([list(room.table.rows(key[0])) for key in room.table.items])
    assert KEY not in str([vars(each) for each in caplog.records])


@pytest.mark.parametrize(
    "first", [reply("update", 206, code=65), reply("update", 504, code=62), reply("update", 500)]
)
def test_what_was_not_completed_is_tried_a_second_time(first: Any) -> None:
    room = Room()
    room.agora.then(first, accepted())
    assert room.patch(SUBSCRIBE).status == 200
    assert room.clock() == NOW_MS + 3000


@pytest.mark.parametrize(
    ("answers", "retry_after"),
    [
        ([reply("update", 206, code=65), reply("update", 206, code=65)], "3"),
        ([silence("update")], "3"),
        ([reply("update", 429)], "2"),
        ([RateLimitedError("no slot")], "2"),
        ([gone("update")], "15"),
    ],
)
def test_what_agora_cannot_do_now_may_be_tried_later(answers: Any, retry_after: str) -> None:
    room = Room()
    room.agora.then(*answers)
    answer = room.patch(SUBSCRIBE)
    assert (answer.status, answer.headers["Retry-After"]) == (503, retry_after)
    assert not room.agora.answers
    assert room.row.client_request == recording().client_request


def test_a_404_makes_the_sweeper_look_sooner() -> None:
    room = Room()
    room.agora.then(gone("update"))
    room.patch(SUBSCRIBE)
    assert room.row.gap_seen


def test_what_is_leaving_can_be_changed_no_more() -> None:
    room = Room()
    room.agora.then(reply("update", 200, code=501))
    answer = room.patch(SUBSCRIBE)
    assert answer.status == 409
    assert "ending" in answer.body["detail"]


# --- one after the other ---


def test_a_change_waits_for_the_one_before_it() -> None:
    room = Room()
    other = room.parts.store.update_lease(RECORDING_ID, room.clock)
    assert other.take(UPDATE_LEASE_S)

    def sleep(seconds: float) -> None:
        if room.clock.advance(seconds) == NOW_MS + 1000:
            other.release()

    room.parts.updater.sleep = sleep
    room.agora.then(accepted())
    assert room.patch(SUBSCRIBE).status == 200
    assert room.clock() == NOW_MS + 1000


def test_a_change_does_not_wait_for_ever() -> None:
    room = Room()
    room.parts.store.update_lease(RECORDING_ID, room.clock).take(UPDATE_LEASE_S)
    answer = room.patch(SUBSCRIBE)
    assert (answer.status, answer.headers["Retry-After"]) == (409, "2")
    assert "not answered yet" in answer.body["detail"]
    assert room.clock() == NOW_MS + 5000
    assert not room.agora.calls


def test_a_change_whose_room_died_holds_up_the_next_for_a_minute_at_most() -> None:
    room = Room()
    room.parts.store.update_lease(RECORDING_ID, room.clock).take(UPDATE_LEASE_S)
    room.clock.advance(UPDATE_LEASE_S + 1)
    room.agora.then(accepted())
    assert room.patch(SUBSCRIBE).status == 200


def test_after_a_refusal_the_next_change_is_free_to_go() -> None:
    room = Room()
    room.agora.then(reply("update", 400, code=2), accepted())
    assert room.patch(SUBSCRIBE).status == 422
    assert room.patch(SUBSCRIBE).status == 200
    assert room.clock() == NOW_MS


def test_changes_of_two_recordings_do_not_wait_for_each_other() -> None:
    room = Room()
    room.parts.store.update_lease("0" * 26, room.clock).take(UPDATE_LEASE_S)
    room.agora.then(accepted())
    assert room.patch(SUBSCRIBE).status == 200
    assert room.clock() == NOW_MS


def test_a_stop_that_comes_while_a_change_waits_is_heeded() -> None:
    room = Room()
    lease = room.parts.store.update_lease(RECORDING_ID, room.clock)
    lease.take(UPDATE_LEASE_S)

    def sleep(seconds: float) -> None:
        room.clock.advance(seconds)
        room.parts.store.amend(RECORDING_ID, lambda row: replace(row, stop_reason="STOP_REQUESTED"))
        lease.release()

    room.parts.updater.sleep = sleep
    assert room.patch(SUBSCRIBE).status == 409
    assert not room.agora.calls


def test_a_restart_that_comes_between_is_told() -> None:
    room = Room()

    def restarted() -> Any:
        begun = builders.running(2, sid="1" * 32)
        room.parts.store.amend(RECORDING_ID, lambda row: replace(row, attempt=begun))
        return accepted()

    room.agora.then(restarted)
    answer = room.patch(SUBSCRIBE)
    assert answer.status == 409
    assert "send the request again" in answer.body["detail"]
    assert "subscribeAudioUids" in room.row.client_request["recordingConfig"]


# --- what holds after a restart ---


def test_a_session_started_anew_begins_with_what_held_last() -> None:
    room = web([f"rtmp://old.example.com/app/{OTHER_KEY}"])
    room.agora.then(accepted(), accepted())
    assert room.patch(CDN).status == 200
    assert room.patch({"webRecordingConfig": {"onhold": True}}).status == 200
    row = room.row
    whole = restore(row.client_request, room.parts.sealer.unseal(RECORDING_ID, row.sealed))
    begun = start_fields(whole, None)
    told = begun["extensionServiceConfig"]["extensionServices"]
    assert told == [
        {**PAGE, "serviceParam": {**PAGE["serviceParam"], "onhold": True}},  # type: ignore[dict-item]
        {
            "serviceName": "rtmp_publish_service",
            "serviceParam": CDN["rtmpPublishConfig"],
        },
    ]


def test_a_stream_key_is_only_ever_kept_sealed() -> None:
    room = web([f"rtmp://old.example.com/app/{OTHER_KEY}"])
    room.agora.then(accepted())
    answer = room.patch(CDN)
    kept = json.dumps([room.table.row(*key) for key in room.table.items])
    assert KEY not in kept
    assert KEY not in json.dumps(answer.body)
    secrets = room.parts.sealer.unseal(RECORDING_ID, room.row.sealed)
    assert KEY in json.dumps(secrets)
    assert OTHER_KEY not in json.dumps(secrets)


def test_what_has_no_secret_needs_no_key() -> None:
    room = web()
    room.agora.then(accepted())
    room.patch({"webRecordingConfig": {"onhold": True}})
    assert room.kms.calls == []


def services(request: dict[str, Any]) -> dict[str, Any]:
    found = request["extensionServiceConfig"]["extensionServices"]
    return {each["serviceName"]: each["serviceParam"] for each in found}


def test_outputs_can_be_added_replaced_and_taken_away() -> None:
    one = with_update(WEB, CDN)
    assert services(one)["rtmp_publish_service"] == CDN["rtmpPublishConfig"]
    none = with_update(one, {"rtmpPublishConfig": {"outputs": []}})
    assert none == WEB
    some = with_update(one, {"rtmpPublishConfig": {"outputs": [{}, {"rtmpUrl": "rtmp://b"}]}})
    assert services(some)["rtmp_publish_service"] == {"outputs": [{"rtmpUrl": "rtmp://b"}]}


def test_a_list_takes_the_place_of_its_opposite() -> None:
    before = {"recordingConfig": {"unsubscribeAudioUids": ["9"], "subscribeVideoUids": ["1"]}}
    after = with_update(before, SUBSCRIBE)
    assert after["recordingConfig"] == {
        "subscribeAudioUids": ["1", "2"],
        "subscribeVideoUids": ["1"],
    }


def test_a_medium_that_is_not_named_keeps_its_list() -> None:
    before = {"recordingConfig": {"subscribeVideoUids": ["1"]}}
    after = with_update(before, {"streamSubscribe": {"audioUidList": {}}})
    assert after == before


def test_an_empty_choice_is_everybody_again() -> None:
    before = {"recordingConfig": {"channelType": 1, "unsubscribeAudioUids": ["9"]}}
    after = with_update(before, {"streamSubscribe": {"audioUidList": {}}})
    assert after == {"recordingConfig": {"channelType": 1}}


def test_a_layout_replaces_the_layout_and_keeps_the_size() -> None:
    before = {
        "recordingConfig": {
            "channelType": 1,
            "transcodingConfig": {
                "width": 640,
                "height": 360,
                "mixedVideoLayout": 3,
                "layoutConfig": [{"x_axis": 0}],
            },
        }
    }
    assert with_layout(before, LAYOUT)["recordingConfig"] == {
        "channelType": 1,
        "transcodingConfig": {"width": 640, "height": 360, **LAYOUT},
    }


def test_a_layout_brings_no_secret_into_the_row() -> None:
    kept = with_layout({}, {**LAYOUT, "token": KEY, "layoutConfig": [{"secret": KEY}]})
    assert KEY not in json.dumps(kept)


uids = st.lists(st.integers(1, 99).map(str), max_size=3)
lists = st.fixed_dictionaries(
    {},
    optional={
        "audioUidList": st.one_of(
            st.just({}),
            st.fixed_dictionaries({"subscribeAudioUids": uids}),
            st.fixed_dictionaries({"unsubscribeAudioUids": uids}),
        ),
        "videoUidList": st.one_of(
            st.just({}),
            st.fixed_dictionaries({"subscribeVideoUids": uids}),
            st.fixed_dictionaries({"unsubscribeVideoUids": uids}),
        ),
    },
)
layouts = st.sampled_from([LAYOUT, {}, {"mixedVideoLayout": 2, "maxResolutionUid": "7"}])


@given(st.lists(lists.map(lambda each: {"streamSubscribe": each}) | layouts, max_size=5))
def test_whatever_was_changed_can_be_started_again(changes: list[dict[str, Any]]) -> None:
    request: dict[str, Any] = {"recordingConfig": {"channelType": 1}}
    for change in changes:
        is_update = "streamSubscribe" in change
        request = with_update(request, change) if is_update else with_layout(request, change)
    assert check_recording({"cname": "standup", "clientRequest": request}).problems == ()
    assert with_update(request, {}) == request


# --- what does not fit ---


def test_an_image_address_with_a_query_reaches_agora_and_not_the_row() -> None:
    room = Room()
    room.agora.then(accepted("updateLayout"))
    image = "https://img.example.com/a.png"
    layout = {**LAYOUT, "backgroundImage": f"{image}?sig=f00dfeedf00dfeed"}
    answer = room.put(layout)
    assert answer.status == 200
    assert [each["path"] for each in answer.body["warnings"]] == ["body"]
    assert room.told == [layout]
    kept = room.row.client_request["recordingConfig"]["transcodingConfig"]
    assert kept == {**LAYOUT, "backgroundImage": image}


def test_a_new_layout_takes_the_place_of_one_with_a_sealed_address() -> None:
    whole = {
        "token": KEY,
        "recordingConfig": {
            "channelType": 1,
            "transcodingConfig": {
                "backgroundConfig": [{"uid": "1", "image_url": "https://a.example.com/b?sig=1"}]
            },
        },
    }
    room = Room()
    shown, secrets = redact(whole)
    room.add(recording(client_request=shown, sealed=room.parts.sealer.seal(RECORDING_ID, secrets)))
    room.agora.then(accepted("updateLayout"))
    assert room.put(LAYOUT).status == 200
    row = room.row
    again = restore(row.client_request, room.parts.sealer.unseal(RECORDING_ID, row.sealed))
    assert again == {
        "token": KEY,
        "recordingConfig": {"channelType": 1, "transcodingConfig": LAYOUT},
    }


def outputs(count: int, length: int = 10) -> dict[str, Any]:
    addresses = [f"rtmp://a.example.com/{n}/{'k' * length}" for n in range(count)]
    return {"rtmpPublishConfig": {"outputs": [{"rtmpUrl": each} for each in addresses]}}


@pytest.mark.parametrize("change", [outputs(65), outputs(1, 9000), outputs(10, 2000)])
def test_more_secrets_than_can_be_sealed_are_refused_before_agora_is_told(
    change: dict[str, Any],
) -> None:
    room = web()
    before = room.row
    answer = room.patch(change)
    assert answer.status == 400
    assert "secret" in answer.body["detail"]
    assert not room.agora.calls
    assert room.row == before
    assert "encrypt" not in room.kms.calls


def test_an_update_costs_at_most_eight_calls_of_kms() -> None:
    room = web()
    room.agora.then(accepted(), accepted())
    assert room.patch(outputs(9, 1700)).status == 200
    room.kms.calls.clear()
    assert room.patch(outputs(9, 1710)).status == 200
    assert len(room.kms.calls) == 8


def test_a_layout_that_the_row_has_no_room_for_is_refused_before_agora_is_told() -> None:
    room = Room(recording(client_request={"pad": "x" * 200_000}))
    answer = room.put({**LAYOUT, "unknown": "x" * 100_000})
    assert answer.status == 400
    assert "must be smaller" in answer.body["detail"]
    assert not room.agora.calls
