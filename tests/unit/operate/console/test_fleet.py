"""The fleet: what runs by risk, a page at a time; what ended; the search."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.recording.ids import new_recording_id
from agora_recording.recording.model import Recording
from operate.console import fleet
from operate.console.fleet import Place, read_place
from tests.world.builders import after, recording, requested, running
from tests.world.console import RECORDING_ID, ConsoleWorld, Visitor
from tests.world.webhook import NOW_MS


def row(number: int, **changes: Any) -> Recording:
    """Return one of many recordings; the greater the number, the later it was asked for."""
    recording_id = new_recording_id(NOW_MS + number, number.to_bytes(10, "big"))
    fields = {"cname": f"room-{number}", "last_seen_ms": after(7 + number % 100), **changes}
    return recording(recording_id=recording_id, created_ms=NOW_MS + number, **fields)


def many(count: int) -> ConsoleWorld:
    """Return a world in which so many recordings run."""
    return ConsoleWorld(*map(row, range(count)), now_ms=after(150))


def test_what_runs_is_sorted_by_risk_and_then_by_the_next_look() -> None:
    calm, silent = row(1, last_seen_ms=after(140)), row(2, gone_ms=after(100), gone_checks=1)
    begun = requested(recording_id=row(3).recording_id, cname="begun")
    world = ConsoleWorld(calm, silent, begun, now_ms=after(150))
    found = fleet.running(world.desk())
    assert [each["cname"] for each in found["rows"]] == ["begun", "room-2", "room-1"]
    assert [each["risk"] for each in found["rows"]] == ["starting", "in doubt", "quiet"]
    assert found["count"] == 3
    assert found["next"] == ""


def test_the_age_of_the_last_sign_of_life_fills_until_it_counts_as_silence() -> None:
    rows = [row(1, last_seen_ms=after(50)), row(2, last_seen_ms=after(-200))]
    world = ConsoleWorld(*rows, now_ms=after(150))
    shown = {each["cname"]: each for each in fleet.running(world.desk())["rows"]}
    assert shown["room-1"]["silence"] == pytest.approx(0.5)
    assert shown["room-1"]["seen"] == "1 min 40 s"
    assert shown["room-2"]["silence"] == 1.0


def test_every_recording_is_on_one_page_and_no_page_reads_them_all() -> None:
    world = many(230)
    desk = world.desk()
    seen: list[str] = []
    place = ""
    for _ in range(10):
        found = fleet.running(desk, read_place(place))
        assert 0 < len(found["rows"]) <= fleet.PAGE
        seen += [each["recordingId"] for each in found["rows"]]
        place = found["next"]
        if not place:
            break
    assert len(seen) == len(set(seen)) == 230


def test_a_place_that_is_none_is_the_first_page() -> None:
    for text in ("", "x", "1.2", f"a.b.{RECORDING_ID}", f"1.x.{RECORDING_ID}", "0.0.<script>"):
        assert read_place(text) is None
    assert read_place(f"2.{NOW_MS}.{RECORDING_ID}") == Place(2, NOW_MS, RECORDING_ID)


def test_a_table_never_moves_faster_than_it_is_read() -> None:
    assert fleet.pause_s(0) == fleet.pause_s(10) == 5
    assert fleet.pause_s(fleet.PAGE) >= 5
    assert fleet.pause_s(400) == 50


def over(number: int, status: str, ended_ms: int) -> Recording:
    """Return a recording that has ended."""
    attempt = running(end="STOPPED", ended_ms=ended_ms)
    return row(number, status=status, ended_ms=ended_ms, end_reason="STOPPED", attempt=attempt)


def test_what_ended_in_the_last_day_is_told_by_outcome_the_worst_first() -> None:
    day = 86_400
    world = ConsoleWorld(
        over(1, "completed", after(day)),
        over(2, "failed", after(day)),
        over(3, "completed", after(10)),
        over(4, "completed", after(2 * day)),
        now_ms=after(2 * day + 20),
    )
    found = {each["status"]: each for each in fleet.ended(world.desk())}
    assert list(found) == ["failed", "incomplete", "completed"]
    assert [each["cname"] for each in found["completed"]["rows"]] == ["room-4"]
    assert found["failed"]["count"] == 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("room-7", ["room-7"]),
        ("ROOM-1", ["room-19", "room-18", "room-17", "room-16", "room-15"]),
        ("team=platform", ["room-3"]),
        ("plat", ["room-3"]),
        ("nothing-like-it", []),
        ("  ", []),
    ],
)
def test_a_search_finds_channels_and_tags(text: str, names: list[str]) -> None:
    rows = [row(number, tags={"team": "platform"} if number == 3 else {}) for number in range(20)]
    found = fleet.search(ConsoleWorld(*rows, now_ms=after(150)).desk(), text)
    assert [each["cname"] for each in found.rows][:5] == names


def test_a_search_by_id_leads_to_the_recording() -> None:
    world = many(3)
    wanted = row(1).recording_id
    page = Visitor(world).get(f"/search?q={wanted.lower()}")
    assert page.status == 303
    assert page.headers["location"] == f"/recordings/{wanted}"


def test_a_search_reads_a_part_and_goes_on_from_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "_LOOKED_THROUGH", 100)
    rows = [row(number, tags={"team": "x"} if number == 20 else {}) for number in range(250)]
    desk = ConsoleWorld(*rows, now_ms=after(150)).desk()
    found = fleet.search(desk, "team=x")
    assert (found.read, found.rows) == (100, [])
    again = fleet.search(desk, "team=x", found.following)
    assert (again.read, again.rows) == (100, [])
    last = fleet.search(desk, "team=x", again.following)
    assert [each["cname"] for each in last.rows] == ["room-20"]
    assert last.following == ""


def test_the_page_tells_what_runs_and_leads_to_the_next_page() -> None:
    visitor = Visitor(many(60))
    page = visitor.get("/")
    assert page.status == 200
    assert page.text.count('<th scope="row">') == fleet.PAGE
    assert "60 recordings not over" in page.text
    follow = page.text.split('<a href="/?after=')[1].split('"')[0]
    rest = visitor.get(f"/?after={follow}")
    assert rest.text.count('<th scope="row">') == 10


def test_an_empty_fleet_says_what_to_do() -> None:
    page = Visitor(ConsoleWorld()).get("/")
    assert "Nothing runs." in page.text
    assert 'href="/start"' in page.text
