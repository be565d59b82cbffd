"""Makes a template that the emulator can run: zipped code, the layer on PYTHONPATH.

What differs from AWS, and why: - functions run as `provided.al2023` with AWS's own runtime client
(awslambdaric), because the emulator's Python worker loses the names of errors; the same bootstrap
puts the layer on PYTHONPATH. awslambdaric is for Linux; elsewhere `local/runtime.py` replaces it; -
the state machine's YAML becomes JSON, with numbers filled in; - resources that the emulator refuses
are left out, and their names are returned; - alarms on several metrics become alarms on one, since
the emulator knows no others; - Agora may be a simulator, which speaks plain HTTP.
"""

from __future__ import annotations

import compileall
import contextlib
import copy
import hashlib
import io
import py_compile
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from local.template import ROOT, Template, definition, numbers, template

CODE_BUCKET = "local-code"
BUILD = ROOT / ".build" / "local"
_UNCHECKED = py_compile.PycInvalidationMode.UNCHECKED_HASH
# CloudFormation resources that MiniStack refuses, so that the whole stack would fail.
REFUSED = frozenset(
    {
        "AWS::EC2::PrefixList",
        "AWS::WAFv2::IPSet",
        "AWS::WAFv2::WebACLAssociation",
    }
)


def build_layer() -> list[Path]:
    """Build the layer as `sam build` does; return its folders, in the order of the path.

    One folder holds the library, the other its pinned packages. Each name has a hash of the
    content, and each folder appears complete or not at all. So several stacks may start at the same
    time, and a folder that is there already is used again.
    """
    shared = ROOT / "layers" / "shared"
    pins, library = shared / "requirements.txt", shared / "agora_recording"
    return [
        _build("library", [*sorted(library.rglob("*.py"))], lambda to: _copy(library, to)),
        _build("pins", [pins], lambda to: _install(pins, to)),
    ]


def _build(name: str, sources: list[Path], make: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(sys.version.encode())
    for source in sources:
        digest.update(source.relative_to(ROOT).as_posix().encode() + b"\0" + source.read_bytes())
    folder = BUILD / f"{name}-{digest.hexdigest()[:16]}"
    if not folder.exists():
        BUILD.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(dir=BUILD))
        make(draft)
        # As `make build` does for AWS: without bytecode, a cold start takes 1.5 times as long.
        compileall.compile_dir(str(draft), quiet=2, invalidation_mode=_UNCHECKED)
        with contextlib.suppress(OSError):  # another process was faster
            draft.rename(folder)
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _copy(library: Path, to: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(library, to / library.name, ignore=ignore)


def _install(pins: Path, to: Path) -> None:
    uv = Path(sys.executable).parent / "uv"
    command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable]
    subprocess.run([*command, "--target", str(to), "-r", str(pins)], check=True)


def bootstrap(layer: list[Path]) -> bytes:
    """Return the script that starts a function: it sets the layer's path, runs the client."""
    is_linux = sys.platform == "linux"
    client = "awslambdaric" if is_linux else "local.runtime"
    paths = [str(each) for each in (layer if is_linux else [*layer, ROOT])]
    lines = [
        "#!/bin/sh",
        f'export PYTHONPATH="{":".join(paths)}:$LAMBDA_TASK_ROOT"',
        f'exec "{sys.executable}" -m {client} "$_HANDLER"',
    ]
    return ("\n".join(lines) + "\n").encode()


def zip_function(folder: Path, start: bytes) -> bytes:
    """Return a function's code and its `start` script as a zip; equal content, equal bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        files = {"bootstrap": start} | {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # its date is fixed: 1980
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def _simplify(alarm: Template) -> None:
    """Make an alarm one that the emulator can make: on one metric. It never rings there."""
    alarm["Type"] = "AWS::CloudWatch::Alarm"
    properties = alarm["Properties"]
    if properties.pop("Metrics", None) or properties.pop("AlarmRule", None):
        properties |= {
            "Namespace": "Embedded",
            "MetricName": "None",
            "Statistic": "Sum",
            "Period": 300,
            "EvaluationPeriods": 1,
            "Threshold": 1,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "TreatMissingData": "notBreaching",
        }


def adapt(local: Template, environment: dict[str, str]) -> list[str]:
    """Change what the emulator cannot do as AWS does it; return the names of what was left out.

    `local` is template.yaml, as it is or as `sam build` wrote it. `environment` is added to every
    function's environment.
    """
    resources: dict[str, Template] = local["Resources"]
    dropped = sorted(name for name, each in resources.items() if each["Type"] in REFUSED)
    for name in dropped:
        del resources[name]
    for resource in resources.values():
        if resource["Type"] in ("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"):
            _simplify(resource)
    local["Parameters"]["AgoraBaseUrl"]["AllowedPattern"] = "https?://[^/]+"
    shared = local["Globals"]["Function"]
    shared["Runtime"] = "provided.al2023"
    shared["Architectures"] = ["x86_64"]
    shared["Environment"]["Variables"].update(environment)
    return dropped


def localise(
    values: dict[str, str], environment: dict[str, str]
) -> tuple[Template, dict[str, bytes], list[str]]:
    """Return (template, zips by key, names of what was dropped).

    `environment` is added to every function's environment.
    """
    local = copy.deepcopy(template())
    dropped = adapt(local, environment)
    resources: dict[str, Template] = local["Resources"]
    zips: dict[str, bytes] = {}
    start = bootstrap(build_layer())
    local["Globals"]["Function"].pop("Layers")
    resources.pop("SharedLayer")
    for resource in list(resources.values()):
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            content = zip_function(ROOT / properties["CodeUri"], start)
            key = f"code/{hashlib.sha256(content).hexdigest()[:32]}.zip"
            zips[key] = content
            properties["CodeUri"] = {"Bucket": CODE_BUCKET, "Key": key}
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            fill(properties, values)
    return local, zips, dropped


def fill(machine: Template, values: dict[str, str]) -> None:
    """Give a state machine its definition inline, with numbers filled in from the parameters."""
    filled = numbers(values)
    names = machine["DefinitionSubstitutions"]
    del machine["DefinitionUri"]
    machine["Definition"] = definition(filled)
    machine["DefinitionSubstitutions"] = {
        name: value for name, value in names.items() if name not in filled
    }
