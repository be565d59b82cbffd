"""The requests that Agora refuses. Written from its documents, with no code of the layer.

Every check raises `RefusalError`: the HTTP status, the code and the reason that Agora would answer.
Sources: Agora REST (schemas of every call), Agora common errors (2, 8, 432, 1003, 1013, 1028),
Agora status codes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .options import Options
from .uploads import S3_REGIONS

MODES = ("individual", "mix", "raw", "web")
WEB_RECORDER, CDN_PUBLISHER = "web_recorder_service", "rtmp_publish_service"


class RefusalError(Exception):
    """Agora refuses a call: HTTP status, code, reason."""

    def __init__(self, http: int, code: int | None, reason: str) -> None:
        self.http = http
        self.code = code
        self.reason = reason
        super().__init__(f"{http}/{code}: {reason}")

    def body(self) -> dict[str, Any]:
        """Return the answer's body: the gateway's has a message, the service's a code."""
        if self.code is None:
            return {"message": self.reason}
        return {"code": self.code, "reason": self.reason}


def invalid(path: str, rule: str) -> RefusalError:
    """Return the refusal of a parameter."""
    return RefusalError(400, 2, f"{path}: {rule}")


# --- small checks, put together below -----------------------------------------------------------

Check = Callable[[Any, str], None]


def _integer(low: int = 0, high: int = 2**31 - 1) -> Check:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise invalid(path, f"must be an integer from {low} to {high}")

    return check


def _share(value: Any, path: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise invalid(path, "must be a number from 0 to 1")


def _boolean(value: Any, path: str) -> None:
    if not isinstance(value, bool):
        raise invalid(path, "must be true or false")


def _text(value: Any, path: str) -> None:
    if not isinstance(value, str):
        raise invalid(path, "must be a string")


def _filled(value: Any, path: str) -> None:
    if not isinstance(value, str) or not value:
        raise invalid(path, "must be a string that is not empty")


def _one_of(*values: object) -> Check:
    def check(value: Any, path: str) -> None:
        if isinstance(value, bool) or value not in values:
            raise invalid(path, "must be one of " + ", ".join(map(str, values)))

    return check


def _matching(pattern: str, rule: str) -> Check:
    compiled = re.compile(pattern)

    def check(value: Any, path: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise invalid(path, rule)

    return check


def _list(item: Check, *, most: int, least: int = 0) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise invalid(path, f"must be a list of {least} to {most}")
        for number, one in enumerate(value):
            item(one, f"{path}[{number}]")

    return check


def _object(fields: Mapping[str, Check], required: Collection[str] = ()) -> Check:
    def check(value: Any, path: str) -> None:
        if not isinstance(value, dict):
            raise invalid(path, "must be an object")
        for name in required:
            if value.get(name) is None:
                raise invalid(f"{path}.{name}", "is required")
        for name, one in fields.items():
            if value.get(name) is not None:
                one(value[name], f"{path}.{name}")

    return check


def _either(first: Check, second: Check) -> Check:
    def check(value: Any, path: str) -> None:
        (first if isinstance(value, list) else second)(value, path)

    return check


def _uid(value: Any, path: str) -> None:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9]{1,10}", value):
        raise invalid(path, "must be a string of digits")
    if not 1 <= int(value) < 2**32:
        raise invalid(path, "must be from 1 to 2^32-1")


def _listed_uid(value: Any, path: str) -> None:
    if value != "#allstream#":
        _uid(value, path)


# --- the schemas --------------------------------------------------------------------------------

_UIDS = _list(_listed_uid, most=32)
_AUDIO_LISTS, _VIDEO_LISTS = (
    {f"{verb}{kind}Uids": _UIDS for verb in ("subscribe", "unsubscribe", "unSubscribe")}
    for kind in ("Audio", "Video")
)
_COLOUR = _matching(r"#[0-9A-Fa-f]{6}", "must be # and six hexadecimal digits")

_REGION = _object(
    {
        "uid": _text,
        "x_axis": _share,
        "y_axis": _share,
        "width": _share,
        "height": _share,
        "alpha": _share,
        "render_mode": _one_of(0, 1),
    },
    required=("x_axis", "y_axis", "width", "height"),
)
_USER_BACKGROUND = _object(
    {"uid": _text, "image_url": _filled, "render_mode": _one_of(0, 1)},
    required=("uid", "image_url"),
)
_LAYOUT: dict[str, Check] = {
    "maxResolutionUid": _uid,
    "mixedVideoLayout": _one_of(0, 1, 2, 3),
    "backgroundColor": _COLOUR,
    "backgroundImage": _text,
    "defaultUserBackgroundImage": _text,
    "layoutConfig": _list(_REGION, most=17),
    "backgroundConfig": _either(_list(_USER_BACKGROUND, most=17), _USER_BACKGROUND),
}
_TRANSCODING = _object(
    {
        "width": _integer(1, 1920 * 1080),
        "height": _integer(1, 1920 * 1080),
        "fps": _integer(1, 60),
        "bitrate": _integer(1, 10_000),
        **_LAYOUT,
    }
)
_RECORDING = _object(
    {
        "channelType": _one_of(0, 1),
        "decryptionMode": _one_of(*range(9)),
        "secret": _text,
        "salt": _text,
        "maxIdleTime": _integer(5, 2_592_000),
        "streamTypes": _one_of(0, 1, 2),
        "videoStreamType": _one_of(0, 1),
        **_AUDIO_LISTS,
        **_VIDEO_LISTS,
        "subscribeUidGroup": _one_of(*range(6)),
        "streamMode": _one_of("default", "standard", "original"),
        "audioProfile": _one_of(0, 1, 2),
        "transcodingConfig": _TRANSCODING,
        "privateParams": _text,
    }
)
_FILES = _object({"avFileType": _list(_one_of("hls", "mp4", "mp3"), least=1, most=2)})
_SNAPSHOTS = _object(
    {"captureInterval": _integer(5, 3600), "fileType": _list(_one_of("jpg"), least=1, most=1)},
    required=("fileType",),
)
_OUTPUTS = _list(_object({"rtmpUrl": _filled}, required=("rtmpUrl",)), least=1, most=10)
_WEB_RECORDER = _object(
    {
        "url": _filled,
        "audioProfile": _one_of(0, 1, 2),
        "videoWidth": _integer(1, 1920 * 1080),
        "videoHeight": _integer(1, 1920 * 1080),
        "maxRecordingHour": _integer(1, 720),
        "videoBitrate": _integer(1, 20_000),
        "videoFps": _integer(5, 60),
        "mobile": _boolean,
        "maxVideoDuration": _integer(30, 240),
        "onhold": _boolean,
        "readyTimeout": _integer(0, 60),
    },
    required=("url", "audioProfile", "videoWidth", "videoHeight", "maxRecordingHour"),
)
_SERVICES = _object(
    {
        "errorHandlePolicy": _one_of("error_abort"),
        "extensionServices": _list(
            _object(
                {
                    "serviceName": _one_of(WEB_RECORDER, CDN_PUBLISHER),
                    "errorHandlePolicy": _one_of("error_abort", "error_ignore"),
                },
                required=("serviceName", "serviceParam"),
            ),
            least=1,
            most=2,
        ),
    },
    required=("extensionServices",),
)
_TRANSCODE_OPTIONS = _object(
    {
        "transConfig": _object(
            {"transMode": _one_of("postponeTranscoding", "audioMix")}, required=("transMode",)
        ),
        "container": _object({"format": _one_of("mp4", "mp3", "m4a", "aac")}),
        "audio": _object(
            {
                "sampleRate": _one_of("48000", "32000", "16000"),
                "bitrate": _matching(r"[0-9]+", "must be a string of digits"),
                "channels": _one_of("1", "2"),
            }
        ),
    },
    required=("transConfig",),
)
_STORAGE = _object(
    {
        "vendor": _one_of(1, 2, 3, 5, 6, 7, 8, 11),
        "region": _integer(0, 100),
        "bucket": _filled,
        "accessKey": _filled,
        "secretKey": _filled,
        "stsToken": _text,
        "stsExpiration": _integer(0, 2**53),
        "extensionParams": _object(
            {"sse": _one_of("kms", "aes256"), "tag": _text, "endpoint": _filled}
        ),
    },
    required=("vendor", "region", "bucket", "accessKey", "secretKey"),
)
_CLIENT_REQUEST = _object(
    {
        "token": _text,
        "storageConfig": _STORAGE,
        "recordingConfig": _RECORDING,
        "recordingFileConfig": _FILES,
        "snapshotConfig": _SNAPSHOTS,
        "extensionServiceConfig": _SERVICES,
        "appsCollection": _object(
            {"combinationPolicy": _one_of("default", "postpone_transcoding")}
        ),
        "transcodeOptions": _TRANSCODE_OPTIONS,
    },
    required=("storageConfig",),
)
_ONLY_IN = {
    "recordingConfig": ("individual", "mix", "raw"),
    "snapshotConfig": ("individual", "raw"),
    "extensionServiceConfig": ("web",),
    "appsCollection": ("individual",),
    "transcodeOptions": ("individual",),
}
# What Agora calls not applicable, without saying that it fails: field, and the modes.
_NOT_APPLICABLE = {"recordingConfig": ("web",), "extensionServiceConfig": ("individual",)}
_ONLY_IN_RECORDING_CONFIG = {
    "streamMode": ("individual", "mix"),  # in mix, it is not applicable
    "audioProfile": ("mix",),
    "transcodingConfig": ("mix",),
}
_UPDATE = _object(
    {
        "streamSubscribe": _object(
            {"audioUidList": _object(_AUDIO_LISTS), "videoUidList": _object(_VIDEO_LISTS)}
        ),
        "webRecordingConfig": _object({"onhold": _boolean}),
        "rtmpPublishConfig": _object({"outputs": _OUTPUTS}),
        "storageConfig": _STORAGE,
    }
)
_UPDATE_ONLY_IN = {
    "streamSubscribe": ("individual", "mix", "raw"),
    "webRecordingConfig": ("web",),
    "rtmpPublishConfig": ("web",),
}


# --- the calls ----------------------------------------------------------------------------------

_CNAME = re.compile(r"[A-Za-z0-9 !#$%&()+\-:;<=.>?@\[\]^_{}|~,]{1,64}")


@dataclass(frozen=True)
class Identity:
    """The channel and the uid that a call names."""

    cname: str
    uid: str


def identity(body: dict[str, Any], *, scene: int = 0) -> Identity:
    """Return cname and uid of a body. Raises RefusalError: 2 or 1013."""
    cname, uid = body.get("cname"), body.get("uid")
    if not isinstance(cname, str) or not cname:
        raise invalid("cname", "is required and must be a string")
    if scene == 1:
        if len(cname.encode()) > 1024:
            raise RefusalError(400, 1013, "cname: must not exceed 1024 bytes")
    elif not _CNAME.fullmatch(cname):
        raise RefusalError(400, 1013, "cname: at most 64 bytes of the 89 supported characters")
    _uid(uid, "uid")
    assert isinstance(uid, str)
    return Identity(cname, uid)


@dataclass(frozen=True)
class Acquisition:
    """The request that a resourceId was given for."""

    who: Identity
    scene: int
    expires_after_hours: int
    start_parameter: dict[str, Any] | None


def acquire(body: dict[str, Any]) -> Acquisition:
    """Return what `acquire` asks for. Raises RefusalError: 2 or 1013."""
    client_request = body.get("clientRequest")
    if client_request is None:
        client_request = {}
    _object(
        {
            "scene": _one_of(0, 1, 2),
            "resourceExpiredHour": _integer(1, 720),
            "startParameter": _object({}),
            "excludeResourceIds": _list(_filled, most=32),
            "region": _one_of("CN", "AP", "EU", "NA"),
            "regionAffinity": _one_of(0, 1, 2, 3, 4),
        }
    )(client_request, "clientRequest")
    scene = client_request.get("scene") or 0
    return Acquisition(
        who=identity(body, scene=scene),
        scene=scene,
        expires_after_hours=client_request.get("resourceExpiredHour") or 72,
        start_parameter=client_request.get("startParameter"),
    )


def start(
    mode: str, client_request: object, asked: Acquisition, options: Options, now_ms: int
) -> dict[str, Any]:
    """Return the validated clientRequest of `start`. Raises RefusalError: 2."""
    _CLIENT_REQUEST(client_request, "clientRequest")
    assert isinstance(client_request, dict)
    applicable = dict(client_request)
    if options.not_applicable == "ignored":
        for name, modes in _NOT_APPLICABLE.items():
            if mode in modes:
                applicable.pop(name, None)
    _belongs(applicable, _ONLY_IN, mode, "clientRequest")
    storage(client_request["storageConfig"], options, now_ms)
    recording = client_request.get("recordingConfig") or {}
    if applicable.get("recordingConfig") is not None or mode != "web":
        _recording_config(recording, mode, options)
    file_types = (client_request.get("recordingFileConfig") or {}).get("avFileType")
    if mode == "raw" and file_types == ["mp3"]:
        pass  # sound alone
    elif file_types is not None and "mp3" in file_types:
        rule = '"mp3" is for raw mode, and stands alone'
        raise invalid("clientRequest.recordingFileConfig.avFileType", rule)
    elif file_types is not None and "hls" not in file_types:
        raise invalid("clientRequest.recordingFileConfig.avFileType", '["mp4"] alone is an error')
    if client_request.get("snapshotConfig") is not None:
        _snapshots(recording)
    if mode == "web":
        _web(client_request)
    _scene(mode, client_request, asked.scene)
    for name, value in (asked.start_parameter or {}).items():
        if client_request.get(name) != value:
            raise invalid(f"clientRequest.{name}", "differs from acquire's startParameter")
    return client_request


def update(mode: str, client_request: object, options: Options, now_ms: int) -> dict[str, Any]:
    """Return the validated clientRequest of `update`. Raises RefusalError: 2."""
    _UPDATE(client_request, "clientRequest")
    assert isinstance(client_request, dict)
    _belongs(client_request, _UPDATE_ONLY_IN, mode, "clientRequest")
    if client_request.get("storageConfig") is not None:
        storage(client_request["storageConfig"], options, now_ms)
    lists = client_request.get("streamSubscribe") or {}
    for kind in ("audio", "video"):
        _one_list(lists.get(f"{kind}UidList") or {}, "clientRequest.streamSubscribe")
    return client_request


def update_layout(mode: str, client_request: object) -> dict[str, Any]:
    """Return the validated clientRequest of `updateLayout`. Raises RefusalError: 1028."""
    try:
        if mode != "mix":
            raise invalid("mode", "updateLayout is for mix only")
        _object(_LAYOUT)(client_request, "clientRequest")
        assert isinstance(client_request, dict)
        _layout(client_request, "clientRequest")
    except RefusalError as refusal:
        raise RefusalError(400, 1028, refusal.reason) from None
    return client_request


def stop(client_request: object) -> bool:
    """Return whether `stop` is to answer at once. Raises RefusalError: 2."""
    if client_request is None:
        client_request = {}
    _object({"async_stop": _boolean})(client_request, "clientRequest")
    assert isinstance(client_request, dict)
    return bool(client_request.get("async_stop"))


def storage(config: dict[str, Any], options: Options, now_ms: int) -> None:
    """Check the rules of storageConfig that are not in its schema. Raises RefusalError: 2."""
    path = "clientRequest.storageConfig"
    vendor = config["vendor"]
    if vendor not in (1, 11):
        rule = "this simulator stores in Amazon S3 (1) and S3-compatible storage (11) only"
        raise invalid(f"{path}.vendor", rule)
    if vendor == 1 and config["region"] not in S3_REGIONS:
        raise invalid(f"{path}.region", "is not a region of Amazon S3")
    params = config.get("extensionParams") or {}
    if vendor == 11 and not params.get("endpoint"):
        raise invalid(f"{path}.extensionParams.endpoint", "is required with vendor 11")
    parts = config.get("fileNamePrefix") or []
    allowed = r"[A-Za-z0-9_-]+" if options.relaxed_prefix else r"[A-Za-z0-9]+"
    _list(_matching(allowed, "may hold only A-Z, a-z and 0-9"), most=128)(
        parts, f"{path}.fileNamePrefix"
    )
    if len("".join(f"{part}/" for part in parts)) > 128:
        raise invalid(f"{path}.fileNamePrefix", "must not exceed 128 characters, slashes included")
    if config.get("stsToken") and options.sts_min_validity_s:
        expires_s = config.get("stsExpiration")
        if not expires_s:
            raise invalid(f"{path}.stsExpiration", "is required with stsToken")
        # Allow a minute: the token was made before this call, for exactly the least time.
        if expires_s - now_ms / 1000 < options.sts_min_validity_s - 60:
            raise invalid(f"{path}.stsExpiration", "the token must be valid for at least 4 hours")


def _belongs(
    value: dict[str, Any], only_in: Mapping[str, Collection[str]], mode: str, path: str
) -> None:
    for name, modes in only_in.items():
        if value.get(name) is not None and mode not in modes:
            raise invalid(f"{path}.{name}", f"is not for mode {mode}")


def _recording_config(config: dict[str, Any], mode: str, options: Options) -> None:
    path = "clientRequest.recordingConfig"
    _belongs(config, _ONLY_IN_RECORDING_CONFIG, mode, path)
    if options.not_applicable == "refused" and mode == "mix" and config.get("streamMode"):
        raise invalid(f"{path}.streamMode", f"is not for mode {mode}")
    has_no_group = mode == "individual" and config.get("subscribeUidGroup") is None
    if has_no_group and options.uid_group_required:
        raise invalid(f"{path}.subscribeUidGroup", "is required in individual mode")
    _one_list(config, path)
    streams = config.get("streamTypes", 2)
    if mode != "mix" and config.get("streamMode") == "original" and streams != 0:
        raise invalid(f"{path}.streamMode", "original takes effect with streamTypes 0 only")
    if streams == 0 and config.get("subscribeVideoUids"):
        raise invalid(f"{path}.subscribeVideoUids", "streamTypes 0 subscribes to no video")
    if streams == 1 and config.get("subscribeAudioUids"):
        raise invalid(f"{path}.subscribeAudioUids", "streamTypes 1 subscribes to no audio")
    encryption = config.get("decryptionMode", 0)
    if encryption and not config.get("secret"):
        raise invalid(f"{path}.secret", "is required unless decryptionMode is 0")
    if encryption in (7, 8) and not config.get("salt"):
        raise invalid(f"{path}.salt", "is required with decryptionMode 7 and 8")
    if (transcoding := config.get("transcodingConfig")) is not None:
        if transcoding.get("width", 360) * transcoding.get("height", 640) > 1920 * 1080:
            raise invalid(f"{path}.transcodingConfig", "width x height must fit 1920 x 1080")
        _layout(transcoding, f"{path}.transcodingConfig")


def _layout(config: dict[str, Any], path: str) -> None:
    if config.get("mixedVideoLayout") == 3 and not config.get("layoutConfig"):
        raise invalid(f"{path}.layoutConfig", "is required with mixedVideoLayout 3")


def _one_list(config: dict[str, Any], path: str) -> None:
    for kind in ("Audio", "Video"):
        for verb in ("unsubscribe", "unSubscribe"):
            name = f"{verb}{kind}Uids"
            if config.get(f"subscribe{kind}Uids") and config.get(name):
                raise invalid(f"{path}.{name}", f"cannot go with subscribe{kind}Uids: set one")


def _snapshots(recording: dict[str, Any]) -> None:
    path = "clientRequest.recordingConfig"
    if recording.get("streamTypes", 2) not in (1, 2):
        raise invalid(f"{path}.streamTypes", "must be 1 or 2 when capturing screenshots")
    if recording.get("subscribeAudioUids") and not recording.get("subscribeVideoUids"):
        raise invalid(f"{path}.subscribeVideoUids", "is required with subscribeAudioUids here")


def _web(client_request: dict[str, Any]) -> None:
    path = "clientRequest.extensionServiceConfig"
    config = client_request.get("extensionServiceConfig")
    if config is None:
        raise invalid(path, "is required in web mode")
    services = {service["serviceName"]: service for service in config["extensionServices"]}
    if WEB_RECORDER not in services:
        raise invalid(f"{path}.extensionServices", f"must hold {WEB_RECORDER}")
    for name, service in services.items():
        param, where = service["serviceParam"], f"{path}.{name}.serviceParam"
        if name == CDN_PUBLISHER:
            _object({"outputs": _OUTPUTS}, required=("outputs",))(param, where)
            continue
        _WEB_RECORDER(param, where)
        if param["videoWidth"] * param["videoHeight"] > 1920 * 1080:
            raise invalid(where, "videoWidth x videoHeight must fit 1920 x 1080")


def _scene(mode: str, client_request: dict[str, Any], scene: int) -> None:
    if mode == "raw":
        return  # the scene has no effect there
    policy = (client_request.get("appsCollection") or {}).get("combinationPolicy", "default")
    if (mode == "web") != (scene == 1):
        raise invalid("mode", f"does not go with acquire's scene {scene}")
    if (scene == 2) != (policy == "postpone_transcoding"):
        raise invalid(
            "clientRequest.appsCollection.combinationPolicy",
            f"{policy} does not go with acquire's scene {scene}",
        )
    if scene != 2:
        return
    if mode != "individual":
        raise invalid("mode", "acquire's scene 2 is for individual mode")
    options = client_request.get("transcodeOptions")
    if options is None:
        raise invalid("clientRequest.transcodeOptions", "is required with postponed transcoding")
    kind = options["transConfig"]["transMode"]
    container = (options.get("container") or {}).get("format")
    if container and (container == "mp4") != (kind == "postponeTranscoding"):
        raise invalid("clientRequest.transcodeOptions.container.format", f"is not for {kind}")
