"""Links in real players: hls.js in Chromium, and ffprobe; and on the embedded stack."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import HTTPRedirectHandler, build_opener

import pytest

from local.agora.media import HEIGHT, WIDTH, audio_file, mp4
from local.api import send
from local.template import ROOT
from tests.e2e.conftest import Stage, eventually
from tests.e2e.test_playback import PLAYER
from tests.world.builders import CNAME, RECORDING_ID, after, running
from tests.world.chromium import CHROMIUM, FLAGS
from tests.world.theatre import Theatre
from tests.world.webhook import SID

STEM = f"{SID}_{CNAME}"
PREFIX = f"recordings/{RECORDING_ID}/"
FFPROBE = shutil.which("ffprobe")
SLICE_S = 5
PAGE = """<!doctype html>
<title>Cinema</title>
<script src="/hls.js"></script>
<script>
  const problems = [];
  // The player starts when it is told to; a mute one may start by itself.
  function watch(url) {
    const video = document.body.appendChild(document.createElement("video"));
    video.muted = true;
    video.width = 320;
    const hls = new Hls({enableWorker: false, maxBufferLength: 12});
    /*settings*/
    hls.on(Hls.Events.ERROR, (_, data) => {
      if (data.fatal) problems.push(`${data.type} ${data.details} ${data.reason || ""}`);
    });
    hls.loadSource(url);
    hls.attachMedia(video);
    return {video, hls};
  }
  // Play a second of each part, as fast as the browser can, and the end to the end.
  function skim({video, hls}, step) {
    hls.config.maxBufferLength = 3600;
    video.playbackRate = 16;
    let since = 0;
    video.addEventListener("timeupdate", () => {
      const at = video.currentTime;
      const last = video.buffered.length ? video.buffered.end(video.buffered.length - 1) : 0;
      if (at - since > 1 && video.duration - at > step + 5 && last - at > step) {
        since = video.currentTime = at + step;
      }
    });
    video.play();
  }
</script>
<body></body>
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists() or not PLAYER.exists():
        pytest.skip(f"no browser at {CHROMIUM}, or no hls.js: `make test` installs it")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


def settings() -> str:
    """Return what docs/files.md sets in hls.js before it loads."""
    text = (ROOT / "docs/files.md").read_text()
    script = text.partition("const hls = new Hls();")[2].partition("hls.loadSource")[0]
    assert script.strip()
    return script


def visit(browser: Any, theatre: Theatre, more: str = "") -> Any:
    theatre.pages = {
        "/": ("text/html", PAGE.replace("/*settings*/", more).encode()),
        "/hls.js": ("text/javascript", PLAYER.read_bytes()),
    }
    page = browser.new_page()
    page.goto(theatre.page)
    return page


def until(page: Any, condition: str, seconds: float = 60) -> None:
    """Wait until a condition holds on the page; a fatal error of the player ends it."""
    page.wait_for_function(f"problems.length || ({condition})", timeout=seconds * 1000)
    assert page.evaluate("problems") == []


@pytest.mark.browser
def test_a_hundred_slices_play_to_the_end_over_a_hand_over_while_addresses_live_5_s(
    browser: Any, tmp_path: Path
) -> None:
    past = running(1, sid="1" * 32, started_ms=after(2), ended_ms=after(300), end="DIED")
    with Theatre(past_attempts=[past]).open() as theatre:
        # The second recorder takes over after 57 of 60 slices, in the middle of one.
        theatre.film(f"{'1' * 32}_{CNAME}", "", from_s=0, count=60)
        theatre.film(STEM, "", from_s=283, count=44)
        lasting_s = theatre.publish()["totals"]["durationMs"] / 1000
        assert lasting_s == 283 + 44 * SLICE_S
        page = visit(browser, theatre)
        page.evaluate(
            "url => { window.seat = watch(url); window.film = seat.video; }", theatre.link()
        )
        until(page, "film.readyState > 2")
        # What was signed first is worth nothing when the player asks for the rest.
        early, began_ms = len(theatre.served), round(time.time() * 1000)
        assert early < 10
        page.wait_for_function(f"Date.now() - {began_ms} > 6500")
        page.evaluate("skim(seat, 24)")
        until(page, "film.ended", seconds=90)
        at_s, duration_s = page.evaluate("[film.currentTime, film.duration]")
        size = page.evaluate("[film.videoWidth, film.videoHeight]")
        shown = page.locator("video").screenshot(path=tmp_path / "the-end.png")
        page.close()
    assert abs(duration_s - lasting_s) <= SLICE_S
    assert abs(at_s - lasting_s) <= SLICE_S
    assert size == [WIDTH, HEIGHT]
    assert shown.startswith(b"\x89PNG")
    assert theatre.refused == []
    names = sorted(key.removeprefix(PREFIX) for key in set(theatre.served))
    assert sum(name.startswith("1" * 32) for name in names) == 57
    assert sum(name.startswith(STEM) for name in names) == 44


@pytest.mark.browser
def test_a_page_as_documented_waits_where_there_are_too_many_viewers(browser: Any) -> None:
    with Theatre().open() as theatre:
        theatre.film(STEM, "", from_s=0, count=3)
        theatre.publish()
        theatre.busy = 2
        page = visit(browser, theatre, settings())
        page.evaluate(
            "url => { window.seat = watch(url); window.film = seat.video; film.play(); }",
            theatre.link(),
        )
        until(page, "film.currentTime > 1")
        page.close()
    assert theatre.busy == 0


@pytest.mark.browser
def test_two_users_of_individual_mode_play_with_sound_and_picture(browser: Any) -> None:
    with Theatre(mode="individual").open() as theatre:
        for uid in ("7", "8"):
            theatre.film(f"{STEM}__uid_s_{uid}__uid_e_video", "", from_s=0, count=3, audio=False)
            theatre.film(f"{STEM}__uid_s_{uid}__uid_e_audio", "", from_s=0, count=3, video=False)
        theatre.publish()
        url = theatre.link()
        page = visit(browser, theatre)
        page.evaluate(
            "url => { window.two = [7, 8].map(uid => watch(`${url}?uid=${uid}`));"
            " two.forEach(each => each.video.play()); }",
            url,
        )
        until(page, "two.every(({video}) => video.currentTime > 1.5)")
        heard = page.evaluate(
            "two.map(({video}) => [video.webkitAudioDecodedByteCount > 0, video.videoWidth])"
        )
        dates = page.evaluate(
            "two.map(({hls, video}) => hls.playingDate.getTime() - video.currentTime * 1000)"
        )
        page.close()
    assert heard == [[True, WIDTH]] * 2
    assert abs(dates[0] - dates[1]) < 100  # by their dates they play in step


@pytest.mark.skipif(FFPROBE is None, reason="no ffprobe: apt-get install ffmpeg")
@pytest.mark.parametrize(
    ("row", "stem", "tail", "media", "choice"),
    [
        ({}, STEM, "", {}, {}),
        ({"mode": "raw"}, f"{STEM}__uid_s_7__uid_e", "_h264", {}, {"uid": "7"}),
        (
            {"mode": "individual"},
            f"{STEM}__uid_s_7__uid_e_video",
            "",
            {"audio": False},
            {"track": "video"},
        ),
        (
            {"mode": "individual"},
            f"{STEM}__uid_s_7__uid_e_audio",
            "",
            {"video": False},
            {"track": "audio"},
        ),
    ],
    ids=["mix", "raw", "video", "audio"],
)
def test_ffprobe_reads_every_kind_of_track(
    row: dict[str, Any], stem: str, tail: str, media: dict[str, bool], choice: dict[str, str]
) -> None:
    with Theatre(**row).open() as theatre:
        theatre.film(stem, tail, from_s=0, count=4, **media)
        lasting_s = theatre.publish()["totals"]["durationMs"] / 1000
        told = probe(theatre.link(**choice))
    kinds = {each["codec_type"] for each in told["streams"]}
    assert kinds == {"audio", "video"} - {kind for kind, is_there in media.items() if not is_there}
    assert abs(float(told["format"]["duration"]) - lasting_s) < 0.5


@pytest.mark.skipif(FFPROBE is None, reason="no ffprobe: apt-get install ffmpeg")
def test_ffprobe_reads_a_users_sound_and_picture_together_and_files() -> None:
    with Theatre(mode="individual").open() as theatre:
        theatre.film(f"{STEM}__uid_s_7__uid_e_video", "", from_s=0, count=2, audio=False)
        theatre.film(f"{STEM}__uid_s_7__uid_e_audio", "", from_s=0, count=2, video=False)
        files = {
            f"{STEM}__uid_s_7__uid_e_0.mp4": mp4(0, 10_000),
            f"{STEM}_0.mp3": audio_file("mp3", 0, 10_000),
        }
        for name, body in files.items():
            theatre.bucket.add(PREFIX + name, body)
        theatre.publish()
        url = theatre.link()
        both = probe(f"{url}?uid=7")
        saved = [probe(url.replace("index.m3u8", name)) for name in files]
    assert {each["codec_type"] for each in both["streams"]} == {"audio", "video"}
    for told in (both, *saved):
        assert abs(float(told["format"]["duration"]) - 10) < 1


def probe(url: str) -> dict[str, Any]:
    """Return what ffprobe finds at an address."""
    command = [str(FFPROBE), "-v", "error", "-of", "json", "-show_format", "-show_streams", url]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert answer.returncode == 0, answer.stderr
    found: dict[str, Any] = json.loads(answer.stdout)
    return found


# --- on the embedded stack ---


class _Stay(HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Follow no redirect."""


def location(url: str) -> str:
    """Return where an address leads."""
    from urllib.error import HTTPError

    with pytest.raises(HTTPError) as found:
        build_opener(_Stay).open(url, timeout=60)
    assert found.value.code == 302
    return str(found.value.headers["Location"])


def test_a_viewer_plays_by_a_link_while_it_records_and_until_it_is_revoked(stage: Stage) -> None:
    recording_id = stage.record("to-be-shared")
    stage.until(recording_id, "recording")
    links = f"/recordings/{recording_id}/links"
    made = stage.api.call("POST", links, {"expiresInSeconds": 600})
    assert made.status == 201, made
    url = made.body["url"]
    assert url.startswith(stage.facts["api_url"])
    growing = eventually(
        lambda: answer if (answer := send("GET", url, None, {})).status == 200 else None,
        "a playlist that grows",
    )
    assert growing.headers["Access-Control-Allow-Origin"] == "*"
    assert "#EXT-X-ENDLIST" not in growing.body
    stage.stop(recording_id)
    assert stage.finish(recording_id)["status"] == "completed"
    text = eventually(
        lambda: body if "#EXT-X-ENDLIST" in (body := send("GET", url, None, {}).body) else None,
        "the whole playlist",
        seconds=30,
    )
    slices = [line for line in text.splitlines() if line and not line.startswith("#")]
    first = url.replace("index.m3u8", slices[0])
    address = location(first)
    # Browsers send this origin after a redirect to another one.
    film = send("GET", address, None, {"Origin": "null"})
    assert (film.status, film.headers["Content-Type"]) == (200, "video/MP2T")
    assert film.headers["Access-Control-Allow-Origin"] in ("*", "null")
    assert send("GET", address.partition("?")[0], None, {}).status == 403
    (listed,) = stage.api.call("GET", links).body["links"]
    assert listed["views"] >= 1
    events = stage.api.call("GET", f"/recordings/{recording_id}/events?limit=1000").body["events"]
    assert [each["kind"] for each in events if each["kind"].startswith("link_")][:2] == [
        "link_made",
        "link_viewed",
    ]
    assert stage.api.call("DELETE", f"{links}/{listed['linkId']}").status == 204
    eventually(lambda: send("GET", first, None, {}).status == 404, "the end of the link", 60)
    assert send("GET", url, None, {}).status == 404
    token = url.split("/")[-2]
    assert token not in stage.logs()
    assert token not in json.dumps(stage.all_rows())
    assert stage.api.call("DELETE", f"/recordings/{recording_id}").status == 204
    assert not [row for row in stage.all_rows() if recording_id in str(row) and "LINK" in row["PK"]]


def test_an_mp4_is_saved_under_a_persons_name_and_a_link_to_one_user_opens_no_other(
    stage: Stage,
) -> None:
    request = {
        "recordingConfig": {"subscribeUidGroup": 0},
        "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
    }
    recording_id = stage.record("to be kept", mode="raw", clientRequest=request)
    stage.until(recording_id, "recording")
    prefix = f"recordings/{recording_id}/"
    eventually(lambda: any(key.endswith(".ts") for key in stage.keys(prefix)), "a slice")
    stage.stop(recording_id)
    assert stage.over(recording_id)["status"] == "completed"
    links = f"/recordings/{recording_id}/links"
    made = stage.api.call("POST", links, {"expiresInSeconds": 600, "uid": "101"})
    url = made.body["url"]
    assert send("GET", url, None, {}).status == 200
    films = [key.removeprefix(prefix) for key in stage.keys(prefix) if key.endswith(".mp4")]
    (mine,) = [name for name in films if "__uid_s_101__" in name]
    (theirs,) = [name for name in films if "__uid_s_102__" in name]
    saved = send("GET", location(url.replace("index.m3u8", mine.replace(" ", "%20"))), None, {})
    assert "user 101.mp4" in saved.headers["Content-Disposition"]
    refused = send("GET", url.replace("index.m3u8", theirs.replace(" ", "%20")), None, {})
    assert refused.status == 404
