"""What every page of the console is given: the stack, the operator's acts, and the ways to it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Self, TypeVar

from agora_recording.aws import clients
from agora_recording.wiring.parts import Parts
from operate.deployment import Deployment, StackSettings
from operate.doctor.patient import Doors, Patient
from operate.operations import Operator

T = TypeVar("T")
_KEPT = 64


class Desk:
    """One stack, read and changed with the operator's own credentials.

    `parts` read the table and the bucket; `operator` has the acts of the operator's commands;
    `patient` calls the stack's own API, signed, and is what the checks examine.
    """

    def __init__(
        self,
        stack: Deployment,
        patient: Patient,
        operator: Operator | None = None,
        *,
        is_local: bool = False,
    ) -> None:
        self.stack = stack
        self.patient = patient
        self.parts: Parts[StackSettings] = patient.parts
        self.operator = operator or Operator(stack, patient.parts)
        self.is_local = is_local
        self.memory = Memory(patient.now_ms)

    @classmethod
    def of(cls, stack: Deployment, doors: Doors, *, is_local: bool = False) -> Self:
        """Return the desk of a stack in AWS, or of the embedded one."""
        # boto3 must not make clients in several threads at once, and each page has its own.
        for make in (clients.dynamodb, clients.s3, clients.sqs, clients.stepfunctions):
            make()
        return cls(stack, Patient(stack, doors), is_local=is_local)

    def now_ms(self) -> int:
        """Return the present (epoch ms)."""
        return self.patient.now_ms()


class Memory:
    """Keeps answers for a while, so that a page that moves does not ask AWS each time."""

    def __init__(self, now_ms: Callable[[], int]) -> None:
        self._now_ms = now_ms
        self._kept: OrderedDict[Hashable, tuple[int, Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, seconds: float, make: Callable[[], T]) -> T:
        """Return what `make` returned less than `seconds` ago, or now. What it raises is passed
        on, and not kept.
        """
        now = self._now_ms()
        with self._lock:
            found = self._kept.get(key)
        if found and now < found[0]:
            kept: T = found[1]
            return kept
        made = make()
        with self._lock:
            self._kept[key] = (now + round(seconds * 1000), made)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return made

    def forget(self, key: Hashable) -> None:
        """Let the next `get` ask again."""
        with self._lock:
            self._kept.pop(key, None)
