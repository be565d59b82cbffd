"""What `make build` made, packaged and deployed by SAM's own commands, into the emulator.

Everything that the emulator or this machine cannot do as AWS does it is changed here, in a copy:

- what `local/package.py` says: the runtime, alarms on several metrics, what the emulator refuses;
- a function runs in this machine's python3.13, with AWS's own runtime client;
- compiled modules of the layer are exchanged for those of this machine's processor;
- the state machine's definition has its numbers filled in before it is read.

Nothing else: packages, layer, change sets, updates and the deletion are what AWS gets.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import yaml
from samtranslator.yaml_helper import yaml_parse

from local.emulator import REGION, EmulatorError
from local.emulator import ROOT as CALLER
from local.package import CODE_BUCKET, adapt, fill
from local.template import ROOT, Template

BUILT = ROOT / ".aws-sam" / "build"
RELEASES = ROOT / ".build" / "rehearsal"
SAM = ROOT / ".tools" / "sam" / "bin" / "sam"
PYTHON = ROOT / ".tools" / "runtime" / "bin" / "python"
COMMAND_S = 240


class Release:
    """A version of the product: a copy of the build, marked with a number.

    Each function tells its release when it starts, as a line of its log.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.mark = f"release {number} of the rehearsal"
        self.folder = RELEASES / f"release-{number}"
        self.dropped: list[str] = []

    @property
    def template(self) -> Path:
        """The template, to be packaged."""
        return self.folder / "template.yaml"

    def make(self, values: dict[str, str], environment: dict[str, str]) -> None:
        """Copy the build and adapt it; `values` are the parameters. Raises EmulatorError."""
        if not BUILT.exists():
            raise EmulatorError("Nothing is built: run `make rehearse`, or `make build` before.")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(BUILT, self.folder)
        template: Template = yaml_parse(self.template.read_text())
        self.dropped = adapt(template, environment)
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Serverless::Function":
                self._add_start(self.folder / name)
            elif resource["Type"] == "AWS::Serverless::LayerVersion":
                self._exchange_compiled(self.folder / name / "python")
                (self.folder / name / "release.txt").write_text(self.mark)
            elif resource["Type"] == "AWS::Serverless::StateMachine":
                fill(resource["Properties"], values)
        self.template.write_text(yaml.safe_dump(template, sort_keys=False))

    def _add_start(self, function: Path) -> None:
        start = function / "bootstrap"
        start.write_text(
            "#!/bin/sh\n"
            f'echo "{self.mark}"\n'
            'export PYTHONPATH="$LAMBDA_OPT/python:$LAMBDA_TASK_ROOT"\n'
            f'exec "{PYTHON}" -m awslambdaric "$_HANDLER"\n'
        )
        start.chmod(0o755)

    def _exchange_compiled(self, packages: Path) -> None:
        if any(platform.machine() in path.name for path in packages.rglob("*.so")):
            return
        ours = self.folder / "compiled"
        pins = ROOT / "layers" / "shared" / "requirements.txt"
        _run(
            [
                *(str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet"),
                *("--python", str(PYTHON), "--target", str(ours), "-r", str(pins)),
            ]
        )
        found = {_module(path, packages): path for path in packages.rglob("*.so")}
        for path in ours.rglob("*.so"):
            found.pop(_module(path, ours)).unlink()
            shutil.copy(path, packages / path.relative_to(ours))
        if found:
            raise EmulatorError(f"Not compiled for this machine: {', '.join(map(str, found))}.")
        shutil.rmtree(ours)


def _module(path: Path, packages: Path) -> Path:
    """Return a compiled module's place, without the processor's name."""
    return path.relative_to(packages).parent / path.name.partition(".")[0]


class Sam:
    """SAM's commands, with the emulator at `url` for AWS, for the stack `stack`."""

    def __init__(self, url: str, stack: str) -> None:
        self._stack = stack
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {
            **kept,
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": CALLER[0],
            "AWS_SECRET_ACCESS_KEY": CALLER[1],
            "AWS_DEFAULT_REGION": REGION,
            "AWS_REGION": REGION,
            "SAM_CLI_TELEMETRY": "0",
            "SAM_CLI_POLL_DELAY": "0.5",
        }

    def deploy(self, release: Release, given: Mapping[str, str]) -> None:
        """Package a release and deploy it; parameters that are not given stay as they are."""
        packaged = release.folder / "packaged.yaml"
        self._run(
            *("package", "--template-file", str(release.template), "--s3-bucket", CODE_BUCKET),
            *("--output-template-file", str(packaged), "--no-progressbar"),
        )
        self._run(
            *("deploy", "--template-file", str(packaged), "--stack-name", self._stack),
            *("--s3-bucket", CODE_BUCKET, "--capabilities", "CAPABILITY_IAM"),
            *("--no-confirm-changeset", "--no-progressbar", "--parameter-overrides"),
            *(f"ParameterKey={name},ParameterValue={value}" for name, value in given.items()),
        )

    def delete(self) -> None:
        """Delete the stack, as docs/deploy.md says."""
        self._run("delete", "--stack-name", self._stack, "--no-prompts", "--region", REGION)

    def _run(self, *command: str) -> None:
        _run([str(SAM), *command], self.environment)


def _run(command: list[str], environment: Mapping[str, str] | None = None) -> None:
    """Run a command in the repository. Raises EmulatorError with the end of what it said."""
    ran = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    if ran.returncode:
        shown = "\n".join(ran.stdout.splitlines()[-30:])
        name = " ".join([Path(command[0]).name, command[1]])
        raise EmulatorError(f"`{name}` failed with {ran.returncode}:\n{shown}")
