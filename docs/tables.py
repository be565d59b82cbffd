"""Writes the tables of README.md that follow from template.yaml: routes, and rights of rooms.

`make readme` writes them between their marks; tests/template/test_readme.py fails when they are
stale. What a route does comes from the API's description (functions/serve_openapi). Why a room may
do something comes from the Sid of its statement, a sentence without spaces.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from local.template import ROOT, template

README = ROOT / "README.md"
DESCRIPTION = ROOT / "functions" / "serve_openapi" / "openapi.json"

Json = dict[str, Any]
Row = tuple[str, ...]

# Names in Sids that are wrong in lower case.
_NAMES = {
    "agoras keys": "Agora's keys",
    "the uploaders": "the uploader's",
    "ip set v4": "IP set of IPv4",
    "ip set v6": "IP set of IPv6",
    "to lambda": "to Lambda",
}


def written(text: str) -> str:
    """Return the README with both tables as they should be."""
    description: Json = json.loads(DESCRIPTION.read_text())
    resources: Json = template()["Resources"]
    text = _between(text, "routes", ("Route", "Does", "Room"), routes(resources, description))
    return _between(text, "rights", ("Room", "May, and why"), rights(resources))


def routes(resources: Json, description: Json) -> Iterator[Row]:
    """Yield (route, what it does, the room that does it), in the order of the description.

    Raises KeyError when a route is described and not deployed, or the other way round.
    """
    rooms = {
        (event["Properties"]["Method"].lower(), event["Properties"]["Path"]): _link(resource)
        for resource in resources.values()
        if resource["Type"] == "AWS::Serverless::Function"
        for event in resource["Properties"].get("Events", {}).values()
        if event["Type"] == "Api"
    }
    for path, item in description["paths"].items():
        for method in (each for each in item if each != "parameters"):
            yield f"`{method.upper()} {path}`", item[method]["summary"], rooms.pop((method, path))
    if rooms:
        raise KeyError(f"Not described: {sorted(rooms)}")


def rights(resources: Json) -> Iterator[Row]:
    """Yield (who, what it may do and why) for each room, the state machine and Agora's user.

    What every room may do or is denied comes first, once.
    """
    every = common(resources)
    yield "every room", "<br>".join(_right(*each) for each in every)
    for name, resource in resources.items():
        if who := _who(name, resource):
            found = [each for each in _statements(resource["Properties"]) if each not in every]
            yield who, "<br>".join(_right(*each) for each in found) or "nothing"


def common(resources: Json) -> list[tuple[str, Json]]:
    """Return the statements, with their conditions, of the policy that rooms share."""
    seen: list[Json] = []
    for resource in resources.values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for policy in resource["Properties"].get("Policies", ()):
            if policy in seen:
                return list(_statements({"Policies": [policy]}))
            seen.append(policy)
    return []


def _right(condition: str, statement: Json) -> str:
    """Return "`dynamodb:GetItem` to read the page", with its condition where it has one."""
    actions = statement["Action"]
    shown = [actions] if isinstance(actions, str) else actions
    only = f" (only if `{condition}`)" if condition else ""
    link = "to" if statement["Effect"] == "Allow" else "is denied:"
    return f"{', '.join(f'`{each}`' for each in shown)} {link} {sentence(statement['Sid'])}{only}"


def sentence(sid: str) -> str:
    """Return `read the page` for `ReadThePage`."""
    text = " ".join(re.findall(r"[A-Z][a-z0-9]*", sid)).lower()
    for spoilt, name in _NAMES.items():
        text = re.sub(rf"\b{spoilt}\b", name, text)
    return text


def _who(name: str, resource: Json) -> str:
    match resource["Type"]:
        case "AWS::Serverless::Function":
            return _link(resource)
        case "AWS::Serverless::StateMachine":
            return f"`{name}`"
        case "AWS::IAM::User":
            return f"`{name}`, as whom Agora uploads"
        case _:
            return ""


def _link(function: Json) -> str:
    folder: str = function["Properties"]["CodeUri"]
    return f"[{Path(folder).name}]({folder}app.py)"


def _statements(properties: Json) -> Iterator[tuple[str, Json]]:
    """Yield each statement with the condition it depends on; `""` if it always holds."""
    for policy in properties.get("Policies", ()):
        for statement in policy.get("PolicyDocument", policy)["Statement"]:
            condition, found, _ = statement.get("Fn::If", ("", statement, None))
            yield condition, found


def _between(text: str, mark: str, head: Row, rows: Iterable[Row]) -> str:
    """Return `text` with a table between `<!-- mark -->` and `<!-- end of mark -->`."""
    lines = [head, ("---",) * len(head), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    begin, end = f"<!-- {mark}: written by make readme -->", f"<!-- end of {mark} -->"
    before, _, rest = text.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"README.md has no place for {mark}")
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


if __name__ == "__main__":
    README.write_text(written(README.read_text()))
