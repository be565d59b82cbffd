"""Starting a session: acquire and start as one act, which may be repeated at any point."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given as holding
from hypothesis import strategies as st
from msgspec.structs import replace

from agora_recording.clock import iso
from agora_recording.errors import (
    AgoraError,
    AgoraRefusedError,
    AgoraUnavailableError,
    RateLimitedError,
    ResourceExpiredError,
    SecretUnavailableError,
    ServiceFullError,
    SidUnknownError,
    StopRequestedError,
    TokenRejectedError,
    UidTakenError,
    WriteConflictError,
)
from agora_recording.recording.model import (
    Candidate,
    Recording,
    ask_to_stop,
    begin_attempt,
    change_attempt,
    end_session,
    started,
)
from agora_recording.recording.starting import choose_uid, next_step
from agora_recording.recording.view import public
from local.agora.rules import RefusalError
from local.agora.tokens import check as check_token
from tests.world.builders import (
    CNAME,
    HOST,
    RECORDING_ID,
    RESOURCE_ID,
    acquired,
    after,
    attempt,
    begun,
    ended,
    given,
    recording,
    recordings,
    reply,
    requested,
    running,
    silence,
    starting,
    uploading,
)
from tests.world.webhook import SID
from tests.world.world import World

OTHER_SID = "1" * 32
WAITING = requested(status="starting", attempt=acquired())  # its start may have been sent before


class Room(World):
    """The room that starts, beside one recording and a script."""

    def __init__(
        self, row: Recording, *answers: Any, temporary: bool = False, **variables: Any
    ) -> None:
        credentials = "temporary" if temporary else "keys"
        variables |= {"uid_from": 100, "uid_to": 199, "storage_credentials": credentials}
        super().__init__(row, script=answers, now_ms=after(10), **variables)

    def random_bytes(self, count: int) -> bytes:
        return (7).to_bytes(count, "little")

    def start(self) -> dict[str, Any]:
        return self.parts.starter.start(RECORDING_ID)

    def refused(self, kind: type[AgoraError]) -> None:
        """Start, and be refused with this very error."""
        with pytest.raises(kind) as refusal:
            self.start()
        assert refusal.type is kind


# --- what there is to do -------------------------------------------------------------------------


def test_a_start_goes_on_where_its_predecessor_stopped() -> None:
    assert next_step(requested()) == "new attempt"
    assert next_step(requested(attempt=attempt())) == "acquire"
    assert next_step(WAITING) == "start"
    assert next_step(starting()) == "done"
    assert next_step(recording()) == "done"
    assert next_step(ended("DIED")) == "new attempt"


@pytest.mark.parametrize(
    "row",
    [
        requested(stop_reason="STOP_REQUESTED"),
        recording(stop_reason="MAX_DURATION"),
        recording(status="stopping"),
        uploading(),
        uploading(status="completed"),
        ended("EXITED"),
        ended("REFUSED"),
        ended("DIED", restart_limit=0),
    ],
)
def test_what_is_to_end_is_not_started(row: Recording) -> None:
    with pytest.raises(StopRequestedError, match=RECORDING_ID):
        next_step(row)


@holding(recordings())
def test_there_is_always_one_thing_to_do_or_none(row: Recording) -> None:
    try:
        step = next_step(row)
    except StopRequestedError:
        return
    assert step in ("new attempt", "acquire", "start", "done")
    assert row.stop_reason is None


def test_the_first_attempt_takes_the_uid_that_was_wished_for() -> None:
    assert choose_uid(requested(uid="42"), 7, 100, 199) == "42"
    assert choose_uid(requested(), 7, 100, 199) == "107"


def test_our_uids_reach_from_the_first_to_the_last() -> None:
    assert [choose_uid(requested(), chance, 100, 101) for chance in range(3)] == [
        "100",
        "101",
        "100",
    ]


def test_no_uid_is_used_twice() -> None:
    row = requested(uid="42", attempt=attempt(uid="42"))
    assert choose_uid(row, 7, 100, 199) == "107"
    row = requested(past_attempts=[attempt(uid="107")], attempt=attempt(2, uid="108"))
    assert choose_uid(row, 7, 100, 199) == "109"


@holding(st.integers(0, 2**64), st.integers(1, 2**31), st.integers(0, 1000), st.integers(0, 3))
def test_a_uid_is_new_and_of_our_own(randomness: int, low: int, size: int, used: int) -> None:
    high = low + size + used
    past = [attempt(number, uid=str(low + number)) for number in range(used)]
    row = requested(past_attempts=past[:-1], attempt=past[-1] if past else None)
    uid = choose_uid(row, randomness, low, high)
    assert low <= int(uid) <= high
    assert uid not in {each.uid for each in past}


# --- a start that works --------------------------------------------------------------------------


def test_a_start_acquires_and_starts() -> None:
    room = Room(requested(), given(), begun())
    assert room.start() == {
        "attempt": 1,
        "sid": SID,
        "maxDurationSeconds": 14_400,
        "waitSeconds": 5,
        "wasRunning": False,
    }
    assert room.agora.endpoints == ["acquire", "start"]
    assert room.row.status == "starting"
    assert room.row.attempt == attempt(
        uid="107",
        begun_ms=after(10),
        resource_id=RESOURCE_ID,
        acquired_ms=after(10),
        base_url=HOST,
        sid=SID,
        started_ms=after(10),
    )
    assert room.kinds == ["acquired", "attempt", "started"]


def test_both_calls_take_their_slots_together() -> None:
    room = Room(requested(), given(), begun())
    room.start()
    assert room.agora.reserved == 1
    assert [call["slot_ms"] for _, call in room.agora.calls] == [1, 2]


def test_the_session_is_written_to_be_the_recordings() -> None:
    room = Room(requested(), given(), begun())
    room.start()
    session = room.table.row(f"SESSION#{SID}", "SESSION")
    assert (session["recordingId"], session["cname"]) == (RECORDING_ID, CNAME)


def test_both_calls_are_about_the_same_channel_uid_and_storage() -> None:
    room = Room(requested(), given(), begun())
    room.start()
    (_, acquire), (_, start) = room.agora.calls
    assert (acquire["body"]["cname"], acquire["body"]["uid"]) == (CNAME, "107")
    assert (start["body"]["cname"], start["body"]["uid"]) == (CNAME, "107")
    assert start["body"]["clientRequest"]["storageConfig"]["number"] == 1
    assert start["body"]["clientRequest"]["recordingConfig"] == {"channelType": 1}


def test_a_restart_takes_a_new_attempt_and_a_new_uid() -> None:
    room = Room(ended("DIED", attempt=running(uid="107", end="DIED")), given(), begun(OTHER_SID))
    assert room.start()["attempt"] == 2
    assert room.row.attempt
    assert (room.row.attempt.uid, room.row.sid) == ("108", OTHER_SID)
    assert room.row.sids == [SID, OTHER_SID]
    assert room.row.status == "recording"


def test_temporary_credentials_are_remembered_to_be_renewed() -> None:
    room = Room(requested(), given(), begun(), temporary=True)
    room.start()
    assert room.row.storage_token_ms == after(10)
    lasting = Room(requested(), given(), begun())
    lasting.start()
    assert lasting.row.storage_token_ms is None


# --- a start that is repeated --------------------------------------------------------------------


def test_a_repetition_after_the_end_calls_nobody() -> None:
    room = Room(starting())
    assert room.start()["sid"] == SID
    assert room.agora.calls == []
    assert room.row == starting()


def test_a_repetition_makes_good_whose_the_session_is() -> None:
    room = Room(starting())
    room.start()
    assert room.table.row(f"SESSION#{SID}", "SESSION")["recordingId"] == RECORDING_ID


def test_a_repetition_after_the_acquire_starts_the_same_resource() -> None:
    room = Room(WAITING, begun())
    room.start()
    ((_, call),) = room.agora.calls
    assert (call["resource_id"], call["base_url"], call["slot_ms"]) == (RESOURCE_ID, HOST, None)
    assert room.row.sid == SID


def test_an_old_resource_is_not_forgotten_for_a_new_one() -> None:
    """Its session may run: only Agora can tell, and two resources of one uid end in 53."""
    old = requested(status="starting", attempt=acquired(acquired_ms=after(-3600)))
    room = Room(old, begun())
    room.start()
    assert room.agora.endpoints == ["start"]


def test_no_answer_leaves_the_attempt_as_it_is() -> None:
    room = Room(WAITING, silence("start"))
    room.refused(AgoraUnavailableError)
    assert replace(room.row, version=1) == change_attempt(WAITING, unanswered=1)
    assert room.kinds == ["refused"]


def test_a_start_that_three_repetitions_did_not_help_is_followed_by_one_with_a_new_uid() -> None:
    room = Room(WAITING, *[silence("start")] * 4, given(), begun())
    for _ in range(4):
        assert room.row.session_end is None
        room.refused(AgoraUnavailableError)
    assert room.row.session_end == "START_FAILED"
    uid = room.row.attempt.uid if room.row.attempt else ""
    room.start()
    assert room.row.sid
    assert [each.end for each in room.row.attempts] == ["START_FAILED", None]
    assert room.row.attempts[1].uid != uid


@pytest.mark.parametrize(
    "answer",
    [
        reply("start", 500, code=15, sid=""),
        reply("start", 500),
        reply("start", 206, code=65, reason="again"),
        reply("start", 503, code=62),
        reply("start", 200, resourceId=RESOURCE_ID),
    ],
)
def test_what_may_help_later_is_tried_again_with_the_same_resource(answer: Any) -> None:
    room = Room(requested(), given(), answer, begun())
    room.refused(AgoraUnavailableError)
    room.start()
    assert room.agora.endpoints == ["acquire", "start", "start"]
    assert {call["resource_id"] for _, call in room.agora.calls[1:]} == {RESOURCE_ID}
    assert len(room.row.attempts) == 1


def test_running_already_without_a_sid_waits_for_a_notification() -> None:
    room = Room(WAITING, reply("start", 201, code=7, reason="running"))
    room.refused(SidUnknownError)
    assert replace(room.row, version=1) == WAITING


def test_running_already_with_a_sid_is_as_good_as_a_start() -> None:
    room = Room(WAITING, reply("start", 201, code=7, sid=SID))
    assert room.start()["sid"] == SID


@pytest.mark.parametrize(
    "answer",
    [
        reply("start", 201, code=7, reason="running"),
        reply("start", 400, code=53, reason="the uid is taken"),
        reply("start", 400, code=433),
        reply("start", 400, code=109),
        silence("start"),
    ],
)
def test_a_sid_that_a_notification_brought_meanwhile_is_the_answer(answer: Any) -> None:
    def adopted() -> Any:
        room.add(started(room.row, SID, after(9), number=1))
        return answer

    room = Room(WAITING, adopted)
    assert room.start()["sid"] == SID
    assert room.row.session_end is None
    assert room.row.attempt
    assert room.row.attempt.started_ms == after(9)


def test_a_resource_that_came_after_its_attempt_was_replaced_is_not_started() -> None:
    def replaced() -> Any:
        room.add(begin_attempt(end_session(room.row, "START_FAILED", after(9)), "2", after(9)))
        return given()

    room = Room(requested(), replaced)
    with pytest.raises(WriteConflictError):
        room.start()
    assert room.agora.endpoints == ["acquire"]
    assert next_step(room.row) == "acquire"


def test_a_sid_that_comes_in_the_last_moment_is_not_ended_by_a_refusal() -> None:
    room = Room(WAITING, reply("start", 400, code=109))
    adopted = started(room.row, SID, after(9), number=1)
    room.table.before_write.append(lambda: room.add(replace(adopted, version=2)))
    room.refused(TokenRejectedError)
    assert (room.row.sid, room.row.session_end) == (SID, None)
    assert next_step(room.row) == "done"


def test_the_answer_and_the_notification_say_the_same() -> None:
    def adopted() -> Any:
        room.add(started(room.row, SID, after(9), number=1))
        return begun()

    room = Room(WAITING, adopted)
    assert room.start()["sid"] == SID
    assert room.row.attempt
    assert room.row.attempt.started_ms == after(9)


# --- a start that is refused ---------------------------------------------------------------------


def test_a_uid_that_is_taken_ends_the_attempt() -> None:
    room = Room(requested(), given(), reply("start", 400, code=53, reason="taken"))
    room.refused(UidTakenError)
    assert room.row.session_end == "UID_TAKEN"
    assert room.row.attempt
    # Perhaps it is ours, of an answer that was lost: the resource is kept to stop it with.
    assert room.row.attempt.resource_id == RESOURCE_ID


@pytest.mark.parametrize("code", [433, 1001, 502])
def test_a_resource_that_was_never_started_is_replaced(code: int) -> None:
    room = Room(requested(), given(), reply("start", 400, code=code))
    room.refused(ResourceExpiredError)
    assert room.row.attempt
    assert (room.row.attempt.resource_id, room.row.attempt.end) == (None, None)
    room.agora.then(given("resource-2"), begun())
    room.start()
    assert len(room.row.attempts) == 1


def test_a_resource_that_may_have_been_started_is_kept_with_its_attempt() -> None:
    room = Room(WAITING, reply("start", 400, code=433))
    room.refused(ResourceExpiredError)
    assert room.row.session_end == "START_FAILED"
    room.agora.then(given("resource-2"), begun())
    assert room.start()["attempt"] == 2
    assert [each.resource_id for each in room.row.attempts] == [RESOURCE_ID, "resource-2"]
    assert room.row.attempts[0].uid != room.row.attempts[1].uid


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (reply("start", 400, code=2, reason="bad parameter"), AgoraRefusedError),
        (reply("start", 400, code=109), TokenRejectedError),
        (reply("start", 400, code=110), TokenRejectedError),
        (reply("start", 401), AgoraRefusedError),
    ],
)
def test_a_refusal_for_good_ends_the_recording(answer: Any, kind: type[AgoraError]) -> None:
    room = Room(requested(), given(), answer)
    room.refused(kind)
    assert room.row.session_end == "REFUSED"
    assert room.row.reason
    assert room.row.reason.startswith("Agora start: ")
    with pytest.raises(StopRequestedError):
        room.start()


def test_acquire_can_be_refused_for_good_too() -> None:
    room = Room(requested(), reply("acquire", 400, code=2, reason="bad"))
    room.refused(AgoraRefusedError)
    assert room.row.session_end == "REFUSED"


def test_a_full_service_is_asked_again_in_the_same_attempt() -> None:
    room = Room(requested(), reply("acquire", 400, code=406), given(), begun())
    room.refused(ServiceFullError)
    assert room.kinds == ["attempt", "limited"]
    room.start()
    assert len(room.row.attempts) == 1


def test_too_many_requests_are_not_a_failure_of_the_attempt() -> None:
    room = Room(requested(), reply("acquire", 429), given(), begun())
    room.refused(RateLimitedError)
    assert room.row.session_end is None
    room.start()


def test_without_slots_nothing_is_called() -> None:
    room = Room(requested(), RateLimitedError("booked"))
    room.refused(RateLimitedError)
    assert room.agora.calls == []
    assert next_step(room.row) == "acquire"


def test_an_acquire_without_a_resource_is_repeated() -> None:
    room = Room(requested(), reply("acquire", 200), given(), begun())
    room.refused(AgoraUnavailableError)
    room.start()
    assert room.agora.endpoints == ["acquire", "acquire", "start"]


def test_a_session_that_a_notification_told_of_is_confirmed_by_agora() -> None:
    asked = replace(WAITING, candidates=[Candidate(sid=SID, number=1, heard_ms=after(9))])
    runs = reply("query", sid=SID, serverResponse={"status": 5})
    room = Room(asked, reply("start", 201, code=7, reason="running"), runs)
    assert room.start()["sid"] == SID
    assert room.agora.endpoints == ["start", "query"]
    stranger = Room(
        asked, reply("start", 201, code=7, reason="running"), reply("query", 400, code=1003)
    )
    stranger.refused(SidUnknownError)
    assert stranger.row.sid is None


def test_what_the_start_answers_beats_what_a_notification_told_of() -> None:
    asked = replace(WAITING, candidates=[Candidate(sid=SID, number=1, heard_ms=after(9))])
    room = Room(asked, begun(OTHER_SID))
    assert room.start()["sid"] == OTHER_SID
    assert room.agora.endpoints == ["start"]
    assert room.row.candidates == []


@pytest.mark.parametrize(
    ("row", "answers", "is_known"),
    [
        (requested(), [given(), reply("start", 400, code=53)], True),
        (requested(), [given(), reply("start", 400, code=109)], True),
        (requested(), [given(), reply("start", 400)], True),
        (requested(), [given(), reply("start", 400), reply("start", 400)], True),
        (requested(), [given(), reply("start", 400), silence("start")], False),
        (requested(), [given(), silence("start"), reply("start", 400, code=53)], False),
        (requested(), [given(), reply("start", 500)], False),
        (WAITING, [reply("start", 400, code=53)], False),  # a start may have been sent before
    ],
)
def test_it_is_known_whether_every_start_of_an_attempt_was_refused(
    row: Recording, answers: list[Any], is_known: bool
) -> None:
    room = Room(row, *answers)
    while room.agora.answers:
        with pytest.raises(AgoraError):
            room.start()
    assert room.row.attempt
    assert room.row.attempt.never_started is is_known


# --- a start that is stopped ---------------------------------------------------------------------


def test_a_stop_before_the_start_prevents_it() -> None:
    room = Room(requested(stop_reason="STOP_REQUESTED"))
    with pytest.raises(StopRequestedError):
        room.start()
    assert room.agora.calls == []


def test_a_stop_in_the_last_moment_before_the_attempt_prevents_it() -> None:
    room = Room(requested())
    row = ask_to_stop(requested(version=2), "STOP_REQUESTED", after(9))
    room.table.before_write.append(lambda: room.add(row))
    with pytest.raises(StopRequestedError):
        room.start()
    assert room.agora.calls == []
    assert room.row == row


def test_a_stop_during_the_start_does_not_make_it_forget_the_session() -> None:
    def stopped_meanwhile() -> Any:
        row = room.row
        room.add(ask_to_stop(row, "STOP_REQUESTED", after(9)))
        return begun()

    room = Room(requested(), given(), stopped_meanwhile)
    room.start()
    assert (room.row.sid, room.row.stop_reason) == (SID, "STOP_REQUESTED")
    with pytest.raises(StopRequestedError):
        room.start()


# --- projects with an App Certificate ------------------------------------------------------------

APP_ID, CERTIFICATE = "0123456789abcdef" * 2, "fedcba9876543210" * 2


class CertifiedRoom(Room):
    """The room of a project with an App Certificate."""

    def __init__(self, row: Recording, *answers: Any) -> None:
        super().__init__(row, *answers, agora_app_id=APP_ID)
        keys = {"customerId": "id", "customerSecret": "hush", "appCertificate": CERTIFICATE}
        self.secrets.versions["agora"] = [json.dumps(keys)]

    def token(self) -> object:
        """Return the token that the last start was sent with."""
        endpoint, call = self.agora.calls[-1]
        assert endpoint == "start"
        return call["body"]["clientRequest"].get("token")

    def opens(self, uid: str) -> bool:
        """Tell whether that token lets this uid into the recording's channel."""
        try:
            check_token(
                self.token(),
                app_id=APP_ID,
                certificate=CERTIFICATE,
                channel=CNAME,
                uid=uid,
                now_ms=self.clock(),
            )
        except RefusalError:
            return False
        return True


@pytest.mark.parametrize("mode", ["mix", "individual", "raw"])
def test_a_start_without_a_token_gets_one_for_its_own_uid(mode: Any) -> None:
    room = CertifiedRoom(requested(mode=mode), given(), begun(SID))
    room.start()
    assert room.row.attempt
    assert room.opens(room.row.attempt.uid)
    assert not room.opens("4300")
    assert room.row.attempt.token_until_ms == (room.clock() // 1000 + 86_400) * 1000
    assert public(room.row)["attempts"][0]["tokenUntil"] == iso(room.row.attempt.token_until_ms)


def test_each_attempt_gets_a_token_of_its_own() -> None:
    room = CertifiedRoom(ended("DIED"), given("resource-2"), begun(OTHER_SID))
    room.start()
    assert room.row.attempt
    assert room.opens(room.row.attempt.uid)
    assert not room.opens(ended("DIED").attempts[0].uid)


def test_a_page_recorder_gets_no_token() -> None:
    room = CertifiedRoom(requested(mode="web"), given(), begun(SID))
    room.start()
    assert room.token() is None
    assert room.row.attempt
    assert room.row.attempt.token_until_ms is None


def test_a_token_of_the_caller_is_kept() -> None:
    room = CertifiedRoom(
        requested(client_request={"recordingConfig": {}, "token": "the caller's"}),
        given(),
        begun(SID),
    )
    room.start()
    assert room.token() == "the caller's"
    assert room.row.attempt
    assert room.row.attempt.token_until_ms is None


def test_acquire_gets_the_same_token_as_start() -> None:
    request: Any = {"recordingConfig": {}, "startParameter": {"recordingConfig": {}}}
    room = CertifiedRoom(requested(client_request=request), given(), begun(SID))
    room.start()
    sent = room.agora.calls[0][1]["body"]["clientRequest"]["startParameter"]
    assert sent["token"] == room.token()


def test_a_repeated_start_keeps_the_end_of_the_first_token() -> None:
    row = replace(WAITING, attempt=acquired(token_until_ms=after(86_401)))
    room = CertifiedRoom(row, begun(SID))
    room.start()
    assert room.row.attempt
    assert room.row.attempt.token_until_ms == after(86_401)
    assert room.opens(room.row.attempt.uid)


def test_no_row_and_no_note_holds_a_token_or_the_certificate() -> None:
    room = CertifiedRoom(requested(), given(), begun(SID))
    room.start()
    token = room.token()
    kept = repr(room.table.items)
    assert isinstance(token, str)
    assert token not in kept
    assert CERTIFICATE not in kept


def test_a_wrong_certificate_is_told_before_agora_is_asked() -> None:
    room = CertifiedRoom(requested())
    keys = {"customerId": "id", "customerSecret": "hush", "appCertificate": "wrong"}
    room.secrets.versions["agora"] = [json.dumps(keys)]
    with pytest.raises(SecretUnavailableError, match="appCertificate"):
        room.start()
    assert room.agora.calls == []
