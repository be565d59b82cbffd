"""MiniStack as a child process: an AWS emulator on loopback that enforces and audits IAM."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.error import URLError
from urllib.request import urlopen

HOST = "127.0.0.1"
REGION = "us-east-1"
ROOT = ("test", "test")  # MiniStack's root caller
_LAST_LINES = 20
_START_S = 60  # on a machine that is busy with other things


class EmulatorError(Exception):
    """The embedded stack cannot run; the message is one sentence for the user."""


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        port: int = listener.getsockname()[1]
    return port


def port_error(port: int, option: str, error: OSError) -> EmulatorError:
    """Say why nothing can listen on a port; `option` of the command line chooses another one."""
    if isinstance(error, PermissionError):
        return EmulatorError(
            f"You have no right to use port {port}: choose one from 1024 on with {option}."
        )
    return EmulatorError(
        f"Port {port} is in use: end the program there, or choose another port with {option}."
    )


class Emulator:
    """One MiniStack. Its log, its IAM audit, the calls of AWS and the requests to the API are files
    in `folder`.

    With `has_weather`, what `local.weather` reads and writes is there, too: `forecast`, `faults`.
    """

    def __init__(self, folder: Path, *, port: int, speed: float, has_weather: bool = False) -> None:
        self.folder = folder
        self.port = port
        self.audit = folder / "iam.jsonl"
        self.calls = folder / "calls.jsonl"
        self.requests = folder / "requests.jsonl"
        self.log = folder / "emulator.log"
        self.forecast = folder / "forecast.json"
        self.faults = folder / "faults.jsonl"
        self._has_weather = has_weather
        self._speed = speed
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The endpoint URL for every AWS client."""
        return f"http://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except OSError as error:
                raise port_error(self.port, "--port", error) from error
        self.audit.unlink(missing_ok=True)
        self.calls.unlink(missing_ok=True)
        self.requests.unlink(missing_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.audited_ministack"],
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the parent, which then ends the child
            )
        try:
            self._await_health()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        if self._process is None:
            return
        group = self._process.pid
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        # Its functions run as processes of the same group, and must end with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)

    def _environment(self) -> dict[str, str]:
        # A clean environment: no profile, proxy or endpoint of the developer's may leak in.
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        weather = {"AWS_WEATHER": str(self.forecast), "AWS_FAULTS": str(self.faults)}
        return {
            **kept,
            **(weather if self._has_weather else {}),
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent)]),
            "TMPDIR": str(self.folder),
            "AUTH": "true",
            "GATEWAY_PORT": str(self.port),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "MINISTACK_REGION": REGION,
            "AWS_ENDPOINT_URL": self.url,
            "SFN_WAIT_SCALE": str(1 / self._speed),
            "LAMBDA_STATE_TRANSITION_SECONDS": "0",
            "IOT_MTLS_ENABLED": "false",  # it would listen on a port of its own
            "SFTP_ENABLED": "false",
            "IAM_AUDIT": str(self.audit),
            "AWS_CALLS": str(self.calls),
            "API_REQUESTS": str(self.requests),
            "LOG_LEVEL": "INFO",
        }

    def _await_health(self) -> None:
        assert self._process is not None
        end = time.monotonic() + _START_S
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise EmulatorError(f"The AWS emulator ended at once. {self._last_words()}")
            try:
                with urlopen(f"{self.url}/_ministack/health", timeout=1) as answer:
                    if answer.status == 200:
                        return
            except (URLError, OSError):
                time.sleep(0.02)
        raise EmulatorError(f"The AWS emulator did not start in {_START_S} s. {self._last_words()}")

    def _last_words(self) -> str:
        """Return the end of the log in a sentence: its folder is gone when somebody reads it."""
        lines = self.log.read_text(errors="replace").splitlines()
        if not lines:
            return "It has logged nothing."
        return "The end of its log:\n" + "\n".join(lines[-_LAST_LINES:])
