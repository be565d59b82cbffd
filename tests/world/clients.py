"""The clientRequests that the samples of Agora's official clients build, without their storage.

Written down as data from the samples of the Go client 0.12.0, the Node client 0.1.0 and the Python
client 0.2.0: what acquire and start get, together. A sample's token, which comes from its
environment, is left out.
"""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

_EVERYBODY: Json = {
    "subscribeAudioUids": ["#allstream#"],
    "subscribeVideoUids": ["#allstream#"],
}
_INDIVIDUAL: Json = {"channelType": 1, "streamTypes": 2, "maxIdleTime": 30, **_EVERYBODY}
_MIX: Json = {"channelType": 1, "streamTypes": 2, "maxIdleTime": 30, "audioProfile": 2}
_CANVAS: Json = {
    "fps": 15,
    "bitrate": 800,
    "mixedVideoLayout": 0,
    "backgroundColor": "#000000",
}
_SNAPSHOTS: Json = {"captureInterval": 5, "fileType": ["jpg"]}
_HLS: Json = {"avFileType": ["hls"]}
_BOTH: Json = {"avFileType": ["hls", "mp4"]}


def _page(url: str, *more: Json) -> Json:
    recorder: Json = {
        "serviceName": "web_recorder_service",
        "errorHandlePolicy": "error_abort",
        "serviceParam": {
            "url": url,
            "audioProfile": 2,
            "videoWidth": 1280,
            "videoHeight": 720,
            "maxRecordingHour": 1,
        },
    }
    return {"errorHandlePolicy": "error_abort", "extensionServices": [recorder, *more]}


_CDN: Json = {
    "serviceName": "rtmp_publish_service",
    "errorHandlePolicy": "error_ignore",
    "serviceParam": {"outputs": [{"rtmpUrl": "rtmp://cdn.example.com:1935/live/test"}]},
}

# name: (mode, clientRequest)
BODIES: dict[str, tuple[str, Json]] = {
    "Go, mix": (
        "mix",
        {
            "recordingConfig": {
                **_MIX,
                "transcodingConfig": {"width": 640, "height": 640, **_CANVAS},
                **_EVERYBODY,
            },
            "recordingFileConfig": _HLS,
        },
    ),
    "Node, mix with MP4": (
        "mix",
        {
            "resourceExpiredHour": 1,
            "recordingConfig": {
                **_MIX,
                "transcodingConfig": {"width": 640, "height": 480, **_CANVAS},
                **_EVERYBODY,
            },
            "recordingFileConfig": _BOTH,
        },
    ),
    # The Go client leaves a group of 0 out, as it does with every zero.
    "Go, individual": (
        "individual",
        {"recordingConfig": _INDIVIDUAL, "recordingFileConfig": _HLS},
    ),
    "Go, snapshots": (
        "individual",
        {"recordingConfig": _INDIVIDUAL, "snapshotConfig": _SNAPSHOTS},
    ),
    "Node, individual with snapshots": (
        "individual",
        {
            "resourceExpiredHour": 1,
            "recordingConfig": {**_INDIVIDUAL, "subscribeUidGroup": 0},
            "recordingFileConfig": _HLS,
            "snapshotConfig": _SNAPSHOTS,
        },
    ),
    "Go, postponed transcoding": (
        "individual",
        {
            "scene": 2,
            "recordingConfig": _INDIVIDUAL,
            "recordingFileConfig": _HLS,
            "appsCollection": {"combinationPolicy": "postpone_transcoding"},
            "transcodeOptions": {
                "container": {"format": "mp4"},
                "transConfig": {"transMode": "postponeTranscoding"},
            },
        },
    ),
    "Go, postponed audio mixing": (
        "individual",
        {
            "scene": 2,
            "recordingConfig": {
                "channelType": 1,
                "streamTypes": 0,
                "streamMode": "original",
                "maxIdleTime": 30,
                "subscribeAudioUids": ["#allstream#"],
            },
            "recordingFileConfig": _HLS,
            "appsCollection": {"combinationPolicy": "postpone_transcoding"},
            "transcodeOptions": {
                "container": {"format": "mp3"},
                "transConfig": {"transMode": "audioMix"},
                "audio": {"sampleRate": "48000", "bitrate": "48000", "channels": "2"},
            },
        },
    ),
    "Python, web": (
        "web",
        {
            "scene": 1,
            "extensionServiceConfig": {
                "extensionServices": [
                    {
                        "serviceName": "web_recorder_service",
                        "serviceParam": _page("https://www.example.com")["extensionServices"][0][
                            "serviceParam"
                        ],
                    }
                ]
            },
        },
    ),
    "Node, web to a CDN": (
        "web",
        {
            "scene": 1,
            "resourceExpiredHour": 1,
            "recordingFileConfig": _BOTH,
            "extensionServiceConfig": _page("https://live.example.com/", _CDN),
        },
    ),
}
