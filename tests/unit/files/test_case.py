"""The case of a recording: its findings, within their bounds, and what they say of each session."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.files.inventory import S3Object
from agora_recording.files.judge import verify
from agora_recording.files.judge.case import Findings
from agora_recording.files.verdict import Expectation, Finding, Session, Verdict
from tests.world.webhook import NOW_MS, SID

PREFIX, OTHER, STRANGE = "recordings/R/", "1" * 32, "2" * 32
LONG_AGO = NOW_MS - 600_000


def named(findings: Findings) -> list[tuple[str, int, str]]:
    return [(each.where, each.count, each.detail) for each in findings.listed()]


def judged(*names: str, sessions: tuple[Session, ...], **wanted: Any) -> Verdict:
    """Return the verdict on files of 9 bytes, the indexes among them empty and closed."""
    objects = [S3Object(PREFIX + name, 9, "e", LONG_AGO) for name in sorted(names)]
    expected = Expectation(prefix=PREFIX, mode="mix", cname="c", sessions=sessions, **wanted)
    return verify(objects, lambda _: [b"#EXTM3U\n#EXT-X-ENDLIST\n"], expected, NOW_MS)


def told(verdict: Verdict) -> set[tuple[str, str, str, str]]:
    return {(each.code, each.level, each.where, each.detail) for each in verdict.findings}


# --- findings -----------------------------------------------------------------------------------


def test_findings_are_listed_from_the_worst_to_the_least() -> None:
    findings = Findings()
    findings.add("foreign_file", "note", "a")
    findings.add("missing_segment", "awaited", "a")
    findings.add("missing_segment", "error", "a")
    assert [each.level for each in findings.listed()] == ["error", "awaited", "note"]


def test_the_same_finding_at_the_same_place_is_one_and_keeps_what_was_said_first() -> None:
    findings = Findings()
    findings.add("missing_segment", "error", "a", ["1", "2"], "first")
    findings.add("missing_segment", "error", "a", ["3"], "second")
    findings.add("missing_segment", "error", "a", count=5)
    findings.add("missing_segment", "error", "b")
    assert findings.listed() == [
        Finding("missing_segment", "error", "a", 8, ("1", "2", "3"), "first"),
        Finding("missing_segment", "error", "b", 1, (), ""),
    ]


def test_findings_beyond_a_thousand_places_are_counted_together() -> None:
    findings = Findings()
    for number in range(1002):
        findings.add("missing_segment", "error", f"{number}", detail="why")
    listed = named(findings)
    assert len(listed) == 1001
    assert listed[-1] == ("", 2, "")
    findings.add("missing_segment", "error", "7")
    assert named(findings)[7] == ("7", 2, "why")


def test_of_all_findings_ten_thousand_names_are_kept_and_of_each_one_at_least() -> None:
    findings = Findings()
    for number in range(102):
        findings.add("missing_segment", "error", f"{number:03}", [f"{n}" for n in range(150)])
    kept = [len(each.names) for each in findings.listed()]
    assert kept == [100] * 100 + [1, 1]
    assert {each.count for each in findings.listed()} == {150}
    findings.add("missing_segment", "error", "101", ["more"])
    assert len(findings.listed()[101].names) == 1


# --- where a finding is ---------------------------------------------------------------------------


@pytest.mark.parametrize(("upload", "level"), [("uploaded", "error"), ("uploading", "awaited")])
def test_where_nothing_was_recorded_at_all_the_whole_recording_says_so(
    upload: Any, level: str
) -> None:
    session = Session(sid=SID, upload=upload, ended_ms=LONG_AGO)
    found = told(judged(sessions=(session,)))
    assert ("nothing_recorded", "error", "", "") in found or level == "awaited"
    assert all(where in ("", SID) for _, _, where, _ in found)
    if level == "awaited":
        assert found == {("nothing_recorded", "awaited", SID, "")}


def test_a_session_beside_another_that_left_nothing_is_named() -> None:
    sessions = (Session(sid=OTHER, upload="uploaded"), Session(sid=SID, upload="uploaded"))
    found = told(judged(f"{SID}_c.m3u8", f"{SID}_c_0.mp4", sessions=sessions, mp4=True))
    assert ("nothing_recorded", "note", OTHER, "") in found


def test_files_of_a_session_that_is_not_the_recordings_are_counted_under_its_sid() -> None:
    names = (f"{STRANGE}_c.m3u8", f"{STRANGE}_c_20260131120000000.ts")
    found = told(judged(*names, sessions=(Session(sid=SID, upload="uploaded"),)))
    assert ("unknown_session", "error", STRANGE, "2 files") in found


def test_media_without_a_playlist_is_told_of_its_session() -> None:
    session = Session(sid=SID, upload="uploaded", ended_ms=LONG_AGO)
    found = told(judged(f"{SID}_c_0.mp4", sessions=(session,), mp4=True))
    assert ("no_playlist", "error", SID, "") in found
