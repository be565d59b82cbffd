"""The queue of messages to the app: one try of one message, so a slow address delays no other."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.life.send_callback import Caller
from agora_recording.observability import count, logger, observed
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


class CallbackSettings(TableSettings, frozen=True, kw_only=True):
    """What this room reads from its environment. Only the embedded run sets `callback_loopback`."""

    calls_queue_url: str
    callback_secret_id: str
    callback_hosts: str
    callback_endpoints: str
    callback_loopback: str = ""


@cache
def _caller() -> Caller:
    return Parts(CallbackSettings.from_env()).caller


@logger.inject_lambda_context
@observed
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, caller: Caller | None = None
) -> dict[str, str]:
    """Return {state} of the message after the try; after an error, SQS brings it again."""
    (record,) = event["Records"]  # the mapping's batches have one message
    asked = msgspec.json.decode(record["body"], type=dict[str, str])
    state = (caller or _caller()).send(asked["recordingId"], asked["call"])
    if state in ("given_up", "switched_off"):
        count("CallbackGivenUp")
    logger.info("callback tried", recordingId=asked["recordingId"], state=state)
    return {"state": state}
