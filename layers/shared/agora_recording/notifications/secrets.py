"""The valid notification secrets; a rotation needs no deploy."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import boto3
import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from agora_recording.errors import SecretUnavailableError, SignatureError
from agora_recording.notifications.envelope import verify

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

# Two versions are read, one after the other, and both must fit into 5 s, as a call to the table
# does (store.py). A try that fails is not repeated here: Agora sends the notification again.
CLIENT_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 1},
    user_agent_extra="agora-recording",
)
_KEEP_MS = 300_000
_ASK_AGAIN_MS = 10_000


@cache
def _secretsmanager() -> SecretsManagerClient:
    return boto3.client("secretsmanager", config=CLIENT_CONFIG)


class NotificationSecrets:
    """Knows which secrets may sign, and reads them again when a signature fits none of them.

    The secret's text is `{"secrets": ["current", "previous"]}` or the secret as plain text. The
    versions AWSCURRENT and AWSPREVIOUS are both valid, so storing a new secret is the whole
    rotation; the operator's `rotate-secret` keeps all that are live, and its `--forget` removes all
    but the newest. If the new secret is stored 10 s before Agora signs with it, no authentic
    notification is refused: after an unknown signature, a warm environment reads the secret again,
    but at most once in 10 s, since anybody may send forged signatures.
    """

    def __init__(self, secret_id: str, client: SecretsManagerClient | None = None) -> None:
        self._secret_id = secret_id
        self._client = client
        self._secrets: tuple[str, ...] = ()
        self._asked_ms = 0

    def verify(
        self, raw: bytes, headers: Mapping[str, str], now_ms: int, *, allow_v1: bool = True
    ) -> None:
        """Check that a valid secret signed `raw`.

        Raises SignatureError if none did, and SecretUnavailableError if that cannot be checked: the
        secret is missing or not filled in, or Secrets Manager did not answer.
        """
        if not self._secrets:
            self._ask(now_ms)
        elif now_ms - self._asked_ms >= _KEEP_MS:
            # While Secrets Manager does not answer, the secrets of before stay valid.
            with suppress(SecretUnavailableError):
                self._ask(now_ms)
        try:
            verify(raw, headers, self._secrets, allow_v1=allow_v1)
        except SignatureError:
            if now_ms - self._asked_ms < _ASK_AGAIN_MS:
                raise
            self._ask(now_ms)
            verify(raw, headers, self._secrets, allow_v1=allow_v1)

    def _ask(self, now_ms: int) -> None:
        self._asked_ms = now_ms
        found = (
            *parse_secrets(self._text("AWSCURRENT")),
            *parse_secrets(self._text("AWSPREVIOUS")),
        )
        if not found:
            raise SecretUnavailableError(
                f'{self._secret_id} holds neither {{"secrets": ["..."]}} nor a bare secret'
            )
        self._secrets = tuple(dict.fromkeys(found))

    def _text(self, stage: str) -> str:
        client = self._client or _secretsmanager()
        try:
            answer = client.get_secret_value(SecretId=self._secret_id, VersionStage=stage)
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":  # never filled in, or never rotated
                return ""
            raise SecretUnavailableError(
                f"Secrets Manager does not give {self._secret_id}: {code}"
            ) from error
        except BotoCoreError as error:
            raise SecretUnavailableError("Secrets Manager does not answer") from error
        return answer.get("SecretString", "")


class _Listed(msgspec.Struct):
    secrets: list[str]


def parse_secrets(text: str) -> tuple[str, ...]:
    """Return the secrets that the stored text holds, the newest first."""
    text = text.strip()
    if not text.startswith("{"):
        return (text,) if text else ()
    try:
        return tuple(filter(None, msgspec.json.decode(text, type=_Listed).secrets))
    except msgspec.DecodeError:
        return ()
