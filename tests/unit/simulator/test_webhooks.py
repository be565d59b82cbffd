"""Notifications: signed, sent again, lost and doubled on demand."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from itertools import pairwise
from typing import Any

import pytest

from local.agora.webhooks import signatures


def test_the_published_vector_is_signed_as_published() -> None:
    body = (
        b'{"eventMs":1560408533119,"eventType":10,"noticeId":"4eb720f0-8da7-11e9-a43e-53f411c2761f",'
        b'"notifyMs":1560408533119,"payload":{"a":"1","b":2},"productId":1}'
    )

    assert signatures("secret", body) == {
        "Agora-Signature": "033c62f40f687675f17f0f41f91a40c71c0f134c",
        "Agora-Signature-V2": "6d3320c60b11101395b7fc8f9068748808a0aa1bfa064438e39d1bc2c7d74d99",
    }


def test_every_notification_is_signed_over_its_raw_bytes(make_agora: Any, receiver: Any) -> None:
    agora = make_agora(notification_secret="whisper")
    agora.record(cname="a b{c}")
    agora.advance(3)

    assert receiver.received
    for one in receiver.received:
        for header, digest in (
            ("agora-signature", hashlib.sha1),
            ("agora-signature-v2", hashlib.sha256),
        ):
            expected = hmac.new(b"whisper", one.raw, digest).hexdigest()
            assert one.headers[header] == expected
        assert one.headers["content-type"] == "application/json"


def test_the_envelope_is_that_of_the_wire(agora: Any, receiver: Any) -> None:
    task = agora.record()
    agora.advance(1)
    event = receiver.of(30)[0]

    assert set(event) == {"noticeId", "productId", "eventType", "notifyMs", "sid", "payload"}
    assert re.fullmatch("[0-9a-f]{32}", event["noticeId"])
    assert event["productId"] == 3
    assert event["sid"] == task.sid
    assert set(event["payload"]) == {
        "cname",
        "uid",
        "sid",
        "sequence",
        "sendts",
        "serviceType",
        "serviceScene",
        "details",
    }
    assert event["payload"]["serviceType"] == 2
    assert event["payload"]["details"] == {"msgName": "uploader_started", "status": 0}


@pytest.mark.parametrize("answer", [(500, b"{}"), (204, b""), (200, b"Ok"), (401, b"{}")])
def test_anything_but_200_with_json_is_sent_again(
    agora: Any, receiver: Any, answer: tuple[int, bytes]
) -> None:
    receiver.answers.append(answer)
    agora.record()
    agora.advance(1)

    first, second = receiver.of(30)
    assert first["noticeId"] == second["noticeId"]
    assert first["payload"] == second["payload"]


def test_three_resends_with_growing_gaps_then_no_more(agora: Any, receiver: Any) -> None:
    receiver.answers = [(500, b"{}")] * 20
    agora.faults(
        {
            "match": {"endpoint": "webhook", "event_types": [40, 42, 43, 44]},
            "action": {"lose": True},
        }
    )
    agora.record()
    agora.advance(40)

    sent = [event["notifyMs"] for event in receiver.of(30)]
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert gaps == [0, 5000, 15000]
    notice = agora.control("GET", "webhooks")["webhooks"][0]
    assert notice["fate"] == "given up"
    assert [attempt["status"] for attempt in notice["attempts"]] == [500] * 4


def test_a_receiver_that_is_away_is_tried_again(make_agora: Any) -> None:
    agora = make_agora(webhook_url="http://127.0.0.1:9/")
    agora.record()
    agora.advance(1)

    notice = agora.control("GET", "webhooks")["webhooks"][0]
    assert notice["attempts"][0]["status"] is None
    assert "refused" in notice["attempts"][0]["error"]


def test_without_a_receiver_nothing_is_sent_but_all_is_remembered(make_agora: Any) -> None:
    agora = make_agora(webhook_url=None)
    agora.record()
    agora.advance(3)

    notices = agora.control("GET", "webhooks")["webhooks"]
    assert {notice["fate"] for notice in notices} == {"no receiver"}
    assert [notice["eventType"] for notice in notices][:2] == [30, 40]


def test_the_receiver_can_be_set_later(make_agora: Any, receiver: Any) -> None:
    agora = make_agora(webhook_url=None)
    agora.control("POST", "webhooks", {"url": receiver.url, "secret": "new"})
    agora.record()
    agora.advance(1)

    (one,) = receiver.received
    assert one.headers["agora-signature-v2"] == signatures("new", one.raw)["Agora-Signature-V2"]


def test_the_receivers_secret_is_never_shown(agora: Any) -> None:
    answer = agora.control("POST", "webhooks", {"secret": "HUSH", "loss": 0.1})

    assert "HUSH" not in json.dumps(answer)
    assert answer["loss"] == 0.1


def _story(make_agora: Any, **settings: Any) -> list[dict[str, Any]]:
    agora = make_agora(**settings)
    task = agora.record()
    agora.advance(70)
    task.stop()
    agora.advance(30)
    notices: list[dict[str, Any]] = agora.control("GET", "webhooks")["webhooks"]
    return notices


def test_loss_is_the_same_for_the_same_seed(make_agora: Any) -> None:
    one, two, other = (_story(make_agora, webhook_loss=0.5, seed=seed) for seed in (1, 1, 2))
    fates = [[notice["fate"] for notice in story] for story in (one, two, other)]

    assert fates[0] == fates[1] != fates[2]
    assert set(fates[0]) == {"delivered", "lost"}


def test_duplicates_keep_their_notice_id(make_agora: Any, receiver: Any) -> None:
    notices = _story(make_agora, webhook_duplicates=1.0)

    assert {len(notice["attempts"]) for notice in notices} == {2}
    assert len(receiver.received) == 2 * len(notices)
    assert len({one.body["noticeId"] for one in receiver.received}) == len(notices)


def test_disorder_delivers_all_but_out_of_order(make_agora: Any, receiver: Any) -> None:
    notices = _story(make_agora, webhook_disorder=0.5)
    arrived = [one.body["payload"]["sequence"] for one in receiver.received]

    assert sorted(arrived) == list(range(len(notices)))
    assert arrived != sorted(arrived)


@pytest.mark.parametrize("own", [True, False])
def test_redundant_messages_come_twice(make_agora: Any, receiver: Any, own: bool) -> None:
    _story(make_agora, webhook_redundant=True, redundant_has_own_notice_id=own)
    events = [one.body for one in receiver.received]
    keys = {(event["sid"], event["payload"]["sequence"]) for event in events}
    ids = {event["noticeId"] for event in events}

    assert len(events) == 2 * len(keys)
    assert len(ids) == len(events) if own else len(keys)


def test_event_13_is_sent_if_so_chosen(make_agora: Any, receiver: Any) -> None:
    agora = make_agora(event_13=True)
    agora.record()
    agora.advance(5)

    assert receiver.of(13)[0]["payload"]["details"] == {}
