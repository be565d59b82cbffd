"""The app that uses the stack, its users and its operator: they do what the story says."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from agora_recording.clock import from_iso, iso
from agora_recording.errors import RecordingNotFoundError
from agora_recording.recording.model import RANK, Recording
from functions.create_recording import app as create_recording
from functions.delete_auto_record_rule import app as delete_auto_record_rule
from functions.delete_recording import app as delete_recording
from functions.get_recordings import app as get_recordings
from functions.manage_links import app as manage_links
from functions.put_auto_record_rule import app as put_auto_record_rule
from functions.update_recording import app as update_recording
from simulation.lessons import RULE, rule_of
from simulation.processes import Dead
from simulation.story import Act, Deed
from simulation.viewers import Shown
from tests.world.api import Context, request
from tests.world.clients import BODIES
from tests.world.webhook import NOW_MS

if TYPE_CHECKING:
    from simulation.stack import Stack

OF_MODE = {
    "mix": BODIES["Go, mix"][1],
    "individual": BODIES["Go, individual"][1],
    "raw": {**BODIES["Go, individual"][1]},
    "web": BODIES["Python, web"][1],
}
TOKEN = "an-rtc-token-that-nobody-may-see"
LONGEST_S = 600_000  # how long a link is valid that says nothing of it: longer than a story
_AGAIN_S = 4
_TRIES = 60
Answer = dict[str, Any]


class People:
    """Who calls the API, and repeats a call that was not answered.

    Recordings are known by their numbers. `accepted` are their ids; `stopped` those whose stop was
    accepted; `links` those that were made; `revoking` and `revoked` when a link's end was asked for
    and accepted, `deleting` when a recording's was (ms); `subscribed` whom the last accepted update
    subscribed to.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.accepted: dict[int, str] = {}
        self.stopped: set[int] = set()
        self.was_over: dict[int, bool] = {}
        self.links: dict[int, list[Shown]] = {}
        self.revoking: dict[str, int] = {}  # by linkId
        self.revoked: dict[str, int] = {}
        self.deleting: dict[str, int] = {}  # by recordingId
        self.subscribed: dict[int, list[str]] = {}
        self.seen: dict[int, str] = {}  # the last status that an answer showed
        self.contradictions: list[str] = []

    def do(self, act: Act) -> None:
        """Do what an act says."""
        self._deed(act)(act, _TRIES)

    def _deed(self, act: Act) -> Callable[[Act, int], None]:
        deeds: dict[Deed, Callable[[Act, int], None]] = {
            "create": self._create,
            "stop": self._stop,
            "update": self._update,
            "link": self._link,
            "revoke": self._revoke,
            "watch": self._watch,
            "delete": self._delete,
            "leave": self._leave,
            "join": self._join,
            "part": self._part,
            "rule": self._rule,
            "no rule": self._no_rule,
            "kill execution": self._kill_execution,
            "deploy": self._deploy,
            "forbid host": self._forbid_host,
            "no sweeps": self._no_sweeps,
            "stuck queue": self._stuck_queue,
        }
        return deeds[act.deed]

    # --- calls ---

    def _call(
        self,
        act: Act,
        left: int,
        room: Callable[[dict[str, Any]], Answer],
        taken: Callable[[Answer], bool],
        *,
        function: str,
        **event: Any,
    ) -> None:
        """Call the API; where `taken` says that the answer is none, do it all again later."""
        stack = self._stack

        def answered(result: Any) -> None:
            is_taken = False
            if isinstance(result, dict):
                stack.contract.answered(act.deed, result)
                is_taken = taken(result)
            elif not isinstance(result, Dead):
                stack.contract.fails("an_answer_is_an_answer", f"{act.deed}: {result!r}")
            if not is_taken and left:
                stack.later(
                    _AGAIN_S if left > 30 else 20 * _AGAIN_S, self._deed(act), act, left - 1
                )

        name = f"{act.deed} r{act.recording}"
        stack.run(name, function, partial(room, request(**event)), answered)

    def _id(self, act: Act, left: int) -> str | None:
        """Return the id of an act's recording; where it is not accepted yet, try again later."""
        found = self.accepted.get(act.recording)
        if found is None and left:
            self._stack.later(2, self._deed(act), act, left - 1)
        return found

    def _create(self, act: Act, left: int) -> None:
        stack, number = self._stack, act.recording
        fields = dict(OF_MODE[act.mode])
        if act.mode != "web" and not stack.story.token_s:
            fields["token"] = TOKEN
        body: dict[str, Any] = {
            "cname": f"room-{number}",
            "mode": act.mode,
            "clientRequest": fields,
            "maxDurationSeconds": act.seconds,
            "tags": {"n": f"r{number}"},
        }
        # A repeated request is the same to the byte.
        first = next(
            each for each in stack.story.acts if (each.deed, each.recording) == ("create", number)
        )
        begins_ms = NOW_MS + round((first.at_s + first.lead_s) * 1000)
        if first.lead_s:
            body["startAt"] = iso(begins_ms)
        if first.stop_s:
            body["stopAt"] = iso(begins_ms + first.stop_s * 1000)
        if first.url:
            body["callbackUrl"] = first.url

        def taken(answer: Answer) -> bool:
            if answer["statusCode"] == 400 and not stack.allows(first.url):
                return True
            if answer["statusCode"] != 202:
                if answer["statusCode"] < 500 and answer["statusCode"] != 409:
                    self.contradictions.append(f"r{number} was refused: {answer['body']}")
                return False
            recording_id = json.loads(answer["body"])["recordingId"]
            if self.accepted.setdefault(number, recording_id) != recording_id:
                self.contradictions.append(f"one key made two recordings of r{number}")
            return True

        self._call(
            act,
            left,
            lambda event: create_recording.lambda_handler(
                event, Context(), creator=stack.parts.creator
            ),
            taken,
            function="CreateRecordingFunction",
            body=body,
            resource="/recordings",
            method="POST",
            recording_id=None,
            headers={"Idempotency-Key": f"key-{number}"},
        )

    def _stop(self, act: Act, left: int) -> None:
        recording_id = self._id(act, left)
        if recording_id is None:
            return
        stack, number = self._stack, act.recording

        def stopped(result: Any) -> None:
            if isinstance(result, Recording):
                self.stopped.add(number)
                self.was_over[number] = result.is_terminal
            elif not isinstance(result, RecordingNotFoundError) and left:
                stack.later(_AGAIN_S, self._stop, act, left - 1)

        stack.run(
            f"stop r{number}",
            "RequestStopFunction",
            lambda: stack.parts.timekeeper.stop(recording_id),
            stopped,
        )

    def _update(self, act: Act, left: int) -> None:
        recording_id = self._id(act, left)
        row = self._stack.contract.rows.get(recording_id or "")
        if recording_id is None or row is None or row.mode == "web":
            return
        uids = [f"{act.recording}{self._stack.clock.now_ms % 1000}"]

        def taken(answer: Answer) -> bool:
            if answer["statusCode"] == 200:
                self.subscribed[act.recording] = uids
            elif answer["statusCode"] >= 500:
                self.subscribed.pop(act.recording, None)  # either may be true now
            return answer["statusCode"] in (200, 404, 409)

        self._call(
            act,
            min(left, 5),
            lambda event: update_recording.lambda_handler(
                event, Context(), updater=self._stack.parts.updater
            ),
            taken,
            function="UpdateRecordingFunction",
            body={"streamSubscribe": {"audioUidList": {"subscribeAudioUids": uids}}},
            method="PATCH",
            recording_id=recording_id,
        )

    def _link(self, act: Act, left: int) -> None:
        recording_id = self._id(act, left)
        if recording_id is None:
            return

        def taken(answer: Answer) -> bool:
            if answer["statusCode"] == 201:
                body = json.loads(answer["body"])
                token = body["url"].rsplit("/", 2)[1]
                until_ms = from_iso(body["expiresAt"])
                link = Shown(act.recording, recording_id, body["linkId"], token, until_ms)
                self.links.setdefault(act.recording, []).append(link)
            return answer["statusCode"] in (201, 404, 409)

        self._call(
            act,
            min(left, 5),
            self._links,
            taken,
            function="ManageLinksFunction",
            body={"expiresInSeconds": act.seconds or LONGEST_S},
            resource="/recordings/{recordingId}/links",
            method="POST",
            recording_id=recording_id,
        )

    def _revoke(self, act: Act, left: int) -> None:
        recording_id = self._id(act, left)
        made = self.links.get(act.recording)
        if recording_id is None or not made:
            return
        link_id = made[0].link_id
        self.revoking.setdefault(link_id, self._stack.clock.now_ms)

        def taken(answer: Answer) -> bool:
            is_taken = answer["statusCode"] in (204, 404)
            if is_taken:
                self.revoked.setdefault(link_id, self._stack.clock.now_ms)
            return is_taken

        self._call(
            act,
            left,
            self._links,
            taken,
            function="ManageLinksFunction",
            resource="/recordings/{recordingId}/links/{linkId}",
            method="DELETE",
            recording_id=recording_id,
            parameters={"linkId": link_id},
        )

    def _watch(self, act: Act, _: int) -> None:
        """Let somebody who has a link of the recording, the first or the last, open it."""
        made = self.links.get(act.recording)
        if made:
            self._stack.viewers.watch(made[-act.seconds])

    def _links(self, event: dict[str, Any]) -> Answer:
        links = self._stack.parts.links
        return manage_links.lambda_handler(event, Context(), links=links, playback_url="")

    def _delete(self, act: Act, left: int) -> None:
        recording_id = self._id(act, left)
        if recording_id is None:
            return
        self.deleting.setdefault(recording_id, self._stack.clock.now_ms)

        def taken(answer: Answer) -> bool:
            status = answer["statusCode"]
            if status in (204, 404):
                self._stack.deleted(recording_id)
            return status in (204, 404)

        self._call(
            act,
            left,
            lambda event: delete_recording.lambda_handler(
                event, Context(), deleter=self._stack.parts.deleter
            ),
            taken,
            function="DeleteRecordingFunction",
            method="DELETE",
            recording_id=recording_id,
        )

    def look(self, number: int) -> None:
        """Read a recording: what an answer shows must never go back."""
        recording_id = self.accepted.get(number)
        if recording_id is None:
            return
        act = Act(0, "create", number)

        def taken(answer: Answer) -> bool:
            if answer["statusCode"] == 200:
                status = json.loads(answer["body"])["status"]
                before = self.seen.get(number, status)
                if RANK[status] < RANK[before]:
                    self.contradictions.append(f"r{number} was {before}, and then {status}")
                self.seen[number] = status
            return True

        self._call(
            act,
            0,
            lambda event: get_recordings.lambda_handler(
                event, Context(), lister=self._stack.parts.lister
            ),
            taken,
            function="GetRecordingsFunction",
            recording_id=recording_id,
        )

    def _rule(self, act: Act, left: int) -> None:
        """Let an operator put the rule that records channels."""
        self._change_rule(
            act,
            left,
            act.seconds,
            lambda event: put_auto_record_rule.lambda_handler(
                event, Context(), rules=self._stack.parts.rules
            ),
            function="PutAutoRecordRuleFunction",
            method="PUT",
            body=rule_of(act.seconds),
        )

    def _no_rule(self, act: Act, left: int) -> None:
        """Let an operator delete it."""
        self._change_rule(
            act,
            left,
            0,
            lambda event: delete_auto_record_rule.lambda_handler(
                event, Context(), store=self._stack.parts.rule_store
            ),
            function="DeleteAutoRecordRuleFunction",
            method="DELETE",
        )

    def _change_rule(
        self,
        act: Act,
        left: int,
        places: int,
        room: Callable[[dict[str, Any]], Answer],
        **event: Any,
    ) -> None:
        self._stack.lessons.change(act, places)
        self._call(
            act,
            left,
            room,
            partial(self._ruled, act),
            resource="/auto-record/{name}",
            recording_id=None,
            parameters={"name": RULE},
            **event,
        )

    def _ruled(self, act: Act, answer: Answer) -> bool:
        is_taken = answer["statusCode"] in (200, 204, 404)
        if is_taken:
            self._stack.lessons.changed(act)
        return is_taken

    # --- what others do ---

    def _leave(self, act: Act, _: int) -> None:
        self._stack.agora.leave(f"room-{act.recording}")

    def _join(self, act: Act, _: int) -> None:
        self._stack.lessons.join(channel(act), act.seconds)

    def _part(self, act: Act, _: int) -> None:
        self._stack.lessons.part(channel(act), act.seconds)

    def _kill_execution(self, act: Act, _: int) -> None:
        recording_id = self.accepted.get(act.recording)
        for execution in self._stack.machine.open:
            if recording_id and execution.name.startswith(recording_id):
                self._stack.machine.kill(execution.name)

    def _deploy(self, _: Act, __: int) -> None:
        self._stack.deploy()

    def _forbid_host(self, _: Act, __: int) -> None:
        self._stack.forbid_hosts()

    def _no_sweeps(self, act: Act, _: int) -> None:
        self._stack.no_sweeps_until_ms = self._stack.clock.now_ms + act.seconds * 1000

    def _stuck_queue(self, act: Act, _: int) -> None:
        self._stack.stuck_until_ms = self._stack.clock.now_ms + act.seconds * 1000


def channel(act: Act) -> str:
    """Return the channel of an act, which a rule names."""
    return f"lesson-{act.recording}"
