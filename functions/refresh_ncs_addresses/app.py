"""Keep firewalls open to Agora's notification servers.

Runs by schedule, by hand (`{"dryRun": true}` plans and writes nothing; `{"acceptDrop": true}`
confirms an answer that lacks many addresses), and as a CloudFormation custom resource: when the
stack is made, when its targets change, when it is deleted. Two runs never work at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.utilities.typing import LambdaContext
from msgspec.structs import replace

from agora_recording import clock
from agora_recording.aws.lease import Lease
from agora_recording.errors import SecretUnavailableError
from agora_recording.firewall import custom_resource
from agora_recording.firewall.addresses import endpoints
from agora_recording.firewall.allow_list import ALLOW_LIST, AllowListTarget
from agora_recording.firewall.plan import Policy
from agora_recording.firewall.prefix_list import PrefixListTarget
from agora_recording.firewall.refresh import LEASE, Refresher
from agora_recording.firewall.security_group import (
    SECURITY_GROUP_QUOTA,
    SecurityGroupTarget,
    discover_security_groups,
)
from agora_recording.firewall.target import Target, TargetMemories, Targets
from agora_recording.firewall.waf import WafIpSetTarget
from agora_recording.observability import logger, metrics
from agora_recording.wiring import AgoraSettings


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

    def refresher(self, now: Callable[[], int] = clock.now_ms) -> Refresher:
        """Return what refreshes the targets that these settings name; `now` returns epoch ms."""
        return Refresher(
            get=self.ask,
            urls=endpoints(self.agora_base_url),
            allow_documentation=self.allow_documentation_addresses,
            find_targets=self.find_targets,
            lease=Lease(self.table_name, now_ms=now, key=LEASE),
            policy=Policy(grace_s=self.grace_hours * 3600 / self.speed),
            now=now,
        )

    def ask(self, url: str) -> tuple[int | None, bytes]:
        """Ask Agora at the URL's host, paced like every other call; see AgoraClient.ncs_ip."""
        parts = urlsplit(url)
        there = replace(self, agora_base_url=f"{parts.scheme}://{parts.netloc}")
        return there.agora().ncs_ip(parts.path)

    def find_targets(self) -> Targets:
        """Find the targets that these settings name, each source by itself."""
        sources: dict[str, Callable[[], Iterable[Target]]] = {
            ALLOW_LIST: lambda: [AllowListTarget(self.table_name)]
        }
        if ids := [name.strip() for name in self.security_group_ids.split(",") if name.strip()]:
            sources["security groups"] = lambda: self._groups(ids)
        if tag := self.security_group_tag:
            sources[tag] = lambda: self._groups(discover_security_groups(tag))
        if list_id := self.prefix_list_id:
            sources[list_id] = lambda: [PrefixListTarget(list_id, self.stack_name)]
        for reference in filter(None, (self.waf_ip_set_v4, self.waf_ip_set_v6)):
            sources[reference] = partial(_ip_set, reference)
        return Targets.find(sources, TargetMemories(self.table_name))

    def _groups(self, ids: Iterable[str]) -> list[Target]:
        quota = self.security_group_quota
        return [SecurityGroupTarget(group_id, self.stack_name, quota) for group_id in ids]


def _ip_set(reference: str) -> list[Target]:
    return [WafIpSetTarget(reference)]


@logger.inject_lambda_context
@metrics.log_metrics
def lambda_handler(
    event: dict[str, Any], _context: LambdaContext, *, refresher: Refresher | None = None
) -> dict[str, Any]:
    """Return the report of the run, or the answer that CloudFormation got."""

    # Made when it is used: settings that cannot be read do not keep CloudFormation waiting either.
    def ready() -> Refresher:
        return refresher or RefreshSettings.from_env().refresher()

    match event:
        case {"RequestType": "Delete", "ResourceProperties": {"RemoveRulesOnDelete": "true"}}:
            return custom_resource.answer(event, lambda: ready().take_back())
        case {"RequestType": "Delete"}:
            return custom_resource.answer(event, lambda: None)
        case {"RequestType": _}:
            return custom_resource.answer(event, lambda: ready().refresh())
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
