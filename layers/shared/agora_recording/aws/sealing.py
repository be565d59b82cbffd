"""Encrypts (seals) the secrets of a clientRequest: RTC token, decryption keys, CDN URLs.

A recording starts after its request was answered, so these must be kept for some time. They are
kept as KMS ciphertext, bound to the recording's id. The room that creates a recording may only
encrypt; only the rooms that start and update it may decrypt.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from agora_recording.aws import clients

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

_CHUNK = 4096  # bytes that KMS encrypts at once (AWS KMS API: Encrypt)


class Sealer:
    """Seals and unseals short lists of JSON values with one KMS key."""

    def __init__(self, key_id: str, client: KMSClient | None = None) -> None:
        self._key_id = key_id
        self._client = client

    def seal(self, recording_id: str, secrets: Sequence[Any]) -> list[str]:
        """Return the ciphertext (base64, one part for each 4 KB); empty for no secrets."""
        if not secrets:
            return []
        client = self._client or clients.kms()
        plain = msgspec.json.encode(secrets)
        return [
            b64encode(
                client.encrypt(
                    KeyId=self._key_id,
                    Plaintext=plain[start : start + _CHUNK],
                    EncryptionContext={"recordingId": recording_id},
                )["CiphertextBlob"]
            ).decode()
            for start in range(0, len(plain), _CHUNK)
        ]

    def unseal(self, recording_id: str, sealed: Sequence[str]) -> list[Any]:
        """Return what was sealed for this recording."""
        if not sealed:
            return []
        client = self._client or clients.kms()
        plain = b"".join(
            client.decrypt(
                KeyId=self._key_id,
                CiphertextBlob=b64decode(part),
                EncryptionContext={"recordingId": recording_id},
            )["Plaintext"]
            for part in sealed
        )
        return msgspec.json.decode(plain, type=list[Any])
