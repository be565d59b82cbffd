"""Links: what viewers play by, how long, and who can take them back."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agora_recording.api.get_recording_events import EventsQuery
from agora_recording.clock import iso
from agora_recording.files import playback
from agora_recording.recording.link import MAX_LIFE_S, token_hash
from agora_recording.recording.model import Recording
from functions.manage_links import app as manage_links
from functions.play_recording import app as play_recording
from tests.unit.api.test_get_recording_files import PREFIX, SLICE_S, STEM, Room, index, utc17
from tests.world.api import Context, Response, read, request
from tests.world.builders import (
    CNAME,
    RECORDING_ID,
    after,
    ended,
    recording,
    running,
    uploading,
)

HOUR_MS = 3_600_000


class Cinema(Room):
    """A recording, who makes links of it, and who watches."""

    def __init__(self, row: Recording | None = None) -> None:
        super().__init__(row)
        self.randoms = 0

    def random_bytes(self, count: int) -> bytes:
        """Return bytes that were not there before."""
        self.randoms += 1
        return self.randoms.to_bytes(count, "big")

    # --- the app ---

    def manage(
        self, method: str, body: Any = None, link_id: str | None = None, **more: Any
    ) -> Response:
        """Send a request about links."""
        resource = "/recordings/{recordingId}/links" + ("/{linkId}" if link_id else "")
        given = {"linkId": link_id} if link_id else None
        event = request(body, resource=resource, method=method, parameters=given, **more)
        links = self.parts.links
        return read(manage_links.lambda_handler(event, Context(), links=links, playback_url=""))

    def link(self, **choice: Any) -> str:
        """Make a link; return its address."""
        answer = self.manage("POST", {"expiresInSeconds": 3600, **choice})
        assert answer.status == 201, answer.body
        url: str = answer.body["url"]
        return url

    # --- a viewer ---

    def get(self, url: str, accept: str = "*/*") -> Response:
        """Ask for an address of the API, as a player does."""
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == "https://api.example.com"
        _, stage, play, token, name = parts.path.split("/")
        assert (stage, play) == ("v1", "play")
        is_index = name == "index.m3u8"
        event = request(
            resource="/play/{token}/index.m3u8" if is_index else "/play/{token}/{name}",
            recording_id=None,
            parameters={"token": token} if is_index else {"token": token, "name": name},
            query={key: value[0] for key, value in parse_qs(parts.query).items()},
            headers={"accept": accept},
        )
        answered = play_recording.lambda_handler(event, Context(), player=self.parts.player)
        assert answered["headers"]["Access-Control-Allow-Origin"] == "*"
        assert answered["headers"]["Cache-Control"] == "no-store"
        return read(answered)

    def watch(self, url: str) -> list[str]:
        """Play a media playlist; return the keys that its addresses lead to."""
        answer = self.get(url)
        assert answer.status == 200, answer.body
        assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
        return [self.key(beside(url, line)) for line in lines(answer.body)]

    def key(self, url: str) -> str:
        """Follow an address to the bucket; return the key of the file."""
        answer = self.get(url)
        assert answer.status == 302, answer.body
        return unquote(urlsplit(answer.headers["Location"]).path).removeprefix(f"/{PREFIX}")


def beside(url: str, name: str) -> str:
    """Return the address that a name in a playlist means."""
    assert "/" not in name
    return url.partition("?")[0].rpartition("/")[0] + "/" + name


def lines(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def cinema(count: int = 4, row: Recording | None = None) -> tuple[Cinema, list[str]]:
    room = Cinema(row)
    names = room.slices(count)
    room.publish()
    return room, names


# --- a link is made ---


def test_a_link_is_an_address_that_plays_the_recording() -> None:
    room, names = cinema()
    answer = room.manage("POST", {"expiresInSeconds": 3600})
    assert answer.status == 201
    link = answer.body
    assert re.fullmatch(
        r"https://api\.example\.com/v1/play/[A-Za-z0-9_-]{43}/index\.m3u8", link["url"]
    )
    assert link["expiresAt"] == iso(room.clock() + HOUR_MS)
    assert room.watch(link["url"]) == names


def test_the_address_is_told_once_and_its_token_is_stored_nowhere() -> None:
    room, _ = cinema()
    url = room.link(track="audio_and_video")
    token = url.split("/")[-2]
    room.watch(url)
    (listed,) = room.manage("GET").body["links"]
    assert "url" not in listed
    assert listed["track"] == "audio_and_video"
    assert token not in str(room.table.items)
    assert token_hash(token) in str(room.table.items)


def test_viewers_may_reach_the_api_by_another_name() -> None:
    room, _ = cinema()
    event = request(
        {"expiresInSeconds": 60}, resource="/recordings/{recordingId}/links", method="POST"
    )
    where = "https://play.example.com/v1/"
    made = manage_links.lambda_handler(event, Context(), links=room.parts.links, playback_url=where)
    assert json.loads(made["body"])["url"].startswith("https://play.example.com/v1/play/")


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "expiresInSeconds"),
        ({"expiresInSeconds": None}, "expiresInSeconds"),
        ({"expiresInSeconds": 59}, "expiresInSeconds"),
        ({"expiresInSeconds": MAX_LIFE_S + 1}, "expiresInSeconds"),
        ({"expiresInSeconds": "60"}, "expiresInSeconds"),
        ({"expiresInSeconds": 60, "track": "sound"}, "track"),
        ({"expiresInSeconds": 60, "uid": 7}, "uid"),
        ({"expiresInSeconds": 60, "codec": "../"}, "codec"),
        ({"expiresInSeconds": 60, "from": "yesterday"}, "from"),
        ({"expiresInSeconds": 60, "to": 7}, "to"),
        ({"expiresInSeconds": 60, "expires": 7}, "expires"),
        (
            {"expiresInSeconds": 60, "from": "2026-01-01T01:00:00Z", "to": "2026-01-01T00:00:00Z"},
            "to",
        ),
    ],
)
def test_a_link_that_cannot_be_meant_is_refused(body: dict[str, Any], path: str) -> None:
    room, _ = cinema()
    answer = room.manage("POST", body)
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == path
    assert room.manage("GET").body == {"links": []}


def test_every_problem_of_a_request_for_a_link_is_told_in_words() -> None:
    room, _ = cinema()
    body = {"expiresinseconds": 60, "uid": 7, "track": "sound", "codec": "../", "from": 7, "x": 1}
    problems = room.manage("POST", body).body["problems"]
    takes = "expiresInSeconds, uid, track, codec, from, to"
    assert {each["path"]: each["rule"] for each in problems} == {
        "expiresInSeconds": "is required",
        "uid": 'must be a string, such as "12345", not a whole number',
        "track": 'must be one of "audio", "audio_and_video", "video"',
        "codec": "must be a codec, such as h264",
        "from": 'must be a string, such as "2026-01-31T12:00:00Z", not a whole number',
        "expiresinseconds": "is not a field of this call; did you mean expiresInSeconds? Upper and "
        "lower case matter",
        "x": f"is not a field of this call; it takes {takes}",
    }


@given(
    st.dictionaries(
        st.sampled_from(["expiresInSeconds", "uid", "track", "from", "x"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(),
    )
)
def test_no_body_breaks_the_room(body: dict[str, Any]) -> None:
    room = Cinema()
    assert room.manage("POST", json.dumps(body)).status in (201, 400, 404)


def test_a_link_to_what_is_not_there_is_refused_and_names_what_is() -> None:
    room, _ = cinema()
    answer = room.manage("POST", {"expiresInSeconds": 60, "uid": "9"})
    assert answer.status == 404
    assert "uid 0 audio_and_video" in answer.body["detail"]
    assert room.manage("GET").body == {"links": []}


def test_a_recording_that_is_not_there_has_no_links() -> None:
    room, _ = cinema()
    other = {"recording_id": "01ZZZZZZZZZZZZZZZZZZZZZZZZ"}
    assert room.manage("POST", {"expiresInSeconds": 60}, **other).status == 404
    assert room.manage("GET", **other).status == 404
    assert room.manage("DELETE", link_id="1", **other).status == 404


def test_a_recording_that_is_being_deleted_gets_no_link() -> None:
    room, _ = cinema()

    def delete() -> None:
        room.parts.deleter.delete(RECORDING_ID, lambda: 29_000)

    room.table.before_write.append(delete)
    assert room.manage("POST", {"expiresInSeconds": 60}).status == 404
    assert not [key for key in room.table.items if "LINK" in str(key)]


# --- it ends ---


def test_an_expired_link_opens_nothing() -> None:
    room, _ = cinema()
    url = room.link(expiresInSeconds=60)
    (first, *_) = lines(room.get(url).body)
    room.clock.advance(60)
    for each in (url, beside(url, first)):
        assert room.get(each).status == 404
    assert room.manage("GET").body == {"links": []}


def test_a_revoked_link_opens_nothing_within_a_minute() -> None:
    room, _ = cinema()
    url, other = room.link(), room.link()
    (first, *_) = lines(room.get(url).body)
    ids = [each["linkId"] for each in room.manage("GET").body["links"]]
    assert room.manage("DELETE", link_id=ids[0]).status == 204
    room.clock.advance(59)
    for each in (url, beside(url, first)):
        assert room.get(each).status == 404
    assert room.get(other).status == 200
    assert [each["linkId"] for each in room.manage("GET").body["links"]] == ids[1:]
    assert room.manage("DELETE", link_id=ids[0]).status == 204  # again: no change


def test_a_link_that_is_not_there_cannot_be_revoked() -> None:
    room, _ = cinema()
    room.link()
    for link_id in ("01ZZZZZZZZZZZZZZZZZZZZZZZZ", "x#", "0"):
        assert room.manage("DELETE", link_id=link_id).status == 404
    assert len(room.manage("GET").body["links"]) == 1


def test_the_links_of_a_deleted_recording_are_gone() -> None:
    room, _ = cinema()
    url = room.link()
    (first, *_) = lines(room.get(url).body)
    assert room.parts.deleter.delete(RECORDING_ID, lambda: 29_000).is_done
    assert not [key for key in room.table.items if "LINK" in str(key)]
    room.clock.advance(59)
    for each in (url, beside(url, first)):
        assert room.get(each).status == 404


def test_a_link_opens_nothing_while_its_recording_is_being_deleted() -> None:
    room, _ = cinema()
    url = room.link()
    room.parts.deleter.delete(RECORDING_ID, lambda: 0)
    assert room.row.deleting_ms
    assert room.get(url).status == 404


def test_every_wrong_address_gets_the_same_answer() -> None:
    room, _ = cinema()
    url = room.link(expiresInSeconds=60)
    token = url.split("/")[-2]
    wrong = [token[:-1], token + "A", token[:-1] + ("A" if token[-1] != "A" else "B"), "x", "%00"]
    answers = [room.get(url.replace(token, each)) for each in wrong]
    room.clock.advance(61)
    answers.append(room.get(url))
    assert {answer.status for answer in answers} == {404}
    assert len({answer.body["detail"] for answer in answers}) == 1


@given(st.binary(min_size=32, max_size=32))
def test_no_other_token_opens_it(randomness: bytes) -> None:
    room = _ROOM
    token = randomness.hex()
    assert room.get(f"https://api.example.com/v1/play/{token}/index.m3u8").status == 404


_ROOM, _ = cinema(1)
_ROOM.link()


# --- what it opens ---

OTHER = "recordings/01ZZZZZZZZZZZZZZZZZZZZZZZZ/"


@pytest.mark.parametrize(
    "name",
    [
        "manifest.json",
        f"{STEM}.m3u8",
        "..",
        "secret",
        f"{OTHER}a.ts".replace("/", "%2F"),
        "..%2Fa.ts",
        "9.abc.ts",
        "0.zzzzzzzzzz.ts",
        "0.1.mp4",
        f"{'f' * 32}_{CNAME}_20231114221330000.ts",
        f"{STEM}_20231114221330000.jpg",
        "events%2Frecording-ended.json",
        "a\nb.ts",
    ],
)
def test_no_name_opens_what_is_not_the_links(name: str) -> None:
    room, _ = cinema()
    url = room.link()
    room.watch(url)
    event = request(
        resource="/play/{token}/{name}",
        recording_id=None,
        parameters={"token": url.split("/")[-2], "name": name},
    )
    answer = play_recording.lambda_handler(event, Context(), player=room.parts.player)
    assert answer["statusCode"] == 404


def test_an_address_of_one_link_opens_nothing_by_another() -> None:
    room = individual()
    one, two = room.link(uid="7", track="video"), room.link(uid="8", track="video")
    (first, *_) = lines(room.get(one).body)
    room.watch(two)
    mine = room.key(beside(one, first))
    theirs = room.key(beside(two, first))
    assert "__uid_s_7__" in mine
    assert "__uid_s_8__" in theirs
    for name in (mine, mine.replace("video", "audio")):
        assert room.get(beside(two, name)).status == 404
    assert room.key(beside(one, mine)) == mine


def test_a_window_opens_its_slices_alone() -> None:
    room, names = cinema(40)
    url = room.link(**{"from": iso(after(10 + 300)), "to": iso(after(10 + 360))})
    assert room.watch(url) == names[20:24]
    for name in (names[0], names[-1]):
        assert room.get(beside(url, name)).status == 404
    short = lines(room.get(url).body)[0]
    assert room.get(beside(url, short)).status == 302
    far = short.replace(short.split(".")[1], "lozfbh00")
    assert room.get(beside(url, far)).status == 404


def test_a_slice_is_led_to_by_an_address_that_lives_minutes() -> None:
    room, _ = cinema()
    url = room.link()
    first = lines(room.get(url).body)[0]
    address = urlsplit(room.get(beside(url, first)).headers["Location"])
    query = parse_qs(address.query)
    assert query["X-Amz-Expires"] == ["300"]
    assert query["response-content-type"] == ["video/MP2T"]
    assert "response-content-disposition" not in query


def test_a_slice_costs_no_read_of_the_bucket() -> None:
    room, _ = cinema()
    url = room.link()
    first = lines(room.get(url).body)[0]
    room.bucket.reads.clear()
    room.clock.advance(60)
    room.get(beside(url, first))
    assert room.bucket.reads == []


def test_an_mp4_is_saved_under_a_name_that_a_person_would_give() -> None:
    room = Cinema(uploading(started_ms=after(0)))
    room.slices(1)
    for number in (0, 1):
        room.bucket.add(f"{PREFIX}{STEM}_{number}.mp4", b"y" * 50)
    room.publish()
    url = room.link()
    address = room.get(beside(url, f"{STEM}_1.mp4")).headers["Location"]
    (told,) = parse_qs(urlsplit(address).query)["response-content-disposition"]
    started = iso(after(0))[:16].replace("T", " ").replace(":", ".")
    assert told.startswith(f'attachment; filename="{CNAME} {started} part 2.mp4"')
    listed = {each["key"]: each["url"] for each in room.files().body["files"]}
    query = parse_qs(urlsplit(listed[f"{PREFIX}{STEM}_0.mp4"]).query)
    assert f'"{CNAME} {started}.mp4"' in query["response-content-disposition"][0]


# --- everything plays ---


def individual(*users: tuple[str, str]) -> Cinema:
    room = Cinema(uploading(mode="individual"))
    for uid, track in users or [(u, t) for u in "78" for t in ("audio", "video")]:
        room.slices(2, f"{STEM}__uid_s_{uid}__uid_e_{track}")
    room.publish()
    return room


def test_sound_and_picture_of_a_user_play_together() -> None:
    room = individual()
    url = room.link(uid="7")
    answer = room.get(url)
    assert answer.headers["Content-Type"] == "application/vnd.apple.mpegurl"
    (pictures,) = lines(answer.body)
    (sound,) = re.findall('URI="([^"]+)"', answer.body)
    assert re.search("BANDWIDTH=[1-9]", answer.body)
    assert all("_7__uid_e_video_" in each for each in room.watch(beside(url, pictures)))
    assert all("_7__uid_e_audio_" in each for each in room.watch(beside(url, sound)))


def test_a_link_to_all_users_plays_the_one_who_is_asked_for() -> None:
    room = individual()
    url = room.link()
    answer = room.get(url)
    assert answer.status == 400
    assert answer.body["problems"][0]["path"] == "uid"
    assert lines(room.get(f"{url}?uid=8").body)
    assert all("_8__uid_e_audio" in each for each in room.watch(f"{url}?uid=8&track=audio"))


def test_a_link_to_one_user_plays_no_other() -> None:
    room = individual()
    url = room.link(uid="7", track="audio")
    assert room.get(f"{url}?uid=8").status == 404
    assert room.get(f"{url}?track=video").status == 404
    assert len(room.watch(f"{url}?uid=7")) == 2


def test_a_query_that_is_not_known_is_refused() -> None:
    room, _ = cinema()
    assert room.get(f"{room.link()}?user=7").status == 400
    assert room.get(f"{room.link()}?track=sound").status == 400


def test_what_hls_cannot_hold_plays_as_dash() -> None:
    room = Cinema(uploading(mode="raw"))
    user = f"{STEM}__uid_s_7__uid_e"
    for tail in ("vp8.mpd", "0_0_vp8.webm", "1_0_vp8.webm"):
        room.bucket.add(f"{PREFIX}{user}_{tail}", b"<MPD/>")
    room.publish()
    assert room.files().body["tracks"]["wholes"] == [f"{user}_vp8.mpd"]
    url = room.link()
    assert url.endswith("/index.mpd")
    answer = room.get(url)
    assert (answer.status, answer.body) == (200, "<MPD/>")
    assert answer.headers["Content-Type"] == "application/dash+xml"
    assert room.key(beside(url, f"{user}_0_0_vp8.webm")) == f"{user}_0_0_vp8.webm"
    told = room.get(beside(url, "index.m3u8"))
    assert told.status == 404
    assert "index.mpd" in told.body["detail"]
    assert room.get(beside(url, f"{user}_vp9.mpd")).status == 404


def test_a_playlist_is_text_to_a_generated_client_which_asks_for_text() -> None:
    cinema = Cinema()
    cinema.slices(1)
    cinema.publish()
    url = cinema.link()
    answer = cinema.get(url, accept="text/plain")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.body == cinema.get(url).body


def test_files_tell_what_plays_each_track_and_each_user() -> None:
    room = individual()
    tracks = room.files().body["tracks"]
    url = room.link()
    assert tracks["wholes"] == ["index.m3u8?uid=7", "index.m3u8?uid=8"]
    for whole in tracks["wholes"]:
        assert room.get(beside(url, whole)).status == 200
    for each in tracks["items"]:
        assert each["track"] == each["trackType"]
        path, _, query = each["playlist"].partition("?")
        assert path == f"/recordings/{RECORDING_ID}/playlist"
        played = room.played(**{name: value[0] for name, value in parse_qs(query).items()})
        assert room.watch(beside(url, each["play"])) == played


def test_a_recording_that_grows_plays_while_it_grows() -> None:
    room = Cinema(recording())
    names = room.slices(3, closed=False)
    url = room.link()
    assert "#EXT-X-ENDLIST" not in room.get(url).body
    assert room.watch(url) == names
    short = lines(room.get(url).body)
    names = room.slices(5, closed=False)
    room.clock.advance(6)
    assert room.watch(url) == names
    assert lines(room.get(url).body)[:3] == short


def test_a_bucket_that_takes_long_to_look_at_is_not_looked_at_for_each_playlist() -> None:
    room = Cinema(recording())
    room.slices(3, closed=False)
    url = room.link()
    looked = room.bucket.get_paginator
    looks: list[str] = []

    def slowly(name: str) -> Any:
        looks.append(name)
        room.clock.advance(4)
        return looked(name)

    room.bucket.get_paginator = slowly  # type: ignore[method-assign]
    room.get(url)
    for count in (4, 5):
        names = room.slices(count, closed=False)
        room.clock.advance(16)
        assert room.watch(url) == names  # the playlist grows all the same
    assert len(looks) == 1
    room.clock.advance(16)
    room.get(url)
    assert len(looks) == 2


def test_a_link_made_before_there_is_anything_plays_later() -> None:
    room = Cinema(recording())
    url = room.link()
    assert room.get(url).status == 404
    names = room.slices(1, closed=False)
    room.clock.advance(6)
    assert room.watch(url) == names


def test_a_restart_with_a_hand_over_plays_on_and_lasts_as_long_as_the_recording() -> None:
    past = running(1, sid="1" * 32, started_ms=after(2), ended_ms=after(300), end="DIED")
    row = ended(
        "STOPPED",
        status="uploading",
        past_attempts=[past],
        attempt=running(2, started_ms=after(190), ended_ms=after(600), end="STOPPED"),
    )
    room = Cinema(row)
    one = room.slices(20, f"{'1' * 32}_{CNAME}")
    two = room.slices(20, from_s=197)
    room.publish()
    url = room.link()
    assert room.watch(url) == [*one[:12], *two]
    text = room.get(url).body
    assert text.count("#EXT-X-DISCONTINUITY") == 1
    assert text.count("#EXT-X-PROGRAM-DATE-TIME") == 32
    total_ms = room.files().body["totals"]["durationMs"]
    assert abs(32 * SLICE_S * 1000 - total_ms) <= SLICE_S * 1000


def test_the_addresses_of_a_playlist_hold_when_the_files_are_found_anew() -> None:
    room, names = cinema()
    url = room.link()
    short = lines(room.get(url).body)
    bak = [f"bak0_{STEM}_{utc17(after(200 + 15 * n))}.ts" for n in range(2)]
    for name in bak:
        room.bucket.add(PREFIX + name, b"x")
    room.bucket.add(f"{PREFIX}bak0_{STEM}.m3u8", index(bak))
    room.bucket.objects.pop(f"{PREFIX}manifest.json")
    room.clock.advance(30)
    again = lines(room.get(url).body)
    assert again[: len(short)] == short
    assert room.watch(url) == [*names, *bak]


def test_another_process_opens_what_this_one_has_named() -> None:
    room, names = cinema()
    url = room.link()
    other = Cinema.__new__(Cinema)
    other.__dict__.update({**vars(room)})
    other.__dict__.pop("parts")
    assert other.get(url).status == 200
    other.parts.player.known.values.clear()
    room.parts.player.known.keep(
        token_hash(url.split("/")[-2]),
        room.parts.player._open(url.split("/")[-2])._replace(
            link=room.parts.link_store.of_recording(RECORDING_ID)[0]
        ),
        room.clock() + 15_000,
    )
    assert room.watch(url) == names


# --- how much one playlist holds ---


def test_a_playlist_of_thirty_days_fits_one_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(playback, "MANY_SLICES", 10)
    room, _ = cinema(400)
    text = room.get(room.link()).body
    a_slice = (playback.answer_bytes(text) - 500) / 400
    assert a_slice * 720 * 240 < playback.MAX_BYTES
    assert text.count("#EXT-X-PROGRAM-DATE-TIME") == 4


# --- views ---


def test_first_and_last_view_are_in_the_timeline_and_no_slice() -> None:
    room, _ = cinema()
    url = room.link()
    for _ in range(3):
        room.clock.advance(3600 // 4)
        room.watch(url)
    (listed,) = room.manage("GET").body["links"]
    assert listed["views"] == 3
    room.manage("DELETE", link_id=listed["linkId"])
    page = room.parts.timeline.page(RECORDING_ID, EventsQuery(limit=100, cursor=None))
    told = [(each["kind"], each["text"]) for each in page["events"] if "link" in each["kind"]]
    assert [kind for kind, _ in told] == [
        "link_made",
        "link_viewed",
        "link_viewed_last",
        "link_revoked",
    ]
    assert "last of 3 times" in told[2][1]
    assert (listed["firstViewedAt"], listed["lastViewedAt"]) == tuple(
        each["at"] for each in page["events"] if each["kind"].startswith("link_viewed")
    )


def test_openings_within_a_minute_are_one_view() -> None:
    room, _ = cinema()
    url = room.link()
    for _ in range(5):
        room.watch(url)
        room.clock.advance(10)
    assert room.manage("GET").body["links"][0]["views"] == 1


def test_a_view_that_cannot_be_counted_is_no_reason_not_to_play() -> None:
    room, names = cinema()
    url = room.link()
    room.watch(url)
    room.clock.advance(120)
    hashed = token_hash(url.split("/")[-2])

    def overtake() -> None:
        row = room.table.row(f"LINK#{hashed}", "LINK")
        room.table.add({**row, "version": row["version"] + 1})

    room.table.before_write.extend([overtake] * 8)
    assert room.watch(url) == names
