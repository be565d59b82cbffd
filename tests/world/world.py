"""A world in memory: AWS, an Agora that answers by script, some recordings, and every part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

from agora_recording.aws.signing import Keys
from agora_recording.life.store import claim_of, row_of
from agora_recording.recording.model import Recording, from_row
from agora_recording.wiring.outside import Outside
from agora_recording.wiring.parts import Parts
from tests.world.agora import Answer, ScriptedAgora
from tests.world.app import CALLBACK_SECRET, FakePoster
from tests.world.bucket import FakeBucket
from tests.world.builders import RECORDING_ID
from tests.world.bus import FakeBus
from tests.world.clock import Timeline
from tests.world.faults import Faults
from tests.world.kms import FakeKms
from tests.world.queue import FakeQueue
from tests.world.schedules import FakeScheduler
from tests.world.secrets import FakeSecretsManager
from tests.world.settings import WorldSettings
from tests.world.step_functions import FakeStepFunctions
from tests.world.storage import FakeStorage
from tests.world.table import FakeTable
from tests.world.webhook import NOW_MS

AGORA_SECRET = '{"customerId": "customer", "customerSecret": "hush"}'


class World:
    """What a room meets. A test takes its part from `parts`, and looks at the fakes.

    `script` is what Agora answers, in turn; `now_ms` the present; `variables` are those of rooms
    (tests/world/settings.py). A subclass may put another fake in the place of one of these before
    the first part is made.
    """

    agora: Any
    queue: Any

    def __init__(
        self,
        *rows: Recording,
        script: Sequence[Answer] = (),
        now_ms: int = NOW_MS,
        faults: Faults | None = None,
        **variables: Any,
    ) -> None:
        self.settings = WorldSettings(**variables)
        self.clock = Timeline(now_ms)
        self.faults = faults or Faults()
        self.table = FakeTable(self.faults)
        self.bucket = FakeBucket(self.clock, self.faults)
        self.bus = FakeBus(self.faults)
        self.queue = FakeQueue(self.faults)
        self.kms = FakeKms()
        self.scheduler = FakeScheduler(self.faults)
        self.secrets = FakeSecretsManager(
            agora=AGORA_SECRET, callbacks=f'{{"current": "{CALLBACK_SECRET}"}}'
        )
        self.app = FakePoster(self.clock)
        self.machine = FakeStepFunctions(self.faults)
        self.agora = ScriptedAgora(*script)
        self.storage = FakeStorage(is_temporary=self.settings.storage_credentials == "temporary")
        for row in rows:
            self.add(row)

    @cached_property
    def outside(self) -> Outside:
        """This world, as the parts see it."""
        clients: dict[str, Any] = {
            "poster": self.app,
            "dynamodb": self.table,
            "events": self.bus,
            "kms": self.kms,
            "s3": self.bucket,
            "scheduler": self.scheduler,
            "secretsmanager": self.secrets,
            "sqs": self.queue,
            "stepfunctions": self.machine,
        }
        return Outside(
            **clients,
            keys=lambda: Keys("AKID", "secret", "token"),
            now_ms=self.clock,
            monotonic=lambda: self.clock() / 1000,
            sleep=self.sleep,
            random_bytes=self.random_bytes,
        )

    @cached_property
    def parts(self) -> Parts[WorldSettings]:
        """The parts of all rooms, with this world around them."""
        return Parts(self.settings, self.outside, agora=self.agora, storage=self.storage)

    # --- what happens without a room ---

    def add(self, row: Recording) -> None:
        """Let a recording be there, and the claims of its attempts."""
        for attempt in row.attempts:
            self.table.add(claim_of(row, attempt))
        self.table.add(row_of(row, self.settings.timings))

    def later(self, seconds: float, act: Callable[..., object], *arguments: Any) -> int:
        """Do something after a while; return a number by which it can be cancelled."""
        return self.clock.later(seconds, act, *arguments)

    def sleep(self, seconds: float) -> None:
        """Let time pass for whoever sleeps."""
        self.clock.sleep(seconds)

    def random_bytes(self, count: int) -> bytes:
        """Return as many bytes as asked for, always the same."""
        return bytes(count)

    # --- what a test looks at ---

    @property
    def row(self) -> Recording:
        """The recording as it is."""
        return from_row(self.table.row(f"REC#{RECORDING_ID}", "META"))

    @property
    def notes(self) -> list[dict[str, Any]]:
        """The recording's timeline, oldest first."""
        return self.table.rows(f"REC#{RECORDING_ID}", "LOG#")

    @property
    def kinds(self) -> list[str]:
        """The kinds of its notes, sorted."""
        return sorted(note["kind"] for note in self.notes)
