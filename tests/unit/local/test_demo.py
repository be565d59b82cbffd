"""The demo fits a terminal of 80 columns, and the README shows what it prints."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

from local import demo
from local.news import EVENTS, STEPS
from local.screen import WIDTH, Screen

README = (Path(__file__).parents[3] / "README.md").read_text()
SHOWN = README.split("$ make demo", 1)[1].split("```", 1)[0].splitlines()[1:]
SID = "8c7fd814e868a32787f30aa4d58dfa6a"
MANIFEST = {
    "segments": {"items": [{"name": f"{n}.ts", "durationMs": 15_000} for n in range(3)]},
    "tracks": {
        "items": [
            {
                "uid": "0",
                "playlists": [{"key": "r/a.m3u8", "sid": SID, "durationMs": 45_000}],
            },
            {"uid": "7", "playlists": [{"key": "r/b.m3u8", "sid": SID, "durationMs": 1_000}]},
        ]
    },
    "files": {
        "items": [
            {"key": "r/a.mp4", "kind": "mp4", "sid": SID, "uid": "0"},
            {"key": "r/x.mpd", "kind": "mpd", "sid": SID, "uid": "0"},
        ]
    },
}


def printed(what: str, more: str) -> list[str]:
    out = io.StringIO()
    Screen(out).step(what, more)
    return out.getvalue().splitlines()


def test_what_is_too_long_for_the_terminal_goes_on_in_the_next_line() -> None:
    words = "Every file that the playlists name is in the bucket."
    first, second = printed("the recording is completed", words)
    assert max(map(len, (first, second))) <= WIDTH
    assert re.fullmatch(r" +\d\.\d\d s  the recording is completed  Every .* in", first)
    assert second == " " * 11 + "the bucket."


@pytest.mark.parametrize("number", EVENTS)
def test_every_step_of_a_recording_fits_one_line(number: int) -> None:
    assert len(printed(f"webhook {number}", EVENTS[number])) == 1


def test_slices_are_one_line_with_their_count_and_duration_and_an_mp4_has_its_own() -> None:
    durations = demo.durations_of(MANIFEST)
    assert durations["a.mp4"] == durations["a.m3u8"] == 45_000
    assert "x.mpd" not in durations
    files = [("0.ts", 10), ("1.ts", 20), ("2.ts", 30), ("a.mp4", 26_924), ("manifest.json", 4_304)]
    assert list(demo.file_lines(files, durations)) == [
        "     26,924 B    45.00 s  a.mp4",
        "      4,304 B             manifest.json",
        "         60 B    45.00 s  3 slices (*.ts)",
    ]


def test_what_comes_next_fits_the_terminal_and_names_targets_that_there_are() -> None:
    makefile = (Path(__file__).parents[3] / "Makefile").read_text()
    for what, command in demo.NEXT:
        assert len(f"  {what:<19}{command}") <= WIDTH
        for target in re.findall(r"^make (\w+)", command):
            assert f"\n{target}:" in makefile


def test_the_readme_shows_the_demo_as_it_prints_in_eighty_columns() -> None:
    assert max(map(len, SHOWN)) <= WIDTH
    steps = {*STEPS.values(), "stack deployed", "request accepted", "noted"}
    for line in SHOWN:
        if webhook := re.fullmatch(r" +[\d.]+ s  webhook (\d+)  (.*)", line):
            assert EVENTS[int(webhook[1])] == webhook[2]
        elif step := re.fullmatch(r" +[\d.]+ s  (.+?)(?:  .*)?", line):
            assert step[1] in steps or step[1].startswith("the recording is "), line
        elif file := re.fullmatch(r" +([\d,]+) B  +(?:([\d.]+) s)? +(\S.*)", line):
            duration = int(float(file[2]) * 1000) if file[2] else None
            assert demo._file_line(file[3], int(file[1].replace(",", "")), duration) == line
        else:
            assert re.fullmatch(r" {11}\S.*| +\d+ Agora calls +\(.*\)", line), line
