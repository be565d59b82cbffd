"""GET /v1/openapi.json: the description of this API, as `make openapi` wrote it."""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.api.gateway import door, text
from agora_recording.observability import logger


@cache
def _document() -> str:
    return Path(__file__).with_name("openapi.json").read_text(encoding="utf-8")


@logger.inject_lambda_context
@door
def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Return the document."""
    return text(HTTPStatus.OK, _document(), "application/json")
