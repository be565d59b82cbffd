"""One request in three languages: curl, Python with botocore, Node with aws4fetch.

Each language has a set-up, which is pasted once, and defines `call`. A sample is one use of it. All
take the address of the API and the keys from the same variables of the environment.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from openapi.page.literals import JSON, PYTHON, WIDTH, Words, literal, on_one_line

_JSON_TYPE = "Content-Type: application/json"


class Request(NamedTuple):
    """A request of one of the calls, with values in the places of its parameters."""

    method: str
    path: str  # with its query
    headers: Mapping[str, str]
    body: Any  # JSON; None if it has none
    signer: str  # "aws", "agora" (the webhooks) or "nobody"
    is_file: bool = False  # the answer is not text: it leads to a file


ENVIRONMENT = """\
export AWS_REGION=eu-west-1
export API_URL=https://API_ID.execute-api.$AWS_REGION.amazonaws.com/v1  # the stack's output ApiUrl
eval "$(aws configure export-credentials --format env)"  # not inside Lambda: it has them"""

LOCALLY = """\
stack() { jq -r "$1" local/stack.json; }
export AWS_REGION=us-east-1 API_URL=$(stack .api_url)
export AWS_ACCESS_KEY_ID=$(stack .api_credentials.access_key_id)
export AWS_SECRET_ACCESS_KEY=$(stack .api_credentials.secret_access_key)
unset AWS_SESSION_TOKEN"""

_CURL = """\
call() {  # curl 7.75 or newer; it prints the answer, and then its status
  curl -sS -w '\\n%{http_code}\\n' \\
    --aws-sigv4 "aws:amz:$AWS_REGION:execute-api" \\
    --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \\
    ${AWS_SESSION_TOKEN:+-H} ${AWS_SESSION_TOKEN:+"X-Amz-Security-Token: $AWS_SESSION_TOKEN"} "$@"
}"""

_PYTHON = """\
# pip install botocore
import json
import os

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.session import Session

credentials = Session().get_credentials()


def call(method, path, body=None, headers=None):
    request = AWSRequest(
        method,
        os.environ["API_URL"] + path,
        data=None if body is None else json.dumps(body),
        headers={"Content-Type": "application/json", **(headers or {})},
    )
    SigV4Auth(credentials, "execute-api", os.environ["AWS_REGION"]).add_auth(request)
    return URLLib3Session().send(request.prepare())"""

_NODE = """\
// npm install aws4fetch; save as call.mjs, and run: node call.mjs (Node 18 or newer)
import { AwsClient } from "aws4fetch";

const aws = new AwsClient({
  accessKeyId: process.env.AWS_ACCESS_KEY_ID,
  secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
  sessionToken: process.env.AWS_SESSION_TOKEN,
  region: process.env.AWS_REGION,
  service: "execute-api",
});

function call(method, path, body, headers = {}) {
  return aws.fetch(process.env.API_URL + path, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
}"""


# How an answer is shown that is text, and one that is not.
_PYTHON_SHOWS = ("answer.read().decode()", "len(answer.read())")
_NODE_SHOWS = ("await answer.text()", "(await answer.arrayBuffer()).byteLength")


def curl(request: Request) -> str:
    """Return the request for a shell."""
    if request.signer == "agora":
        return (
            f"body={shlex.quote(literal(request.body, JSON))}\n"
            'signature=$(printf %s "$body" \\\n'
            '  | openssl dgst -sha256 -hmac "$SECRET" -r | cut -d" " -f1)\n'
            f'curl -sS "$API_URL{request.path}" -d "$body" \\\n'
            f'  -H "{_JSON_TYPE}" -H "Agora-Signature-V2: $signature"'
        )
    if request.is_file:
        name = request.path.rpartition("/")[2]
        return f'curl -sSL -o {name} "$API_URL{request.path}"'
    words = ["call" if request.signer == "aws" else "curl -sS"]
    has_body = request.body is not None
    if request.method != ("POST" if has_body else "GET"):
        words[0] += f" -X {request.method}"
    words[0] += f' "$API_URL{request.path}"'
    headers = {**({"Content-Type": "application/json"} if has_body else {}), **request.headers}
    words += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items()]
    text = " ".join(words)
    if len(text) > WIDTH:
        text = " \\\n  ".join(words)
    return text + (f" \\\n  -d {shlex.quote(literal(request.body, JSON))}" if has_body else "")


def python(request: Request) -> str:
    """Return the request for Python."""
    if request.signer == "agora":
        return (
            "import hashlib, hmac, json, os\n"
            "from urllib.request import Request, urlopen\n\n"
            f"body = json.dumps({literal(request.body, PYTHON)}).encode()\n"
            'key = os.environ["SECRET"].encode()\n'
            "headers = {\n"
            '    "Content-Type": "application/json",\n'
            '    "Agora-Signature-V2": hmac.new(key, body, hashlib.sha256).hexdigest(),\n'
            "}\n"
            f'url = os.environ["API_URL"] + "{request.path}"\n'
            "with urlopen(Request(url, body, headers)) as answer:\n"
            "    print(answer.status, answer.read().decode())"
        )
    if request.signer == "nobody":
        return (
            "import os\n"
            "from urllib.request import urlopen\n\n"
            f'url = os.environ["API_URL"] + "{request.path}"\n'
            "with urlopen(url) as answer:\n"
            f"    print(answer.status, {_PYTHON_SHOWS[request.is_file]})"
        )
    return f"{_call('answer = call(', request, PYTHON)})\nprint(answer.status_code, answer.text)"


def node(request: Request) -> str:
    """Return the request for Node, in a module."""
    if request.signer == "agora":
        return (
            'import { createHmac } from "node:crypto";\n\n'
            f"const body = JSON.stringify({literal(request.body, JSON)});\n"
            'const hmac = createHmac("sha256", process.env.SECRET).update(body);\n'
            f'const answer = await fetch(process.env.API_URL + "{request.path}", {{\n'
            '  method: "POST",\n'
            "  headers: {\n"
            '    "Content-Type": "application/json",\n'
            '    "Agora-Signature-V2": hmac.digest("hex"),\n'
            "  },\n"
            "  body,\n"
            "});\n"
            "console.log(answer.status, await answer.text());"
        )
    begin, end = (
        "const answer = await ",
        f";\nconsole.log(answer.status, {_NODE_SHOWS[request.is_file]});",
    )
    if request.signer == "nobody":
        return f'{begin}fetch(\n  process.env.API_URL + "{request.path}"\n){end}'
    return f"{_call(f'{begin}call(', request, JSON)}){end}"


def _call(begin: str, request: Request, words: Words) -> str:
    """Return a use of `call` up to its last parenthesis, on one line where it fits."""
    given: list[Any] = [request.method, request.path]
    if request.body is not None or request.headers:
        given.append(request.body)
    if request.headers:
        given.append(dict(request.headers))
    short = begin + ", ".join(on_one_line(each, words) for each in given)
    if len(short) < WIDTH:
        return short
    lines = ",\n  ".join(literal(each, words, "  ") for each in given)
    return f"{begin}\n  {lines}\n"


class Language(NamedTuple):
    """A language of the samples: its name in addresses, its name for people, set-up and sample."""

    slug: str
    name: str
    setup: str
    sample: Callable[[Request], str]


LANGUAGES = (
    Language("curl", "curl", _CURL, curl),
    Language("python", "Python", _PYTHON, python),
    Language("node", "Node", _NODE, node),
)
