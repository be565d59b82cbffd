"""The links of a recording: made, listed and taken back by the stack's own API.

The address of a link is on a page once, in the answer to the form that makes it: it is stored
nowhere, and whoever has it can watch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from agora_recording.files.catalogue import Catalogue
from agora_recording.recording.link import MAX_LIFE_S
from operate.console import words
from operate.console.acts import sentence
from operate.console.desk import Desk

HOUR_S, DAY_S = 3600, 86_400
LIVES = ((HOUR_S, "an hour"), (DAY_S, "a day"), (7 * DAY_S, "a week"), (MAX_LIFE_S, "30 days"))
_MOST = 40


class Made(NamedTuple):
    """The new link's address ("" if there is none), and a sentence about it."""

    url: str
    words: str


class Choice(NamedTuple):
    """What a link may play: what the form sends, and what the operator reads."""

    value: str
    name: str


def choices(found: Catalogue | None) -> list[Choice]:
    """Return what a link may open: everything, each user, each track. Pure."""
    everything = Choice("", "everything")
    if found is None:
        return [everything]
    tracks = [(each.uid, each.track_type, each.codec or "") for each in found.tracks]
    users = sorted({(uid, codec) for uid, _, codec in tracks})
    if len(users) > 1:
        everything = Choice("", "everything: ?uid=… at the address says who is played")
    listed = [everything]
    for uid, codec in users:
        own = [track for track in tracks if (track[0], track[2]) == (uid, codec)]
        whole = {"uid": uid, "codec": codec}
        if len(users) > 1:
            listed.append(_choice(whole))
        if len(own) > 1:
            listed += [_choice({**whole, "track": kind}) for _, kind, _ in own]
    return listed[:_MOST]


def _choice(parts: Mapping[str, str]) -> Choice:
    given = {name: value for name, value in parts.items() if value}
    return Choice(urlencode(given), in_words(given))


def in_words(link: Mapping[str, Any]) -> str:
    """Return what a link opens, in words. Pure."""
    uid, track = link.get("uid"), link.get("track")
    whose = "everybody" if uid == "0" else f"uid {uid}" if uid else ""
    kind = str(track).replace("_", " ") if track else ""
    parts = [each for each in (whose, kind, link.get("codec")) if each]
    return ", ".join(parts) or "everything"


def make(desk: Desk, recording_id: str, form: Mapping[str, str]) -> Made:
    """Ask the API for a link, for so long and of what the form says."""
    text = form.get("expiresInSeconds", "").strip()
    chosen = dict(parse_qsl(form.get("what", "")))
    body = {**chosen, "expiresInSeconds": int(text) if text.isdecimal() else text}
    answer = desk.patient.call("POST", _path(recording_id), body)
    found = answer.json()
    if answer.status != 201 or not isinstance(found, dict):
        return Made("", sentence(answer))
    until = words.moment(found["expiresAt"])
    return Made(
        found["url"],
        f"It plays {in_words(chosen)} until {until} UTC, for whoever has it. Copy it now: it is "
        "not shown again.",
    )


def listed(desk: Desk, recording_id: str) -> list[dict[str, Any]]:
    """Return the links that open something now: the API's, and in words what each opens."""
    answer = desk.patient.call("GET", _path(recording_id))
    found = answer.json()
    if answer.status != 200 or not isinstance(found, dict):
        return []
    return [{**each, "words": in_words(each)} for each in found["links"]]


def revoke(desk: Desk, recording_id: str, link_id: str) -> str:
    """Take a link back; return "", or what the API says against it."""
    answer = desk.patient.call("DELETE", f"{_path(recording_id)}/{quote(link_id, safe='')}")
    return "" if answer.status in (204, 404) else sentence(answer)


def _path(recording_id: str) -> str:
    return f"/recordings/{recording_id}/links"
