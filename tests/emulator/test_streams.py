"""A stream is read on from the first record that failed."""

from __future__ import annotations

import re
from pathlib import Path

from local.strict.mappings import NEEDED
from tests.e2e.conftest import eventually
from tests.emulator.conftest import Client
from tests.emulator.test_mappings import Reader


def test_what_a_function_reports_as_failed_comes_again_with_what_follows(
    client: Client, tmp_path: Path
) -> None:
    trace, once = tmp_path / "trace", tmp_path / "once"
    does = "; ".join(
        [
            "import os",
            "records = event['Records']",
            "keys = [each['dynamodb']['Keys']['PK']['S'] for each in records]",
            f"print(*keys, file=open({str(trace)!r}, 'a'))",
            "at = keys.index('2') if '2' in keys else None",
            f"is_first = at is not None and not os.path.exists({str(once)!r})",
            f"is_first and open({str(once)!r}, 'w').close()",
            "failed = [records[at]['dynamodb']['SequenceNumber']] if is_first else []",
            "return {'batchItemFailures': [{'itemIdentifier': each} for each in failed]}",
        ]
    )
    reader = Reader(client, "reports-failures", does)
    reader.allow("dynamodb", *NEEDED["dynamodb"])
    for key in "1234":
        client("dynamodb").put_item(TableName=reader.name, Item={"PK": {"S": key}})
    reader.functions.create_event_source_mapping(
        FunctionName=reader.name,
        EventSourceArn=reader.sources["dynamodb"],
        StartingPosition="TRIM_HORIZON",
        FunctionResponseTypes=["ReportBatchItemFailures"],
    )
    eventually(lambda: trace.exists() and trace.read_text().count("4") == 2, "the second time")
    told = trace.read_text()
    assert re.split(r"\s+", told.strip()) == [*"1234", *"234"]
