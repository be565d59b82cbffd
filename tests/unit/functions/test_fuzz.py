"""A thousand crafted notifications and a thousand crafted calls, from one seed.

Nothing answers with a status from 500 on, and no notification is acknowledged that is not stored.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, cast

import pytest

from agora_recording.aws.dynamodb import from_item
from agora_recording.notifications.store import NotificationStore
from agora_recording.observability import metrics
from functions.create_recording import app as create_app
from functions.delete_auto_record_rule import app as delete_rule_app
from functions.delete_recording import app as delete_app
from functions.get_auto_record_rules import app as rules_app
from functions.get_recording_events import app as events_app
from functions.get_recording_files import app as files_app
from functions.get_recordings import app as get_app
from functions.manage_links import app as links_app
from functions.play_recording import app as play_app
from functions.put_auto_record_rule import app as put_rule_app
from functions.receive_notification import app as receive_app
from functions.request_stop import app as stop_app
from functions.serve_openapi import app as openapi_app
from functions.update_layout import app as layout_app
from functions.update_recording import app as update_app
from tests.world import channels, webhook
from tests.world.api import Context, request
from tests.world.builders import RECORDING_ID, recording, reply, requested, uploading
from tests.world.examples import REQUESTS
from tests.world.house import House
from tests.world.table import TABLE
from tests.world.world import World

pytestmark = pytest.mark.slow


COUNT = 1000
ODD: tuple[Any, ...] = (
    *(None, True, "", "0", "x" * 200, "é" * 600, "\x00", "{}", "[[", "NaN", "https://a/b?c=d"),
    *(0, -1, 2**31, 2**63, -(2**63) - 1, 10**30, 1.5, 1e300, [], {}, [[]], {"": 1}, "{sealed 0}"),
    *("../..", "#allstream#", "REC#1", "a" * 3000, {"token": {"token": 1}}, [1] * 50),
)


def mutated(random: Random, value: Any, depth: int = 0) -> Any:
    """Return a JSON value in which some things are others."""
    if random.random() < 0.08:
        return random.choice(ODD)
    if isinstance(value, dict):
        changed = {}
        for name, each in value.items():
            if random.random() < 0.05:
                continue
            shown = (
                random.choice([name, name.upper(), name + "x"]) if random.random() < 0.1 else name
            )
            changed[shown] = mutated(random, each, depth + 1)
        if random.random() < 0.1:
            changed[random.choice(["x", "key", "é", "a" * 300])] = random.choice(ODD)
        return changed
    if isinstance(value, list):
        return [mutated(random, each, depth + 1) for each in value] * random.choice([1, 1, 1, 3])
    return value


def text_of(random: Random, value: Any) -> str:
    """Return a body: mostly the JSON of a value, sometimes a broken one."""
    text = json.dumps(value, ensure_ascii=random.random() < 0.5)
    if random.random() < 0.1:
        at = random.randrange(len(text) + 1)
        return random.choice([text[:at], text[:at] + "\x00" + text[at:], "[" * 2000, text * 2])
    return text


class Open:
    """Secrets that take every signature: what is behind them is tried here."""

    def verify(self, *_: Any, **__: Any) -> None:
        """Take it."""


def test_a_thousand_crafted_notifications_are_stored_or_refused(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    random = Random(20261127)
    house = House()
    store = NotificationStore(TABLE, cast(Any, house.table))
    monkeypatch.setenv("TABLE_NAME", TABLE)
    monkeypatch.setenv("NOTIFICATION_SECRET_ID", "s")
    samples = [(kind, each) for kind, several in webhook.DOCUMENTED.items() for each in several]
    counts: Counter[int] = Counter()
    for number in range(COUNT):
        kind, details = random.choice(samples)
        whole = json.loads(webhook.body(kind, details, sequence=number))
        raw = text_of(random, mutated(random, whole))
        event = {**webhook.request(b"{}"), "body": raw}
        before = dict(house.table.items)
        answer = receive_app.lambda_handler(
            event, Context(), store=store, secrets=cast(Any, Open()), now=house.clock
        )
        status = answer["statusCode"]
        counts[status] += 1
        assert status in (200, 401, 413), raw
        if status != 200:
            assert house.table.items == before
            continue
        new = [item for key, item in house.table.items.items() if key not in before]
        assert len(new) == json.loads(answer["body"])["stored"], raw
        for item in new:
            assert from_item(item)["receivedMs"] == house.clock()
            place = {"SequenceNumber": str(number), "NewImage": item}
            assert house.parts.applier.apply([{"dynamodb": place}]) == []
    capfd.readouterr()
    assert counts[200] > COUNT / 2
    assert not [each for each in house.queue.messages if "error" in each]


def test_five_hundred_crafted_channel_events_are_stored_and_applied(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    random = Random(103)
    world = Room()
    world.parts.rules.put("all", {"channelPattern": "*"})
    store = NotificationStore(TABLE, cast(Any, world.table))
    monkeypatch.setenv("TABLE_NAME", TABLE)
    monkeypatch.setenv("NOTIFICATION_SECRET_ID", "s")
    for number in range(COUNT // 2):
        kind = random.choice([101, 102, 103, 104, 105, 106, 107, 108, 111, 112])
        whole = json.loads(channels.body(kind, random.randrange(5), seq=number))
        raw = text_of(random, mutated(random, whole))
        event = {**channels.request(b"{}", "s"), "body": raw}
        before = dict(world.table.items)
        answer = receive_app.lambda_handler(
            event, Context(), store=store, secrets=cast(Any, Open()), now=world.clock
        )
        assert answer["statusCode"] in (200, 401, 413), raw
        new = [item for key, item in world.table.items.items() if key not in before]
        for item in new:
            place = {"SequenceNumber": str(number), "NewImage": item}
            if item["SK"]["S"] == "RTC":
                assert world.parts.channel_applier.apply([{"dynamodb": place}]) == []
    capfd.readouterr()
    metrics.clear_metrics()
    assert world.parts.store.page(limit=100).recordings


class Room(World):
    """All rooms of the API, beside recordings in some states, and an Agora that agrees."""

    def __init__(self) -> None:
        super().__init__(recording())
        self.made = 0
        self.agora = Agreeing()

    def random_bytes(self, count: int) -> bytes:
        self.made += 1
        return self.made.to_bytes(count, "big")


class Agreeing:
    """An Agora that accepts every change."""

    def update(self, *_: Any, **__: Any) -> Any:
        """Accept it."""
        return reply("update", sid=webhook.SID, resourceId="r")

    def update_layout(self, *_: Any, **__: Any) -> Any:
        """Accept it."""
        return reply("updateLayout", sid=webhook.SID, resourceId="r")


RULES: tuple[Any, ...] = (
    {
        "channelPattern": "lesson-*",
        "enabled": True,
        "mode": "raw",
        "clientRequest": {"recordingConfig": {"channelType": 1}, "token": "007"},
        "tags": {"team": "school"},
        "maxDurationSeconds": 3600,
        "restartLimit": 1,
        "stopWhenEmptySeconds": 60,
        "maxAtOnce": 5,
    },
)
UPDATES: tuple[Any, ...] = (
    {"streamSubscribe": {"audioUidList": {"subscribeAudioUids": ["1", "2"]}}},
    {"webRecordingConfig": {"onhold": True}},
    {"rtmpPublishConfig": {"outputs": [{"rtmpUrl": "rtmp://a.example.com/b/c"}]}},
)
LAYOUTS: tuple[Any, ...] = (
    {"mixedVideoLayout": 1, "backgroundColor": "#101820"},
    {"backgroundConfig": [{"uid": "1", "image_url": "https://a.example.com/b.png?c=d"}]},
)
LINKS: tuple[Any, ...] = (
    {"expiresInSeconds": 3600},
    {"expiresInSeconds": 60, "uid": "101", "track": "audio"},
    {"expiresInSeconds": 2_592_000, "from": 10, "to": 20},
)
QUERIES: tuple[dict[str, str], ...] = (
    {},
    {"limit": "5"},
    {"status": "recording"},
    {"cname": "standup"},
    {"cursor": "eyJhIjoxfQ"},
    {"expires": "600", "limit": "0"},
    {"uid": "1", "from": "x"},
    {"é": "\ud800"},
    {"limit": "9" * 40},
)


def test_a_thousand_crafted_calls_are_answered_below_500(
    capfd: pytest.CaptureFixture[str],
) -> None:
    random = Random(4711)
    room = Room()
    parts = room.parts
    one, many = "/recordings/{recordingId}", "/recordings"
    creates: tuple[Any, ...] = tuple(
        {"cname": "room 1", "mode": mode, "clientRequest": each} for mode, each in REQUESTS.values()
    )
    routes: list[tuple[Any, str, tuple[Any, ...], dict[str, Any]]] = [
        (create_app, many, creates, {"creator": parts.creator}),
        (create_app, many, creates, {"creator": parts.creator}),
        (get_app, many, (None,), {"lister": parts.lister}),
        (get_app, one, (None,), {"lister": parts.lister}),
        (update_app, one, UPDATES, {"updater": parts.updater}),
        (layout_app, f"{one}/layout", LAYOUTS, {"updater": parts.layout_updater}),
        (stop_app, f"{one}/stop", (None,), {"timekeeper": parts.timekeeper}),
        (files_app, f"{one}/files", (None,), {"media": parts.media}),
        (files_app, f"{one}/playlist", (None,), {"media": parts.media}),
        (events_app, f"{one}/events", (None,), {"timeline": parts.timeline}),
        (delete_app, one, (None,), {"deleter": parts.deleter}),
        (openapi_app, "/openapi.json", (None,), {}),
        (put_rule_app, "/auto-record/{name}", RULES, {"rules": parts.rules}),
        (rules_app, "/auto-record/{name}", (None,), {"store": parts.rule_store}),
        (rules_app, "/auto-record", (None,), {"store": parts.rule_store}),
        (delete_rule_app, "/auto-record/{name}", (None,), {"store": parts.rule_store}),
        (links_app, f"{one}/links", LINKS, {"links": parts.links, "playback_url": ""}),
        (links_app, f"{one}/links/{{linkId}}", (None,), {"links": parts.links}),
        (play_app, "/play/{token}/index.m3u8", (None,), {"player": parts.player}),
        (play_app, "/play/{token}/{name}", (None,), {"player": parts.player}),
    ]
    token, opened = "x" * 43, 0
    rows: list[Callable[..., Any]] = [recording, requested, uploading]
    statuses: Counter[tuple[str, int]] = Counter()
    for number in range(COUNT):
        room.add(random.choice(rows)(mode=random.choice(["mix", "mix", "web", "individual"])))
        app, resource, bodies, part = routes[number % len(routes)]
        recording_id = None
        if "{recordingId}" in resource:
            recording_id = random.choice([RECORDING_ID] * 6 + ["x", "0" * 26, "é" * 30, "\ud800"])
        whole = random.choice(bodies)
        event = request(
            None if whole is None else text_of(random, mutated(random, whole)),
            resource=resource,
            recording_id=recording_id,
            query=random.choice(QUERIES)
            if app not in (create_app, openapi_app, links_app, play_app)
            else None,
            headers={"Idempotency-Key": random.choice(["k", "", "x" * 300, str(number)])},
        )
        if "{name}" in resource:
            name = random.choice(["a", "a", "b", "", "x" * 65, "é", "\ud800"])
            event["pathParameters"] = {"name": name}
        if app is links_app:
            event["httpMethod"] = "POST" if whole else random.choice(["GET", "DELETE"])
            event["pathParameters"]["linkId"] = random.choice(["x", "é", "0" * 26, "\ud800"])
            event["requestContext"]["domainName"] = "api.example.com"
        if "{token}" in resource:
            names = ["media.m3u8", "a.mpd", "../x", "recordings/a.ts", "%2e%2e", "é", ""]
            shown = random.choice([token, token, "y", "é" * 50])
            event["pathParameters"] = {"token": shown, "name": random.choice(names)}
        answer = app.lambda_handler(event, Context(), **part)
        statuses[app.__name__.split(".")[1], answer["statusCode"]] += 1
        assert answer["statusCode"] < 500, (resource, event["body"], answer)
        opened += app is play_app and "There is nothing to play" in str(answer["body"])
        if app is links_app and answer["statusCode"] == 201:
            token = json.loads(answer["body"])["url"].split("/")[-2]
        if answer["statusCode"] >= 400:
            detail = json.loads(answer["body"])["detail"]
            assert detail
            assert "None" not in detail
    capfd.readouterr()
    # Some of them are good: the fuzz reaches what lies behind the checks.
    assert statuses["create_recording", 202]
    assert statuses["put_auto_record_rule", 200]
    assert statuses["get_auto_record_rules", 200]
    assert statuses["delete_auto_record_rule", 204]
    assert statuses["manage_links", 201]
    assert opened
    assert statuses["update_layout", 200]
    assert statuses["update_recording", 200]
