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


EQUIVALENT: dict[Change, str] = {}
