"""The picture: lanes from what is known, and the drawing of them."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from agora_recording.recording.model import Recording
from operate.console import lanes, picture, recordings
from operate.console.lanes import Bar, Known, Lane, Mark
from operate.console.picture import Window, clustered, draw, joined, moves, step_ms, window
from tests.world.builders import after, recording
from tests.world.builders import recordings as some_recordings
from tests.world.showcase import RESTARTED, world
from tests.world.webhook import NOW_MS

instants = st.integers(NOW_MS - 10**9, NOW_MS + 10**9)
windows = st.builds(
    lambda at, length, width: Window(at, at + length, width),
    instants,
    st.integers(1000, 30 * 86_400_000),
    st.integers(320, 2000),
)
marks = st.lists(
    st.builds(Mark, instants, st.sampled_from(["event", "bad", "query"]), st.text(max_size=9))
)


def lane_of(found: list[Lane], name: str, more: str = "") -> Lane:
    """Return the lane with a name."""
    return next(each for each in found if each.name == name and more in each.more)


def restarted() -> Known:
    """Return what is known of the recording whose session was replaced."""
    desk = world(0).desk()
    row = recordings.read(desk, RESTARTED)
    of = window(recordings.whole(desk, row), None, None, 1200)
    return recordings.known(desk, row, of)


def test_each_session_has_a_lane_from_its_start_to_its_end() -> None:
    found = lanes.lanes(restarted())
    first, second = lane_of(found, "Session 1"), lane_of(found, "Session 2")
    assert [each.kind for each in first.bars] == ["asked", "starting", "running", "doubted"]
    assert (first.bars[0].from_ms, first.bars[-1].to_ms) == (after(1), after(80))
    assert [each.kind for each in second.bars] == ["asked", "starting", "running", "stopping"]
    assert first.marks[1] == Mark(
        after(80),
        "bad",
        "Session 1 ended at 2023-11-14 22:14:40: DIED. Agora answered 404 for 90 s.",
    )
    assert second.marks[-1].kind == "end"
    assert "Failover" in first.marks[2].words


def test_a_track_has_its_slices_its_gaps_with_their_causes_and_its_missing_files() -> None:
    track = lane_of(lanes.lanes(restarted()), "Audio and video", "everybody")
    assert sum(each.kind == "there" for each in track.bars) == 61
    gaps = [each for each in track.bars if each.kind == "gap"]
    assert [each.words.rpartition(": ")[2] for each in gaps] == [
        "a session was replaced by the next.",
        "slices are missing.",
    ]
    assert [each.at_ms for each in track.marks] == [after(89 + 7 * 2)]
    assert track.marks[0].words.startswith("Missing file: b2b2")


def test_without_slices_a_track_is_drawn_from_its_playlists_around_the_gaps() -> None:
    known = restarted()
    known.slices = None
    track = lane_of(lanes.lanes(known), "Audio and video")
    there = [(each.from_ms, each.to_ms) for each in track.bars if each.kind == "there"]
    assert there == [
        (after(8), after(72)),
        (after(89), after(103)),
        (after(105), after(149)),
    ]
    assert "32 slices" in track.bars[0].words


def test_users_come_and_go_and_no_longer_send_when_the_session_is_over() -> None:
    found = lanes.lanes(restarted())
    first = lane_of(found, "User", "uid 101")
    assert [(each.kind, each.from_ms, each.to_ms) for each in first.bars] == [
        ("video", after(8), after(80)),
        ("audio", after(8.2), after(41)),
        ("audio", after(55), after(80)),
    ]
    second = lane_of(found, "User", "uid 102")
    assert [(each.kind, each.from_ms, each.to_ms) for each in second.bars][1:] == [
        ("audio", after(89), after(148)),
        ("video", after(95), after(160)),
    ]


def test_events_queries_and_decisions_have_lanes_of_their_own() -> None:
    found = lanes.lanes(restarted())
    assert len(lane_of(found, "Agora's events").marks) == 14
    assert [each.at_ms for each in lane_of(found, "Queries").marks] == list(
        map(after, (7, 72, 77, 88))
    )
    assert "The app asked to stop." in [each.words for each in lane_of(found, "Decisions").marks]


@given(some_recordings())
def test_a_recording_of_any_shape_can_be_drawn(row: Recording) -> None:
    known = Known(recording=row, now_ms=after(20_000))
    whole = lanes.span(row, after(20_000))
    of = window((min(whole), max(whole)), None, None, 900)
    assert str(draw(lanes.lanes(known), of, row.cname)).endswith("</svg>")


def test_texts_from_outside_are_escaped_in_the_picture() -> None:
    lane = Lane("<b>", "</svg><script>", [Bar(0, 500, "running", "<script>")])
    lane.marks = [Mark(100, "event", "'><script>")]
    for width in (400, 1200):
        text = str(draw([lane], Window(0, 1000, width), '"><script>'))
        assert "<script" not in text
        assert "<b>" not in text


# --- the window ---------------------------------------------------------------------------------


@given(instants, st.integers(2000, 10**9), st.one_of(st.none(), instants), instants, st.integers())
def test_a_window_is_never_outside_of_the_whole_and_never_shorter_than_a_second(
    first: int, length: int, from_ms: int | None, to_ms: int, width: int
) -> None:
    whole = (first, first + length)
    of = window(whole, from_ms, to_ms, width)
    assert whole[0] <= of.from_ms < of.to_ms <= whole[1]
    assert of.span_ms >= 1000
    assert picture.NARROWEST <= of.width <= picture.WIDEST
    for name, moved in moves(whole, of).items():
        assert whole[0] <= moved.from_ms < moved.to_ms <= whole[1], name
        assert moved.width == of.width
    assert moves(whole, of)["whole"][:2] == whole


@given(windows)
def test_the_axis_has_at_least_two_ticks_and_not_too_many(of: Window) -> None:
    most = (of.width - of.left) // 95
    step = step_ms(of.span_ms, most)
    assert of.span_ms / step <= max(most, 1)


@given(marks, windows)
def test_no_mark_within_the_window_is_lost_and_none_covers_another(
    listed: list[Mark], of: Window
) -> None:
    within = [each for each in listed if of.from_ms <= each.at_ms <= of.to_ms]
    found = clustered(listed, of)
    assert bool(found) == bool(within)
    places = [x for x, _, _ in found]
    assert all(b - a >= 7 for a, b in pairwise(places))
    has_bad = any(each.kind == "bad" for each in within)
    assert any(kind.startswith("bad") for _, kind, _ in found) == has_bad


@given(st.lists(st.tuples(instants, st.integers(1, 10**7)), max_size=40), windows)
def test_bars_that_cannot_be_told_apart_are_one_and_cover_the_same(
    spans: list[tuple[int, int]], of: Window
) -> None:
    bars = [Bar(at, at + length, "there", "x") for at, length in spans]
    found = joined(bars, of)
    assert len(found) <= len(bars)
    shown = [each for each in bars if each.to_ms >= of.from_ms and each.from_ms <= of.to_ms]
    if shown:
        assert min(each.from_ms for each in found) == min(each.from_ms for each in shown)
        assert max(each.to_ms for each in found) == max(each.to_ms for each in shown)


def test_a_recording_that_has_just_been_asked_for_has_a_picture() -> None:
    row = recording(attempt=None, status="requested", started_ms=None)
    of = window(lanes.span(row, NOW_MS), None, None, 800)
    assert "<svg" in draw(lanes.lanes(Known(recording=row, now_ms=NOW_MS)), of, "x")
