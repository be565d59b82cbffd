"""Secrets Manager in memory."""

from __future__ import annotations

from types import SimpleNamespace

from tests.world.errors import ResourceNotFoundException, error

_PLACES = {"AWSCURRENT": -1, "AWSPREVIOUS": -2}


class FakeSecretsManager:
    """A Secrets Manager client: the texts of secrets by id. A new text makes the old one previous.

    `reads` counts how often a secret was asked for.
    """

    exceptions = SimpleNamespace(ResourceNotFoundException=ResourceNotFoundException)

    def __init__(self, **secrets: str) -> None:
        self.versions = {secret_id: [text] for secret_id, text in secrets.items()}
        self.reads = 0

    def get_secret_value(
        self, *, SecretId: str, VersionStage: str = "AWSCURRENT"
    ) -> dict[str, str]:
        """Read a secret."""
        self.reads += 1
        versions = self.versions.get(SecretId, [])
        place = _PLACES[VersionStage]
        if len(versions) < -place:
            raise error(ResourceNotFoundException)
        return {"SecretString": versions[place]}

    def put_secret_value(self, *, SecretId: str, SecretString: str) -> None:
        """Store a new text of a secret."""
        self.versions[SecretId].append(SecretString)
