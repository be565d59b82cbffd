"""Agora's own client of Python (agora-rest-client) drives a simulator; run as a process of its own.

The client starts a thread that never ends, so this process ends by `os._exit`. It takes the
simulator's URL, an App ID and storageConfig (JSON) as arguments, the REST API's keys from the
environment, and prints one JSON object: the typed answers of each life, by its name.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from agora_rest_client.core import domain as domains
from agora_rest_client.services.cloud_recording.v1 import (
    api,
    api_acquire,
    api_start,
    api_update,
)
from agora_rest_client.services.cloud_recording.v1.cloud_recording_client import (
    CloudRecordingClient,
)
from agora_rest_client.services.cloud_recording.v1.individual_recording.individual_recording_client import (  # noqa: E501
    IndividualRecordingClient,
)
from agora_rest_client.services.cloud_recording.v1.mix_recording.mix_recording_client import (
    MixRecordingClient,
)
from agora_rest_client.services.cloud_recording.v1.web_recording.web_recording_client import (
    WebRecordingClient,
)

UID = "527841"
RECORDING = 5
PATIENCE_S = 20

Answers = dict[str, Any]


def main() -> None:
    url, app_id, storage = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
    _aim_at(url)
    config = api_start.StorageConfig(**storage)

    def client(kind: Any) -> Any:
        where = domains.Domain(
            endpoint_region=domains.EndpointRegion.EU.value,
            service_region=domains.ServiceRegion.EU.value,
        )
        keys = os.environ["AGORA_CUSTOMER_ID"], os.environ["AGORA_CUSTOMER_SECRET"]
        builder = kind.new_builder().with_app_id(app_id).with_domain(where)
        return builder.with_credential_basic_auth(*keys).build()

    individual = client(IndividualRecordingClient)
    lives = {
        "mix": _mix(client(MixRecordingClient), config),
        "individual": _individual(individual, config),
        "postponed": _postponed(individual, config),
        "web": _web(client(WebRecordingClient), config),
    }
    print(json.dumps(lives), flush=True)


def _aim_at(url: str) -> None:
    """Let the client call the simulator, by the regional path that it makes by itself."""
    for each in domains.ENDPOINT_REGION_DOMAIN.values():
        each.update(prefixes=["127.0"], suffixes=["0.1"])
    port = urlsplit(url).port

    def get_api_url(_: Any, host: str, path: str, service_region: str | None = None) -> str:
        return f"http://{host}:{port}/{service_region}{path}"

    CloudRecordingClient.get_api_url = get_api_url


def _live(
    client: Any,
    cname: str,
    acquire: Callable[[str], Any],
    start: dict[str, Any],
    changes: dict[str, Callable[..., Any]],
) -> Answers:
    """Return the answers of one life, each as the attributes of the client's typed object."""
    answers: Answers = {}

    def keep(name: str, answer: Any) -> Any:
        answers[name] = {"type": type(answer).__name__, **answer.to_dict()}
        return answer

    resource_id = keep("acquire", acquire(cname)).resourceId
    sid = keep("start", client.start(resource_id, cname, UID, **start)).sid
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        state = client.query(resource_id, sid)
        if _status(state) == RECORDING:
            break
        time.sleep(0.1)
    keep("query", state)
    for name, change in changes.items():
        keep(name, change(resource_id, sid, cname, UID))
    keep("stop", client.stop(resource_id, sid, cname, UID))
    return answers


def _status(answer: Any) -> Any:
    server = answer.serverResponse
    return server["status"] if isinstance(server, dict) else server.status


def _mix(client: Any, storage: Any) -> Answers:
    canvas = api_start.TranscodingConfig(
        width=640, height=360, fps=15, bitrate=500, mixedVideoLayout=1
    )
    config = api_start.RecordingConfig(
        channelType=api.ChannelType.LIVE.value,
        streamTypes=2,
        maxIdleTime=300,
        streamMode="standard",
        transcodingConfig=canvas,
        unsubscribeAudioUids=["101"],
        subscribeVideoUids=["#allstream#"],
    )
    subscribe = api_update.StreamSubscribe(
        audioUidList=api_update.AudioUidList(subscribeAudioUids=["102"]),
    )
    return _live(
        client,
        "official mix",
        lambda cname: client.acquire(
            cname,
            UID,
            region_affinity=api.RegionAffinity.EUROPE.value,
            resource_expired_hour=24,
        ),
        {"token": "007token", "storage_config": storage, "recording_config": config},
        {
            "update": lambda *ids: client.update(*ids, stream_subscribe=subscribe),
            "updateLayout": lambda *ids: client.update_layout(
                *ids, mixed_video_layout=2, background_color="#FF0000"
            ),
        },
    )


def _individual(client: Any, storage: Any) -> Answers:
    subscribe = api_update.StreamSubscribe(
        videoUidList=api_update.VideoUidList(subscribeVideoUids=["101"]),
    )
    return _live(
        client,
        "official individual",
        lambda cname: client.acquire(cname, UID),
        {
            "token": "007token",
            "storage_config": storage,
            "recording_config": api_start.RecordingConfig(channelType=1, streamTypes=2),
            "snapshot_config": api_start.SnapshotConfig(captureInterval=5, fileType=["jpg"]),
        },
        {"update": lambda *ids: client.update(*ids, stream_subscribe=subscribe)},
    )


def _postponed(client: Any, storage: Any) -> Answers:
    options = api_start.TranscodeOptions(
        transConfig=api_start.TransConfig(
            transMode=api.PostponeTranscodeMode.POSTPONE_TRANSCODING.value
        ),
        container=api_start.Container(format="mp4"),
    )
    return _live(
        client,
        "official postponed",
        lambda cname: api_acquire.api_acquire(client, _postponed_acquire(cname)),
        {
            "token": "007token",
            "storage_config": storage,
            "recording_config": api_start.RecordingConfig(channelType=1),
            "apps_collection": api_start.AppsCollection(
                combinationPolicy=api.CombinationPolicy.POSTPONE_TRANSCODING.value
            ),
            "transcode_options": options,
        },
        {},
    )


def _postponed_acquire(cname: str) -> Any:
    """Return the body: version 0.2.0 names a scene that it does not have, so its own call fails."""
    request = api_acquire.ClientRequest(scene=api.Scene.INDIVIDUAL_POSTPONE.value)
    return api_acquire.RequestBodyApiAcquire(cname=cname, uid=UID, clientRequest=request)


def _web(client: Any, storage: Any) -> Answers:
    page = api_start.ExtensionServices(
        serviceName="web_recorder_service",
        errorHandlePolicy="error_abort",
        serviceParam=api_start.ServiceParam(
            url="https://example.com/board",
            audioProfile=1,
            videoWidth=1280,
            videoHeight=720,
            maxRecordingHour=1,
        ),
    )
    services = api_start.ExtensionServiceConfig(
        errorHandlePolicy="error_abort", extensionServices=[page]
    )
    held = api_update.WebRecordingConfig(onhold=True)
    return _live(
        client,
        "official web",
        lambda cname: client.acquire(cname, UID),
        {"storage_config": storage, "extension_service_config": services},
        {"update": lambda *ids: client.update(*ids, web_recording_config=held)},
    )


if __name__ == "__main__":
    try:
        main()
    except BaseException as error:
        print(repr(error), vars(error), file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)
