"""What brings work to a function: the mappings of the stream and of the queue, and their rights."""

from __future__ import annotations

from typing import Any

import pytest

from agora_recording.files.record_file_arrival import LEASE_S
from local.expanded import expanded
from local.template import functions, template

RESOURCES: dict[str, dict[str, Any]] = template()["Resources"]
MAPPINGS: dict[str, dict[str, Any]] = {
    name: each["Properties"]
    for name, each in RESOURCES.items()
    if each["Type"] == "AWS::Lambda::EventSourceMapping"
}
# What Lambda does in the name of a function (AWS Lambda: DynamoDB event source mappings; SQS).
STREAM = {
    "dynamodb:DescribeStream",
    "dynamodb:GetRecords",
    "dynamodb:GetShardIterator",
    "dynamodb:ListStreams",
}
QUEUE = {"sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"}


def allowed(room: str) -> dict[str, list[Any]]:
    """Return the resources of each action that a function's own policies allow."""
    found: dict[str, list[Any]] = {}
    for policy in functions()[room]["Policies"]:
        for each in policy["Statement"]:
            if each.get("Effect") == "Allow":
                found.setdefault(each["Action"], []).append(each["Resource"])
    return found


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_function_may_read_its_own_source_and_no_other(name: str) -> None:
    mapping = MAPPINGS[name]
    source, room = mapping["EventSourceArn"], mapping["FunctionName"]["Ref"]
    rights = allowed(room)
    is_stream = "StartingPosition" in mapping
    for action in STREAM if is_stream else QUEUE:
        expected = "*" if action == "dynamodb:ListStreams" else source
        assert rights[action] == [expected], action
    if is_stream:
        given_up = mapping["DestinationConfig"]["OnFailure"]["Destination"]
        assert given_up in rights["sqs:SendMessage"]


@pytest.mark.parametrize("name", MAPPINGS)
def test_a_mapping_has_the_name_that_sam_would_give_it(name: str) -> None:
    """A stack that was deployed with SAM's mappings keeps them: Lambda allows no second one."""
    room = MAPPINGS[name]["FunctionName"]["Ref"]
    assert name.startswith(room)
    assert name != room


def test_sam_attaches_nothing_but_the_rights_to_log_and_to_be_in_a_vpc() -> None:
    attached = {
        str(arn).rpartition("/")[2].rstrip("'}]")
        for each in expanded()["Resources"].values()
        if each["Type"] == "AWS::IAM::Role"
        for arn in each["Properties"].get("ManagedPolicyArns", ())
    }
    assert attached == {"AWSLambdaBasicExecutionRole", "AWSLambdaVPCAccessExecutionRole"}


def test_a_failed_record_comes_back_alone() -> None:
    for name, mapping in MAPPINGS.items():
        if mapping["BatchSize"] == 1:
            continue  # it is alone
        if name == "WatchRecordingsFunctionBetween":
            continue  # one sweep does what all messages ask for
        assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"], name


def test_a_message_stays_hidden_six_times_as_long_as_its_room_may_run() -> None:
    """So AWS advises it: a batch that is throttled is tried again while it is hidden."""
    caller = functions()["SendCallbackFunction"]
    assert RESOURCES["Calls"]["Properties"]["VisibilityTimeout"] >= 6 * caller["Timeout"]
    room = functions()["RecordFileArrivalFunction"]
    mapping = MAPPINGS["RecordFileArrivalFunctionArrived"]
    hidden = RESOURCES["FileArrivals"]["Properties"]["VisibilityTimeout"]
    assert hidden >= 6 * room["Timeout"] + mapping["MaximumBatchingWindowInSeconds"]
    assert room["Timeout"] <= LEASE_S <= hidden


def test_throttling_does_not_use_up_the_receives_of_a_message() -> None:
    """Lambda takes no more batches from the queue than it may run at the same time."""
    mapping = MAPPINGS["RecordFileArrivalFunctionArrived"]
    assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= 5
    queue = RESOURCES["FileArrivals"]["Properties"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 10


def test_the_stream_is_read_as_wide_as_the_parameter_says() -> None:
    mapping = MAPPINGS["ApplyNotificationsFunctionStored"]
    assert mapping["ParallelizationFactor"] == {"Ref": "StreamParallelism"}
    parameter = template()["Parameters"]["StreamParallelism"]
    assert (parameter["MinValue"], parameter["MaxValue"]) == (1, 10)  # what Lambda takes


def test_the_notifications_of_a_start_are_merged_in_one_batch() -> None:
    """Each write of the session and the recording that is saved costs more than the second."""
    mapping = MAPPINGS["ApplyNotificationsFunctionStored"]
    assert mapping["MaximumBatchingWindowInSeconds"] == 1
    assert functions()["ApplyNotificationsFunction"]["MemorySize"] == 512
