"""DELETE /v1/auto-record/{name}: its channels record themselves no more."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import door, nothing, path
from agora_recording.auto_record.rule_store import RuleStore
from agora_recording.auto_record.rules import check_name
from agora_recording.observability import logger
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import TableSettings


@cache
def _store() -> RuleStore:
    return Parts(TableSettings.from_env()).rule_store


@logger.inject_lambda_context
@door
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, store: RuleStore | None = None
) -> dict[str, Any]:
    """Return 204. Recordings that the rule has started go on, and end as they would have."""
    name = path(event, "name")
    check_name(name)
    (store or _store()).delete(name)
    logger.info("rule deleted", rule=name)
    return nothing()
