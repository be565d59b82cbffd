"""Output for people: colours and a live line on a terminal, plain lines in a pipe."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from typing import TextIO

WIDTH = 80  # columns: the terminal that everybody has
_INDENT = 11  # of what a step says, behind its time
_COLOURS = {"green": "32", "yellow": "33", "red": "31", "blue": "34", "grey": "90", "bold": "1"}


class Screen:
    """Prints steps with the seconds since `Screen` was made."""

    def __init__(self, out: TextIO = sys.stdout) -> None:
        self._out = out
        self._lively = out.isatty() and "NO_COLOR" not in os.environ
        self._began = time.monotonic()
        self._is_live = False

    def paint(self, text: str, colour: str) -> str:
        """Return the text in a colour, if the output has colours."""
        return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m" if self._lively else text

    def head(self, text: str) -> None:
        """Print a heading."""
        self._print("\n" + self.paint(text, "bold"))

    def step(self, what: str, more: str = "", colour: str = "green") -> None:
        """Print one thing that happened, with its time."""
        seconds = f"{time.monotonic() - self._began:7.2f} s"
        first, *rest = textwrap.wrap(
            f"{what}  {more}".rstrip(), WIDTH - _INDENT, break_long_words=False
        )
        shown = self.paint(first[: len(what)], colour) + first[len(what) :]
        self._print(f"{self.paint(seconds, 'grey')}  {shown}")
        for line in rest:
            self._print(" " * _INDENT + line)

    def line(self, text: str = "") -> None:
        """Print a line without changes."""
        self._print(text)

    def live(self, text: str) -> None:
        """Show the present activity in a line that the next output replaces; nothing in a pipe."""
        if self._lively:
            at = f"{time.monotonic() - self._began:7.2f} s"
            self._out.write(f"\r\x1b[K{self.paint(f'{at}  … {text}', 'grey')}")
            self._out.flush()
            self._is_live = True

    def _print(self, text: str) -> None:
        if self._is_live:
            self._out.write("\r\x1b[K")
            self._is_live = False
        print(text, file=self._out, flush=True)
