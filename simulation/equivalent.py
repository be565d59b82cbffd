"""Changes that mutmut makes and that nothing can notice, each with the reason.

They are known by what they change, not by mutmut's numbers: where the code becomes another, the
judgement ends.
"""

from __future__ import annotations

from typing import NamedTuple


class Change(NamedTuple):
    """A change: `where` is the module and the function, the others are lines of code."""

    where: str
    before: str
    after: str


EQUIVALENT: dict[Change, str] = {
    Change(
        "agora/token: build",
        'plain = struct.pack("<H", len(signature)) + signature + info',
        'plain = struct.pack("<h", len(signature)) + signature + info',
    ): "A signature always has 32 bytes.",
    Change(
        "callbacks/address: problem_of",
        'def problem_of(url: str, hosts: Collection[str], local_origin: str = "") -> str | None:',
        'def problem_of(url: str, hosts: Collection[str], local_origin: str = "XXXX")'
        " -> str | None:",
    ): "No origin is written without `://`.",
    Change(
        "callbacks/address: place_of",
        'def place_of(url: str, local_origin: str = "") -> Place | None:',
        'def place_of(url: str, local_origin: str = "XXXX") -> Place | None:',
    ): "No origin is written without `://`.",
    Change("callbacks/signing: key_of", 'key = b""', 'key = b"XXXX"'): (
        "A key has 24 bytes at least: both are none."
    ),
    Change(
        "callbacks/message: tried",
        "wait_s = max(WAITS_S[message.tries - 1] * (1 + _JITTER * jitter), retry_s or 0) / speed",
        "wait_s = max(WAITS_S[message.tries - 1] * (1 + _JITTER * jitter), retry_s or 1) / speed",
    ): "No wait is shorter than five seconds.",
}
