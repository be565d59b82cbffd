"""The clientRequest of Agora's calls, as types (Agora REST: the schemas of each request).

A type says what a field may hold by itself; the rules between fields are in request/rules.py. The
same types are the source of the OpenAPI document. A text with a pattern also has its rule in words
(`rule`), because a pattern does not help the person who has to correct the value.

Where Agora's pages disagree, the newest one holds (maxIdleTime to 2,592,000 s, captureInterval from
5 s, backgroundConfig as an array or as one object). The exclusion lists have two spellings of
Agora's own: its REST pages write `unsubscribe…`, its pages on subscription and its Go and Java
clients `unSubscribe…`. Names are case-sensitive; both are known here, and sent as given.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

ALL_STREAMS = "#allstream#"

_UINT32 = (
    "[1-9][0-9]{0,8}|[1-3][0-9]{9}|4[01][0-9]{8}|42[0-8][0-9]{7}|429[0-3][0-9]{6}"
    "|4294[0-8][0-9]{5}|42949[0-5][0-9]{4}|429496[0-6][0-9]{3}|4294967[01][0-9]{2}"
    "|42949672[0-8][0-9]|429496729[0-5]"
)

NAME_CHARACTERS = r"A-Za-z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,"
ChannelName = Annotated[
    str,
    Meta(
        pattern=f"^[{NAME_CHARACTERS}]{{1,64}}$",
        description="The channel to record (individual, raw and mix).",
        extra={
            "rule": "must be 1 to 64 characters, each a letter (a to z, A to Z), a digit, a space "
            "or one of ! # $ % & ( ) + , - . : ; < = > ? @ [ ] ^ _ { } | ~",
            "character": f"[{NAME_CHARACTERS}]",
        },
    ),
]
TaskName = Annotated[
    str,
    Meta(min_length=1, max_length=1024, description="The name of the task (web)."),
]
_UIDS_EXAMPLE = {"example": '["12345"]'}
_UID_EXAMPLE = {"example": '"12345"'}
Uid = Annotated[
    str,
    Meta(
        pattern=f"^(?:{_UINT32})$",
        description="An integer uid, written as a string.",
        extra={
            "rule": "must be a whole number from 1 to 4294967295, written as a string",
            **_UID_EXAMPLE,
        },
    ),
]
StreamUid = Annotated[
    str,
    Meta(
        pattern=f"^(?:{ALL_STREAMS}|0|{_UINT32})$",
        description="A uid, or #allstream# for all of them.",
        extra={
            "rule": "must be a whole number from 0 to 4294967295, written as a string, or "
            f'"{ALL_STREAMS}"',
            **_UID_EXAMPLE,
        },
    ),
]
UserUid = Annotated[
    str,
    Meta(
        pattern=f"^(?:0|{_UINT32})$",
        description="A uid in the channel.",
        extra={
            "rule": "must be a whole number from 0 to 4294967295, written as a string",
            **_UID_EXAMPLE,
        },
    ),
]
PageUrl = Annotated[
    str,
    Meta(
        pattern=r"^[Hh][Tt][Tt][Pp][Ss]?://[^\s]+$",
        description="An http or https URL.",
        extra={"rule": "must be a URL that begins with http:// or https://"},
    ),
]
StreamUrl = Annotated[
    str,
    Meta(
        pattern=r"^[Rr][Tt][Mm][Pp][Ss]?://[^\s]+$",
        description="The CDN address to push the stream to.",
        extra={"rule": "must be a URL that begins with rtmp:// or rtmps://"},
    ),
]
Color = Annotated[
    str,
    Meta(
        pattern="^#[0-9A-Fa-f]{6}$",
        description="An RGB colour.",
        extra={"rule": "must be # and 6 hexadecimal digits, such as #000000"},
    ),
]
PrefixPart = Annotated[
    str,
    Meta(
        pattern="^[A-Za-z0-9]+$",
        extra={"rule": "must be letters and digits only"},
    ),
]

NonEmpty = Annotated[str, Meta(min_length=1)]
Positive = Annotated[int, Meta(ge=1)]
Share = Annotated[float, Meta(ge=0, le=1, description="A share of the canvas, from 0 to 1.")]
SubscribeUids = Annotated[
    list[StreamUid],
    Meta(max_length=32, description="Only these streams are subscribed.", extra=_UIDS_EXAMPLE),
]
UnsubscribeUids = Annotated[
    list[UserUid],
    Meta(max_length=32, description="All streams but these are subscribed.", extra=_UIDS_EXAMPLE),
]
AudioProfile = Annotated[
    Literal[0, 1, 2],
    Meta(description="48 kHz: 0 mono 48 Kbps, 1 mono 128 Kbps, 2 stereo 192 Kbps."),
]
RenderMode = Annotated[
    Literal[0, 1], Meta(description="0 crops to fill the window, 1 shows the whole picture.")
]
Scene = Annotated[
    Literal[0, 1, 2],
    Meta(description="0 real-time recording, 1 web page, 2 postponed transcoding or mixing."),
]
ResourceExpiredHour = Annotated[
    int, Meta(ge=1, le=720, description="Hours in which the recording can be queried and stopped.")
]
ResourceRegion = Annotated[
    Literal["CN", "AP", "EU", "NA"], Meta(description="The only region Agora may use.")
]
ExcludeResourceIds = Annotated[
    list[NonEmpty], Meta(description="Recordings whose region Agora shall avoid.")
]
RegionAffinity = Annotated[
    Literal[0, 1, 2, 3, 4],
    Meta(
        description="The region to prefer: 0 the nearest, 1 China, 2 Southeast Asia, 3 Europe, "
        "4 North America."
    ),
]


# --- storage ------------------------------------------------------------------------------------


class ExtensionParams(Struct, kw_only=True):
    """How the storage encrypts and tags what is uploaded."""

    sse: Literal["kms", "aes256"] | UnsetType = UNSET
    tag: NonEmpty | UnsetType = UNSET
    endpoint: NonEmpty | UnsetType = UNSET


class StorageConfig(Struct, kw_only=True):
    """Where Agora uploads to. The bundle makes it; a caller never sends it."""

    vendor: Literal[1, 2, 3, 5, 6, 7, 8, 11]
    region: Annotated[int, Meta(ge=0)]
    bucket: NonEmpty
    accessKey: NonEmpty
    secretKey: NonEmpty
    stsToken: NonEmpty | UnsetType = UNSET
    stsExpiration: Annotated[int, Meta(ge=1)] | UnsetType = UNSET
    fileNamePrefix: list[PrefixPart] | UnsetType = UNSET
    extensionParams: ExtensionParams | UnsetType = UNSET


# --- recordingConfig ----------------------------------------------------------------------------


class LayoutRegion(Struct, kw_only=True):
    """One user's place on the canvas (layoutConfig)."""

    uid: UserUid | UnsetType = UNSET
    x_axis: Share
    y_axis: Share
    width: Share
    height: Share
    alpha: Annotated[float, Meta(ge=0, le=1, description="1 is opaque.")] | UnsetType = UNSET
    render_mode: RenderMode | UnsetType = UNSET


class BackgroundConfig(Struct, kw_only=True):
    """The image that is shown for a user who sends no video."""

    uid: UserUid
    image_url: PageUrl
    render_mode: RenderMode | UnsetType = UNSET


class Layout(Struct, kw_only=True):
    """How users are laid out on the canvas. Fields left out return to Agora's default."""

    maxResolutionUid: Uid | UnsetType = UNSET
    mixedVideoLayout: (
        Annotated[
            Literal[0, 1, 2, 3],
            Meta(description="0 floating, 1 adaptive, 2 vertical, 3 as layoutConfig says."),
        ]
        | UnsetType
    ) = UNSET
    backgroundColor: Color | UnsetType = UNSET
    backgroundImage: PageUrl | UnsetType = UNSET
    defaultUserBackgroundImage: PageUrl | UnsetType = UNSET
    layoutConfig: Annotated[list[LayoutRegion], Meta(max_length=17)] | UnsetType = UNSET
    backgroundConfig: list[BackgroundConfig] | BackgroundConfig | UnsetType = UNSET


class TranscodingConfig(Layout, kw_only=True):
    """The mixed video: its size, its rate and its layout."""

    width: Positive | UnsetType = UNSET
    height: Positive | UnsetType = UNSET
    fps: Positive | UnsetType = UNSET
    bitrate: Positive | UnsetType = UNSET


class RecordingConfig(Struct, kw_only=True):
    """Which streams are recorded, and how."""

    channelType: (
        Annotated[Literal[0, 1], Meta(description="0 communication, 1 live streaming.")] | UnsetType
    ) = UNSET
    decryptionMode: (
        Annotated[Literal[0, 1, 2, 3, 4, 5, 6, 7, 8], Meta(description="The channel's encryption.")]
        | UnsetType
    ) = UNSET
    secret: Annotated[str, Meta(description="The key of the encrypted channel.")] | UnsetType = (
        UNSET
    )
    salt: (
        Annotated[str, Meta(description="32 bytes in Base64, with decryptionMode 7 and 8.")]
        | UnsetType
    ) = UNSET
    maxIdleTime: (
        Annotated[
            int,
            Meta(ge=5, le=2_592_000, description="It exits after so many seconds without users."),
        ]
        | UnsetType
    ) = UNSET
    streamTypes: (
        Annotated[Literal[0, 1, 2], Meta(description="0 audio, 1 video, 2 both.")] | UnsetType
    ) = UNSET
    videoStreamType: (
        Annotated[Literal[0, 1], Meta(description="0 the high stream, 1 the low.")] | UnsetType
    ) = UNSET
    subscribeAudioUids: SubscribeUids | UnsetType = UNSET
    unsubscribeAudioUids: UnsubscribeUids | UnsetType = UNSET
    unSubscribeAudioUids: UnsubscribeUids | UnsetType = UNSET
    subscribeVideoUids: SubscribeUids | UnsetType = UNSET
    unsubscribeVideoUids: UnsubscribeUids | UnsetType = UNSET
    unSubscribeVideoUids: UnsubscribeUids | UnsetType = UNSET
    subscribeUidGroup: (
        Annotated[
            Literal[0, 1, 2, 3, 4, 5],
            Meta(description="The most uids: 0 is 2, 1 is 7, 2 is 12, 3 is 17, 4 is 32, 5 is 49."),
        ]
        | UnsetType
    ) = UNSET
    streamMode: Literal["default", "standard", "original"] | UnsetType = UNSET
    audioProfile: AudioProfile | UnsetType = UNSET
    transcodingConfig: TranscodingConfig | UnsetType = UNSET
    privateParams: (
        Annotated[
            str,
            Meta(
                description='JSON as text; `{"correctEXTINF":true}` puts the commas into playlists '
                "that strict players need."
            ),
        ]
        | UnsetType
    ) = UNSET


# --- files and snapshots ------------------------------------------------------------------------


class RecordingFileConfig(Struct, kw_only=True):
    """Which files are made."""

    avFileType: (
        Annotated[
            list[Literal["hls", "mp4", "mp3"]],
            Meta(
                min_length=1,
                max_length=2,
                description='`["hls"]` or `["hls", "mp4"]`; in raw mode also `["mp3"]`.',
                extra={"example": '["hls", "mp4"]'},
            ),
        ]
        | UnsetType
    ) = UNSET


class SnapshotConfig(Struct, kw_only=True):
    """Screenshots of each video, at an interval."""

    captureInterval: Annotated[int, Meta(ge=5, le=3600, description="Seconds.")] | UnsetType = UNSET
    fileType: Annotated[list[Literal["jpg"]], Meta(min_length=1, max_length=1)]


# --- web page recording -------------------------------------------------------------------------


class WebRecorderParam(Struct, kw_only=True):
    """The page to record."""

    url: PageUrl
    audioProfile: AudioProfile
    videoWidth: Positive
    videoHeight: Positive
    maxRecordingHour: Annotated[int, Meta(ge=1, le=720)]
    videoBitrate: Positive | UnsetType = UNSET
    videoFps: Annotated[int, Meta(ge=5, le=60)] | UnsetType = UNSET
    mobile: bool | UnsetType = UNSET
    maxVideoDuration: (
        Annotated[int, Meta(ge=30, le=240, description="Minutes in one MP4 file.")] | UnsetType
    ) = UNSET
    onhold: Annotated[bool, Meta(description="Start paused.")] | UnsetType = UNSET
    readyTimeout: (
        Annotated[int, Meta(ge=0, le=60, description="Seconds to load the page; 0: no limit.")]
        | UnsetType
    ) = UNSET


class RtmpOutput(Struct, kw_only=True):
    """One CDN address."""

    rtmpUrl: StreamUrl


class RtmpPublishParam(Struct, kw_only=True):
    """Where the recorded page is pushed to."""

    outputs: Annotated[list[RtmpOutput], Meta(min_length=1)]


class WebRecorderService(Struct, kw_only=True, tag_field="serviceName", tag="web_recorder_service"):
    """The extension service that records the page."""

    errorHandlePolicy: Literal["error_abort"] | UnsetType = UNSET
    serviceParam: WebRecorderParam


class RtmpPublishService(Struct, kw_only=True, tag_field="serviceName", tag="rtmp_publish_service"):
    """The extension service that pushes the recorded page to a CDN."""

    errorHandlePolicy: Literal["error_ignore"] | UnsetType = UNSET
    serviceParam: RtmpPublishParam


class ExtensionServiceConfig(Struct, kw_only=True):
    """The extension services of a web page recording."""

    errorHandlePolicy: Literal["error_abort"] | UnsetType = UNSET
    extensionServices: Annotated[list[WebRecorderService | RtmpPublishService], Meta(min_length=1)]


# --- postponed transcoding and mixing -----------------------------------------------------------


class AppsCollection(Struct, kw_only=True):
    """The applications that work on the recording."""

    combinationPolicy: Literal["postpone_transcoding", "default"] | UnsetType = UNSET


class TransConfig(Struct, kw_only=True):
    """Which postponed work is done."""

    transMode: Literal["postponeTranscoding", "audioMix"]


class Container(Struct, kw_only=True):
    """The kind of file that postponed work makes."""

    format: Literal["mp4", "mp3", "m4a", "aac"] | UnsetType = UNSET


class MixedAudio(Struct, kw_only=True):
    """The sound of a postponed mix (transcodeOptions.audio)."""

    sampleRate: Literal["48000", "32000", "16000"] | UnsetType = UNSET
    bitrate: (
        Annotated[
            str,
            Meta(
                pattern="^[1-9][0-9]{0,8}$",
                extra={"rule": "must be a whole number from 1, written as a string"},
            ),
        ]
        | UnsetType
    ) = UNSET
    channels: Literal["1", "2"] | UnsetType = UNSET


class TranscodeOptions(Struct, kw_only=True):
    """The files made by postponed transcoding or mixing."""

    transConfig: TransConfig
    container: Container | UnsetType = UNSET
    audio: MixedAudio | UnsetType = UNSET


# --- acquire and start --------------------------------------------------------------------------


class StartFields(Struct, kw_only=True):
    """The fields of `start`, without the storage."""

    token: Annotated[str, Meta(description="The channel's RTC token.")] | UnsetType = UNSET
    recordingConfig: RecordingConfig | UnsetType = UNSET
    recordingFileConfig: RecordingFileConfig | UnsetType = UNSET
    snapshotConfig: SnapshotConfig | UnsetType = UNSET
    extensionServiceConfig: ExtensionServiceConfig | UnsetType = UNSET
    appsCollection: AppsCollection | UnsetType = UNSET
    transcodeOptions: TranscodeOptions | UnsetType = UNSET


class ClientRequest(StartFields, kw_only=True):
    """The caller's request: the fields of acquire and start together, without the storage."""

    scene: Scene | UnsetType = UNSET
    resourceExpiredHour: ResourceExpiredHour | UnsetType = UNSET
    startParameter: StartFields | UnsetType = UNSET
    excludeResourceIds: ExcludeResourceIds | UnsetType = UNSET
    region: ResourceRegion | UnsetType = UNSET
    regionAffinity: RegionAffinity | UnsetType = UNSET


class StartClientRequest(StartFields, kw_only=True):
    """`start`'s clientRequest as Agora gets it."""

    storageConfig: StorageConfig


class AcquireClientRequest(Struct, kw_only=True):
    """`acquire`'s clientRequest as Agora gets it."""

    scene: Scene | UnsetType = UNSET
    resourceExpiredHour: ResourceExpiredHour | UnsetType = UNSET
    startParameter: StartClientRequest | UnsetType = UNSET
    excludeResourceIds: ExcludeResourceIds | UnsetType = UNSET
    region: ResourceRegion | UnsetType = UNSET
    regionAffinity: RegionAffinity | UnsetType = UNSET  # in Agora's clients, not on its REST page


# --- update -------------------------------------------------------------------------------------


class AudioUidList(Struct, kw_only=True):
    """Whose audio is subscribed from now on."""

    subscribeAudioUids: SubscribeUids | UnsetType = UNSET
    unsubscribeAudioUids: UnsubscribeUids | UnsetType = UNSET
    unSubscribeAudioUids: UnsubscribeUids | UnsetType = UNSET


class VideoUidList(Struct, kw_only=True):
    """Whose video is subscribed from now on."""

    subscribeVideoUids: SubscribeUids | UnsetType = UNSET
    unsubscribeVideoUids: UnsubscribeUids | UnsetType = UNSET
    unSubscribeVideoUids: UnsubscribeUids | UnsetType = UNSET


class StreamSubscribe(Struct, kw_only=True):
    """New subscription lists (individual, raw and mix)."""

    audioUidList: AudioUidList | UnsetType = UNSET
    videoUidList: VideoUidList | UnsetType = UNSET


class WebRecordingConfig(Struct, kw_only=True):
    """Pauses or resumes a web page recording."""

    onhold: Annotated[bool, Meta(description="true pauses, false goes on.")] | UnsetType = UNSET


class RtmpUpdateOutput(Struct, kw_only=True):
    """One CDN address, from now on."""

    rtmpUrl: StreamUrl | UnsetType = UNSET


class RtmpPublishConfig(Struct, kw_only=True):
    """New CDN addresses for a web page recording."""

    outputs: list[RtmpUpdateOutput] | UnsetType = UNSET


class UpdateFields(Struct, kw_only=True):
    """What a caller may change while a recording runs."""

    streamSubscribe: StreamSubscribe | UnsetType = UNSET
    webRecordingConfig: WebRecordingConfig | UnsetType = UNSET
    rtmpPublishConfig: RtmpPublishConfig | UnsetType = UNSET


ACQUIRE_FIELDS = frozenset(AcquireClientRequest.__struct_fields__)
