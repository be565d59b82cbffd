"""KMS in memory."""

from __future__ import annotations

import base64
import json
from typing import Any


class FakeKms:
    """KMS with one key, for both directions; the context must be the same."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def encrypt(self, *, KeyId: str, Plaintext: bytes, EncryptionContext: Any) -> dict[str, bytes]:
        """Turn a text of at most 4 kB round, behind its context."""
        assert len(Plaintext) <= 4096
        self.calls.append("encrypt")
        seal = json.dumps(EncryptionContext).encode()
        return {"CiphertextBlob": base64.b64encode(seal) + b"." + Plaintext[::-1]}

    def decrypt(
        self, *, KeyId: str, CiphertextBlob: bytes, EncryptionContext: Any
    ) -> dict[str, bytes]:
        """Turn it back. Raises ValueError for another context."""
        self.calls.append("decrypt")
        seal, _, turned = CiphertextBlob.partition(b".")
        if json.loads(base64.b64decode(seal)) != EncryptionContext:
            raise ValueError("InvalidCiphertextException")
        return {"Plaintext": turned[::-1]}
