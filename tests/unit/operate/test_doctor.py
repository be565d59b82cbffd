"""`doctor` on a healthy stack, and on one in which something is wrong: exactly that is red."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agora_recording.recording.ids import new_recording_id
from agora_recording.wiring.parts import Parts
from local.template import ROOT
from operate import commands, deployment
from operate.doctor import checks, recording
from operate.doctor.check import Check, Finding, NotCheckedError, UnhealthyError, examine
from tests.world.builders import requested
from tests.world.clinic import Clinic
from tests.world.settings import WorldSettings
from tests.world.webhook import NOW_MS

Plant = Callable[[Clinic], object]


@pytest.fixture
def clinic() -> Clinic:
    return Clinic()


def red(found: dict[str, Finding]) -> list[str]:
    return [name for name, each in found.items() if each.state == "red"]


def test_a_healthy_stack_is_green_all_over(clinic: Clinic) -> None:
    found = clinic.examine()
    assert found.keys() == {each.name for each in checks.ALL}
    assert red(found) == []
    skipped = {name: each.said for name, each in found.items() if each.state == "skipped"}
    assert skipped == {
        "temporary keys": "StorageCredentials is keys.",
        "channel event secret": "No rule of auto-record is on.",
    }


def test_nothing_that_it_wrote_is_left(clinic: Clinic) -> None:
    clinic.examine()
    assert clinic.uploads == []
    assert clinic.table.items == {}


def test_the_secret_of_channel_events_is_looked_at_where_a_rule_needs_it(clinic: Clinic) -> None:
    _rule()(clinic)
    assert clinic.examine()["channel event secret"].state == "green"


def _parameter(clinic: Clinic, **changed: str) -> None:
    parameters = {**clinic.stack.parameters, **changed}
    clinic.stack = clinic.stack._replace(parameters=parameters)


def _secret(name: str, text: str) -> Plant:
    return lambda clinic: clinic.secrets.put_secret_value(SecretId=name, SecretString=text)


def _set(name: str, value: Any) -> Plant:
    return lambda clinic: setattr(clinic, name, value)


def _log(message: str, path: str = "/v1/notifications") -> Plant:
    line = json.dumps({"message": message, "sourceIp": "203.0.113.7", "path": path})
    return lambda clinic: clinic.log.append(line)


def _rule() -> Plant:
    body = {"channelPattern": "lesson-*"}
    return lambda clinic: Parts(WorldSettings(), clinic.outside).rules.put("lessons", body)


def _both(*plants: Plant) -> Plant:
    def plant(clinic: Clinic) -> None:
        for each in plants:
            each(clinic)

    return plant


def _drift(name: str, status: str = "MODIFIED") -> dict[str, Any]:
    differs = {"PropertyDifferences": [{"PropertyPath": "/VisibilityTimeout"}]}
    return {"LogicalResourceId": name, "StackResourceDriftStatus": status, **differs}


OTHERS_KEYS = json.dumps({"accessKey": "AKIA-somebody", "secretKey": "hush"})
PLANTED: dict[str, tuple[Plant, str]] = {
    "an empty secret": (_secret("agora", "{}"), "agora secret"),
    "a wrong Agora key": (
        _secret("agora", '{"customerId": "id", "customerSecret": "wrong"}'),
        "agora key",
    ),
    "a certificate that is none": (
        _secret(
            "agora", '{"customerId": "id", "customerSecret": "hush", "appCertificate": "short"}'
        ),
        "agora secret",
    ),
    "an App ID that signs no token": (
        _secret(
            "agora",
            json.dumps(
                {"customerId": "id", "customerSecret": "hush", "appCertificate": "0123abcd" * 4}
            ),
        ),
        "agora secret",
    ),
    "a wrong App ID": (lambda clinic: _parameter(clinic, AgoraAppId="other"), "app id"),
    "the keys of another user": (_secret("storage", OTHERS_KEYS), "uploader"),
    "a bucket policy that was removed": (_set("bucket_policy", None), "bucket policy"),
    "a disabled mapping of the stream": (_set("mapping", "Disabled"), "stream mapping"),
    "a disabled schedule": (
        _set("schedules", {"each-minute": "DISABLED", "on-schedule": "ENABLED"}),
        "sweeps",
    ),
    "a wrong notification secret": (
        _log("no live secret made this signature"),
        "notification secret",
    ),
    "a wrong secret of channel events": (
        _both(_rule(), _log("no live secret made this signature", path="/v1/rtc-notifications")),
        "channel event secret",
    ),
    "a secret of channel events that nobody filled in": (
        _both(_rule(), lambda clinic: clinic.secrets.versions.update(rtc=["made"])),
        "channel event secret",
    ),
    "a secret of channel events that was emptied": (
        _both(_rule(), _secret("rtc", '{"secrets": []}')),
        "channel event secret",
    ),
    "a topic without policy": (_set("topic", {}), "alarm topic"),
    "dead letters that wait": (_set("waiting", {"dead": 2, "poison": 0}), "dead letters"),
    # And what else can be wrong.
    "a notification secret that nobody filled in": (
        _secret("notifications", '{"secrets": []}'),
        "notification secret",
    ),
    "a storage secret that is empty": (_secret("storage", "{}"), "uploader"),
    "a bucket policy without the refusal": (
        _set("bucket_policy", [{"Effect": "Allow"}]),
        "bucket policy",
    ),
    "a bucket that tells nobody": (_set("eventbridge", {}), "bucket events"),
    "a file of which no function is told": (_set("log", []), "file arrival"),
    "a schedule that is gone": (_set("schedules", {"each-minute": "ENABLED"}), "refreshes"),
    "a topic encrypted with SNS's own key": (
        lambda clinic: clinic.topic.update(KmsMasterKeyId="alias/aws/sns"),
        "alarm topic",
    ),
    "a topic that nobody hears": (
        lambda clinic: clinic.topic.update(SubscriptionsConfirmed="0"),
        "alarm topic",
    ),
    "a poison notification": (_set("waiting", {"dead": 0, "poison": 1}), "poison"),
    "a small account": (_set("concurrent", 10), "concurrency"),
    "a region where little passes": (_set("throttle", 50.0), "api throttle"),
    "a queue that was changed by hand": (
        lambda clinic: clinic.drifted.extend(
            [_drift("NotificationsSecurityGroup"), _drift("FileArrivals")]
        ),
        "drift",
    ),
    "a dashboard that was deleted": (
        lambda clinic: clinic.drifted.append(_drift("Dashboard", "DELETED")),
        "drift",
    ),
    "a boundary that forbids": (_set("simulated", "implicitDeny"), "roles"),
    "no way out of a VPC": (
        _set("plan", {"errorType": "AgoraUnavailableError", "errorMessage": "no answer"}),
        "way out",
    ),
    "a firewall without room": (
        _set("plan", {"addresses": [], "targets": {}, "failed": {"sg-1": "QuotaError"}}),
        "way out",
    ),
    "an open API": (_set("open_to_all", True), "api"),
    "an uploader that may read": (_set("may_read", True), "uploader's limits"),
    "a bus that tells nobody": (_set("delivers", False), "bus"),
    "an execution without a recording": (
        _set("running", [new_recording_id(NOW_MS, bytes(10))]),
        "executions",
    ),
    "a recording without an execution": (lambda clinic: clinic.add(requested()), "executions"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_what_is_wrong_is_red_and_nothing_else(clinic: Clinic, what: str) -> None:
    plant, name = PLANTED[what]
    plant(clinic)
    found = clinic.examine()
    assert red(found) == [name]
    assert found[name].advice, "what to do"
    # What it needs is not taken for a fault of its own.
    for each in checks.ALL:
        if name in each.needs:
            assert found[each.name].state == "skipped"
            assert name in found[each.name].said


def test_what_cannot_be_checked_without_rights_is_skipped(clinic: Clinic) -> None:
    clinic.denied = {"iam", "sns", "scheduler"}
    found = clinic.examine()
    assert red(found) == []
    for name in ("roles", "alarm topic", "sweeps", "refreshes"):
        assert found[name].state == "skipped"
        assert "Your rights do not allow" in found[name].said


def test_what_the_refresh_writes_is_no_drift(clinic: Clinic) -> None:
    clinic.drifted = [_drift("NotificationsSecurityGroup"), _drift("FileArrivals")]
    said = clinic.examine()["drift"].said
    assert said == "Not as the template says: FileArrivals (/VisibilityTimeout)."


def test_no_secret_is_in_what_is_told(clinic: Clinic) -> None:
    for plant, _ in PLANTED.values():
        plant(clinic)
    told = str([*clinic.examine().values(), *Clinic().examine().values()])
    assert "hush" not in told


def test_every_check_says_what_it_catches_and_what_to_do() -> None:
    names = [each.name for each in checks.ALL]
    assert len(set(names)) == len(names)
    for each in checks.ALL:
        assert each.catches, each.name
        assert each.advice.endswith("."), each.name
        assert set(each.needs) <= set(names), each.name


# --- how checks are made ------------------------------------------------------------------------


def _check(name: str, look: Callable[[Any], str], *needs: str) -> Check:
    return Check(name, "a fault", "Repair it.", look, needs)


def _raising(error: Exception) -> Callable[[Any], str]:
    def look(_: Any) -> str:
        raise error

    return look


def test_a_check_that_fails_itself_is_red_and_hides_no_other(clinic: Clinic) -> None:
    made = [_check("broken", _raising(KeyError("x"))), _check("fine", lambda _: "All is well.")]
    found = {each.name: each for each in examine(made, clinic.patient())}
    assert found["broken"].state == "red"
    assert "KeyError" in found["broken"].said
    assert found["fine"].state == "green"


def test_a_check_waits_for_what_it_needs(clinic: Clinic) -> None:
    made = [_check("second", lambda _: "Yes.", "first"), _check("first", lambda _: "Yes.")]
    assert [each.name for each in examine(made, clinic.patient())] == ["first", "second"]


@pytest.mark.parametrize(
    ("error", "state"), [(UnhealthyError("No."), "red"), (NotCheckedError("No."), "skipped")]
)
def test_a_need_that_is_not_green_skips_all_that_follows(
    clinic: Clinic, error: Exception, state: str
) -> None:
    made = [
        _check("first", _raising(error)),
        _check("second", lambda _: "Yes.", "first"),
        _check("third", lambda _: "Yes.", "second"),
    ]
    found = {each.name: each.state for each in examine(made, clinic.patient())}
    assert found == {"first": state, "second": "skipped", "third": "skipped"}


def test_checks_that_need_each_other_are_a_mistake(clinic: Clinic) -> None:
    made = [_check("a", lambda _: "", "b"), _check("b", lambda _: "", "a")]
    with pytest.raises(ValueError, match="a, b"):
        list(examine(made, clinic.patient()))


# --- one real recording -------------------------------------------------------------------------


def test_a_recording_that_completes_is_played_and_deleted(clinic: Clinic) -> None:
    clinic.statuses = ["requested", "recording", "uploading", "completed"]
    found = clinic.examine(recording.check(60))["recording"]
    assert (found.state, clinic.asked) == ("green", ["POST", "POST stop", "DELETE"])
    assert clinic.clock() - NOW_MS >= 60_000
    (request,) = clinic.requests
    assert (request["mode"], request["restartLimit"]) == ("web", 0)


def test_a_channel_may_be_recorded_instead_of_a_page(clinic: Clinic) -> None:
    clinic.statuses = ["recording", "completed"]
    clinic.examine(recording.check(1, channel="standup"))
    (request,) = clinic.requests
    assert request["cname"] == "standup"
    assert "mode" not in request


@pytest.mark.parametrize(
    ("statuses", "asked"),
    [
        (["starting", "failed"], ["POST", "POST stop"]),
        (["requested"], ["POST", "POST stop"]),
        (["recording", "incomplete"], ["POST", "POST stop"]),
    ],
)
def test_a_recording_that_does_not_complete_is_red_stopped_and_kept(
    clinic: Clinic, statuses: list[str], asked: list[str]
) -> None:
    """It is kept for whoever finds out why."""
    clinic.statuses = statuses
    found = clinic.examine(recording.check(60))["recording"]
    assert (found.state, clinic.asked) == ("red", asked)
    assert f"is {statuses[-1]}" in found.said


def test_a_file_that_does_not_open_is_red(clinic: Clinic) -> None:
    clinic.statuses = ["recording", "completed"]
    clinic.file_status = 403
    assert clinic.examine(recording.check(60))["recording"].state == "red"


def test_nothing_is_recorded_when_it_could_not_be(clinic: Clinic) -> None:
    _parameter(clinic, AgoraAppId="other")
    assert clinic.examine(recording.check(60))["recording"].state == "skipped"
    assert clinic.asked == []


# --- the command --------------------------------------------------------------------------------


def _run(clinic: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *words: str) -> int:
    monkeypatch.setattr(deployment, "find", lambda _: clinic.stack)
    monkeypatch.setattr(commands, "Patient", lambda *_: clinic.patient())
    return commands.main([*words, "doctor"])


def test_the_command_tells_each_finding_and_ends_with_the_count(
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert _run(clinic, monkeypatch, tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(checks.ALL) + 1
    assert lines[-1] == f"{len(checks.ALL) - 2} green, 0 red, 2 skipped."


def test_the_command_fails_and_says_what_to_do_if_something_is_red(
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clinic.waiting["dead"] = 3
    assert _run(clinic, monkeypatch, tmp_path) == 1
    out = capsys.readouterr().out
    assert "red      dead letters         3 messages wait there.\n" in out
    assert 'What to do: Process them again: make ops ARGS="replay"' in out


def test_the_command_prints_json_alone_if_it_is_asked_to(
    clinic: Clinic,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    clinic.waiting["dead"] = 3
    assert _run(clinic, monkeypatch, tmp_path, "--json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["red"], told["skipped"]) == (1, 2)
    assert len(told["findings"]) == len(checks.ALL)


def test_the_document_names_every_check_and_what_it_catches() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = [f"| {each.name} | {each.catches} |" for each in (*checks.ALL, recording.check(60))]
    assert "\n".join(rows) in text
