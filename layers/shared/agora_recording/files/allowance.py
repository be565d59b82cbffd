"""How much one verification may read and keep, so that it fits the memory of its room.

Whoever may write into the bucket decides how many files there are and what an index says. So
both are counted against an allowance before they are kept. What exceeds it is not read, and the
verdict says so (`too_large`).
"""

from __future__ import annotations

import msgspec

# The rooms that verify have 1,024 MB (tests/template). Python, boto3 and the library take about
# 80 MB of these; `verify_worst_memory` in benchmarks/ measures the worst case of all together.
_LISTING_BYTES = 200_000_000
_INDEX_BYTES = 200_000_000

# Most lines are two to a slice. More lines than these cost minutes, whatever they say.
_LINES = 2_000_000

# One index. Agora needs some 110 bytes a slice: this is three months of recording.
MAX_INDEX_BYTES = 64 * 1024 * 1024
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024  # a manifest, or a part of one


class Allowance(msgspec.Struct):
    """What is left: memory for the listing and for what indexes name (bytes), and lines.

    Below zero, reading must end.
    """

    listing: int = _LISTING_BYTES
    indexes: int = _INDEX_BYTES
    lines: int = _LINES

    @property
    def is_spent(self) -> bool:
        """Tell whether no more of an index may be read."""
        return self.indexes < 0 or self.lines < 0
