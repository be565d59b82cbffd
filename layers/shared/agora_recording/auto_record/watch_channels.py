"""The sweeper of channels: makes lost events good, ends what nobody attends, starts what waits.

Each row says when it must be looked at next (channel.py). Agora is asked only about channels in
doubt, and within the limit of its channel queries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
from msgspec.structs import replace

from agora_recording import clock
from agora_recording.agora.client import AgoraClient
from agora_recording.auto_record.beginning import Beginner
from agora_recording.auto_record.channel import (
    Channel,
    ending_of,
    is_half_begun,
    must_ask,
    must_stop,
    over,
    settled,
    waiting,
)
from agora_recording.auto_record.channel_store import ChannelStore
from agora_recording.auto_record.presence import is_recorder, read_users, reconciled
from agora_recording.auto_record.rule import Rule, first_fit
from agora_recording.auto_record.rule_store import RuleStore
from agora_recording.errors import RateLimitedError, RecordingNotFoundError
from agora_recording.life.executions import Waker
from agora_recording.life.store import Note, RecordingStore
from agora_recording.observability import logger
from agora_recording.recording.model import ask_to_stop
from agora_recording.recording.timings import Timings

_WORKERS = 4
_BATCH = 200
_EMPTY = "Nobody is in the channel any more."


class ChannelSweeper(msgspec.Struct, frozen=True, kw_only=True):
    """Sweeps. `agora` has the limiter of channel queries."""

    channels: ChannelStore
    rules: RuleStore
    recordings: RecordingStore
    beginner: Beginner
    waker: Waker
    agora: AgoraClient
    timings: Timings
    uid_from: int
    uid_to: int
    now_ms: Callable[[], int] = clock.now_ms

    def sweep(self, *, seconds: float) -> Counter[str]:
        """Look at the channels that are due, for at most `seconds`; return what was done.

        A channel that it does not reach is still due in the next sweep. Two sweeps at the same time
        do no harm: each change is conditional on the row that was read.
        """
        names = self.channels.due(self.now_ms(), _BATCH)
        if not names:
            return Counter()
        rules = self.rules.all()
        end_ms = self.now_ms() + round(seconds * 1000)
        with ThreadPoolExecutor(_WORKERS) as workers:
            done = workers.map(partial(self._try_look, rules=rules, end_ms=end_ms), names)
            return Counter(each for several in done for each in several)

    def _try_look(self, cname: str, rules: Sequence[Rule], end_ms: int) -> list[str]:
        if self.now_ms() >= end_ms:
            return ["out of time"]
        try:
            return self.look(cname, rules)
        except Exception:  # one channel must not keep the others from being looked at
            logger.exception("look failed", cname=cname)
            return ["failed"]

    def look(self, cname: str, rules: Sequence[Rule]) -> list[str]:
        """Do what one channel needs now; return what was done."""
        done = []
        now = self.now_ms()
        channel = self.channels.amend(
            cname, lambda each: replace(each, looked_ms=now) if each.version else each
        )
        wanted = first_fit(rules, cname) is not None
        channel = self._end(channel)
        # What is due was decided by the look before this one.
        if must_ask(replace(channel, looked_ms=0), *self._by()):
            channel, said = self._ask(channel, wanted=wanted)
            done.append(said)
        # Whoever half began it did not come to make its recording, or to note it. Whether there is
        # one, only making it tells: so it is made, and stopped if nobody is there any more.
        if channel.presence.is_occupied or is_half_begun(channel):
            channel = self.channels.amend(cname, partial(waiting, wanted=wanted))
            before = channel.occupancy
            channel = self.beginner.begin(channel, rules)
            if channel.occupancy != before:
                done.append("begin")
        if must_stop(channel, *self._by()):
            channel = self._stop(channel)
            done.append("stop")
        return done or ["look"]

    def _by(self) -> tuple[int, Timings]:
        return self.now_ms(), self.timings

    def _end(self, channel: Channel) -> Channel:
        """Note it if the recording is over."""
        occupancy, now = channel.occupancy, self.now_ms()
        if occupancy is None or occupancy.started_id is None or not occupancy.holds_a_place:
            return channel
        try:
            ending = ending_of(self.recordings.get(occupancy.started_id))
        except RecordingNotFoundError:
            ending = "other", now
        if ending is None:
            return channel
        how, ended_ms = ending
        began_ms = occupancy.began_ms
        return self.channels.amend(
            channel.cname, lambda each: over(each, began_ms, how, ended_ms, now)
        )

    def _ask(self, channel: Channel, *, wanted: bool) -> tuple[Channel, str]:
        """Ask Agora who is there.

        The same write says whether the channel waits for a recording: after a crash before that
        begins, it is looked at again in a minute.
        """
        asked_ms = self.now_ms()
        try:
            users = read_users(*self.agora.channel_users(channel.cname))
        except RateLimitedError:
            return channel, "no slot"
        if users is None:
            logger.warning("who is there is not known", cname=channel.cname)
            return channel, "agora failed"
        uids = [each for each in users.uids if not is_recorder(each, self.uid_from, self.uid_to)]
        before, now = channel.presence, self.now_ms()

        def change(row: Channel) -> Channel:
            presence = reconciled(row.presence, before, uids, asked_ms, more=users.more)
            return waiting(settled(replace(row, presence=presence), now), wanted=wanted)

        return self.channels.amend(channel.cname, change), "ask"

    def _stop(self, channel: Channel) -> Channel:
        """Stop the recording of a channel in which nobody is."""
        occupancy, now = channel.occupancy, self.now_ms()
        if occupancy is None or occupancy.started_id is None:
            return channel
        self.waker.wake(
            occupancy.started_id,
            lambda row: ask_to_stop(row, "CHANNEL_EMPTY", now),
            lambda *_: [Note(now, "stop asked", _EMPTY)],
        )
        began_ms = occupancy.began_ms
        return self.channels.amend(
            channel.cname, lambda each: over(each, began_ms, "empty", now, now)
        )
