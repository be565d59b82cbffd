"""The sweeper of channels: every minute, look at each channel that is due."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.auto_record.watch_channels import ChannelSweeper
from agora_recording.observability import count, logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import AgoraSettings

SWEEP_S = 50  # ends well before the next run, a minute later


class WatchSettings(AgoraSettings, frozen=True, kw_only=True):
    """What this room reads from its environment: also what a room needs that takes requests.

    A struct has one base with fields of its own, so those of RequestSettings are repeated.
    """

    seal_key_id: str
    max_duration_s: int
    max_idle_time_s: int
    restart_limit: int
    postponed_transcoding: bool
    key_prefix: str = ""
    callback_hosts: str
    callback_loopback: str = ""  # only the embedded run has it
    state_machine_arn: str
    uid_from: int
    uid_to: int


@cache
def _sweeper() -> ChannelSweeper:
    return Parts(WatchSettings.from_env()).channel_sweeper


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, sweeper: ChannelSweeper | None = None
) -> dict[str, int]:
    """Return how often each thing was done."""
    done = (sweeper or _sweeper()).sweep(seconds=SWEEP_S)
    if done:
        count("ChannelsAsked", done["ask"])
        logger.info("channels swept", done=done)
    return dict(done)
