"""What makes storageConfigs."""

from __future__ import annotations

from typing import Any

from tests.world.bucket import BUCKET


class FakeStorage:
    """What makes storageConfigs; the number tells one from the next."""

    def __init__(self, *, is_temporary: bool = False) -> None:
        self.is_temporary = is_temporary
        self.made = 0

    def config(self, prefix: str) -> dict[str, Any]:
        """Return a storageConfig."""
        self.made += 1
        return {"vendor": 1, "bucket": BUCKET, "fileNamePrefix": [prefix], "number": self.made}
