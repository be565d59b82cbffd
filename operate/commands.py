"""`make ops ARGS="VERB …"`: the operator's commands (docs/operations.md shows each)."""

from __future__ import annotations

import argparse
import getpass
import json
import logging
import math
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ProfileNotFound,
)

from agora_recording.clock import from_iso, now_ms
from agora_recording.errors import RecordingError, SecretRefusedError, StackNotFoundError
from agora_recording.observability import logger
from agora_recording.request.check import check_recording
from agora_recording.request.rules import MODES
from operate import deployment
from operate.doctor import checks, recording
from operate.doctor.check import Finding, State, examine
from operate.doctor.patient import Doors, Patient, doors_of, local_doors
from operate.doctor.recording import PAGE
from operate.operations import Operator

STACK = "agora-recording"
FACTS = "local/stack.json"
_UP = "Does `make up` still run?"
_REACHABLE = "Is there a network, and is the region right (--region)?"
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "RequestExpired")
_UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException")
_MOST_INPUT = 65_536  # characters
_MOST_WORD = 2048  # a resourceId has some hundreds of characters

Result = Any
Act = Callable[[Operator, argparse.Namespace], Result]
Tell = Callable[[Result], Iterable[str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return 0, or 1 when it failed or found files missing."""
    arguments = _parser().parse_args(_joined(sys.argv[1:] if argv is None else argv))
    try:
        _enter(arguments.region, arguments.profile)
        if arguments.local:
            deployment.enter_local(_facts(Path(arguments.facts)))
        result = arguments.act(Operator(deployment.find(arguments.stack)), arguments)
    except (RecordingError, ClientError, BotoCoreError, OSError, EOFError) as error:
        print(_sentence(error, is_local=arguments.local), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    lines = [json.dumps(result, indent=2)] if arguments.json else arguments.tell(result)
    for line in lines:
        print(line)
    return int(_is_bad(result))


def _sentence(error: Exception, *, is_local: bool) -> str:
    """Say what went wrong, and what to do where that is known."""
    match error:
        case NoRegionError():
            return "No region is set: give --region, or set AWS_REGION."
        case NoCredentialsError():
            return "No AWS credentials were found: log in, or name a profile with --profile."
        case ProfileNotFound():
            return f"{error}: `aws configure list-profiles` lists those that exist."
        case EndpointConnectionError():
            return f"{error}. {_UP if is_local else _REACHABLE}"
        case ClientError() if error.response["Error"]["Code"] in _EXPIRED:
            return "Your AWS credentials have expired: log in again."
        case ClientError() if error.response["Error"]["Code"] in _UNKNOWN:
            return "AWS does not know your access key: log in again, or name a profile (--profile)."
    return str(error) or "The input ended too early."


def _is_bad(result: Result) -> bool:
    """Tell whether a command that did its work found that something is wrong."""
    if not isinstance(result, dict):
        return False
    is_refused = bool(result.get("refusal")) or bool(result.get("red"))
    return is_refused or result.get("verdict") in ("incomplete", "pending")


def _enter(region: str | None, profile: str | None) -> None:
    """Make every AWS client use this region and profile, where they are given."""
    if region:
        os.environ |= {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
    if profile:
        os.environ["AWS_PROFILE"] = profile


def _facts(path: Path) -> dict[str, Any]:
    """Return what `make up` wrote of the embedded stack. Raises StackNotFoundError."""
    try:
        found = json.loads(path.read_text())
        _ = found["aws_endpoint_url"], found["region"], found["aws_credentials"]["access_key_id"]
    except FileNotFoundError as error:
        raise StackNotFoundError(
            f"There is no {path}: start the embedded stack with `make up`, and leave it running."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StackNotFoundError(
            f"{path} does not describe an embedded stack: give what `make up` wrote."
        ) from error
    return dict(found)


# --- verbs --------------------------------------------------------------------------------------


def _joined(argv: Sequence[str]) -> list[str]:
    """Join `--resource-id` and its value: a resourceId may begin with `-`, as an option does."""
    words = list(argv)
    for place, word in enumerate(words[:-1]):
        if word == "--resource-id":
            words[place : place + 2] = [f"{word}={words[place + 1]}"]
            break
    return words


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make ops",
        usage='make ops ARGS="[--stack NAME | --local] [--region R] [--profile P] [--json] VERB …"',
        description="Operate a deployed stack.",
    )
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--stack", type=_stack, default=STACK, help=f"the stack's name ({STACK})")
    where.add_argument("--local", action="store_true", help="the embedded stack of `make up`")
    parser.add_argument("--region", type=_region, help="the stack's region, as in `make deploy`")
    parser.add_argument("--profile", type=_word, help="the AWS profile, as in `make deploy`")
    parser.add_argument("--facts", default=FACTS, help=f"what --local reads ({FACTS})")
    parser.add_argument("--json", action="store_true", help="print JSON")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True, prog="make ops")

    def verb(name: str, help: str, act: Act, tell: Tell) -> argparse.ArgumentParser:
        made = verbs.add_parser(name, help=help, description=help)
        made.set_defaults(act=act, tell=tell)
        return made

    verb("list", "list the recordings that are not over", lambda it, _: it.open(), _tell_open)
    show = verb(
        "show", "show a recording and its timeline", lambda it, given: it.show(given.id), _tell_one
    )
    stop = verb("stop", "stop a recording", lambda it, given: it.stop(given.id), _tell_stopped)
    verify = verb(
        "verify",
        "check whether every file of a recording is in the bucket",
        lambda it, given: it.verify(given.id, publish=given.publish),
        _tell_verdict,
    )
    resend = verb(
        "resend",
        "call the app again about a recording: what did not arrive",
        lambda it, given: it.resend(given.id, everything=given.all),
        _tell_resent,
    )
    resend.add_argument("--all", action="store_true", help="also what did arrive")
    for each in (show, stop, verify, resend):
        each.add_argument("id", type=_word, metavar="RECORDING", help="the recordingId")
    verify.add_argument(
        "--publish", action="store_true", help="write the manifest, send the end event"
    )
    replay = verb(
        "replay",
        "process again the messages that were put aside",
        lambda it, given: it.replay(discard=given.discard),
        _tell_replayed,
    )
    replay.add_argument(
        "--discard", action="store_true", help="remove what still cannot be processed"
    )
    verb(
        "orphans",
        "list the sessions that no recording owns",
        lambda it, _: it.orphans(),
        _tell_orphans,
    )
    adopt = verb(
        "adopt",
        "give a session to the recording that started it",
        lambda it, given: it.adopt(given.sid, given.id),
        _tell_adopted,
    )
    orphan = verb(
        "stop-orphan",
        "stop a session that no recording owns",
        lambda it, given: it.stop_orphan(given.sid, resource_id=given.resource_id, mode=given.mode),
        _tell_orphan_stopped,
    )
    for each in (adopt, orphan):
        each.add_argument("sid", type=_word, metavar="SID", help="Agora's id of the session")
    adopt.add_argument("id", type=_word, metavar="RECORDING", help="the recordingId")
    orphan.add_argument(
        "--resource-id", type=_word, help="the resourceId of its start, if no recording knows it"
    )
    orphan.add_argument("--mode", choices=MODES, help="its mode, if no recording knows it")
    rotate = verb(
        "rotate-secret",
        "put a new notification secret before the present ones; it is read from the standard input",
        _rotate,
        _tell_rotated,
    )
    rotate.add_argument(
        "--forget", action="store_true", help="keep the newest one alone, and remove the others"
    )
    rotate.add_argument(
        "--yes", action="store_true", help="with --forget: do it; without it, only tell"
    )
    firewall = verb(
        "firewall",
        "refresh Agora's addresses",
        lambda it, given: it.firewall(dry_run=given.dry_run, accept_drop=given.accept_drop),
        _tell_firewall,
    )
    firewall.add_argument("--dry-run", action="store_true", help="plan, and write nothing")
    firewall.add_argument(
        "--accept-drop", action="store_true", help="confirm an answer that lacks many addresses"
    )
    doctor = verb(
        "doctor",
        "check whether the stack is wired right, and say what to do",
        lambda it, given: _examine(it.stack, given),
        _tell_examined,
    )
    doctor.add_argument(
        "--record",
        type=_seconds_of_a_recording,
        metavar="SECONDS",
        help="make one real recording, too: Agora bills its minutes",
    )
    doctor.add_argument(
        "--page", type=_page, default=PAGE, help=f"the page that it records ({PAGE})"
    )
    doctor.add_argument("--channel", type=_channel, help="record this channel instead of a page")
    console = verb(
        "console",
        "serve a page on this machine that shows the stack and acts on it",
        lambda it, given: _serve(it.stack, given),
        lambda _: (),
    )
    console.add_argument("--port", type=_port, default=0, help="the port (a free one)")
    console.add_argument(
        "--no-browser", action="store_true", help="print the address, and open no browser"
    )
    verb("watch", "run the sweeper now", lambda it, _: it.watch(), _tell_sweep)
    teardown = verb(
        "teardown",
        "stop every recording and wait until the stack may be deleted",
        lambda it, given: it.teardown(
            wait_s=60 * given.wait, publish_now=given.now, tell=_tell_progress
        ),
        _tell_torn_down,
    )
    teardown.add_argument(
        "--wait",
        metavar="MINUTES",
        type=_minutes,
        default=10,
        help="how long to wait at most (10)",
    )
    teardown.add_argument(
        "--now", action="store_true", help="do not wait for the files of recordings that are over"
    )
    for each in verbs.choices.values():
        words = each.format_usage().removeprefix("usage: make ops ").replace("[-h] ", "").split()
        each.usage = f'make ops ARGS="[--stack NAME | --local] {" ".join(words)}"'
    return parser


def _rotate(operator: Operator, given: argparse.Namespace) -> dict[str, Any]:
    if given.forget:
        return operator.forget_secrets(confirmed=given.yes)
    return operator.rotate_secret(_read_secret())


def _word(text: str) -> str:
    """Return an id or a name: it is in AWS's and Agora's requests as it is."""
    if not text or len(text) > _MOST_WORD or not all("!" <= each <= "~" for each in text):
        raise argparse.ArgumentTypeError(
            f"must be 1 to {_MOST_WORD} characters of ASCII without spaces"
        )
    return text


def _stack(text: str) -> str:
    if not re.fullmatch("[A-Za-z][A-Za-z0-9-]{0,127}", text):
        raise argparse.ArgumentTypeError(
            "must be the name of a stack: letters, digits and -, first a letter"
        )
    return text


def _page(text: str) -> str:
    if not re.fullmatch(r"https?://[!-~]+", text):
        raise argparse.ArgumentTypeError(f"must be the URL of a page, such as {PAGE}")
    return text


def _channel(text: str) -> str:
    if problems := check_recording({"cname": text}).problems:
        raise argparse.ArgumentTypeError(problems[0].rule)
    return text


def _region(text: str) -> str:
    if not re.fullmatch("[a-z]{2,}(-[a-z]+)+-[0-9]+", text):
        raise argparse.ArgumentTypeError("must be the name of a region, such as eu-central-1")
    return text


def _minutes(text: str) -> float:
    return _number(text, 0, 24 * 60, "minutes")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65_536):
        raise argparse.ArgumentTypeError("must be a port: a whole number up to 65535")
    return int(text)


def _seconds_of_a_recording(text: str) -> float:
    return _number(text, 1, 3600, "seconds")


def _number(text: str, least: int, most: int, unit: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of {least} to {most} {unit}")
    return value


def _read_secret() -> str:
    """Read the secret: one line, since more would be something else. Raises SecretRefusedError."""
    if sys.stdin.isatty():
        return getpass.getpass("The new secret (Agora console, Notifications): ").strip()
    lines = sys.stdin.read(_MOST_INPUT).strip().splitlines()
    if len(lines) > 1:
        raise SecretRefusedError(
            f"{len(lines)} lines came: give the secret alone, in one line. Nothing was stored."
        )
    return lines[0].strip() if lines else ""


def _doors(stack: deployment.Deployment, given: argparse.Namespace) -> Doors:
    return local_doors(_facts(Path(given.facts))) if given.local else doors_of(stack)


def _serve(stack: deployment.Deployment, given: argparse.Namespace) -> dict[str, Any]:
    """Serve the console until Ctrl-C."""
    # What serves pages is needed for no other command.
    from operate.console.desk import Desk  # noqa: PLC0415
    from operate.console.server import serve  # noqa: PLC0415

    desk = Desk.of(stack, _doors(stack, given), is_local=given.local)
    serve(desk, given.port, tell=_tell_now, opens=not given.no_browser)
    return {}


def _tell_now(words: str) -> None:
    print(words, flush=True)


def _examine(stack: deployment.Deployment, given: argparse.Namespace) -> dict[str, Any]:
    """Make every check; tell each finding at once, unless JSON is asked for."""
    doors = _doors(stack, given)
    chosen = list(checks.ALL)
    if given.record:
        chosen.append(recording.check(given.record, given.page, given.channel or ""))
    found: list[dict[str, str]] = []
    for finding in examine(chosen, Patient(stack, doors)):
        found.append(msgspec.to_builtins(finding))
        if not given.json:
            print("\n".join(_tell_finding(finding)), flush=True)
    counted = Counter(each["state"] for each in found)
    return {"findings": found, **{state: counted[state] for state in get_args(State)}}


# --- in words -----------------------------------------------------------------------------------


def _tell_open(found: list[dict[str, Any]]) -> Iterable[str]:
    now = now_ms()
    return _table(
        ("RECORDING", "STATUS", "CHANNEL", "MODE", "AGE", "SEEN", "NEXT LOOK"),
        [
            (
                each["recordingId"],
                each["status"],
                each["cname"],
                each["mode"],
                _ago(each["createdAt"], now),
                _ago(each["lastSeenAt"], now),
                _next_look(each, now),
            )
            for each in found
        ],
        "No recording is open.",
    )


def _next_look(each: dict[str, Any], now: int) -> str:
    if each["nextLookAt"] is None:
        return "none is due"
    seconds = -_seconds(each["nextLookAt"], now)
    return f"{'now' if seconds <= 0 else f'in {seconds} s'} ({each['risk']})"


def _tell_one(found: dict[str, Any]) -> Iterable[str]:
    recording = found["recording"]
    for name, value in recording.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {each}" for key, each in value.items()) or "-"  # noqa: PLW2901
        if name != "attempts":
            yield f"{name:<20}{value}"
    for attempt in recording["attempts"]:
        yield f"{'attempt ' + str(attempt['number']):<20}" + ", ".join(
            f"{key} {each}" for key, each in attempt.items() if key != "number"
        )
    for session in found["sessions"]:
        yield ""
        yield from _tell_session(session)
    yield ""
    yield from _table(
        ("TIME (UTC)", "SOURCE", "KIND", "WHAT"),
        [
            (each["at"][11:23], each["source"], each["kind"], each["text"])
            for each in found["events"]
        ],
        "Nothing has happened yet.",
    )


def _tell_session(session: dict[str, Any]) -> Iterable[str]:
    """Yield the lines of a session's report (SessionReport)."""
    yield f"{'session':<20}{session['sid']}"
    if "firstHeardAt" not in session:
        yield f"{'heard':<20}nothing yet"
        return
    recorders = ", ".join(f"uid {uid}" for uid in session.get("recorderUids", ()))
    yield f"{'recorder':<20}{recorders or '-'}"
    yield f"{'heard':<20}{session['firstHeardAt']} to {session['lastHeardAt']}"
    if "startedAt" in session:
        yield f"{'recorded':<20}{session['startedAt']} to {session.get('endedAt', 'now')}"
    yield f"{'end':<20}{session.get('end', '-')}"
    yield from (f"{'':<20}{remark}" for remark in session.get("remarks", ()))
    for name in ("upload", "transcoding"):
        if name in session:
            yield f"{name:<20}{session[name].replace('_', ' ')}"
    for gap in session.get("interruptions", ()):
        whose = f"{gap['track'].replace('_', ' ')} of {_who(gap['uid'])}"
        yield f"{'interruption':<20}{gap['begunAt']} to {gap['endedAt']}: {whose}"
    for output in session.get("outputs", ()):
        yield f"{'output':<20}{output['target']}: {output['status']} since {output['since']}"
    if people := session.get("participants"):
        yield ""
        yield from _table(
            ("WHO", "AUDIO", "VIDEO"),
            [
                (_who(each["uid"]), *map(_track, map(each.get, ("audio", "video"))))
                for each in people
            ],
            "",
        )
    if problems := session.get("problems"):
        yield ""
        yield from _table(
            ("LAST AT", "KIND", "LEVEL", "WHAT"),
            [
                (each["lastAt"], each["kind"], each.get("level", "-"), each["text"])
                for each in problems
            ],
            "",
        )


def _who(uid: str) -> str:
    return "all, mixed" if uid == "0" else f"uid {uid or '?'}"


def _track(track: dict[str, Any] | None) -> str:
    if track is None:
        return "-"
    return f"{'arrives' if track['arrives'] else 'stopped'} since {track['since']}"


def _tell_stopped(found: dict[str, Any]) -> Iterable[str]:
    if "endedAt" in found:
        return [f"{found['recordingId']} is over already: {found['status']}, {found['endReason']}."]
    return [f"{found['recordingId']} is asked to stop; its status is {found['status']}."]


def _tell_resent(found: dict[str, Any]) -> Iterable[str]:
    return _table(
        ("MESSAGE", "TYPE", "HOST", "MADE"),
        [(each["id"], each["type"], each["host"], each["madeAt"]) for each in found["messages"]],
        "No message waits, or was given up.",
    )


def _tell_verdict(found: dict[str, Any]) -> Iterable[str]:
    yield f"{found['recordingId']} is {found['status']}; its files are {found['verdict']}."
    yield (
        f"{found['objects']} files, {found['bytes']:,} bytes, {found['recordedSeconds']:.1f} s, "
        f"{found['gaps']} gaps, {len(found['missing'])} missing"
    )
    yield from (f"  missing: {name}" for name in found["missing"])
    if found.get("published"):
        yield "Published again."


def _tell_replayed(found: list[dict[str, Any]]) -> Iterable[str]:
    return _table(
        ("QUEUE", "WHAT", "OUTCOME", "REMOVED"),
        [
            (each["queue"], each["what"], each["outcome"], "yes" if each["removed"] else "no")
            for each in found
        ],
        "Nothing was put aside.",
    )


def _tell_orphans(found: list[dict[str, Any]]) -> Iterable[str]:
    now = now_ms()
    return _table(
        ("SID", "CHANNEL", "UID", "SEEN", "ENDED"),
        [
            (
                each["sid"],
                each["cname"] or "-",
                each["uid"] or "-",
                _ago(each["lastSeenAt"], now),
                each["ended"] or "-",
            )
            for each in found
        ],
        "Every session belongs to a recording.",
    )


def _tell_adopted(found: dict[str, Any]) -> Iterable[str]:
    return [f"The session belongs to {found['recordingId']}, which is {found['status']}."]


def _tell_orphan_stopped(found: dict[str, Any]) -> Iterable[str]:
    meaning = found["means"].replace("_", " ")
    yield f"Agora answered {found['status']}: {meaning}."
    if found["refusal"]:
        yield found["refusal"]


def _tell_rotated(found: dict[str, Any]) -> Iterable[str]:
    if "forgotten" in found:
        yield from _tell_forgotten(found)
        return
    if not found["stored"]:
        yield "It is the newest secret already: nothing was stored."
    if found["live"] == 1:
        yield "One secret is live."
        return
    yield f"{found['live']} secrets are live, the new one first. None was removed."
    if found["stored"]:
        yield "Wait ten seconds, then enter the new one in Agora's console."
    yield "When Agora signs with it: rotate-secret --forget removes the others."


def _tell_forgotten(found: dict[str, Any]) -> Iterable[str]:
    others = f"{found['forgotten']} older secret{'' if found['forgotten'] == 1 else 's'}"
    if not found["forgotten"]:
        yield "One secret is live; there is nothing to remove."
    elif found["done"]:
        yield f"{others} removed; the newest one alone is live."
    else:
        yield f"Would remove {others} for good, and keep the newest one. Nothing was done."
        yield "First enter the newest one in Agora's console, and see that `doctor` is content."
        yield "Then: rotate-secret --forget --yes."


def _tell_firewall(found: dict[str, Any]) -> Iterable[str]:
    yield "Planned, nothing was written." if found["dryRun"] else "Carried out."
    yield f"Agora names {', '.join(found['addresses'])}."
    for target, plan in found["targets"].items():
        parts = [f"{act} {', '.join(plan[act])}" for act in ("evict", "add", "remove") if plan[act]]
        yield f"  {target}: {'; '.join(parts) or 'nothing to do'}; {len(plan['keep'])} kept"
        for address, since in plan["withdrawn"].items():
            yield f"    {address} is withdrawn since {since}"
        if plan["refused"]:
            yield f"    refused: {plan['refused']}"
    for target, reason in found["failed"].items():
        yield f"  {target} FAILED: {reason}"


def _tell_finding(finding: Finding) -> Iterable[str]:
    yield f"{finding.state:<9}{finding.name:<21}{finding.said}"
    if finding.advice:
        yield f"{'':<30}What to do: {finding.advice}"


def _tell_examined(found: dict[str, Any]) -> Iterable[str]:
    return [", ".join(f"{found[state]} {state}" for state in get_args(State)) + "."]


def _tell_sweep(found: dict[str, int]) -> Iterable[str]:
    return [f"{count} x {look}" for look, count in found.items()] or ["Nothing was due."]


def _tell_progress(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def _tell_torn_down(found: dict[str, Any]) -> Iterable[str]:
    for words, name in (("asked to stop", "stopped"), ("published as it is", "ended")):
        yield from (f"{each} is {words}." for each in found[name])
    if found["refusal"]:
        yield from _table(
            ("RECORDING", "STATUS", "SID"),
            [(each["recordingId"], each["status"], each["sid"] or "-") for each in found["open"]],
            "No recording is open.",
        )
        yield found["refusal"]
        return
    delete = f".tools/sam/bin/sam delete --stack-name {found['stack']}"
    yield f"Nothing runs. The stack may be deleted: {delete}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], nothing: str) -> Iterable[str]:
    """Return the lines of a table, as wide as its content; the last column is not padded."""
    if not rows:
        return [nothing]
    widths = [max(len(str(row[at])) for row in (head, *rows)) for at in range(len(head) - 1)]
    widths.append(0)
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in (head, *rows)
    ]


def _seconds(instant: str | None, now: int) -> int:
    return (now - from_iso(instant)) // 1000 if instant else 0


def _ago(instant: str | None, now: int) -> str:
    """Return how long ago an instant is, in days, hours, minutes or seconds."""
    if instant is None:
        return "-"
    seconds = max(0, _seconds(instant, now))  # two clocks differ
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def keep_the_log_out() -> None:
    """Send the library's log to the standard error, errors only."""
    logger.setLevel(logging.ERROR)
    if isinstance(logger.registered_handler, logging.StreamHandler):
        logger.registered_handler.setStream(sys.stderr)
