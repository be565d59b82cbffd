"""What a company's account asks of the stack: its bucket, keys, boundary, network, thresholds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from local.expanded import expanded
from local.template import ROOT, functions, template

TEMPLATE = template()
RESOURCES: dict[str, dict[str, Any]] = TEMPLATE["Resources"]
PARAMETERS: dict[str, dict[str, Any]] = TEMPLATE["Parameters"]
NOTHING = {"Ref": "AWS::NoValue"}
EXPANDED = expanded()["Resources"]


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name]["Properties"]
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: each["Properties"] for name, each in EXPANDED.items() if each["Type"] == kind}


def resolved(part: Any, **given: str) -> Any:
    """Return a part of the template with its conditions decided by `given` and the defaults."""
    if isinstance(part, list):
        listed = [resolved(each, **given) for each in part]
        return [each for each in listed if each != NOTHING]
    if not isinstance(part, dict):
        return part
    if "Fn::If" in part:
        condition, yes, no = part["Fn::If"]
        return resolved(yes if holds(condition, **given) else no, **given)
    found = {name: resolved(each, **given) for name, each in part.items()}
    return {name: each for name, each in found.items() if each != NOTHING}


def holds(condition: str, **given: str) -> bool:
    def value(part: Any) -> Any:
        ((name, argument),) = part.items()
        match name:
            case "Fn::Equals":
                parameter, other = argument
                if "Ref" not in parameter:  # a list of parameters, joined: empty by default
                    return True
                named = parameter["Ref"]
                return str(given.get(named, PARAMETERS[named].get("Default", ""))) == str(other)
            case "Fn::Not":
                return not value(argument[0])
            case "Fn::Or":
                return any(value(each) for each in argument)
        return value(TEMPLATE["Conditions"][argument])

    return bool(value(TEMPLATE["Conditions"][condition]))


def deployed(**given: str) -> set[str]:
    """Return the resources that a deploy with these parameters makes."""
    return {
        name
        for name, each in EXPANDED.items()
        if "Condition" not in each or holds(each["Condition"], **given)
    }


# --- a bucket of the company --------------------------------------------------------------------


def test_a_bucket_of_the_company_is_neither_made_nor_changed() -> None:
    missing = deployed() - deployed(ExistingBucketName="films")
    assert missing == {"Bucket", "BucketPolicy"}
    # Nothing that stays refers to the bucket that is not made.
    for name in deployed(ExistingBucketName="films"):
        text = json.dumps(resolved(EXPANDED[name], ExistingBucketName="films"))
        assert '{"Ref": "Bucket"}' not in text, name
        assert "${Bucket" not in text, name
        assert '["Bucket", "Arn"]' not in text, name


@pytest.mark.parametrize(
    ("prefix", "is_allowed"),
    [("", 1), ("films/", 1), ("a/B2/", 1), ("films", 0), ("/films/", 0), ("my-films/", 0)],
)
def test_a_prefix_is_what_agora_allows(prefix: str, is_allowed: int) -> None:
    """Agora takes letters and digits, 128 characters in all with the slashes."""
    pattern = PARAMETERS["KeyPrefix"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, prefix)) == bool(is_allowed)
    assert PARAMETERS["KeyPrefix"]["MaxLength"] + len("recordings/") + 26 + 1 <= 128


def test_every_right_to_the_bucket_is_below_the_prefix() -> None:
    found = list(_s3_statements())
    assert len(found) > 15
    for statement in found:
        condition = str(statement.get("Condition"))
        assert "${KeyPrefix}recordings/*" in str(statement["Resource"]) + condition, statement


def test_what_is_done_with_old_files_is_below_the_prefix() -> None:
    rules = properties("Bucket")["LifecycleConfiguration"]["Rules"]
    chosen = [each["Fn::If"][2] for each in rules if "Fn::If" in each]
    assert {str(each["Prefix"]) for each in chosen} == {str({"Fn::Sub": "${KeyPrefix}recordings/"})}


def _s3_statements() -> Iterator[dict[str, Any]]:
    owners = [*functions().values(), properties("StorageUser")]
    for owner in owners:
        for policy in owner.get("Policies", ()):
            for each in policy.get("PolicyDocument", policy)["Statement"]:
                statement = each["Fn::If"][1] if "Fn::If" in each else each
                if str(statement["Action"]).startswith("s3:"):
                    yield statement


# --- keys for uploads that the company made -----------------------------------------------------


def test_with_a_secret_of_the_company_no_user_is_made() -> None:
    arn = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:uploads-x"
    given = {"StorageSecretArn": arn}
    missing = deployed() - deployed(**given)
    assert missing == {"StorageUser", "StorageUserKey", "StorageSecret"}
    for name in deployed(**given):
        text = json.dumps(resolved(EXPANDED[name], **given))
        assert "StorageUser" not in text, name
        assert "StorageSecret" not in text.replace("StorageSecretArn", ""), name
    for room in ("StartRecordingFunction", "WatchRecordingsFunction"):
        variables = resolved(functions()[room]["Environment"]["Variables"], **given)
        assert variables["STORAGE_SECRET_ID"] == {"Ref": "StorageSecretArn"}


# --- a KMS key of the company -------------------------------------------------------------------

KEY = {"KmsKeyArn": "arn:aws:kms:eu-west-1:111122223333:key/0f0f"}
KEY_REF = {"Ref": "KmsKeyArn"}


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("AWS::DynamoDB::Table", ("SSESpecification", "KMSMasterKeyId")),
        ("AWS::SQS::Queue", ("KmsMasterKeyId",)),
        ("AWS::SecretsManager::Secret", ("KmsKeyId",)),
        ("AWS::Logs::LogGroup", ("KmsKeyId",)),
    ],
)
def test_a_key_of_the_company_encrypts_what_is_kept(kind: str, named: tuple[str, ...]) -> None:
    assert of_type(kind)
    for name, each in of_type(kind).items():
        found: Any = resolved(each, **KEY)
        for part in named:
            found = found[part]
        assert found == KEY_REF, name
        assert "KmsKeyArn" not in str(resolved(each)), name


def test_a_key_of_the_company_encrypts_the_bucket_with_few_calls_to_kms() -> None:
    (rule,) = resolved(properties("Bucket"), **KEY)["BucketEncryption"][
        "ServerSideEncryptionConfiguration"
    ]
    assert rule["ServerSideEncryptionByDefault"]["KMSMasterKeyID"] == KEY_REF
    assert rule["BucketKeyEnabled"] is True


def test_a_queue_has_one_kind_of_encryption() -> None:
    for name, each in of_type("AWS::SQS::Queue").items():
        assert resolved(each)["SqsManagedSseEnabled"] is True, name
        assert "SqsManagedSseEnabled" not in resolved(each, **KEY), name


def test_every_role_that_touches_what_is_kept_may_use_the_key_through_the_services_alone() -> None:
    (shared,) = of_type("AWS::IAM::ManagedPolicy").values()
    sharing = {each["Ref"] for each in shared["Roles"]}
    for name, role in of_type("AWS::IAM::Role").items():
        if name in ("ServeOpenapiFunctionRole", "SchedulesRole"):  # they read nothing
            continue
        policies = [each["PolicyDocument"] for each in role.get("Policies", ())]
        if name in sharing:
            policies.append(shared["PolicyDocument"])
        uses = [
            each
            for policy in policies
            for each in resolved(policy["Statement"], **KEY)
            if each["Resource"] == KEY_REF
        ]
        assert {each["Action"] for each in uses} == {"kms:Decrypt", "kms:GenerateDataKey"}, name
        for each in uses:
            services = each["Condition"]["StringEquals"]["kms:ViaService"]
            named = {service["Fn::Sub"].partition(".")[0] for service in services}
            assert named == {"dynamodb", "s3", "secretsmanager", "sqs"}


def test_without_a_key_of_the_company_no_policy_names_one() -> None:
    for name in deployed():
        assert "KmsKeyArn" not in str(
            resolved(EXPANDED[name].get("Properties", {}).get("Policies"))
        )


def test_agora_may_upload_into_a_bucket_with_the_key_of_the_company() -> None:
    (policy,) = resolved(properties("StorageUser"), **KEY)["Policies"]
    uses = [
        each["Action"]
        for each in policy["PolicyDocument"]["Statement"]
        if each["Resource"] == KEY_REF
    ]
    assert uses == ["kms:GenerateDataKey", "kms:Decrypt"]
    for room in ("StartRecordingFunction", "WatchRecordingsFunction"):
        assert functions()[room]["Environment"]["Variables"]["STORAGE_KMS_KEY_ARN"] == KEY_REF


# --- a boundary ---------------------------------------------------------------------------------


def test_every_role_and_user_has_the_boundary() -> None:
    arn = "arn:aws:iam::111122223333:policy/boundary"
    bounded = {**of_type("AWS::IAM::Role"), **of_type("AWS::IAM::User")}
    # the machine, three schedules, those of recordings, the user
    assert len(bounded) == len(functions()) + 6
    for name, each in bounded.items():
        found = resolved(each, PermissionsBoundaryArn=arn)
        assert found["PermissionsBoundary"] == {"Ref": "PermissionsBoundaryArn"}, name
        assert "PermissionsBoundary" not in resolved(each), name


# --- a network ----------------------------------------------------------------------------------


def test_every_room_runs_in_the_network_of_the_company() -> None:
    given = {"RoomSubnetIds": "subnet-0a,subnet-0b", "RoomSecurityGroupIds": "sg-0a"}
    rooms = of_type("AWS::Lambda::Function")
    assert len(rooms) == len(functions())
    for name, each in rooms.items():
        assert resolved(each, **given)["VpcConfig"] == {
            "SubnetIds": {"Fn::Split": [",", {"Ref": "RoomSubnetIds"}]},
            "SecurityGroupIds": {"Fn::Split": [",", {"Ref": "RoomSecurityGroupIds"}]},
        }, name
        assert "VpcConfig" not in resolved(each), name


def test_subnets_and_groups_are_given_together() -> None:
    rule = TEMPLATE["Rules"]["TheRoomsHaveTheirPlace"]
    asked = [each["Assert"]["Fn::Not"][0]["Fn::Equals"][0]["Ref"] for each in rule["Assertions"]]
    assert asked == ["RoomSubnetIds", "RoomSecurityGroupIds"]
    assert all(f"'Ref': '{name}'" in str(rule["RuleCondition"]) for name in asked)


def test_the_code_of_no_room_may_touch_network_interfaces() -> None:
    """AWSLambdaVPCAccessExecutionRole is Lambda's own: the code of a function is denied it."""
    for name, role in of_type("AWS::IAM::Role").items():
        if not name.endswith("FunctionRole"):
            continue
        (denied,) = [
            each
            for policy in role["Policies"]
            for each in policy["PolicyDocument"]["Statement"]
            if each.get("Effect") == "Deny"
        ]
        # What the managed policy allows beside logs (AWS: AWSLambdaVPCAccessExecutionRole).
        assert set(denied["Action"]) >= {
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        }, name
        assert denied["Resource"] == "*"
        assert list(denied["Condition"]["ArnLike"]) == ["lambda:SourceFunctionArn"]


# --- thresholds ---------------------------------------------------------------------------------


def test_every_threshold_that_somebody_may_want_to_change_is_a_parameter() -> None:
    fixed = set()
    for name, alarm in of_type("AWS::CloudWatch::Alarm").items():
        threshold = alarm["Threshold"]
        if not isinstance(threshold, dict):
            fixed.add(name)
            continue
        assert threshold["Ref"].startswith(name.removesuffix("Alarm") + "Threshold")
        assert name in PARAMETERS[threshold["Ref"]]["Description"]
    # With another number, these would say something else: a queue that must be empty, an execution
    # that failed, a day without a refresh, a sweep that was missed, a channel that is not recorded.
    assert fixed == {
        "DeadLettersAlarm",
        "EverSwept",
        "FailedExecutionsAlarm",
        "NoRecentSweep",
        "PoisonNotificationsAlarm",
        "RefusedAutoRecordsAlarm",
        "StaleAddressesAlarm",
    }


# --- every partition ----------------------------------------------------------------------------


def test_no_arn_and_no_host_is_of_one_partition_alone() -> None:
    sources = [ROOT / "template.yaml", *(ROOT / "statemachine").glob("*.yaml")]
    for folder in ("functions", "layers/shared/agora_recording", "operate"):
        sources += (ROOT / folder).rglob("*.py")
    assert len(sources) > 100
    for source in sources:
        text = source.read_text()
        assert not re.search(r"arn:aws[a-z-]*:", text), source
        # A principal has one label (lambda.amazonaws.com), in every partition; a host has more.
        assert not re.search(r"\.[\w${}:-]+\.amazonaws\.com", text), source


def test_every_parameter_is_in_a_group() -> None:
    groups = TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    grouped = [name for each in groups for name in each["Parameters"]]
    assert sorted(grouped) == sorted(PARAMETERS)
