"""Which streams a recording subscribes to, and which tracks they make. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Stream = tuple[str, str]
"""(uid, `audio` or `video`)."""

_MOST_USERS = 17
_EVERYBODY = "#allstream#"


class Subscription:
    """The lists of `recordingConfig`, as `update` changes them.

    `exclusion_spelling` is `Options.exclusion_spelling`.

    Sources: Agora REST (lists, streamTypes), Agora "Set up subscription lists" (17 users; a list
    of one kind alone suppresses the other kind).
    """

    def __init__(self, config: dict[str, Any], exclusion_spelling: str = "both") -> None:
        spellings = ("unsubscribe", "unSubscribe")
        self._exclusions = spellings if exclusion_spelling == "both" else (exclusion_spelling,)
        self._types = config.get("streamTypes", 2)
        self._lists: dict[str, list[str]] = {}
        for kind in ("Audio", "Video"):
            self._replace(kind, config)

    @property
    def named(self) -> list[str]:
        """Return every uid in a list."""
        return [uid for uids in self._lists.values() for uid in uids]

    @property
    def kind(self) -> str:
        """Return the kind of media of all streams together."""
        return {0: "audio", 1: "video"}.get(self._types, "audio_and_video")

    def update(self, change: dict[str, Any]) -> None:
        """Apply `streamSubscribe`: a list that is given replaces both lists of its kind."""
        for kind in ("Audio", "Video"):
            if (lists := change.get(f"{kind.lower()}UidList")) is not None:
                self._replace(kind, lists)

    def streams(self, publishers: Iterable[str]) -> set[Stream]:
        """Return the streams that are subscribed to, of all that these users publish."""
        kinds = {0: ("audio",), 1: ("video",)}.get(self._types, ("audio", "video"))
        return {
            (uid, kind)
            for uid in list(publishers)[:_MOST_USERS]
            for kind in kinds
            if self._takes(uid, kind.title())
        }

    def _replace(self, kind: str, lists: dict[str, Any]) -> None:
        self._lists.pop(f"subscribe{kind}Uids", None)
        self._lists.pop(f"unsubscribe{kind}Uids", None)
        if wanted := lists.get(f"subscribe{kind}Uids"):
            self._lists[f"subscribe{kind}Uids"] = list(wanted)
        for spelling in self._exclusions:
            if unwanted := lists.get(f"{spelling}{kind}Uids"):
                self._lists[f"unsubscribe{kind}Uids"] = list(unwanted)

    def _takes(self, uid: str, kind: str) -> bool:
        wanted = self._lists.get(f"subscribe{kind}Uids")
        if wanted is not None:
            return uid in wanted or _EVERYBODY in wanted
        if unwanted := self._lists.get(f"unsubscribe{kind}Uids"):
            return uid not in unwanted and _EVERYBODY not in unwanted
        other = "Video" if kind == "Audio" else "Audio"
        return f"subscribe{other}Uids" not in self._lists
