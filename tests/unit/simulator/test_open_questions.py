"""What Agora's documents leave open: each answer that the simulator can give."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from local.agora import rules
from local.agora.__main__ import _further
from local.agora.options import Options
from local.agora.rules import Acquisition, Identity, RefusalError
from tests.unit.simulator.conftest import Bucket, Caller, MakeAgora, Receiver

LISTS = {"unSubscribeAudioUids": ["101"], "unsubscribeVideoUids": ["101"]}


# --- exclusion lists -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "tracks"),
    [
        ("both", {"102 audio", "102 video"}),
        ("unsubscribe", {"101 audio", "102 audio", "102 video"}),
        ("unSubscribe", {"101 video", "102 audio", "102 video"}),
    ],
)
def test_a_list_in_a_spelling_that_is_ignored_excludes_nobody(
    spelling: str, tracks: set[str], make_agora: MakeAgora, bucket: Bucket
) -> None:
    agora = make_agora(exclusion_spelling=spelling)
    agora.record("individual", recordingConfig=LISTS)
    agora.advance(20)
    assert _tracks(bucket) == tracks


@pytest.mark.parametrize("spelling", ["unsubscribeAudioUids", "unSubscribeAudioUids"])
def test_an_update_replaces_a_list_in_either_spelling(
    spelling: str, agora: Caller, bucket: Bucket
) -> None:
    config = {"unSubscribeAudioUids": ["101"], "unsubscribeVideoUids": ["101", "102"]}
    task = agora.record("individual", recordingConfig=config)
    agora.advance(20)
    assert _tracks(bucket) == {"102 audio"}
    task.call("update", {"streamSubscribe": {"audioUidList": {spelling: ["102"]}}})
    agora.advance(20)
    assert _tracks(bucket) == {"102 audio", "101 audio"}


def _tracks(bucket: Bucket) -> set[str]:
    names = [name.split("__uid_s_")[1].split("__uid_e_") for name in bucket.names(".m3u8")]
    return {f"{uid} {tail.removesuffix('.m3u8')}" for uid, tail in names}


# --- what does not apply -------------------------------------------------------------------------

SERVICES = {
    "extensionServices": [
        {
            "serviceName": "web_recorder_service",
            "serviceParam": {
                "url": "https://example.com",
                "audioProfile": 0,
                "videoWidth": 640,
                "videoHeight": 360,
                "maxRecordingHour": 1,
            },
        }
    ]
}
NOT_APPLICABLE: list[tuple[str, dict[str, Any], str]] = [
    ("mix", {"recordingConfig": {"streamMode": "standard"}}, "streamMode"),
    (
        "web",
        {"recordingConfig": {"maxIdleTime": 30}, "extensionServiceConfig": SERVICES},
        "recordingConfig",
    ),
    ("individual", {"extensionServiceConfig": SERVICES}, "extensionServiceConfig"),
]


def _start(mode: str, request: dict[str, Any], **options: Any) -> dict[str, Any]:
    asked = Acquisition(Identity("room", "1"), int(mode == "web"), 72, None)
    storage = {"vendor": 1, "region": 0, "bucket": "b", "accessKey": "a", "secretKey": "s"}
    return rules.start(mode, {"storageConfig": storage, **request}, asked, Options(**options), 0)


@pytest.mark.parametrize(("mode", "request_", "field"), NOT_APPLICABLE)
def test_what_does_not_apply_is_ignored_or_refused(
    mode: str, request_: dict[str, Any], field: str
) -> None:
    assert _start(mode, request_)
    with pytest.raises(RefusalError, match=field):
        _start(mode, request_, not_applicable="refused")


def test_the_group_of_uids_may_be_required() -> None:
    assert _start("individual", {})
    with pytest.raises(RefusalError, match="subscribeUidGroup"):
        _start("individual", {}, uid_group_required=True)


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("in_ms", "digits"), [(False, 17), (True, 13)])
def test_web_slices_are_named_by_utc_or_by_milliseconds(
    in_ms: bool, digits: int, make_agora: MakeAgora, bucket: Bucket
) -> None:
    agora = make_agora(web_slices_in_ms=in_ms)
    agora.record("web", "my board", scene=1, extensionServiceConfig=SERVICES)
    agora.advance(20)
    (name,) = bucket.names(".ts")
    *_, cname, utc = name.removesuffix(".ts").split("_")
    assert (cname, len(utc)) == ("my-board", digits)
    assert name in bucket.text(".m3u8")


@pytest.mark.parametrize(("everywhere", "cname"), [(False, "my board"), (True, "my-board")])
def test_special_characters_become_dashes_in_web_mode_or_everywhere(
    everywhere: bool, cname: str, make_agora: MakeAgora, bucket: Bucket
) -> None:
    agora = make_agora(dashes_in_every_mode=everywhere)
    agora.record("mix", "my board")
    agora.advance(20)
    assert bucket.names(".m3u8")[0].split("_")[1] == f"{cname}.m3u8"


def test_a_merged_index_may_name_a_medium_that_never_came(
    make_agora: MakeAgora, bucket: Bucket
) -> None:
    agora = make_agora(merged_without_media=True)
    config = {"streamMode": "standard", "subscribeAudioUids": ["101"]}
    agora.record("individual", recordingConfig=config)
    agora.advance(20)
    assert "_uid_e_video.m3u8" in bucket.text("_av.m3u8")
    assert not [name for name in bucket.names() if "video" in name]


# --- answers and events --------------------------------------------------------------------------


def test_too_many_calls_may_be_answered_by_400(make_agora: MakeAgora) -> None:
    agora = make_agora(qps=1, rate_refusal=(400, "Bad Request"))
    answers = [agora.acquire(f"room {number}") for number in range(3)]
    assert (answers[-1].status, answers[-1].body) == (400, {"message": "Bad Request"})


@pytest.mark.parametrize("name", ["primaryIP", "PrimaryIP"])
def test_an_address_has_either_name(name: Any, make_agora: MakeAgora) -> None:
    answer = make_agora(address_name=name).http("GET", "/v2/ncs/ip").body
    assert set(answer["data"]["service"]["hosts"][0]) == {name}


def test_expired_credentials_are_reported(agora: Caller, receiver: Receiver) -> None:
    agora.faults({"match": {"endpoint": "start"}, "action": {"token_expired": {"after_s": 5}}})
    agora.record()
    agora.advance(20)
    assert receiver.types().count(34) == 1


@pytest.mark.parametrize(("timeout_s", "told"), [(0, False), (30, True)])
def test_a_page_with_a_time_out_tells_when_it_was_loaded(
    timeout_s: int, told: bool, agora: Caller, receiver: Receiver
) -> None:
    services = json.loads(json.dumps(SERVICES))
    services["extensionServices"][0]["serviceParam"]["readyTimeout"] = timeout_s
    agora.record("web", scene=1, extensionServiceConfig=services)
    agora.advance(20)
    assert ("pageLoadSuccessTime" in receiver.details(70)) == told


def test_every_option_can_be_given_on_the_command_line() -> None:
    given = _further(['exclusion_spelling="unsubscribe"', "expired_task=[404, 404]"])
    options = Options(**given)
    assert (options.exclusion_spelling, options.expired_task) == ("unsubscribe", (404, 404))
    for wrong in ("nothing=1", "event_13=yes"):
        with pytest.raises(ValueError, match=r"nothing|is not JSON"):
            _further([wrong])


# --- paths and bodies ----------------------------------------------------------------------------


@pytest.mark.parametrize("region", ["", "/na", "/us", "/eu", "/ap", "/cn"])
def test_the_regional_paths_of_agoras_clients_are_known(region: str, agora: Caller) -> None:
    body = {"cname": "room", "uid": "9", "clientRequest": {}}
    assert agora.http("POST", f"{region}{agora.base}/acquire", body).status == 200
    assert agora.http("GET", f"{region}/v1/ncs/ip").status == 200


@pytest.mark.parametrize("region", ["/mars", "/na/eu", "/NA"])
def test_no_other_region_is_known(region: str, agora: Caller) -> None:
    assert agora.http("POST", f"{region}{agora.base}/acquire", {}).status == 404


def _raw_call(agora: Caller, payload: bytes) -> tuple[int, Any]:
    """Send the bytes of a chunked body as they are."""
    parts = urlsplit(agora.simulator.url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.putrequest("POST", f"{agora.base}/acquire")
        connection.putheader("Authorization", "Basic Y3VzdG9tZXI6c2VjcmV0")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        connection.send(payload)
        answer = connection.getresponse()
        raw = answer.read()
        return answer.status, json.loads(raw) if answer.status == 200 else raw
    finally:
        connection.close()


BODY = json.dumps({"cname": "room", "uid": "9", "clientRequest": {}}).encode()


@pytest.mark.parametrize("size", [1, 7, len(BODY)])
def test_a_body_in_chunks_is_read(size: int, agora: Caller) -> None:
    pieces = [BODY[at : at + size] for at in range(0, len(BODY), size)]
    chunks = b"".join(b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    status, answer = _raw_call(agora, chunks + b"0\r\nTrailer: x\r\n\r\n")
    assert (status, answer["cname"]) == (200, "room")


@pytest.mark.parametrize(
    "payload", [b"zz\r\n", b"-1\r\n", b"\r\n", b"fffffff\r\nx\r\n", b"1\r\nabc\r\n0\r\n\r\n"]
)
def test_a_body_in_broken_chunks_is_refused(payload: bytes, agora: Caller) -> None:
    assert _raw_call(agora, payload)[0] == 400
