"""Refreshing firewalls with the addresses that Agora notifies from: ask, plan, carry out, tell."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.metrics import MetricUnit
from msgspec.structs import replace

from agora_recording import clock
from agora_recording.aws.lease import Lease
from agora_recording.errors import (
    AddressesRefusedError,
    AgoraError,
    FirewallError,
    SecretUnavailableError,
)
from agora_recording.firewall import (
    addresses,
    allow_list,
    prefix_list,
    security_group,
    target,
    waf,
)
from agora_recording.firewall import (
    plan as firewall,
)
from agora_recording.firewall.target import Target, TargetMemories, Targets
from agora_recording.observability import logger, metrics
from agora_recording.wiring import AgoraSettings

LEASE = (target.PARTITION, "LEASE")
LEASE_S = 300  # as long as the room may run: its holder is alive, or the lease has run out
_LOOK_S = 5  # how often one that waits looks whether the other has finished
_LOOKS = 12


class RefreshSettings(AgoraSettings, frozen=True, kw_only=True):
    """The environment of this room. An empty text leaves a target out."""

    stack_name: str
    security_group_ids: str = ""  # separated by commas
    security_group_tag: str = ""  # key=value
    security_group_quota: int = security_group.SECURITY_GROUP_QUOTA
    prefix_list_id: str = ""
    waf_ip_set_v4: str = ""  # name|id|scope
    waf_ip_set_v6: str = ""
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
    lease: Lease | None = None,
    now: Callable[[], int] = clock.now_ms,
    sleep: Callable[[float], None] = time.sleep,
) -> dict[str, Any]:
    """Return the plan of each target, carried out unless it was a dry run.

    Raises FirewallError when a target failed, after all others were done, or when another run does
    not end; AddressesRefusedError or an AgoraError when there was no answer to act upon, and then
    no target was touched. For CloudFormation nothing is raised: a firewall that is late has alarms,
    a stuck stack has none. For the schedule, Agora's keys may be missing: a new stack has none yet.
    """

    @contextmanager
    def prepared(*, dry_run: bool = False) -> Iterator[tuple[RefreshSettings, Targets]]:
        found = settings or RefreshSettings.from_env()
        taken = lease or Lease(found.table_name, now_ms=now, key=LEASE)
        with nullcontext() if dry_run else _alone(taken, sleep):
            yield found, targets or find_targets(found)

    def refresh(*, dry_run: bool = False, accept_drop: bool = False) -> dict[str, Any]:
        with prepared(dry_run=dry_run) as (found, all_targets):
            ask = get or agora_get(found)
            return _refresh(
                found, ask, all_targets, now(), dry_run=dry_run, accept_drop=accept_drop
            )

    def take_back() -> None:
        if event.get("ResourceProperties", {}).get("RemoveRulesOnDelete") == "true":
            with prepared() as (_, all_targets):
                _take_back(all_targets)

    match event:
        case {"RequestType": "Delete"}:
            return _serve_cloudformation(event, take_back)
        case {"RequestType": _}:
            return _serve_cloudformation(event, refresh)
        case {"scheduled": True}:
            try:
                return refresh()
            except SecretUnavailableError as error:
                logger.warning("addresses not refreshed", reason=str(error))
                return {"skipped": str(error)}
        case _:
            return refresh(
                dry_run=bool(event.get("dryRun")), accept_drop=bool(event.get("acceptDrop"))
            )


@contextmanager
def _alone(lease: Lease, sleep: Callable[[float], None]) -> Iterator[None]:
    """Hold the lease, after waiting a minute for it at most. Raises FirewallError when it is held.

    Runs that overlap would forget what the other let in, and an old answer could undo a new one.
    """
    for _ in range(_LOOKS):
        if lease.take(LEASE_S) is not None:
            break
        sleep(_LOOK_S)
    else:
        _count("RefreshBusy")
        raise FirewallError("Another refresh is still running; repeat this one when it is done.")
    try:
        yield
    finally:
        lease.release()


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
            security_group.SecurityGroupTarget(group_id, settings.stack_name, quota=quota)
            for group_id in ids
        ]

    sources: dict[str, Callable[[], list[Target]]] = {
        "allow-list": lambda: [allow_list.AllowListTarget(settings.table_name)]
    }
    if ids := _names(settings.security_group_ids):
        sources["security groups"] = partial(groups, ids)
    if tag := settings.security_group_tag:
        sources[tag] = lambda: groups(security_group.discover_security_groups(tag))
    if list_id := settings.prefix_list_id:
        sources[list_id] = lambda: [prefix_list.PrefixListTarget(list_id, settings.stack_name)]
    for reference in filter(None, (settings.waf_ip_set_v4, settings.waf_ip_set_v6)):
        sources[reference] = partial(_ip_set, reference)
    return Targets(sources, TargetMemories(settings.table_name))


def _ip_set(reference: str) -> list[Target]:
    return [waf.WafIpSetTarget(reference)]


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
    except (AgoraError, SecretUnavailableError):
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


def _take_back(targets: Targets) -> None:
    """Remove the stack's rules. Raises FirewallError when some would not go."""
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
