"""Applies stored channel events: who is in the channel, and the recording that follows from it.

A repetition changes nothing: so a batch may be applied in part, again, or in any order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording import clock
from agora_recording.auto_record.beginning import Beginner
from agora_recording.auto_record.channel import heard
from agora_recording.auto_record.channel_store import ChannelStore
from agora_recording.auto_record.presence import ChannelEvent, is_recorder, read_event
from agora_recording.auto_record.rule import first_fit
from agora_recording.auto_record.rule_store import RuleStore
from agora_recording.aws.dynamodb import from_item
from agora_recording.aws.faults import meaning
from agora_recording.errors import StoreUnavailableError, WriteConflictError
from agora_recording.observability import count, logger


def _may_pass(error: Exception) -> bool:
    """Tell whether the same events may be applied when they are delivered again."""
    if isinstance(error, BotoCoreError | ClientError):
        return meaning(error) != "for good"
    return isinstance(error, StoreUnavailableError | WriteConflictError)


class ChannelApplier(msgspec.Struct, frozen=True, kw_only=True):
    """Applies batches of the table's stream. Recorders have uids from `uid_from` to `uid_to`."""

    channels: ChannelStore
    rules: RuleStore
    beginner: Beginner
    uid_from: int
    uid_to: int
    now_ms: Callable[[], int] = clock.now_ms

    def apply(self, records: Sequence[Mapping[str, Any]]) -> list[str]:
        """Apply records of a DynamoDB stream; return the sequence numbers to deliver again.

        While no rule is on and no channel is known, nothing is written.
        """
        channels: dict[str, list[tuple[str, ChannelEvent]]] = {}
        for record in records:
            event = self._event(from_item(record["dynamodb"]["NewImage"]))
            if event:
                place = record["dynamodb"]["SequenceNumber"]
                channels.setdefault(event.cname, []).append((place, event))
        failed: list[str] = []
        for cname, told in channels.items():
            try:
                self.hear(cname, [event for _, event in told])
            except Exception as error:
                if _may_pass(error):
                    logger.warning("not applied yet", cname=cname, reason=type(error).__name__)
                    failed += [place for place, _ in told]
                else:
                    # Agora's answer makes it good when the channel is next looked at.
                    count("ChannelEventsLost", len(told))
                    logger.exception("cannot be applied", cname=cname)
        return failed

    def _event(self, row: Mapping[str, Any]) -> ChannelEvent | None:
        event = read_event(row["body"], row["receivedMs"])
        if event is None or is_recorder(event.uid, self.uid_from, self.uid_to):
            return None
        return event

    def hear(self, cname: str, events: Sequence[ChannelEvent]) -> None:
        """Apply events of one channel."""
        rules = self.rules.all()
        rule = first_fit(rules, cname)
        now = self.now_ms()

        def change(channel: Any) -> Any:
            if rule is None and not channel.version:
                return channel  # no rule is for it: it need not be known
            return heard(channel, events, now, wanted=rule is not None)

        self.beginner.begin(self.channels.amend(cname, change), rules)
