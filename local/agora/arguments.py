"""Types of command line arguments: what cannot be meant is refused in one sentence, before work."""

from __future__ import annotations

import math
from argparse import ArgumentTypeError
from urllib.parse import urlsplit

MOST_SPEED = 10_000


def speed(text: str) -> float:
    """Return how many times faster time runs: a number above 0, at most `MOST_SPEED`."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value <= MOST_SPEED:
        raise ArgumentTypeError(
            f"{text!r} is not a speed: give a number above 0, at most {MOST_SPEED:,}"
        )
    return value


def port(text: str) -> int:
    """Return a TCP port from 1 to 65535; 0 is any that is free."""
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65_536):
        raise ArgumentTypeError(
            f"{text!r} is not a port: give a whole number up to 65535, or 0 for any free one"
        )
    return int(text)


def count(text: str) -> int:
    """Return a whole number that is not negative."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return int(text)


def url(text: str) -> str:
    """Return an http or https URL with a host, without a / at its end."""
    try:
        parts = urlsplit(text)
        is_whole = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # raises ValueError
    except ValueError:
        is_whole = False
    if not is_whole or any(each.isspace() for each in text):
        raise ArgumentTypeError(f"{text!r} is not a URL: give one such as http://127.0.0.1:8080")
    return text.rstrip("/")
