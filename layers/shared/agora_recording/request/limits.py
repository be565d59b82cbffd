"""The limits of a request to record; rooms that only list recordings import them, too."""

from __future__ import annotations

MAX_CNAME_BYTES = 1024
MAX_DURATION_S = 30 * 24 * 3600  # Agora REST: resourceExpiredHour is at most 720
MAX_RESTARTS = 20
MAX_TAGS = 20
MAX_TAG_NAME = 128  # characters
MAX_TAG_VALUE = 256  # characters
