"""The house law: one truth for each fact, and a guard on each copy."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from local.expanded import expanded
from local.template import ROOT, functions, template
from tests.world.machine import definition, room_of

TEXT = (ROOT / "template.yaml").read_text()
RESOURCES: dict[str, dict[str, Any]] = template()["Resources"]
FUNCTIONS = functions()


def phrase(logical_id: str) -> str:
    """Return `stop_recording` for `StopRecordingFunction`."""
    return re.sub(r"(?<!^)([A-Z])", r"_\1", logical_id.removesuffix("Function")).lower()


def test_folders_and_functions_share_their_phrase() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/app.py")}
    assert folders == {phrase(name) for name in FUNCTIONS}
    for name, each in FUNCTIONS.items():
        assert each["CodeUri"] == f"functions/{phrase(name)}/"


def test_states_and_functions_share_their_phrase() -> None:
    for name, state in definition()["States"].items():
        if room := room_of(state):
            assert name.lower().replace(" ", "_") == phrase(room)


def test_the_runtime_is_the_same_in_all_four_places() -> None:
    runtime = template()["Globals"]["Function"]["Runtime"]
    assert f"RUNTIME := {runtime}\n" in (ROOT / "Makefile").read_text()
    layer = RESOURCES["SharedLayer"]
    assert layer["Metadata"]["BuildMethod"] == runtime
    assert layer["Properties"]["CompatibleRuntimes"] == [runtime]


def test_what_is_merged_is_never_overridden() -> None:
    """Each line of a resource has one place; and checkov cannot read such a file, nor says so."""
    assert TEXT.count("<<:") > 15
    assert list(_said_twice(yaml.compose(TEXT))) == []


def test_a_line_that_overrides_what_is_merged_would_be_found() -> None:
    overriding = "a: {<<: &common {x: 1}, y: 2}\nb: {<<: [*common], x: 3}"
    assert list(_said_twice(yaml.compose(overriding))) == ["x"]


def _said_twice(node: yaml.Node | None) -> Iterator[str]:
    """Yield the keys that a mapping has of its own and by a merge, or by two merges."""
    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _said_twice(each)
    elif isinstance(node, yaml.MappingNode):
        keys = Counter[str]()
        for key, value in node.value:
            yield from _said_twice(value)
            if key.tag != "tag:yaml.org,2002:merge":
                keys[key.value] += 1
                continue
            for merged in [value] if isinstance(value, yaml.MappingNode) else value.value:
                keys.update(each.value for each, _ in merged.value)
        yield from (key for key, number in keys.items() if number > 1)


def test_runtime_pins_live_in_the_layer_alone() -> None:
    assert not list((ROOT / "functions").rglob("requirements*.txt"))
    pins = (ROOT / "layers/shared/requirements.txt").read_text().splitlines()
    assert all("==" in line for line in pins if line and not line.startswith("#"))
    kept = {path.name for path in (ROOT / "layers/shared").iterdir()} - {"__pycache__"}
    assert kept == {"requirements.txt", "agora_recording"}


def test_no_name_is_fixed_so_that_two_stacks_fit_into_one_account() -> None:
    fixed = ("FunctionName", "TableName", "BucketName", "StateMachineName", "QueueName", "RoleName")
    for name, each in RESOURCES.items():
        properties = each.get("Properties", {})
        assert not [key for key in fixed if isinstance(properties.get(key), str)], name


def test_every_asynchronous_edge_has_a_dead_letter_queue() -> None:
    for name, each in FUNCTIONS.items():
        for event in each.get("Events", {}).values():
            properties = event.get("Properties", {})
            if event["Type"] in ("ScheduleV2", "EventBridgeRule"):
                assert "DeadLetterConfig" in properties, name
    for name, each in RESOURCES.items():
        properties = each.get("Properties", {})
        if each["Type"] == "AWS::Events::Rule":
            assert all("DeadLetterConfig" in to for to in properties["Targets"]), name
        elif each["Type"] == "AWS::Lambda::EventSourceMapping":
            source = RESOURCES[_target(properties["EventSourceArn"])]
            if name == "WatchRecordingsFunctionBetween":
                # Next minute's sweep does what was not done: old requests are worth nothing.
                assert source["Properties"]["MessageRetentionPeriod"] <= 120
            elif source["Type"] == "AWS::SQS::Queue":
                assert "RedrivePolicy" in source["Properties"], name
            else:
                assert "OnFailure" in properties["DestinationConfig"], name


def test_what_lambda_repeats_by_itself_comes_to_an_end() -> None:
    """A schedule hands its event over and is content: what fails then, Lambda alone knows."""
    for name, each in FUNCTIONS.items():
        if any(event["Type"] == "ScheduleV2" for event in each.get("Events", {}).values()):
            config = each["EventInvokeConfig"]
            assert config["MaximumEventAgeInSeconds"] <= 3600, name
            assert config["MaximumRetryAttempts"] == 0 or "DestinationConfig" in config, name


def test_each_queue_policy_is_about_its_one_queue() -> None:
    """SQS refuses a policy that names another queue than the one it is put on."""
    policies = [each for each in RESOURCES.values() if each["Type"] == "AWS::SQS::QueuePolicy"]
    for policy in policies:
        (queue,) = policy["Properties"]["Queues"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            assert _target(statement["Resource"]) == queue["Ref"]


def test_eventbridge_may_send_wherever_a_rule_makes_it_send() -> None:
    allowed = {
        (_target(statement["Condition"]["ArnEquals"]["aws:SourceArn"]), queue["Ref"])
        for each in RESOURCES.values()
        if each["Type"] == "AWS::SQS::QueuePolicy"
        for queue in each["Properties"]["Queues"]
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
    }
    told = {
        (name, _target(arn))
        for name, each in RESOURCES.items()
        if each["Type"] == "AWS::Events::Rule"
        for to in each["Properties"]["Targets"]
        for arn in (to["Arn"], to["DeadLetterConfig"]["Arn"])
    }
    assert allowed == told


def test_a_first_deploy_reserves_nothing_of_a_small_account() -> None:
    assert template()["Parameters"]["ReserveConcurrency"]["Default"] == "false"
    reserved = {name: each.get("ReservedConcurrentExecutions") for name, each in FUNCTIONS.items()}
    assert {name: number for name, number in reserved.items() if number} == {
        "RefreshNcsAddressesFunction": {"Fn::If": ["KeepAPlace", 1, {"Ref": "AWS::NoValue"}]},
        "WatchRecordingsFunction": {"Fn::If": ["KeepAPlace", 2, {"Ref": "AWS::NoValue"}]},
    }


def test_no_metric_and_no_secret_depends_on_the_log_level() -> None:
    """See template.yaml: above INFO metrics are lost, below it boto3 logs what secrets say."""
    shared = template()["Globals"]["Function"]
    assert shared["LoggingConfig"]["ApplicationLogLevel"] == "INFO"
    assert shared["Environment"]["Variables"]["POWERTOOLS_LOG_LEVEL"] == "INFO"


def test_one_log_group_with_a_retention_serves_all() -> None:
    groups = [name for name, each in RESOURCES.items() if each["Type"] == "AWS::Logs::LogGroup"]
    assert "LogGroup" in groups
    assert all("RetentionInDays" in RESOURCES[name]["Properties"] for name in groups)
    assert template()["Globals"]["Function"]["LoggingConfig"]["LogGroup"] == {"Ref": "LogGroup"}


def test_every_star_has_a_reason() -> None:
    stars = [line for line in TEXT.splitlines() if re.search(r'Resource: "\*"', line)]
    bare = [line for line in stars if "#" not in line]
    # The key policy is the account's own: its star means the key itself.
    assert len(bare) == TEXT.count("Sid: TheAccountDecidesByItsOwnPolicies")


def test_every_statement_says_why_and_names_one_action() -> None:
    for name, each in FUNCTIONS.items():
        for statement in _statements(each):
            assert re.fullmatch(r"([A-Z][a-z0-9]*)+(V\d)?", statement["Sid"]), name
            actions = statement["Action"]
            if statement["Effect"] == "Deny":
                continue
            assert isinstance(actions, str) or len(actions) == 2, (name, statement["Sid"])
            assert "*" not in str(actions), name


def _statements(function: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for policy in function.get("Policies", [])
        for statement in policy["Statement"]
    ]


def test_every_policy_is_of_the_present_version() -> None:
    """Without it, IAM takes the version of 2008, in which `${…}` is no variable."""
    policies = list(_policies(template()))
    assert len(policies) > 20
    assert [each for each in policies if each.get("Version") != "2012-10-17"] == []


def _policies(part: Any) -> Iterator[dict[str, Any]]:
    if isinstance(part, dict):
        if "Statement" in part:
            yield part
        for each in part.values():
            yield from _policies(each)
    elif isinstance(part, list):
        for each in part:
            yield from _policies(each)


@pytest.mark.parametrize("name", ["Table", "Bucket", "BucketPolicy"])
def test_what_is_kept_outlives_the_stack_but_not_a_create_that_failed(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


def test_only_the_webhooks_routes_are_open() -> None:
    opened = [
        name
        for name, each in FUNCTIONS.items()
        for event in each.get("Events", {}).values()
        if event["Type"] == "Api"
        and event["Properties"].get("Auth", {}).get("Authorizer") == "NONE"
    ]
    # The webhook, by its signature; and viewers, by what their link says.
    assert opened == [
        "PlayRecordingFunction",
        "PlayRecordingFunction",
        "ReceiveNotificationFunction",
        "ReceiveNotificationFunction",
    ]
    assert RESOURCES["Api"]["Properties"]["Auth"]["DefaultAuthorizer"] == "AWS_IAM"


@pytest.mark.parametrize(
    ("path", "whose"), [("/~1notifications", ""), ("/~1rtc-notifications", "Rtc")]
)
def test_an_open_route_has_a_rate_of_its_own_and_none_behind_a_load_balancer(
    path: str, whose: str
) -> None:
    settings = RESOURCES["Api"]["Properties"]["MethodSettings"]
    (route,) = [each for each in settings if each["ResourcePath"] == path]
    for limit in ("Rate", "Burst"):
        expected = {"Fn::If": ["UseLoadBalancer", 0, {"Ref": f"{whose}Notification{limit}"}]}
        assert route[f"Throttling{limit}Limit"] == expected


def test_viewers_have_a_rate_of_their_own_on_each_open_route() -> None:
    settings = {
        each["ResourcePath"]: each for each in RESOURCES["Api"]["Properties"]["MethodSettings"]
    }
    for event in FUNCTIONS["PlayRecordingFunction"]["Events"].values():
        path = event["Properties"]["Path"]
        route = settings["/" + path.replace("/", "~1")]
        assert route["HttpMethod"] == event["Properties"]["Method"]
        assert route["ThrottlingRateLimit"] == {"Ref": "PlayRate"}
        assert route["ThrottlingBurstLimit"] == {"Ref": "PlayBurst"}
    parameters = template()["Parameters"]
    assert parameters["PlayRate"]["Default"] < settings["/*"]["ThrottlingRateLimit"]
    assert parameters["PlayBurst"]["Default"] < settings["/*"]["ThrottlingBurstLimit"]


def test_a_page_can_read_what_the_gateway_itself_answers_to_a_player() -> None:
    """Without the header, a page sees no status: it cannot know that it may ask again."""
    body = expanded()["Resources"]["Api"]["Properties"]["Body"]
    answers = body["x-amazon-apigateway-gateway-responses"]
    for kind in ("THROTTLED", "DEFAULT_5XX"):
        told = answers[kind]["responseParameters"]
        assert told == {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
        assert "statusCode" not in answers[kind]  # as API Gateway has it: 429, or the error's own


def test_no_access_log_could_hold_the_address_of_a_link() -> None:
    """The path of a request to /play has the token in it."""
    properties = RESOURCES["Api"]["Properties"]
    assert "AccessLogSetting" not in properties
    assert not any(
        {"LoggingLevel", "DataTraceEnabled"} & set(each) for each in properties["MethodSettings"]
    )


def test_lambdas_own_lines_are_few_unless_they_are_asked_for() -> None:
    logging = template()["Globals"]["Function"]["LoggingConfig"]
    assert logging["SystemLogLevel"] == {"Ref": "SystemLogLevel"}
    assert template()["Parameters"]["SystemLogLevel"]["Default"] == "WARN"


def test_large_answers_are_compressed_once_for_callers_who_accept_it() -> None:
    """API Gateway compresses what has no Content-Encoding, so no room sets one."""
    assert RESOURCES["Api"]["Properties"]["MinimumCompressionSize"] == 1024
    rooms = [*(ROOT / "functions").rglob("*.py"), *(ROOT / "layers" / "shared").rglob("*.py")]
    assert not [path.name for path in rooms if "content-encoding" in path.read_text().lower()]


def test_every_parameter_is_described() -> None:
    for name, each in template()["Parameters"].items():
        assert each["Description"], name


def test_the_machine_may_do_what_its_states_do_and_no_more() -> None:
    """The emulator does not check the machine's own role, so the statements are held here."""
    policy = RESOURCES["RecordingStateMachine"]["Properties"]["Policies"][0]["Statement"]
    allowed = {
        (statement["Action"], _target(resource))
        for statement in policy
        for resource in (
            statement["Resource"]
            if isinstance(statement["Resource"], list)
            else [statement["Resource"]]
        )
    }
    done = set()
    for state in definition()["States"].values():
        if room := room_of(state):
            done.add(("lambda:InvokeFunction", room))
        elif "aws-sdk:dynamodb:updateItem" in state.get("Resource", ""):
            done.add(("dynamodb:UpdateItem", "Table"))
    assert allowed == done


def _target(resource: dict[str, Any]) -> str:
    name = resource["Fn::GetAtt"]
    return str(name[0] if isinstance(name, list) else name.split(".")[0])
