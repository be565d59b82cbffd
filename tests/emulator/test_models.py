"""Where a model of botocore contradicts its own documentation, the documentation is believed."""

from __future__ import annotations

import re

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from local.strict import models

# Members of DynamoDB's answers, by operation. Their shapes want an entry or more.
EMPTY_MAPS = {"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}


@pytest.mark.parametrize(("operation", "member"), EMPTY_MAPS.items())
def test_dynamodb_documents_the_empty_map_that_its_model_forbids(
    operation: str, member: str
) -> None:
    model = ServiceModel(Loader().load_service_model("dynamodb", "service-2"))
    answer = model.operation_model(operation).output_shape
    assert answer is not None
    shape = answer.members[member]
    assert shape.metadata["min"] == 1, "the model agrees now: the doubt can go"
    words = re.sub(r"<[^>]+>", "", shape.documentation)
    assert re.search(rf"If there are no unprocessed .* contains an empty {member} map", words)


def test_an_object_that_is_no_text_is_read_as_it_comes() -> None:
    operation = ServiceModel(Loader().load_service_model("s3", "service-2")).operation_model(
        "GetObject"
    )
    answer = models.read_answer(operation, 200, {"ETag": '"1"'}, b"\xff\xfe")
    assert answer["Body"] == b"\xff\xfe"
    assert list(models.problems(operation.output_shape, answer)) == []
