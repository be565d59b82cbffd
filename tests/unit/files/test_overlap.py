"""Two recorders of one track: what both hold is played once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agora_recording.files.overlap import seam
from agora_recording.files.playback import join
from agora_recording.files.playlists import Segment

SLICE_MS = 15_000


def slices(start_ms: int, *durations_ms: int) -> list[Segment]:
    made = []
    for duration_ms in durations_ms:
        made.append(Segment(uri=f"{start_ms}.ts", duration_ms=duration_ms, start_ms=start_ms))
        start_ms += duration_ms
    return made


def test_without_an_overlap_everything_is_played() -> None:
    assert seam(slices(0, 10, 10), slices(20, 10)) == (2, 0)
    assert seam(slices(0, 10, 10), slices(500, 10)) == (2, 0)
    assert seam([], slices(0, 10)) == (0, 0)
    assert seam(slices(0, 10), []) == (1, 0)


def test_the_cut_is_where_the_slices_fit_best() -> None:
    before = slices(0, *[SLICE_MS] * 4)  # until 60 s
    after = slices(31_000, SLICE_MS, SLICE_MS, SLICE_MS)  # from 31 s, 46 s, 61 s
    assert seam(before, after) == (4, 1)  # until 60 s, then from 46 s: 14 s twice
    after = slices(29_000, SLICE_MS, SLICE_MS, SLICE_MS)
    assert seam(before, after) == (4, 2)  # until 60 s, then from 59 s
    after = slices(29_000, 14_000, SLICE_MS, SLICE_MS)  # from 29 s, 43 s, 58 s
    assert seam(before, after) == (2, 0)  # until 30 s, then from 29 s
    after = slices(31_000, SLICE_MS, 13_000, SLICE_MS)  # from 31 s, 46 s, 59 s
    assert seam(before, after) == (4, 2)  # until 60 s, then from 59 s


def test_a_recorder_that_was_given_up_adds_nothing() -> None:
    assert seam(slices(0, *[SLICE_MS] * 4), slices(20_000, SLICE_MS)) == (4, 1)


def test_slices_without_a_time_are_all_played() -> None:
    unknown = [Segment(uri="a.ts", duration_ms=SLICE_MS, start_ms=None)]
    assert seam(unknown, slices(0, 10)) == (1, 0)
    assert seam(slices(0, 10), unknown) == (1, 0)


durations = st.lists(st.integers(1_000, SLICE_MS), min_size=1, max_size=8)


@given(durations, durations, st.integers(0, 100_000))
def test_no_second_is_lost_and_less_than_a_slice_is_played_twice(
    one: list[int], other: list[int], start_ms: int
) -> None:
    before, after = slices(0, *one), slices(start_ms, *other)
    kept, first = seam(before, after)
    played = [*before[:kept], *after[first:]]
    covered = {s for each in (*before, *after) for s in _instants(each)}
    assert {s for each in played for s in _instants(each)} == covered
    if kept > 0 and first < len(after):
        end_ms = (before[kept - 1].start_ms or 0) + before[kept - 1].duration_ms
        assert end_ms - (after[first].start_ms or 0) <= SLICE_MS


def _instants(segment: Segment) -> range:
    start_ms = segment.start_ms or 0
    return range(-(-start_ms // 100) * 100, start_ms + segment.duration_ms, 100)


def test_a_joined_playlist_plays_the_overlap_once() -> None:
    def index(sid: str, *seconds: int) -> str:
        lines = ["#EXTM3U"]
        for each in seconds:
            lines += ["#EXTINF:15.000,", f"{sid}_room_202611271000{each:02}000.ts"]
        return "\n".join([*lines, "#EXT-X-ENDLIST", ""])

    text = join([index("a" * 32, 0, 15, 30), index("b" * 32, 29, 44)])
    names = [line[0] + line[-9:-6] for line in text.splitlines() if line.endswith(".ts")]
    assert [name[0] for name in names] == ["a", "a", "a", "b"]
    assert text.count("#EXT-X-DISCONTINUITY") == 1
