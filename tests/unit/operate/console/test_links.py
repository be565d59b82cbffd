"""Links in the console: made by the API, shown once, listed and taken back."""

from __future__ import annotations

import html
import re

import pytest

from operate.console import links
from tests.unit.api.test_get_recording_files import STEM
from tests.unit.api.test_links import Cinema
from tests.unit.operate.console.test_acts import over
from tests.world.builders import after, recording, uploading
from tests.world.console import RECORDING_ID, ConsoleWorld, Visitor
from tests.world.showcase import RESTARTED, world

PATH = f"/recordings/{RECORDING_ID}/links"


def address(page_text: str) -> str:
    """Return the address that a page shows."""
    found = re.search(r'id="linkUrl" value="([^"]+)"', page_text)
    assert found, page_text
    return html.unescape(found[1])


def test_a_link_is_made_by_the_api_and_its_address_is_shown_once() -> None:
    running = ConsoleWorld(recording(), now_ms=after(60))
    visitor = Visitor(running)
    page = visitor.post(PATH, {"expiresInSeconds": "3600", "what": "uid=101&track=audio"})
    url = address(page.text)
    assert re.fullmatch(r"https://api\.example\.com/v1/play/[\w-]{40,}/index\.m3u8", url)
    assert page.headers["hx-trigger"] == "link-made"
    assert running.called == [
        ("POST", PATH, {"uid": "101", "track": "audio", "expiresInSeconds": 3600})
    ]
    listed = visitor.get(PATH).text
    assert "uid 101, audio, until 2023-11-14 23:14" in listed
    assert "not opened yet" in listed
    token = url.split("/")[-2]
    for path in (PATH, f"/recordings/{RECORDING_ID}", f"/recordings/{RECORDING_ID}/raw/events"):
        assert token not in visitor.get(path).text


def test_what_the_api_has_against_a_link_is_told() -> None:
    page = Visitor(over()).post(PATH, {"expiresInSeconds": "a day"})
    assert "refusal" in page.text
    assert "must be a whole number from 60 to 2592000" in page.text
    assert "hx-trigger" not in page.headers


def test_a_link_is_taken_back() -> None:
    visitor = Visitor(ConsoleWorld(recording(), now_ms=after(60)))
    visitor.post(PATH, {"expiresInSeconds": "3600"})
    listed = visitor.get(PATH).text
    (revoke,) = re.findall(r'hx-post="([^"]+)"', listed)
    assert "No link opens it." in visitor.post(revoke).text
    # Once more, from a page that was not drawn anew: it is gone, and that is what was wanted.
    assert "refusal" not in visitor.post(revoke).text


def test_a_recording_that_is_not_there_has_no_links() -> None:
    visitor = Visitor(over())
    elsewhere = PATH.replace(RECORDING_ID, "01HF7YAT000000000000000009")
    for page in (visitor.post(elsewhere, {}), visitor.post(f"{elsewhere}/x/revoke")):
        assert page.status == 404


def test_the_form_offers_what_there_is() -> None:
    text = Visitor(world(0)).get(f"/recordings/{RESTARTED}").text
    lives = re.search(r'<select id="expiresInSeconds".*?</select>', text, re.S)
    assert lives
    assert lives[0].count("<option") == 4
    assert '<option value="">everything</option></select>' in text


def test_each_user_and_each_of_their_tracks_can_be_chosen() -> None:
    cinema = Cinema(uploading(mode="individual"))
    for uid in ("7", "8"):
        for kind in ("audio", "video"):
            cinema.slices(1, f"{STEM}__uid_s_{uid}__uid_e_{kind}")
    cinema.publish()
    found = cinema.parts.media.catalogue(cinema.row)
    everything, *rest = links.choices(found)
    assert (everything.value, "?uid=" in everything.name) == ("", True)
    assert rest == [
        ("uid=7", "uid 7"),
        ("uid=7&track=audio", "uid 7, audio"),
        ("uid=7&track=video", "uid 7, video"),
        ("uid=8", "uid 8"),
        ("uid=8&track=audio", "uid 8, audio"),
        ("uid=8&track=video", "uid 8, video"),
    ]


@pytest.mark.parametrize(
    ("link", "told"),
    [
        ({}, "everything"),
        ({"uid": "0"}, "everybody"),
        ({"uid": "7", "track": "audio_and_video", "codec": "h264"}, "uid 7, audio and video, h264"),
        ({"track": "audio"}, "audio"),
    ],
)
def test_what_a_link_opens_is_told_in_words(link: dict[str, str], told: str) -> None:
    assert links.in_words(link) == told
