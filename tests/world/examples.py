"""Requests for the tests: those that Agora's documents print, and some that have every field."""

from __future__ import annotations

import copy
import re
from typing import Any

from hypothesis import strategies as st

from agora_recording.agora.requests import StorageConfig
from agora_recording.errors import Problem
from agora_recording.request import check
from agora_recording.request.conformance import Checked, Findings, conform

Json = dict[str, Any]

RECORDING = "recordingConfig"
TRANSCODING = "recordingConfig.transcodingConfig"
SERVICES = "extensionServiceConfig.extensionServices"
PAGE = f"{SERVICES}[0].serviceParam"
SALT = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
STORAGE: Json = {
    "vendor": 1,
    "region": 7,
    "bucket": "recordings-of-an-app",
    "accessKey": "AKIAEXAMPLE",
    "secretKey": "storage-secret",
    "fileNamePrefix": ["recordings", "01HZY3V6W7X8Y9Z0A1B2C3D4E5"],
    "extensionParams": {"sse": "kms", "tag": "app"},
}

# --- the examples that Agora's documents print, without their storageConfig -----------------------

EXAMPLES: dict[str, tuple[str, Json]] = {
    "REST API reference (2019), acquire": ("mix", {}),
    "REST API reference (2019), start": (
        "mix",
        {
            "token": "<token if any>",
            "recordingConfig": {
                "maxIdleTime": 30,
                "streamTypes": 2,
                "audioProfile": 1,
                "channelType": 0,
                "videoStreamType": 1,
                "transcodingConfig": {
                    "height": 640,
                    "width": 360,
                    "bitrate": 500,
                    "fps": 15,
                    "mixedVideoLayout": 1,
                    "backgroundColor": "#FF0000",
                },
                "subscribeVideoUids": ["123", "456"],
                "subscribeAudioUids": ["123", "456"],
                "subscribeUidGroup": 0,
            },
        },
    ),
    "quick start, Python sample": (
        "mix",
        {
            "recordingConfig": {
                "audioProfile": 0,
                "channelType": 0,
                "maxIdleTime": 30,
                "transcodingConfig": {
                    "width": 640,
                    "height": 360,
                    "fps": 15,
                    "bitrate": 600,
                    "mixedVideoLayout": 3,
                    "backgroundColor": "#fff000",
                    "layoutConfig": [
                        {
                            "x_axis": 0.0,
                            "y_axis": 0.0,
                            "width": 0.3,
                            "height": 0.3,
                            "alpha": 0.9,
                            "render_mode": 1,
                        },
                        {
                            "x_axis": 0.3,
                            "y_axis": 0.0,
                            "width": 0.3,
                            "height": 0.3,
                            "alpha": 0.77,
                            "render_mode": 0,
                        },
                    ],
                },
            }
        },
    ),
    "start page, composite recording": (
        "mix",
        {
            "recordingConfig": {
                "channelType": 1,
                "streamTypes": 2,
                "audioProfile": 2,
                "videoStreamType": 0,
                "maxIdleTime": 30,
                "transcodingConfig": {
                    "width": 640,
                    "height": 360,
                    "fps": 15,
                    "bitrate": 500,
                    "mixedVideoLayout": 0,
                    "backgroundColor": "#000000",
                },
                "subscribeVideoUids": ["#allstream#"],
                "subscribeAudioUids": ["#allstream#"],
            },
            "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
        },
    ),
    "start page, individual recording, audio only": (
        "individual",
        {
            "recordingConfig": {
                "channelType": 1,
                "streamTypes": 0,
                "maxIdleTime": 30,
                "subscribeAudioUids": ["#allstream#"],
                "subscribeUidGroup": 5,
            },
            "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
        },
    ),
    "start page, individual recording with screenshots": (
        "individual",
        {
            "recordingConfig": {
                "channelType": 1,
                "streamTypes": 2,
                "videoStreamType": 0,
                "maxIdleTime": 30,
                "subscribeAudioUids": ["#allstream#"],
                "subscribeVideoUids": ["#allstream#"],
                "subscribeUidGroup": 5,
            },
            "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
            "snapshotConfig": {"captureInterval": 5, "fileType": ["jpg"]},
        },
    ),
    "screen capture page, screenshots only": (
        "individual",
        {
            "scene": 0,
            "resourceExpiredHour": 24,
            "token": "<token if any>",
            "recordingConfig": {"channelType": 1, "subscribeUidGroup": 0},
            "snapshotConfig": {"captureInterval": 5, "fileType": ["jpg"]},
        },
    ),
    "individual recording page": (
        "individual",
        {
            "resourceExpiredHour": 24,
            "scene": 0,
            "token": "<token if any>",
            "recordingConfig": {
                "maxIdleTime": 30,
                "streamTypes": 2,
                "channelType": 0,
                "videoStreamType": 0,
                "subscribeVideoUids": ["123", "456"],
                "subscribeAudioUids": ["123", "456"],
                "subscribeUidGroup": 0,
            },
        },
    ),
    "postponed transcoding page": (
        "individual",
        {
            "token": "<token if any>",
            "appsCollection": {"combinationPolicy": "postpone_transcoding"},
            "transcodeOptions": {
                "container": {"format": "mp4"},
                "transConfig": {"transMode": "postponeTranscoding"},
            },
            "recordingConfig": {
                "channelType": 1,
                "streamTypes": 2,
                "streamMode": "default",
                "videoStreamType": 0,
                "maxIdleTime": 30,
                "subscribeAudioUids": ["123", "456"],
                "subscribeVideoUids": ["123", "456"],
                "subscribeUidGroup": 0,
            },
            "recordingFileConfig": {"avFileType": ["hls"]},
        },
    ),
    "postponed audio mixing page": (
        "individual",
        {
            "token": "<token if any>",
            "appsCollection": {"combinationPolicy": "postpone_transcoding"},
            "recordingConfig": {
                "maxIdleTime": 30,
                "streamTypes": 0,
                "streamMode": "original",
                "channelType": 0,
                "subscribeAudioUids": ["123", "456"],
                "subscribeUidGroup": 0,
            },
            "transcodeOptions": {
                "container": {"format": "m4a"},
                "transConfig": {"transMode": "audioMix"},
                "audio": {"sampleRate": "48000", "bitrate": "48000", "channels": "2"},
            },
        },
    ),
    "web page recording page, pushed to a CDN": (
        "web",
        {
            "resourceExpiredHour": 24,
            "scene": 1,
            "token": "<token>",
            "extensionServiceConfig": {
                "extensionServices": [
                    {
                        "serviceName": "web_recorder_service",
                        "errorHandlePolicy": "error_abort",
                        "serviceParam": {
                            "url": "https://xxxxx",
                            "audioProfile": 0,
                            "videoWidth": 1280,
                            "videoHeight": 720,
                            "maxRecordingHour": 3,
                            "maxVideoDuration": 200,
                        },
                    },
                    {
                        "serviceName": "rtmp_publish_service",
                        "errorHandlePolicy": "error_ignore",
                        "serviceParam": {"outputs": [{"rtmpUrl": "rtmp://xxx"}]},
                    },
                ]
            },
            "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
        },
    ),
}
LAYOUT_EXAMPLES: list[Json] = [
    {
        "mixedVideoLayout": 3,
        "backgroundColor": "#FF0000",
        "layoutConfig": [
            {
                "uid": "1",
                "x_axis": 0.1,
                "y_axis": 0.1,
                "width": 0.1,
                "height": 0.1,
                "alpha": 1.0,
                "render_mode": 1,
            },
            {
                "uid": "2",
                "x_axis": 0.2,
                "y_axis": 0.2,
                "width": 0.1,
                "height": 0.1,
                "alpha": 1.0,
                "render_mode": 1,
            },
        ],
    },
    {"mixedVideoLayout": 2, "maxResolutionUid": "123456"},
    {
        "backgroundColor": "#FF0000",
        "defaultUserBackgroundImage": "https://xx.xxx/xxx.jpg",
        "backgroundConfig": [
            {"uid": "16", "image_url": "https://xx.xxx.xxx/xxx.bmp", "render_mode": 0}
        ],
    },
]

# --- requests that have every field ---------------------------------------------------------------

REGION: Json = {
    "uid": "1",
    "x_axis": 0,
    "y_axis": 0.5,
    "width": 1,
    "height": 0.5,
    "alpha": 1,
    "render_mode": 1,
}
CUSTOM_LAYOUT: Json = {
    "mixedVideoLayout": 3,
    "backgroundColor": "#00ff7F",
    "backgroundImage": "https://example.com/canvas.jpg",
    "defaultUserBackgroundImage": "http://example.com/user.bmp",
    "layoutConfig": [REGION],
    "backgroundConfig": [
        {"uid": "16", "image_url": "https://example.com/16.jpg", "render_mode": 0}
    ],
}
MIX: Json = {
    "scene": 0,
    "resourceExpiredHour": 24,
    "region": "EU",
    "excludeResourceIds": ["a-resource-id"],
    "token": "an-rtc-token",
    "recordingConfig": {
        "channelType": 1,
        "decryptionMode": 7,
        "secret": "channel-secret",
        "salt": SALT,
        "maxIdleTime": 120,
        "streamTypes": 2,
        "videoStreamType": 0,
        "subscribeAudioUids": ["#allstream#"],
        "subscribeVideoUids": ["101", "102"],
        "audioProfile": 1,
        "transcodingConfig": {
            "width": 1280,
            "height": 720,
            "fps": 30,
            "bitrate": 2000,
            **CUSTOM_LAYOUT,
        },
    },
    "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
}
INDIVIDUAL: Json = {
    "recordingConfig": {
        "channelType": 0,
        "streamTypes": 2,
        "subscribeUidGroup": 1,
        "streamMode": "standard",
    },
    "snapshotConfig": {"captureInterval": 10, "fileType": ["jpg"]},
}
MIXED_LATER: Json = {
    "scene": 2,
    "recordingConfig": {
        "channelType": 0,
        "streamTypes": 0,
        "streamMode": "original",
        "subscribeUidGroup": 1,
    },
    "appsCollection": {"combinationPolicy": "postpone_transcoding"},
    "transcodeOptions": {
        "transConfig": {"transMode": "audioMix"},
        "container": {"format": "mp3"},
        "audio": {"sampleRate": "32000", "bitrate": "64", "channels": "1"},
    },
}
WEB: Json = {
    "scene": 1,
    "resourceExpiredHour": 48,
    "extensionServiceConfig": {
        "errorHandlePolicy": "error_abort",
        "extensionServices": [
            {
                "serviceName": "web_recorder_service",
                "errorHandlePolicy": "error_abort",
                "serviceParam": {
                    "url": "https://example.com/room?key=page-key",
                    "audioProfile": 2,
                    "videoWidth": 1920,
                    "videoHeight": 1080,
                    "maxRecordingHour": 8,
                    "videoBitrate": 3000,
                    "videoFps": 30,
                    "mobile": False,
                    "maxVideoDuration": 120,
                    "onhold": True,
                    "readyTimeout": 20,
                },
            },
            {
                "serviceName": "rtmp_publish_service",
                "errorHandlePolicy": "error_ignore",
                "serviceParam": {
                    "outputs": [{"rtmpUrl": "rtmps://cdn.example.com/live/stream-key"}]
                },
            },
        ],
    },
}
RAW: Json = {
    "recordingConfig": {"channelType": 0, "streamTypes": 2, "subscribeUidGroup": 5},
    "recordingFileConfig": {"avFileType": ["hls", "mp4"]},
    "snapshotConfig": {"captureInterval": 10, "fileType": ["jpg"]},
}
REQUESTS: dict[str, tuple[str, Json]] = {
    "mix": ("mix", MIX),
    "individual": ("individual", INDIVIDUAL),
    "postponed": ("individual", MIXED_LATER),
    "raw": ("raw", RAW),
    "web": ("web", WEB),
    **EXAMPLES,
}
UPDATE: Json = {
    "streamSubscribe": {
        "audioUidList": {"subscribeAudioUids": ["1"]},
        "videoUidList": {"unsubscribeVideoUids": ["2"]},
    }
}
WEB_UPDATE: Json = {
    "webRecordingConfig": {"onhold": True},
    "rtmpPublishConfig": {"outputs": [{"rtmpUrl": "rtmp://cdn.example.com/live/key"}]},
}


def start(mode: str, request: Any, cname: Any = "room 1", uid: Any = "527841") -> Checked:
    """Check a request to record."""
    body = {"cname": cname, "uid": uid, "mode": mode, "clientRequest": request}
    return check.check_recording(body)


def stored(storage_config: Any) -> Checked:
    """Hold a storageConfig against Agora's type of it."""
    found = Findings()
    conform(storage_config, StorageConfig, "storageConfig", found)
    return found.checked()


def paths(found: tuple[Problem, ...]) -> set[str]:
    return {problem.path for problem in found}


def put(target: Json, path: str, value: Any) -> Json:
    """Return a copy of `target` with the member at `a.b[0].c` set (`...` removes it)."""
    whole = copy.deepcopy(target)
    steps = [int(s) if s.isdigit() else s for s in re.findall(r"[^.\[\]]+", path)]
    at: Any = whole
    for step in steps[:-1]:
        at = at[step] if isinstance(step, int) else at.setdefault(step, {})
    if value is ...:
        del at[steps[-1]]
    else:
        at[steps[-1]] = value
    return whole


def is_at(path: str, problem_path: str) -> bool:
    """Tell whether a problem lies at a field or inside it."""
    return re.match(re.escape(path) + r"($|[.\[])", problem_path) is not None


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=8)
    | st.sampled_from(["mix", "hls", "#allstream#", "1", "\ud800", "web_recorder_service"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=6)
            | st.sampled_from(
                [
                    "token",
                    "recordingConfig",
                    "scene",
                    "startParameter",
                    "layoutConfig",
                    "url",
                    "a/b~",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
