"""What happens on the embedded stack, line by line: requests, decisions, notifications, files.

The emulator writes down every request to the API, and every call of AWS by a role or a user
(audited_ministack.py). News reads on where it stopped, and turns what matters to people into words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from local.tail import Tail

# Agora's notifications, by eventType.
EVENTS = {
    1: "an error occurred",
    2: "a warning occurred",
    4: "the playlist was made",
    11: "the session is over",
    12: "a failover took place",
    30: "the uploader has started",
    31: "every file is uploaded",
    32: "files went to Agora's backup",
    33: "the upload goes on",
    40: "the recorder has joined the channel",
    41: "the recorder has left the channel",
    42: "the first slice has begun",
    43: "an audio stream came or went",
    44: "a video stream came or went",
}
# Agora's channel events (product RTC), by eventType.
CHANNEL_EVENTS = {
    101: "the channel was made",
    102: "the channel is empty",
    103: "a host joined",
    104: "a host left",
    105: "a viewer joined",
    106: "a viewer left",
    107: "a user joined",
    108: "a user left",
    111: "a viewer became a host",
    112: "a host became a viewer",
}
# The stack's own steps, by the kind of the note in the timeline.
STEPS = {
    "attempt": "attempt begun",
    "acquired": "resource acquired",
    "started": "session started",
    "query": "confirmed",
    "stop asked": "stop requested",
    "stop": "stopped",
    "ended": "session over",
    "published": "published",
}
_SID = re.compile(r"^([0-9a-f]{4})[0-9a-f]{28}(?=_)")  # at the beginning of a name of Agora's
_WEBHOOKS = ("/notifications", "/rtc-notifications")

Json = Mapping[str, Any]


class Item(NamedTuple):
    """One thing that happened: what, more about it, and its colour on a screen."""

    what: str
    more: str
    colour: str


class News:
    """Reads the emulator's files on, from where they end now."""

    def __init__(self, calls: Path, requests: Path) -> None:
        self._calls = Tail(calls)
        self._requests = Tail(requests)
        self._channels: dict[str, str] = {}  # by the partition of a recording
        self._playlists: set[str] = set()  # that were told, by key

    def since(self) -> Iterator[Item]:
        """Yield what has happened since the last time: requests first, as they are the causes."""
        for line in self._requests.lines():
            yield from of_request(line)
        for line in self._calls.lines():
            yield from self._of_call(line)

    def _of_call(self, line: Json) -> Iterator[Item]:
        request = line.get("request")
        if not isinstance(request, Mapping) or line.get("status", 500) >= 300:
            return
        if line["operation"] == "s3.PutObject":
            yield from self._of_file(request)
        elif line["operation"].startswith("dynamodb."):
            for row in written(request):
                yield from self._of_row(row)

    def _of_file(self, request: Json) -> Iterator[Item]:
        key = request["Key"]
        if key.endswith(".m3u8"):  # it is written anew with each slice
            if key in self._playlists:
                return
            self._playlists.add(key)
        yield of_file(request)

    def _of_row(self, row: Json) -> Iterator[Item]:
        partition, sort = _text(row, "PK"), _text(row, "SK")
        if partition.startswith("REC#") and sort == "META":
            self._channels[partition] = _text(row, "cname")
        elif partition.startswith("REC#") and sort.startswith("LOG#"):
            yield of_note(row, self._channels.get(partition, ""))
        elif sort.startswith("EVT#") or partition.startswith("NOTICE#"):
            yield of_notification(row)


def of_request(line: Json) -> Iterator[Item]:
    """Yield a request to the API, unless it is a notification that was stored: that has its own."""
    if line["path"] in _WEBHOOKS and line["status"] < 300:
        return
    colour = "red" if line["status"] >= 400 else "yellow"
    yield Item(f"{line['method']} {line['path']}", str(line["status"]), colour)


def of_note(row: Json, cname: str) -> Item:
    """Return a decision of the stack: a note of a recording's timeline."""
    step = STEPS.get(_text(row, "kind"), _text(row, "kind"))
    return Item(f"{step}", f"{_in(cname)}{_text(row, 'text')}", "green")


def of_notification(row: Json) -> Item:
    """Return one of Agora's notifications, of Cloud Recording or of a channel."""
    number = int(row.get("eventType", {}).get("N", 0))
    is_channel = row.get("productId", {}).get("N") == "1"
    words = (CHANNEL_EVENTS if is_channel else EVENTS).get(number, "")
    name = "channel event" if is_channel else "webhook"
    return Item(f"{name} {number}", f"{_in(_text(row, 'cname'))}{words}", "blue")


def of_file(request: Json) -> Item:
    """Return a file that was written into the bucket, by Agora or by the stack."""
    key = str(request["Key"])
    name = _SID.sub(r"\1…", key.removeprefix("recordings/").partition("/")[2] or key)
    return Item("file", f"{name}  {request.get('ContentLength', 0):,} B", "grey")


def written(request: Json) -> Iterable[Json]:
    """Return the items that a call puts into a table, in order of their writing."""
    if "Item" in request:
        return [request["Item"]]
    puts = (each.get("Put", {}) for each in request.get("TransactItems", ()))
    return [each["Item"] for each in puts if "Item" in each]


def _text(row: Json, name: str) -> str:
    return str(row.get(name, {}).get("S", ""))


def _in(cname: str) -> str:
    return f"[{cname}] " if cname else ""
