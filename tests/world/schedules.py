"""EventBridge Scheduler in memory: one-time schedules, which a test lets come when it likes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import msgspec

from tests.world.errors import ConflictException, ResourceNotFoundException, error
from tests.world.faults import Faults, operation


class FakeScheduler:
    """A client with one group. `schedules` are the requests that made or changed them, by name."""

    exceptions = SimpleNamespace(
        ConflictException=ConflictException, ResourceNotFoundException=ResourceNotFoundException
    )

    def __init__(self, faults: Faults | None = None) -> None:
        self.faults = faults or Faults()
        self.schedules: dict[str, dict[str, Any]] = {}
        self.is_away = False

    @property
    def times(self) -> dict[str, str]:
        """When each comes, by the act that it asks for."""
        return {self.event(name)["act"]: each["ScheduleExpression"] for name, each in self.all}

    @property
    def all(self) -> list[tuple[str, dict[str, Any]]]:
        """Every schedule with its name, in the order of names."""
        return sorted(self.schedules.items())

    def event(self, name: str) -> dict[str, Any]:
        """Return what a schedule tells its room."""
        told: dict[str, Any] = msgspec.json.decode(self.schedules[name]["Target"]["Input"])
        return told

    @operation
    def create_schedule(self, **schedule: Any) -> None:
        """Make a schedule, unless its name is taken."""
        self._answer()
        if schedule["Name"] in self.schedules:
            raise error(ConflictException)
        self.schedules[schedule["Name"]] = schedule

    @operation
    def update_schedule(self, **schedule: Any) -> None:
        """Replace a schedule."""
        self._answer()
        if schedule["Name"] not in self.schedules:
            raise error(ResourceNotFoundException)
        self.schedules[schedule["Name"]] = schedule

    def _answer(self) -> None:
        if self.is_away:
            raise error("InternalServerException")
