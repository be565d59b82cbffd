"""What the bucket should hold of a recording: what was asked for, and what was heard of it."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from agora_recording.files.expectation import expectation, transcoding
from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.model import SessionEnd
from tests.world.builders import (
    RECORDING_ID,
    TIMINGS,
    acquired,
    after,
    ended,
    recording,
    running,
    uploading,
)
from tests.world.webhook import SID

PREFIX = f"recordings/{RECORDING_ID}/"
OTHER_SID = "1" * 32
LATE_UNTIL = after(600) + round(TIMINGS.late_s * 1000)
TRANSCODED: dict[str, Any] = {
    "mode": "individual",
    "client_request": {
        "appsCollection": {"combinationPolicy": "postpone_transcoding"},
        "transcodeOptions": {"transConfig": {"transMode": "postponeTranscoding"}},
    },
}


def test_every_session_of_a_recording_is_expected() -> None:
    past = running(1, sid=OTHER_SID, end="DIED", ended_ms=after(100))
    row = ended("STOPPED", past_attempts=[past, acquired(2, end="START_FAILED")])
    last = running(3, end="STOPPED", ended_ms=after(600))
    row = replace(row, status="uploading", attempt=last)
    wanted = expectation(row, {SID: SessionFacts(upload="uploaded")}, TIMINGS)
    assert [(each.sid, each.upload) for each in wanted.sessions] == [
        (OTHER_SID, "unknown"),
        (SID, "uploaded"),
    ]
    assert wanted.prefix == PREFIX
    assert wanted.deadline_ms == after(600 + TIMINGS.upload_s)


def test_what_is_expected_follows_from_the_request() -> None:
    def wanted(mode: str = "individual", **request: Any) -> tuple[bool, bool, bool]:
        found = expectation(uploading(mode=mode, client_request=request), {}, TIMINGS)
        return found.hls, found.mp4, found.snapshots

    assert wanted() == (True, False, False)
    assert wanted(recordingFileConfig={"avFileType": ["hls", "mp4"]}) == (True, True, False)
    assert wanted(snapshotConfig={"captureInterval": 5}) == (False, False, True)
    assert wanted(snapshotConfig={}, recordingFileConfig={}) == (True, False, True)
    assert wanted("raw", recordingFileConfig={"avFileType": ["hls", "mp4"]}) == (True, True, False)
    assert wanted("raw", snapshotConfig={}) == (False, False, True)
    # Agora takes no snapshots of a mix, and does not refuse the request either.
    assert wanted("mix", snapshotConfig={}) == (True, False, False)


def test_mp3_is_expected_instead_of_hls() -> None:
    request = {"recordingFileConfig": {"avFileType": ["mp3"]}}
    found = expectation(uploading(mode="raw", client_request=request), {}, TIMINGS)
    assert (found.hls, found.mp4, found.mp3) == (False, False, True)


@pytest.mark.parametrize(
    ("options", "made"),
    [
        (None, None),
        ({"transConfig": {"transMode": "postponeTranscoding"}}, "mp4"),
        ({"transConfig": {"transMode": "audioMix"}}, "mp3"),
        ({"transConfig": {"transMode": "audioMix"}, "container": {"format": "m4a"}}, "m4a"),
    ],
)
def test_postponed_work_makes_the_format_that_was_asked_for(
    options: dict[str, Any] | None, made: str | None
) -> None:
    assert transcoding({"transcodeOptions": options} if options else {}) == made


def test_the_thresholds_of_a_verdict_follow_the_speed() -> None:
    wanted = expectation(uploading(), {}, TIMINGS.at_speed(20))
    assert (wanted.gap_ms, wanted.quiet_ms) == (50, 15_000)
    assert wanted.deadline_ms == after(600) + 90_000


def test_a_recording_that_runs_has_no_deadline() -> None:
    assert expectation(recording(), {}, TIMINGS).deadline_ms is None


@pytest.mark.parametrize("result", ["final_failed", "final_partial_success"])
def test_transcoding_that_has_failed_is_not_waited_for(result: Any) -> None:
    facts = {SID: SessionFacts(transcoding=result)}
    assert expectation(uploading(**TRANSCODED), facts, TIMINGS).transcoding_deadline_ms == 0


def test_transcoding_is_waited_for_as_long_as_the_row_says() -> None:
    row = uploading(**TRANSCODED)
    wanted = expectation(row, {SID: SessionFacts(transcoding="started")}, TIMINGS)
    assert wanted.transcoding_deadline_ms == LATE_UNTIL
    wanted = expectation(replace(row, late_until_ms=after(9)), {}, TIMINGS)
    assert wanted.transcoding_deadline_ms == after(9)


@pytest.mark.parametrize(
    ("end", "heard", "upload"),
    [
        ("STOPPED", "uploading", "uploading"),
        ("STOPPED", "started", "unknown"),
        ("STOPPED", "backuped", "backuped"),
        ("TOKEN_ENDED", "uploading", "uploading"),
        ("DIED", "uploading", "unknown"),
        ("DIED", "uploaded", "uploaded"),
        ("NOTHING_RECORDED", "none", "uploaded"),
    ],
)
def test_what_a_session_was_last_heard_to_do_counts_unless_it_died(
    end: Any, heard: Any, upload: str
) -> None:
    row = ended(end)
    (session,) = expectation(row, {SID: SessionFacts(upload=heard)}, TIMINGS).sessions
    assert session.upload == upload


@pytest.mark.parametrize("end", get_args(SessionEnd))
def test_a_session_that_took_the_stop_or_lived_as_long_as_its_token_has_recorded(end: Any) -> None:
    unseen = replace(ended(end), attempt=running(ended_ms=after(600), end=end, confirmed_ms=None))
    (session,) = expectation(unseen, {}, TIMINGS).sessions
    assert session.has_recorded == (end in ("STOPPED", "TOKEN_ENDED"))


def test_a_session_given_up_while_it_started_has_recorded_if_it_gave_a_sign_of_it() -> None:
    lost = running(end="START_FAILED", ended_ms=after(600), confirmed_ms=None)
    row = replace(ended("START_FAILED"), attempt=lost)
    for facts, has_recorded in ((SessionFacts(), False), (SessionFacts(lastSignMs=after(9)), True)):
        (session,) = expectation(row, {SID: facts}, TIMINGS).sessions
        assert session.has_recorded == has_recorded


@pytest.mark.parametrize("never_started", [False, True])
def test_a_session_may_be_unknown_as_long_as_agora_did_not_refuse_its_start(
    never_started: bool,
) -> None:
    lost = acquired(1, end="START_FAILED", unanswered=1, never_started=never_started)
    row = replace(ended(), past_attempts=[lost], attempt=running(2, end="STOPPED"))
    assert expectation(row, {}, TIMINGS).is_unaccounted == (not never_started)


@pytest.mark.parametrize("end", get_args(SessionEnd))
def test_a_session_that_was_seen_to_record_has_recorded_however_it_ended(end: Any) -> None:
    (session,) = expectation(ended(end), {}, TIMINGS).sessions
    assert session.has_recorded


@pytest.mark.parametrize("end", ["STOPPED", "DIED"])
@pytest.mark.parametrize(
    ("heard", "upload"),
    [("none", "stranded"), ("uploading", "stranded"), ("uploaded", "uploaded")],
)
def test_stranded_files_are_to_come_until_agora_says_more(
    end: Any, heard: Any, upload: str
) -> None:
    row = replace(ended(end), attempt=running(ended_ms=after(600), end=end, stranded=True))
    (session,) = expectation(row, {SID: SessionFacts(upload=heard)}, TIMINGS).sessions
    assert session.upload == upload


def test_every_announced_file_is_expected() -> None:
    facts = SessionFacts(files=("a.m3u8",), transcodedFiles=("b.mp4",), snapshot=(1, "c.jpg"))
    assert expectation(uploading(), {SID: facts}, TIMINGS).announced == {"a.m3u8", "b.mp4", "c.jpg"}


def test_a_session_is_expected_from_its_start_in_the_recordings_channel() -> None:
    wanted = expectation(uploading(), {}, TIMINGS)
    assert wanted.cname == uploading().cname
    assert [each.started_ms for each in wanted.sessions] == [after(2)]


def test_transcoding_is_expected_only_in_the_modes_that_have_it() -> None:
    assert expectation(uploading(**TRANSCODED), {}, TIMINGS).transcoding == "mp4"
    mix = {**TRANSCODED, "mode": "mix"}
    assert expectation(uploading(**mix), {}, TIMINGS).transcoding is None


def test_options_without_a_configuration_make_mp3() -> None:
    assert transcoding({"transcodeOptions": {"container": {}}}) == "mp3"


def test_the_bucket_is_judged_by_what_the_row_knows() -> None:
    lengths = {"a.m3u8": 3}
    wanted = expectation(replace(uploading(), index_lengths=lengths), {}, TIMINGS)
    assert (wanted.mode, wanted.lengths) == (uploading().mode, lengths)
    assert [each.ended_ms for each in wanted.sessions] == [after(600)]


@pytest.mark.parametrize(
    ("end", "gone_ms", "upload"),
    [
        ("TAKEN_OVER", None, "uploading"),
        ("TAKEN_OVER", after(500), "unknown"),
        ("STOPPED", after(500), "uploading"),
        ("STORAGE_REFUSED", None, "uploaded"),
    ],
)
def test_a_predecessor_that_was_gone_when_it_was_given_up_is_believed_no_more(
    end: Any, gone_ms: int | None, upload: str
) -> None:
    row = replace(ended(end), attempt=running(end=end, ended_ms=after(600), gone_ms=gone_ms))
    (session,) = expectation(row, {SID: SessionFacts(upload="uploading")}, TIMINGS).sessions
    assert session.upload == upload


def test_where_agora_could_not_upload_for_a_time_nothing_is_known_of_the_upload() -> None:
    facts = {SID: SessionFacts(upload="uploaded", tokenExpiredMs=after(500))}
    (session,) = expectation(ended("STOPPED"), facts, TIMINGS).sessions
    assert session.upload == "unknown"


def test_without_a_snapshot_none_is_announced() -> None:
    facts = {SID: SessionFacts(files=("a.m3u8",))}
    assert expectation(uploading(), facts, TIMINGS).announced == {"a.m3u8"}
