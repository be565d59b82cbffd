"""Secrets, read from Secrets Manager into typed values and kept for five minutes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from agora_recording.aws import clients
from agora_recording.errors import SecretUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

T = TypeVar("T")
_KEEP_S = 300


class SecretStore:
    """Reads secrets whose text is a JSON object. `monotonic` is a clock in seconds."""

    def __init__(
        self,
        client: SecretsManagerClient | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._kept: dict[str, tuple[float, Any]] = {}

    def read(self, secret_id: str, kind: type[T]) -> T:
        """Return the secret as a `kind`.

        Raises SecretUnavailableError if it cannot be read or has another form. The message never
        has a part of the content.
        """
        at, value = self._kept.get(secret_id, (0.0, None))
        if value is not None and self._monotonic() - at < _KEEP_S:
            return value  # type: ignore[no-any-return]
        client = self._client or clients.secretsmanager()
        try:
            text = client.get_secret_value(SecretId=secret_id)["SecretString"]
            value = msgspec.json.decode(text, type=kind)
        except (msgspec.DecodeError, client.exceptions.ResourceNotFoundException, KeyError):
            # `from None`: the cause would carry the text into the log.
            raise SecretUnavailableError(
                f"The secret {secret_id} is not filled in as {kind.__name__} expects; "
                "docs/operations.md shows its form."
            ) from None
        self._kept[secret_id] = (self._monotonic(), value)
        return value

    def forget(self, secret_id: str) -> None:
        """Read the secret again next time (Agora refused it: it may have been rotated)."""
        self._kept.pop(secret_id, None)
