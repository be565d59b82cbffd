"""The rules between the fields of a clientRequest; each is one small function in one of two lists.

A request that breaks one of `RULES` is refused: Agora would answer with an error, or would do
something that nobody asked for, such as recording a user who was to be left out. `ADVICE` gives
warnings: a field has no effect together with the others or in this mode, or Agora only recommends
against it. Requests with such fields are in production, and Agora records them.

Sources: Agora REST (acquire, start, update, updateLayout); where that is silent, Agora docs:
subscription lists, video layout, screen capture, postponed audio mixing.

The rules read requests that may be wrong in any way: what a field may hold by itself is checked
by its type, so here a part of the wrong type counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Set
from typing import Any, Literal, NamedTuple, TypeGuard, get_args

from agora_recording.agora.requests import ACQUIRE_FIELDS, ALL_STREAMS
from agora_recording.request.conformance import IS_REQUIRED, MOST_LEVELS, child

Mode = Literal["individual", "mix", "raw", "web"]

MODES: tuple[Mode, ...] = get_args(Mode)
STORAGE_RULE = "must be left out: the stack adds the storage itself"

_MOST_PIXELS = 1920 * 1080
_SIZE = f"1920 x 1080 = {_MOST_PIXELS}"
_DEFAULT_SIZE = {"width": 360, "height": 640}
_UID_GROUP_SIZES = (2, 7, 12, 17, 32, 49)
# The modes in which each user has files of their own.
BY_USER = ("individual", "raw")
_SALT = re.compile("[A-Za-z0-9+/]{43}=")  # 32 bytes in Base64
_POLICY = "appsCollection.combinationPolicy"
_KINDS = ("Audio", "Video")
# Any spelling of a subscription list.
_REPEATED = ("startParameter", "clientRequest")
# `sunscribe` is what Agora's Python client 0.2.0 writes for the videos of an update.
_IGNORED = "is misspelt or misplaced: Agora would ignore it, and record everybody"
_ANY_LIST = re.compile("(un)?su[bn]scribe(audio|video)uids?", re.IGNORECASE)

# Which modes a field is for; a field that is not here is for all of them. Agora calls these "only
# applicable" there, and does not refuse them elsewhere.
START_MODES = {
    "recordingConfig": ("individual", "mix", "raw"),
    "recordingConfig.streamMode": ("individual",),
    "recordingConfig.audioProfile": ("mix",),
    "recordingConfig.transcodingConfig": ("mix",),
    "snapshotConfig": ("individual", "raw"),
    "extensionServiceConfig": ("web",),
    "appsCollection": ("individual",),
    "transcodeOptions": ("individual",),
}
# What other rules say more about: Agora rejects the one, and wants the other left out.
_NOT_IN_RAW = {("raw", "extensionServiceConfig"), ("raw", "recordingConfig.streamMode")}
# An update in another mode is refused: it would change nothing, and its caller believes it did.
UPDATE_MODES = {
    "streamSubscribe": ("individual", "mix", "raw"),
    "webRecordingConfig": ("web",),
    "rtmpPublishConfig": ("web",),
}

Broken = Iterator[tuple[str, str]]  # path, and the rule in words


class Asked(NamedTuple):
    """A request as the rules read it: a part is empty if it is absent or has a wrong type.

    `given` is everything, the other parts only what is for this mode: Agora ignores the rest.
    """

    mode: object
    given: Mapping[str, Any]
    top: Mapping[str, Any]
    recording: Mapping[str, Any]
    transcoding: Mapping[str, Any]
    transcode: Mapping[str, Any]
    services: tuple[Mapping[str, Any], ...]

    @classmethod
    def of(cls, mode: object, client_request: object) -> Asked:
        """Return the parts of a request."""
        given = members(client_request)
        top = _for_mode(mode, given)
        recording = members(top.get("recordingConfig"))
        extension = members(top.get("extensionServiceConfig"))
        return cls(
            mode=mode,
            given=given,
            top=top,
            recording=recording,
            transcoding=members(recording.get("transcodingConfig")),
            transcode=members(top.get("transcodeOptions")),
            services=tuple(members(each) for each in items(extension.get("extensionServices"))),
        )

    @property
    def is_postponed(self) -> bool:
        """Whether transcoding or mixing is to follow the recording."""
        policy = members(self.top.get("appsCollection")).get("combinationPolicy")
        return bool(policy == "postpone_transcoding")

    @property
    def transcode_mode(self) -> object:
        """What is to follow: postponeTranscoding or audioMix."""
        return members(self.transcode.get("transConfig")).get("transMode")


# --- refused ------------------------------------------------------------------------------------


def _storage_is_the_bundles(asked: Asked) -> Broken:
    if "storageConfig" in asked.given:
        yield "storageConfig", STORAGE_RULE
    if "storageConfig" in members(asked.top.get("startParameter")):
        yield "startParameter.storageConfig", STORAGE_RULE


def _it_is_no_whole_body(asked: Asked) -> Broken:
    yield from whole_body(asked.given)


def _each_mode_has_its_fields(asked: Asked) -> Broken:
    if asked.mode == "web" and "extensionServiceConfig" not in asked.top:
        yield "extensionServiceConfig", f"{IS_REQUIRED} in web mode"


def _raw_mode_has_no_extension(asked: Asked) -> Broken:
    # Agora only ignores it in the older individual mode (Agora: migration from individual to raw).
    if asked.mode == "raw" and "extensionServiceConfig" in asked.given:
        yield "extensionServiceConfig", "must be left out in raw mode: Agora rejects it there"


def _each_list_has_its_place(asked: Asked) -> Broken:
    places = {f"recordingConfig.{name}" for kind in _KINDS for name in list_names(kind)}
    yield from misplaced_lists(asked.given, places)


def _the_scene_fits_the_mode(asked: Asked) -> Broken:
    if "scene" not in asked.top or asked.mode not in MODES or asked.mode == "raw":
        return
    scene = asked.top["scene"]
    if asked.mode == "web":
        if scene != 1:
            yield "scene", "must be 1 in web mode (or left out: the stack sends 1)"
    elif scene == 1:
        yield "scene", "must not be 1: that is for web mode only"
    elif scene == 2 and asked.mode != "individual":
        yield "scene", "must not be 2: that is for individual mode only"


def _postponed_work_is_asked_for_whole(asked: Asked) -> Broken:
    scene = asked.top.get("scene")
    if asked.is_postponed:
        if "scene" in asked.top and scene != 2:
            yield "scene", f"must be 2 with {_POLICY} postpone_transcoding (or left out)"
        if "transcodeOptions" not in asked.top:
            yield "transcodeOptions", f"{IS_REQUIRED} with {_POLICY} postpone_transcoding"
    elif scene == 2 and asked.mode in START_MODES["appsCollection"]:
        yield _wanted(asked.top, _POLICY, '"postpone_transcoding"', "with scene 2")
    elif "transcodeOptions" in asked.top:
        yield _wanted(asked.top, _POLICY, '"postpone_transcoding"', "with transcodeOptions")


def _postponed_work_makes_a_fitting_file(asked: Asked) -> Broken:
    file_format = members(asked.transcode.get("container")).get("format")
    path = "transcodeOptions.container.format"
    if asked.transcode_mode == "postponeTranscoding" and file_format in ("mp3", "m4a", "aac"):
        yield path, 'must be "mp4" with postponeTranscoding'
    if asked.transcode_mode == "audioMix":
        if file_format == "mp4":
            yield path, 'must be "mp3", "m4a" or "aac" with audioMix'
        if asked.recording.get("streamTypes") != 0:
            path = "recordingConfig.streamTypes"
            yield _wanted(asked.top, path, "0 (audio only)", "with audioMix")
        if asked.recording.get("streamMode") != "original":
            yield _wanted(asked.top, "recordingConfig.streamMode", '"original"', "with audioMix")


def _one_list_for_each_medium(asked: Asked) -> Broken:
    for path, rule in both_lists(asked.recording):
        yield f"recordingConfig.{path}", rule


def _lists_fit_the_stream_types(asked: Asked) -> Broken:
    types = asked.recording.get("streamTypes")
    for without, kind, only in ((0, "Video", "audio"), (1, "Audio", "video")):
        for name in list_names(kind):
            if _is_whole(types) and types == without and name in asked.recording:
                rule = f"cannot be used with streamTypes {types} ({only} only)"
                yield f"recordingConfig.{name}", rule


def _encryption_has_its_keys(asked: Asked) -> Broken:
    mode = asked.recording.get("decryptionMode")
    if not _is_whole(mode) or mode not in range(1, 9):
        return
    if not asked.recording.get("secret"):
        yield "recordingConfig.secret", f"{IS_REQUIRED} with decryptionMode {mode}"
    salt = asked.recording.get("salt")
    if mode in (7, 8) and not (isinstance(salt, str) and _SALT.fullmatch(salt)):
        path = "recordingConfig.salt"
        yield _wanted(asked.top, path, "32 bytes in Base64", f"with decryptionMode {mode}")


def _the_canvas_is_not_too_large(asked: Asked) -> Broken:
    size = {**_DEFAULT_SIZE, **asked.transcoding}
    if _is_too_large(size["width"], size["height"]):
        yield "recordingConfig.transcodingConfig", f"width x height must be at most {_SIZE}"


def _a_custom_layout_has_its_regions(asked: Asked) -> Broken:
    for path, rule in layout_regions(asked.transcoding):
        yield f"recordingConfig.transcodingConfig.{path}", rule


def _mp4_comes_with_hls(asked: Asked) -> Broken:
    kinds = items(members(asked.top.get("recordingFileConfig")).get("avFileType"))
    path = "recordingFileConfig.avFileType"
    if asked.mode == "raw" and "mp3" in kinds:
        if kinds != ["mp3"]:
            yield path, 'must be ["mp3"] alone where it holds "mp3"'
    elif "mp3" in kinds:
        yield path, 'must be ["hls"] or ["hls", "mp4"]: "mp3" is for raw mode only'
    elif kinds and ("hls" not in kinds or kinds == ["hls", "hls"]):
        more = ' or ["mp3"]' if asked.mode == "raw" else ""
        yield path, f'must be ["hls"] or ["hls", "mp4"]{more}'


def _snapshots_need_video(asked: Asked) -> Broken:
    if "snapshotConfig" not in asked.top:
        return
    types = asked.recording.get("streamTypes")
    if _is_whole(types) and types == 0:
        yield "recordingConfig.streamTypes", "must be 1 or 2 with snapshotConfig"
    if "subscribeAudioUids" in asked.recording and "subscribeVideoUids" not in asked.recording:
        path = "recordingConfig.subscribeVideoUids"
        yield path, f"{IS_REQUIRED} with snapshotConfig where subscribeAudioUids is given"


def _a_page_is_recorded_once(asked: Asked) -> Broken:
    path = "extensionServiceConfig.extensionServices"
    names = [service.get("serviceName") for service in asked.services]
    if names and "web_recorder_service" not in names:
        yield path, "must hold a web_recorder_service"
    for name in ("web_recorder_service", "rtmp_publish_service"):
        if names.count(name) > 1:
            yield path, f"must hold {name} only once"


def _the_page_is_not_too_large(asked: Asked) -> Broken:
    for index, service in enumerate(asked.services):
        param = members(service.get("serviceParam"))
        if _is_too_large(param.get("videoWidth"), param.get("videoHeight")):
            path = f"extensionServiceConfig.extensionServices[{index}].serviceParam"
            yield path, f"videoWidth x videoHeight must be at most {_SIZE}"


def _start_parameter_is_what_start_gets(asked: Asked) -> Broken:
    if "startParameter" not in asked.top:
        return
    given = asked.top["startParameter"]
    if not isinstance(given, dict):
        yield "startParameter", "must be an object, equal to the start fields of clientRequest"
        return
    start = {name: each for name, each in asked.given.items() if name not in ACQUIRE_FIELDS}
    for name in {**start, **given}:
        if name != "storageConfig" and not _same(start, given, name):
            path = child("startParameter", name)
            yield (
                path,
                "must equal the field of this name in clientRequest; or leave startParameter out",
            )


Rule = Callable[[Asked], Broken]
RULES: tuple[Rule, ...] = (
    _storage_is_the_bundles,
    _it_is_no_whole_body,
    _each_mode_has_its_fields,
    _raw_mode_has_no_extension,
    _each_list_has_its_place,
    _the_scene_fits_the_mode,
    _postponed_work_is_asked_for_whole,
    _postponed_work_makes_a_fitting_file,
    _one_list_for_each_medium,
    _lists_fit_the_stream_types,
    _encryption_has_its_keys,
    _the_canvas_is_not_too_large,
    _a_custom_layout_has_its_regions,
    _mp4_comes_with_hls,
    _snapshots_need_video,
    _a_page_is_recorded_once,
    _the_page_is_not_too_large,
    _start_parameter_is_what_start_gets,
)


# --- allowed, but perhaps not intended ----------------------------------------------------------


def _each_field_has_its_modes(asked: Asked) -> Broken:
    for path, words in in_other_modes(asked.mode, asked.given, START_MODES):
        if (asked.mode, path) not in _NOT_IN_RAW:
            yield path, f"{words}: it has no effect here"


def _raw_mode_has_no_stream_mode(asked: Asked) -> Broken:
    if asked.mode == "raw" and "streamMode" in members(asked.given.get("recordingConfig")):
        yield "recordingConfig.streamMode", "does not exist in raw mode: the stack leaves it out"


def _raw_mode_has_no_scene(asked: Asked) -> Broken:
    if asked.mode == "raw" and asked.top.get("scene", 0) != 0:
        yield "scene", "has no effect in raw mode"


def _mp3_is_sound_alone(asked: Asked) -> Broken:
    kinds = items(members(asked.top.get("recordingFileConfig")).get("avFileType"))
    if asked.mode == "raw" and kinds == ["mp3"] and asked.recording.get("streamTypes", 2) != 0:
        yield "recordingConfig.streamTypes", 'should be 0 with avFileType "mp3", which has no video'


def _the_uid_group_is_missing(asked: Asked) -> Broken:
    if asked.mode == "individual" and "subscribeUidGroup" not in asked.recording:
        path = "recordingConfig.subscribeUidGroup"
        yield path, "is not given, although Agora's documents call it required in individual mode"


def _the_channel_type_is_assumed(asked: Asked) -> Broken:
    if asked.mode != "web" and "channelType" not in asked.recording:
        rule = "is not given: the stack sends 0 (communication)"
        yield "recordingConfig.channelType", f"{rule}; give 1 if your app broadcasts live"


def _lists_may_leave_out_a_medium(asked: Asked) -> Broken:
    for path, rule in doubtful_lists(asked.recording):
        yield f"recordingConfig.{path}", rule
    if asked.recording.get("streamTypes", 2) != 2:
        return
    for kind, other in (("Audio", "Video"), ("Video", "Audio")):
        here = any(name in asked.recording for name in list_names(kind))
        if here and not any(name in asked.recording for name in list_names(other)):
            path = f"recordingConfig.subscribe{other}Uids"
            yield path, f"is missing beside the other list: no {other.lower()} will be recorded"


def _the_uid_group_is_large_enough(asked: Asked) -> Broken:
    group = asked.recording.get("subscribeUidGroup")
    if not _is_whole(group) or group not in range(len(_UID_GROUP_SIZES)):
        return
    if asked.mode not in BY_USER:
        yield "recordingConfig.subscribeUidGroup", "has no effect outside individual and raw mode"
        return
    lists = ("subscribeAudioUids", "subscribeVideoUids")
    uids = {
        each for name in lists for each in items(asked.recording.get(name)) if isinstance(each, str)
    }
    if len(uids) > _UID_GROUP_SIZES[group]:
        path = "recordingConfig.subscribeUidGroup"
        yield path, f"{group} is for {_UID_GROUP_SIZES[group]} uids at most; more are named"


def _the_original_sound_is_audio_only(asked: Asked) -> Broken:
    is_audio_only = asked.recording.get("streamTypes") == 0
    if asked.recording.get("streamMode") == "original" and not is_audio_only:
        yield "recordingConfig.streamMode", "original takes effect with streamTypes 0 only"


def _keys_without_encryption(asked: Asked) -> Broken:
    mode = asked.recording.get("decryptionMode", 0)
    if mode == 0 and asked.recording.get("secret"):
        yield "recordingConfig.secret", "has no effect without a decryptionMode"
    if mode not in (7, 8) and asked.recording.get("salt"):
        yield "recordingConfig.salt", "has no effect with this decryptionMode"


def _a_doubtful_picture(asked: Asked) -> Broken:
    for path, rule in doubtful_layout(asked.transcoding):
        yield f"recordingConfig.transcodingConfig.{path}", rule
    fps = asked.transcoding.get("fps")
    if _is_whole(fps) and fps > 30:
        yield "recordingConfig.transcodingConfig.fps", "is above 30, the most that Agora names"


def _sound_options_without_a_mix(asked: Asked) -> Broken:
    if "audio" in asked.transcode and asked.transcode_mode == "postponeTranscoding":
        yield "transcodeOptions.audio", "takes effect with audioMix only"


def _postponed_work_in_one_region(asked: Asked) -> Broken:
    if asked.is_postponed and "region" in asked.top:
        yield "region", "should be left out with postponed transcoding or mixing"


def _the_page_outlives_the_resource(asked: Asked) -> Broken:
    expiry = asked.top.get("resourceExpiredHour")
    for index, service in enumerate(asked.services):
        hours = members(service.get("serviceParam")).get("maxRecordingHour")
        if _is_whole(expiry) and _is_whole(hours) and hours > expiry:
            path = f"extensionServiceConfig.extensionServices[{index}].serviceParam"
            yield f"{path}.maxRecordingHour", "should not exceed resourceExpiredHour"


ADVICE: tuple[Rule, ...] = (
    _each_field_has_its_modes,
    _raw_mode_has_no_stream_mode,
    _raw_mode_has_no_scene,
    _mp3_is_sound_alone,
    _the_uid_group_is_missing,
    _the_channel_type_is_assumed,
    _lists_may_leave_out_a_medium,
    _the_uid_group_is_large_enough,
    _the_original_sound_is_audio_only,
    _keys_without_encryption,
    _a_doubtful_picture,
    _sound_options_without_a_mix,
    _postponed_work_in_one_region,
    _the_page_outlives_the_resource,
)


# --- shared by start, update and updateLayout ---------------------------------------------------


def in_other_modes(
    mode: object, top: Mapping[str, Any], modes_of: Mapping[str, tuple[str, ...]]
) -> Broken:
    """Find fields that are for other modes than this one."""
    for path, modes in modes_of.items():
        outer, _, inner = path.partition(".")
        is_there = inner in members(top.get(outer)) if inner else outer in top
        if is_there and mode in MODES and mode not in modes:
            *others, last = modes
            named = f"{', '.join(others)} and {last}" if others else last
            yield path, f"is for {named} mode only"


def _for_mode(mode: object, given: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a request without the fields that are for other modes than this one."""
    kept = dict(given)
    for path, _ in in_other_modes(mode, given, START_MODES):
        outer, _, inner = path.partition(".")
        if not inner:
            kept.pop(outer)
        elif outer in kept:
            kept[outer] = {name: each for name, each in kept[outer].items() if name != inner}
    return kept


def both_lists(config: Mapping[str, Any]) -> Broken:
    """Find a medium that has more than one list, of whichever kind and spelling."""
    for kind in _KINDS:
        given = [name for name in list_names(kind) if name in config]
        for other in given[1:]:
            yield other, f"cannot be used with {given[0]}: give one of the two"


def misplaced_lists(top: Mapping[str, Any], places: Set[str]) -> Broken:
    """Find subscription lists, in any spelling, that are not at one of `places`.

    Agora ignores them, and then records users who were to be left out.
    """
    # startParameter repeats the start fields; of a body inside the body, other rules tell.
    top = {name: each for name, each in top.items() if name not in _REPEATED}
    waiting: list[tuple[str, object, int]] = [("", top, 1)]
    for path, at, level in waiting:  # grows as it goes
        for name, each in members(at).items() if level <= MOST_LEVELS else ():
            here = child(path, name)
            if _ANY_LIST.fullmatch(name) and here not in places:
                known = ", ".join(sorted(place for place in places if _is_alike(place, name)))
                yield here, f"{_IGNORED}; write {known}"
            waiting.append((here, each, level + 1))


def _is_alike(place: str, name: str) -> bool:
    meant = name.lower().replace("sunscribe", "subscribe").removesuffix("s")
    return place.rpartition(".")[2].lower() == f"{meant}s"


def whole_body(top: Mapping[str, Any]) -> Broken:
    """Find the body of a call to Agora where only its clientRequest belongs."""
    if "clientRequest" in top:
        yield (
            "clientRequest",
            "must not be inside another clientRequest: put its fields one level higher",
        )


def doubtful_lists(config: Mapping[str, Any]) -> Broken:
    """Find subscription lists that are empty, or that name all streams and single uids."""
    for name in (*list_names("Audio"), *list_names("Video")):
        uids = config.get(name)
        if uids == []:
            yield name, "is empty, which Agora recommends against: leave it out"
        if isinstance(uids, list) and len(uids) > 1 and ALL_STREAMS in uids:
            yield name, f"should hold only {ALL_STREAMS}, or only uids"


def layout_regions(layout: Mapping[str, Any]) -> Broken:
    """Find a custom layout without regions, or regions without a custom layout."""
    mixed = layout.get("mixedVideoLayout", 0)
    if not _is_whole(mixed):
        return
    if mixed == 3 and not layout.get("layoutConfig"):
        yield "layoutConfig", f"{IS_REQUIRED} with mixedVideoLayout 3"
    if mixed != 3 and "layoutConfig" in layout:
        yield "layoutConfig", "is for mixedVideoLayout 3 only"


def doubtful_layout(layout: Mapping[str, Any]) -> Broken:
    """Find parts of a layout that have no effect, or do not fit on the canvas."""
    if "maxResolutionUid" in layout and layout.get("mixedVideoLayout") != 2:
        yield "maxResolutionUid", "takes effect with mixedVideoLayout 2 only"
    if isinstance(layout.get("backgroundConfig"), dict):
        yield "backgroundConfig", "should be an array, as in Agora's newer pages"
    for index, region in enumerate(items(layout.get("layoutConfig"))):
        for start, length in (("x_axis", "width"), ("y_axis", "height")):
            at, size = members(region).get(start), members(region).get(length)
            # A millionth more is allowed: Agora reads six decimal places.
            if _is_number(at) and _is_number(size) and at + size > 1.000001:
                yield f"layoutConfig[{index}].{length}", f"{start} + {length} is more than 1"


def members(value: object) -> Mapping[str, Any]:
    """Return an object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def items(value: object) -> list[Any]:
    """Return an array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def list_names(kind: str) -> tuple[str, str, str]:
    """Return the names of the lists of a medium (Audio or Video): who is recorded, and who is left
    out, in both of Agora's spellings.
    """
    return f"subscribe{kind}Uids", f"unsubscribe{kind}Uids", f"unSubscribe{kind}Uids"


def _wanted(top: Mapping[str, Any], path: str, value: str, when: str) -> tuple[str, str]:
    """Return what is broken where a field must have one value: that it is missing, or is another.

    `path` is `outer.inner`.
    """
    outer, _, inner = path.partition(".")
    if inner in members(top.get(outer)):
        return path, f"must be {value} {when}"
    return path, f"{IS_REQUIRED} {when}: it must be {value}"


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, float) or _is_whole(value)


def _is_too_large(width: Any, height: Any) -> bool:
    return _is_whole(width) and _is_whole(height) and width * height > _MOST_PIXELS


def _same(one: Mapping[str, Any], other: Mapping[str, Any], name: str) -> bool:
    if name not in one or name not in other:
        return False
    try:
        return bool(one[name] == other[name])
    except RecursionError:  # nested so deeply that it is refused anyway
        return False
