"""A port that cannot be used is told in a sentence, with the option that chooses another one."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

import pytest

from local import console
from local.emulator import HOST, Emulator, EmulatorError, free_port
from operate import deployment
from operate.console.desk import Desk

pytestmark = pytest.mark.enable_socket

TAKEN = OSError(errno.EADDRINUSE, "Address already in use")
FORBIDDEN = PermissionError(errno.EACCES, "Permission denied")
SENTENCES = [
    (TAKEN, "Port 80 is in use: end the program there, or choose another port with {}."),
    (FORBIDDEN, "You have no right to use port 80: choose one from 1024 on with {}."),
]


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_a_port_that_the_emulator_cannot_use_names_its_option(
    error: OSError, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setattr(socket.socket, "bind", refuse)
    with pytest.raises(EmulatorError) as refused, Emulator(tmp_path, port=80, speed=1):
        pass
    assert str(refused.value) == sentence.format("--port")


def test_a_port_on_which_somebody_listens_is_in_use(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as listener:
        port = listener.getsockname()[1]
        with (
            pytest.raises(EmulatorError, match=f"^Port {port} is in use: "),
            Emulator(tmp_path, port=port, speed=1),
        ):
            pass


@pytest.mark.parametrize(("error", "sentence"), SENTENCES)
def test_a_port_that_the_console_cannot_use_names_its_option(
    error: OSError, sentence: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error

    for module, name in ((deployment, "enter_local"), (deployment, "find"), (Desk, "of")):
        monkeypatch.setattr(module, name, lambda *_, **__: None)
    monkeypatch.setattr(console, "keep_the_log_out", lambda: None)
    monkeypatch.setattr(console, "local_doors", lambda _: None)
    monkeypatch.setattr(console, "Console", refuse)
    with pytest.raises(EmulatorError) as refused:
        console.console_of({}, 80)
    assert str(refused.value) == sentence.format("--console-port")


def test_an_emulator_that_ends_at_once_is_told_with_the_end_of_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator(tmp_path, port=free_port(), speed=1)
    monkeypatch.setattr(emulator, "_environment", lambda: {"PYTHONPATH": str(tmp_path)})
    with pytest.raises(EmulatorError, match="ended at once") as refused, emulator:
        pass
    assert str(refused.value).endswith("KeyError: 'IAM_AUDIT'")
