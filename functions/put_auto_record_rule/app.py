"""PUT /v1/auto-record/{name}: channels that fit a pattern record themselves from now on."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, json_body, path, warned
from agora_recording.auto_record.rules import Checker, public
from agora_recording.observability import logger
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import RequestSettings


@cache
def _rules() -> Checker:
    return Parts(RequestSettings.from_env()).rules


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, rules: Checker | None = None
) -> dict[str, Any]:
    """Return 200 with the rule as it is stored. It counts from the next event of a channel on."""
    rule, warnings = (rules or _rules()).put(path(event, "name"), json_body(event))
    logger.info("rule put", rule=rule.name, enabled=rule.enabled)
    return answer(HTTPStatus.OK, warned(public(rule), warnings))
