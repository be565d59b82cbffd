"""The options of the simulator. The defaults are what Agora documents."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints


@dataclass(frozen=True, kw_only=True)
class Options:
    """One simulator. Durations are Agora's own seconds; `speed` divides them in real time."""

    host: str = "127.0.0.1"
    port: int = 0
    speed: float = 1.0
    seed: int = 0
    """Fixes which webhooks are lost, doubled and out of order; identifiers are always random."""
    log_file: str | None = None
    """Append one JSON line for each API call."""

    # --- the account ----------------------------------------------------------------------------
    app_id: str | None = "simulatedappid00000000000000000a"
    """None accepts every App ID."""
    customer_id: str = "customer"
    customer_secret: str = field(default="secret", repr=False)
    qps: int = 10
    """Requests in any sliding second of *real* time, whatever the speed; 0 is no limit."""
    pcw: int = 50
    """Individual and mix recordings at the same time (best practices)."""
    pcw_web: int = 200
    app_certificate: str | None = field(default=None, repr=False)
    """With one, tokens are checked, and a recorder whose token ends is thrown out. None: a token
    may be anything, or missing."""
    ncs_hosts: tuple[str, ...] = ("203.0.113.10", "203.0.113.11")

    # --- webhooks -------------------------------------------------------------------------------
    webhook_url: str | None = None
    notification_secret: str = field(default="notification-secret", repr=False)
    webhook_timeout_s: float = 10.0
    """Real seconds: `speed` does not make a receiver faster."""
    webhook_loss: float = 0.0
    webhook_duplicates: float = 0.0
    webhook_disorder: float = 0.0
    """Probabilities, for each event, of never arriving, arriving twice, arriving 1-5 s late."""
    webhook_redundant: bool = False
    """The redundant-message option of Agora's support: every event comes twice."""

    # --- storage --------------------------------------------------------------------------------
    s3_endpoint_url: str | None = None
    """None is AWS itself, in the region of storageConfig."""

    # --- the channels ---------------------------------------------------------------------------
    users: tuple[str, ...] = ("101", "102")
    """The users who publish in every channel, unless the control API says otherwise."""

    # --- durations the documents name -----------------------------------------------------------
    slice_s: float = 15.0
    resource_id_valid_s: float = 300.0
    sync_stop_s: float = 20.0
    progress_s: float = 60.0
    mp4_part_s: float = 7200.0
    sts_min_validity_s: float = 4 * 3600.0
    """Real seconds, as stsExpiration is a real instant; 0 accepts any."""

    # --- what the documents leave open ----------------------------------------------------------
    already_started_has_sid: bool = False
    """Whether 201/7 carries the sid."""
    expired_task: tuple[int, int] = (400, 433)
    """(HTTP, code) of query, update, updateLayout and stop after resourceExpiredHour."""
    sync_stop_timeout: tuple[int, int] = (206, 50)
    """(HTTP, code) of a synchronous stop whose upload takes more than 20 s."""
    event_13: bool = False
    """Send the "high availability register success" event, whose schema is not published."""
    file_list_prefix: bool = True
    """Whether names in a fileList carry the fileNamePrefix (event 45 does, by its document)."""
    slice_time_in_seconds: bool = False
    """sliceStartTime inside fileList: the REST page says seconds, its samples milliseconds."""
    tag_time_in_ms: bool = False
    """TIME in playlists: 17 digits of UTC (manage files), or 13 digits of ms (playback page)."""
    relaxed_prefix: bool = False
    """Accept `-` and `_` in fileNamePrefix, as the real service seems to do."""
    old_answers: bool = False
    """Answers in the form before 2020: numbers and booleans as strings, `filename`."""
    event_4_times: int = 2
    """The documents say once; in a real session it came twice."""
    failover_restarts_sequence: bool = True
    """Whether `sequence` counts from 0 again under the new uid."""
    redundant_has_own_notice_id: bool = True
    """Whether the second copy of a redundant message has a noticeId of its own."""
    mp3_names: str = "index"
    """MP3 of raw mode, whose names are not documented: `index`, `index_codec` or `utc`."""
    exclusion_spelling: Literal["both", "unsubscribe", "unSubscribe"] = "both"
    """Which spelling of the exclusion lists is heeded: Agora's pages and clients write both. A list
    in the other spelling is ignored, and who is in it is recorded."""
    not_applicable: Literal["ignored", "refused"] = "ignored"
    """What becomes of `streamMode` in mix mode, `recordingConfig` in web mode and
    `extensionServiceConfig` in individual mode: Agora only says that they do not apply."""
    uid_group_required: bool = False
    """`subscribeUidGroup` in individual mode: required by the page, left out by all clients."""
    rate_refusal: tuple[int, str] = (429, "API rate limit exceeded")
    """(HTTP, message) above `qps`: 429 by the page on errors, 400 by the page on quotas."""
    web_slices_in_ms: bool = False
    """Names of web slices: 17 digits of UTC (English pages), or 13 digits of ms (Chinese pages)."""
    dashes_in_every_mode: bool = False
    """Whether special characters of the cname become `-` in every mode, or in web mode only."""
    merged_without_media: bool = False
    """Whether the merged index of `standard` mode names the index of a medium that never came."""
    address_name: Literal["primaryIP", "PrimaryIP"] = "primaryIP"
    """The field of an address of `/ncs/ip`: samples and prose differ."""
    transcoding_delay_s: float = 120.0
    exit_linger_s: float = 0.0
    """How long query still answers with status 8 before the 404."""
    abnormal_linger_s: float = 60.0
    """How long query still answers with status 20 before the 404."""


_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
_PROBABILITIES = ("webhook_loss", "webhook_duplicates", "webhook_disorder")


def mistyped(name: str, value: object) -> str | None:
    """Return what an option must be, if a value is not that; None if it fits.

    Raises KeyError if there is no such option. An array of JSON is given as a tuple.
    """
    kind = get_type_hints(Options)[name]
    if not _fits(value, kind):
        return _named(kind)
    if isinstance(value, float | int) and not isinstance(value, bool):
        if name in _PROBABILITIES and not 0 <= value <= 1:
            return "a number from 0 to 1"
        if not 0 <= value < 1e9:
            return "a number of 0 or more, below 1,000,000,000"
    return None


def _fits(value: object, kind: Any) -> bool:
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if isinstance(kind, UnionType):
        return any(_fits(value, each) for each in get_args(kind))
    if get_origin(kind) is tuple:
        if not isinstance(value, tuple):
            return False
        kinds = get_args(kind)
        if kinds[-1] is Ellipsis:
            return all(_fits(each, kinds[0]) for each in value)
        return len(value) == len(kinds) and all(map(_fits, value, kinds))
    if kind is float:
        return type(value) in (int, float)
    return type(value) is kind


def _named(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(f'"{each}"' for each in get_args(kind))
    if isinstance(kind, UnionType):
        return " or ".join(_named(each) for each in get_args(kind))
    if get_origin(kind) is tuple:
        kinds = get_args(kind)
        if kinds[-1] is Ellipsis:
            return f"an array, each {_named(kinds[0])}"
        return f"an array of {', '.join(map(_named, kinds))}"
    return "null" if kind is type(None) else _WORDS[kind]
