"""The console in a browser, over the fakes: what an operator sees, with a mouse, with the keyboard
alone, on a phone and in the dark.

`make pictures` writes the screenshots of docs/console.md anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from operate.console.pages import ASSETS
from operate.console.server import Console
from tests.world.builders import after, recording
from tests.world.chromium import needs_chromium
from tests.world.console import RECORDING_ID, ConsoleWorld
from tests.world.showcase import FAILED, LIVE, RESTARTED, world

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

IMAGES = Path(__file__).parents[2] / "docs" / "img"
DESKTOP, PHONE = (1280, 900), (390, 844)
PATIENCE_MS = 30_000

pytestmark = [
    pytest.mark.browser,
    needs_chromium,
    pytest.mark.skipif(
        not all(path.exists() for path in ASSETS.values()), reason="`make test` installs hls.js"
    ),
]


Open = Callable[..., "Page"]


@pytest.fixture
def visit(browser: Browser) -> Iterator[Open]:
    """Open the console of a world at a path. What the browser complains of fails the test."""
    complaints: list[str] = []
    served: list[Console] = []

    def opened(
        made: ConsoleWorld, path: str = "", size: tuple[int, int] = DESKTOP, scheme: str = "light"
    ) -> Page:
        console = Console(made.desk())
        console.__enter__()
        served.append(console)
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if scheme == "dark" else "light",
            has_touch=size == PHONE,
        )
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: complaints.append(said.text) if said.type == "error" else None,
        )
        page.goto(console.door.url_of(path))
        assert "token" not in page.url
        return page

    yield opened
    for context in browser.contexts:
        context.close()
    for console in served:
        console.__exit__(None, None, None)
    assert complaints == []


def shoot(page: Page, name: str) -> None:
    """Keep what the page shows for docs/console.md, if pictures are asked for."""
    if os.environ.get("WRITE_DOCS"):
        page.mouse.move(0, 0)
        page.screenshot(path=IMAGES / f"console-{name}.png")


def drawn(page: Page) -> Page:
    """Wait until the picture is there."""
    page.wait_for_selector("svg.picture")
    return page


def window(page: Page) -> tuple[int, int]:
    """Return the time that the picture shows."""
    svg = page.locator("svg.picture")
    return int(svg.get_attribute("data-from") or 0), int(svg.get_attribute("data-to") or 0)


def until(page: Page, condition: str) -> None:
    """Wait until a condition holds. (The page's policy forbids Playwright's own way: an eval.)"""
    for _ in range(PATIENCE_MS // 50):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"never: {condition}")


_DATA = "document.querySelector('svg.picture').dataset"
_PLAYING = "document.getElementById('playing').textContent"
_LENGTH = f"(+{_DATA}.to - +{_DATA}.from)"


def test_the_fleet_shows_the_greatest_risk_first_and_what_ended(visit: Open) -> None:
    page = visit(world())
    names = page.locator("#running tbody th a").all_inner_texts()
    assert names[0] == "board-meeting"
    assert len(names) == 13
    assert "interview-3" in page.locator("#ended").inner_text()
    shoot(page, "fleet")


def test_five_thousand_recordings_are_a_page_and_a_next_one(visit: Open) -> None:
    page = visit(world(5000))
    assert "5001 recordings not over" in page.locator("#running caption").inner_text()
    assert page.locator("#running tbody tr").count() == 50
    first = page.locator("#running tbody th a").all_inner_texts()
    page.get_by_role("link", name="Next page").click()
    page.wait_for_url("**/?after=*")
    assert not set(first) & set(page.locator("#running tbody th a").all_inner_texts())


def test_the_gap_of_an_incomplete_recording_is_seen_and_named(visit: Open) -> None:
    page = drawn(visit(world(0), f"recordings/{RESTARTED}"))
    assert "1 file missing" in page.locator("#picture .note").inner_text()
    page.locator(".lane .mark.missing").hover()
    told = page.locator("#told").inner_text()
    assert "Missing file: " + "b2" * 16 in told
    assert told.endswith("20231114221503000.ts")
    page.locator(".lane .bar.gap").first.hover()
    assert "Gap of" in page.locator("#told").inner_text()
    assert "a session was replaced by the next" in page.locator("#told").inner_text()


def test_a_restart_is_two_lanes_that_say_why(visit: Open) -> None:
    page = drawn(visit(world(0), f"recordings/{RESTARTED}"))
    names = page.locator(".lane .name").all_text_contents()
    assert [each.split("uid")[0].strip() for each in names[:2]] == ["Session 1", "Session 2"]
    page.locator(".lane").nth(0).locator(".mark.bad").last.hover()
    assert "DIED. Agora answered 404 for 90 s." in page.locator("#told").inner_text()
    page.evaluate("document.getElementById('video').muted = true")
    page.evaluate("void document.getElementById('video').play()")
    until(page, "document.getElementById('video').currentTime > 1")
    page.evaluate("document.getElementById('video').pause()")
    until(page, "!document.getElementById('video').seeking")
    page.evaluate("scrollTo(0, 0)")
    shoot(page, "recording")


def test_the_player_plays_and_its_cursor_runs_through_the_picture(visit: Open) -> None:
    page = drawn(visit(world(0), f"recordings/{RESTARTED}"))
    page.evaluate("document.getElementById('video').muted = true")
    page.evaluate("void document.getElementById('video').play()")
    until(page, "document.getElementById('video').currentTime > 0.5")
    assert float(page.locator("#cursor").get_attribute("x1") or -9) > 0
    until(page, f"{_PLAYING}.startsWith('Plays 2023-11-14 22:1')")
    # A click into the second session moves the player there.
    svg = page.locator("svg.picture")
    box = svg.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.72, box["y"] + 12)
    until(page, "document.getElementById('video').currentTime > 70")
    until(page, f"{_PLAYING}.startsWith('Plays 2023-11-14 22:15:')")


def test_the_picture_zooms_from_the_whole_to_a_second(visit: Open) -> None:
    page = drawn(visit(world(0), f"recordings/{RESTARTED}"))
    whole = window(page)
    page.locator("#picture").focus()
    length = whole[1] - whole[0]
    while length > 1000:
        page.keyboard.press("+")
        until(page, f"{_LENGTH} < {length}")
        first, last = window(page)
        length = last - first
    assert length == 1000
    page.keyboard.press("0")
    until(page, f"{_LENGTH} > 1000")
    assert window(page) == whole


def test_the_keyboard_alone_is_enough(visit: Open) -> None:
    made = world(2)
    page = visit(made)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "board-meeting":
            break
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/recordings/{LIVE}")
    drawn(page)
    page.locator("#picture").focus()
    page.keyboard.press("n")
    assert "Session 1" in page.locator("#told").inner_text()
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_text("Stop", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#done .good")
    assert made.parts.store.get(LIVE).stop_reason == "STOP_REQUESTED"


def test_the_form_tells_problems_beside_the_fields_and_then_starts(visit: Open) -> None:
    made = world(0)
    page = visit(made, "start")
    page.fill("#field-cname", "stand up?\u00e4")
    page.fill("#field-restartLimit", "-1")
    page.keyboard.press("Tab")
    # Each field is checked as it is left: the second answer comes after the first.
    page.wait_for_selector("#field-cname-told .problem")
    page.wait_for_selector("#field-restartLimit-told .problem")
    assert "whole number" in page.locator("#field-restartLimit-told").inner_text()
    assert page.input_value("#field-cname") == "stand up?\u00e4"
    page.locator("details.curl summary").click()
    assert "curl https://api.example.com/v1/recordings" in page.locator("pre").inner_text()
    shoot(page, "start")
    page.fill("#field-cname", "stand-up")
    page.fill("#field-restartLimit", "2")
    page.get_by_role("button", name="Start").click()
    page.wait_for_url("**/recordings/*")
    assert page.locator("h1").inner_text().startswith("stand-up")
    assert [each[:2] for each in made.called if each[0] == "POST"] == [("POST", "/recordings")]


def test_a_link_is_made_copied_listed_and_taken_back(visit: Open) -> None:
    made = world(0)
    page = drawn(visit(made, f"recordings/{RESTARTED}"))
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("details.act summary", has_text="Make a link").click()
    page.locator("#expiresInSeconds").select_option(label="a week")
    page.locator("details.act[open] button").click()
    page.wait_for_selector("#linkUrl")
    url = page.input_value("#linkUrl")
    assert "/v1/play/" in url
    page.get_by_role("button", name="Copy").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == url
    page.wait_for_selector(".links li")
    assert "not opened yet" in page.locator(".links li").inner_text()
    page.locator("#done").scroll_into_view_if_needed()
    shoot(page, "link")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_text("No link opens it.").wait_for()
    assert sum(each[0] == "DELETE" for each in made.called) == 1


@pytest.mark.parametrize(
    "path", ["", "start", f"recordings/{RESTARTED}", f"recordings/{FAILED}", "health"]
)
def test_a_phone_shows_every_page_without_scrolling_aside(visit: Open, path: str) -> None:
    page = visit(world(3), path, PHONE)
    if path.endswith(RESTARTED):
        drawn(page)
        page.locator(".lane .mark.missing").tap()
        assert "Missing file" in page.locator("#told").inner_text()
        page.locator("#picture").scroll_into_view_if_needed()
        page.evaluate("document.getElementById('picture').scrollIntoView()")
        shoot(page, "phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


def test_the_dark_page_is_dark(visit: Open) -> None:
    page = drawn(visit(world(0), f"recordings/{RESTARTED}", scheme="dark"))
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert all(int(each) < 60 for each in re.findall(r"\d+", colour)[:3])
    page.evaluate("document.getElementById('picture').scrollIntoView()")
    shoot(page, "dark")


def test_the_health_page_shows_the_alarm_with_what_to_do(visit: Open) -> None:
    page = visit(world(0), "health")
    ringing = page.locator("details.alarm[open]")
    assert "FailedRecordingsAlarm" in ringing.inner_text()
    assert "a full or suspended account" in ringing.inner_text()
    shoot(page, "health")


def test_a_channel_named_script_runs_nothing(visit: Open) -> None:
    row = recording(
        cname="<script>window.run = 1</script>",
        tags={"\"'><img src=x onerror='window.run = 1'>": "</td><script>window.run = 1</script>"},
    )
    for path in ("", f"recordings/{RECORDING_ID}"):
        page = visit(ConsoleWorld(row, now_ms=after(60)), path)
        assert "<script>window.run = 1</script>" in page.locator("main").inner_text()
        assert page.evaluate("window.run") is None
