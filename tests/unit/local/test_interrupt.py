"""Ctrl-C ends what waits for it, whenever it comes and however often."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from local.template import ROOT

# Signals come all the time while the main thread begins and ends to wait, thousands of times.
STORM = """
import os, signal, threading
from local.agora.interrupt import Interrupt

interrupt = Interrupt()
over = threading.Event()

def storm():
    while not over.is_set():
        os.kill(os.getpid(), signal.SIGINT)

thread = threading.Thread(target=storm)
thread.start()
came = [interrupt.wait(0.00001) for _ in range(20_000)]
over.set()
thread.join()
print(came[-1], interrupt.wait(0), interrupt.wait())
"""
ONE = """
import os, signal, sys
from local.agora.interrupt import Interrupt

interrupt = Interrupt()
print(interrupt.wait(0), end=" ")
os.kill(os.getpid(), int(sys.argv[1]))
print(interrupt.wait(), interrupt.wait(0))
"""


def ran(program: str, *arguments: str) -> str:
    """Run a program that notes signals; a test may not do so in its own process."""
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout.strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_stays_noted(number: int) -> None:
    assert ran(ONE, str(int(number))) == "False True True"


def test_signals_that_come_between_any_two_steps_do_not_stop_the_program_for_ever() -> None:
    assert ran(STORM) == "True True True"
