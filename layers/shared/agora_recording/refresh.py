"""Refreshing firewalls with the addresses that Agora notifies from: ask, plan, carry out, tell."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.metrics import MetricUnit
from msgspec.structs import replace

from agora_recording import addresses, clock, firewall, firewall_targets
from agora_recording.errors import AddressesRefusedError, AgoraError, FirewallError
from agora_recording.firewall_targets import Target, TargetMemories, Targets
from agora_recording.observability import logger, metrics
from agora_recording.wiring import AgoraSettings


class RefreshSettings(AgoraSettings, frozen=True, kw_only=True):
    """The environment of this room. An empty text leaves a target out."""

    stack_name: str
    security_group_ids: str = ""  # separated by commas
    security_group_tag: str = ""  # key=value
    security_group_quota: int = firewall_targets.SECURITY_GROUP_QUOTA
    prefix_list_id: str = ""  # a list holds one IP version, so there may be two, with a comma
    waf_ip_set_v4: str = ""  # name|id|scope
    waf_ip_set_v6: str = ""
    keep_allow_list: bool = True
    grace_hours: float = 48
    allow_documentation_addresses: bool = False

    @property
    def policy(self) -> firewall.Policy:
        """How cautious to be, at this speed."""
        return firewall.Policy(grace_s=self.grace_hours * 3600 / self.speed)


def handle(
    event: dict[str, Any],
    *,
    settings: RefreshSettings | None = None,
    get: addresses.Get | None = None,
    targets: Targets | None = None,
    now: Callable[[], int] = clock.now_ms,
) -> dict[str, Any]:
    """Return the plan of each target, carried out unless it was a dry run.

    Raises FirewallError when a target failed, after all others were done; AddressesRefusedError or
    an AgoraError when there was no answer to act upon, and then no target was touched. For
    CloudFormation nothing is raised: a firewall that is late has alarms, a stuck stack has none.
    """

    def prepare() -> tuple[RefreshSettings, Targets]:
        found = settings or RefreshSettings.from_env()
        return found, targets or find_targets(found)

    def refresh(*, dry_run: bool = False, accept_drop: bool = False) -> dict[str, Any]:
        found, all_targets = prepare()
        ask = get or agora_get(found)
        return _refresh(found, ask, all_targets, now(), dry_run=dry_run, accept_drop=accept_drop)

    match event.get("RequestType"):
        case None:
            return refresh(
                dry_run=bool(event.get("dryRun")), accept_drop=bool(event.get("acceptDrop"))
            )
        case "Delete":
            return _serve_cloudformation(event, lambda: _take_back(event, prepare))
        case _:
            return _serve_cloudformation(event, refresh)


def agora_get(settings: RefreshSettings) -> addresses.Get:
    """Return the call that asks Agora: at the URL's host, paced like every other call."""

    def get(url: str) -> tuple[int | None, bytes]:
        parts = urlsplit(url)
        there = replace(settings, agora_base_url=f"{parts.scheme}://{parts.netloc}")
        return there.agora().ncs_ip(parts.path)

    return get


def find_targets(settings: RefreshSettings) -> Targets:
    """Return the targets that the settings name."""

    def groups(ids: Iterable[str]) -> list[Target]:
        quota = settings.security_group_quota
        return [
            firewall_targets.SecurityGroupTarget(group_id, settings.stack_name, quota=quota)
            for group_id in ids
        ]

    sources: dict[str, Callable[[], list[Target]]] = {}
    if settings.keep_allow_list:
        sources["allow-list"] = lambda: [firewall_targets.AllowListTarget(settings.table_name)]
    if ids := _names(settings.security_group_ids):
        sources["security groups"] = partial(groups, ids)
    if tag := settings.security_group_tag:
        sources[tag] = lambda: groups(firewall_targets.discover_security_groups(tag))
    for list_id in _names(settings.prefix_list_id):
        sources[list_id] = partial(_prefix_list, list_id, settings.stack_name)
    for reference in filter(None, (settings.waf_ip_set_v4, settings.waf_ip_set_v6)):
        sources[reference] = partial(_ip_set, reference)
    return Targets(sources, TargetMemories(settings.table_name))


def _prefix_list(list_id: str, stack_name: str) -> list[Target]:
    return [firewall_targets.PrefixListTarget(list_id, stack_name)]


def _ip_set(reference: str) -> list[Target]:
    return [firewall_targets.WafIpSetTarget(reference)]


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _refresh(
    settings: RefreshSettings,
    get: addresses.Get,
    targets: Targets,
    now_ms: int,
    *,
    dry_run: bool,
    accept_drop: bool,
) -> dict[str, Any]:
    """Ask Agora, bring every target up to date, and say how it went."""
    try:
        wanted = addresses.fetch(
            get,
            addresses.endpoints(settings.agora_base_url),
            allow_documentation=settings.allow_documentation_addresses,
        )
        decide = partial(
            firewall.plan,
            wanted=wanted,
            now_ms=now_ms,
            policy=settings.policy,
            accept_drop=accept_drop,
        )
        plans, failed = targets.carry_out(decide, dry_run=dry_run)
    except AddressesRefusedError:
        _count("AddressesRefused")
        raise
    except AgoraError:
        _count("AddressesUnavailable")
        raise
    finally:
        _measure_age(targets, now_ms)

    for target_id, error in failed.items():
        logger.error("firewall target failed", target=target_id, exc_info=error)
    report = {
        "dryRun": dry_run,
        "addresses": sorted(wanted),
        "targets": {target_id: plan.to_event() for target_id, plan in plans.items()},
        "failed": {target_id: _text(error) for target_id, error in failed.items()},
    }
    logger.info("addresses refreshed", report=report)
    _count("AddressesNamed", len(wanted))
    if dry_run:
        return report
    refused = sum(plan.refused is not None for plan in plans.values())
    _count("AddressesRefused", refused)
    _count("AddressesRefreshed", len(plans) - refused)
    _count("FirewallTargetFailed", len(failed))
    if failed:
        raise FirewallError(f"{len(failed)} of {len(plans) + len(failed)} targets: {_list(failed)}")
    return report


def _measure_age(targets: Targets, now_ms: int) -> None:
    """Emit how old the oldest target's last good answer is.

    Nothing is emitted while a target never had one: the alarm takes missing data as breaching.
    """
    since_ms = targets.fresh_since_ms()
    if since_ms is not None:
        metrics.add_metric("AddressesAgeSeconds", MetricUnit.Seconds, (now_ms - since_ms) / 1000)


def _count(name: str, number: int = 1) -> None:
    metrics.add_metric(name, MetricUnit.Count, number)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _list(failed: dict[str, Exception]) -> str:
    return "; ".join(f"{target_id}: {_text(error)}" for target_id, error in failed.items())


# --- the custom resource ------------------------------------------------------------------------


def _serve_cloudformation(event: dict[str, Any], act: Callable[[], object]) -> dict[str, Any]:
    """Do `act` and answer SUCCESS in any case.

    The schedule repeats what failed here; an account that Agora does not know yet must not roll a
    stack back, and an answer that never comes would hold it for an hour.
    """
    warning = ""
    try:
        act()
    except Exception as error:  # whatever it is: see above
        logger.exception("the stack goes on, its firewall is not as it should be")
        warning = _text(error)
    _count("RefreshAtDeployFailed", int(bool(warning)))
    answer = {
        "Status": "SUCCESS",
        "PhysicalResourceId": event.get("PhysicalResourceId", "ncs-addresses"),
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "Data": {"Warning": warning[:1000]},  # CloudFormation takes 4 kB in all
    }
    _put(event["ResponseURL"], json.dumps(answer).encode())
    return answer


def _take_back(
    event: dict[str, Any], prepare: Callable[[], tuple[RefreshSettings, Targets]]
) -> None:
    """Remove the stack's rules, if the resource asks for that: by default they stay."""
    if event.get("ResourceProperties", {}).get("RemoveRulesOnDelete") != "true":
        return
    _, targets = prepare()
    failed = targets.carry_out(firewall.farewell).failed
    if failed:
        raise FirewallError(_list(failed))


def _put(url: str, body: bytes) -> None:
    """Answer CloudFormation. Its URL is signed for an empty content type."""
    request = urllib.request.Request(  # noqa: S310 - CloudFormation's own URL
        url, data=body, method="PUT", headers={"Content-Type": ""}
    )
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass
