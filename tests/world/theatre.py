"""A theatre: a world's links, its API and its bucket, served on loopback to real players.

Each of the three has an origin of its own, as at AWS: the page, the API, and the bucket, which
serves only what was signed, and only for as long as its address lives.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec.structs import replace

from agora_recording import clock
from agora_recording.aws.signing import Keys, bucket_url, signer
from agora_recording.wiring.outside import Outside
from functions.manage_links import app as manage_links
from functions.play_recording import app as play_recording
from local.agora.files import utc17
from local.agora.media import ts_slice
from tests.world.api import Context, request
from tests.world.bucket import BUCKET
from tests.world.builders import RECORDING_ID, uploading
from tests.world.webhook import NOW_MS
from tests.world.world import World

REGION = "us-east-1"
KEYS = Keys("AKID", "secret", "token")
SLICE_S = 5  # as long as a group of pictures
CORS = {"Access-Control-Allow-Origin": "*"}


class Reply(NamedTuple):
    """What a server answers."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Theatre(World):
    """A recording with media that really plays, and the servers around it.

    `served` are the keys that the bucket has served, `refused` the addresses that it did not. The
    next `busy` requests are too many: API Gateway answers them, as template.yaml lets it.
    """

    def __init__(self, **row: Any) -> None:
        super().__init__(uploading(**row), address_seconds=5)
        self.served: list[str] = []
        self.refused: list[str] = []
        self.busy = 0
        self.api = self.page = ""
        self.pages: dict[str, tuple[str, bytes]] = {}

    @cached_property
    def outside(self) -> Outside:
        """The world, but at the present time: addresses expire."""
        return replace(super().outside, now_ms=clock.now_ms, keys=lambda: KEYS)

    # --- the recording ---

    def film(
        self,
        stem: str,
        tail: str,
        *,
        from_s: int,
        count: int,
        SLICE_S: int = 5,
        video: bool = True,
        audio: bool = True,
    ) -> None:
        """Let a playlist be in the bucket, with slices whose time stamps begin at 0."""
        prefix = f"recordings/{RECORDING_ID}/"
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{SLICE_S}"]
        for number in range(count):
            start = SLICE_S * number
            name = f"{stem}_{utc17(NOW_MS - 3_600_000 + (from_s + start) * 1000)}{tail}.ts"
            body = ts_slice(start * 1000, (start + SLICE_S) * 1000, video=video, audio=audio)
            self.bucket.add(prefix + name, body)
            lines += [f"#EXTINF:{SLICE_S}", name]
        text = "\n".join([*lines, "#EXT-X-ENDLIST", ""])
        self.bucket.add(f"{prefix}{stem}{tail}.m3u8", text.encode())

    def publish(self) -> dict[str, Any]:
        """Publish the recording; return its manifest."""
        self.parts.recording_publisher.publish(RECORDING_ID)
        found: dict[str, Any] = self.bucket.json(f"recordings/{RECORDING_ID}/manifest.json")
        return found

    def link(self, **choice: Any) -> str:
        """Make a link; return its address."""
        event = request(
            {"expiresInSeconds": 600, **choice},
            resource="/recordings/{recordingId}/links",
            method="POST",
        )
        answer = manage_links.lambda_handler(
            event, Context(), links=self.parts.links, playback_url=f"{self.api}/v1"
        )
        assert answer["statusCode"] == 201, answer

        url: str = json.loads(answer["body"])["url"]
        return url

    # --- the servers ---

    @contextmanager
    def open(self) -> Iterator[Theatre]:
        """Serve until the end of the block."""
        with ExitStack() as servers:
            self.page = servers.enter_context(_served(self._page))
            self.api = servers.enter_context(_served(self._api))
            bucket = servers.enter_context(_served(self._bucket))
            self.bucket.meta.endpoint_url, before = bucket, self.bucket.meta.endpoint_url
            servers.callback(setattr, self.bucket.meta, "endpoint_url", before)
            yield self

    def _page(self, path: str) -> Reply:
        kind, body = self.pages.get(path, ("text/plain", b""))
        return Reply(200 if body else 404, {"Content-Type": kind}, body)

    def _api(self, path: str) -> Reply:
        parts = urlsplit(path)
        _, stage, play, token, name = parts.path.split("/")
        assert (stage, play) == ("v1", "play")
        is_index = name == "index.m3u8"
        if self.busy:
            self.busy -= 1
            body = b'{"message":"Too Many Requests"}'
            return Reply(429, {"Content-Type": "application/json", **CORS}, body)
        given = {"token": token} if is_index else {"token": token, "name": unquote(name)}
        event = request(
            resource="/play/{token}/index.m3u8" if is_index else "/play/{token}/{name}",
            recording_id=None,
            parameters=given,
            query={key: value[0] for key, value in parse_qs(parts.query).items()},
        )
        answer = play_recording.lambda_handler(event, Context(), player=self.parts.player)
        return Reply(answer["statusCode"], answer["headers"], answer["body"].encode())

    def _bucket(self, path: str) -> Reply:
        parts = urlsplit(path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        key = unquote(parts.path).removeprefix(f"/{BUCKET}/")
        if not self._is_signed(path, key, query) or key not in self.bucket.objects:
            self.refused.append(path)
            return Reply(403, CORS, b"")
        self.served.append(key)
        headers = {"Content-Type": query["response-content-type"], **CORS}
        return Reply(200, headers, self.bucket.objects[key][0])

    def _is_signed(self, path: str, key: str, query: Mapping[str, str]) -> bool:
        at_s = time.mktime(time.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ")) - time.timezone
        seconds = int(query["X-Amz-Expires"])
        where = bucket_url(self.bucket.meta.endpoint_url, BUCKET)
        sign = signer(where, REGION, KEYS, round(at_s * 1000), seconds)
        told = query.get("response-content-disposition", "")
        if told:  # what is saved under a name has its own test
            return at_s <= time.time() < at_s + seconds + 1
        wanted = sign(key, query["response-content-type"])
        return wanted.endswith(path) and time.time() < at_s + seconds + 1


@contextmanager
def _served(answer: Callable[[str], Reply]) -> Iterator[str]:
    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reply = answer(self.path)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
