"""The console over the fakes: its pages asked for without a socket, or served to a browser.

What the console sends to the stack's API goes to the rooms themselves, in this world.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import msgspec

from agora_recording.aws.signing import Keys
from agora_recording.wiring.parts import Parts
from functions.create_recording import app as create_recording
from functions.delete_recording import app as delete_recording
from functions.manage_links import app as manage_links
from functions.request_stop import app as request_stop
from functions.update_layout import app as update_layout
from operate.console.desk import Desk
from operate.console.pages import app
from operate.console.safety import Door
from operate.deployment import Deployment
from operate.doctor.patient import Answer, Doors, Patient
from operate.operations import Operator
from tests.world.api import Context, request
from tests.world.builders import MACHINE, RECORDING_ID
from tests.world.world import World

PORT = 4600
HOST = f"127.0.0.1:{PORT}"
TOKEN = "the-token-of-this-console"
STACK = Deployment(
    name="agora-recording",
    region="us-east-1",
    resources={
        "Table": "recordings",
        "Bucket": "films",
        "RecordingStateMachine": MACHINE,
        "DeadLetters": "dead",
        "PoisonNotifications": "poison",
        "FileArrivals": "arrivals",
        "FailedRecordingsAlarm": "stack-FailedRecordingsAlarm",
        "SaturatedLimiterAlarm": "stack-SaturatedLimiterAlarm",
        "RefreshNcsAddressesFunction": "refresh",
    },
    parameters={"Speed": "1", "AgoraBaseUrl": "https://api.agora.io", "LateDays": "4"},
    outputs={"ApiUrl": "https://api.example.com/v1"},
)


class Page(NamedTuple):
    """What the console answered."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self.text)


class ConsoleWorld(World):
    """A world with a console. `clients` are AWS's other clients, by service."""

    def __init__(self, *rows: Any, **more: Any) -> None:
        super().__init__(*rows, **more)
        self.clients: dict[str, Any] = {}
        self.called: list[tuple[str, str, Any]] = []
        self.wire: Any = None  # DynamoDB's own client, where its cost is measured

    def desk(self) -> Desk:
        """Return a desk in this world."""
        parts: Parts[Any] = self.parts
        if self.wire:
            outside = msgspec.structs.replace(self.outside, dynamodb=self.wire)
            parts = Parts(self.settings, outside, agora=self.agora, storage=self.storage)
        doors = Doors(STACK.outputs["ApiUrl"], "https://api.example.com/v1/notifications", _keys)
        patient = Patient(
            STACK,
            doors,
            parts,
            client=lambda service, **_: self.clients[service],
            send=self.send,
            now_ms=self.clock,
            sleep=self.sleep,
            monotonic=lambda: self.clock() / 1000,
        )
        return Desk(STACK, patient, Operator(STACK, parts))

    def send(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Answer:
        """Bring a call of the API to its room."""
        path = urlsplit(url).path.removeprefix("/v1")
        self.called.append((method, path, json.loads(body) if body else None))
        parts = path.strip("/").split("/")
        recording_id = parts[1] if len(parts) > 1 else None
        link_id = parts[3] if len(parts) > 3 else None
        event = request(
            body.decode() if body else None,
            resource="/".join(["/recordings/{recordingId}", *parts[2:3]]),
            method=method,
            recording_id=recording_id,
            headers=headers,
            parameters={"linkId": link_id} if link_id else None,
        )
        rooms: dict[tuple[str, str], Any] = {
            ("POST", ""): lambda: create_recording.lambda_handler(
                event, Context(), creator=self.parts.creator
            ),
            ("POST", "stop"): lambda: request_stop.lambda_handler(
                event, Context(), timekeeper=self.parts.timekeeper
            ),
            ("PUT", "layout"): lambda: update_layout.lambda_handler(
                event, Context(), updater=self.parts.layout_updater
            ),
            ("DELETE", ""): lambda: delete_recording.lambda_handler(
                event, Context(), deleter=self.parts.deleter
            ),
            (method, "links"): lambda: manage_links.lambda_handler(
                event, Context(), links=self.parts.links, playback_url=""
            ),
        }
        told = rooms[method, parts[2] if len(parts) > 2 else ""]()
        lower = {name.lower(): value for name, value in told["headers"].items()}
        return Answer(told["statusCode"], lower, told["body"].encode())


def _keys() -> Keys:
    return Keys("AKID", "secret", "")


class Visitor:
    """A browser without a screen: asks the console for pages, with the cookie that it was given."""

    def __init__(self, world: ConsoleWorld) -> None:
        self.world = world
        self.door = Door(app(world.desk()), PORT, TOKEN)
        self.cookie = f"console-{PORT}={TOKEN}"

    def get(self, path: str, **headers: str) -> Page:
        """Ask for a page; `headers` have `_` for `-`."""
        return self.ask("GET", path, {"host": HOST, "cookie": self.cookie, **_named(headers)})

    def post(self, path: str, form: Mapping[str, str] | None = None, **headers: str) -> Page:
        """Send a form, as a page of the console does."""
        own = {"host": HOST, "cookie": self.cookie, "origin": f"http://{HOST}"}
        return self.ask("POST", path, {**own, **_named(headers)}, urlencode(form or {}).encode())

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> Page:
        """Send exactly this request, and hold the answer to what every answer must have."""
        page = asyncio.run(ask(self.door, method, path, headers, body))
        assert "content-security-policy" in page.headers
        assert page.headers["x-content-type-options"] == "nosniff"
        assert TOKEN not in page.text
        return page


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


async def ask(
    door: Any, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
) -> Page:
    """Ask an ASGI application."""
    where = urlsplit(path)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": where.path,
        "raw_path": where.path.encode(),
        "query_string": where.query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 50_000),
        "server": ("127.0.0.1", PORT),
    }
    told: list[Any] = [{"type": "http.request", "body": body, "more_body": False}]
    sent: list[Any] = []
    never = asyncio.Event()

    async def receive() -> Any:
        if not told:
            await never.wait()  # the browser stays
        return told.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await door(scope, receive, send)
    begun = sent[0]
    text = b"".join(each.get("body", b"") for each in sent[1:])
    found = {name.decode(): value.decode() for name, value in begun["headers"]}
    return Page(begun["status"], found, text.decode(errors="replace"))


__all__ = ["RECORDING_ID", "ConsoleWorld", "Page", "Visitor"]
