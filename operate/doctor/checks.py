"""All checks, in the order in which they are told."""

from __future__ import annotations

from operate.doctor import (
    account,
    agora,
    alarms,
    api,
    bucket,
    bus,
    drift,
    executions,
    notifications,
    queues,
    roles,
    schedule,
    secrets,
    uploader,
)
from operate.doctor.check import Check

ALL: tuple[Check, ...] = (
    *account.CHECKS,
    *secrets.CHECKS,
    *agora.CHECKS,
    *uploader.CHECKS,
    *bucket.CHECKS,
    *notifications.CHECKS,
    *api.CHECKS,
    *schedule.CHECKS,
    *executions.CHECKS,
    *queues.CHECKS,
    *alarms.CHECKS,
    *bus.CHECKS,
    *roles.CHECKS,
    *drift.CHECKS,
)
