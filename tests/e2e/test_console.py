"""A newcomer's path through the console: start, watch it go live, stop, play, share.

The console is the operator's command in a process of its own, the browser Debian's chromium.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.api import send
from operate.console.pages import ASSETS
from tests.e2e.conftest import Stage, eventually
from tests.world.chromium import CHROMIUM, FLAGS, needs_chromium

PATIENCE_MS = 60_000


@pytest.fixture
def address(stage: Stage, tmp_path: Path) -> Iterator[str]:
    """The address that the command prints."""
    facts = tmp_path / "stack.json"
    facts.write_text(json.dumps(stage.facts))
    words = ["--local", "--facts", str(facts), "console", "--no-browser"]
    with subprocess.Popen(
        [sys.executable, "-m", "operate", *words],
        env={"PATH": os.environ["PATH"]},
        stdout=subprocess.PIPE,
        text=True,
    ) as served:
        assert served.stdout
        yield served.stdout.readline().removeprefix("The console: ").strip()
        served.terminate()


@pytest.mark.browser
@needs_chromium
@pytest.mark.skipif(
    not all(path.exists() for path in ASSETS.values()), reason="`make test` installs hls.js"
)
def test_a_newcomer_starts_watches_stops_plays_and_shares(stage: Stage, address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE_MS)
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.goto(address)
        page.get_by_role("link", name="Start", exact=True).click()
        page.fill("#field-cname", "first-look")
        page.get_by_role("button", name="Start").click()
        page.wait_for_url("**/recordings/*")
        recording_id = page.url.rpartition("/")[2]
        # It moves by itself: the state, the picture, and the player when there is a file.
        page.wait_for_selector("#state[data-status=recording]")
        page.wait_for_selector("#video")
        page.locator("details.act summary", has_text="Stop").click()
        page.locator("details.act[open] button").click()
        page.wait_for_selector("#state[data-status=completed]")
        page.wait_for_selector("svg.picture .lane .bar.there")
        page.evaluate("document.getElementById('video').muted = true")
        page.evaluate("void document.getElementById('video').play()")
        eventually(
            lambda: page.evaluate("document.getElementById('video').currentTime > 0.5"),
            "the recording plays",
            tell=lambda: str(page.locator("#playing").inner_text()),
        )
        assert float(page.locator("#cursor").get_attribute("x1") or -9) > 0
        page.locator("details.act summary", has_text="Make a link").click()
        page.locator("details.act[open] button", has_text="Make a link").click()
        page.wait_for_selector("#linkUrl")
        playlist = send("GET", page.input_value("#linkUrl"), None, {})
        page.wait_for_selector(".links li")
        browser.close()
    assert (playlist.status, playlist.body[:7]) == (200, "#EXTM3U")
    assert complaints == []
    assert stage.row(recording_id)["stopReason"] == "STOP_REQUESTED"
