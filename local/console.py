"""The console beside the embedded stack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from local.emulator import port_error
from operate import deployment
from operate.commands import STACK, keep_the_log_out
from operate.console.desk import Desk
from operate.console.server import Console
from operate.doctor.patient import local_doors


def console_of(facts: Mapping[str, Any], port: int = 0) -> Console:
    """Return the console of the stack of these facts (local/stack.json); enter it to serve it.

    Raises EmulatorError if the port cannot be used.
    From now on, the AWS clients of this process call that stack.
    """
    keep_the_log_out()
    deployment.enter_local(facts)
    desk = Desk.of(deployment.find(STACK), local_doors(facts), is_local=True)
    try:
        return Console(desk, port)
    except OSError as error:
        raise port_error(port, "--console-port", error) from error
