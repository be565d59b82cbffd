"""A signature for another service opens no door of the HTTP API."""

from __future__ import annotations

import json

import pytest
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.emulator import REGION, ROOT, Emulator
from local.strict.scopes import refusal
from tests.emulator.conftest import Client

SIGNED = "AWS4-HMAC-SHA256 Credential=key/20261127/us-east-1/{}/aws4_request, SignedHeaders=host"


@pytest.fixture(scope="module")
def address(emulator: Emulator, client: Client) -> str:
    """Make a REST API with one method that asks for IAM; return its address."""
    gateway = client("apigateway")
    api = gateway.create_rest_api(name="scopes")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    place = {"restApiId": api, "resourceId": root, "httpMethod": "GET"}
    gateway.put_method(**place, authorizationType="AWS_IAM")
    gateway.put_integration(**place, type="MOCK", requestTemplates={"application/json": "{}"})
    gateway.create_deployment(restApiId=api, stageName="v1")
    return f"{emulator.url}/_aws/execute-api/{api}/v1/"


def call(address: str, service: str, region: str = REGION) -> requests.Response:
    request = AWSRequest("GET", address)
    SigV4Auth(Credentials(*ROOT), service, region).add_auth(request)
    return requests.get(address, headers=dict(request.headers.items()), timeout=10)


def test_a_signature_for_execute_api_is_taken_and_one_for_another_service_is_not(
    address: str,
) -> None:
    assert call(address, "execute-api").status_code != 403
    for service in ("apigateway", "lambda", "s3"):
        answer = call(address, service)
        assert answer.status_code == 403
        assert answer.json()["message"] == (
            "Credential should be scoped to correct service: 'execute-api'. "
        )


def test_a_signature_for_another_region_is_not_taken(address: str) -> None:
    answer = call(address, "execute-api", "eu-west-1")
    assert answer.status_code == 403
    assert answer.json()["message"] == (
        "Credential should be scoped to a valid region, not 'eu-west-1'. "
    )


@pytest.mark.parametrize("service", ["sts", "execute-api-x"])
def test_a_scope_is_read_from_the_header_or_from_the_query(service: str) -> None:
    scope = f"key/20261127/us-east-1/{service}/aws4_request"
    for found in (
        refusal({"authorization": SIGNED.format(service)}, {}),
        refusal({}, {"X-Amz-Credential": [scope]}),
        refusal({}, {"X-Amz-Credential": [scope.replace("/", "%2F")]}),
    ):
        assert found is not None
        assert found[0] == 403
        assert "execute-api" in json.loads(found[2])["message"]


@pytest.mark.parametrize(
    "header", ["", SIGNED.format("execute-api"), "Basic x", "AWS4-HMAC-SHA256"]
)
def test_what_names_no_other_service_is_left_to_the_emulator(header: str) -> None:
    assert refusal({"authorization": header}, {}) is None
