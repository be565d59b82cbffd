"""Begins the recording of a channel in which somebody is: once for each occupancy.

The occupancy is written first, with the place that it takes. Then its recording is made, under a
name that only this occupancy has. So whatever crashes and is repeated, there is one recording.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from agora_recording import clock
from agora_recording.api.create_recording import Intake
from agora_recording.auto_record.channel import Channel, Occupancy, over, recorded
from agora_recording.auto_record.channel_store import ChannelStore
from agora_recording.auto_record.rule import Rule, first_fit
from agora_recording.auto_record.rules import request_of
from agora_recording.aws.sealing import Sealer
from agora_recording.errors import (
    IdempotencyConflictError,
    NoPlaceError,
    RequestInvalidError,
    WriteRefusedError,
)
from agora_recording.observability import count, logger


class Beginner(msgspec.Struct, frozen=True, kw_only=True):
    """Begins recordings."""

    channels: ChannelStore
    intake: Intake
    sealer: Sealer
    now_ms: Callable[[], int] = clock.now_ms

    def begin(self, channel: Channel, rules: Sequence[Rule]) -> Channel:
        """Begin a channel's recording if it has to have one and has none; return the channel.

        Harmless when repeated. If all places of its rule are taken, it waits for the sweeper.
        """
        if channel.occupancy is None and channel.presence.is_occupied:
            rule = first_fit(rules, channel.cname)
            if rule is None:
                return channel
            try:
                channel = self.channels.begin(channel.cname, rule, self.now_ms())
            except NoPlaceError as error:
                count("AutoRecordWaiting")
                logger.warning("no place", cname=channel.cname, reason=str(error))
                return channel
        occupancy = channel.occupancy
        if occupancy is None or occupancy.started_id or not occupancy.holds_a_place:
            return channel
        rule = next((each for each in rules if each.name == occupancy.rule), None)
        if rule is None:
            return self._give_up(channel.cname, occupancy, "its rule was deleted")
        try:
            recording = self.intake.create_for_rule(
                request_of(rule, channel.cname, self.sealer),
                rule.name,
                f"{channel.cname}\n{occupancy.began_ms}",
            )
        except (RequestInvalidError, WriteRefusedError, IdempotencyConflictError) as error:
            return self._give_up(channel.cname, occupancy, str(error))
        logger.info("recording requested", recordingId=recording.recording_id, cname=channel.cname)
        count("AutoRecordStarted")
        return self.channels.amend(
            channel.cname, lambda each: recorded(each, occupancy.began_ms, recording.recording_id)
        )

    def _give_up(self, cname: str, occupancy: Occupancy, reason: str) -> Channel:
        """Leave an occupancy without a recording: the same again would be refused again."""
        count("AutoRecordRefused")
        logger.error("not recorded", cname=cname, rule=occupancy.rule, reason=reason)
        now = self.now_ms()
        return self.channels.amend(
            cname, lambda each: over(each, occupancy.began_ms, "other", now, now)
        )
