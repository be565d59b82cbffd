"""Who is in a channel: a merge of what Agora's channel events tell and what its query answers.

Events arrive late, twice, in any order, and some never do (Agora: channel event types). Of each
user, the event with the highest `clientSeq` counts, so their order of arrival does not matter. An
answer of the channel query replaces what all earlier events said. What cannot be decided by that
makes the channel doubtful, and Agora is asked.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import msgspec
from msgspec.structs import replace

from agora_recording.clock import to_ms
from agora_recording.foreign import Fields, load
from agora_recording.notifications.envelope import RTC

# How far apart Agora's clock and its query may be from ours: an event that is this much older than
# an answer is in the answer, and one that is this close to it may be or not.
MARGIN_MS = 15_000
# For how long it is remembered that somebody has left. After that, no older event of the same user
# is expected.
LEFT_KEPT_S = 3600
# How many users a row remembers. Of a larger audience it is enough to know that it is there.
MOST_USERS = 200

MOST_RECORDERS = 20
CLOUD_RECORDER = 10  # Agora: clientType
_TEST = ("test_webhook", "12121212")  # what the console's Check sends

Told = Literal["made", "gone", "here", "left", "recorder"]
# Agora: channel event types. 111 and 112 change the role of somebody who stays.
_TOLD: dict[int, Told] = {
    101: "made",
    102: "gone",
    **dict.fromkeys((103, 105, 107, 111, 112), "here"),
    **dict.fromkeys((104, 106, 108), "left"),
}


class ChannelEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event of a channel. `seq` is the user's clientSeq, `at_ms` when it happened."""

    cname: str
    told: Told
    uid: str | None = None
    seq: int | None = None
    at_ms: int


class Sighting(msgspec.Struct, frozen=True, array_like=True):
    """The latest that is known of a user: by which event, whether it is here, since when (ms).

    `seq` -1: Agora's answer named it, no event did.
    """

    seq: int
    here: bool
    at_ms: int


class Presence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What is known of a channel's users. Instants are epoch milliseconds; 0 is never."""

    users: dict[str, Sighting] = {}
    made_ms: int = 0  # the latest event 101: the first user came
    gone_ms: int = 0  # the latest event 102: the last one left
    asked_ms: int = 0  # when Agora was last asked
    recorders: tuple[str, ...] = ()  # uids that are no users: Agora's query names them, too
    more: bool = False  # there were more users than are kept
    unsure: bool = False  # something was told that cannot be put into its place

    @property
    def is_occupied(self) -> bool:
        """Tell whether somebody is known to be there."""
        return any(each.here for each in self.users.values())

    @property
    def in_doubt(self) -> bool:
        """Tell whether Agora has to be asked: what was told does not fit together.

        Somebody is said to be the first one to come, and neither is anybody known who came then or
        later, nor has the last one left; or the last one is said to have left, and somebody seems
        to be there. Events of one second have no order, but follow from those before.
        """
        if self.unsure:
            return True
        known_ms = max((each.at_ms for each in self.users.values() if each.here), default=None)
        if known_ms is not None:
            is_left = self.gone_ms > known_ms or self.gone_ms == known_ms > self.made_ms
            return (is_left and self.gone_ms > self.asked_ms) or self.made_ms > max(
                known_ms, self.asked_ms
            )
        return self.more or self.made_ms > max(self.gone_ms, self.asked_ms)


def read_event(body: str | bytes, received_ms: int) -> ChannelEvent | None:
    """Return the channel event of a notification's body.

    None: it is another product's, the console's test, or of a kind that says nothing about who is
    there. An event of a recorder of Agora's (clientType 10) tells `recorder`.
    """
    top = Fields(load(body))
    payload = top.fields("payload")
    told = _TOLD.get(top.whole("eventType") or 0)
    cname, uid = payload.text("channelName"), payload.text("uid")
    if top.whole("productId") != RTC or told is None or cname is None or (cname, uid) == _TEST:
        return None
    about_user = told in ("here", "left")
    if about_user and uid is None:
        return None
    if about_user and payload.whole("clientType") == CLOUD_RECORDER:
        told = "recorder"
    at_ms = payload.instant_ms("ts") or top.instant_ms("notifyMs") or received_ms
    return ChannelEvent(
        cname=cname,
        told=told,
        uid=uid if about_user else None,
        seq=payload.whole("clientSeq", least=0) if told in ("here", "left") else None,
        at_ms=min(at_ms, received_ms),
    )


def is_recorder(uid: str | None, first: int, last: int) -> bool:
    """Tell whether a uid is in the range from which the stack's own recorders have theirs."""
    return uid is not None and uid.isascii() and uid.isdigit() and first <= int(uid) <= last


def merged(presence: Presence, event: ChannelEvent, now_ms: int) -> Presence:
    """Return what is known after an event; the same value if it tells nothing new."""
    if event.at_ms <= presence.asked_ms - MARGIN_MS:
        return presence  # Agora's answer knew it already
    if event.told == "recorder":
        return _with_recorder(presence, event.uid or "")
    if event.told == "made":
        return replace(presence, made_ms=max(presence.made_ms, event.at_ms))
    if event.told == "gone":
        return replace(presence, gone_ms=max(presence.gone_ms, event.at_ms))
    uid, known = event.uid or "", presence.users.get(event.uid or "")
    if uid in presence.recorders:
        return presence
    if event.seq is None or (known is None and event.at_ms < now_ms - to_ms(LEFT_KEPT_S)):
        # Without an order, or later than what is remembered: only Agora knows.
        return replace(presence, unsure=True)
    if known is not None and event.seq <= known.seq:
        return presence
    new = Sighting(event.seq, event.told == "here", event.at_ms)
    is_close = abs(event.at_ms - presence.asked_ms) <= MARGIN_MS
    contradicts = new.here is not (known is not None and known.here)
    if known is None and len(presence.users) >= MOST_USERS:
        return replace(presence, more=True) if new.here else presence
    return replace(
        presence,
        users={**presence.users, uid: new},
        unsure=presence.unsure or (is_close and contradicts),
    )


def _with_recorder(presence: Presence, uid: str) -> Presence:
    """Return the presence with a recorder, who is no user. The latest are remembered."""
    if uid in presence.recorders:
        return presence
    users = {name: each for name, each in presence.users.items() if name != uid}
    return replace(presence, users=users, recorders=(*presence.recorders, uid)[-MOST_RECORDERS:])


def reconciled(
    presence: Presence, before: Presence, uids: Collection[str], asked_ms: int, *, more: bool
) -> Presence:
    """Return what is known after Agora's channel query was answered.

    `before` is what was known when Agora was asked, at `asked_ms`; `uids` are the users that it
    named, without recorders; `more`: it has more than it named. What events told in between counts,
    but may be older than the answer: then Agora is asked again.
    """
    there = set(uids) - set(presence.recorders)
    users = {
        uid: each
        if before.users.get(uid) != each or each.here is (uid in there)
        else replace(each, here=uid in there, at_ms=asked_ms)
        for uid, each in presence.users.items()
    }
    is_new = any(before.users.get(uid) != each for uid, each in presence.users.items())
    users = {uid: each for uid, each in users.items() if each.here or each.seq >= 0}
    for uid in sorted(there - users.keys()):
        if len(users) >= MOST_USERS:
            more = True
            break
        users[uid] = Sighting(-1, True, asked_ms)
    return replace(presence, users=users, asked_ms=asked_ms, more=more, unsure=is_new)


def tidied(presence: Presence, now_ms: int) -> Presence:
    """Return the presence without those who left so long ago that no older event comes any more."""
    edge = now_ms - to_ms(LEFT_KEPT_S)
    users = {uid: each for uid, each in presence.users.items() if each.here or each.at_ms > edge}
    return presence if len(users) == len(presence.users) else replace(presence, users=users)


class ChannelUsers(msgspec.Struct, frozen=True):
    """Who is in a channel, by Agora's answer; `more`: it has more users than it named."""

    uids: tuple[str, ...]
    more: bool = False


def read_users(status: int | None, raw: bytes) -> ChannelUsers | None:
    """Return the users of an answer of Agora's channel query; None if it does not tell them.

    In a live channel they are `broadcasters` and `audience`, otherwise `users`. (Agora: channel
    management REST, query user list)
    """
    answer = Fields(load(raw))
    if status != 200 or answer.truth("success") is False or not answer.fields("data"):
        return None
    data = answer.fields("data")
    if data.truth("channel_exist") is not True:
        return ChannelUsers(()) if data.truth("channel_exist") is False else None
    named = [
        str(each) for name in ("broadcasters", "audience", "users") for each in data.items(name)
    ]
    total = (data.whole("audience_total") or 0) + len(data.items("broadcasters"))
    most = max(total, data.whole("total") or 0)
    return ChannelUsers(tuple(dict.fromkeys(named)), most > len(named))
