"""The documents, where they can be held against the code."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any, get_args
from unittest.mock import patch

import pytest
import yaml
from samtranslator.translator.transform import transform

import agora_recording
from agora_recording.life.publication import DetailType, detail, file_name
from agora_recording.recording.model import TERMINAL
from local import __main__ as command_line
from local.template import ROOT, template
from operate import commands
from operate.operations import RISK_NAMES
from tests.world.builders import ended, recording, running

DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
TEXTS = {path: path.read_text() for path in DOCUMENTS}
LIBRARY = ROOT / "layers" / "shared" / "agora_recording"
EVENTS = TEXTS[ROOT / "docs" / "events.md"]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page, or those that GitHub gives the headings of a text."""
    if text.startswith("<!doctype html>"):
        return set(re.findall(r'\bid="([^"]+)"', text))
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(path: Path) -> None:
    prose = re.sub(r"^```.*?^```", "", TEXTS[path], flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", prose) + re.findall(r'<img src="([^"]+)"', prose)
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target.read_text()), link


def layers() -> list[str]:
    """Return the layers of the library as the contract has them, top first."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        contracts = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    found: list[str] = next(each["layers"] for each in contracts if each["type"] == "layers")
    return found


def test_the_picture_of_the_layers_is_the_contract() -> None:
    section = TEXTS[ROOT / "docs" / "architecture.md"].partition("## The library, in layers")[2]
    picture = section.split("```")[1].strip().splitlines()
    assert [re.split(r"\s{2,}", line)[0] for line in picture] == layers()


def test_the_map_of_the_library_has_every_part_in_the_order_of_the_layers() -> None:
    told = re.findall(r"^(\w+) {2,}\S", agora_recording.__doc__ or "", re.MULTILINE)
    assert told == [part for line in layers() for part in line.split(" | ")]


def test_every_file_that_the_architecture_names_exists() -> None:
    text = TEXTS[ROOT / "docs" / "architecture.md"]
    named = re.findall(r"`((?:\w+/)+[\w.]+\.(?:py|yaml|json))`", text)
    assert len(named) > 20
    for path in named:
        assert any((base / path).exists() for base in (ROOT, LIBRARY)), path


TASKS = ["deploy", "upgrade", "rollback", "rotate", "teardown"]


@pytest.mark.parametrize("name", TASKS)
def test_a_page_about_a_task_starts_with_its_command(name: str) -> None:
    head, _, rest = TEXTS[ROOT / "docs" / f"{name}.md"].partition("```\n")
    assert re.fullmatch(r"# [^\n]+\n\n", head)
    assert re.search(r"^make \w+ ARGS=", rest.partition("```")[0], re.MULTILINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_target_and_every_command_that_is_named_exists(path: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    blocks = re.findall(r"```\n(.*?)```|`(make [^`\n]+)`", TEXTS[path], re.DOTALL)
    for line in "\n".join("\n".join(block) for block in blocks).splitlines():
        named = re.match(r"(?:\$ |.*\| )?make ([a-z-]+)(?: ARGS=\"([^\"]*)\")?", line.strip())
        if named is None:
            continue
        assert named[1] in targets, line
        if named[1] in ("up", "demo") and named[2]:
            command_line._parser().parse_args([named[1], *shlex.split(named[2])])
        if named[1] == "ops" and named[2] and not re.search(r"…|VERB|--region R", named[2]):
            commands._parser().parse_args(shlex.split(named[2]))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_page_whose_commands_need_jq_or_curl_says_so(path: Path) -> None:
    blocks = "\n".join(re.findall(r"```\w*\n(.*?)```", TEXTS[path], re.DOTALL))
    for tool in ("jq", "curl"):
        if re.search(rf"(?:^|[|($])\s*{tool} ", blocks, re.MULTILINE):
            assert f"`{tool}`" in TEXTS[path], f"{tool} is needed"


@pytest.mark.parametrize("name", [*TASKS, "operations", "security", "limits", "architecture"])
def test_every_parameter_and_output_that_is_named_exists(name: str) -> None:
    known = {*template()["Parameters"], *template()["Outputs"], *template()["Resources"]}
    text = TEXTS[ROOT / "docs" / f"{name}.md"]
    endings = r"(?:Arn|Url|Name|Days|Seconds|Credentials|Ingress|Second|From|To|Check|Ids?)"
    named = set(re.findall(rf"`([A-Z][a-z]+(?:[A-Z][A-Za-z0-9]*)?{endings})`", text))
    assert named <= known | {"DetectionSeconds", "AddressesAgeSeconds"}, named - known


def test_every_reason_of_a_look_is_explained() -> None:
    table = TEXTS[ROOT / "docs" / "operations.md"].partition("| reason | meaning |\n")[2]
    told = re.findall(r"^\| ([a-z ]+) \|", table.partition("\n\n")[0], re.MULTILINE)
    assert told == list(RISK_NAMES)


def test_every_event_is_in_the_table_with_its_id() -> None:
    told = dict(re.findall(r"^\| `(Recording \w+)` \|.*\| `<recordingId>-(\S+)` \|$", EVENTS, re.M))
    assert told.keys() == set(get_args(DetailType))
    row = recording(attempt=running(2))
    for kind in get_args(DetailType):
        suffix = detail(row, kind, "films")["id"].removeprefix(f"{row.recording_id}-")
        assert told[kind].replace("<attempt>", "2") == suffix


def test_every_event_file_is_in_the_table() -> None:
    told = set(re.findall(r"^\| `(events/\S+)` \|", EVENTS, re.MULTILINE))
    assert told == {name for each in get_args(DetailType) if (name := file_name(each))}


def test_the_example_of_an_event_has_the_fields_of_a_real_one() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", EVENTS, re.DOTALL)
    shown: dict[str, Any] = yaml.safe_load(example)
    real = detail(ended(), "Recording Completed", "films")
    assert {*real, "manifest"} == shown["detail"].keys()
    assert shown["detail"]["recording"]["status"] in TERMINAL


def test_the_consumers_stack_is_a_valid_template() -> None:
    stack, trigger = re.findall(r"```yaml\n(.*?)```", EVENTS, re.DOTALL)
    consumer = _parse(stack)
    function = consumer["Resources"]["PublishLesson"]["Properties"]
    for events in (function["Events"], _parse(trigger)["Events"]):
        function["Events"] = events
        function["CodeUri"] = "s3://bucket/key"
        with patch.dict("os.environ", AWS_DEFAULT_REGION="us-east-1"):
            made = transform(consumer, {}, _NoPolicies())
        kinds = {each["Type"] for each in made["Resources"].values()}
        assert "AWS::Events::Rule" in kinds


class _NoPolicies:
    """SAM asks for AWS's managed policies; the example has none."""

    def load(self) -> dict[str, str]:
        return {}


def _parse(text: str) -> dict[str, Any]:
    from samtranslator.yaml_helper import yaml_parse

    found: dict[str, Any] = yaml_parse(text)
    return found
