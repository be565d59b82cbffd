"""GET /v1/auto-record and /v1/auto-record/{name}: the rules by which channels record themselves."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import answer, door, path, query
from agora_recording.auto_record.rule_store import RuleStore
from agora_recording.auto_record.rules import check_name, public
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
    """Return one rule, or all of them by name."""
    query(event)
    store = store or _store()
    if "{name}" in event["resource"]:
        name = path(event, "name")
        check_name(name)
        return answer(HTTPStatus.OK, public(store.get(name)))
    return answer(HTTPStatus.OK, {"rules": [public(each) for each in store.all()]})
