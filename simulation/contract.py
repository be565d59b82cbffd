"""The contract: what holds in every life, whatever goes wrong.

Each promise is one function, whose first line says it. Those of `AT_EVERY_STEP` are held after each
thing that happens; those of `WHEN_A_ROW_IS_WRITTEN` at each write; those of
`WHEN_A_VIEWER_IS_ANSWERED` and `WHEN_THE_APP_IS_CALLED` then; those of `IN_TIME` some hours after
the last thing that went wrong; those of `AT_THE_END` when late files and deletions have had their
days.
"""

from __future__ import annotations

import base64
import hmac
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from functools import reduce
from typing import TYPE_CHECKING, Any

from agora_recording.aws.dynamodb import from_item
from agora_recording.callbacks.message import TRIES
from agora_recording.notifications import effects, events
from agora_recording.notifications.facts import SessionFacts
from agora_recording.recording.model import RANK, TERMINAL, Attempt, Recording
from tests.world.app import CALLBACK_SECRET

if TYPE_CHECKING:
    from simulation.lessons import Visit
    from simulation.receiver import Call
    from simulation.stack import Stack
    from simulation.viewers import Shown, View
    from tests.world.live_agora import AgoraSession

Broken = Iterable[str]
"""What is not as it should be: a sentence each."""

MOST_CALLS_A_SECOND = 10  # Agora: quotas
SHORT_MS = 15_000  # a recording that is stopped sooner may have nothing
REMEMBERED_MS = 15_000  # so long after a link's end what was opened before may still open
LOOKED_MS = 60_000  # so long what a bucket held may be remembered
BEGINS_MS = 300_000  # so long it may take until a channel's recording is wanted
ENDS_MS = 1_800_000  # and so long until one of an empty channel is to end
SIGNED_S = 60  # so old a signature may be when its call comes
ENDS = frozenset({"Recording Completed", "Recording Incomplete", "Recording Failed"})
# What stays when a recording is deleted: its Idempotency-Key, and that its sessions were deleted.
REMAINS = ("IDEM#", "SESSION#")


# --- at every step ------------------------------------------------------------------------------


def every_session_that_agora_bills_has_a_row(stack: Stack) -> Broken:
    """A row names every session that runs: its resourceId and its uid."""
    for session in stack.agora.running:
        if attempt_of(stack, session) is None:
            yield f"session {session.sid} runs, and no row names it"


def one_session_a_recording(stack: Stack) -> Broken:
    """A recording has one session, but for those that the row itself wants to end.

    These are its predecessor in a hand-over, and what it has given up.
    """
    running: dict[str, list[AgoraSession]] = defaultdict(list)
    for session in stack.agora.running:
        running[session.prefix].append(session)
    for prefix, sessions in running.items():
        row = stack.contract.rows.get(stack.id_of(prefix))
        if row is None or len(sessions) < 2:
            continue
        current = row.attempt
        for session in sessions:
            found = attempt_of(stack, session)
            if found is None or found is current:
                continue
            if found.end is None and found is not row.predecessor:
                yield f"session {session.sid} of attempt {found.number} runs beside another"


def what_is_over_is_over(stack: Stack) -> Broken:
    """A session that a row calls over does not run."""
    for session in stack.agora.running:
        found = attempt_of(stack, session)
        if found and found.sid == session.sid and found.ended_ms and found.end != "STOP_REFUSED":
            yield f"session {session.sid} runs, and its row says that it is over: {found.end}"


def agora_is_not_called_too_often(stack: Stack) -> Broken:
    """No more than ten calls come to Agora in a second, wherever it begins."""
    latest = stack.wire.arrivals[-1 - MOST_CALLS_A_SECOND :]
    if len(latest) > MOST_CALLS_A_SECOND and latest[-1] - latest[0] < 1000:
        yield f"{len(latest)} calls came within a second"


def every_call_has_a_slot(stack: Stack) -> Broken:
    """No call leaves without a slot of the limiter: also no repetition, nor to another host."""
    if stack.wire.sent > stack.contract.slots:
        yield f"{stack.wire.sent} calls were sent with {stack.contract.slots} slots"


def a_room_does_what_its_role_allows(stack: Stack) -> Broken:
    """No room calls AWS for what the template gives it no right to."""
    for function, operation in sorted(stack.weather.forbidden):
        yield f"{function} has no right to {operation}"


# --- when a row is written ----------------------------------------------------------------------


def a_status_only_goes_forward(_: Stack, before: Recording, after: Recording) -> Broken:
    """A status never goes back."""
    if RANK[after.status] < RANK[before.status]:
        yield f"{before.status} went back to {after.status}"


def why_it_ends_stays(_: Stack, before: Recording, after: Recording) -> Broken:
    """The reason to stop, and the end that was announced, are never taken back."""
    if before.stop_reason and after.stop_reason != before.stop_reason:
        yield f"the stop reason {before.stop_reason} became {after.stop_reason}"
    if before.end_reason and after.end_reason != before.end_reason:
        yield f"the end reason {before.end_reason} became {after.end_reason}"


def no_session_is_forgotten(_: Stack, before: Recording, after: Recording) -> Broken:
    """A sid that a row once had, it keeps."""
    lost = set(before.sids) - set(after.sids)
    if lost:
        yield f"the sids {sorted(lost)} are gone"


def no_session_has_two_owners(stack: Stack, _: Recording, after: Recording) -> Broken:
    """A session belongs to the recording whose resourceId it was started with, to no other."""
    for sid in after.sids:
        session = stack.agora.sessions.get(sid)
        if session and stack.id_of(session.prefix) != after.recording_id:
            yield f"{after.recording_id} took session {sid} of {stack.id_of(session.prefix)}"


def completed_means_that_all_is_there(stack: Stack, before: Recording, after: Recording) -> Broken:
    """When a row says completed, every file of its sessions is in the bucket, and a manifest."""
    if after.status != "completed" or before.status == "completed":
        return
    for sid in after.sids:
        missing = [
            key for key in stack.agora.promised.get(sid, ()) if key not in stack.bucket.objects
        ]
        if missing:
            yield f"completed without {len(missing)} files, the first is {missing[0]}"
    if after.upload.manifest not in stack.bucket.objects:
        yield "completed without a manifest"


def the_end_is_announced_before_it_is_written(
    stack: Stack, before: Recording, after: Recording
) -> Broken:
    """When a row says how it ended, the event has been sent."""
    if after.status in TERMINAL and after.status != before.status:
        told = [detail["recording"] for kind, detail in stack.bus.events if kind in ENDS]
        if (after.recording_id, after.status) not in {
            (each["recordingId"], each["status"]) for each in told
        }:
            yield f"{after.status} was not announced"


def a_channel_has_one_recording(stack: Stack, _: Recording, after: Recording) -> Broken:
    """A channel that a rule records has one recording at a time that nobody wants to end."""
    if after.auto_record and goes_on(after):
        others = [
            row
            for row in stack.contract.rows.values()
            if row.cname == after.cname and row.auto_record and goes_on(row)
        ]
        if len(others) > 1:
            yield f"{after.cname} has {len(others)} recordings at the same time"


def a_rule_records_no_more_than_it_may(stack: Stack, _: Recording, after: Recording) -> Broken:
    """No more recordings of a rule go on at once than it allowed when the last of them began."""
    if after.auto_record and goes_on(after):
        rows = stack.contract.rows.values()
        begun_ms = [row.created_ms for row in rows if row.auto_record and goes_on(row)]
        # A place is taken before the recording is made: if that fails, some minutes.
        most = max(stack.lessons.places(max(begun_ms) - 2 * BEGINS_MS, max(begun_ms)))
        if len(begun_ms) > most:
            yield f"{len(begun_ms)} channels are recorded, and {most} may be"


# --- when a viewer is answered -----------------------------------------------------------------


def a_link_that_is_over_opens_nothing(stack: Stack, view: View) -> Broken:
    """Some seconds after it was revoked or its recording deleted, and once it has expired, a link
    opens nothing.
    """
    link, people = view.link, stack.people
    ends = {
        "revoked": people.revoked.get(link.link_id),
        "deleted": stack.deleted_ms(link.recording_id),
        "expired": link.until_ms + stack.story.apart_ms * 2 - REMEMBERED_MS,
    }
    for reason, ended_ms in ends.items():
        is_over = ended_ms is not None and view.begun_ms > ended_ms + REMEMBERED_MS
        if is_over and view.status < 400:
            yield f"a link of r{link.number} is {reason}, and opens {view.name}"


def a_link_that_is_open_plays(stack: Stack, view: View) -> Broken:
    """A link that is open plays, if there is something to play; what it plays is in the bucket.

    Of a recording that was completed with one session some seconds ago, it plays every slice.
    """
    link = view.link
    if view.ended_ms >= open_until_ms(stack, link):
        return
    row = stack.contract.rows[link.recording_id]
    if view.key and view.key not in stack.bucket.objects:
        yield f"a link of r{link.number} leads to {view.key}, which is not there"
    if view.name.endswith(".m3u8") and view.status != 200:
        before_ms = view.begun_ms - LOOKED_MS
        count = sum(len(played(stack, sid, before_ms)) for sid in row.sids)
        if count and row.is_terminal and not row.awaits_late_files:
            yield f"a link of r{link.number} answers {view.status}, and {count} slices are there"
    elif view.status != 302 and not view.name.endswith(".m3u8"):
        yield f"a link of r{link.number} answers {view.status} to {view.name}, which it names"
    elif view.status == 200 and is_known_to_be_complete(stack, view) and not view.is_master:
        recorded = [sid for sid in row.sids if stack.agora.promised.get(sid)]
        if len(recorded) == 1:
            there = played(stack, recorded[0], view.begun_ms)
            if len(there) != len(view.named):
                yield f"a link of r{link.number} plays {len(view.named)} of {len(there)} slices"


def is_known_to_be_complete(stack: Stack, view: View) -> bool:
    """Tell whether a recording was completed before a viewer's process can remember it."""
    completed_ms = stack.contract.completed_ms.get(view.link.recording_id, math.inf)
    return completed_ms + REMEMBERED_MS < view.begun_ms


# --- when the app is called ---------------------------------------------------------------------


def every_call_is_signed(_: Stack, call: Call) -> Broken:
    """Each call has a signature over its id, a time of now and its body (Standard Webhooks)."""
    at_s = int(call.headers["webhook-timestamp"])
    if abs(call.at_ms / 1000 - at_s) > SIGNED_S:
        yield f"the call {call.id} was signed {call.at_ms / 1000 - at_s:.0f} s before it came"
    signed = f"{call.id}.{at_s}.".encode() + call.body
    wanted = hmac.digest(base64.b64decode(CALLBACK_SECRET), signed, "sha256")
    if call.headers["webhook-signature"] != f"v1,{base64.b64encode(wanted).decode()}":
        yield f"the call {call.id} has another signature"


def a_call_goes_only_where_it_may(stack: Stack, call: Call) -> Broken:
    """No call goes to a host that is not allowed, nor to an address that wants no more calls."""
    if not stack.allows(f"https://{call.place.host}", call.begun_ms):
        yield f"{call.place.host} is called, which is not allowed"
    if stack.off_ms is not None and call.begun_ms > stack.off_ms:
        yield f"{call.place.host} is called, and wanted no more calls"


def a_call_tells_what_is_written(stack: Stack, call: Call) -> Broken:
    """A message tells what the row says already, always in the same words; nothing of a recording
    that was deleted.
    """
    recording_id, status = call.told["recordingId"], call.told["status"]
    row = stack.contract.rows.get(recording_id)
    deleted_ms = stack.deleted_ms(recording_id)
    if row and RANK[status] > RANK[row.status]:
        yield f"{status} was told of {stack.name(row)}, which is {row.status}"
    if deleted_ms is not None and call.begun_ms > deleted_ms:
        yield f"{call.id} was told of a recording that is deleted"
    if stack.receiver.bodies.setdefault(call.id, call.body) != call.body:
        yield f"{call.id} was told in other words"


# --- in time ------------------------------------------------------------------------------------


def every_recording_ends(stack: Stack) -> Broken:
    """Every row is over, and no execution, token or process is left."""
    for row in stack.contract.rows.values():
        if row.status not in TERMINAL:
            yield f"{stack.name(row)} is still {row.status}"
    for execution in stack.machine.open:
        yield f"execution {execution.name} still runs, in {execution.state}"
    if stack.machine.tokens:
        yield "a task token is still open"


def nothing_runs_at_agora(stack: Stack) -> Broken:
    """No session runs that is known: a start answered with its sid, or a notification came that
    names the uid of its start. After a move to another server, its notifications name another.
    """
    for session in stack.agora.running:
        found = attempt_of(stack, session)
        if session.sid in stack.agora.heard or (found and found.sid == session.sid):
            yield f"session {stack.agora.labels[session.sid]} still runs"


def no_session_waits_to_be_stopped(stack: Stack) -> Broken:
    """No row has a session that was given up and is not known to be over."""
    for row in stack.contract.rows.values():
        if row.orphans:
            yield f"{stack.name(row)} still has sessions to stop"


# --- at the end ---------------------------------------------------------------------------------


def every_end_is_told_with_one_id(stack: Stack) -> Broken:
    """Each recording that ended was announced at least once, and always with the same id.

    Except that an incomplete one may be announced again as completed.
    """
    told: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for kind, detail in stack.bus.events:
        if kind in ENDS:
            told[detail["recording"]["recordingId"]].add((kind, detail["id"]))
    for recording_id in stack.contract.ever:
        kinds = Counter(kind for kind, _ in told[recording_id])
        if not kinds:
            yield f"the end of {recording_id} was never told"
        if any(count > 1 for count in kinds.values()):
            yield f"the end of {recording_id} was told with several ids"


def failed_means_that_there_is_nothing(stack: Stack) -> Broken:
    """Of a recording that failed, no slice is in the bucket.

    Except of one whose deletion was accepted: its files are not looked at any more.
    """
    for row in stack.contract.rows.values():
        if row.status != "failed" or row.deleting_ms is not None:
            continue
        slices = [
            key
            for key in stack.bucket.objects
            if key.startswith(row.prefix) and key.endswith((".ts", ".webm"))
        ]
        if slices:
            yield f"{stack.name(row)} failed, and there is {slices[0]}"


def the_app_is_told_of_every_end(stack: Stack) -> Broken:
    """Who asked to be called was told how a recording ended, and no message waits any more.

    Except where the server was away for all the tries, wanted no more calls, or may not be called;
    and of a recording whose deletion was accepted, also if the app did not ask until it was done.
    """
    receiver = stack.receiver
    for row in stack.contract.rows.values():
        if row.deleting_ms is not None:
            continue
        waiting = [
            each for each in stack.parts.calls.of(row.recording_id) if each.state == "waiting"
        ]
        if waiting:
            yield f"{waiting[0].message_id} still waits after {waiting[0].tries} tries"
        wants_calls = row.callback_url and stack.allows(row.callback_url)
        end = f"{row.recording_id}-{row.status}"
        if not wants_calls or receiver.has_gone or end in receiver.taken:
            continue
        tries = [each.tries for each in stack.parts.calls.of(row.recording_id)]
        if max(tries, default=0) < TRIES:
            yield f"the app never took that {stack.name(row)} is {row.status}"


def every_accepted_event_counts_once(stack: Stack) -> Broken:
    """What is known of a session is what its accepted notifications say, each once."""
    stored: dict[str, list[events.Event]] = defaultdict(list)
    for (partition, sort), item in stack.table.items.items():
        if partition.startswith("SID#") and sort.startswith("EVT#"):
            stored[partition.removeprefix("SID#")].append(events.from_stored(from_item(item)))
    for sid, news in stored.items():
        row = stack.session_row(sid)
        if row is None or row.deleted_ms:
            continue
        wanted = reduce(effects.merge, news, SessionFacts())
        if row.facts != wanted:
            yield f"the facts of session {sid} are not those of its {len(news)} notifications"
    for key in stack.contract.accepted:
        if key not in stack.table.items and not stack.is_deleted_session(key[0]):
            yield f"the notification {key} was answered with 200, and is not there"


def deleted_means_that_nothing_is_left(stack: Stack) -> Broken:
    """Of a deleted recording there is no file, no row, no link, no claim.

    What Agora sends afterwards is stored as any notification is, and expires by itself.
    """
    for recording_id, sids in stack.contract.deleted.items():
        for key in stack.bucket.objects:
            if f"recordings/{recording_id}/" in key and not stack.came_after_deletion(key):
                yield f"{key} is still there"
        for (partition, sort), item in stack.table.items.items():
            if partition.startswith(REMAINS) and not _has_facts(partition, item):
                continue
            if sort.startswith("EVT#") and "expiresAt" in item and stack.came_later(item):
                continue
            names = {partition.partition("#")[2], sort}
            if recording_id in str((partition, sort, item)) or names & set(sids):
                yield f"row {partition} / {sort} is still there"


def who_is_in_a_channel_is_recorded(stack: Stack) -> Broken:
    """While somebody is in a channel that a rule names, a recording of it is wanted: some minutes
    after the first notification of them was taken.

    Except where an earlier recording of the channel ended for another reason than that nobody was
    there: then the channel must be empty once. While no sweeper comes, or its sweeps fail, an end
    may be unknown. And except while the rule is off, or has no place.
    """
    for cname, visits in stack.lessons.visits.items():
        rows = [row for row in stack.contract.rows.values() if row.cname == cname]
        for visit in visits:
            ended_ms = visit.ended_ms or stack.clock.now_ms
            if visit.heard_ms is None:
                continue
            if ended_ms < max(visit.heard_ms, stack.no_sweeps_until_ms) + BEGINS_MS:
                continue
            before = [row for row in rows if row.created_ms < ended_ms]
            is_recorded = any((row.ended_ms or math.inf) > visit.began_ms for row in before)
            is_over = any(not ended_empty(row) for row in before)
            if not (is_recorded or is_over) and has_a_place(stack, visit, ended_ms):
                yield f"somebody was in {cname}, and nobody wanted a recording"


def has_a_place(stack: Stack, visit: Visit, until_ms: int) -> bool:
    """Tell whether the rule had a place for a channel for some minutes, after somebody was heard.

    Where a recording has to be over first, the sweeps must have done what was due in these minutes.
    The rule must have been on since they came: what it is becomes known by an event. A place is
    taken before its recording is made, from when somebody came on; it is given back some minutes
    after its recording has ended, also one of the channel's own.
    """
    held, own = [], []
    for row in stack.contract.rows.values():
        if row.auto_record:
            ended_ms = max(row.ended_ms or math.inf, stack.no_sweeps_until_ms) + BEGINS_MS
            if row.cname != visit.cname:
                came = [each.began_ms for each in stack.lessons.visits[row.cname]]
                held.append((max(each for each in came if each <= row.created_ms), ended_ms))
            elif row.created_ms < visit.began_ms:
                own.append(ended_ms)
    first_ms = max(visit.heard_ms or 0, stack.no_sweeps_until_ms, *own)
    failed = stack.failed_sweeps
    begins = (*(end_ms for _, end_ms in held), *failed)
    for from_ms in (first_ms, *(each for each in begins if each >= first_ms)):
        to_ms = from_ms + BEGINS_MS
        is_hit = any(from_ms < each <= to_ms for each in failed)
        if own and is_hit:
            continue
        others = sum(
            begin_ms <= to_ms and (is_hit or end_ms > from_ms) for begin_ms, end_ms in held
        )
        if to_ms <= until_ms and min(stack.lessons.places(visit.began_ms, to_ms)) > others:
            return True
    return False


def a_rule_gets_every_place_back(stack: Stack) -> Broken:
    """When every recording is over, no place of a rule is taken."""
    for (partition, _), item in stack.table.items.items():
        if partition.startswith("LIVE#") and item["live"] != {"N": "0"}:
            yield f"{partition} has {item['live']} places that are taken"


def a_recording_of_an_empty_channel_ends(stack: Stack) -> Broken:
    """A recording that a rule wanted does not go on until its longest duration."""
    for row in stack.contract.rows.values():
        if row.auto_record and row.stop_reason == "MAX_DURATION":
            left_ms = stack.lessons.visits[row.cname][-1].ended_ms
            if left_ms is not None and left_ms + ENDS_MS < (row.stop_ms or math.inf):
                yield f"{row.cname} is empty, and was recorded until the longest duration"


def what_the_api_promised_is_true(stack: Stack) -> Broken:
    """A recording that was accepted is there; one whose stop was accepted has ended because of it,
    or before; an accepted change is in its request; a link that was made is there until it is
    revoked; what was answered never was less than before.
    """
    for number, recording_id in stack.people.accepted.items():
        row = stack.contract.rows.get(recording_id)
        if row is None:
            if recording_id not in stack.contract.deleted:
                yield f"r{number} was accepted, and is gone"
            continue
        is_forgotten = not (row.stop_reason or row.session_end or stack.people.was_over.get(number))
        if number in stack.people.stopped and is_forgotten:
            yield f"the stop of r{number} was accepted, and forgotten"
        if row.deleting_ms is not None:
            continue  # it takes the links, also if the app does not ask until it is done
        for link in stack.people.links.get(number, ()):
            if ("LINK#" + link.token_hash, "LINK") not in stack.table.items:
                yield f"a link of r{number} is gone"
    for number, uids in stack.people.subscribed.items():
        row = stack.contract.rows.get(stack.people.accepted[number])
        if row:
            now = row.client_request["recordingConfig"].get("subscribeAudioUids")
            if now != uids:
                yield f"the update of r{number} was accepted, and its request has {now}"
    made = Counter(stack.contract.ever.values())
    for name, count in made.items():
        if count > 1:
            yield f"one key made {count} recordings of {name}"
    yield from stack.people.contradictions


def a_calm_life_ends_well(stack: Stack) -> Broken:
    """Where nothing goes wrong, every recording is completed that was not stopped at once."""
    if stack.luck.happened or stack.has_troubles:
        return
    for row in stack.contract.rows.values():
        is_short = row.stop_ms is not None and row.stop_ms - row.wanted_ms < SHORT_MS
        if not is_short and row.status != "completed":
            yield f"{stack.name(row)} is {row.status}, and nothing went wrong"


AT_EVERY_STEP: tuple[Callable[[Stack], Broken], ...] = (
    every_session_that_agora_bills_has_a_row,
    one_session_a_recording,
    what_is_over_is_over,
    agora_is_not_called_too_often,
    every_call_has_a_slot,
    a_room_does_what_its_role_allows,
)
WHEN_A_ROW_IS_WRITTEN: tuple[Callable[[Stack, Recording, Recording], Broken], ...] = (
    a_status_only_goes_forward,
    why_it_ends_stays,
    no_session_is_forgotten,
    no_session_has_two_owners,
    completed_means_that_all_is_there,
    the_end_is_announced_before_it_is_written,
    a_channel_has_one_recording,
    a_rule_records_no_more_than_it_may,
)
WHEN_A_VIEWER_IS_ANSWERED: tuple[Callable[[Stack, View], Broken], ...] = (
    a_link_that_is_over_opens_nothing,
    a_link_that_is_open_plays,
)
WHEN_THE_APP_IS_CALLED: tuple[Callable[[Stack, Call], Broken], ...] = (
    every_call_is_signed,
    a_call_goes_only_where_it_may,
    a_call_tells_what_is_written,
)
IN_TIME: tuple[Callable[[Stack], Broken], ...] = (
    every_recording_ends,
    nothing_runs_at_agora,
    no_session_waits_to_be_stopped,
)
AT_THE_END: tuple[Callable[[Stack], Broken], ...] = (
    every_end_is_told_with_one_id,
    failed_means_that_there_is_nothing,
    the_app_is_told_of_every_end,
    every_accepted_event_counts_once,
    deleted_means_that_nothing_is_left,
    who_is_in_a_channel_is_recorded,
    a_rule_gets_every_place_back,
    a_recording_of_an_empty_channel_ends,
    what_the_api_promised_is_true,
    a_calm_life_ends_well,
)


class BrokenError(AssertionError):
    """A promise of the contract does not hold."""


class Contract:
    """Holds a stack to its promises.

    `rows` are the recordings as they are, by their ids; `ever` the names of those that were ever
    there; `completed_ms` when they were completed; `deleted` those that are gone, with their sids;
    `accepted` the keys of the notifications that were answered with 200; `slots` how many of the
    limiter's slots were taken.
    """

    def __init__(self, stack: Stack, secrets: Iterable[str]) -> None:
        self._stack = stack
        self._secrets = tuple(secrets)
        self.rows: dict[str, Recording] = {}
        self.ever: dict[str, str] = {}
        self.deleted: dict[str, list[str]] = {}
        self.accepted: set[tuple[str, str]] = set()
        self.completed_ms: dict[str, int] = {}
        self.slots = 0
        self.broken: list[str] = []  # "promise: what is wrong", oldest first
        self._is_new = True

    def look(self) -> None:
        """Look at the next step: a row, a session or a call has come."""
        self._is_new = True

    def at_every_step(self) -> None:
        """Hold what is held after each thing that happens. Raises BrokenError.

        Where no row, session or call has come, it holds as it did before.
        """
        if self._is_new:
            self._is_new = False
            for promise in AT_EVERY_STEP:
                self._hold(promise, promise(self._stack))
        if self.broken:
            raise BrokenError(self.broken[0])

    def written(self, after: Recording) -> None:
        """Hold what is held at each write of a row. Raises nothing: a room is at work."""
        before = self.rows.get(after.recording_id)
        self.rows[after.recording_id] = after
        self.ever[after.recording_id] = self._stack.name(after)
        self._is_new = True
        if after.status == "completed":
            self.completed_ms.setdefault(after.recording_id, self._stack.clock.now_ms)
        if before:
            for promise in WHEN_A_ROW_IS_WRITTEN:
                self._hold(promise, promise(self._stack, before, after))

    def viewed(self, view: View) -> None:
        """Hold what is held when a viewer gets an answer; `at_every_step` raises."""
        for promise in WHEN_A_VIEWER_IS_ANSWERED:
            self._hold(promise, promise(self._stack, view))

    def called(self, call: Call) -> None:
        """Hold what is held when the app is called; `at_every_step` raises."""
        self.shows("a call", call.body.decode())
        for promise in WHEN_THE_APP_IS_CALLED:
            self._hold(promise, promise(self._stack, call))

    def in_time(self) -> None:
        """Hold what is held when nothing has gone wrong for hours; `at_every_step` raises."""
        for promise in IN_TIME:
            self._hold(promise, promise(self._stack))

    def at_the_end(self) -> None:
        """Hold what is held at the end. Raises BrokenError."""
        for promise in (*IN_TIME, *AT_THE_END):
            self._hold(promise, promise(self._stack))
        if self.broken:
            raise BrokenError(self.broken[0])

    def shows(self, place: str, said: object) -> None:
        """Hold that no secret stands in what is stored, sent or logged."""
        text = said if isinstance(said, str) else repr(said)
        for secret in self._secrets:
            if secret in text:
                self.fails("no_secret_anywhere", f"a secret stands in {place}")

    def answered(self, deed: str, answer: dict[str, Any]) -> None:
        """Hold what is held of each answer of the API: no secret in it, and no error of ours."""
        self.shows("an answer", answer.get("body", ""))
        if answer["statusCode"] == 500:
            self.fails("rooms_fail_by_known_errors", f"{deed}: {answer['body']}")

    def fails(self, promise: str, sentence: str) -> None:
        """Keep that a promise is broken, to be raised after the step."""
        self.broken.append(f"{promise}: {sentence}")

    def _hold(self, promise: Callable[..., Broken], broken: Broken) -> None:
        for sentence in broken:
            self.fails(promise.__name__, sentence)


def attempt_of(stack: Stack, session: AgoraSession) -> Attempt | None:
    """Return the attempt whose session it is: one with its resourceId and its uid."""
    row = stack.contract.rows.get(stack.id_of(session.prefix))
    for attempt in row.attempts if row else ():
        is_named = (attempt.resource_id, attempt.uid) == (session.resource_id, session.uid)
        if is_named and attempt.sid in (None, session.sid):
            return attempt
    return None


def goes_on(row: Recording) -> bool:
    """Tell whether nobody wants a recording to end yet."""
    return row.stop_reason is None and RANK[row.status] < RANK["stopping"]


def ended_empty(row: Recording) -> bool:
    """Tell whether a recording ended because nobody was in its channel."""
    is_idle = row.stop_reason is None and row.attempt is not None and row.attempt.end == "IDLE"
    return row.stop_reason == "CHANNEL_EMPTY" or is_idle


def open_until_ms(stack: Stack, link: Shown) -> float:
    """Return until when nothing was asked for that ends a link (ms)."""
    people = stack.people
    ends = (people.revoking.get(link.link_id), people.deleting.get(link.recording_id))
    return min(link.until_ms - stack.story.apart_ms * 2, *(each or math.inf for each in ends))


def played(stack: Stack, sid: str, at_ms: int) -> list[str]:
    """Return the keys of a session's slices that were there at a time, if its playlist was."""
    keys = [
        key
        for key in stack.agora.promised.get(sid, ())
        if key in stack.bucket.objects and stack.bucket.objects[key][1] <= at_ms
    ]
    has_index = any(key.endswith(".m3u8") for key in keys)
    return [key for key in keys if not key.endswith(".m3u8")] if has_index else []


def _has_facts(partition: str, item: Any) -> bool:
    return partition.startswith("SESSION#") and "facts" in item and "deletedMs" not in item
