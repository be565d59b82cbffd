"""The limits of a request to record; rooms that only list recordings import them, too."""

from __future__ import annotations

# Agora takes 1,024 bytes, but writes the name into the names of the files, and a key of S3 has at
# most 1,024: so some 100 are left for the sid, the ending and the recording's prefix, and another
# 100 for a prefix of the bucket.
MAX_CNAME_BYTES = 800
MAX_DURATION_S = 30 * 24 * 3600  # Agora REST: resourceExpiredHour is at most 720
MAX_AHEAD_DAYS = 366  # our own: how far ahead a recording may be scheduled
MAX_RESTARTS = 20
MAX_TAGS = 20
MAX_TAG_NAME = 128  # characters
MAX_TAG_VALUE = 256  # characters
