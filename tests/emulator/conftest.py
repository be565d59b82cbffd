"""The emulator alone, without the stack: each rule of AWS that it enforces is broken once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from local.emulator import REGION, ROOT, Emulator, free_port

Client = Callable[..., Any]


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    folder: Path = tmp_path_factory.mktemp("emulator")
    with Emulator(folder, port=free_port(), speed=1) as running:
        yield running


@pytest.fixture(scope="session")
def client(emulator: Emulator) -> Client:
    """Make a client of the root caller, which does not check parameters itself: AWS has to."""
    return client_of(emulator)


def client_of(emulator: Emulator) -> Client:
    """Return what makes clients of an emulator, by default the root caller's."""

    def make(service: str, *, tries: int = 1, **more: Any) -> Any:
        given: dict[str, Any] = {
            "aws_access_key_id": ROOT[0],
            "aws_secret_access_key": ROOT[1],
            **more,
        }
        of_service: Any = boto3.client  # its overloads accept only a literal name
        return of_service(
            service,
            endpoint_url=emulator.url,
            region_name=REGION,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": tries},
                parameter_validation=False,
                s3={"addressing_style": "path"},
            ),
            **given,
        )

    return make
