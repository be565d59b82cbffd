"""The template as the emulator can run it: code zipped, the layer on a path, the machine as JSON.

What differs from AWS, and why:
- functions run as `provided.al2023` with AWS's own runtime client (awslambdaric), because the
  emulator's Python worker loses the names of errors; the layer is put on PYTHONPATH by the same
  bootstrap. awslambdaric is for Linux; elsewhere `local/runtime.py` stands in for it;
- the state machine's YAML becomes JSON, with numbers filled in;
- resources that the emulator refuses are dropped, and named.
"""

from __future__ import annotations

import compileall
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import yaml
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).parent.parent
BUILD = ROOT / ".build" / "local"
LAYER = BUILD / "layer" / "python"
# CloudFormation resources that MiniStack refuses, so that the whole stack would fail.
REFUSED = frozenset(
    {
        "AWS::EC2::PrefixList",
        "AWS::IAM::AccessKey",  # made by local/stack.py instead
        "AWS::WAFv2::IPSet",
        "AWS::WAFv2::WebACLAssociation",
    }
)
# Resources that make no sense on loopback: the bucket's policy refuses plain HTTP.
UNFIT = frozenset({"BucketPolicy"})

Template = dict[str, Any]


def build_layer() -> None:
    """Install the layer's pins and copy the library, as `sam build` does. Cheap when unchanged."""
    pins = ROOT / "layers" / "shared" / "requirements.txt"
    stamp = BUILD / f"pins-{hashlib.sha256(pins.read_bytes()).hexdigest()[:12]}"
    if not stamp.exists():
        shutil.rmtree(LAYER, ignore_errors=True)
        LAYER.mkdir(parents=True)
        uv = Path(sys.executable).parent / "uv"
        command = [str(uv), "pip", "install", "--quiet", "--python", sys.executable]
        subprocess.run([*command, "--target", str(LAYER), "-r", str(pins)], check=True)
        compileall.compile_dir(str(LAYER), quiet=2)
        stamp.touch()
    library = LAYER / "agora_recording"
    shutil.rmtree(library, ignore_errors=True)
    shutil.copytree(
        ROOT / "layers" / "shared" / "agora_recording",
        library,
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    # As `make build` does for AWS: without bytecode a cold start takes twice as long.
    compileall.compile_dir(str(library), quiet=2)


def bootstrap() -> bytes:
    """Return the script that starts a function: the layer's path, then AWS's runtime client."""
    client = "awslambdaric" if sys.platform == "linux" else "local.runtime"
    paths = [str(LAYER)] if sys.platform == "linux" else [str(LAYER), str(ROOT)]
    lines = [
        "#!/bin/sh",
        f'export PYTHONPATH="{":".join(paths)}:$LAMBDA_TASK_ROOT"',
        f'exec "{sys.executable}" -m {client} "$_HANDLER"',
    ]
    return ("\n".join(lines) + "\n").encode()


def zip_function(folder: Path) -> bytes:
    """Return a function's code as a zip, the same bytes for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        files = {"bootstrap": bootstrap()} | {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file() and "__pycache__" not in path.parts
        }
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # its date is fixed: 1980
            entry.external_attr = 0o755 << 16
            archive.writestr(entry, content)
    return buffer.getvalue()


def parameters(template: Template, given: dict[str, Any]) -> dict[str, str]:
    """Return every parameter's value: given, or its default."""
    values = {
        name: str(given.get(name, declared.get("Default", "")))
        for name, declared in template["Parameters"].items()
    }
    unknown = set(given) - set(values)
    if unknown:
        raise KeyError(f"template.yaml has no parameter {', '.join(sorted(unknown))}")
    return values


def definition(path: Path, numbers: dict[str, str]) -> dict[str, Any]:
    """Return the state machine's definition with its numbers filled in; ARNs stay placeholders."""
    text = re.sub(r"\$\{(\w+)\}", lambda match: numbers.get(match[1], match[0]), path.read_text())
    found: dict[str, Any] = yaml.safe_load(text)
    return found


def localise(
    values: dict[str, str], environment: dict[str, str]
) -> tuple[Template, dict[str, bytes], list[str]]:
    """Return (template, zips by key, names of what was dropped).

    `environment` is added to every function's.
    """
    template: Template = yaml_parse((ROOT / "template.yaml").read_text())
    resources: dict[str, Template] = template["Resources"]
    dropped = sorted(
        name for name, each in resources.items() if each["Type"] in REFUSED or name in UNFIT
    )
    zips: dict[str, bytes] = {}
    for name in dropped:
        del resources[name]
    shared = template["Globals"]["Function"]
    shared["Runtime"] = "provided.al2023"
    shared["Architectures"] = ["x86_64"]
    shared.pop("Layers")
    shared["Environment"]["Variables"].update(environment)
    resources.pop("SharedLayer")
    # It names the access key, which the emulator cannot make; local/stack.py fills it in.
    resources["StorageSecret"]["Properties"]["SecretString"] = "{}"
    for resource in list(resources.values()):
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::Serverless::Function":
            content = zip_function(ROOT / properties["CodeUri"])
            key = f"code/{hashlib.sha256(content).hexdigest()[:32]}.zip"
            zips[key] = content
            properties["CodeUri"] = {"Bucket": CODE_BUCKET, "Key": key}
        elif resource["Type"] == "AWS::Serverless::StateMachine":
            names = properties["DefinitionSubstitutions"]
            numbers = {
                name: values[value["Ref"]] if isinstance(value, dict) else str(value)
                for name, value in names.items()
                if isinstance(value, int) or (isinstance(value, dict) and _is_number(value, values))
            }
            machine = definition(ROOT / properties.pop("DefinitionUri"), numbers)
            properties["Definition"] = machine
            properties["DefinitionSubstitutions"] = {
                name: value for name, value in names.items() if name not in numbers
            }
    return template, zips, dropped


CODE_BUCKET = "local-code"


def _is_number(value: dict[str, Any], values: dict[str, str]) -> bool:
    return values.get(value.get("Ref", ""), "").isdigit()


def as_json(template: Template) -> str:
    """Return the template as text for CloudFormation."""
    return json.dumps(template)
