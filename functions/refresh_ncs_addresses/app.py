"""Keep firewalls open to Agora's notification servers.

Runs by schedule, by hand (`{"dryRun": true}` plans and writes nothing; `{"acceptDrop": true}`
confirms an answer that lacks many addresses), and as a CloudFormation custom resource: when the
stack is made, when its targets change, when it is deleted. Two runs never work at the same time.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from agora_recording.errors import SecretUnavailableError
from agora_recording.firewall import custom_resource
from agora_recording.firewall.refresh import Refresher
from agora_recording.firewall.security_group import SECURITY_GROUP_QUOTA
from agora_recording.observability import logger, metrics
from agora_recording.wiring.parts import Parts
from agora_recording.wiring.settings import AgoraSettings


class RefreshSettings(AgoraSettings, frozen=True, kw_only=True):
    """What this room reads from its environment. An empty text leaves a target out."""

    stack_name: str
    security_group_ids: str = ""  # separated by commas
    security_group_tag: str = ""  # key=value
    security_group_quota: int = SECURITY_GROUP_QUOTA
    prefix_list_id: str = ""
    waf_ip_set_v4: str = ""  # name|id|scope
    waf_ip_set_v6: str = ""
    grace_hours: float = 48
    allow_documentation_addresses: bool = False


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(
    event: dict[str, Any], context: LambdaContext, *, refresher: Refresher | None = None
) -> dict[str, Any]:
    """Return the report of the run, or the answer that CloudFormation got."""

    # Made when it is used: settings that cannot be read do not keep CloudFormation waiting either.
    def ready() -> Refresher:
        return refresher or Parts(RefreshSettings.from_env()).refresher

    left = context.get_remaining_time_in_millis
    match event:
        case {"RequestType": "Delete", "ResourceProperties": {"RemoveRulesOnDelete": "true"}}:
            # Its rights end with the stack: so CloudFormation waits until the rules are gone.
            return custom_resource.answer(event, lambda _: ready().take_back(), left)
        case {"RequestType": "Delete"}:
            return custom_resource.answer(event, lambda _: None, left)
        case {"RequestType": _}:
            return custom_resource.answer(event, lambda tell: ready().refresh(on_wait=tell), left)
        case {"scheduled": True}:
            try:
                return ready().refresh()
            except SecretUnavailableError as error:  # a new stack has no keys of Agora's yet
                logger.warning("addresses not refreshed", reason=str(error))
                return {"skipped": str(error)}
        case _:
            return ready().refresh(
                dry_run=bool(event.get("dryRun")), accept_drop=bool(event.get("acceptDrop"))
            )
