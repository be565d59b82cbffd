"""The type of a request to record.

`request.check` compares requests with it, and the OpenAPI document takes its schema from it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from agora_recording.agora.requests import ChannelName, ClientRequest, Uid
from agora_recording.callbacks.address import MAX_URL
from agora_recording.request.limits import (
    MAX_CNAME_BYTES,
    MAX_DURATION_S,
    MAX_RESTARTS,
    MAX_TAG_NAME,
    MAX_TAG_VALUE,
    MAX_TAGS,
)
from agora_recording.request.rules import MODES, Mode
from agora_recording.request.times import StartAt, StopAt

_TAG_RULE = {
    "rule": f"must be a name of 1 to {MAX_TAG_NAME} characters with a string of at most "
    f"{MAX_TAG_VALUE} characters"
}
TagName = Annotated[str, Meta(min_length=1, max_length=MAX_TAG_NAME, extra=_TAG_RULE)]
TagValue = Annotated[str, Meta(max_length=MAX_TAG_VALUE, extra=_TAG_RULE)]


_MODE = (
    "`mix` makes one film of all users; `web` records a page; `individual` and `raw` make files "
    "for each user. `raw` is the second version of `individual`: one playlist for each user, with "
    "sound and picture together, and MP4 or MP3. Agora advises newcomers to begin with `raw`."
)
_UID = "The recorder's uid; without it, the stack chooses one. Each restart takes a new uid."


CallbackUrl = Annotated[
    str,
    Meta(
        max_length=MAX_URL,
        description="Where the app wants to be called: https, at a host that the stack's "
        "parameter CallbackHosts allows, without a query.",
    ),
]


class RecordingRequest(Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """What to record. `clientRequest` is Agora's own object, without storageConfig."""

    cname: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=MAX_CNAME_BYTES,
            description="The channel: at most 64 characters, except for web page recordings.",
        ),
    ]
    uid: Annotated[Uid | None, Meta(description=_UID)] | UnsetType = UNSET
    mode: Annotated[
        Mode, Meta(description=_MODE, extra={"rule": f"must be one of {', '.join(MODES)}"})
    ] = "mix"
    client_request: ClientRequest | UnsetType = UNSET
    max_duration_seconds: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_DURATION_S,
                description="It is stopped after this time; without it, after the stack's default.",
            ),
        ]
        | UnsetType
    ) = UNSET
    start_at: StartAt | UnsetType = UNSET
    stop_at: StopAt | UnsetType = UNSET
    callback_url: CallbackUrl | UnsetType = UNSET
    restart_limit: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=MAX_RESTARTS,
                description="How often it is started again when it dies; or the stack's default.",
            ),
        ]
        | UnsetType
    ) = UNSET
    take_over: (
        Annotated[
            Literal["suspected", "confirmed"],
            Meta(
                description="When another session takes over from one that may be dead: "
                "`suspected`, when Agora does not find it twice within seconds; `confirmed`, when "
                "a failover at Agora would be over. With `suspected`, the default, two sessions "
                "may record at the same time for a minute or two.",
                extra={"rule": "must be suspected or confirmed"},
            ),
        ]
        | UnsetType
    ) = UNSET
    tags: (
        Annotated[
            dict[TagName, TagValue],
            Meta(max_length=MAX_TAGS, description="The caller's own data."),
        ]
        | UnsetType
    ) = UNSET


class ChannelRequest(RecordingRequest, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A request in individual, raw or mix mode, whose cname is the name of a channel."""

    cname: ChannelName
