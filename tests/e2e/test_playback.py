"""A private recording plays in a web page: signed addresses, the right types, the bucket's CORS."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from local.agora.media import HEIGHT, WIDTH
from local.api import send
from tests.e2e.conftest import Stage, eventually
from tests.world.chromium import CHROMIUM, FLAGS, needs_chromium

PLAYER = Path(__file__).parents[2] / ".tools/console/node_modules/hls.js/dist/hls.min.js"
PAGE = """<!doctype html>
<title>Playback</title>
<video id="video" muted playsinline width="320"></video>
<script src="/hls.js"></script>
<script>
  const problems = [];
  const video = document.getElementById("video");
  const hls = new Hls({enableWorker: false});
  hls.on(Hls.Events.ERROR, (_, data) => problems.push(`${data.type} ${data.details}`));
  hls.loadSource("/playlist.m3u8");
  hls.attachMedia(video);
  video.play();
</script>
"""


@pytest.fixture(scope="module", params=["mix", "raw"])
def film(stage: Stage, request: pytest.FixtureRequest) -> str:
    """The path of the playlist of a finished recording of a few seconds, in raw mode of a user."""
    mode: str = request.param
    recording_id = stage.record(f"to-be-played-{mode}", mode=mode)
    stage.until(recording_id, "recording")
    eventually(
        lambda: sum(key.endswith(".ts") for key in stage.keys(f"recordings/{recording_id}/")) >= 4,
        "slices in the bucket",
    )
    stage.stop(recording_id)
    assert stage.finish(recording_id)["status"] == "completed"
    return f"{recording_id}/playlist" + ("?uid=101" if mode == "raw" else "")


@pytest.fixture(scope="module")
def playlist(stage: Stage, film: str) -> str:
    """The playlist as the API gives it, slices signed."""
    answer = stage.api.call("GET", f"/recordings/{film}")
    assert answer.status == 200, answer
    text: str = answer.body
    return text


@pytest.fixture
def slice_url(playlist: str) -> str:
    """The signed address of the first slice."""
    return next(line for line in playlist.splitlines() if line.startswith("http"))


@pytest.fixture
def page_url(playlist: str) -> Iterator[str]:
    """An app's page on an origin of its own; its back end has asked the API for the playlist."""
    pages = {
        "/": ("text/html", PAGE.encode()),
        "/hls.js": ("text/javascript", PLAYER.read_bytes()),
        "/playlist.m3u8": ("application/vnd.apple.mpegurl", playlist.encode()),
    }

    class Site(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content_type, body = pages.get(self.path, ("text/plain", b""))
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_slice_is_private_without_its_signature(slice_url: str) -> None:
    signed = send("GET", slice_url, None, {})
    assert signed.status == 200
    assert signed.headers["Content-Type"] == "video/MP2T"
    assert send("GET", slice_url.partition("?")[0], None, {}).status == 403


def test_pages_of_any_origin_are_let_in_for_the_signature_protects(slice_url: str) -> None:
    for origin in ("http://localhost:5173", "https://elsewhere.example.com", "null"):
        answer = send("GET", slice_url, None, {"Origin": origin})
        assert answer.headers["Access-Control-Allow-Origin"] in ("*", origin)


@pytest.mark.browser
@needs_chromium
@pytest.mark.skipif(not PLAYER.exists(), reason="no hls.js: `make test` installs it")
def test_the_recording_plays_in_a_browser(page_url: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.goto(page_url)
        try:
            page.wait_for_function("video.currentTime > 0.5", timeout=15_000)
        except Exception as error:
            error.add_note(str(page.evaluate("problems")))
            raise
        width, height = page.evaluate("[video.videoWidth, video.videoHeight]")
        shown = page.locator("#video").screenshot(path=tmp_path / "playing.png")
        browser.close()
    assert (width, height) == (WIDTH, HEIGHT)
    assert shown.startswith(b"\x89PNG")
