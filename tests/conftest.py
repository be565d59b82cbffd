"""What holds for every test: no credentials but false ones, so no test can reach an account."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _no_account() -> Iterator[None]:
    """Forget the developer's AWS settings (a profile breaks boto3 even inside moto)."""
    with pytest.MonkeyPatch.context() as environment:
        for name in [each for each in os.environ if each.startswith("AWS_")]:
            environment.delenv(name)
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_REGION", "us-east-1")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield
