"""Refreshes firewalls with Agora's notification addresses: ask, plan, carry out, report."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import msgspec
from aws_lambda_powertools.metrics import MetricUnit

from agora_recording import clock
from agora_recording.aws.lease import Lease
from agora_recording.errors import (
    AddressesRefusedError,
    AgoraError,
    FirewallError,
    SecretUnavailableError,
)
from agora_recording.firewall.addresses import ENDPOINTS, Get, fetch
from agora_recording.firewall.plan import Policy, farewell, make_plan
from agora_recording.firewall.target import PARTITION, Outcome, Targets
from agora_recording.observability import count, logger, metrics

LEASE = (PARTITION, "LEASE")
LEASE_S = 300  # as long as the room may run: its holder is alive, or the lease has expired
_LOOK_S = 5  # between two tries of a run that waits for another
_LOOKS = 12


class Refresher(msgspec.Struct, frozen=True, kw_only=True):
    """Keeps every target open to the addresses that Agora names. Only one run at a time.

    `get` asks Agora at one of `urls`; `find_targets` is called once a run. `allow_documentation`
    accepts addresses that are reserved for documentation (addresses.py). `now` returns epoch ms,
    `sleep` takes seconds.
    """

    get: Get
    find_targets: Callable[[], Targets]
    lease: Lease
    policy: Policy
    urls: tuple[str, ...] = ENDPOINTS
    allow_documentation: bool = False
    now: Callable[[], int] = clock.now_ms
    sleep: Callable[[float], None] = time.sleep

    def refresh(
        self,
        *,
        dry_run: bool = False,
        accept_drop: bool = False,
        on_wait: Callable[[str], object] = lambda _: None,
    ) -> dict[str, Any]:
        """Bring every target up to date; return {dryRun, addresses, targets, failed} for people.

        `targets` has the plan of each target by its id, `failed` the error of each. A dry run
        plans, writes nothing and does not wait for another run. `accept_drop`: a person confirms
        the answer, however many addresses it lacks. `on_wait` is told once, in a sentence, if this
        run has to wait for another.

        Raises FirewallError when a target failed, after all others were done, or when another run
        does not end; AddressesRefusedError or an AgoraError when there was no usable answer, and
        SecretUnavailableError when Agora's keys are not filled in: after these, no target was
        changed.
        """
        if dry_run:
            return self._refresh(dry_run=True, accept_drop=accept_drop)
        with self._alone(on_wait):
            return self._refresh(dry_run=False, accept_drop=accept_drop)

    def take_back(self) -> None:
        """Remove the stack's rules from every target.

        Raises FirewallError if some could not be removed, or if another run does not end.
        """
        with self._alone():
            failed = self.find_targets().carry_out(farewell).failed
        if failed:
            raise FirewallError(_list(failed))

    @contextmanager
    def _alone(self, on_wait: Callable[[str], object] = lambda _: None) -> Iterator[None]:
        """Hold the lease; wait a minute for it at most. Raises FirewallError if it stays taken.

        Runs that overlap would overwrite the record of what the other let in, and an old answer
        could undo a new one.
        """
        for look in range(_LOOKS):
            if self.lease.take(LEASE_S) is not None:
                break
            if look == 0:
                on_wait("Another refresh is running; this one follows it.")
            self.sleep(_LOOK_S)
        else:
            count("RefreshBusy")
            raise FirewallError(
                "Another refresh is still running; repeat this one when it is done."
            )
        try:
            yield
        finally:
            self.lease.release()

    def _refresh(self, *, dry_run: bool, accept_drop: bool) -> dict[str, Any]:
        targets, now_ms = self.find_targets(), self.now()
        try:
            wanted = self._ask()
            decide = partial(
                make_plan,
                wanted=wanted,
                now_ms=now_ms,
                policy=self.policy,
                accept_drop=accept_drop,
            )
            outcome = targets.carry_out(decide, dry_run=dry_run)
        finally:
            _measure_age(targets, now_ms)
        for target_id, error in outcome.failed.items():
            logger.error("firewall target failed", target=target_id, exc_info=error)
        report = {
            "dryRun": dry_run,
            "addresses": sorted(wanted),
            "targets": {target_id: each.to_event() for target_id, each in outcome.plans.items()},
            "failed": {target_id: _text(error) for target_id, error in outcome.failed.items()},
        }
        logger.info("addresses refreshed", report=report)
        count("AddressesNamed", len(wanted))
        if not dry_run:
            _judge(outcome)
        return report

    def _ask(self) -> frozenset[str]:
        """Return the addresses that Agora names; without a usable answer, count the reason."""
        try:
            return fetch(self.get, self.urls, allow_documentation=self.allow_documentation)
        except AddressesRefusedError:
            count("AddressesRefused")
            raise
        except (AgoraError, SecretUnavailableError):
            count("AddressesUnavailable")
            raise


def _judge(outcome: Outcome) -> None:
    """Count the targets by their results. Raises FirewallError if a target failed."""
    plans, failed = outcome
    refused = sum(each.refused is not None for each in plans.values())
    count("AddressesRefused", refused)
    count("AddressesRefreshed", len(plans) - refused)
    count("FirewallTargetFailed", len(failed))
    if failed:
        raise FirewallError(f"{len(failed)} of {len(plans) + len(failed)} targets: {_list(failed)}")


def _measure_age(targets: Targets, now_ms: int) -> None:
    """Emit the age of the last good answer, for the target where it is oldest.

    Nothing is emitted while a target never had one: for the alarm, missing data is breaching.
    """
    since_ms = targets.fresh_since_ms()
    if since_ms is not None:
        metrics.add_metric("AddressesAgeSeconds", MetricUnit.Seconds, (now_ms - since_ms) / 1000)


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"


def _list(failed: Mapping[str, Exception]) -> str:
    return "; ".join(f"{target_id}: {_text(error)}" for target_id, error in failed.items())
