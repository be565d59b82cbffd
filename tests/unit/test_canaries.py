"""No secret of a caller's or of Agora's stands anywhere: whole lives with refusals, then a search.

Twelve shapes of secrets are put wherever a caller or Agora can put them. Agora repeats them in its
refusals, in every form. Afterwards every row, history, object, event, message, log line and answer
is searched: no eight characters of a secret that follow each other may stand there.
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any, cast
from urllib.parse import quote, unquote

import pytest
import requests

from agora_recording.agora.client import AgoraClient, AgoraKeys
from agora_recording.agora.limiter import Limiter
from agora_recording.agora.reply import Reply
from agora_recording.agora.task import Resource
from agora_recording.aws.dynamodb import from_item
from agora_recording.notifications.intake import IntakeSettings, take
from agora_recording.notifications.store import NotificationStore
from agora_recording.wiring.parts import Parts
from functions.create_recording import app as create_app
from functions.get_recording_events import app as events_app
from functions.get_recording_files import app as files_app
from functions.get_recordings import app as get_app
from functions.request_stop import app as stop_app
from functions.update_layout import app as layout_app
from functions.update_recording import app as update_app
from tests.world import webhook
from tests.world.api import Context, request
from tests.world.builders import HOST, reply
from tests.world.house import House
from tests.world.live_agora import LiveAgora
from tests.world.table import TABLE

pytestmark = pytest.mark.slow


# Shapes that also somebody recognises who does not know the secret.
SHAPED = {
    "an RTC token": "007eJxTYLhk4bd0o9dJ3nGvWz5pYGAwNzU0Nk9JTTZJNkszTjFNAgDKSwnC",
    "a key in hex": "5f3a9c0e7b1d4826a0c4e8f215b7d936",
    "a salt in base64": "kJ8x/Qv2+ZpR7mW0yT5uE3aL9sD6fG1hXcVbNqMw4oI=",
    "a stream key": "live_88213377_Yt6Rf4Ws2Qa0Zx9Cv7",
    "a JWT": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI5MDIxIn0.Qk3vXz8_rT5wNpLm2",
    "a very long one": "".join(f"{number * 7919 % 99991:05}qZ" for number in range(400)),
}
PLAIN = {
    "a pass phrase": "purple  monkey dishwasher\tninety-four",
    "with signs of JSON": "ab\"cd\\ef/gh\nij{kl}'mn",
    "in other scripts": "ключ-秘密の鍵-🔑🗝-schlüssel-π",
    "a short one": "Xq7#zP2",
    "a number": "9081726354",
    "a password in a URL": "p4ss:w0rd%21&Zeta~42",
}
CANARIES = {**PLAIN, **SHAPED}
CUSTOMER = AgoraKeys("4c8f1e6b9d2a7305", "e1d9b7f5a3c2806449af6b7c5d3e2f10")
OURS = (CUSTOMER.customer_secret,)


def address(scheme: str, key: str) -> str:
    """Return an address with a secret in its path, in its user and in its query."""
    user = quote(CANARIES["a password in a URL"], safe="")
    coded = quote(key, safe="")
    return f"{scheme}://u:{user}@media.example.com/app/{coded}?k={coded}"


def everywhere() -> dict[str, Any]:
    """Return fields that Agora does not document, with a secret of each shape."""
    names = ("streamPassword", "AUTHORIZATION", "api_key", "my-Token", "Credentials", "callbackUrl")
    hidden: dict[str, Any] = {}
    for number, (shape, canary) in enumerate(CANARIES.items()):
        value: Any = int(canary) if shape == "a number" else canary
        hidden[f"{names[number % len(names)]}{number}"[:40]] = value
    fields = {
        f"x{number}": {"list": [{"secret": each}]} for number, each in enumerate(hidden.values())
    }
    text = json.dumps({"password": CANARIES["a pass phrase"], "n": 1})
    said = {"note": text, "words": f"token={CANARIES['a JWT']}"}
    return {"unknown": {**hidden, **fields, **said}}


# The path of an image is no secret; what may open it stands in its user or its query.
IMAGE = re.sub("/app/[^?]*", "/logo.png", address("https", CANARIES["a stream key"]))
LAYOUT = {
    "mixedVideoLayout": 1,
    "backgroundColor": "#101820",
    "backgroundImage": IMAGE,
    "backgroundConfig": [{"uid": "7", "image_url": IMAGE}],
}
MIX: dict[str, Any] = {
    "cname": "standup",
    "mode": "mix",
    "restartLimit": 2,
    "clientRequest": {
        "token": CANARIES["an RTC token"],
        "recordingConfig": {
            "channelType": 1,
            "decryptionMode": 8,
            "secret": CANARIES["a key in hex"],
            "salt": CANARIES["a salt in base64"],
            "privateParams": json.dumps({"che.token": CANARIES["a stream key"]}),
            "transcodingConfig": {"width": 640, "height": 360, "fps": 15, "bitrate": 500, **LAYOUT},
        },
        **everywhere(),
    },
}
WEB: dict[str, Any] = {
    "cname": "tour",
    "mode": "web",
    "restartLimit": 2,
    "clientRequest": {
        "extensionServiceConfig": {
            "extensionServices": [
                {
                    "serviceName": "web_recorder_service",
                    "serviceParam": {
                        "url": address("https", CANARIES["a JWT"]),
                        "audioProfile": 0,
                        "videoWidth": 1280,
                        "videoHeight": 720,
                        "maxRecordingHour": 2,
                        **everywhere(),
                    },
                },
                {
                    "serviceName": "rtmp_publish_service",
                    "serviceParam": {
                        "outputs": [{"rtmpUrl": address("rtmps", CANARIES["a stream key"])}]
                    },
                },
            ]
        },
        **everywhere(),
    },
}


class Echo:
    """An HTTP session with an Agora that repeats what it was sent wherever it has words.

    `refusals` are answered first, by the endpoint: statuses with codes.
    """

    FORMS = (
        lambda text: text,
        lambda text: "x" * 290 + text,
        lambda text: " ".join(text.split()),
        lambda text: json.dumps(json.dumps(text)),
        lambda text: quote(text, safe=""),
        lambda text: base64.b64encode(text.encode()).decode(),
        lambda text: text[: len(text) // 2],
        lambda text: text[len(text) // 2 :],
        lambda text: text.upper(),
    )

    def __init__(self, live: LiveAgora, refusals: dict[str, list[tuple[int, int | None]]]) -> None:
        self.live = live
        self.refusals = refusals
        self.said = 0
        self.told = 0

    def request(self, method: str, url: str, **how: Any) -> requests.Response:
        """Answer a call, with a refusal if there is one left."""
        path = url.split("/cloud_recording")[1]
        endpoint = path.rsplit("/", 1)[1]
        sent = how.get("json")
        left = self.refusals.get(endpoint)
        words = self._words(sent, how["auth"])
        if left:
            status, code = left.pop(0)
            fault = {"reason": words} if self.said % 2 else {"message": words}
            self.told += 1
            return _response(status, {**fault, **({} if code is None else {"code": code})})
        found = self._live(endpoint, path, sent)
        if found.status is None:
            raise requests.ReadTimeout
        answer = found.answer
        body: dict[str, Any] = {
            "resourceId": answer.resource_id,
            "sid": answer.sid,
            "code": answer.code,
        }
        if found.is_ok:
            body["serverResponse"] = {"status": answer.status, "echo": words}
        return _response(found.status, {**body, "reason": answer.reason, "echo": words})

    def _words(self, sent: Any, auth: tuple[str, str]) -> str:
        self.said += 1
        # What Agora was sent in this call is known by its value, anything else by its shape.
        text = json.dumps(sent, ensure_ascii=False)
        was_sent = [
            each for each in CANARIES.values() if json.dumps(each, ensure_ascii=False) in text
        ]
        known = was_sent or list(SHAPED.values())
        form = self.FORMS[self.said % len(self.FORMS)]
        if not sent and self.said % len(self.FORMS) == 5:
            form = self.FORMS[0]  # a text in base64 that nobody knows is a run of letters anyway
        canary = known[self.said % len(known)]
        basic = base64.b64encode(":".join(auth).encode()).decode()
        return f"bad: {form(canary)} for Basic {basic} ({auth[1]})"

    def _live(self, endpoint: str, path: str, sent: Any) -> Reply:
        if endpoint == "acquire":
            return self.live.acquire(sent["cname"], sent["uid"], sent["clientRequest"])
        parts = path.split("/")
        resource_id = unquote(parts[2])
        cname, uid = self.live.resources[resource_id]
        mode = parts[parts.index("mode") + 1]
        resource = Resource(resource_id=resource_id, mode=mode, cname=cname, uid=uid)
        if endpoint == "start":
            return self.live.start(resource, sent["clientRequest"])
        task = resource.task(unquote(parts[4]))
        if endpoint in ("update", "updateLayout"):
            return reply(cast(Any, endpoint), sid=task.sid, resourceId=resource_id)
        return self.live.query(task) if endpoint == "query" else self.live.stop(task)


def _response(status: int, body: Any) -> requests.Response:
    response = requests.Response()
    response.status_code = status
    response._content = json.dumps(body).encode()
    return response


class HouseWithEcho(House):
    """A house whose Agora is spoken to by the real client, and repeats what it hears."""

    def __init__(self, refusals: dict[str, list[tuple[int, int | None]]]) -> None:
        super().__init__()
        self.table.items.clear()  # its recordings are made by the API
        self.statuses.clear()
        self.secrets.versions["agora"] = [
            json.dumps(
                {"customerId": CUSTOMER.customer_id, "customerSecret": CUSTOMER.customer_secret}
            )
        ]
        self.echo = Echo(self.agora, refusals)
        secrets = Parts(self.settings, self.outside).secrets
        client = AgoraClient(
            app_id="app",
            secret_id="agora",
            base_url=HOST,
            aws_region="us-east-1",
            limiter=Limiter(
                TABLE,
                calls_per_second=1000,
                client=cast(Any, self.table),
                now_ms=self.clock,
                sleep=lambda _: None,
            ),
            secrets=secrets,
            session=cast(Any, self.echo),
            sleep=lambda _: None,
        )
        vars(self)["parts"] = Parts(self.settings, self.outside, agora=client, storage=self.storage)
        self.answers: list[Any] = []

    def call(self, app: Any, body: Any = None, **given: Any) -> int:
        """Call a room of the API; keep what it answers."""
        part = given.pop("part")
        event = request(body, **given)
        answer = app.lambda_handler(event, Context(), **part)
        self.answers.append(answer)
        status: int = answer["statusCode"]
        return status

    def hear(self, kind: int, details: dict[str, Any], sequence: int) -> None:
        """Receive a notification as the webhook does, and apply it."""
        session = next(iter(self.agora.sessions.values()), None)
        sid, uid = (session.sid, session.uid) if session else (webhook.SID, webhook.UID)
        raw = webhook.body(kind, details, sequence=sequence, sid=sid, uid=uid, sent_ms=self.clock())
        event = webhook.request(raw)

        class Anybody:
            def verify(self, *_: Any, **__: Any) -> None:
                """Take every signature."""

        store = NotificationStore(TABLE, cast(Any, self.table))
        receipt = take(event, self.clock(), IntakeSettings(), store, Anybody())
        self.answers.append(repr(receipt))
        partition, sort = f"SID#{sid}", f"EVT#{kind}#{uid}#{sequence:010d}"
        item = self.table.items[partition, sort]
        self.apply([{"dynamodb": {"SequenceNumber": str(sequence), "NewImage": item}}])


def told_by_agora() -> list[tuple[int, dict[str, Any]]]:
    """Return notifications with secrets wherever Agora has free text or addresses."""
    events: list[tuple[int, dict[str, Any]]] = []
    for shape, canary in CANARIES.items():
        named = json.dumps({"token": canary})
        cdn = address("rtmp", canary)
        events += [
            (1, {"module": 1, "errorCode": 7, "errorLevel": 2, "errorMsg": f"bad: {named}"}),
            (4711, {"news": {"authorization": canary, "deep": [{"Password": canary}]}}),
            (4712, {"news": json.dumps({"stream_key": canary})}),
            (100, {"rtmpUrl": cdn, "status": f"failed {cdn}"}),
        ]
        if shape in SHAPED:
            events += [
                (1, {"module": 0, "errorCode": 8, "errorMsg": f"the token {canary} is wrong"}),
                (73, {"reason": f"reload of {address('https', canary)} {canary}"}),
                (72, {"limitType": canary}),
                (71, {"code": 2, "message": canary, "details": f"key={canary}"}),
                (4713, {"words": [f"see {canary}"], "msgName": "news"}),
            ]
    return events


# --- the search ---


def grams(secret: str) -> set[str]:
    """Return every eight characters of a secret; of a shorter one, itself."""
    return {secret[at : at + 8] for at in range(max(1, len(secret) - 7))}


SEARCHED = {
    gram: shape
    for shape, canary in [*CANARIES.items(), *(("ours", each) for each in OURS)]
    for form in (canary, json.dumps(canary)[1:-1], quote(canary, safe=""))
    for gram in grams(form)
}
_GRAM = re.compile("|".join(re.escape(each) for each in sorted(SEARCHED)))


def found_in(place: str, text: str) -> list[str]:
    """Return where secrets stand in a text: the first of each shape, with what is around it."""
    found: dict[str, str] = {}
    for match in _GRAM.finditer(text):
        around = text[max(0, match.start() - 60) : match.end() + 20]
        found.setdefault(SEARCHED[match[0]], around)
    return [f"{shape} in {place}: {around!r}" for shape, around in found.items()]


def places(house: HouseWithEcho) -> dict[str, str]:
    """Return everything that the house has kept or told, as texts by place."""
    kept = {f"row {key}": repr(from_item(item)) for key, item in house.table.items.items()}
    kept |= {f"object {key}": repr(body) for key, (body, _) in house.bucket.objects.items()}
    for name, execution in house.machine.runs.items():
        kept[f"history {name}"] = repr([getattr(execution, each) for each in execution.__slots__])
    for number, answer in enumerate(house.answers):
        kept[f"answer {number}"] = (
            answer if isinstance(answer, str) else json.dumps(answer, ensure_ascii=False)
        )
    return {**kept, "bus": repr(house.bus.events), "queue": repr(house.queue.messages)}


LIVES: dict[str, dict[str, list[tuple[int, int | None]]]] = {
    "nothing is refused": {},
    "acquire is refused for good": {"acquire": [(400, 2)]},
    "acquire fails at first": {"acquire": [(500, 501), (503, None), (429, None)]},
    "start is refused for good": {"start": [(400, 2)]},
    "the token is refused": {"start": [(400, 110)]},
    "start fails at first": {"start": [(500, None), (400, None), (400, 53), (200, 65)]},
    "query is refused": {"query": [(404, 404), (500, 62), (400, None), (403, None)]},
    "stop is refused": {"stop": [(500, 65), (404, 404), (400, 1003)]},
    "changes are refused": {
        "update": [(400, 2), (500, 65), (500, 65)],
        "updateLayout": [(400, 1028), (404, 404)],
    },
}


@pytest.mark.parametrize("body", [MIX, WEB], ids=["mix", "web"])
@pytest.mark.parametrize("life", LIVES)
def test_no_secret_is_found_after_a_whole_life(
    life: str, body: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    refusals = {endpoint: list(answers) for endpoint, answers in LIVES[life].items()}
    house = HouseWithEcho(refusals)
    parts = house.parts
    made = house.call(
        create_app, body, resource="/recordings", recording_id=None, part={"creator": parts.creator}
    )
    assert made == 202
    house.run(100)
    for sequence, (kind, details) in enumerate(told_by_agora(), start=1000):
        if kind not in (71, 72) or life != "stop is refused":  # these end the session
            house.hear(kind, details, sequence)
    new = {"rtmpPublishConfig": {"outputs": [{"rtmpUrl": address("rtmp", CANARIES["a JWT"])}]}}
    for _ in range(3):
        house.call(update_app, {**new, **everywhere()}, part={"updater": parts.updater})
        house.call(layout_app, {**LAYOUT, **everywhere()}, part={"updater": parts.layout_updater})
    house.call(stop_app, part={"waker": parts.waker})
    house.run(3 * 24 * 3600)
    for sequence, (kind, details) in enumerate(told_by_agora()[::5], start=2000):
        house.hear(kind, details, sequence)
    house.run(3600)
    house.call(get_app, part={"lister": parts.lister})
    house.call(events_app, part={"timeline": parts.timeline})
    house.call(files_app, part={"media": parts.media})
    written = capfd.readouterr()
    texts = {**places(house), "log": written.out + written.err}
    assert [each for place, text in texts.items() for each in found_in(place, text)] == []
    if life not in ("nothing is refused", "changes are refused"):
        assert house.echo.told
