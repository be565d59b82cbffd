"""POST /v1/recordings: take the request, answer 202, let the execution do the rest."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.create_recording import Creator, read_prefer
from agora_recording.api.gateway import answer, door, header, json_body, warned
from agora_recording.observability import logger
from agora_recording.recording.view import public
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import RequestSettings


class CreateSettings(RequestSettings, frozen=True, kw_only=True):
    """What this room reads from its environment."""

    state_machine_arn: str
    schedule_group: str
    schedule_target_arn: str
    schedule_role_arn: str


@cache
def _creator() -> Creator:
    return Parts(CreateSettings.from_env()).creator


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, creator: Creator | None = None
) -> dict[str, Any]:
    """Return 202 with the recording and its Location; the same key returns the same recording.

    `Prefer: wait=N` holds the answer until it is recording, or failed, or N seconds are over.
    """
    creator = creator or _creator()
    recording, warnings = creator.create(json_body(event), header(event, "Idempotency-Key"))
    logger.info("recording requested", recordingId=recording.recording_id, cname=recording.cname)
    headers = {"Location": f"/v1/recordings/{recording.recording_id}"}
    seconds = read_prefer(header(event, "Prefer"))
    if seconds is not None:
        recording = creator.wait(recording, seconds)
        headers["Preference-Applied"] = f"wait={seconds}"
    return answer(HTTPStatus.ACCEPTED, warned(public(recording), warnings), headers)
