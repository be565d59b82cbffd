"""The table's stream: apply channel events, after Agora has got its answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.auto_record.apply_channel_events import ChannelApplier
from agora_recording.observability import logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import RequestSettings


class ApplySettings(RequestSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    state_machine_arn: str
    uid_from: int
    uid_to: int


@cache
def _applier() -> ChannelApplier:
    return Parts(ApplySettings.from_env()).channel_applier


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, applier: ChannelApplier | None = None
) -> dict[str, Any]:
    """Return {batchItemFailures}: the records that Lambda must deliver again."""
    failed = (applier or _applier()).apply(event["Records"])
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
