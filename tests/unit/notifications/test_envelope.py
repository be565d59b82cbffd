"""The envelope: whose it is, what it says, where it is kept."""

from __future__ import annotations

import base64
import json
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from hypothesis import example, given
from hypothesis import strategies as st

from agora_recording.aws import dynamodb
from agora_recording.errors import NotificationInvalidError, SignatureError, StaleNotificationError
from agora_recording.notifications import envelope as notifications
from agora_recording.notifications import events
from agora_recording.notifications.envelope import Notification
from tests.world.webhook import DOCUMENTED, NOW_MS, SECRET, SID, body, request, signature

# The pair of digests that Agora publishes ("Agora Notifications: verify signatures").
PUBLISHED_SECRET = "secret"
PUBLISHED_BODY = (
    b'{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f",'
    b'"notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}'
)
PUBLISHED_V1 = "033c62f40f687675f17f0f41f91a40c71c0f134c"
PUBLISHED_V2 = "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99"


def refused(raw: bytes, headers: dict[str, str], *secrets: str) -> bool:
    try:
        notifications.verify(raw, headers, secrets)
    except SignatureError:
        return True
    return False


# --- signatures ---


@pytest.mark.parametrize(
    "headers", [{"Agora-Signature-V2": PUBLISHED_V2}, {"Agora-Signature": PUBLISHED_V1}]
)
def test_the_published_signature_passes(headers: dict[str, str]) -> None:
    assert not refused(PUBLISHED_BODY, headers, PUBLISHED_SECRET)


@pytest.mark.parametrize(
    ("name", "digest"), [("Agora-Signature-V2", PUBLISHED_V2), ("Agora-Signature", PUBLISHED_V1)]
)
def test_every_one_bit_change_of_body_signature_or_secret_is_refused(
    name: str, digest: str
) -> None:
    def flip(value: bytes, bit: int) -> bytes:
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        return bytes(changed)

    for bit in range(len(PUBLISHED_BODY) * 8):
        assert refused(flip(PUBLISHED_BODY, bit), {name: digest}, PUBLISHED_SECRET)
    for bit in range(len(digest) * 4):
        changed = flip(bytes.fromhex(digest), bit).hex()
        assert refused(PUBLISHED_BODY, {name: changed}, PUBLISHED_SECRET)
    for bit in range(len(digest) * 8):
        changed = flip(digest.encode(), bit).decode("latin-1")
        if changed.lower() != digest:  # a change of case is no change of the digest
            assert refused(PUBLISHED_BODY, {name: changed}, PUBLISHED_SECRET)
    for bit in range(len(PUBLISHED_SECRET) * 8):
        changed = flip(PUBLISHED_SECRET.encode(), bit).decode("latin-1")
        assert refused(PUBLISHED_BODY, {name: digest}, changed)


# Without NUL: HMAC pads short keys with it, so "a" and "a\0" are one secret.
SECRETS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=40)


@given(raw=st.binary(min_size=1, max_size=300), bit=st.integers(0), secret=SECRETS, other=SECRETS)
def test_only_the_signed_bytes_and_the_signing_secret_pass(
    raw: bytes, bit: int, secret: str, other: str
) -> None:
    headers = {"agora-signature-v2": signature(raw, secret)}
    assert not refused(raw, headers, other, secret)
    changed = bytearray(raw)
    changed[bit // 8 % len(raw)] ^= 1 << bit % 8
    assert refused(bytes(changed), headers, secret)
    assert other == secret or refused(raw, headers, other)


def test_a_wrong_v2_is_not_saved_by_a_right_v1() -> None:
    raw = body()
    v1 = signature(raw, digest="sha1")
    assert refused(raw, {"Agora-Signature-V2": "00" * 32, "Agora-Signature": v1}, SECRET)
    assert refused(raw, {"Agora-Signature-V2": "", "Agora-Signature": v1}, SECRET)


def test_v1_can_be_switched_off() -> None:
    raw = body()
    with pytest.raises(SignatureError):
        notifications.verify(
            raw, {"Agora-Signature": signature(raw, digest="sha1")}, [SECRET], allow_v1=False
        )


def test_only_a_comparison_in_constant_time_lets_a_signature_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """How long another comparison takes would tell how much of a guess is right."""
    asked: list[tuple[bytes, bytes]] = []

    def differ(a: bytes, b: bytes) -> bool:
        asked.append((a, b))
        return False

    monkeypatch.setattr("hmac.compare_digest", differ)
    assert refused(PUBLISHED_BODY, {"Agora-Signature-V2": PUBLISHED_V2}, PUBLISHED_SECRET)
    assert asked == [(PUBLISHED_V2.encode(),) * 2]


def test_a_v1_digest_in_the_v2_header_is_refused() -> None:
    raw = body()
    assert refused(raw, {"Agora-Signature-V2": signature(raw, digest="sha1")}, SECRET)


def test_a_request_without_a_signature_is_refused() -> None:
    assert refused(body(), {}, SECRET)


def test_any_live_secret_may_sign() -> None:
    raw = body()
    assert not refused(raw, {"Agora-Signature-V2": signature(raw, "old")}, SECRET, "old")


def test_an_empty_secret_signs_nothing() -> None:
    raw = body()
    assert refused(raw, {"Agora-Signature-V2": signature(raw, "")}, "")


@pytest.mark.parametrize("name", ["agora-signature-v2", "AGORA-SIGNATURE-V2", "Agora-Signature-V2"])
def test_the_case_of_header_and_digest_does_not_matter(name: str) -> None:
    raw = body()
    assert not refused(raw, {name: signature(raw).upper()}, SECRET)


@pytest.mark.parametrize("sent", ["ä" * 64, "\udcff" * 64, " ", "0x" + "0" * 62])
def test_a_signature_that_is_no_hex_is_refused(sent: str) -> None:
    assert refused(body(), {"Agora-Signature-V2": sent}, SECRET)


# --- requests ---


def test_a_base64_body_is_decoded_to_the_signed_bytes() -> None:
    raw = '{"cname":"診察"}'.encode()
    assert notifications.raw_body(request(raw, encoded=True)) == raw
    assert notifications.raw_body(request(raw)) == raw


def test_a_body_that_is_not_the_base64_it_claims_to_be_is_refused() -> None:
    with pytest.raises(SignatureError):
        notifications.raw_body({"body": "{not base64}", "isBase64Encoded": True})


def test_a_missing_body_is_empty() -> None:
    assert notifications.raw_body({"body": None}) == b""


@pytest.mark.parametrize("encoded", [True, False])
def test_a_body_above_the_limit_is_refused_and_one_at_the_limit_is_not(encoded: bool) -> None:
    at_the_limit = request("é".encode() * 500, encoded=encoded)
    assert len(notifications.raw_body(at_the_limit, 1000)) == 1000
    with pytest.raises(NotificationInvalidError):
        notifications.raw_body(at_the_limit, 999)


def test_a_huge_body_is_refused_before_it_is_decoded() -> None:
    with pytest.raises(NotificationInvalidError):
        notifications.raw_body({"body": "é" * 5000, "isBase64Encoded": True}, 1000)


def test_headers_of_a_load_balancer_with_several_values_are_read() -> None:
    event = {"multiValueHeaders": {"Agora-Signature-V2": ["first", "last"], "Empty": []}}
    assert notifications.headers(event) == {"agora-signature-v2": "last"}


@pytest.mark.parametrize("event", [{}, {"headers": None}])
def test_a_request_without_headers_has_none(event: dict[str, Any]) -> None:
    assert notifications.headers(event) == {}


@pytest.mark.parametrize(
    ("event", "address"),
    [
        ({"requestContext": {"identity": {"sourceIp": "203.0.113.10"}}}, "203.0.113.10"),
        ({"headers": {"X-Forwarded-For": "192.0.2.1, 203.0.113.10"}}, "203.0.113.10"),
        ({"headers": {"x-forwarded-for": "203.0.113.10:40312"}}, "203.0.113.10"),
        ({"headers": {"x-forwarded-for": "192.0.2.1, [2001:db8::7]:40312"}}, "2001:db8::7"),
        ({"headers": {"x-forwarded-for": "2001:db8::7"}}, "2001:db8::7"),
        ({"requestContext": {"elb": {}}, "headers": {}}, ""),
    ],
)
def test_the_source_is_what_the_gateway_saw(event: dict[str, Any], address: str) -> None:
    assert notifications.source_ip(event) == address


@pytest.mark.parametrize(
    ("address", "listed"),
    [("203.0.113.10", True), ("203.0.113.11", False), ("2001:db8::7", True), ("", False)],
)
def test_an_address_is_looked_up_in_the_networks(address: str, listed: bool) -> None:
    networks = notifications.parse_networks(["203.0.113.10/32", "nonsense", "2001:db8::/64"])
    assert notifications.is_listed(address, networks) is listed


# --- age ---


@pytest.mark.parametrize("notify_ms", [NOW_MS - 300_000, NOW_MS + 300_000, None])
def test_a_fresh_notification_passes(notify_ms: int | None) -> None:
    notifications.refuse_stale(Notification(notifyMs=notify_ms), NOW_MS, 300)


@pytest.mark.parametrize("notify_ms", [NOW_MS - 300_001, NOW_MS + 300_001, 0])
def test_a_stale_notification_is_refused(notify_ms: int) -> None:
    with pytest.raises(StaleNotificationError):
        notifications.refuse_stale(Notification(notifyMs=notify_ms), NOW_MS, 300)


def test_the_replay_window_can_be_switched_off() -> None:
    notifications.refuse_stale(Notification(notifyMs=1), NOW_MS, 0)


# --- the envelope ---


def test_the_envelope_is_read() -> None:
    raw = body(41, {"leaveCode": 4}, sequence=7)
    assert notifications.read(raw) == Notification(
        noticeId=f"{SID}-527841-41-7",
        productId=3,
        eventType=41,
        notifyMs=NOW_MS + 80,
        eventMs=NOW_MS,
        sid=SID,
        uid="527841",
        cname="consultation-7",
        sequence=7,
        details={"leaveCode": 4},
    )


def test_the_envelope_before_1_3_is_read() -> None:
    raw = json.dumps(
        {
            "notificationId": "2000001428:3778000:10",
            "eventType": 30,
            "eventMs": NOW_MS - 5,
            "notifyMs": NOW_MS,
            "payload": {
                "cname": "c",
                "uid": "1",
                "sid": "s",
                "sequence": "10",
                "noticeLevel": 1,
                "details": {"status": 0},
            },
        }
    ).encode()
    notification = notifications.read(raw)
    assert notification == Notification(
        noticeId="2000001428:3778000:10",
        eventType=30,
        eventMs=NOW_MS - 5,
        notifyMs=NOW_MS,
        sid="s",
        uid="1",
        cname="c",
        sequence=10,
        details={"status": 0},
    )
    assert notifications.key(notification, raw) == ("SID#s", "EVT#30#1#0000000010")


def test_the_sid_beside_the_payload_serves_where_the_payload_has_none() -> None:
    assert notifications.read(b'{"sid":"s","payload":{}}').sid == "s"
    assert notifications.read(b'{"sid":"s","payload":{"sid":"inner"}}').sid == "inner"


@pytest.mark.parametrize(
    "raw", [b"", b"Ok", b"[1]", b'"text"', b"null", b"NaN", b'{"a":"\xff"}', b"[" * 60_000]
)
def test_a_body_that_is_no_json_object_is_not_read(raw: bytes) -> None:
    with pytest.raises(NotificationInvalidError):
        notifications.read(raw)


@pytest.mark.parametrize(
    "payload", [None, [], "text", {"details": "text", "sid": [], "sequence": -1, "sendts": True}]
)
def test_fields_that_make_no_sense_are_missing(payload: object) -> None:
    raw = json.dumps({"noticeId": {}, "eventType": 1.5, "notifyMs": 10**20, "payload": payload})
    assert notifications.read(raw.encode()) == Notification()


# --- keys and items ---


def test_a_resend_has_the_same_key() -> None:
    first = body(sequence=3)
    again = body(sequence=3, notifyMs=NOW_MS + 60_000)
    assert first != again
    assert notifications.key(notifications.read(first), first) == notifications.key(
        notifications.read(again), again
    )


def test_keys_of_one_type_and_uid_sort_by_sequence() -> None:
    keys = [notifications.key(notifications.read(raw), raw) for raw in map(_numbered, range(120))]
    assert keys == sorted(keys)
    assert keys[9] == (f"SID#{SID}", "EVT#33#527841#0000000009")


def _numbered(sequence: int) -> bytes:
    return body(sequence=sequence)


def test_without_a_sequence_the_notice_is_the_key() -> None:
    raw = b'{"noticeId":"n1","productId":3,"payload":{"sid":"s"}}'
    assert notifications.key(notifications.read(raw), raw) == ("NOTICE#3#n1", "NOTICE")


def test_with_nothing_to_tell_it_by_the_hash_is_the_key() -> None:
    partition, sort = notifications.key(Notification(), b"anything")
    assert (partition[:14], len(partition), sort) == ("NOTICE#sha256#", 78, "NOTICE")


def test_the_item_keeps_the_body_as_it_came_and_what_is_known_of_it() -> None:
    raw = body(sequence=3)
    item = notifications.item(notifications.read(raw), raw, NOW_MS + 100, 1_700_086_400)
    assert dynamodb.from_item(item) == {
        "PK": f"SID#{SID}",
        "SK": "EVT#33#527841#0000000003",
        "body": raw.decode(),
        "eventType": 33,
        "productId": 3,
        "noticeId": f"{SID}-527841-33-3",
        "sid": SID,
        "uid": "527841",
        "cname": "consultation-7",
        "sequence": 3,
        "eventMs": NOW_MS,
        "notifyMs": NOW_MS + 80,
        "receivedMs": NOW_MS + 100,
        "expiresAt": 1_700_086_400,
    }


def test_a_body_that_is_no_text_is_kept_as_bytes() -> None:
    item = notifications.item(Notification(), b"\xff\x00", NOW_MS, None)
    assert item["body"] == {"B": b"\xff\x00"}
    assert "expiresAt" not in item


@pytest.mark.parametrize("raw", [body(), b"\xff\x00", b"no json"])
def test_a_stored_row_is_read_back(raw: bytes) -> None:
    try:
        expected = notifications.read(raw)
    except NotificationInvalidError:
        expected = Notification()
    row = dynamodb.from_item(notifications.item(expected, raw, NOW_MS, None))
    assert notifications.from_row(row) == (expected, NOW_MS)


def test_an_unreadable_row_of_a_stream_is_read_back() -> None:
    row = {"body": base64.b64encode(b"\xff\x00").decode(), "receivedMs": NOW_MS}
    assert notifications.from_row(row) == (Notification(), NOW_MS)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
_ENVELOPE = ["noticeId", "notificationId", "productId", "eventType", "notifyMs", "eventMs", "sid"]
_PAYLOAD = ["sid", "uid", "cname", "sequence", "sendts", "serviceType", "details"]
_VALIDATOR = ParamValidator()
_DYNAMODB = botocore.session.Session().get_service_model("dynamodb")


@given(
    envelope=st.dictionaries(st.sampled_from(_ENVELOPE), JSON),
    payload=st.dictionaries(st.sampled_from(_PAYLOAD), JSON),
)
@example(envelope={"noticeId": "é" * 2000}, payload={"sid": "é" * 3000, "cname": "é" * 3000})
@example(
    envelope={"eventType": 33}, payload={"sid": "s" * 128, "uid": "é" * 64, "sequence": 2**63 - 1}
)
@example(envelope={"notifyMs": 1e300, "productId": 10**40}, payload={"sequence": "9" * 19})
def test_whatever_is_authentic_fits_the_table(
    envelope: dict[str, Any], payload: dict[str, Any]
) -> None:
    raw = json.dumps({**envelope, "payload": payload}).encode()
    try:
        notification = notifications.read(raw)
    except NotificationInvalidError:  # lone surrogates are no JSON
        notification = Notification()
    item = notifications.item(notification, raw, NOW_MS, NOW_MS // 1000)
    report = _VALIDATOR.validate(item, _DYNAMODB.shape_for("PutItemInputAttributeMap"))
    assert not report.has_errors(), report.generate_report()
    assert len(item["PK"]["S"].encode()) <= 2048
    assert len(item["SK"]["S"].encode()) <= 1024
    assert len(item.get("cname", {"S": "c"})["S"].encode()) in range(1, 2049)  # an index key
    assert all(len(value["N"]) <= 38 for value in item.values() if "N" in value)


# --- what is kept of a body ---

KEY = "a-stream-key-nobody-may-see"


def kept(event_type: int, details: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the stored body of an event."""
    raw = body(event_type, details, **more)
    row = dynamodb.from_item(notifications.item(notifications.read(raw), raw, NOW_MS, None))
    assert KEY not in json.dumps(row)
    found: dict[str, Any] = json.loads(row["body"])
    return found


@pytest.mark.parametrize(
    "details",
    [
        {"msgName": "rtmp_publish_status", "rtmpUrl": f"rtmp://cdn.example.com/live/{KEY}"},
        {"errorMsg": f'refused: {{"token": "{KEY}"}}'},
        {"message": f"see https://example.com/{KEY} and https://{KEY}@example.com"},
        {"news": {"Authorization": KEY}},
        {"news": json.dumps({"stream_key": KEY})},
        {"news": f"key={KEY}", "more": [f"PASSWORD: {KEY}"]},
        {"fileList": [{"fileName": "a.ts", "secret": KEY}]},
        {"fileName": f"https://s3.example.com/a.ts?X-Amz-Signature={KEY}"},
    ],
)
def test_a_body_is_stored_without_what_may_be_secret(details: dict[str, Any]) -> None:
    stored = kept(4711, details)
    assert stored["payload"]["details"].keys() == details.keys()
    assert stored["payload"]["sid"] == SID


@pytest.mark.parametrize(
    ("event_type", "details"),
    [(number, each) for number, several in DOCUMENTED.items() for each in several],
)
def test_a_documented_event_is_stored_as_it_arrived_but_for_a_cdn_address(
    event_type: int, details: dict[str, Any]
) -> None:
    stored = kept(event_type, details)
    if event_type == 100:
        assert stored["payload"]["details"].pop("rtmpUrl").startswith("rtmp://live.example.com/…#")
        details = {name: each for name, each in details.items() if name != "rtmpUrl"}
    assert stored["payload"]["details"] == details


def test_the_event_of_a_cdn_output_names_the_same_target_before_and_after_it_is_stored() -> None:
    raw = body(100, DOCUMENTED[100][0])
    read = notifications.read(raw)
    row = dynamodb.from_item(notifications.item(read, raw, NOW_MS, None))
    assert events.from_stored(row) == events.decode(read, NOW_MS)


def test_an_event_that_says_nothing_secret_is_stored_as_it_arrived_however_deep_it_goes() -> None:
    details: dict[str, Any] = {}
    for _ in range(40):
        details = {"more": details}
    assert kept(4711, details)["payload"]["details"] == details


@pytest.mark.parametrize("raw", [f"token={KEY}".encode(), f"\xff token={KEY}".encode("latin-1")])
def test_a_body_that_is_no_json_is_stored_without_secrets_too(raw: bytes) -> None:
    item = notifications.item(Notification(), raw, NOW_MS, None)
    assert KEY not in repr(item)


def test_what_an_event_is_about_is_kept_whatever_it_looks_like() -> None:
    cname = "https://example.com/room-4711-abc-0815"
    document = json.loads(body(33, sid="S" * 20 + "1"))
    document["payload"]["cname"] = cname
    raw = json.dumps(document).encode()
    row = dynamodb.from_item(notifications.item(notifications.read(raw), raw, NOW_MS, None))
    again, _ = notifications.from_row(row)
    assert (again.sid, again.noticeId) == (document["payload"]["sid"], document["noticeId"])
    assert again.cname == row["cname"] == cname


# --- what is told to whoever looks for the reason, and the last of the edges ---


def test_each_refusal_says_what_is_wrong() -> None:
    with pytest.raises(SignatureError, match="carries no signature"):
        notifications.verify(b"{}", {}, [SECRET])
    with pytest.raises(SignatureError, match="no live secret made"):
        notifications.verify(b"{}", {"agora-signature-v2": "ab"}, [SECRET])
    with pytest.raises(SignatureError, match="not valid base64"):
        notifications.raw_body({"body": "*", "isBase64Encoded": True})
    with pytest.raises(NotificationInvalidError, match="not a JSON object"):
        notifications.read(b"[]")
    with pytest.raises(StaleNotificationError, match=r"^sent 3000 s ago$"):
        notifications.refuse_stale(Notification(notifyMs=NOW_MS - 3_000_000), NOW_MS, 300)


@pytest.mark.parametrize("text", ["x" * 11, "x" * 18])
def test_a_body_above_the_limit_says_the_limit(text: str) -> None:
    with pytest.raises(NotificationInvalidError, match="larger than 10 bytes"):
        notifications.raw_body({"body": text}, 10)


@pytest.mark.parametrize(
    ("count", "refusal"), [(17, SignatureError), (18, NotificationInvalidError)]
)
def test_the_length_of_base64_alone_refuses_what_is_too_large_even_when_decoded(
    count: int, refusal: type[Exception]
) -> None:
    """10 bytes are 16 characters."""
    with pytest.raises(refusal):
        notifications.raw_body({"body": "*" * count, "isBase64Encoded": True}, 10)


def test_what_is_no_base64_in_the_middle_is_an_error() -> None:
    coded = base64.b64encode(b"0123456789").decode()
    with pytest.raises(SignatureError):
        notifications.raw_body({"body": f"{coded[:4]}*{coded[4:]}", "isBase64Encoded": True})


def test_half_of_a_pair_of_utf_16_is_read_as_it_came() -> None:
    assert notifications.raw_body({"body": "\ud800"}) == b"\xed\xa0\x80"


def test_of_a_repeated_header_the_last_value_counts() -> None:
    event = {"multiValueHeaders": {"Agora-Signature": ["a", "b", "c"], "X": []}}
    assert notifications.headers(event) == {"agora-signature": "c"}


@pytest.mark.parametrize(
    ("event", "address"),
    [
        ({"requestContext": {"identity": {"userAgent": "x"}}}, ""),
        ({"headers": {"x-forwarded-for": "[2001:db8::1]:443"}}, "2001:db8::1"),
        ({"headers": {"x-forwarded-for": "9.9.9.9, 192.0.2.1:443"}}, "192.0.2.1"),
    ],
)
def test_an_address_is_read_without_its_port(event: dict[str, Any], address: str) -> None:
    assert notifications.source_ip(event) == address


def test_a_network_that_is_written_by_one_of_its_addresses_is_one() -> None:
    (network,) = notifications.parse_networks(["192.0.2.7/24", "no network"])
    assert str(network) == "192.0.2.0/24"


def test_a_name_of_128_bytes_is_one_and_a_longer_one_is_none() -> None:
    for count, kept in ((128, "x" * 128), (129, None)):
        raw = json.dumps({"noticeId": "x" * count, "payload": {}}).encode()
        assert notifications.read(raw).noticeId == kept


@pytest.mark.parametrize(("sent", "kept"), [(-1, None), (0, 0), (1, 1)])
def test_numbers_of_products_and_events_are_not_negative(sent: int, kept: int | None) -> None:
    found = notifications.read(json.dumps({"productId": sent, "eventType": sent}).encode())
    assert (found.productId, found.eventType) == (kept, kept)


def test_a_channel_may_have_a_longer_name_and_a_sequence_begins_at_0() -> None:
    raw = json.dumps({"payload": {"cname": "x" * 200, "sequence": 0}}).encode()
    found = notifications.read(raw)
    assert (found.cname, found.sequence) == ("x" * 200, 0)


def test_each_part_of_a_key_is_needed() -> None:
    """Of a session's event: sid, uid, type and sequence; otherwise the notice is the key."""
    whole: dict[str, Any] = {
        "sid": SID,
        "uid": "7",
        "eventType": 33,
        "sequence": 1,
        "noticeId": "n",
    }
    told = Notification(**whole, productId=3)
    assert notifications.key(told, b"") == (f"SID#{SID}", "EVT#33#7#0000000001")
    for name in ("sid", "uid", "eventType", "sequence"):
        part = Notification(**{**whole, name: None})
        assert notifications.key(part, b"") == ("NOTICE##n", "NOTICE")


def test_an_event_of_a_channel_is_kept_for_another_room() -> None:
    assert notifications.key(Notification(productId=1, noticeId="n"), b"") == ("NOTICE#1#n", "RTC")
    assert notifications.key(Notification(productId=0, noticeId="n"), b"")[1] == "NOTICE"


def test_a_row_is_read_back_whether_its_body_is_text_or_bytes() -> None:
    raw = body(33)
    for kept in (raw, raw.decode()):
        found, received_ms = notifications.from_row({"body": kept, "receivedMs": 7})
        assert (found.sid, received_ms) == (SID, 7)
